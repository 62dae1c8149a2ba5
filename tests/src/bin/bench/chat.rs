//! Chat: how soon a person sees the first words of an answer.

use std::time::{Duration, Instant};

use anyhow::bail;
use hive_shared::api::SubmitRequest;
use hive_shared::chat::{Prompt, TurnEvent};
use hive_shared::client::{Chat, ChatEvent, Client};
use hive_shared::work::{Source, WhenBusy};
use tokio::time::sleep;

use crate::Bench;
use crate::bare;
use crate::bot::{ECHO, Nest, exec, until};
use crate::report::Figure;

/// The name of the figure that ours is to be near to.
const BARE_ECHO: &str = "bare axum WebSocket echo";

/// Between two prompts that come one after the other.
const BREATH: Duration = Duration::from_millis(5);
/// Until all that an answer left to be done later is done.
const REST: Duration = Duration::from_secs(3);

/// An agent that works for ever on a task that begins with "work", and answers anything else at once.
const WORKER: &[&str] =
    &["sh", "-c", "read -r line; case $line in work*) while :; do sleep 1; done;; *) echo \"$line\";; esac"];

/// Measures this section.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let bare = bare::round_trips(bench, BREATH, bench.times(200), false).await?;
    let on_record = bare::round_trips(bench, BREATH, bench.times(200), true).await?;
    let [first, complete] = idle(bench, ECHO, BREATH, bench.times(200)).await?;
    let mut figures = vec![
        Figure::times(BARE_ECHO, bare),
        Figure::times("the same, each message committed to SQLite before", on_record),
        Figure::times("prompt → first chunk, idle bot, echo", first.clone()).at_most(1.0),
        Figure::times("the same, beside the bare echo", first).within(3.0, BARE_ECHO),
        Figure::times("prompt → complete, idle bot, echo", complete),
    ];
    let bare = bare::round_trips(bench, REST, bench.times(20), true).await?;
    let [rested, _] = idle(bench, ECHO, REST, bench.times(20)).await?;
    figures.extend([
        Figure::times("bare echo with a commit, after three seconds of rest", bare),
        Figure::times("prompt → first chunk, after three seconds of rest, echo", rested).at_most(1.0),
    ]);
    let [first, _] = idle(bench, &exec(WORKER), BREATH, bench.times(50)).await?;
    figures.push(Figure::times("prompt → first chunk, idle bot, exec of sh", first));
    let first = preempting(bench, bench.times(20)).await?;
    figures.push(Figure::times("prompt → first chunk, preempting a task, exec of sh", first).at_most(5.0));
    Ok(figures)
}

async fn idle(bench: &Bench, settings: &str, rest: Duration, n: usize) -> anyhow::Result<[Vec<Duration>; 2]> {
    let nest = Nest::new(bench, settings)?;
    let agent = nest.start().await?;
    let mut chat = connected(&agent.client).await?;
    let (mut first, mut complete) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let answered = ask(&mut chat, prompt()).await?;
        first.push(answered.first);
        complete.push(answered.complete);
        sleep(rest).await;
    }
    Ok([first, complete])
}

async fn preempting(bench: &Bench, n: usize) -> anyhow::Result<Vec<Duration>> {
    let settings = "preempt_grace = 0\nmax_preemptions = 1000000\nchat_linger = 0\n";
    let nest = Nest::new(bench, &format!("{settings}{}", exec(WORKER)))?;
    let agent = nest.start().await?;
    let request = SubmitRequest { instruction: "work".to_owned(), ..SubmitRequest::default() };
    let _submitted = agent.client.submit(&request).await?;
    let mut chat = connected(&agent.client).await?;
    let mut first = Vec::new();
    for _ in 0..n {
        until("the task to hold the slot", async || {
            let current = agent.client.status().await?.current;
            Ok(current.is_some_and(|current| current.source == Source::File))
        })
        .await?;
        // It is to be in the midst of its work, not at its start.
        sleep(Duration::from_millis(100)).await;
        first.push(ask(&mut chat, prompt()).await?.first);
    }
    let suspended = agent.client.status().await?;
    if suspended.counts.failed > 0 {
        bail!("the task did not survive");
    }
    Ok(first)
}

/// A chat whose connection stands.
pub(crate) async fn connected(client: &Client) -> anyhow::Result<Chat> {
    let mut chat = Chat::new(client.clone());
    match chat.next().await? {
        ChatEvent::Connected(_) => Ok(chat),
        other => bail!("instead of a connection there was {other:?}"),
    }
}

/// How long an answer took.
pub(crate) struct Answered {
    /// Until its first words were there.
    pub(crate) first: Duration,
    /// Until all was there.
    pub(crate) complete: Duration,
}

/// What a person says.
pub(crate) fn prompt() -> Prompt {
    Prompt {
        message: "How is it going?".to_owned(),
        user: "bench".to_owned(),
        id: None,
        session: None,
        when_busy: WhenBusy::Auto,
        timeout_seconds: None,
    }
}

/// Says it, and listens until it is answered.
pub(crate) async fn ask(chat: &mut Chat, prompt: Prompt) -> anyhow::Result<Answered> {
    let began = Instant::now();
    let id = chat.prompt(prompt).await;
    let mut first = None;
    loop {
        let ChatEvent::Frame(frame) = chat.next().await? else { bail!("the chat was cut or refused") };
        if frame.id != id {
            continue;
        }
        if let TurnEvent::ResponseChunk { .. } = &frame.event {
            first.get_or_insert_with(|| began.elapsed());
        }
        if let TurnEvent::ResponseComplete { success, error, .. } = &frame.event {
            match first {
                Some(first) if *success => return Ok(Answered { first, complete: began.elapsed() }),
                _ => bail!("a prompt had no good answer: {error:?}"),
            }
        }
    }
}
