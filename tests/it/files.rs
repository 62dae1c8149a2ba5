//! Task files: dropped, edited, moved, re-used (SPEC 2).

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use hive_tests::{Agent, Hive, ctl};
use serde_json::Value;

use crate::scripts::AGENT;

/// The warnings on a task, as one text.
fn warnings(task: &Value) -> String {
    task["warnings"].to_string()
}

#[tokio::test]
async fn a_dropped_file_runs_and_is_archived() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "# Say hello\n**Priority:** P1\n\nhello there\n");
    let response = hive.answer("TASK-1").await;
    assert!(response.header.success);
    assert!(response.text.contains("hello there"));
    hive.until("the file is in the archive", || hive.archived("TASK-1.md")).await;
    assert!(!hive.is_in_queue("TASK-1.md"));
    assert_eq!(agent.api().until_is("TASK-1", "completed").await["priority"], "P1");
}

#[tokio::test]
async fn a_copied_file_runs_too() {
    let hive = Hive::echo(0, "");
    let _agent = Agent::start(&hive).await;
    fs::write(hive.root().join("note.txt"), "as cp does it").unwrap();
    fs::copy(hive.root().join("note.txt"), hive.tasks().join("COPY-1.md")).unwrap();
    assert_eq!(hive.answer("COPY-1").await.text, "as cp does it");
}

#[tokio::test]
async fn priority_then_creation_then_name_is_the_order_of_what_is_found_at_start() {
    let hive = Hive::echo(0, "");
    let task = |name: &str, priority: &str, created: &str| {
        hive.drop_task(name, format!("# T\n**Priority:** {priority}\n**Created:** {created}\n\nwords\n"));
    };
    task("A-low.md", "P3", "2025-01-01T00:00:00Z");
    task("B-late.md", "P1", "2025-01-03T00:00:00Z");
    task("C-early.md", "P1", "2025-01-02T00:00:00Z");
    task("D-first.md", "P0", "2025-01-09T00:00:00Z");
    task("F-same.md", "P2", "2025-01-01T00:00:00Z");
    task("E-same.md", "P2", "2025-01-01T00:00:00Z");
    let _agent = Agent::start(&hive).await;
    let mut started = Vec::new();
    for id in ["A-low", "B-late", "C-early", "D-first", "E-same", "F-same"] {
        started.push((hive.answer(id).await.header.started_at.unwrap(), id));
    }
    started.sort_unstable();
    let order: Vec<_> = started.into_iter().map(|(_, id)| id).collect();
    assert_eq!(order, ["D-first", "C-early", "B-late", "E-same", "F-same", "A-low"]);
}

#[tokio::test]
async fn a_more_urgent_file_overtakes_those_that_wait() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    api.act("pause").await.ok();
    for (name, priority) in [("LOW-1.md", "P3"), ("MID-1.md", "P2"), ("TOP-1.md", "P0"), ("HIGH-1.md", "P1")]
    {
        hive.drop_task(name, format!("# T\n**Priority:** {priority}\n\nwords\n"));
    }
    let list = api
        .until("four wait", async || {
            let list = api.get("tasks").await.ok();
            (list["total"] == 4).then_some(list)
        })
        .await;
    let waiting: Vec<_> = list["tasks"].as_array().unwrap().iter().map(|task| &task["task_id"]).collect();
    assert_eq!(waiting, ["TOP-1", "HIGH-1", "MID-1", "LOW-1"]);
    let places: Vec<_> = list["tasks"].as_array().unwrap().iter().map(|task| &task["position"]).collect();
    assert_eq!(places, [1, 2, 3, 4]);
    api.act("resume").await.ok();
    let mut started = Vec::new();
    for id in ["LOW-1", "MID-1", "TOP-1", "HIGH-1"] {
        started.push((hive.answer(id).await.header.started_at.unwrap(), id));
    }
    started.sort_unstable();
    assert_eq!(started.iter().map(|(_, id)| *id).collect::<Vec<_>>(), ["TOP-1", "HIGH-1", "MID-1", "LOW-1"]);
}

#[tokio::test]
async fn a_half_written_file_is_not_taken_before_it_is_closed() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let mut file = File::create(hive.tasks().join("HALF-1.md")).unwrap();
    file.write_all(b"the first half, ").unwrap();
    file.sync_all().unwrap();
    hive.drop_task("OTHER-1.md", "of no matter");
    hive.answer("OTHER-1").await;
    assert_eq!(agent.api().task("HALF-1").await, Value::Null);
    file.write_all(b"and the second").unwrap();
    drop(file);
    assert_eq!(hive.answer("HALF-1").await.text, "the first half, and the second");
}

#[tokio::test]
async fn a_waiting_file_that_is_being_rewritten_at_its_turn_runs_when_it_is_whole() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    hive.drop_task("FIRST-1.md", "hold\n");
    hive.until("it runs", || Some(hive.work_file("ran.txt")).filter(|ran| !ran.is_empty())).await;
    for name in ["HALF-1", "EMPTY-1"] {
        hive.drop_task(&format!("{name}.md"), "before");
        api.until_is(name, "queued").await;
    }
    let [mut half, mut empty] =
        ["HALF-1.md", "EMPTY-1.md"].map(|name| File::create(hive.tasks().join(name)).unwrap());
    half.write_all(b"deploy it; but ").unwrap();
    hive.touch("go");
    hive.answer("FIRST-1").await;
    // Whose turn comes after theirs.
    hive.drop_task("OTHER-1.md", "other");
    hive.answer("OTHER-1").await;
    assert_eq!(hive.work_file("ran.txt"), "FIRST-1\nOTHER-1\n");
    half.write_all(b"only tomorrow").unwrap();
    empty.write_all(b"at last").unwrap();
    drop((half, empty));
    assert_eq!(hive.answer("HALF-1").await.text, "you said: deploy it; but only tomorrow");
    assert_eq!(hive.answer("EMPTY-1").await.text, "you said: at last");
    for (name, text) in [("HALF-1.md", "deploy it; but only tomorrow"), ("EMPTY-1.md", "at last")] {
        assert_eq!(hive.until("it is archived", || hive.archived(name)).await, text);
    }
}

/// Opens a task file, writes more to its end, and closes it, as `>>` does it in a shell.
fn append(hive: &Hive, name: &str, text: &str) {
    let mut file =
        File::options().create(true).append(true).open(hive.tasks().join(name)).expect("it can be opened");
    file.write_all(text.as_bytes()).expect("it can be written");
}

#[tokio::test]
async fn a_waiting_file_that_grows_by_appends_is_one_task_and_runs_with_all_of_them() {
    let hive = Hive::echo(0, "");
    hive.control("PAUSE", "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    append(&hive, "GROWS-1.md", "one ");
    // Each close is the end of a file as far as anybody can tell.
    api.until_is("GROWS-1", "queued").await;
    for text in ["two ", "three ", "four"] {
        append(&hive, "GROWS-1.md", text);
    }
    hive.drop_task("LATER-1.md", "later");
    api.until_is("LATER-1", "queued").await;
    hive.lift("PAUSE");
    assert_eq!(hive.answer("GROWS-1").await.text, "one two three four");
    assert_eq!(hive.answer("LATER-1").await.text, "later");
    assert_eq!(hive.names_in(&hive.paths().responses()), ["GROWS-1-response.md", "LATER-1-response.md"]);
    let archived = hive.until("it is archived", || hive.archived("GROWS-1.md")).await;
    assert_eq!(archived, "one two three four");
}

#[tokio::test]
async fn an_idle_bot_starts_at_the_first_close_and_what_is_appended_then_is_archived_with_a_warning() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    append(&hive, "GROWS-1.md", "hold\n");
    hive.until("it runs", || Some(hive.work_file("ran.txt")).filter(|ran| !ran.is_empty())).await;
    append(&hive, "GROWS-1.md", "and this\n");
    append(&hive, "GROWS-1.md", "and that\n");
    agent.api().until_task("GROWS-1", "has a warning", |task| warnings(task).contains("changed")).await;
    hive.touch("go");
    assert_eq!(hive.answer("GROWS-1").await.header.status.as_str(), "completed");
    let archived = hive.until("it is archived", || hive.archived("GROWS-1.md")).await;
    assert_eq!(archived, "hold\nand this\nand that\n");
    hive.drop_task("NEXT-1.md", "next");
    hive.answer("NEXT-1").await;
    assert_eq!(hive.work_file("ran.txt"), "GROWS-1\nNEXT-1\n", "it is no second task");
}

#[tokio::test]
async fn an_empty_file_is_rejected_after_two_seconds() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let begun = Instant::now();
    File::create(hive.tasks().join("EMPTY-1.md")).unwrap();
    hive.until("the empty file is rejected", || hive.rejection("EMPTY-1.md")).await;
    assert!(begun.elapsed() >= Duration::from_secs(2), "after {:?}", begun.elapsed());
    let entry =
        agent.api().until("it is on the timeline", async || agent.api().control("rejected").await).await;
    assert!(entry["content"].as_str().unwrap().contains("EMPTY-1.md"), "{entry}");
}

#[tokio::test]
async fn what_is_no_task_is_rejected_with_its_reason() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    let cases: [(&str, Vec<u8>); 5] = [
        ("LATIN-1.md", b"caf\xe9".to_vec()),
        ("LARGE-1.md", vec![b'x'; (1 << 20) + 1]),
        ("YAML-1.md", b"---\ntitle: [unclosed\n---\nbody\n".to_vec()),
        ("JSON-1.md", b"{\"command\": \"half".to_vec()),
        ("\u{2026}.md", b"an id that cannot be mended".to_vec()),
    ];
    for (name, content) in &cases {
        hive.drop_task(name, content);
    }
    for (name, content) in &cases {
        let reason = hive.until(&format!("{name} is rejected"), || hive.rejection(name)).await;
        assert!(!reason.trim().is_empty(), "{name}");
        assert_eq!(&fs::read(hive.paths().rejected(hive.bot()).join(name)).unwrap(), content, "{name}");
        assert!(!hive.is_in_queue(name));
        api.until(&format!("{name} is on the timeline"), async || {
            let entries = api.entries("source=control").await;
            entries
                .into_iter()
                .find(|e| e["title"] == "rejected" && e["content"].as_str().unwrap().contains(name))
        })
        .await;
    }
    assert!(hive.names_in(&hive.paths().responses()).is_empty());
    hive.drop_task("GOOD-1.md", "the queue goes on");
    hive.answer("GOOD-1").await;
}

#[tokio::test]
async fn a_waiting_file_that_is_edited_is_read_again() {
    let hive = Hive::echo(0, "");
    hive.control("PAUSE", "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    hive.drop_task("EDIT-1.md", "# T\n**Priority:** P3\n\nbefore\n");
    api.until_is("EDIT-1", "queued").await;
    fs::write(hive.tasks().join("EDIT-1.md"), "# T\n**Priority:** P0\n\nafter\n").unwrap();
    api.until_task("EDIT-1", "has its new priority", |task| task["priority"] == "P0").await;
    hive.lift("PAUSE");
    let response = hive.answer("EDIT-1").await;
    assert!(response.text.contains("after") && !response.text.contains("before"), "{}", response.text);
    assert_eq!(hive.names_in(&hive.paths().responses()), ["EDIT-1-response.md"]);
}

#[tokio::test]
async fn a_waiting_file_that_becomes_no_task_ends_and_is_rejected() {
    let hive = Hive::echo(0, "");
    hive.control("PAUSE", "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("SPOILT-1.md", "good");
    agent.api().until_is("SPOILT-1", "queued").await;
    fs::write(hive.tasks().join("SPOILT-1.md"), b"\xff\xfe").unwrap();
    hive.until("it is rejected", || hive.rejection("SPOILT-1.md")).await;
    let task = agent.api().until_ended("SPOILT-1").await;
    assert_eq!(
        (task["status"].as_str(), task["error_code"].as_str()),
        (Some("cancelled"), Some("file_rejected"))
    );
}

#[tokio::test]
async fn a_waiting_file_that_is_taken_away_is_cancelled_after_two_seconds() {
    let hive = Hive::echo(0, "");
    hive.control("PAUSE", "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("AWAY-1.md", "never to run");
    agent.api().until_is("AWAY-1", "queued").await;
    let begun = Instant::now();
    fs::rename(hive.tasks().join("AWAY-1.md"), hive.root().join("AWAY-1.md")).unwrap();
    let response = hive.answer("AWAY-1").await;
    assert!(begun.elapsed() >= Duration::from_secs(2), "after {:?}", begun.elapsed());
    assert_eq!(response.header.status.as_str(), "cancelled");
    assert_eq!(response.header.error_code.as_deref(), Some("file_removed"));
}

#[tokio::test]
async fn a_waiting_file_that_comes_back_in_time_is_the_same_task() {
    let hive = Hive::echo(0, "");
    hive.control("PAUSE", "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("BACK-1.md", "still to run");
    agent.api().until_is("BACK-1", "queued").await;
    fs::rename(hive.tasks().join("BACK-1.md"), hive.root().join("BACK-1.md")).unwrap();
    // The daemon has seen it gone when it has seen what came later.
    hive.drop_task("LATER-1.md", "later");
    agent.api().until_is("LATER-1", "queued").await;
    fs::rename(hive.root().join("BACK-1.md"), hive.tasks().join("BACK-1.md")).unwrap();
    hive.drop_task("LATER-2.md", "later");
    agent.api().until_is("LATER-2", "queued").await;
    hive.lift("PAUSE");
    assert_eq!(hive.answer("BACK-1").await.text, "still to run");
    hive.answer("LATER-2").await;
    assert_eq!(hive.names_in(&hive.paths().responses()).len(), 3);
}

#[tokio::test]
async fn a_waiting_file_that_is_renamed_is_the_same_task() {
    let hive = Hive::echo(0, "");
    hive.control("PAUSE", "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    hive.drop_task("OLD-1.md", "the one task");
    api.until_is("OLD-1", "queued").await;
    fs::rename(hive.tasks().join("OLD-1.md"), hive.tasks().join("NEW-1.md")).unwrap();
    api.until_task("OLD-1", "has its new file", |task| task["file"] == "NEW-1.md").await;
    hive.lift("PAUSE");
    assert_eq!(hive.answer("OLD-1").await.text, "the one task");
    hive.until("it is archived under its new name", || hive.archived("NEW-1.md")).await;
    assert_eq!(hive.names_in(&hive.paths().responses()), ["OLD-1-response.md"]);
    assert_eq!(api.get("tasks?all=true").await.ok()["total"], 1);
}

#[tokio::test]
async fn a_new_file_with_the_inode_of_one_that_was_removed_is_a_task_of_its_own() {
    let hive = Hive::echo(0, "");
    hive.control("PAUSE", "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("GONE-1.md", "the old task");
    agent.api().until_is("GONE-1", "queued").await;
    let old = hive.tasks().join("GONE-1.md");
    let inode = fs::metadata(&old).unwrap().ino();
    fs::remove_file(old).unwrap();
    // File systems give a free inode to the next file, or to one soon after.
    let aside = |n: u32| hive.root().join(format!("aside-{n}"));
    let has_it = |n: &u32| {
        fs::write(aside(*n), "the new task").unwrap();
        fs::metadata(aside(*n)).unwrap().ino() == inode
    };
    let new = (0..64).find(has_it).unwrap_or(63);
    fs::rename(aside(new), hive.tasks().join("NEW-1.md")).unwrap();
    agent.api().until_is("NEW-1", "queued").await;
    hive.lift("PAUSE");
    assert_eq!(hive.answer("NEW-1").await.text, "the new task");
    assert_eq!(hive.answer("GONE-1").await.header.error_code.as_deref(), Some("file_removed"));
}

#[tokio::test]
async fn a_running_tasks_file_that_is_edited_is_archived_as_it_is_then() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    hive.drop_task("TICK-1.md", "# hold\n\n- [ ] one\n");
    hive.until("it runs", || Some(hive.work_file("ran.txt")).filter(|ran| !ran.is_empty())).await;
    fs::write(hive.tasks().join("TICK-1.md"), "# hold\n\n- [x] one\n").unwrap();
    api.until_task("TICK-1", "has a warning", |task| warnings(task).contains("changed")).await;
    hive.touch("go");
    assert_eq!(hive.answer("TICK-1").await.header.status.as_str(), "completed");
    let archived = hive.until("it is archived", || hive.archived("TICK-1.md")).await;
    assert!(archived.contains("[x]"));
    hive.drop_task("NEXT-1.md", "next");
    hive.answer("NEXT-1").await;
    assert_eq!(hive.work_file("ran.txt"), "TICK-1\nNEXT-1\n");
}

#[tokio::test]
async fn a_running_tasks_file_that_is_replaced_is_never_a_second_task() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("SWAP-1.md", "hold\n");
    hive.until("it runs", || Some(hive.work_file("ran.txt")).filter(|ran| !ran.is_empty())).await;
    // As editors save: a new file under the old name.
    hive.drop_task("SWAP-1.md", "hold on\n");
    agent.api().until_task("SWAP-1", "has a warning", |task| warnings(task).contains("changed")).await;
    hive.touch("go");
    hive.answer("SWAP-1").await;
    let archived = hive.until("it is archived", || hive.archived("SWAP-1.md")).await;
    assert_eq!(archived, "hold on\n");
    hive.drop_task("NEXT-1.md", "next");
    hive.answer("NEXT-1").await;
    assert_eq!(hive.work_file("ran.txt"), "SWAP-1\nNEXT-1\n");
}

#[tokio::test]
async fn a_file_put_under_the_name_of_one_that_has_ended_is_a_task_of_its_own() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    // Not even root can move a file into a file.
    let archive = hive.paths().archive(hive.bot());
    fs::remove_dir(&archive).unwrap();
    fs::write(&archive, "").unwrap();
    hive.drop_task("AGAIN-1.md", "one");
    assert_eq!(hive.answer("AGAIN-1").await.text, "one");
    // In answer to the response, before the file of the first is out of the way.
    hive.drop_task("AGAIN-1.md", "another");
    agent.api().until_is("AGAIN-1.r2", "queued").await;
    fs::remove_file(&archive).unwrap();
    assert_eq!(hive.answer("AGAIN-1.r2").await.text, "another");
    assert_eq!(hive.until("it is archived", || hive.archived("AGAIN-1.md")).await, "another");
    assert_eq!(hive.names_in(&archive), ["AGAIN-1.md"]);
}

#[tokio::test]
async fn a_running_tasks_file_that_is_moved_away_does_not_end_it() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("GONE-1.md", "hold\n");
    hive.until("it runs", || Some(hive.work_file("ran.txt")).filter(|ran| !ran.is_empty())).await;
    fs::rename(hive.tasks().join("GONE-1.md"), hive.root().join("elsewhere.md")).unwrap();
    agent.api().until_task("GONE-1", "has a warning", |task| warnings(task).contains("moved away")).await;
    hive.touch("go");
    let response = hive.answer("GONE-1").await;
    assert_eq!((response.header.status.as_str(), response.text.as_str()), ("completed", "begun\ndone\n"));
}

#[tokio::test]
async fn a_running_tasks_file_that_is_renamed_in_place_is_archived_and_no_second_task() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("NAME-1.md", "hold\n");
    hive.until("it runs", || Some(hive.work_file("ran.txt")).filter(|ran| !ran.is_empty())).await;
    fs::rename(hive.tasks().join("NAME-1.md"), hive.tasks().join("NAME-2.md")).unwrap();
    agent.api().until_task("NAME-1", "has a warning", |task| task["warnings"] != Value::Array(vec![])).await;
    hive.touch("go");
    hive.answer("NAME-1").await;
    hive.until("it is archived", || hive.archived("NAME-2.md")).await;
    hive.drop_task("NEXT-1.md", "next");
    hive.answer("NEXT-1").await;
    assert_eq!(hive.work_file("ran.txt"), "NAME-1\nNEXT-1\n");
}

#[tokio::test]
async fn a_file_that_its_agent_moves_or_edits_at_the_last_moment_is_no_second_task() {
    let script = r#"echo "$HIVE_TASK_ID" >> ran.txt
cd .deia/hive/tasks/BOT-002
case "$HIVE_TASK_ID" in
  MOVE-*) mv "$HIVE_TASK_ID.md" "done-$HIVE_TASK_ID.md" ;;
  EDIT-*) sed -i 's/do/done/' "$HIVE_TASK_ID.md" ;;
esac"#;
    let hive = Hive::exec(script, "");
    let agent = Agent::start(&hive).await;
    let ids: Vec<String> = (0..10).flat_map(|n| [format!("MOVE-{n}"), format!("EDIT-{n}")]).collect();
    for id in &ids {
        hive.drop_task(&format!("{id}.md"), "do it");
    }
    for id in &ids {
        hive.answer(id).await;
        let name = if id.starts_with("MOVE") { format!("done-{id}.md") } else { format!("{id}.md") };
        hive.until("it is archived as its agent left it", || hive.archived(&name)).await;
    }
    hive.drop_task("NEXT-1.md", "next");
    hive.answer("NEXT-1").await;
    let mut ran: Vec<String> = hive.work_file("ran.txt").lines().map(str::to_owned).collect();
    ran.sort_unstable();
    let mut expected: Vec<String> = ids.into_iter().chain(["NEXT-1".to_owned()]).collect();
    expected.sort_unstable();
    assert_eq!(ran, expected);
    assert_eq!(agent.api().entries("kind=task").await.len(), 21);
}

#[tokio::test]
async fn the_longest_names_and_pipes_stop_nobody() {
    let hive = Hive::echo(0, "");
    nix::unistd::mkfifo(&hive.control_file("PAUSE"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let agent = Agent::start(&hive).await;
    agent.api().until_status("a pipe pauses like any file", |status| status["paused"] == true).await;
    fs::remove_file(hive.control_file("PAUSE")).unwrap();
    let name = format!("{}.md", "a".repeat(252));
    for _ in 0..2 {
        fs::write(hive.root().join("draft"), "a long name").unwrap();
        fs::rename(hive.root().join("draft"), hive.tasks().join(&name)).unwrap();
        hive.until("it is taken", || Some(()).filter(|()| !hive.tasks().join(&name).exists())).await;
    }
    hive.drop_task("NEXT-1.md", "next");
    hive.answer("NEXT-1").await;
}

#[tokio::test]
async fn a_waiting_file_that_is_touched_keeps_the_priority_that_it_was_given() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    api.post("pause", serde_json::json!({})).await.ok();
    hive.drop_task("FIRST-1.md", "one");
    hive.drop_task("SECOND-1.md", "two");
    api.until_is("SECOND-1", "queued").await;
    api.post("tasks/SECOND-1/priority", serde_json::json!({"priority": "P0"})).await.ok();
    hive.drop_task("SECOND-1.md", "two");
    hive.drop_task("THIRD-1.md", "three");
    api.until_is("THIRD-1", "queued").await;
    assert_eq!(api.task("SECOND-1").await["priority"], "P0");
}

#[tokio::test]
async fn dot_files_and_directories_are_not_looked_at_and_links_are_left_with_one_warning() {
    let hive = Hive::echo(0, "");
    fs::write(hive.root().join("secret.txt"), "not to be read").unwrap();
    std::os::unix::fs::symlink(hive.root().join("secret.txt"), hive.tasks().join("LINK-1.md")).unwrap();
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    fs::create_dir(hive.tasks().join("DIR-1.md")).unwrap();
    hive.drop_task(".DOT-1.md", "hidden");
    hive.drop_task("notes.txt", "no task by its name");
    for id in ["GOOD-1", "GOOD-2"] {
        hive.drop_task(&format!("{id}.md"), "seen after the others");
        hive.answer(id).await;
    }
    let ignored: Vec<_> =
        api.entries("source=control").await.into_iter().filter(|e| e["title"] == "ignored").collect();
    assert_eq!(ignored.len(), 1, "{ignored:#?}");
    assert!(ignored[0]["content"].as_str().unwrap().contains("LINK-1.md"));
    for name in ["LINK-1.md", "DIR-1.md", ".DOT-1.md", "notes.txt"] {
        assert!(hive.tasks().join(name).symlink_metadata().is_ok(), "{name} is gone");
    }
    assert_eq!(hive.names_in(&hive.paths().responses()), ["GOOD-1-response.md", "GOOD-2-response.md"]);
    assert!(hive.names_in(&hive.paths().rejected(hive.bot())).is_empty());
}

#[tokio::test]
async fn a_second_file_of_an_id_is_a_task_of_its_own_and_the_archive_keeps_both() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("SAME-1.md", "the first");
    assert_eq!(hive.answer("SAME-1").await.text, "the first");
    hive.until("it is archived", || hive.archived("SAME-1.md")).await;
    hive.drop_task("SAME-1.md", "the second");
    assert_eq!(hive.answer("SAME-1.r2").await.text, "the second");
    hive.until("it is archived too", || (!hive.is_in_queue("SAME-1.md")).then_some(())).await;
    assert_eq!(hive.answer("SAME-1").await.text, "the first");
    assert_eq!(hive.archived("SAME-1.md").as_deref(), Some("the first"));
    let names: Vec<_> = hive.names_in(&hive.paths().archive(hive.bot()));
    let contents: Vec<_> = names.iter().filter_map(|name| hive.archived(name)).collect();
    assert_eq!(contents.len(), 2, "{names:?}");
    assert!(contents.contains(&"the second".to_owned()), "{names:?}");
    let task = agent.api().task("SAME-1.r2").await;
    assert!(warnings(&task).contains("SAME-1"), "{task}");
}

#[tokio::test]
async fn the_archive_never_overwrites_what_others_put_there() {
    let hive = Hive::echo(0, "");
    let precious = hive.paths().archive(hive.bot()).join("KEEP-1.md");
    fs::write(&precious, "precious").unwrap();
    let _agent = Agent::start(&hive).await;
    hive.drop_task("KEEP-1.md", "new");
    hive.answer("KEEP-1").await;
    hive.until("it is archived", || (!hive.is_in_queue("KEEP-1.md")).then_some(())).await;
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
}

#[tokio::test]
async fn a_task_directory_that_goes_and_comes_back_is_read_again() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let aside = hive.root().join("aside");
    fs::rename(hive.tasks(), &aside).unwrap();
    agent.api().until("the loss is told", async || agent.api().control("directory lost").await).await;
    let health = agent.api().status().await["health"].clone();
    let reason = health["reasons"][0].as_str().unwrap_or_default();
    assert!(health["status"] == "critical" && reason.contains("the task directory is gone"), "{health}");
    let doctor = ctl(&hive, &["doctor", "BOT-002"]).await.expect(1);
    assert!(doctor.out.contains("tasks/BOT-002 is gone"), "{doctor:?}");
    fs::rename(&aside, hive.tasks()).unwrap();
    hive.drop_task("AFTER-1.md", "after");
    assert_eq!(hive.answer("AFTER-1").await.text, "after");
    assert_eq!(agent.api().status().await["health"]["status"], "healthy");
}

#[tokio::test]
async fn a_hive_that_is_moved_away_is_not_made_anew_and_goes_on_when_it_is_back() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    hive.drop_task("FIRST-1.md", "hold\n");
    hive.until("it runs", || Some(hive.work_file("ran.txt")).filter(|ran| !ran.is_empty())).await;
    hive.drop_task("SECOND-1.md", "second");
    api.until_is("SECOND-1", "queued").await;
    let (mark, aside) = (hive.root().join(".deia"), hive.root().join("aside"));
    fs::rename(&mark, &aside).unwrap();
    hive.touch("go");
    api.until_status("it says so", |status| {
        status["paused_by"].to_string().contains("disk") && status["health"]["status"] == "critical"
    })
    .await;
    assert!(!mark.exists());
    fs::rename(&aside, &mark).unwrap();
    assert_eq!(hive.answer("FIRST-1").await.text, "begun\ndone\n");
    assert_eq!(hive.answer("SECOND-1").await.text, "you said: second");
    assert_eq!(hive.work_file("ran.txt"), "FIRST-1\nSECOND-1\n");
}
