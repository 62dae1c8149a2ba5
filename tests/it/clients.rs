//! Chat clients that leave, and those that come back (SPEC 5 and 9).

use hive_tests::{Agent, Hive};
use serde_json::json;

use crate::scripts::{AGENT, one_holds_and_one_waits};

#[tokio::test]
async fn a_turn_whose_client_is_gone_is_cancelled_and_what_was_said_is_kept() {
    let hive = Hive::exec(AGENT, "disconnect_grace = \"300ms\"");
    let agent = Agent::start(&hive).await;
    let chat = one_holds_and_one_waits(&agent).await;
    hive.drop_task("TASK-1.md", "the bot goes on");
    chat.cut();
    let response = hive.answer("CHAT-1").await;
    assert_eq!((response.header.status.as_str(), response.text.as_str()), ("incomplete", "begun\n"));
    assert_eq!(response.header.error_code.as_deref(), Some("disconnected"));
    let waiting = hive.answer("CHAT-2").await.header;
    assert_eq!((waiting.status.as_str(), waiting.error_code.as_deref()), ("cancelled", Some("disconnected")));
    hive.answer("TASK-1").await;
    assert_eq!(hive.work_file("ran.txt"), "CHAT-1\nTASK-1\n");
}

#[tokio::test]
async fn a_client_that_comes_back_in_time_misses_no_frame() {
    let hive = Hive::echo(10, "disconnect_grace = 15");
    let agent = Agent::start(&hive).await;
    let words = "word ".repeat(60);
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", &words).await;
    let mut frames = Vec::new();
    while frames.len() < 10 {
        frames.push(chat.next().await);
    }
    chat.cut();
    let mut chat = agent.chat().await;
    let after = frames.last().unwrap()["n"].as_u64().unwrap();
    chat.send(json!({"type": "attach", "id": "CHAT-1", "after": after})).await;
    frames.extend(chat.turn("CHAT-1").await.frames);
    let turn = hive_tests::Turn { frames };
    assert_eq!(turn.numbers(), (1..=turn.frames.len() as u64).collect::<Vec<_>>());
    assert_eq!((turn.text(), turn.complete()["status"].as_str()), (words, Some("completed")));
}

#[tokio::test]
async fn another_client_may_attach_and_then_the_turn_outlives_the_first() {
    let hive = Hive::exec(AGENT, "disconnect_grace = \"100ms\"");
    let agent = Agent::start(&hive).await;
    let (mut one, mut two) = (agent.chat().await, agent.chat().await);
    one.prompt("CHAT-1", "hold").await;
    one.next_of("CHAT-1", "response_chunk").await;
    two.send(json!({"type": "attach", "id": "CHAT-1"})).await;
    two.next_of("CHAT-1", "response_chunk").await;
    one.cut();
    agent.api().until_status("one is gone", |status| status["chat_clients"] == 1).await;
    // By the daemon's own clock, well past the grace.
    let gone_at = agent.api().status().await["current"]["elapsed_seconds"].as_f64().unwrap();
    agent
        .api()
        .until_status("the grace is over", |status| {
            assert_eq!(status["current"]["id"], "CHAT-1");
            status["current"]["elapsed_seconds"].as_f64().unwrap() > gone_at + 0.3
        })
        .await;
    hive.touch("go");
    assert_eq!(two.next_of("CHAT-1", "response_complete").await["status"], "completed");
}

#[tokio::test]
async fn prompts_run_on_without_their_client_where_the_settings_say_so() {
    let hive = Hive::exec(AGENT, "disconnect_grace = 0\non_disconnect = \"finish\"");
    let agent = Agent::start(&hive).await;
    let chat = one_holds_and_one_waits(&agent).await;
    chat.cut();
    agent.api().until_status("it is gone", |status| status["chat_clients"] == 0).await;
    hive.touch("go");
    assert_eq!(hive.answer("CHAT-1").await.header.status.as_str(), "completed");
    assert_eq!(hive.answer("CHAT-2").await.header.status.as_str(), "completed");
}

#[tokio::test]
async fn the_slot_is_not_held_up_by_a_client_that_does_not_read() {
    let hive = Hive::exec("i=$(cat); case \"$i\" in *much*) yes | head -c 20000000;; *) echo hi;; esac", "");
    let agent = Agent::start(&hive).await;
    let (mut deaf, mut other) = (agent.chat().await, agent.chat().await);
    deaf.prompt("CHAT-1", "much").await;
    deaf.accepted("CHAT-1").await;
    other.prompt("CHAT-2", "hello").await;
    assert_eq!(other.turn("CHAT-2").await.text(), "hi\n");
    assert_eq!(hive.answer("CHAT-1").await.text.len(), 20_000_000);
    assert_eq!(deaf.turn("CHAT-1").await.text().len(), 20_000_000);
}
