//! A ledger that is damaged, lost, or that the disk does not take (SPEC 2 and 12).

use std::fs::{self, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use hive_shared::time::Stamp;
use hive_tests::{Agent, Api, Hive};
use serde_json::{Value, json};

use crate::scripts::AGENT;

/// Writes over a part of a file, and leaves its size.
fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).expect("a file of the hive");
    file.seek(SeekFrom::Start(at)).expect("it is long enough");
    file.write_all(bytes).expect("it can be written");
}

fn database(hive: &Hive) -> PathBuf {
    hive.paths().database(hive.bot())
}

/// The database's files that were set aside.
fn set_aside(hive: &Hive) -> Vec<String> {
    let mut names = hive.names_in(&hive.paths().state());
    names.retain(|name| name.contains(".db.corrupt-") && !name.ends_with("-wal") && !name.ends_with("-shm"));
    names
}

/// What a timeline says of items, less what a response does not tell.
async fn told(api: &Api) -> Vec<Value> {
    let mut entries = api.entries("limit=1000").await;
    entries.retain(|entry| entry["source"] != "control");
    for entry in &mut entries {
        let fields = entry.as_object_mut().expect("an entry");
        // A prompt is known from its turn's beginning, a task too.
        for name in ["seq", "timestamp", "updated_at", "warnings"] {
            fields.remove(name);
        }
        // A response has it to the microsecond.
        if let Some(seconds) = fields.get("duration_seconds").and_then(Value::as_f64) {
            fields.insert("duration_seconds".into(), json!((seconds * 1e6).round() / 1e6));
        }
    }
    entries
}

/// A hive in which a task was done, one failed and a prompt was answered, and whose bot has stopped.
async fn with_a_history() -> (Hive, Vec<Value>, String) {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    let api = agent.api();
    for (id, instruction) in [("DONE-1", "first"), ("BAD-1", "fail")] {
        api.submit(json!({"instruction": instruction, "id": id, "title": "A title", "priority": "P1"})).await;
        api.until_ended(id).await;
    }
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "well?").await;
    chat.turn("CHAT-1").await;
    let archive = hive.paths().archive(hive.bot());
    hive.until("all is archived", || (hive.names_in(&archive).len() == 2).then_some(())).await;
    let epoch = api.get("timeline").await.ok()["epoch"].as_str().expect("a text").to_owned();
    let told = told(&api).await;
    agent.terminate();
    assert!(agent.ended().await.status.success());
    (hive, told, epoch)
}

/// The history is there again, and none of it runs again.
async fn the_history_is_back(hive: &Hive, agent: &Agent, before: &[Value], old_epoch: &str) {
    let api = agent.api();
    assert_eq!(told(&api).await, before);
    let epoch = api.get("timeline").await.ok()["epoch"].clone();
    assert_ne!(epoch, old_epoch, "another ledger is another timeline");
    assert_eq!(api.status().await["counts"]["completed"], 2);
    assert_eq!(api.status().await["counts"]["failed"], 1);
    // The same task again is the same, also after this; another one is refused.
    let again = json!({"instruction": "first", "id": "DONE-1", "title": "A title", "priority": "P1"});
    assert_eq!(api.post("tasks", again).await.status, 200);
    let other = json!({"instruction": "other", "id": "DONE-1"});
    assert_eq!(api.post("tasks", other).await.status, 409);
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "well?").await;
    assert_eq!(chat.next_of("CHAT-1", "response_complete").await["status"], "completed");
    // What was archived can be done again.
    let retried = api.post("tasks/DONE-1/retry", json!({})).await.ok();
    let id = retried["task_id"].as_str().expect("a text").to_owned();
    assert_eq!(api.until_ended(&id).await["response"], "you said: first");
    // New work runs as ever.
    hive.drop_task("NEW-1.md", "new");
    assert_eq!(hive.answer("NEW-1").await.text, "you said: new");
    assert_eq!(hive.work_file("ran.txt"), format!("DONE-1\nBAD-1\nCHAT-1\n{id}\nNEW-1\n"));
}

#[tokio::test]
async fn a_damaged_database_is_set_aside_and_rebuilt_from_the_responses() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("not a database", |path| fs::write(path, "this is no database, and never was one\n").unwrap()),
        ("its head overwritten", |path| overwrite(path, 0, &[0xff; 100])),
        ("every page but the first overwritten", |path| {
            let rest = usize::try_from(path.metadata().unwrap().len()).unwrap() - 4096;
            overwrite(path, 4096, &vec![0x5a; rest]);
        }),
        ("cut short", |path| OpenOptions::new().write(true).open(path).unwrap().set_len(8192).unwrap()),
    ];
    for (what, damage) in damages {
        let (hive, before, epoch) = with_a_history().await;
        damage(&database(&hive));
        let agent = Agent::start(&hive).await;
        the_history_is_back(&hive, &agent, &before, &epoch).await;
        let aside = set_aside(&hive);
        assert_eq!(aside.len(), 1, "{what}: {aside:?}");
        let rebuilt = agent.api().control("rebuilt").await.expect("an entry that says so");
        let content = rebuilt["content"].as_str().unwrap();
        assert!(content.contains(&aside[0]) && content.contains("3 responses"), "{what}: {content}");
    }
}

#[tokio::test]
async fn a_lost_database_is_rebuilt_from_the_responses() {
    let (hive, before, epoch) = with_a_history().await;
    fs::remove_dir_all(hive.paths().state()).unwrap();
    let agent = Agent::start(&hive).await;
    the_history_is_back(&hive, &agent, &before, &epoch).await;
    assert_eq!(set_aside(&hive), Vec::<String>::new());
}

#[tokio::test]
async fn a_task_that_had_ended_but_was_not_archived_when_the_ledger_was_lost_is_archived_and_not_run() {
    let (hive, before, epoch) = with_a_history().await;
    let archive = hive.paths().archive(hive.bot());
    fs::rename(archive.join("DONE-1.md"), hive.tasks().join("DONE-1.md")).unwrap();
    fs::remove_file(database(&hive)).unwrap();
    let agent = Agent::start(&hive).await;
    hive.until("it is archived", || hive.archived("DONE-1.md")).await;
    the_history_is_back(&hive, &agent, &before, &epoch).await;
}

#[tokio::test]
async fn a_database_that_is_damaged_while_the_bot_runs_costs_no_task() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    let api = agent.api();
    api.submit(json!({"instruction": "first", "id": "DONE-1"})).await;
    api.until_ended("DONE-1").await;
    api.submit(json!({"instruction": "hold", "id": "HOLD-1"})).await;
    api.submit(json!({"instruction": "later", "id": "LATER-1"})).await;
    hive.until("it runs", || (hive.work_file("ran.txt") == "DONE-1\nHOLD-1\n").then_some(())).await;
    let first_run = agent.descendants();
    for name in ["-wal", ""] {
        let mut path = database(&hive).into_os_string();
        path.push(name);
        let length = usize::try_from(Path::new(&path).metadata().unwrap().len()).unwrap();
        overwrite(Path::new(&path), 0, &vec![0x5a; length]);
    }
    // Whoever looks finds it; so does the bot when it next writes.
    let _ = api.try_get("timeline").await;
    let _ = api.try_post("tasks", json!({"instruction": "now", "id": "NOW-1"})).await;
    agent.reborn().await;
    let api = agent.api();
    hive.until("it runs again", || hive.work_file("ran.txt").ends_with("HOLD-1\nHOLD-1\n").then_some(()))
        .await;
    assert!(first_run.iter().all(hive_tests::Process::is_gone), "the first run is gone");
    hive.touch("go");
    for (id, said) in
        [("HOLD-1", "begun\ndone\n"), ("LATER-1", "you said: later"), ("DONE-1", "you said: first")]
    {
        assert_eq!(api.until_ended(id).await["response"], said);
    }
    assert_eq!(set_aside(&hive).len(), 1);
    let ran = hive.work_file("ran.txt");
    assert_eq!(ran.matches("DONE-1").count(), 1, "{ran}");
}

#[tokio::test]
async fn prompts_that_wait_when_the_ledger_is_found_damaged_wait_on_for_their_clients() {
    let hive = Hive::exec(AGENT, "disconnect_grace = \"5s\"");
    let mut agent = Agent::start(&hive).await;
    let api = agent.api();
    api.submit(json!({"instruction": "first", "id": "DONE-1", "from": "somebody-else"})).await;
    api.until_ended("DONE-1").await;
    stop(&mut agent).await;
    // What is known of one task cannot be read any more.
    let mut bytes = fs::read(database(&hive)).unwrap();
    let known = br#""from":"somebody-else""#;
    let places: Vec<usize> =
        (0..bytes.len() - known.len()).filter(|at| bytes[*at..].starts_with(known)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at + known.len() - 1] = b'x';
    }
    fs::write(database(&hive), bytes).unwrap();
    let mut agent = Agent::start(&hive).await;
    let api = agent.api();
    api.submit(json!({"instruction": "hold", "id": "HOLD-1", "interruptible": false})).await;
    api.until_is("HOLD-1", "running").await;
    let mut chat = agent.chat().await;
    for id in ["CHAT-1", "CHAT-2"] {
        chat.prompt(id, "well?").await;
        assert_eq!(chat.accepted(id).await["state"], "queued");
    }
    let _ = api.try_get("tasks/DONE-1").await;
    agent.reborn().await;
    let mut chat = agent.chat().await;
    chat.send(json!({"type": "attach", "id": "CHAT-1", "after": 1})).await;
    hive.touch("go");
    let complete = chat.next_of("CHAT-1", "response_complete").await;
    assert_eq!(complete["status"], "completed", "{complete}");
    let api = agent.api();
    assert_eq!(api.until_ended("CHAT-2").await["status"], "cancelled", "nobody came back for it");
    assert_eq!(api.until_ended("DONE-1").await["response"], "you said: first");
}

#[tokio::test]
async fn a_database_that_is_removed_while_the_bot_runs_is_put_back_and_nothing_is_disturbed() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    let api = agent.api();
    api.submit(json!({"instruction": "first", "id": "DONE-1"})).await;
    api.until_ended("DONE-1").await;
    let epoch = api.get("timeline").await.ok()["epoch"].clone();
    let mut chat = agent.chat().await;
    api.submit(json!({"instruction": "hold", "id": "HOLD-1", "interruptible": false})).await;
    api.until_is("HOLD-1", "running").await;
    chat.prompt("CHAT-1", "well?").await;
    assert_eq!(chat.accepted("CHAT-1").await["state"], "queued");
    for name in hive.names_in(&hive.paths().state()) {
        if name.contains(".db") {
            fs::remove_file(hive.paths().state().join(name)).unwrap();
        }
    }
    hive.touch("go");
    assert_eq!(chat.turn("CHAT-1").await.text(), "you said: well?");
    api.until("it says so", async || api.control("ledger put back").await).await;
    let page = api.get("timeline").await.ok();
    assert_eq!(page["epoch"], epoch, "it is the same timeline");
    for (id, said) in [("DONE-1", "you said: first"), ("HOLD-1", "begun\ndone\n")] {
        assert_eq!(api.task(id).await["response"], said);
    }
    // What is in the new file is what the next life knows.
    agent.kill9();
    let agent = Agent::start(&hive).await;
    assert_eq!(agent.api().get("timeline").await.ok()["epoch"], epoch);
    assert_eq!(agent.api().until_ended("HOLD-1").await["status"], "completed");
    assert_eq!(hive.work_file("ran.txt"), "DONE-1\nHOLD-1\nCHAT-1\n");
}

#[tokio::test]
async fn a_sync_that_fails_holds_ends_back_until_all_is_written_anew() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::spawn_in(&hive, &[], &[("HIVE_FAIL_AT", "log sync=4")]);
    agent.ready().await;
    let api = agent.api();
    api.submit(json!({"instruction": "first", "id": "DONE-1"})).await;
    assert_eq!(api.until_ended("DONE-1").await["response"], "you said: first");
    let paused = api.control("paused").await.expect("it has said so");
    assert!(paused["content"].as_str().unwrap().starts_with("disk: "), "{paused}");
    let paused_at: Stamp = paused["timestamp"].as_str().unwrap().parse().unwrap();
    let response = hive.paths().responses().join("DONE-1-response.md");
    let published_at = Stamp::from(response.metadata().unwrap().modified().unwrap());
    assert!(published_at > paused_at, "nothing is published that is not durable: {published_at} {paused_at}");
    api.until("it goes on", async || api.control("resumed").await).await;
    assert_eq!(hive.answer("DONE-1").await.text, "you said: first");
    hive.drop_task("NEXT-1.md", "next");
    assert_eq!(hive.answer("NEXT-1").await.text, "you said: next");
    assert!(agent.stderr().contains("moved into the database"), "{}", agent.stderr());
    assert_eq!(hive.work_file("ran.txt"), "DONE-1\nNEXT-1\n");
}

/// A bot that has done DONE-1, and a copy of its ledger from when that still waited.
async fn done_after_a_copy(hive: &Hive) -> (Agent, PathBuf) {
    hive.control("PAUSE", "");
    let mut agent = Agent::start(hive).await;
    agent.api().submit(json!({"instruction": "first", "id": "DONE-1"})).await;
    agent.terminate();
    agent.ended().await;
    let copy = hive.root().join("copy.db");
    fs::copy(database(hive), &copy).expect("a file can be copied");
    hive.lift("PAUSE");
    let agent = Agent::start(hive).await;
    agent.api().until_ended("DONE-1").await;
    (agent, copy)
}

#[tokio::test]
async fn a_ledger_that_is_older_than_a_response_believes_the_response() {
    let hive = Hive::exec(AGENT, "");
    let (mut agent, copy) = done_after_a_copy(&hive).await;
    let answer = hive.answer("DONE-1").await;
    agent.terminate();
    agent.ended().await;

    fs::rename(&copy, database(&hive)).unwrap();
    // Also where it was not archived yet.
    fs::rename(hive.paths().archive(hive.bot()).join("DONE-1.md"), hive.tasks().join("DONE-1.md")).unwrap();
    let agent = Agent::start(&hive).await;
    let task = agent.api().until_ended("DONE-1").await;
    assert_eq!((&task["status"], &task["response"]), (&json!("completed"), &json!("you said: first")));
    hive.until("it is archived", || hive.archived("DONE-1.md")).await;
    assert_eq!(agent.api().status().await["counts"]["completed"], 1);
    assert_eq!(hive.response("DONE-1"), Some(answer), "it is written once");
    assert_eq!(hive.work_file("ran.txt"), "DONE-1\n");
}

/// A hive whose bot has done one task and has stopped, and a copy of its ledger of then.
async fn with_a_copy() -> (Hive, PathBuf) {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    done(&agent, "ONE", "ONE.md", "one").await;
    stop(&mut agent).await;
    let copy = hive.root().join("copy.db");
    fs::copy(database(&hive), &copy).expect("a file can be copied");
    (hive, copy)
}

#[tokio::test]
async fn a_copy_of_an_older_ledger_begins_another_timeline_and_takes_in_what_came_since() {
    let (hive, copy) = with_a_copy().await;
    let mut agent = Agent::start(&hive).await;
    done(&agent, "TWO", "TWO.md", "---\nid: TWO\ntimeout: 2h\n---\ntwo").await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "well?").await;
    chat.turn("CHAT-1").await;
    let before = told(&agent.api()).await;
    let epoch = agent.api().get("timeline").await.ok()["epoch"].clone();
    stop(&mut agent).await;

    fs::rename(&copy, database(&hive)).unwrap();
    let mut agent = Agent::start(&hive).await;
    let api = agent.api();
    let rebuilt = api.control("rebuilt").await.expect("an entry that says so");
    let content = rebuilt["content"].as_str().unwrap();
    assert!(content.contains("a copy from an earlier day") && content.contains("2 responses"), "{content}");
    assert_eq!(told(&api).await, before);
    let other = api.get("timeline").await.ok()["epoch"].clone();
    assert_ne!(other, epoch, "its numbers are others");
    assert_eq!(api.status().await["counts"]["completed"], 3);
    let again = api.post("tasks/TWO/retry", json!({})).await.ok();
    assert_eq!(again["limit_seconds"], 7_200.0, "{again}");
    let id = again["task_id"].as_str().expect("a text").to_owned();
    assert_eq!(api.until_ended(&id).await["response"], "you said: two");
    // From here on it is the ledger, also after a kill.
    agent.kill9();
    let agent = Agent::start(&hive).await;
    assert_eq!(agent.api().get("timeline").await.ok()["epoch"], other);
    assert_eq!(hive.work_file("ran.txt"), format!("ONE\nTWO\nCHAT-1\n{id}\n"));
}

#[tokio::test]
async fn a_ledger_of_before_it_was_rebuilt_begins_another_timeline_too() {
    let (hive, copy) = with_a_copy().await;
    let mut agent = rebuilt_anew(&hive).await;
    let epoch = agent.api().get("timeline").await.ok()["epoch"].clone();
    done(&agent, "TWO", "TWO.md", "two").await;
    stop(&mut agent).await;
    fs::rename(&copy, database(&hive)).unwrap();
    let agent = Agent::start(&hive).await;
    let page = agent.api().get("timeline").await.ok();
    assert_ne!(page["epoch"], epoch);
    assert_eq!(agent.api().task("TWO").await["response"], "you said: two");
    assert_eq!(agent.api().status().await["counts"]["completed"], 2);
    assert_eq!(hive.work_file("ran.txt"), "ONE\nTWO\n");
}

/// A hive of two bots, the other of which has done a task and has one that waits, and has stopped.
async fn beside_another() -> (Hive, Hive) {
    let hive = Hive::exec(AGENT, "");
    let other = hive.of("BOT-003");
    let mut agent = Agent::start(&other).await;
    done(&agent, "THEIRS-1", "THEIRS-1.md", "theirs").await;
    other.control("PAUSE", "");
    agent.api().until_status("it is paused", |status| status["paused"] == true).await;
    agent.api().submit(json!({"instruction": "wait", "id": "THEIRS-2"})).await;
    stop(&mut agent).await;
    (hive, other)
}

#[tokio::test]
async fn the_database_of_another_bot_is_set_aside_and_nothing_of_it_is_done() {
    let (hive, other) = beside_another().await;
    let mut agent = Agent::start(&hive).await;
    done(&agent, "OURS-1", "OURS-1.md", "ours").await;
    stop(&mut agent).await;
    fs::copy(database(&other), database(&hive)).expect("a file can be copied");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    assert_eq!(api.task("OURS-1").await["response"], "you said: ours");
    let rebuilt = api.control("rebuilt").await.expect("an entry that says so");
    assert!(rebuilt["content"].as_str().unwrap().contains("is that of BOT-003"), "{rebuilt}");
    assert_eq!(set_aside(&hive).len(), 1);
    for id in ["THEIRS-1", "THEIRS-2"] {
        assert_eq!(api.task(id).await, Value::Null);
    }
    assert_eq!(hive.names_in(&hive.tasks()), ["archive", "rejected"]);
    let theirs = Agent::start(&other).await;
    assert_eq!(theirs.api().task("THEIRS-2").await["status"], "queued");
}

#[tokio::test]
async fn a_database_that_is_put_in_the_place_of_the_bots_own_while_it_runs_is_set_aside() {
    let (hive, other) = beside_another().await;
    let mut agent = Agent::start(&hive).await;
    let api = agent.api();
    let epoch = api.get("timeline").await.ok()["epoch"].clone();
    api.submit(json!({"instruction": "hold", "id": "HOLD-1"})).await;
    api.until_is("HOLD-1", "running").await;
    for ending in ["-wal", "-shm"] {
        fs::remove_file(format!("{}{ending}", database(&hive).display())).expect("it is open");
    }
    fs::copy(database(&other), hive.root().join("copy.db")).expect("a file can be copied");
    fs::rename(hive.root().join("copy.db"), database(&hive)).unwrap();
    hive.touch("go");
    assert_eq!(hive.answer("HOLD-1").await.text, "begun\ndone\n");
    api.until("it says so", async || api.control("ledger put back").await).await;
    assert_eq!(api.until_ended("HOLD-1").await["response"], "begun\ndone\n");
    agent.kill9();
    let agent = Agent::start(&hive).await;
    assert_eq!(agent.api().get("timeline").await.ok()["epoch"], epoch);
    assert_eq!(agent.api().task("HOLD-1").await["status"], "completed");
    assert_eq!(agent.api().task("THEIRS-1").await, Value::Null);
}

/// Removes what the hive's own `.gitignore` files name, as `git clean -X` does, and ends when `go` is there.
const CLEANER: &str = r#"
i=$(cat)
echo "$HIVE_TASK_ID" >> ran.txt
case "$i" in *clean*) rm -rf .deia/hive/state .deia/hive/bots; touch cleaned; until [ -e go ]; do sleep 0.02; done;; esac
echo "did $HIVE_TASK_ID"
"#;

#[tokio::test]
async fn an_agent_that_tidies_up_takes_neither_the_bot_nor_its_work() {
    let hive = Hive::exec(CLEANER, "");
    let mut agent = Agent::start(&hive).await;
    let (api, token) = (agent.api(), agent.token());
    api.submit(json!({"instruction": "clean", "id": "CLEAN-1"})).await;
    hive.until("it has tidied up", || hive.root().join("cleaned").exists().then_some(())).await;
    // Nobody else takes the bot over meanwhile.
    let second = Agent::run(&hive, &[]).await;
    assert!(!second.status.success() && second.stderr.contains("is run already"), "{second:?}");
    assert!(agent.is_alive());
    hive.touch("go");
    hive.drop_task("NEXT-1.md", "next");
    for id in ["CLEAN-1", "NEXT-1"] {
        assert_eq!(api.until_ended(id).await["response"], format!("did {id}\n"));
        assert_eq!(hive.answer(id).await.text, format!("did {id}\n"));
    }
    assert_eq!(hive.work_file("ran.txt"), "CLEAN-1\nNEXT-1\n");
    // Who looks for the bot finds it again.
    let paths = [hive.paths().bot_record(hive.bot()), hive.paths().token(hive.bot())];
    hive.until("both are there", || paths.iter().all(|path| path.exists()).then_some(())).await;
    assert_eq!(agent.token(), token);
    agent.terminate();
    assert!(agent.ended().await.status.success());
}

/// Stops a bot, loses its database, and starts it anew.
async fn rebuilt(agent: &mut Agent) -> Agent {
    stop(agent).await;
    rebuilt_anew(agent.hive()).await
}

async fn rebuilt_anew(hive: &Hive) -> Agent {
    fs::remove_file(database(hive)).expect("it can be had");
    Agent::start(hive).await
}

async fn stop(agent: &mut Agent) {
    agent.terminate();
    assert!(agent.ended().await.status.success());
}

/// Drops a task, and waits until it is done and in the archive.
async fn done(agent: &Agent, id: &str, name: &str, text: &str) {
    let hive = agent.hive();
    hive.drop_task(name, text);
    agent.api().until_ended(id).await;
    hive.until("it is archived", || (!hive.is_in_queue(name)).then_some(())).await;
}

#[tokio::test]
async fn a_rebuilt_ledger_does_not_take_the_second_task_of_an_id_for_the_first() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    done(&agent, "PLAN", "PLAN.md", "first").await;
    hive.control("PAUSE", "");
    agent.api().until_status("it is paused", |status| status["paused"] == true).await;
    hive.drop_task("PLAN.md", "second, and other");
    agent.api().until_is("PLAN.r2", "queued").await;
    hive.lift("PAUSE");
    let agent = {
        agent.kill9();
        fs::remove_dir_all(hive.paths().state()).unwrap();
        Agent::start(&hive).await
    };
    assert_eq!(agent.api().until_ended("PLAN.r2").await["response"], "you said: second, and other");
    assert_eq!(agent.api().task("PLAN").await["response"], "you said: first");
    assert!(hive.work_file("ran.txt").starts_with("PLAN\nPLAN.r2\n"));
    hive.until("it is archived", || (!hive.is_in_queue("PLAN.md")).then_some(())).await;
    // Now two files have the id, and the third is a task of its own again.
    let mut agent = agent;
    agent.terminate();
    agent.ended().await;
    fs::remove_dir_all(hive.paths().state()).unwrap();
    hive.drop_task("PLAN.md", "third");
    let agent = Agent::start(&hive).await;
    assert_eq!(agent.api().until_ended("PLAN.r3").await["response"], "you said: third");
    // Each can be done again, from its own file.
    for (id, said) in [("PLAN", "you said: first"), ("PLAN.r2", "you said: second, and other")] {
        let again = agent.api().post(&format!("tasks/{id}/retry"), json!({})).await.ok();
        let id = again["task_id"].as_str().expect("a text").to_owned();
        assert_eq!(agent.api().until_ended(&id).await["response"], said);
    }
}

#[tokio::test]
async fn a_response_beside_anothers_is_believed_and_written_once() {
    let hive = Hive::exec(AGENT, "");
    let theirs = "---\nschema: 1\ntask_id: DONE-1\nbot_id: BOT-OTHER\nsource: file\n\
                  timestamp: \"2026-01-01T00:00:00.000000Z\"\nstatus: completed\nsuccess: true\n\
                  duration_seconds: 1\nattempts: 1\npreemptions: 0\n---\nhi";
    fs::write(hive.paths().responses().join("DONE-1-response.md"), theirs).unwrap();
    let (mut agent, copy) = done_after_a_copy(&hive).await;
    let path = hive.paths().responses().join("DONE-1@BOT-002-response.md");
    let first = fs::read_to_string(&path).unwrap();
    agent.terminate();
    agent.ended().await;
    fs::rename(&copy, database(&hive)).unwrap();
    let agent = Agent::start(&hive).await;
    assert_eq!(agent.api().until_ended("DONE-1").await["response"], "you said: first");
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
    assert_eq!(hive.work_file("ran.txt"), "DONE-1\n");
}

#[tokio::test]
async fn a_response_under_a_name_that_is_not_its_own_says_nothing() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    done(&agent, "ONE", "ONE.md", "one").await;
    hive.control("PAUSE", "");
    agent.api().until_status("it is paused", |status| status["paused"] == true).await;
    hive.drop_task("NEXT.md", "next");
    agent.api().until_is("NEXT", "queued").await;
    agent.terminate();
    agent.ended().await;
    let responses = hive.paths().responses();
    let text = fs::read_to_string(responses.join("ONE-response.md")).unwrap();
    fs::write(responses.join("NEXT-response.md"), &text).unwrap();
    fs::write(responses.join("A-copy-response.md"), text.replace("you said: one", "edited")).unwrap();
    fs::write(responses.join("CTL-2-response.md"), text.replace("task_id: ONE", "task_id: CTL-2")).unwrap();
    let mut agent = Agent::start(&hive).await;
    assert_eq!(agent.api().task("NEXT").await["status"], "queued");
    // A new ledger goes by the names as well.
    let agent = rebuilt(&mut agent).await;
    let rebuilt = agent.api().control("rebuilt").await.expect("an entry that says so");
    assert!(rebuilt["content"].as_str().unwrap().contains("1 response of this bot"), "{rebuilt}");
    assert_eq!(agent.api().task("ONE").await["response"], "you said: one");
}

#[tokio::test]
async fn a_rebuilt_ledger_knows_what_the_tasks_file_says_and_no_time_to_come() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    done(&agent, "LONG", "LONG.md", "---\nid: LONG\ntimeout: 2h\ninterruptible: no\n---\nlong").await;
    let path = hive.paths().responses().join("LONG-response.md");
    let text = fs::read_to_string(&path).unwrap();
    let with_time = |line: &str| match line.split_once(": ") {
        Some(("started_at", _)) => "started_at: \"2099-01-01T00:00:00.000000Z\"".to_owned(),
        Some(_) | None => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(with_time).collect();
    fs::write(&path, lines.join("\n")).unwrap();
    let agent = rebuilt(&mut agent).await;
    let task = agent.api().task("LONG").await;
    assert_eq!((&task["limit_seconds"], &task["interruptible"]), (&json!(7_200.0), &json!(false)));
    let retried = agent.api().post("tasks/LONG/retry", json!({})).await.ok();
    assert_eq!((&retried["limit_seconds"], &retried["interruptible"]), (&json!(7_200.0), &json!(false)));
    let entries = agent.api().entries("limit=100").await;
    let is_past = |entry: &Value| entry["timestamp"].as_str().is_some_and(|at| at < "2090");
    assert!(entries.iter().all(is_past), "{entries:#?}");
}
