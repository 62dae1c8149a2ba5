//! How the bot stops, and what it leaves to its next life (SPEC 5).

use std::time::{Duration, Instant};

use hive_tests::{Agent, Hive};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::scripts::{AGENT, one_holds_and_one_waits};

/// Says that it began, and ends for nobody: neither does its helper in a session of its own. `ran.txt` has each run.
/// All else but `stay` is said back.
const STUBBORN: &str = r#"
i=$(cat)
echo "$HIVE_TASK_ID" >> ran.txt
case "$i" in
*stay*)
    [ -e go ] && { echo released; exit; }
    trap '' TERM INT HUP
    setsid sh -c 'trap "" TERM INT HUP; touch helper-$HIVE_TASK_ID; while :; do sleep 0.05; done' &
    echo begun
    until [ -e go ]; do sleep 0.05; done;;
*) printf 'you said: %s' "$i";;
esac
"#;

/// The ways to stop a bot.
#[derive(Debug, Clone, Copy)]
enum Way {
    Terminate,
    Interrupt,
    Http,
    File,
}

/// Stops a bot in the middle of a task that will not end, and starts it again.
async fn stops_by(way: Way) {
    let hive = Hive::exec(STUBBORN, "");
    let mut agent = Agent::start(&hive).await;
    hive.drop_task("STAY-1.md", "stay");
    hive.until("all of it runs", || hive.root().join("helper-STAY-1").exists().then_some(())).await;
    hive.drop_task("WAIT-1.md", "words");
    agent.api().until_is("WAIT-1", "queued").await;
    let left = agent.descendants();
    assert!(left.len() >= 2, "{left:?}");
    let begun = Instant::now();
    match way {
        Way::Terminate => agent.terminate(),
        Way::Interrupt => agent.signal(Signal::SIGINT),
        Way::Http => {
            let status = agent.api().act("stop").await.ok();
            assert_eq!(status["state"], "stopping", "{status}");
        }
        Way::File => hive.control("STOP", ""),
    }
    let exit = agent.ended().await;
    assert_eq!(exit.status.code(), Some(0), "{way:?}: {}", exit.stderr);
    assert!(begun.elapsed() < Duration::from_secs(5), "{way:?} took {:?}", begun.elapsed());
    assert_eq!(agent.processes(), [], "{way:?}");
    assert!(left.iter().all(hive_tests::Process::is_gone));
    assert!(!hive.paths().bot_record(hive.bot()).exists());
    assert_eq!(hive.names_in(&hive.tasks()), ["STAY-1.md", "WAIT-1.md", "archive", "rejected"]);
    assert_eq!(hive.names_in(&hive.paths().responses()), [""; 0]);

    if let Way::File = way {
        hive.lift("STOP");
    }
    hive.touch("go");
    let agent = Agent::start(&hive).await;
    let response = hive.answer("STAY-1").await;
    assert_eq!((response.header.status.as_str(), response.text.as_str()), ("completed", "released\n"));
    assert_eq!(response.header.attempts, 1, "a stop is no attempt");
    assert_eq!(hive.answer("WAIT-1").await.header.attempts, 1);
    assert_eq!(hive.work_file("ran.txt"), "STAY-1\nSTAY-1\nWAIT-1\n");
    let acts = agent.api().entries("source=control").await;
    let acts: Vec<_> = acts.iter().map(|entry| entry["title"].as_str().expect("text")).collect();
    assert_eq!(acts, ["started", "stopped", "started"]);
}

#[tokio::test]
async fn sigterm_stops_it_and_the_running_task_is_queued_again() {
    stops_by(Way::Terminate).await;
}

#[tokio::test]
async fn sigint_stops_it() {
    stops_by(Way::Interrupt).await;
}

#[tokio::test]
async fn a_request_stops_it() {
    stops_by(Way::Http).await;
}

#[tokio::test]
async fn the_stop_file_stops_it() {
    stops_by(Way::File).await;
}

#[tokio::test]
async fn the_stop_file_keeps_a_bot_from_starting_and_it_says_so() {
    let hive = Hive::echo(0, "");
    hive.control("STOP", "");
    hive.drop_task("TASK-1.md", "words");
    let exit = Agent::run(&hive, &[]).await;
    assert_eq!(exit.status.code(), Some(0));
    assert!(exit.stderr.contains("BOT-002-STOP"), "{}", exit.stderr);
    assert!(!hive.paths().bot_record(hive.bot()).exists());
    assert!(hive.control_file("STOP").exists() && hive.is_in_queue("TASK-1.md"));
    // Another bot's file is none of ours.
    Agent::start(&hive.of("BOT-003")).await;
    hive.lift("STOP");
    let _agent = Agent::start(&hive).await;
    hive.answer("TASK-1").await;
}

#[tokio::test]
async fn a_suspended_task_and_the_chat_turn_are_stopped_as_each_deserves() {
    let hive = Hive::exec(STUBBORN, "");
    let mut agent = Agent::start(&hive).await;
    hive.drop_task("STAY-1.md", "stay");
    hive.until("the task runs", || hive.root().join("helper-STAY-1").exists().then_some(())).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "stay").await;
    chat.next_of("CHAT-1", "response_chunk").await;
    hive.until("the turn runs", || hive.root().join("helper-CHAT-1").exists().then_some(())).await;
    assert_eq!(agent.api().task("STAY-1").await["status"], "suspended");
    let left = agent.descendants();
    let begun = Instant::now();
    agent.terminate();
    // Its client is told, before the socket closes.
    let complete = chat.next_of("CHAT-1", "response_complete").await;
    assert_eq!((&complete["status"], &complete["error_code"]), (&json!("incomplete"), &json!("stopped")));
    assert_eq!(agent.ended().await.status.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    assert_eq!(agent.processes(), []);
    assert!(left.iter().all(hive_tests::Process::is_gone));
    let response = hive.response("CHAT-1").expect("it was complete");
    assert_eq!((response.header.status.as_str(), response.text.as_str()), ("incomplete", "begun\n"));

    hive.touch("go");
    let agent = Agent::start(&hive).await;
    let task = hive.answer("STAY-1").await;
    assert_eq!((task.header.status.as_str(), task.text.as_str()), ("completed", "released\n"));
    assert_eq!(task.header.attempts, 1);
    assert_eq!(hive.work_file("ran.txt"), "STAY-1\nCHAT-1\nSTAY-1\n");
    let mut chat = agent.chat().await;
    chat.send(json!({"type": "attach", "id": "CHAT-1"})).await;
    assert_eq!(chat.turn("CHAT-1").await.complete()["error_code"], "stopped");
}

#[tokio::test]
async fn a_prompt_that_waits_at_a_stop_runs_in_the_next_life_if_its_client_is_back() {
    let hive = Hive::exec(AGENT, "disconnect_grace = 10");
    let mut agent = Agent::start(&hive).await;
    let _chat = one_holds_and_one_waits(&agent).await;
    agent.terminate();
    assert_eq!(agent.ended().await.status.code(), Some(0));
    assert!(hive.response("CHAT-2").is_none());
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.send(json!({"type": "attach", "id": "CHAT-2"})).await;
    assert_eq!(chat.turn("CHAT-2").await.text(), "you said: hello");
}

#[tokio::test]
async fn a_drain_lets_the_current_turn_finish_and_nothing_more_start() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    let api = agent.api();
    hive.drop_task("HOLD-1.md", "hold");
    api.until_is("HOLD-1", "running").await;
    hive.drop_task("WAIT-1.md", "words");
    api.until_is("WAIT-1", "queued").await;
    let status = api.post("stop", json!({"drain": true})).await.ok();
    assert_eq!((&status["state"], &status["current"]["id"]), (&json!("stopping"), &json!("HOLD-1")));
    assert_eq!(api.task("HOLD-1").await["status"], "running");
    hive.touch("go");
    assert_eq!(agent.ended().await.status.code(), Some(0));
    let response = hive.response("HOLD-1").expect("it could finish");
    assert_eq!((response.header.status.as_str(), response.text.as_str()), ("completed", "begun\ndone\n"));
    assert!(hive.archived("HOLD-1.md").is_some());
    assert_eq!(hive.work_file("ran.txt"), "HOLD-1\n");
    assert!(hive.is_in_queue("WAIT-1.md") && hive.response("WAIT-1").is_none());
    assert!(!hive.paths().bot_record(hive.bot()).exists());
    let _agent = Agent::start(&hive).await;
    hive.answer("WAIT-1").await;
    assert_eq!(hive.work_file("ran.txt"), "HOLD-1\nWAIT-1\n");
}

#[tokio::test]
async fn a_drain_takes_no_more_work_and_can_be_hurried() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    let api = agent.api();
    hive.drop_task("HOLD-1.md", "hold");
    api.until_is("HOLD-1", "running").await;
    let mut chat = agent.chat().await;
    api.post("stop", json!({"drain": true})).await.ok();
    chat.prompt("CHAT-1", "hello").await;
    let refused = chat.next_that(|frame| frame["id"] == "CHAT-1").await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("stopping")), "{refused}");
    agent.terminate();
    assert_eq!(agent.ended().await.status.code(), Some(0));
    assert!(hive.is_in_queue("HOLD-1.md") && hive.response("HOLD-1").is_none());
    assert_eq!(agent.processes(), []);
}

#[tokio::test]
async fn a_stop_under_load_leaves_nothing_half_done() {
    let hive = Hive::echo(1, "");
    for n in 0..200 {
        hive.drop_task(&format!("LOAD-{n}.md"), "some words to say");
    }
    let mut lives = 0;
    let archive = hive.paths().archive(hive.bot());
    let done = || hive.names_in(&archive).len();
    while !archive.exists() || done() < 200 {
        let mut agent = Agent::start(&hive).await;
        lives += 1;
        let before = done();
        hive.until("some are done", || (done() >= (before + 40).min(200)).then_some(())).await;
        agent.terminate();
        let exit = agent.ended().await;
        assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
        // What has ended has its response and is archived; what has not is in the queue.
        let waiting = hive.names_in(&hive.tasks()).len() - 2;
        let responses = hive.names_in(&hive.paths().responses()).len();
        assert_eq!((done(), done() + waiting), (responses, 200));
    }
    assert!(lives > 2, "{lives}");
    for n in 0..200 {
        let response = hive.response(&format!("LOAD-{n}")).expect("all have run");
        assert_eq!((response.header.attempts, response.text.as_str()), (1, "some words to say"));
    }
}
