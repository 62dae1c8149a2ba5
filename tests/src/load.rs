//! More work, and more listeners, than a bot has on a usual day (SPEC 12).

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use hive_shared::ids::ItemId;
use hive_shared::response;
use hive_shared::time::Stamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::agent::Agent;
use crate::chat::ChatSocket;
use crate::follow::Follow;
use crate::hive::Hive;

/// The time between an answer and the next prompt.
const THINKS: Duration = Duration::from_millis(20);

/// What came of files that were dropped at once.
#[derive(Debug)]
pub struct Dropped {
    /// From the first file to the last end.
    pub took: Duration,
    /// See [`Agent::peak_memory_mb`].
    pub peak_memory_mb: f64,
    /// How long each of the prompts meanwhile took to be answered, the longest last.
    pub answers: Vec<Duration>,
    /// How many files were noticed before one that was dropped before them. A flood that is too large to be told file
    /// by file is found by a full scan, which those that come meanwhile do not wait for.
    pub overtook: usize,
}

/// Drops so many task files at once into the directory of a bot that echoes them, and chats with it meanwhile.
///
/// # Panics
///
/// If one is lost, or starts before one that was noticed before it, or while a prompt waits.
pub async fn dropped_at_once(files: usize) -> Dropped {
    let hive = Hive::echo(0, "chat_linger = 0");
    let agent = Agent::start(&hive).await;
    let aside = hive.root().join("aside");
    fs::create_dir(&aside).expect("a directory can be made");
    let names: Vec<String> = (0..files).map(|n| format!("LOAD-{n:06}")).collect();
    for name in &names {
        fs::write(aside.join(name), format!("the task {name}")).expect("a file can be written");
    }
    let begun = Instant::now();
    for name in &names {
        let file = hive.tasks().join(format!("{name}.md"));
        fs::rename(aside.join(name), file).expect("a file can be renamed in");
    }
    let mut chat = agent.chat().await;
    let mut answers = Vec::new();
    while completed(&agent).await < (files + answers.len()) as u64 {
        let asked = Instant::now();
        let id = format!("CHAT-{}", answers.len());
        chat.prompt(&id, &format!("hello {id}")).await;
        assert_eq!(chat.turn(&id).await.text(), format!("hello {id}"));
        answers.push(asked.elapsed());
        sleep(THINKS).await;
    }
    let took = begun.elapsed();
    let arrivals = arrivals(&agent).await;
    assert_eq!(arrivals.iter().collect::<BTreeSet<_>>(), names.iter().collect());
    are_in_order(&agent, &arrivals, answers.len()).await;
    answers.sort_unstable();
    let overtook = arrivals.windows(2).filter(|pair| pair[0] > pair[1]).count();
    Dropped { took, peak_memory_mb: agent.peak_memory_mb(), answers, overtook }
}

async fn completed(agent: &Agent) -> u64 {
    agent.api().status().await["counts"]["completed"].as_u64().expect("a number")
}

/// The tasks in the order in which the bot noticed them.
async fn arrivals(agent: &Agent) -> Vec<String> {
    let mut arrived = Vec::new();
    let mut after = 0;
    loop {
        let page = agent.api().get(&format!("timeline?kind=task&after_seq={after}&limit=1000")).await.ok();
        for entry in page["entries"].as_array().expect("a list") {
            arrived.push((text(&entry["timestamp"]), text(&entry["entry_id"])));
        }
        if page["has_more"] == false {
            break;
        }
        after = page["last_seq"].as_u64().expect("a number");
    }
    arrived.sort_unstable();
    arrived.into_iter().map(|(_, id)| id).collect()
}

/// Each started after the one before it, and none while a prompt waited.
async fn are_in_order(agent: &Agent, names: &[String], prompts: usize) {
    let mut starts = BTreeSet::new();
    for name in names {
        let (started, text) = start_and_text(agent.hive(), name);
        assert_eq!(text, format!("the task {name}"));
        assert!(starts.last().is_none_or(|last| *last < started), "{name} is out of its turn");
        starts.insert(started);
    }
    for n in 0..prompts {
        let id = format!("CHAT-{n}");
        let prompted = agent.api().task(&id).await["created"].clone();
        let prompted: Stamp = serde_json::from_value(prompted).expect("a time");
        let (started, _) = start_and_text(agent.hive(), &id);
        assert_eq!(starts.range(prompted..started).next(), None, "a task started while {id} waited");
    }
}

fn start_and_text(hive: &Hive, id: &str) -> (Stamp, String) {
    let name = hive_shared::paths::Hive::response_name(&ItemId::parse(id).expect("a good id"));
    let document = fs::read_to_string(hive.paths().responses().join(name)).expect("what ended is answered");
    let (header, text) = response::read(&document).expect("it is a response");
    (header.started_at.expect("it was started"), text.to_owned())
}

/// What came of a crowd.
#[derive(Debug)]
pub struct Heard {
    /// From the first event to the last follower who knows of it.
    pub took: Duration,
    /// See [`Agent::peak_memory_mb`].
    pub peak_memory_mb: f64,
}

/// Has so many follow the timeline and so many chat while as many tasks as `events` run; every third of each kind does
/// not read what it is sent until all is over.
///
/// # Panics
///
/// If anybody misses anything.
pub async fn heard_by_a_crowd(followers: usize, chats: usize, events: usize) -> Heard {
    let hive = Hive::echo(0, "chat_linger = 0\n");
    let agent = Agent::start(&hive).await;
    let mut stalled = Vec::new();
    let mut reading = JoinSet::new();
    for n in 0..followers {
        let follow = agent.follow("after_seq=0").await;
        if n % 3 == 0 {
            stalled.push(follow);
        } else {
            reading.spawn(follows(follow, events));
        }
    }
    let begun = Instant::now();
    let mut deaf = Vec::new();
    let mut talking = JoinSet::new();
    for n in 0..chats {
        let mut chat = agent.chat().await;
        let id = format!("CHAT-{n}");
        chat.prompt(&id, &"much to say ".repeat(10_000)).await;
        // Before that it does not count among those that wait.
        chat.accepted(&id).await;
        if n % 3 == 0 {
            deaf.push((n, chat));
        } else {
            talking.spawn(hears(chat, n));
        }
        // No more than there is room for in the bot's queue.
        if n % 50 == 49 {
            agent.api().until_status("prompts are answered", |status| status["queue"]["chat"] == 0).await;
        }
    }
    for n in 0..events {
        hive.drop_task(&format!("EVENT-{n}.md"), "something to read ".repeat(100));
    }
    while let Some(done) = reading.join_next().await {
        done.expect("it missed nothing");
    }
    let took = begun.elapsed();
    while let Some(done) = talking.join_next().await {
        done.expect("it heard everything");
    }
    let peak_memory_mb = agent.peak_memory_mb();
    for follow in stalled {
        Box::pin(catches_up(&agent, follow, events)).await;
    }
    for (n, chat) in deaf {
        Box::pin(hears_in_the_end(&agent, chat, n)).await;
    }
    Heard { took, peak_memory_mb }
}

/// What a follower knows. Nothing is told twice.
struct Known {
    seq: u64,
    done: BTreeSet<String>,
}

impl Known {
    fn from(follow: &Follow) -> Self {
        let seq = follow.snapshot["last_seq"].as_u64().expect("a number");
        Self { seq, done: BTreeSet::new() }
    }

    fn take(&mut self, entry: &Value) {
        if let Some(next) = entry["seq"].as_u64() {
            assert!(next > self.seq, "told after {}: {entry}", self.seq);
            self.seq = next;
        }
        if entry["kind"] == "task" && entry["status"] == "completed" {
            assert_eq!(entry["content"].as_str().map(str::len), Some(1_800));
            assert!(self.done.insert(text(&entry["entry_id"])), "told twice: {entry}");
        }
    }
}

/// Reads on until all tasks are known to be completed.
async fn follows(mut follow: Follow, events: usize) {
    let mut known = Known::from(&follow);
    while known.done.len() < events {
        let frame = follow.next().await.expect("the socket is open");
        known.take(&frame["entry"]);
    }
}

/// The same for one that did not read for so long that the bot may have closed its connection: it comes back.
async fn catches_up(agent: &Agent, mut follow: Follow, events: usize) {
    let mut known = Known::from(&follow);
    while known.done.len() < events {
        if let Some(frame) = follow.next().await {
            known.take(&frame["entry"]);
        } else {
            follow = agent.follow(&format!("after_seq={}", known.seq)).await;
            for entry in follow.snapshot["entries"].as_array().expect("a list") {
                known.take(entry);
            }
        }
    }
}

async fn hears(mut chat: ChatSocket, n: usize) {
    let turn = chat.turn(&format!("CHAT-{n}")).await;
    assert_eq!((turn.text().len(), turn.complete()["status"].as_str()), (120_000, Some("completed")));
}

/// The same for one that did not listen for so long that the bot may have closed its connection: it comes back.
async fn hears_in_the_end(agent: &Agent, mut chat: ChatSocket, n: usize) {
    let id = format!("CHAT-{n}");
    let (mut said, mut seen) = (String::new(), 0);
    loop {
        let Some(frame) = chat.next_if_open().await else {
            chat = agent.chat().await;
            chat.send(json!({"type": "attach", "id": id, "after": seen})).await;
            continue;
        };
        seen = frame["n"].as_u64().unwrap_or(seen);
        match frame["type"].as_str() {
            Some("response_chunk") => said.push_str(&text(&frame["content"])),
            Some("notice") if frame["code"] == "replayed" => said.clear(),
            Some("response_complete") => {
                assert_eq!((said.len(), &frame["status"]), (120_000, &json!("completed")));
                return;
            }
            _ => assert_ne!(frame["type"], "error", "{frame}"),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}
