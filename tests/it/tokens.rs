//! A token that is changed while the bot runs (SPEC 9): the new one counts at once and the old one no more, and those who
//! may know the new one lose nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use futures::{SinkExt as _, StreamExt as _};
use hive_shared::chat::{Prompt, TurnEvent};
use hive_shared::client::{Chat, ChatEvent, Client, Endpoint, Locator, Token};
use hive_shared::work::WhenBusy;
use hive_tests::{Agent, DEADLINE, Hive, control, ctl, finish, http_client, upgrade};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::hivectl::next_entry;
use crate::scripts::AGENT;

const SOCKETS: [&str; 2] = ["/ws/bot/BOT-002/prompt", "/ws/bot/BOT-002/timeline"];

/// A token that can be told from others by its number.
fn token(number: u32) -> String {
    format!("token-{number:02}-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
}

/// Replaces the token's file as README says.
fn replace(hive: &Hive, token: &str) {
    let path = hive.paths().token(hive.bot());
    let aside = path.with_extension("new");
    fs::write(&aside, token).expect("a file can be written");
    fs::set_permissions(&aside, Permissions::from_mode(0o600)).expect("it is ours");
    fs::rename(aside, path).expect("it can be replaced");
}

/// With which HTTP status the bot answers who comes with this token.
async fn status_for(agent: &Agent, token: &str) -> u16 {
    let url = format!("{}/api/bot/BOT-002/status", agent.record().url);
    let answer = http_client().get(url).bearer_auth(token).send().await;
    answer.expect("an answer").status().as_u16()
}

/// Whether a socket is opened to who comes with this token, in a header and as a sub-protocol.
async fn is_let_in(agent: &Agent, token: &str) -> bool {
    let ways = [("Authorization", format!("Bearer {token}"))]
        .into_iter()
        .chain([("Sec-WebSocket-Protocol", format!("hive.v1, hive.bearer.{token}"))]);
    let mut verdicts = Vec::new();
    for (name, value) in ways {
        for path in SOCKETS {
            verdicts.push(upgrade(agent.address(), path, &[(name, &value)]).await.map(drop));
        }
    }
    assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{verdicts:?}");
    assert!([Ok(()), Err(401)].contains(&verdicts[0]));
    verdicts[0].is_ok()
}

#[tokio::test]
async fn the_new_one_counts_at_once_and_the_old_one_no_more() {
    let hive = Hive::echo(0, "");
    let mut agent = Agent::start(&hive).await;
    let mut old = agent.token();
    for number in 0..20 {
        let new = token(number);
        if number % 2 == 0 {
            replace(&hive, &new);
        } else {
            // In place, as an editor or a shell does.
            fs::write(hive.paths().token(hive.bot()), format!("{new}\n")).expect("it is ours");
        }
        // The old one first: it is not the new one's coming that makes it worthless.
        assert_eq!(status_for(&agent, &old).await, 401, "{number}");
        assert_eq!(status_for(&agent, &new).await, 200, "{number}");
        old = new;
    }
    let new = token(99);
    replace(&hive, &new);
    assert!(!is_let_in(&agent, &old).await);
    assert!(is_let_in(&agent, &new).await);
    // It is the same in the next life, and nobody has told it to the log.
    agent.terminate();
    let exit = agent.ended().await;
    assert!(exit.stderr.contains("the token was changed"), "{}", exit.stderr);
    assert!(!exit.stderr.contains("token-"), "{}", exit.stderr);
    let agent = Agent::start(&hive).await;
    assert_eq!((status_for(&agent, &new).await, status_for(&agent, &old).await), (200, 401));
}

#[tokio::test]
async fn who_came_with_the_old_one_has_to_leave() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let authorization = format!("Bearer {}", agent.token());
    let mut sockets = Vec::new();
    for path in SOCKETS {
        let opened = upgrade(agent.address(), path, &[("Authorization", &authorization)]).await;
        sockets.push((path, opened.expect("it is let in").0));
    }
    replace(&hive, &token(1));
    // What is said with the old token is not heard, however soon. It may be closed already.
    let prompt = json!({"type": "prompt", "id": "CHAT-1", "message": "hello", "user": "dave"});
    let _ = sockets[0].1.send(Message::text(prompt.to_string())).await;
    for (path, socket) in &mut sockets {
        let closed = timeout(DEADLINE, async {
            loop {
                match socket.next().await.expect("it says why it closes") {
                    Ok(Message::Close(frame)) => return frame.expect("a reason"),
                    Ok(Message::Text(text)) => assert!(!text.contains("CHAT-1"), "{path}: {text}"),
                    Ok(_) => {}
                    Err(error) => panic!("{path}: {error}"),
                }
            }
        });
        let closed = closed.await.expect("it is closed in time");
        assert_eq!(
            (u16::from(closed.code), closed.reason.as_str()),
            (1008, "the token was changed"),
            "{path}"
        );
        assert!(matches!(socket.next().await, None | Some(Err(Error::ConnectionClosed))), "{path}");
    }
    assert_eq!(agent.api().get("tasks?all=true").await.ok()["total"], 0);
    // Those who came with the new one stay.
    let (mut chat, mut follow) = (agent.chat().await, agent.follow("").await);
    replace(&hive, &token(1));
    chat.prompt("CHAT-2", "hello").await;
    assert_eq!(chat.turn("CHAT-2").await.text(), "hello");
    follow.next_that(|frame| frame["entry"]["entry_id"] == "CHAT-2").await;
}

#[tokio::test]
async fn a_file_that_cannot_be_believed_changes_nothing() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let known = agent.token();
    let path = hive.paths().token(hive.bot());
    let mut chat = agent.chat().await;

    fs::remove_file(&path).unwrap();
    assert_eq!(status_for(&agent, &known).await, 200);
    assert!(agent.stderr().contains("the token's file is gone"), "{}", agent.stderr());

    fs::write(&path, token(1)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert_eq!((status_for(&agent, &known).await, status_for(&agent, &token(1)).await), (200, 401));
    assert!(agent.stderr().contains("others may have read"), "{}", agent.stderr());
    // Nor does hivectl send it.
    let refused = ctl(&hive, &["status", "BOT-002"]).await;
    assert!(refused.exit != 0 && refused.err.contains("0600"), "{refused:?}");

    replace(&hive, "short");
    assert_eq!((status_for(&agent, &known).await, status_for(&agent, "short").await), (200, 401));

    let elsewhere = hive.root().join("elsewhere");
    fs::write(&elsewhere, token(2)).unwrap();
    fs::set_permissions(&elsewhere, Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert_eq!((status_for(&agent, &known).await, status_for(&agent, &token(2)).await), (200, 401));

    // Through all of this, who was there has stayed.
    chat.prompt("CHAT-1", "hello").await;
    assert_eq!(chat.turn("CHAT-1").await.text(), "hello");
    assert_eq!(agent.stderr().matches("the token's file is gone").count(), 1, "it is said once");

    replace(&hive, &token(3));
    assert_eq!((status_for(&agent, &known).await, status_for(&agent, &token(3)).await), (401, 200));
}

#[tokio::test]
async fn a_chat_misses_nothing_whatever_becomes_of_the_token() {
    let hive = Hive::echo(10, "disconnect_grace = 15");
    let agent = Agent::start(&hive).await;
    let client = Client::open(&Locator::hive(hive.paths().clone()), hive.bot()).await.unwrap();
    let mut chat = Chat::new(client.clone());
    let words = "word ".repeat(90);
    let prompt = Prompt {
        message: words.clone(),
        user: "dave".to_owned(),
        id: None,
        session: None,
        when_busy: WhenBusy::default(),
        timeout_seconds: None,
    };
    chat.prompt(prompt).await;
    let (mut numbers, mut text, mut lost) = (Vec::new(), String::new(), 0);
    loop {
        match timeout(DEADLINE, chat.next()).await.expect("something happens").expect("it goes on") {
            ChatEvent::Frame(frame) => {
                numbers.push(frame.n);
                match frame.event {
                    TurnEvent::ResponseChunk { content, .. } => {
                        text += &content;
                        if numbers.len() % 20 == 0 {
                            replace(&hive, &token(u32::try_from(numbers.len()).unwrap()));
                            // Somebody comes, and the bot notices.
                            client.status().await.expect("a client has the new token");
                        }
                    }
                    TurnEvent::ResponseComplete { success, .. } => break assert!(success),
                    _ => {}
                }
            }
            ChatEvent::Disconnected(reason) => {
                assert_eq!(reason, "the token was changed");
                lost += 1;
            }
            ChatEvent::Connected(_) => {}
            refused @ ChatEvent::Refused { .. } => panic!("{refused:?}"),
        }
    }
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(text, words);
    assert!(lost > 0, "it was there all the time");
    drop(agent);
}

#[tokio::test]
async fn hivectl_goes_on_with_the_new_one() {
    let hive = Hive::exec(AGENT, "disconnect_grace = 15");
    let agent = Agent::start(&hive).await;
    let url = agent.record().url.clone();
    let file = hive.paths().token(hive.bot()).display().to_string();
    let remote = ["--url", &url, "--token-file", &file];
    let start = |more: &[&str]| control(&hive, more).spawn().expect("hivectl can be started");
    let mut followers = Vec::new();
    for at in [&[][..], &remote] {
        let mut follower = start(&[&["timeline", "-f", "-o", "ndjson"], at].concat());
        let mut lines = BufReader::new(follower.stdout.take().expect("a pipe")).lines();
        next_entry(&mut lines).await;
        followers.push((follower, lines));
    }
    let ask = start(&["ask", "BOT-002", "hold", "-q"]);
    agent.api().until_status("it answers", |status| status["current"]["source"] == "chat").await;
    let submit = start(&[&["submit", "BOT-002", "hello", "--id", "T1", "--wait"][..], &remote].concat());
    agent
        .api()
        .until("the task is there", async || {
            (agent.api().get("tasks").await.ok()["total"] == 1).then_some(())
        })
        .await;

    replace(&hive, &token(1));
    assert_eq!(status_for(&agent, &token(1)).await, 200);
    hive.touch("go");
    for (child, text) in [(ask, "begun\ndone\n"), (submit, "T1")] {
        let ran = timeout(DEADLINE, finish(child)).await.expect("it ends").expect(0);
        assert!(ran.out.trim_end() == text.trim_end(), "{ran:?}");
    }
    for (_follower, lines) in &mut followers {
        while {
            let entry = next_entry(lines).await;
            entry["entry_id"] != "T1" || entry["status"] != "completed"
        } {}
    }
}

#[tokio::test]
async fn a_token_that_came_from_no_file_is_refused_for_good() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let endpoint =
        |token: Token| Locator::Remote(Endpoint::remote(&agent.record().url, token, None).unwrap());
    let given = Client::open(&endpoint(Token::new(&agent.token()).unwrap()), hive.bot()).await.unwrap();
    let file = hive.paths().token(hive.bot());
    let read = Client::open(&endpoint(Token::read(&file).unwrap()), hive.bot()).await.unwrap();
    let copy = read.clone();
    replace(&hive, &token(1));
    assert!(given.status().await.unwrap_err().to_string().starts_with("not authorised"));
    assert!(read.status().await.is_ok());
    // What one has found out, its copies know.
    fs::remove_file(&file).unwrap();
    assert!(copy.status().await.is_ok());
    let ran = finish(
        control(&hive, &["status", "BOT-002", "--url", &agent.record().url])
            .env("HIVE_TOKEN", "wrong")
            .spawn()
            .unwrap(),
    );
    assert_eq!(ran.await.exit, 8);
}
