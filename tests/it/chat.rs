//! The prompt socket: frames of a turn, ids, errors, modes (SPEC 9).

use std::time::{Duration, Instant};

use hive_tests::{Agent, Hive, upgrade};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::scripts::{AGENT, one_holds_and_one_waits};

#[tokio::test]
async fn the_bot_says_hello() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let chat = agent.chat().await;
    assert_eq!(chat.hello["bot_id"], "BOT-002");
    assert_eq!((&chat.hello["mode"], &chat.hello["adapter"]), (&json!("hybrid"), &json!("echo")));
    assert_eq!(chat.hello["protocol"], 1);
    assert_eq!(agent.api().status().await["chat_clients"], 1);
    chat.cut();
    agent.api().until_status("the client is gone", |status| status["chat_clients"] == 0).await;
}

#[tokio::test]
async fn a_prompt_to_an_idle_bot_is_answered_frame_by_frame() {
    // What is said while a client is served comes in one frame.
    let hive = Hive::echo(50, "");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "one two three").await;
    let turn = chat.turn("CHAT-1").await;
    assert_eq!(turn.shape(), ["accepted", "response_start", "response_chunk", "response_complete"]);
    assert_eq!(turn.frames[0]["state"], "started");
    assert_eq!(turn.text(), "one two three");
    assert!(turn.frames.len() > 4, "it is streamed: {turn:#?}");
    assert_eq!(turn.numbers(), (1..=turn.frames.len() as u64).collect::<Vec<_>>());
    let complete = turn.complete();
    assert_eq!((&complete["status"], &complete["success"]), (&json!("completed"), &json!(true)));
    assert_eq!((&complete["error"], &complete["files_modified"]), (&Value::Null, &json!([])));
    assert!(complete["duration_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(complete["response_file"], "CHAT-1-response.md");

    // `response_complete` comes when it is on disk, not before.
    let response = hive.response("CHAT-1").unwrap();
    assert_eq!(response.text, "one two three");
    let header = response.header;
    assert_eq!((header.chat_id.unwrap().as_str(), header.task_id), ("CHAT-1", None));
    assert_eq!((header.source.as_str(), header.prompt.as_deref()), ("chat", Some("one two three")));
    assert_eq!((header.sender.as_deref(), header.session.as_deref()), (Some("dave"), Some("dave")));
}

#[tokio::test]
async fn a_prompt_without_an_id_gets_one() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.send(json!({"type": "prompt", "message": "hello", "user": "eve", "session": "s 1"})).await;
    let accepted = chat.next().await;
    let id = accepted["id"].as_str().unwrap().to_owned();
    chat.next_of(&id, "response_complete").await;
    let header = hive.response(&id).unwrap().header;
    assert_eq!((header.sender.as_deref(), header.session.as_deref()), (Some("eve"), Some("s 1")));
}

#[tokio::test]
async fn a_prompt_sent_twice_runs_once() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let (mut one, mut two) = (agent.chat().await, agent.chat().await);
    one.prompt("CHAT-1", "hold").await;
    one.next_of("CHAT-1", "response_start").await;
    one.prompt("CHAT-1", "hold").await;
    two.prompt("CHAT-1", "hold").await;
    two.next_of("CHAT-1", "response_start").await;
    hive.touch("go");
    let complete = one.next_of("CHAT-1", "response_complete").await;
    assert_eq!(two.next_of("CHAT-1", "response_complete").await, complete);
    // It has ended: the answer is given again.
    let mut three = agent.chat().await;
    three.prompt("CHAT-1", "hold").await;
    let turn = three.turn("CHAT-1").await;
    assert_eq!((turn.text().as_str(), turn.complete()), ("begun\ndone\n", &complete));
    assert_eq!(hive.work_file("ran.txt"), "CHAT-1\n");
}

#[tokio::test]
async fn a_prompt_of_an_earlier_life_is_answered_from_its_record() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    let first = chat.turn("CHAT-1").await;
    agent.terminate();
    agent.ended().await;
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    let turn = chat.turn("CHAT-1").await;
    assert_eq!((turn.text(), turn.complete()["status"].as_str()), (first.text(), Some("completed")));
    assert_eq!(hive.work_file("ran.txt"), "CHAT-1\n");
}

#[tokio::test]
async fn an_id_in_use_with_other_content_is_a_conflict() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    agent.api().submit(json!({"instruction": "words", "id": "TASK-1"})).await;
    hive.answer("TASK-1").await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    chat.turn("CHAT-1").await;
    for id in ["CHAT-1", "TASK-1"] {
        chat.prompt(id, "something else").await;
        let error = chat.next().await;
        assert_eq!(
            (&error["type"], &error["code"], &error["id"]),
            (&json!("error"), &json!("conflict"), &json!(id))
        );
    }
    // One namespace: a task cannot have a prompt's id either.
    let reply = agent.api().post("tasks", json!({"instruction": "words", "id": "CHAT-1"})).await;
    assert_eq!((reply.status, reply.code()), (409, "conflict"));
}

#[tokio::test]
async fn a_client_gets_nothing_of_others() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let (mut one, mut two) = (agent.chat().await, agent.chat().await);
    one.prompt("CHAT-1", "for the first").await;
    one.turn("CHAT-1").await;
    hive.drop_task("TASK-1.md", "words");
    hive.answer("TASK-1").await;
    two.prompt("CHAT-2", "for the second").await;
    let turn = two.turn("CHAT-2").await;
    assert_eq!(turn.text(), "for the second");
    // All that came on the second's socket was its own turn.
    two.send(json!({"type": "cancel", "id": "NOBODY-1"})).await;
    assert_eq!(two.next().await["type"], "error");
}

#[tokio::test]
async fn bad_frames_are_errors_and_the_socket_lives() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    for text in [
        "",
        "not json",
        "7",
        "[]",
        "null",
        "\"prompt\"",
        "{}",
        r#"{"type":"dance"}"#,
        r#"{"type":"prompt"}"#,
        r#"{"type":"prompt","message":7,"user":"dave"}"#,
        r#"{"type":"prompt","message":"x","user":"dave","id":"../x"}"#,
        r#"{"type":"prompt","message":"x","user":"dave","when_busy":"whenever"}"#,
        r#"{"type":"prompt","message":"x","user":"dave","timeout_seconds":-1}"#,
        r#"{"type":"prompt","message":"x","user":"dave","timeout_seconds":1e300}"#,
        r#"{"type":"prompt","message":"x","user":"dave","timeout_seconds":1e19}"#,
        r#"{"type":"prompt","message":"  ","user":"dave"}"#,
        r#"{"type":"prompt","message":"x","user":""}"#,
        r#"{"type":"prompt","message":"x","user":"a\nb"}"#,
        r#"["prompt",{"message":"x","user":"dave"}]"#,
        r#"["prompt","x","dave","ARRAY-1",null,"auto",null]"#,
        r#"["prompt","x","dave",null,null,"auto",null]"#,
        r#"{"type":"cancel"}"#,
    ] {
        chat.send_text(text).await;
        let error = chat.next().await;
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("error"), &json!("bad_request")),
            "{text}: {error}"
        );
    }
    chat.send_message(Message::binary(vec![0, 1, 2])).await;
    assert_eq!(chat.next().await["code"], "bad_request");
    for frame in [
        json!({"type": "cancel", "id": "NOBODY-1"}),
        json!({"type": "attach", "id": "NOBODY-1", "after": 3}),
        json!({"type": "approve", "approval_id": "A-1", "option": "allow"}),
    ] {
        chat.send(frame.clone()).await;
        let error = chat.next().await;
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("error"), &json!("not_found")),
            "{frame}: {error}"
        );
    }
    chat.prompt("CHAT-1", "still here").await;
    assert_eq!(chat.turn("CHAT-1").await.text(), "still here");
    assert_eq!(agent.api().get("timeline?source=chat").await.ok()["entries"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn who_says_to_have_seen_what_never_was_does_not_disturb_the_numbers_of_others() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hold").await;
    chat.next_of("CHAT-1", "response_start").await;
    let mut other = agent.chat().await;
    other.send(json!({"type": "attach", "id": "CHAT-1", "after": 1_000_000})).await;
    let error = other.next().await;
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("bad_request")), "{error}");
    hive.touch("go");
    let last = chat.next_of("CHAT-1", "response_complete").await;
    assert!(last["n"].as_u64().is_some_and(|n| n < 100), "{last}");
}

#[tokio::test]
async fn a_failed_turn_says_why() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "fail").await;
    let turn = chat.turn("CHAT-1").await;
    let complete = turn.complete();
    assert_eq!((&complete["status"], &complete["success"]), (&json!("failed"), &json!(false)));
    assert_eq!(complete["error_code"], "exit_status");
    assert!(complete["error"].as_str().unwrap().contains("oh no"));
    assert_eq!(turn.text(), "some\n");
}

#[tokio::test]
async fn a_turn_past_its_limit_is_timed_out_with_what_it_had_said() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt_with("CHAT-1", "hold", json!({"timeout_seconds": 0.4})).await;
    let turn = chat.turn("CHAT-1").await;
    assert_eq!((turn.complete()["status"].as_str(), turn.text().as_str()), (Some("timed_out"), "begun\n"));
    assert_eq!(hive.response("CHAT-1").unwrap().text, "begun\n");
    assert_eq!(agent.descendants(), []);
}

#[tokio::test]
async fn a_turn_slow_to_its_first_word_gets_a_notice() {
    let hive = Hive::exec("until [ -e go ]; do sleep 0.05; done; echo sorry", "");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    let begun = Instant::now();
    chat.prompt("CHAT-1", "hello").await;
    let notice = chat.next_of("CHAT-1", "notice").await;
    assert_eq!(notice["code"], "slow");
    assert!(begun.elapsed() >= Duration::from_secs(10), "after {:?}", begun.elapsed());
    hive.touch("go");
    assert_eq!(chat.turn("CHAT-1").await.complete()["status"], "completed");
}

#[tokio::test]
async fn a_client_cancels_its_turn() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let mut chat = one_holds_and_one_waits(&agent).await;
    chat.prompt("CHAT-3", "hello").await;
    chat.accepted("CHAT-3").await;
    chat.send(json!({"type": "cancel", "id": "CHAT-2"})).await;
    assert_eq!(chat.next_of("CHAT-2", "response_complete").await["status"], "cancelled");
    chat.send(json!({"type": "cancel", "id": "CHAT-1"})).await;
    let complete = chat.next_of("CHAT-1", "response_complete").await;
    assert_eq!((&complete["status"], &complete["error_code"]), (&json!("cancelled"), &json!("cancelled")));
    assert_eq!(hive.response("CHAT-1").unwrap().text, "begun\n");
    assert_eq!(chat.next_of("CHAT-3", "response_complete").await["status"], "completed");
    assert_eq!(hive.work_file("ran.txt"), "CHAT-1\nCHAT-3\n");
}

#[tokio::test]
async fn a_task_is_not_cancelled_from_a_chat() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "hold");
    agent.api().until_is("TASK-1", "running").await;
    let mut chat = agent.chat().await;
    chat.send(json!({"type": "cancel", "id": "TASK-1"})).await;
    assert_eq!(chat.next().await["code"], "not_found");
    hive.touch("go");
    assert!(hive.answer("TASK-1").await.header.success);
}

#[tokio::test]
async fn a_cli_only_bot_has_no_prompt_socket() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start_with(&hive, &["--mode", "cli-only"]).await;
    let authorization = format!("Bearer {}", agent.token());
    let refused =
        upgrade(agent.address(), "/ws/bot/BOT-002/prompt", &[("Authorization", &authorization)]).await;
    assert_eq!(refused.err(), Some(404));
    assert_eq!(agent.record().mode.as_str(), "cli-only");
    hive.drop_task("TASK-1.md", "words");
    hive.answer("TASK-1").await;
}

#[tokio::test]
async fn a_commander_only_bot_takes_no_tasks() {
    let hive = Hive::echo(0, "mode = \"commander-only\"");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "not for this mode");
    let reply = agent.api().post("tasks", json!({"instruction": "words"})).await;
    assert_eq!((reply.status, reply.code()), (409, "mode"));
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    assert_eq!(chat.turn("CHAT-1").await.text(), "hello");
    assert!(hive.is_in_queue("TASK-1.md"));
    assert_eq!(agent.api().get("tasks?all=true").await.ok()["total"], 0);
}
