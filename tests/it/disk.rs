//! A disk that takes nothing (SPEC 12): the bot says so, pauses by itself, keeps what it has, and goes on when there is
//! room. A bound on the size of files stands for a full disk.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use hive_shared::time::Stamp;
use hive_tests::{Agent, Hive, ctl};
use serde_json::{Value, json};

/// As `ulimit -f` does it, but with an error in place of the signal, as a full disk does it.
const NO_SIGNAL: &str = "trap '' XFSZ";

/// Says what it is told when `go` is there; writes to no file.
const SCRIPT: &str = r#"
i=$(cat)
case "$i" in *hold*) echo begun; until [ -e go ]; do sleep 0.02; done;; esac
printf 'said %s' "$i"
"#;

fn is_paused_by_disk(status: &Value) -> bool {
    status["paused_by"].as_array().is_some_and(|causes| causes.contains(&json!("disk")))
}

async fn with_a_run_that_ends_while_the_disk_is_full() -> (Hive, Agent) {
    let hive = Hive::exec(SCRIPT, "");
    let mut agent = Agent::spawn_after(NO_SIGNAL, &hive);
    agent.ready().await;
    let api = agent.api();
    api.submit(json!({"instruction": "hold", "id": "HOLD-1"})).await;
    api.until_task("HOLD-1", "has begun", |task| task["status"] == "running").await;
    agent.until("its process runs", async || (!agent.descendants().is_empty()).then_some(())).await;
    agent.bound_files(Some(0));
    hive.touch("go");
    let status = api.until_status("it is paused by the disk", is_paused_by_disk).await;
    assert_ne!(status["health"]["status"], "healthy", "{status}");
    (hive, agent)
}

#[tokio::test]
async fn a_full_disk_pauses_the_bot_and_room_lets_it_go_on() {
    let (hive, agent) = with_a_run_that_ends_while_the_disk_is_full().await;
    let api = agent.api();
    // What cannot be kept is not accepted.
    let refused = api.post("tasks", json!({"instruction": "more", "id": "MORE-1"})).await;
    assert_eq!((refused.status, refused.code()), (503, "unavailable"));
    assert!(hive.response("HOLD-1").is_none());
    hive.drop_task("NEXT-1.md", "next");

    agent.bound_files(None);
    assert_eq!(hive.answer("HOLD-1").await.text, "begun\nsaid hold");
    assert_eq!(api.until_ended("HOLD-1").await["status"], "completed");
    assert_eq!(hive.answer("NEXT-1").await.text, "said next");
    api.until_status("it is not paused any more", |status| status["paused"] == false).await;
    assert_eq!(api.task("MORE-1").await, Value::Null);
}

#[tokio::test]
async fn what_is_to_begin_while_the_disk_is_full_uses_no_time() {
    let hive = Hive::exec(SCRIPT, "");
    let mut agent = Agent::spawn_after(NO_SIGNAL, &hive);
    agent.ready().await;
    let api = agent.api();
    api.submit(json!({"instruction": "hold", "id": "HOLD-1"})).await;
    api.until_is("HOLD-1", "running").await;
    api.submit(json!({"instruction": "next", "id": "NEXT-1", "timeout_seconds": 3})).await;
    agent.bound_files(Some(0));
    hive.touch("go");
    api.until_status("it is paused by the disk", is_paused_by_disk).await;
    let full_since = Stamp::now();
    let is_over = async || (Stamp::now().since(full_since) > Duration::from_secs(4)).then_some(());
    api.until("its limit would be over", is_over).await;
    agent.bound_files(None);
    let ended = api.until_ended("NEXT-1").await;
    assert_eq!((&ended["status"], &ended["response"]), (&json!("completed"), &json!("said next")), "{ended}");
}

#[tokio::test]
async fn a_bot_whose_disk_is_full_can_be_stopped_and_the_next_life_has_all() {
    for way in ["SIGTERM", "the stop file", "a request"] {
        let (hive, mut agent) = with_a_run_that_ends_while_the_disk_is_full().await;
        match way {
            "SIGTERM" => agent.terminate(),
            "a request" => drop(agent.api().act("stop").await.ok()),
            _ => hive.control("STOP", ""),
        }
        let exit = agent.ended().await;
        assert!(exit.status.success(), "{way}: {exit:?}");
        if way == "the stop file" {
            hive.lift("STOP");
        }
        let agent = Agent::start(&hive).await;
        assert_eq!(agent.api().until_ended("HOLD-1").await["status"], "completed");
        assert_eq!(hive.answer("HOLD-1").await.text, "begun\nsaid hold");
    }
}

#[tokio::test]
async fn a_bot_whose_disk_is_full_can_be_killed_and_the_next_life_has_all() {
    let (hive, mut agent) = with_a_run_that_ends_while_the_disk_is_full().await;
    agent.kill9();
    let agent = Agent::start(&hive).await;
    assert_eq!(agent.api().until_ended("HOLD-1").await["status"], "completed");
    assert_eq!(hive.answer("HOLD-1").await.text, "begun\nsaid hold");
}

#[tokio::test]
async fn a_disk_that_is_full_at_the_start_is_told_by_the_status_and_room_lets_the_bot_begin() {
    let hive = Hive::exec(SCRIPT, "");
    let mut agent = Agent::start(&hive).await;
    agent.api().submit(json!({"instruction": "one", "id": "ONE-1"})).await;
    agent.api().until_ended("ONE-1").await;
    // Killed, it leaves a log that is longer than what there is room for.
    agent.kill9();
    hive.drop_task("NEXT-1.md", "next");
    let mut agent = Agent::spawn_after(&format!("{NO_SIGNAL}; ulimit -Sf 64"), &hive);
    agent.ready().await;
    let api = agent.api();
    let status = api.status().await;
    assert!(is_paused_by_disk(&status) && status["state"] == "paused", "{status}");
    assert_eq!(status["health"]["status"], "critical", "{status}");
    let refused = api.post("tasks", json!({"instruction": "more", "id": "MORE-1"})).await;
    assert_eq!((refused.status, refused.code()), (503, "unavailable"));
    let up = ctl(&hive, &["up", "BOT-002"]).await.expect(0);
    assert!(up.out.contains("the disk does not take"), "{up:?}");
    agent.bound_files(None);
    assert_eq!(hive.answer("NEXT-1").await.text, "said next");
    assert_eq!(api.until_ended("NEXT-1").await["response"], "said next");
    let status = api.status().await;
    assert_eq!((&status["paused"], &status["health"]["status"]), (&json!(false), &json!("healthy")));
    // Who gives up waiting for room stops it as ever.
    agent.kill9();
    let mut agent = Agent::spawn_after(&format!("{NO_SIGNAL}; ulimit -Sf 64"), &hive);
    agent.ready().await;
    agent.terminate();
    let exit = agent.ended().await;
    assert!(exit.status.success(), "{exit:?}");
    assert!(!hive.paths().bot_record(hive.bot()).exists());
}

/// Puts a file in the place of the directory of responses, as not even root can make a file in a file. Returns where: once
/// it is removed, the bot makes the directory anew.
fn take_no_responses(hive: &Hive) -> PathBuf {
    let responses = hive.paths().responses();
    fs::remove_dir(&responses).expect("it is empty");
    fs::write(&responses, "").expect("it can be written");
    responses
}

#[tokio::test]
async fn responses_that_cannot_be_written_pause_the_bot_until_they_can() {
    let hive = Hive::exec(SCRIPT, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    let responses = take_no_responses(&hive);
    api.submit(json!({"instruction": "one", "id": "ONE-1"})).await;
    api.submit(json!({"instruction": "two", "id": "TWO-1"})).await;
    api.until_status("it is paused by the disk", is_paused_by_disk).await;
    let paused = api.control("paused").await.expect("an entry that says so");
    assert!(paused["content"].as_str().unwrap().starts_with("disk: "), "{paused}");
    // It has ended, and nobody is told so, nor has to wait to be told nothing.
    assert_eq!(api.task("ONE-1").await["status"], "running");
    assert_eq!(api.get("responses/ONE-1").await.status, 404);
    let tasks = api.get("tasks?all=true").await.ok();
    let is_shown = |task: &Value| (task["task_id"].clone(), task["status"].clone());
    let shown: Vec<_> = tasks["tasks"].as_array().unwrap().iter().map(is_shown).collect();
    assert!(shown.contains(&(json!("ONE-1"), json!("running"))), "{shown:?}");
    let page = api.get("timeline?kind=task").await.ok();
    assert!(!page.to_string().contains("completed"), "{page}");
    let ended = ctl(&hive, &["wait", "ONE-1", "--timeout", "100ms"]).await.expect(5);
    assert!(ended.err.contains("running"), "{ended:?}");
    // It makes the directory anew.
    fs::remove_file(&responses).unwrap();
    for (id, text) in [("ONE-1", "said one"), ("TWO-1", "said two")] {
        assert_eq!(api.until_ended(id).await["response"], text);
        assert_eq!(hive.answer(id).await.text, text);
    }
    api.until_status("it is not paused any more", |status| status["paused"] == false).await;
}

#[tokio::test]
async fn a_task_that_never_started_is_done_again_before_its_file_is_archived() {
    let hive = Hive::exec(SCRIPT, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    // Nothing comes to rest meanwhile.
    let responses = take_no_responses(&hive);
    api.post("pause", json!({})).await.ok();
    api.submit(json!({"instruction": "one", "id": "ONE-1"})).await;
    api.delete("tasks/ONE-1").await.ok();
    assert!(hive.is_in_queue("ONE-1.md"));
    assert_eq!(api.post("tasks/ONE-1/retry", json!({})).await.ok()["task_id"], "ONE-1.r2");
    fs::remove_file(&responses).unwrap();
    api.act("resume").await.ok();
    assert_eq!(api.until_ended("ONE-1.r2").await["response"], "said one");
}
