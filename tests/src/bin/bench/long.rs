//! A timeline of a million entries beside one of a thousand: what is asked of it costs the same.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use hive_agent::store::{KeepTrying, Store};
use hive_shared::api::{Entry, TimelineQuery};
use hive_shared::time::Stamp;
use hive_shared::work::{Kind, Source, Status};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::Bench;
use crate::bot::{Agent, ECHO, Nest};
use crate::report::Figure;

/// How many entries a short timeline has.
const SHORT: usize = 1_000;
/// How many a long one has.
const LONG: usize = 1_000_000;
/// How many entries one commit holds while a timeline is filled.
const AT_ONCE: usize = 10_000;
/// One of how many failed.
const FAILED_ONE_OF: usize = 1_000;
/// How many words there are.
const WORDS: usize = 500;
/// A follower comes back after so many changes.
const MISSED: u64 = 10;

/// What is asked, of the short timeline and of the long one.
const ASKED: [[&str; 2]; 9] = [
    ["start → ready, 1,000 entries", "the same, a million entries"],
    ["the newest page of 100, 1,000 entries", "the same page, a million entries"],
    ["a page from the middle, 1,000 entries", "the same page from the middle, a million"],
    ["a page of what failed, 1,000 entries", "the same page of what failed, a million"],
    ["a page of a kind and a status, 1,000 entries", "the same page of both, a million"],
    ["a search for a word, 1,000 entries", "the same search, a million entries"],
    ["what changed after a late change, 1,000 entries", "the same changes, a million entries"],
    ["the same changes of a status, 1,000 entries", "the same of a status, a million entries"],
    ["a follower comes back → its snapshot, 1,000 entries", "the same follower, a million entries"],
];
/// What each is to take at the most, in milliseconds.
const GOALS: [f64; 9] = [50.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0];

/// Measures this section.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let short = ask(bench, SHORT).await?;
    let long = ask(bench, bench.times(LONG)).await?;
    let rows = ASKED.into_iter().zip(GOALS).zip(short.into_iter().zip(long));
    let figures = rows.flat_map(|(([name, same], goal), (short, long))| {
        [Figure::times(name, short).at_most(goal), Figure::times(same, long).within(2.0, name)]
    });
    Ok(figures.collect())
}

/// Asks a bot with so many entries for each of [`ASKED`].
async fn ask(bench: &Bench, entries: usize) -> anyhow::Result<Vec<Vec<Duration>>> {
    let nest = Nest::new(bench, ECHO)?;
    // It makes its ledger, so that it does not take the one that is there for a new one.
    nest.start().await?.stop()?;
    let last_seq = fill(&nest, entries)?;
    let mut starts = Vec::new();
    for _ in 0..5 {
        let agent = nest.start().await?;
        starts.push(agent.ready_after);
        agent.stop()?;
    }
    let agent = nest.start().await?;
    let page = || TimelineQuery { limit: Some(100), ..TimelineQuery::default() };
    let queries = [
        page(),
        TimelineQuery { before: Some(format!("k{}", entries / 2)), ..page() },
        TimelineQuery { status: Some(Status::Failed), limit: Some(1), ..page() },
        TimelineQuery { kind: Some(Kind::Task), status: Some(Status::Completed), ..page() },
        TimelineQuery { q: Some("word7".to_owned()), limit: Some(1), ..page() },
        TimelineQuery { after_seq: Some(last_seq - MISSED), ..page() },
        TimelineQuery { after_seq: Some(last_seq - MISSED), status: Some(Status::Completed), ..page() },
    ];
    let mut all = vec![starts];
    for query in queries {
        let mut times = Vec::new();
        for _ in 0..bench.times(100) {
            let begun = Instant::now();
            let found = agent.client.timeline(&query).await?;
            times.push(begun.elapsed());
            if found.entries.is_empty() {
                bail!("nothing was found: {query:?}");
            }
        }
        all.push(times);
    }
    let mut followers = Vec::new();
    for _ in 0..bench.times(50) {
        followers.push(follow(&nest, &agent, last_seq - MISSED).await?);
    }
    all.push(followers);
    Ok(all)
}

/// Puts so many tasks that have ended on the timeline, and returns the last change.
fn fill(nest: &Nest, entries: usize) -> anyhow::Result<u64> {
    let mut store = Store::open(&nest.hive.database(&nest.bot), Box::new(|_| KeepTrying::No))?;
    for number in 1..=entries {
        let status = if number % FAILED_ONE_OF == 0 { Status::Failed } else { Status::Completed };
        let content =
            format!("Task {number} is done; word{} and word{} were seen.", number % 7, number % WORDS);
        let id = format!("TASK-{number:07}");
        let entry = Entry::new(nest.bot.clone(), id, Source::File, Kind::Task, status, Stamp::now());
        store.put_entry(Entry { title: Some(format!("Task {number}")), content, ..entry }, true)?;
        if number % AT_ONCE == 0 {
            store.commit()?;
        }
    }
    store.commit()?;
    Ok(store.seq())
}

/// How long a follower that has seen `after` waits for its snapshot.
async fn follow(nest: &Nest, agent: &Agent, after: u64) -> anyhow::Result<Duration> {
    let url = agent.client.endpoint().url();
    let address = url.trim_start_matches("http");
    let mut request =
        format!("ws{address}/ws/bot/{}/timeline?after_seq={after}", nest.bot).into_client_request()?;
    let token = std::fs::read_to_string(nest.hive.token(&nest.bot))?;
    request.headers_mut().insert("authorization", format!("Bearer {}", token.trim()).parse()?);
    let begun = Instant::now();
    let (mut socket, _) = connect_async(request).await?;
    let frame = socket.next().await.context("the follower was cut")??;
    let took = begun.elapsed();
    if !frame.to_text()?.contains("timeline_snapshot") {
        bail!("no snapshot: {frame}");
    }
    Ok(took)
}
