//! What a `kill -9` leaves, and what the next life makes of it (SPEC 12).

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use hive_tests::{Agent, Api, Hive};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};

use crate::followed::Followed;
use crate::scripts::{AGENT, counted};

/// Notes the begin and the end of each run in `log.txt`. `hold` waits for a file `go` and has a process in a session
/// of its own that waits for nothing; all else takes a moment.
const LOGGED: &str = r#"
i=$(cat)
echo "begin $HIVE_TASK_ID" >> log.txt
case "$i" in
*hold*) setsid sh -c 'trap "" TERM HUP; while :; do sleep 0.05; done' & until [ -e go ]; do sleep 0.02; done;;
*) sleep 0.03;;
esac
echo "did $HIVE_TASK_ID"
echo "end $HIVE_TASK_ID" >> log.txt
"#;

/// Notes each begin as `LOGGED` does, and says which attempt it is.
const LOGGED_ALOUD: &str = r#"
i=$(cat)
echo "begin $HIVE_TASK_ID" >> log.txt
echo "attempt $(grep -c "begin $HIVE_TASK_ID" log.txt)"
case "$i" in *hold*) until [ -e go ]; do sleep 0.02; done;; esac
"#;

/// How often each item's run began.
fn begun(hive: &Hive) -> BTreeMap<String, u32> {
    let mut begun = BTreeMap::new();
    for id in hive.work_file("log.txt").lines().filter_map(|line| line.strip_prefix("begin ")) {
        *begun.entry(id.to_owned()).or_default() += 1;
    }
    begun
}

/// Waits until a run of the item has begun so often.
async fn has_begun(hive: &Hive, id: &str, times: u32) {
    hive.until(&format!("{id} has begun {times} times"), || {
        (begun(hive).get(id) == Some(&times)).then_some(())
    })
    .await;
}

/// Waits until the present turn has lasted so long by the daemon's own clock.
async fn has_run_for(api: &Api, seconds: f64) {
    api.until_status("it has run for a while", |status| {
        status["current"]["elapsed_seconds"].as_f64().is_some_and(|elapsed| elapsed > seconds)
    })
    .await;
}

/// Everything was completed, once, and nothing else is there.
async fn each_was_completed_once(hive: &Hive, api: &Api, ids: &[String]) {
    for id in ids {
        let task = api.until_ended(id).await;
        assert_eq!((&task["task_id"], &task["status"]), (&json!(id), &json!("completed")));
        let response = hive.response(id).expect("what has ended has its response");
        assert_eq!(response.text, format!("did {id}\n"));
    }
    let mut names: Vec<String> = ids.iter().map(|id| format!("{id}-response.md")).collect();
    names.sort();
    assert_eq!(hive.names_in(&hive.paths().responses()), names);
    let archive = hive.paths().archive(hive.bot());
    hive.until("all are archived", || (hive.names_in(&archive).len() == ids.len()).then_some(())).await;
    assert_eq!(hive.names_in(&hive.tasks()), ["archive", "rejected"]);
    let entries = api.entries("source=file&limit=1000").await;
    let mut told: Vec<_> = entries.iter().map(|entry| entry["entry_id"].as_str().expect("text")).collect();
    told.sort_unstable();
    let mut expected: Vec<_> = ids.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(told, expected);
    assert!(entries.iter().all(|entry| entry["status"] == "completed"), "{entries:#?}");
    let total = api.get("tasks?all=true").await.ok()["total"].clone();
    assert_eq!((&total, &api.status().await["counts"]["completed"]), (&json!(ids.len()), &json!(ids.len())));
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_task_loses_nothing_and_repeats_nothing() {
    let hive = Hive::exec(LOGGED, "");
    let mut first = Agent::start(&hive).await;
    hive.drop_task("DONE-1.md", "quick");
    first.api().until_ended("DONE-1").await;
    hive.drop_task("HOLD-1.md", "hold");
    has_begun(&hive, "HOLD-1", 1).await;
    let mut ids = vec!["DONE-1".to_owned(), "HOLD-1".to_owned()];
    for n in 1..=4 {
        ids.push(format!("WAIT-{n}"));
        first.api().submit(json!({"instruction": "quick", "id": ids.last()})).await;
    }
    let left = first.descendants();
    assert!(left.len() >= 2, "{left:?}");
    first.kill9();
    assert_ne!(first.descendants(), [], "the kill reached the daemon alone");

    hive.drop_task("DOWN-1.md", "quick");
    ids.push("DOWN-1".to_owned());
    let second = Agent::start(&hive).await;
    second
        .until("the first life's processes are gone", async || first.descendants().is_empty().then_some(()))
        .await;
    assert!(left.iter().all(hive_tests::Process::is_gone));
    has_begun(&hive, "HOLD-1", 2).await;
    let running = second.api().task("HOLD-1").await;
    assert_eq!((&running["status"], &running["attempts"]), (&json!("running"), &json!(2)));
    hive.touch("go");
    each_was_completed_once(&hive, &second.api(), &ids).await;

    let log = hive.work_file("log.txt");
    let runs: Vec<_> = log.lines().filter(|line| line.starts_with("begin ")).collect();
    assert_eq!(
        runs,
        ["DONE-1", "HOLD-1", "HOLD-1", "WAIT-1", "WAIT-2", "WAIT-3", "WAIT-4", "DOWN-1"]
            .map(|id| format!("begin {id}"))
    );
    assert_eq!(log.lines().filter(|line| *line == "end HOLD-1").count(), 1);
    assert_eq!(hive.response("HOLD-1").unwrap().header.attempts, 2);
    assert_eq!(hive.response("WAIT-1").unwrap().header.attempts, 1);
    assert_eq!(second.descendants(), []);
}

/// When the daemon is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// When the last submission was confirmed.
    Submitted,
    /// When a run has begun.
    InMidTask,
    /// When an end was seen.
    EndSeen,
    /// When a run has ended, and nobody has been told yet.
    RunEnded,
}

#[tokio::test]
async fn whenever_it_is_killed_each_task_ends_once_and_in_order() {
    let hive = Hive::exec(LOGGED, "max_attempts = 20");
    let mut ids: Vec<String> = Vec::new();
    let mut seen_to_end: BTreeMap<String, u32> = BTreeMap::new();
    let moments = [
        Moment::Submitted,
        Moment::InMidTask,
        Moment::EndSeen,
        Moment::RunEnded,
        Moment::InMidTask,
        Moment::EndSeen,
    ];
    for (round, moment) in moments.into_iter().enumerate() {
        let mut agent = Agent::start(&hive).await;
        let api = agent.api();
        for n in 0..4 {
            let id = format!("ROUND-{round}-{n}");
            let submitted = api.post("tasks", json!({"instruction": "quick", "id": id})).await;
            assert_eq!(submitted.status, 201);
            ids.push(id);
        }
        let lines =
            |word: &str| hive.work_file("log.txt").lines().filter(|line| line.starts_with(word)).count();
        match moment {
            Moment::Submitted => {}
            Moment::InMidTask => {
                let before = lines("begin ");
                hive.until("another run begins", || (lines("begin ") > before).then_some(())).await;
            }
            Moment::RunEnded => {
                let before = lines("end ");
                hive.until("another run ends", || (lines("end ") > before).then_some(())).await;
            }
            Moment::EndSeen => {
                api.until_ended(&format!("ROUND-{round}-1")).await;
            }
        }
        let ended: Vec<Value> = api.entries("source=file&status=completed&limit=1000").await;
        agent.kill9();
        for entry in ended {
            let id = entry["entry_id"].as_str().unwrap().to_owned();
            assert!(
                hive.response(&id).is_some(),
                "{id} was seen to end and has no response after {moment:?}"
            );
            let runs = begun(&hive)[&id];
            assert_eq!(*seen_to_end.entry(id.clone()).or_insert(runs), runs, "{id} ran again");
        }
    }
    let agent = Agent::start(&hive).await;
    each_was_completed_once(&hive, &agent.api(), &ids).await;
    let begun = begun(&hive);
    for (id, runs) in &seen_to_end {
        assert_eq!(begun[id], *runs, "{id} had ended and ran again");
    }
    for id in &ids {
        let attempts = hive.response(id).unwrap().header.attempts;
        assert!(attempts >= begun[id], "{id} began {} times in {attempts} attempts", begun[id]);
    }
    let mut order: Vec<String> = hive
        .work_file("log.txt")
        .lines()
        .filter_map(|line| Some(line.strip_prefix("begin ")?.to_owned()))
        .collect();
    order.dedup();
    assert_eq!(order, ids);
}

#[tokio::test]
async fn what_was_seen_to_end_has_its_response_even_if_the_kill_comes_at_once() {
    let hive = Hive::echo(0, "");
    for n in 0..8 {
        let mut agent = Agent::start(&hive).await;
        let mut follow = agent.follow("").await;
        let id = format!("END-{n}");
        hive.drop_task(&format!("{id}.md"), "words");
        follow
            .next_that(|frame| frame["entry"]["entry_id"] == *id && frame["entry"]["status"] == "completed")
            .await;
        agent.kill9();
        let response = hive.response(&id).expect("the end was told");
        assert_eq!(response.text, "words");
    }
    let agent = Agent::start(&hive).await;
    assert_eq!(agent.api().status().await["counts"]["completed"], 8);
    hive.until("all are archived", || {
        (hive.names_in(&hive.paths().archive(hive.bot())).len() == 8).then_some(())
    })
    .await;
    assert_eq!(hive.names_in(&hive.paths().responses()).len(), 8);
}

#[tokio::test]
async fn a_pipe_in_the_place_of_a_response_keeps_nobody_waiting() {
    let hive = Hive::new("");
    let mut agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "words").await;
    let _turn = chat.turn("CHAT-1").await;
    agent.terminate();
    assert!(agent.ended().await.status.success());
    let response = hive.paths().responses().join("CHAT-1-response.md");
    fs::remove_file(&response).unwrap();
    mkfifo(&response, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();

    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.send(json!({"type": "attach", "id": "CHAT-1"})).await;
    assert_eq!(chat.turn("CHAT-1").await.complete()["status"], "completed");
    assert_eq!(agent.api().get("responses/CHAT-1").await.status, 404);
    assert_eq!(agent.api().status().await["counts"]["completed"], 1);
}

#[tokio::test]
async fn a_chat_turn_that_ran_is_incomplete_with_what_it_had_said_and_never_runs_again() {
    let script =
        "echo \"$HIVE_TASK_ID\" >> ran.txt; n=0; while :; do n=$((n+1)); echo \"word $n\"; sleep 0.02; done";
    let hive = Hive::exec(script, "");
    let mut agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "talk").await;
    let begun = Instant::now();
    let mut heard: Vec<(Instant, String)> = Vec::new();
    while begun.elapsed() < Duration::from_millis(2_500) {
        let chunk = chat.next_of("CHAT-1", "response_chunk").await;
        heard.push((Instant::now(), chunk["content"].as_str().unwrap().to_owned()));
    }
    let killed_at = Instant::now();
    agent.kill9();
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.send(json!({"type": "attach", "id": "CHAT-1"})).await;
    let turn = chat.turn("CHAT-1").await;
    let complete = turn.complete();
    assert_eq!(
        (&complete["status"], &complete["error_code"], &complete["success"]),
        (&json!("incomplete"), &json!("crashed"), &json!(false))
    );
    let response = hive.response("CHAT-1").expect("a turn that is complete has its response");
    assert_eq!(response.header.status.as_str(), "incomplete");
    let used = response.header.duration_seconds;
    assert!(used > 1.0 && used <= killed_at.duration_since(begun).as_secs_f64() + 1.0, "{used}");
    assert_eq!(response.text, turn.text());
    // Half a second, and as much again for a machine that is busy.
    let old = heard.iter().filter(|(at, _)| *at + Duration::from_secs(1) < killed_at);
    let old: String = old.map(|(_, content)| content.as_str()).collect();
    assert!(
        old.len() > 50 && response.text.starts_with(&old),
        "{old:?} was said, and {:?} kept",
        response.text
    );
    let reply = &agent.api().entries("kind=reply").await[0];
    assert_eq!(
        (&reply["status"], reply["content"].as_str()),
        (&json!("incomplete"), Some(response.text.as_str()))
    );
    assert_eq!(hive.work_file("ran.txt"), "CHAT-1\n");
    assert_eq!(agent.descendants(), []);
}

#[tokio::test]
async fn a_waiting_prompt_runs_if_its_client_comes_back_in_time_and_else_is_cancelled() {
    let hive = Hive::exec(AGENT, "disconnect_grace = 3");
    let mut agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hold").await;
    chat.next_of("CHAT-1", "response_start").await;
    hive.until("it runs", || (hive.work_file("ran.txt") == "CHAT-1\n").then_some(())).await;
    for id in ["CHAT-2", "CHAT-3"] {
        chat.prompt(id, "hello").await;
        assert_eq!(chat.accepted(id).await["state"], "queued");
    }
    agent.kill9();
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.send(json!({"type": "attach", "id": "CHAT-3"})).await;
    let turn = chat.turn("CHAT-3").await;
    assert_eq!((turn.text().as_str(), &turn.complete()["status"]), ("you said: hello", &json!("completed")));
    let gone = hive.answer("CHAT-2").await.header;
    assert_eq!((gone.status.as_str(), gone.error_code.as_deref()), ("cancelled", Some("disconnected")));
    assert_eq!(hive.answer("CHAT-1").await.header.error_code.as_deref(), Some("crashed"));
    assert_eq!(hive.work_file("ran.txt"), "CHAT-1\nCHAT-3\n");
}

#[tokio::test]
async fn a_prompt_that_was_accepted_is_known_after_a_kill_at_once() {
    for state in ["started", "queued"] {
        let hive = Hive::exec(AGENT, "");
        if state == "queued" {
            hive.control("PAUSE", "");
        }
        let mut agent = Agent::start(&hive).await;
        let mut chat = agent.chat().await;
        chat.prompt("CHAT-1", "hold").await;
        let accepted = chat.accepted("CHAT-1").await;
        agent.kill9();
        assert_eq!(accepted["state"], state, "{accepted}");
        let agent = Agent::start(&hive).await;
        let mut chat = agent.chat().await;
        chat.send(json!({"type": "attach", "id": "CHAT-1"})).await;
        if state == "queued" {
            chat.next_of("CHAT-1", "accepted").await;
            hive.lift("PAUSE");
            hive.touch("go");
            assert_eq!(chat.next_of("CHAT-1", "response_complete").await["status"], "completed");
            assert_eq!(hive.work_file("ran.txt"), "CHAT-1\n");
        } else {
            let complete = chat.next_of("CHAT-1", "response_complete").await;
            assert_eq!(
                (&complete["status"], &complete["error_code"]),
                (&json!("incomplete"), &json!("crashed"))
            );
        }
        assert!(hive.response("CHAT-1").is_some());
    }
}

#[tokio::test]
async fn a_task_under_which_the_daemon_dies_too_often_fails_with_what_it_had_said() {
    let hive = Hive::exec(LOGGED_ALOUD, "max_attempts = 2");
    for attempt in 1..=2 {
        let mut agent = Agent::start(&hive).await;
        if attempt == 1 {
            hive.drop_task("FATAL-1.md", "hold");
        }
        has_begun(&hive, "FATAL-1", attempt).await;
        // By then what it said is kept.
        has_run_for(&agent.api(), 1.5).await;
        agent.kill9();
    }
    hive.drop_task("NEXT-1.md", "quick");
    let agent = Agent::start(&hive).await;
    let response = hive.answer("FATAL-1").await;
    assert_eq!(
        (response.header.status.as_str(), response.header.error_code.as_deref()),
        ("failed", Some("max_attempts"))
    );
    assert_eq!((response.header.attempts, response.text.as_str()), (2, "attempt 2\n"));
    assert_eq!(hive.answer("NEXT-1").await.header.status.as_str(), "completed");
    assert_eq!(begun(&hive)["FATAL-1"], 2);
    assert_eq!(agent.api().task("FATAL-1").await["status"], "failed");
}

#[tokio::test]
async fn a_stop_is_no_attempt_and_a_crash_is_one() {
    let hive = Hive::exec(LOGGED_ALOUD, "max_attempts = 2");
    hive.drop_task("HOLD-1.md", "hold");
    for begin in 1..=3 {
        let mut agent = Agent::start(&hive).await;
        has_begun(&hive, "HOLD-1", begin).await;
        agent.terminate();
        assert!(agent.ended().await.status.success());
    }
    let mut agent = Agent::start(&hive).await;
    has_begun(&hive, "HOLD-1", 4).await;
    agent.kill9();
    let _agent = Agent::start(&hive).await;
    has_begun(&hive, "HOLD-1", 5).await;
    hive.touch("go");
    let response = hive.answer("HOLD-1").await;
    assert_eq!((response.header.status.as_str(), response.header.attempts), ("completed", 2));
    assert_eq!(response.text, "attempt 5\n");
}

#[tokio::test]
async fn a_second_daemon_of_a_bot_refuses_and_names_the_first() {
    let hive = Hive::echo(0, "");
    let mut first = Agent::start(&hive).await;
    let exit = Agent::run(&hive, &[]).await;
    assert_eq!(exit.status.code(), Some(1));
    let (pid, url) = (first.pid().to_string(), &first.record().url);
    assert!(exit.stderr.contains(&pid) && exit.stderr.contains(url.as_str()), "{}", exit.stderr);
    // The first is as it was.
    first.ready().await;
    hive.drop_task("TASK-1.md", "words");
    hive.answer("TASK-1").await;
    // Another bot is another matter.
    Agent::start(&hive.of("BOT-003")).await;
    // The lock goes with the process, whatever its files say.
    first.kill9();
    assert!(hive.paths().bot_record(hive.bot()).exists());
    let second = Agent::start(&hive).await;
    assert_ne!(second.pid().to_string(), pid);
}

#[tokio::test]
async fn a_task_that_was_suspended_runs_again_and_completes() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    hive.drop_task("COUNT-1.md", "count");
    hive.until("it counts", || (hive.work_file("counted.txt").lines().count() > 3).then_some(())).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hold").await;
    chat.next_of("CHAT-1", "response_chunk").await;
    assert_eq!(agent.api().task("COUNT-1").await["status"], "suspended");
    agent.kill9();
    let second = Agent::start(&hive).await;
    second
        .until("the first life's processes are gone", async || agent.descendants().is_empty().then_some(()))
        .await;
    let response = hive.answer("COUNT-1").await;
    assert_eq!((response.header.status.as_str(), response.text), ("completed", counted()));
    assert_eq!(response.header.attempts, 2);
    assert_eq!(hive.answer("CHAT-1").await.header.error_code.as_deref(), Some("crashed"));
    assert_eq!(hive.work_file("ran.txt"), "COUNT-1\nCHAT-1\nCOUNT-1\n");
}

#[tokio::test]
async fn a_follower_reads_on_across_a_crash() {
    let hive = Hive::exec(LOGGED, "max_attempts = 20");
    let mut known = Followed::default();
    let mut ids: Vec<String> = Vec::new();
    for round in 0..3 {
        let mut agent = Agent::start(&hive).await;
        let mut follow = known.connect(&agent).await;
        for n in 0..4 {
            ids.push(format!("FOLLOW-{round}-{n}"));
            agent.api().submit(json!({"instruction": "quick", "id": ids.last()})).await;
        }
        let second = format!("FOLLOW-{round}-1");
        known.read_until(&mut follow, |known| known.status(&second) == "running").await;
        agent.kill9();
        known.read_to_end(&mut follow).await;
    }
    let agent = Agent::start(&hive).await;
    let mut follow = known.connect(&agent).await;
    known.read_until(&mut follow, |known| ids.iter().all(|id| known.status(id) == "completed")).await;
    known.agrees_with(&mut follow, &agent.api()).await;
    each_was_completed_once(&hive, &agent.api(), &ids).await;
}
