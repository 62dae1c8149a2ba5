//! Chat and file tasks in the one slot: who gives way, who waits, and who is told why (SPEC 5).

use hive_tests::{Agent, Api, ChatSocket, Hive};
use serde_json::{Value, json};

use crate::scripts::{AGENT, counted, one_holds_and_one_waits};

/// A bot in the middle of the task `TASK-1`, which holds, and a client.
async fn busy(settings: &str, header: &str) -> (Hive, Agent, Api, ChatSocket) {
    let hive = Hive::exec(AGENT, settings);
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", format!("---\ntitle: T\n{header}\n---\nhold"));
    hive.until("the task runs", || (hive.work_file("ran.txt") == "TASK-1\n").then_some(())).await;
    let (api, chat) = (agent.api(), agent.chat().await);
    (hive, agent, api, chat)
}

/// A prompt that waits for the task for this reason, and runs after it.
async fn waits_because(reason: &str, settings: &str, header: &str, prompt: Value) {
    let (hive, _agent, api, mut chat) = busy(settings, header).await;
    chat.prompt_with("CHAT-1", "hello", prompt).await;
    let accepted = chat.accepted("CHAT-1").await;
    assert_eq!((&accepted["state"], &accepted["reason"]), (&json!("queued"), &json!(reason)), "{accepted}");
    assert_eq!(accepted["position"], 1);
    let status = api.status().await;
    assert_eq!((&status["current"]["id"], &status["queue"]["chat"]), (&json!("TASK-1"), &json!(1)));
    hive.touch("go");
    assert_eq!(chat.turn("CHAT-1").await.text(), "you said: hello");
    let task = hive.answer("TASK-1").await;
    assert_eq!((task.header.preemptions, task.text.as_str()), (0, "begun\ndone\n"));
    assert!(task.header.completed_at <= hive.answer("CHAT-1").await.header.started_at);
}

#[tokio::test]
async fn chat_preempts_a_task_which_resumes_where_it_was() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    hive.drop_task("COUNT-1.md", "count");
    hive.until("it counts", || (hive.work_file("counted.txt").lines().count() > 3).then_some(())).await;
    // Not before that: the bot might come to both at once, and the more urgent one is first then.
    hive.drop_task("LATER-1.md", "# T\n**Priority:** P0\n\nmore urgent than what is suspended\n");
    api.until_is("LATER-1", "queued").await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hold").await;
    let accepted = chat.accepted("CHAT-1").await;
    assert_eq!((&accepted["state"], &accepted["reason"]), (&json!("queued"), &json!("preempting")));
    chat.next_of("CHAT-1", "response_chunk").await;

    let status = api.status().await;
    assert_eq!((&status["current"]["id"], &status["suspended"]["id"]), (&json!("CHAT-1"), &json!("COUNT-1")));
    assert_eq!(status["suspended"]["preemptions"], 1);
    assert_eq!(api.task("COUNT-1").await["status"], "suspended");
    let stood = hive.work_file("counted.txt");
    assert!(stood.lines().count() < 60);
    hive.touch("go-CHAT-1");
    chat.turn("CHAT-1").await;
    assert_eq!(hive.work_file("counted.txt").get(..stood.len()), Some(stood.as_str()));

    let response = hive.answer("COUNT-1").await;
    assert_eq!(response.text, counted());
    assert_eq!((response.header.preemptions, response.header.attempts), (1, 1));
    let later = hive.answer("LATER-1").await;
    assert!(later.header.started_at >= response.header.completed_at, "what is suspended goes first");
    let preempted = api.control("preempted").await.unwrap();
    assert_eq!(preempted["task_id"], "COUNT-1");
    assert!(preempted["content"].as_str().unwrap().contains("CHAT-1"));
}

#[tokio::test]
async fn the_time_that_a_task_is_suspended_does_not_count() {
    let hive = Hive::exec(AGENT, "preempt_grace = 0");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "---\ntimeout: 2\n---\nhold");
    agent.api().until_is("TASK-1", "running").await;
    let mut chat = agent.chat().await;
    chat.prompt_with("CHAT-1", "hold", json!({"timeout_seconds": 2.5})).await;
    assert_eq!(chat.turn("CHAT-1").await.complete()["status"], "timed_out");
    hive.touch("go");
    let header = hive.answer("TASK-1").await.header;
    assert_eq!(header.status.as_str(), "completed");
    assert!(header.duration_seconds < 2.0, "{}", header.duration_seconds);
}

#[tokio::test]
async fn a_task_with_little_time_left_is_not_preempted() {
    waits_because("nearly_done", "preempt_grace = \"30s\"", "timeout: 20", json!({})).await;
}

#[tokio::test]
async fn a_task_that_is_not_interruptible_is_not_preempted() {
    waits_because("not_interruptible", "", "interruptible: no", json!({})).await;
}

#[tokio::test]
async fn a_task_is_not_preempted_too_often() {
    waits_because("preempted_too_often", "max_preemptions = 0", "", json!({})).await;
}

#[tokio::test]
async fn a_prompt_may_ask_to_wait_for_a_task() {
    waits_because("asked_to_queue", "", "", json!({"when_busy": "queue"})).await;
}

#[tokio::test]
async fn a_conversation_preempts_once() {
    let (hive, _agent, api, mut chat) = busy("max_preemptions = 1", "").await;
    for id in ["CHAT-1", "CHAT-2", "CHAT-3"] {
        chat.prompt(id, "hello").await;
        assert_eq!(chat.turn(id).await.complete()["status"], "completed");
        // The next one has the task to preempt again.
        api.until_is("TASK-1", "running").await;
    }
    hive.touch("go");
    assert_eq!(hive.answer("TASK-1").await.header.preemptions, 1);
    assert_eq!(hive.work_file("ran.txt"), "TASK-1\nCHAT-1\nCHAT-2\nCHAT-3\n");
    let preempted =
        api.entries("source=control").await.into_iter().filter(|e| e["title"] == "preempted").count();
    assert_eq!(preempted, 3);
}

#[tokio::test]
async fn interrupt_preempts_even_what_the_table_spares() {
    let (hive, _agent, _, mut chat) = busy("max_preemptions = 0", "interruptible: no").await;
    chat.prompt_with("CHAT-1", "hello", json!({"when_busy": "interrupt"})).await;
    assert_eq!(chat.turn("CHAT-1").await.text(), "you said: hello");
    assert_eq!(hive.response("TASK-1"), None);
    hive.touch("go");
    let response = hive.answer("TASK-1").await;
    assert_eq!((response.text.as_str(), response.header.preemptions), ("begun\ndone\n", 1));
}

#[tokio::test]
async fn interrupt_ends_a_chat_turn_in_its_way() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let mut chat = one_holds_and_one_waits(&agent).await;
    chat.prompt_with("CHAT-3", "hello", json!({"when_busy": "interrupt"})).await;
    let complete = chat.next_of("CHAT-1", "response_complete").await;
    assert_eq!((&complete["status"], &complete["error_code"]), (&json!("cancelled"), &json!("superseded")));
    assert_eq!(hive.response("CHAT-1").unwrap().text, "begun\n");
    chat.next_of("CHAT-3", "response_complete").await;
    chat.next_of("CHAT-2", "response_complete").await;
    assert_eq!(hive.work_file("ran.txt"), "CHAT-1\nCHAT-3\nCHAT-2\n");
}

#[tokio::test]
async fn reject_is_an_error_when_the_bot_is_busy_or_paused() {
    let (hive, _agent, api, mut chat) = busy("", "").await;
    let reject = json!({"when_busy": "reject"});
    chat.prompt_with("CHAT-1", "hello", reject.clone()).await;
    let error = chat.next().await;
    assert_eq!(
        (&error["type"], &error["code"], &error["id"]),
        (&json!("error"), &json!("busy"), &json!("CHAT-1"))
    );
    hive.touch("go");
    hive.answer("TASK-1").await;
    api.until_status("it is idle", |status| status["state"] == "idle").await;
    api.act("pause").await.ok();
    chat.prompt_with("CHAT-1", "hello", reject.clone()).await;
    assert_eq!(chat.next().await["code"], "paused");
    api.act("resume").await.ok();
    chat.prompt_with("CHAT-1", "hello", reject).await;
    assert_eq!(chat.turn("CHAT-1").await.text(), "you said: hello");
    assert_eq!(api.entries("kind=prompt").await.len(), 1, "what was refused is no prompt");
}

#[tokio::test]
async fn prompts_are_served_in_the_order_in_which_they_came() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let (mut one, mut two) = (agent.chat().await, agent.chat().await);
    one.prompt("CHAT-1", "hold").await;
    assert_eq!(one.accepted("CHAT-1").await["state"], "started");
    two.prompt("CHAT-2", "hello").await;
    let second = two.accepted("CHAT-2").await;
    one.prompt("CHAT-3", "hello").await;
    let third = one.accepted("CHAT-3").await;
    assert_eq!((&second["position"], &second["reason"]), (&json!(1), &json!("chat_ahead")));
    assert_eq!((&third["position"], &third["reason"]), (&json!(2), &json!("chat_ahead")));
    hive.touch("go");
    two.turn("CHAT-2").await;
    one.next_of("CHAT-3", "response_complete").await;
    assert_eq!(hive.work_file("ran.txt"), "CHAT-1\nCHAT-2\nCHAT-3\n");
}

#[tokio::test]
async fn file_work_waits_until_no_chat_is_waiting() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hold").await;
    chat.accepted("CHAT-1").await;
    agent.api().submit(json!({"instruction": "words", "id": "TASK-1", "priority": "P0"})).await;
    chat.prompt("CHAT-2", "hello").await;
    chat.accepted("CHAT-2").await;
    hive.touch("go");
    hive.answer("TASK-1").await;
    assert_eq!(hive.work_file("ran.txt"), "CHAT-1\nCHAT-2\nTASK-1\n");
}

#[tokio::test]
async fn file_work_waits_for_the_persons_next_word() {
    let hive = Hive::exec(AGENT, "chat_linger = \"1500ms\"");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hold").await;
    chat.accepted("CHAT-1").await;
    agent.api().submit(json!({"instruction": "words", "id": "TASK-1"})).await;
    hive.touch("go");
    chat.turn("CHAT-1").await;
    chat.prompt("CHAT-2", "hello").await;
    assert_eq!(chat.accepted("CHAT-2").await["state"], "started");
    chat.turn("CHAT-2").await;
    let task = hive.answer("TASK-1").await.header;
    assert_eq!(hive.work_file("ran.txt"), "CHAT-1\nCHAT-2\nTASK-1\n");
    let last_word = hive.answer("CHAT-2").await.header.completed_at.unwrap();
    let lingered = task.started_at.unwrap().since(last_word).as_secs_f64();
    assert!(lingered > 1.3, "it lingered for {lingered} s");
}

#[tokio::test]
async fn a_hundred_prompts_wait_and_no_more() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("HOLDER", "hold").await;
    chat.accepted("HOLDER").await;
    for n in 1..=101 {
        chat.prompt(&format!("CHAT-{n}"), "hello").await;
    }
    for n in 1..=100 {
        assert_eq!(chat.accepted(&format!("CHAT-{n}")).await["position"], n);
    }
    let error = chat.next_that(|frame| frame["type"] == "error").await;
    assert_eq!((&error["id"], &error["code"]), (&json!("CHAT-101"), &json!("queue_full")));
    assert_eq!(agent.api().status().await["queue"]["chat"], 100);
    hive.touch("go");
    for n in 1..=100 {
        let complete = chat.next_of(&format!("CHAT-{n}"), "response_complete").await;
        assert_eq!(complete["status"], "completed");
    }
}
