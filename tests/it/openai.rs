//! The openai adapter against a scripted server: conversations, streams and preempting (SPEC 6).

use hive_tests::{Agent, Answer, ChatSocket, Hive, ModelServer};
use serde_json::json;

/// Asks, and gives the answer.
pub(crate) async fn ask(chat: &mut ChatSocket, id: &str, message: &str) -> String {
    chat.prompt(id, message).await;
    let turn = chat.turn(id).await;
    assert_eq!(turn.complete()["status"], "completed", "{turn:#?}");
    turn.text()
}

#[tokio::test]
async fn an_answer_is_streamed_and_its_cost_recorded() {
    let server = ModelServer::start().await;
    let thought = json!({"reasoning_content": "Hm."});
    server.script([Answer::stream()
        .raw(": a comment\r\n\r\n")
        .delta(&json!({"role": "assistant", "content": null}))
        .delta(&thought)
        .say("Hello ")
        .hold()
        .say("there.")
        .whole()]);
    let hive = Hive::openai(&server, "", "system_prompt = \"Be kind.\"\ntemperature = 0.5\nmax_tokens = 99");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    assert_eq!(chat.hello["adapter"], "openai");
    chat.prompt("CHAT-1", "Who is there?").await;
    let first = chat.next_of("CHAT-1", "response_chunk").await;
    assert_eq!((&first["channel"], &first["content"]), (&json!("thought"), &json!("Hm.")));
    // It is seen before the server has said more.
    let second = chat.next_of("CHAT-1", "response_chunk").await;
    assert_eq!((&second["channel"], &second["content"]), (&json!("text"), &json!("Hello ")));
    server.go_on();
    let complete = chat.next_of("CHAT-1", "response_complete").await;
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12});
    assert_eq!((&complete["status"], &complete["usage"]), (&json!("completed"), &usage));

    let asked = server.until_asked(1).await;
    assert!(asked.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{}", asked.head);
    assert!(!asked.head.to_lowercase().contains("authorization"), "{}", asked.head);
    let body = json!({
        "model": "test-model", "stream": true, "stream_options": {"include_usage": true},
        "temperature": 0.5, "max_tokens": 99,
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Who is there?"}],
    });
    assert_eq!(asked.body, body);
    let response = hive.answer("CHAT-1").await;
    assert_eq!((response.text.as_str(), response.header.usage), ("Hello there.", Some(usage)));
}

#[tokio::test]
async fn a_session_is_a_conversation_and_a_kill_does_not_end_it() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "");
    let mut agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    server.script([Answer::words("One."), Answer::words("Other."), Answer::words("Two.")]);
    assert_eq!(ask(&mut chat, "CHAT-1", "one?").await, "One.");
    chat.prompt_with("CHAT-2", "other?", json!({"session": "elsewhere"})).await;
    assert_eq!(chat.turn("CHAT-2").await.text(), "Other.");
    hive.drop_task("TASK-1.md", "a task of its own");
    assert_eq!(hive.answer("TASK-1").await.text, "Two.");
    assert_eq!(server.until_asked(2).await.messages(), ["user: other?"]);
    assert_eq!(server.until_asked(3).await.messages(), ["user: a task of its own"]);

    // A turn that is cut counts with what was seen of it; one that failed before it said anything does not.
    server.script([Answer::status(400, "no"), Answer::status(400, "no")]);
    chat.prompt("CHAT-3", "refused?").await;
    assert_eq!(chat.turn("CHAT-3").await.complete()["status"], "failed");
    server.script([Answer::stream().say("Thr").hold()]);
    chat.prompt("CHAT-4", "three?").await;
    chat.next_of("CHAT-4", "response_chunk").await;
    chat.send(json!({"type": "cancel", "id": "CHAT-4"})).await;
    chat.next_of("CHAT-4", "response_complete").await;

    agent.kill9();
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    assert_eq!(ask(&mut chat, "CHAT-5", "four?").await, "ok");
    let expected = [
        "user: one?",
        "assistant: One.",
        "user: three?",
        "assistant: Thr\n\n[The rest of this answer is missing.]",
        "user: four?",
    ];
    assert_eq!(server.asked().last().unwrap().messages(), expected);
}

#[tokio::test]
async fn a_turn_that_a_kill_cut_is_part_of_the_conversation() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "");
    let mut agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    server.script([Answer::stream().say("A part ").say("of it").hold()]);
    chat.prompt("CHAT-1", "tell me").await;
    chat.next_of("CHAT-1", "response_chunk").await;
    // What was said is on the record about every half second.
    agent
        .api()
        .until_status("it has run for a while", |status| {
            status["current"]["elapsed_seconds"].as_f64().is_some_and(|elapsed| elapsed > 1.2)
        })
        .await;
    agent.kill9();
    server.until_left(1).await;
    let agent = Agent::start(&hive).await;
    let response = hive.answer("CHAT-1").await;
    assert_eq!((response.header.status.as_str(), response.text.as_str()), ("incomplete", "A part of it"));
    let mut chat = agent.chat().await;
    ask(&mut chat, "CHAT-2", "go on").await;
    let expected =
        ["user: tell me", "assistant: A part of it\n\n[The rest of this answer is missing.]", "user: go on"];
    assert_eq!(server.until_asked(2).await.messages(), expected);
}

#[tokio::test]
async fn the_oldest_exchanges_are_left_out_beyond_the_budget() {
    let server = ModelServer::start().await;
    // 100 bytes.
    let hive = Hive::openai(&server, "", "context_tokens = 25\nsystem_prompt = \"Be brief.\"");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    for n in 1..=4 {
        ask(&mut chat, &format!("CHAT-{n}"), &format!("{n}")).await;
    }
    let newest = ["system: Be brief.", "user: 3", "assistant: ok", "user: 4"];
    assert_eq!(server.until_asked(4).await.messages(), newest);
    let long = "x".repeat(1_000);
    ask(&mut chat, "CHAT-5", &long).await;
    assert_eq!(
        server.until_asked(5).await.messages(),
        ["system: Be brief.".to_owned(), format!("user: {long}")]
    );
    assert!(agent.stderr().contains("the oldest exchanges of the session do not fit"), "{}", agent.stderr());
}

#[tokio::test]
async fn a_preempted_task_goes_on_where_it_was_and_both_parts_are_one_response() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "");
    let agent = Agent::start(&hive).await;
    server.script([
        Answer::stream().say("The first half, ").hold(),
        Answer::words("An answer."),
        Answer::stream().say("the second ").say("half.").whole(),
    ]);
    let mut follow = agent.follow("").await;
    hive.drop_task("LONG-1.md", "Write much.");
    follow.next_that(|frame| frame["type"] == "entry_chunk" && frame["entry_id"] == "LONG-1").await;
    let mut chat = agent.chat().await;
    assert_eq!(ask(&mut chat, "CHAT-1", "How far are you?").await, "An answer.");
    // The stream was left, not read on in the background.
    server.until_left(1).await;
    let response = hive.answer("LONG-1").await;
    assert_eq!(response.header.status.as_str(), "completed");
    assert_eq!((response.header.preemptions, response.header.attempts), (1, 1));
    assert_eq!(server.until_asked(2).await.messages(), ["user: How far are you?"]);
    let resumed = server.until_asked(3).await.messages();
    assert_eq!(response.text, "The first half, the second half.");
    assert_eq!(resumed[..2], ["user: Write much.", "assistant: The first half, "]);
    assert!(resumed[2].starts_with("user: You were interrupted") && resumed.len() == 3, "{resumed:?}");
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12});
    assert_eq!(response.header.usage, Some(usage));
}

#[tokio::test]
async fn a_task_may_start_over_instead() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "on_preempt = \"restart\"", "");
    let agent = Agent::start(&hive).await;
    server.script([Answer::stream().say("half ").hold(), Answer::words("Yes."), Answer::words("All of it.")]);
    hive.drop_task("LONG-1.md", "Write much.");
    server.until_asked(1).await;
    let mut chat = agent.chat().await;
    assert_eq!(ask(&mut chat, "CHAT-1", "Are you there?").await, "Yes.");
    assert_eq!(hive.answer("LONG-1").await.text, "All of it.");
    assert_eq!(server.until_asked(3).await.messages(), ["user: Write much."]);
}

#[tokio::test]
async fn a_cancel_a_limit_and_a_stop_close_the_connection_at_once() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "");
    let mut agent = Agent::start(&hive).await;
    let held = || Answer::stream().say("So far ").hold();
    server.script([held(), held(), held()]);
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "talk").await;
    chat.next_of("CHAT-1", "response_chunk").await;
    chat.send(json!({"type": "cancel", "id": "CHAT-1"})).await;
    let complete = chat.next_of("CHAT-1", "response_complete").await;
    assert_eq!((&complete["status"], &complete["error_code"]), (&json!("cancelled"), &json!("cancelled")));
    assert_eq!(hive.answer("CHAT-1").await.text, "So far ");
    server.until_left(1).await;

    chat.prompt_with("CHAT-2", "talk", json!({"timeout_seconds": 0.3})).await;
    assert_eq!(chat.next_of("CHAT-2", "response_complete").await["status"], "timed_out");
    server.until_left(2).await;

    hive.drop_task("TASK-1.md", "work");
    server.until_asked(3).await;
    agent.terminate();
    assert!(agent.ended().await.status.success());
    server.until_left(3).await;
    assert!(hive.is_in_queue("TASK-1.md"));
    let _agent = Agent::start(&hive).await;
    assert_eq!(hive.answer("TASK-1").await.text, "ok");
}
