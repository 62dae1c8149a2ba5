//! Pausing and resuming, through either door (SPEC 5).

use std::fs;

use hive_tests::{Agent, Hive};
use serde_json::{Value, json};

use crate::scripts::{AGENT, counted};

#[tokio::test]
async fn a_pause_lets_the_current_turn_finish_and_then_nothing_starts() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    hive.drop_task("RUN-1.md", "hold");
    api.until_is("RUN-1", "running").await;
    hive.drop_task("WAIT-1.md", "words");
    api.until_is("WAIT-1", "queued").await;

    let status = api.post("pause", json!({"reason": "lunch"})).await.ok();
    assert_eq!((&status["paused"], &status["paused_by"]), (&json!(true), &json!(["user"])));
    assert_eq!((&status["state"], &status["pause_reason"]), (&json!("working"), &json!("lunch")));
    let file = fs::read_to_string(hive.control_file("PAUSE")).unwrap();
    assert!(file.contains("scope: all") && file.contains("reason: lunch"), "{file}");

    hive.touch("go");
    hive.answer("RUN-1").await;
    api.until_status("it is paused", |status| status["state"] == "paused").await;
    assert_eq!(api.task("WAIT-1").await["status"], "queued");

    let status = api.act("resume").await.ok();
    assert_eq!((&status["paused"], &status["paused_by"]), (&json!(false), &json!([])));
    assert!(!hive.control_file("PAUSE").exists());
    hive.answer("WAIT-1").await;
    let acts: Vec<Value> =
        api.entries("source=control").await.into_iter().map(|e| e["title"].clone()).collect();
    assert_eq!(acts, ["started", "paused", "resumed"]);
}

#[tokio::test]
async fn a_pause_file_is_as_good() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    hive.control("PAUSE", "scope: tasks\nreason: no tasks now\n");
    // A file that is written in two steps may be seen between them.
    let status = api.until_status("tasks are paused", |status| status["pause_scope"] == "tasks").await;
    assert_eq!((&status["paused"], &status["pause_reason"]), (&json!(true), &json!("no tasks now")));
    hive.control("PAUSE", "");
    api.until_status("all is paused", |status| status["pause_scope"] == "all").await;
    hive.drop_task("TASK-1.md", "words");
    api.until_is("TASK-1", "queued").await;
    hive.lift("PAUSE");
    hive.answer("TASK-1").await;
    assert_eq!(api.status().await["paused"], false);
}

#[tokio::test]
async fn chat_waits_out_a_pause_and_is_told() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    agent.api().act("pause").await.ok();
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    let accepted = chat.accepted("CHAT-1").await;
    assert_eq!((&accepted["state"], &accepted["reason"]), (&json!("queued"), &json!("paused")));
    agent.api().act("resume").await.ok();
    assert_eq!(chat.turn("CHAT-1").await.text(), "hello");
}

#[tokio::test]
async fn a_pause_of_tasks_lets_chat_go_on() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    api.post("pause", json!({"scope": "tasks"})).await.ok();
    hive.drop_task("TASK-1.md", "words");
    api.until_is("TASK-1", "queued").await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    assert_eq!(chat.accepted("CHAT-1").await["state"], "started");
    chat.turn("CHAT-1").await;
    api.act("resume").await.ok();
    hive.answer("TASK-1").await;
    assert_eq!(hive.work_file("ran.txt"), "CHAT-1\nTASK-1\n");
}

#[tokio::test]
async fn a_pause_now_suspends_a_task() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    hive.drop_task("COUNT-1.md", "count");
    hive.until("it counts", || (hive.work_file("counted.txt").lines().count() > 3).then_some(())).await;
    api.post("pause", json!({"now": true})).await.ok();
    let status = api.until_status("it is paused", |status| status["state"] == "paused").await;
    assert_eq!((&status["current"], &status["suspended"]["id"]), (&Value::Null, &json!("COUNT-1")));
    let stood = hive.work_file("counted.txt");
    assert!(stood.lines().count() < 60);
    api.act("resume").await.ok();
    let response = hive.answer("COUNT-1").await;
    assert_eq!((response.text, response.header.preemptions), (counted(), 0));
    assert_eq!(hive.work_file("ran.txt"), "COUNT-1\n");
}

#[tokio::test]
async fn a_pause_now_ends_a_chat_turn_incomplete() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hold").await;
    chat.next_of("CHAT-1", "response_chunk").await;
    agent.api().post("pause", json!({"now": true})).await.ok();
    let complete = chat.next_of("CHAT-1", "response_complete").await;
    assert_eq!((&complete["status"], &complete["error_code"]), (&json!("incomplete"), &json!("paused_now")));
    assert_eq!(hive.response("CHAT-1").unwrap().text, "begun\n");
    assert_eq!(agent.descendants(), []);
}

#[tokio::test]
async fn a_pause_outlives_a_restart() {
    let hive = Hive::echo(0, "");
    let mut agent = Agent::start(&hive).await;
    agent.api().post("pause", json!({"scope": "tasks", "reason": "later"})).await.ok();
    hive.drop_task("TASK-1.md", "words");
    agent.api().until_is("TASK-1", "queued").await;
    agent.terminate();
    agent.ended().await;
    hive.drop_task("TASK-2.md", "words");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    api.until_is("TASK-2", "queued").await;
    let status = api.status().await;
    assert_eq!((&status["paused"], &status["pause_scope"]), (&json!(true), &json!("tasks")));
    assert_eq!((&status["pause_reason"], &status["state"]), (&json!("later"), &json!("paused")));
    api.act("resume").await.ok();
    hive.answer("TASK-1").await;
    hive.answer("TASK-2").await;
}

#[tokio::test]
async fn a_paused_bot_can_be_stopped() {
    let hive = Hive::echo(0, "");
    hive.control("PAUSE", "");
    let mut agent = Agent::start(&hive).await;
    agent.terminate();
    assert!(agent.ended().await.status.success());
}
