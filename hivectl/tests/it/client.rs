//! Followers and chats that lose their connection and their bot.

use hive_shared::chat::{Channel, Prompt, TurnEvent};
use hive_shared::client::{Chat, ChatEvent, Client, ClientError, Followed, Follower, Locator, Position};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::work::{Status, WhenBusy};
use serde_json::{Value, json};

use crate::fake::{Fake, Home, Step, entry, snapshot};

async fn open(home: &Home, fake: &Fake) -> Client {
    Client::open(&Locator::hive(home.hive.clone()), &fake.bot).await.unwrap()
}

/// What a follower sees, in short: `+` connected, `-` lost, `!` another timeline, `ID@SEQ`, `ID[OFFSET]TEXT`.
async fn follow(follower: &mut Follower, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        seen.push(match follower.next().await.unwrap() {
            Followed::Connected => "+".to_owned(),
            Followed::Disconnected(_) => "-".to_owned(),
            Followed::Restarted => "!".to_owned(),
            Followed::Entry(entry) => format!("{}@{}", entry.entry_id, entry.seq),
            Followed::Chunk { entry_id, offset, content } => format!("{entry_id}[{offset}]{content}"),
        });
    }
    seen
}

fn added(bot: &BotId, id: &str, seq: u64) -> Step {
    Step::Say(json!({"type": "entry_added", "entry": entry(bot, id, seq, "running")}))
}

fn chunk(id: &str, offset: u64, content: &str) -> Step {
    Step::Say(json!({"type": "entry_chunk", "entry_id": id, "offset": offset, "content": content}))
}

#[tokio::test]
async fn a_follower_misses_and_repeats_nothing_when_its_connection_breaks() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    let bot = fake.bot.clone();
    let first = [entry(&bot, "A", 3, "completed"), entry(&bot, "B", 5, "running")];
    fake.script(vec![
        Step::Say(snapshot(&bot, "E1", &first)),
        added(&bot, "C", 6),
        chunk("C", 0, "one "),
        Step::Say(json!({"type": "something_new", "entry": 7})),
    ]);
    // The second connection repeats what is known before it goes on.
    let second = [entry(&bot, "C", 6, "running"), entry(&bot, "D", 8, "running")];
    fake.script(vec![
        Step::Say(snapshot(&bot, "E1", &second)),
        chunk("C", 0, "one two"),
        added(&bot, "D", 8),
        added(&bot, "E", 9),
        Step::Hold,
    ]);
    let mut follower = Follower::new(open(&home, &fake).await, None);
    let seen = follow(&mut follower, 10).await;
    assert_eq!(seen, ["+", "A@3", "B@5", "C@6", "C[0]one ", "-", "+", "D@8", "C[4]two", "E@9"]);
    assert_eq!(follower.position(), Some(&Position { epoch: "E1".into(), seq: 9 }));
    fake.wait_for("GET /ws/bot/BOT-1/timeline?after_seq=6&epoch=E1").await;
}

#[tokio::test]
async fn a_bot_that_hangs_up_again_and_again_is_told_when_it_is_of_use() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    let bot = fake.bot.clone();
    fake.script(vec![Step::Say(snapshot(&bot, "E1", &[entry(&bot, "A", 3, "completed")]))]);
    for _ in 0..4 {
        fake.script(vec![Step::Say(snapshot(&bot, "E1", &[]))]);
    }
    fake.script(vec![Step::Say(snapshot(&bot, "E1", &[entry(&bot, "B", 5, "completed")])), Step::Hold]);
    let mut follower = Follower::new(open(&home, &fake).await, None);
    let begun = std::time::Instant::now();
    let seen = follow(&mut follower, 9).await;
    // It was tried ever less often: after 50, 100, 200, 400 and 800 ms.
    assert!(begun.elapsed().as_millis() >= 1_550, "{:?}", begun.elapsed());
    assert_eq!(seen, ["+", "A@3", "-", "+", "-", "+", "-", "+", "B@5"]);
}

#[tokio::test]
async fn a_follower_finds_a_bot_that_starts_anew_with_another_timeline() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    let bot = fake.bot.clone();
    fake.script(vec![Step::Say(snapshot(&bot, "E1", &[entry(&bot, "A", 9, "completed")])), Step::Hold]);
    let mut follower = Follower::new(open(&home, &fake).await, None);
    assert_eq!(follow(&mut follower, 2).await, ["+", "A@9"]);
    fake.kill().await;
    assert_eq!(follow(&mut follower, 1).await, ["-"]);
    let again = home.start("BOT-1").await;
    again.script(vec![Step::Say(snapshot(&bot, "E2", &[entry(&bot, "A", 1, "completed")])), Step::Hold]);
    assert_eq!(follow(&mut follower, 3).await, ["+", "!", "A@1"]);
}

#[tokio::test]
async fn a_wrong_token_ends_a_follower() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    std::fs::write(home.hive.token(&fake.bot), "d3Jvbmc").unwrap();
    let mut follower = Follower::new(open(&home, &fake).await, None);
    assert!(matches!(follower.next().await, Err(ClientError::Unauthorized { .. })));
}

#[tokio::test]
async fn a_record_whose_bot_is_gone_is_stale() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    fake.answer(
        "GET /health",
        200,
        json!({"status": "ok", "bot_id": "BOT-2", "version": "0.1.0", "protocol": 1}),
    );
    let locator = Locator::hive(home.hive.clone());
    let error = Client::open(&locator, &fake.bot).await.unwrap_err();
    assert!(error.is_down(), "{error}");
    fake.kill().await;
    let error = Client::open(&locator, &BotId::parse("BOT-1").unwrap()).await.unwrap_err();
    assert!(error.is_down(), "{error}");
}

fn turn(n: u64, mut frame: Value) -> Step {
    frame["id"] = "CHAT-1".into();
    frame["n"] = n.into();
    Step::Say(frame)
}

fn text(n: u64, content: &str) -> Step {
    turn(n, json!({"type": "response_chunk", "content": content, "channel": "text"}))
}

fn hello() -> Step {
    Step::Say(
        json!({"type": "hello", "bot_id": "BOT-1", "mode": "hybrid", "adapter": "echo", "version": "0.1.0",
        "protocol": 1}),
    )
}

fn complete(n: u64) -> Step {
    turn(
        n,
        json!({"type": "response_complete", "status": "completed", "success": true, "duration_seconds": 0.1,
        "files_modified": [], "usage": null, "error": null, "error_code": null, "response_file": null}),
    )
}

#[tokio::test]
async fn a_chat_takes_its_turn_up_again_without_gap_or_repeat() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    // Gone before the first frame; then in the middle, after a repeat; then for good.
    fake.script(vec![hello(), Step::Hear]);
    fake.script(vec![
        hello(),
        Step::Hear,
        turn(1, json!({"type": "accepted", "state": "started"})),
        turn(2, json!({"type": "response_start"})),
        text(3, "one "),
        text(3, "one "),
    ]);
    fake.script(vec![
        hello(),
        Step::Hear,
        text(3, "one "),
        text(4, "two"),
        turn(5, json!({"type": "something_new"})),
        complete(6),
        Step::Hold,
    ]);
    let mut chat = Chat::new(open(&home, &fake).await);
    let id = ItemId::parse("CHAT-1").unwrap();
    let prompt = Prompt {
        message: "hi".into(),
        user: "dave".into(),
        id: Some(id.clone()),
        session: None,
        when_busy: WhenBusy::Auto,
        timeout_seconds: None,
    };
    assert_eq!(chat.prompt(prompt).await, id);
    let (mut said, mut connections) = (String::new(), 0);
    let status = loop {
        match chat.next().await.unwrap() {
            ChatEvent::Connected(_) => connections += 1,
            ChatEvent::Disconnected(_) => {}
            ChatEvent::Refused { message, .. } => panic!("{message}"),
            ChatEvent::Frame(frame) => match frame.event {
                TurnEvent::ResponseChunk { content, channel: Channel::Text } => said.push_str(&content),
                TurnEvent::ResponseComplete { status, .. } => break status,
                _ => {}
            },
        }
    };
    assert_eq!(
        (said.as_str(), status, connections, chat.is_open()),
        ("one two", Status::Completed, 3, false)
    );
    let frames: Vec<_> = fake.seen().into_iter().filter(|seen| seen.starts_with("frame ")).collect();
    assert!(frames[0].contains(r#""type":"prompt""#) && frames[1] == frames[0], "{frames:?}");
    assert_eq!(frames[2], r#"frame {"type":"attach","id":"CHAT-1","after":3}"#);
}
