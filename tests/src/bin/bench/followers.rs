//! Many who follow the timeline at once.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use futures::future::try_join_all;
use hive_shared::api::{FollowFrame, SubmitRequest};
use hive_shared::ids::ItemId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, interval_at};
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::Bench;
use crate::bare::Server;
use crate::bot::{ECHO, Nest};
use crate::clock;
use crate::report::Figure;

/// How many there are.
pub(crate) const FOLLOWERS: usize = 1000;
/// Of how many one looks at the clock: to read each frame of all would cost more than to send it.
const ONE_OF: usize = 20;
/// How often something happens.
pub(crate) const EVERY: Duration = Duration::from_millis(10);

/// What they cost without us.
const BARE: &str = "bare axum: frames at that rate → each of them: the slowest of a hundred";

/// Measures this section.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let ours =
        Figure::times(format!("100 events a second → each of {FOLLOWERS} followers"), ours(bench).await?);
    let bare = Figure::times(BARE, bare(bench).await?).worst();
    let worst = ours.clone().named("the same: the slowest of a hundred").worst().at_most(50.0);
    Ok(vec![ours, worst, bare])
}

async fn ours(bench: &Bench) -> anyhow::Result<Vec<Duration>> {
    let nest = Nest::new(bench, ECHO)?;
    nest.pause()?;
    let agent = nest.start().await?;
    let events = bench.times(500);
    let token = fs::read_to_string(nest.hive.token(&nest.bot))?;
    let url = format!("{}/ws/bot/{}/timeline", agent.client.endpoint().url(), nest.bot);
    let url = url.replacen("http", "ws", 1);
    let (followers, mut readies) = start(url, token.trim().to_owned(), events);
    for _ in 0..FOLLOWERS {
        if readies.recv().await.is_none() {
            break;
        }
    }
    let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
    for number in 0..events {
        ticks.tick().await;
        let id = ItemId::parse(&event(number))?;
        let request = SubmitRequest { instruction: "Wait.".into(), id: Some(id), ..SubmitRequest::default() };
        let _submitted = agent.client.submit(&request).await?;
    }
    join(followers).await
}

/// Frames of the same size at the same rate, from a server that does nothing else.
async fn bare(bench: &Bench) -> anyhow::Result<Vec<Duration>> {
    let events = bench.times(500);
    let server = Server::start(bench, events)?;
    let (followers, _readies) = start(server.url("/follow"), "none".to_owned(), events);
    join(followers).await
}

type Followers = thread::JoinHandle<anyhow::Result<Vec<Duration>>>;

/// Followers in a thread of their own, as they must not wait for the one who makes things happen; and who is ready.
fn start(url: String, token: String, events: usize) -> (Followers, UnboundedReceiver<()>) {
    let (ready, readies) = unbounded_channel();
    let followers = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let each = (0..FOLLOWERS).map(|number| follow(&url, &token, number, events, ready.clone()));
        Ok(runtime.block_on(try_join_all(each))?.concat())
    });
    (followers, readies)
}

async fn join(followers: Followers) -> anyhow::Result<Vec<Duration>> {
    let Ok(delays) = tokio::task::spawn_blocking(|| followers.join()).await? else {
        bail!("the followers' thread panicked")
    };
    delays
}

/// The id of an event.
pub(crate) fn event(number: usize) -> String {
    format!("EVENT-{number:05}")
}

/// Follows until the last event, and tells how late each was, if it is one of those that look.
async fn follow(
    url: &str,
    token: &str,
    number: usize,
    events: usize,
    ready: UnboundedSender<()>,
) -> anyhow::Result<Vec<Duration>> {
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
    let (mut socket, _) = connect_async_with_config(request, None, true).await?;
    let last = format!(r#""entry_id":"{}""#, event(events - 1));
    let mut delays = Vec::new();
    loop {
        let message = socket.next().await.context("a follower was cut")??;
        let Message::Text(text) = message else { continue };
        if text.contains("timeline_snapshot") {
            // Who wants to know may have gone on.
            let _ = ready.send(());
        } else if number.is_multiple_of(ONE_OF)
            && let FollowFrame::EntryAdded { entry } = serde_json::from_str(&text)?
            && entry.entry_id.starts_with("EVENT-")
        {
            delays.push(clock::since(entry.updated_at));
        }
        if text.contains(&last) {
            return Ok(delays);
        }
    }
}
