//! What an agent streams: from its process through the adapter and the store to the socket of a chat.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hive_shared::chat::TurnEvent;
use hive_shared::client::ChatEvent;

use crate::Bench;
use crate::bot::{Nest, exec};
use crate::chat::{connected, prompt};
use crate::report::Figure;

/// The word that makes this program an agent that says much.
const SOURCE: &str = "--source";
/// More than is ever said.
const ROOM: usize = 1 << 30;

/// With `--source SIZE COUNT` this program writes so many chunks of so many bytes to stdout, each in a call of its own.
/// Nothing if it was called for anything else.
pub(crate) fn as_source() -> Option<anyhow::Result<()>> {
    let mut args = std::env::args().skip(1);
    if args.next()? != SOURCE {
        return None;
    }
    let mut number = || args.next().and_then(|text| text.parse().ok());
    let (size, count) = (number(), number());
    Some(size.zip(count).context("--source needs two numbers").and_then(|(size, count)| say(size, count)))
}

fn say(size: usize, count: usize) -> anyhow::Result<()> {
    let mut line = vec![b'x'; size];
    if let Some(last) = line.last_mut() {
        *last = b'\n';
    }
    let mut stdout = io::stdout().lock();
    for _ in 0..count {
        stdout.write_all(&line)?;
        stdout.flush()?;
    }
    Ok(())
}

/// Measures this section.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let (small, large) = (bench.times(1_000_000), bench.times(16 * 1024));
    let took = streamed(bench, 64, small).await?;
    let rate = Figure::rate("stream: chunks of 64 bytes, exec → chat", small, took);
    let took = streamed(bench, 16 * 1024, large).await?;
    #[expect(clippy::cast_precision_loss, reason = "they are some thousands")]
    let megabytes = (large * 16 * 1024) as f64 / 1e6;
    let flow = megabytes / took.as_secs_f64();
    Ok(vec![
        rate.at_least(100_000.0),
        Figure::value("stream: chunks of 16 KiB, exec → chat", "MB/s", large, flow).at_least(200.0),
    ])
}

/// From the first to the last of these chunks, as a client has them.
async fn streamed(bench: &Bench, size: usize, count: usize) -> anyhow::Result<Duration> {
    let own = bench.programs.own.to_string_lossy();
    let command = exec(&[&own, SOURCE, &size.to_string(), &count.to_string()]);
    let nest = Nest::new(bench, &format!("max_output = {ROOM}\n{command}"))?;
    let agent = nest.start().await?;
    let mut chat = connected(&agent.client).await?;
    let id = chat.prompt(prompt()).await;
    let (mut began, mut last, mut bytes) = (None, None, 0);
    loop {
        let ChatEvent::Frame(frame) = chat.next().await? else { bail!("the chat was cut or refused") };
        match frame.event {
            TurnEvent::ResponseChunk { content, .. } if frame.id == id => {
                bytes += content.len();
                let now = Instant::now();
                began.get_or_insert(now);
                last = Some(now);
            }
            TurnEvent::ResponseComplete { error: Some(error), .. } => bail!("the answer failed: {error}"),
            TurnEvent::ResponseComplete { .. } => break,
            _ => {}
        }
    }
    match began.zip(last) {
        Some((began, last)) if bytes == size * count => Ok(last - began),
        _ => bail!("{bytes} of {} bytes came", size * count),
    }
}
