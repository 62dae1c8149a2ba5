//! What a bot costs that has nothing to do.

use std::time::Duration;

use tokio::time::sleep;

use crate::Bench;
use crate::bot::{ECHO, Nest, until};
use crate::process;
use crate::report::Figure;

/// After work, until the last sync, checkpoint and look at the directory are over.
const SETTLE: Duration = Duration::from_secs(4);
/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(5);

/// Measures this section.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let nest = Nest::new(bench, ECHO)?;
    let agent = nest.start().await?;
    let tasks = bench.times(1000);
    nest.drop_tasks(tasks)?;
    until("all responses", async || Ok(nest.responses()? == tasks)).await?;
    sleep(SETTLE).await;
    let before = process::threads(agent.pid())?;
    sleep(WATCHED).await;
    let after = process::threads(agent.pid())?;
    let cpu = after.cpu.saturating_sub(before.cpu);
    let wakes = (after.sleeps - before.sleeps) / WATCHED.as_secs_f64();
    let done = format!("after {tasks} tasks");
    Ok(vec![
        Figure::value(format!("idle {done}: resident memory"), "MB", 1, process::resident_mb(agent.pid())?)
            .at_most(15.0),
        Figure::value(
            "the same without the program itself, which all bots share",
            "MB",
            1,
            process::own_mb(agent.pid())?,
        ),
        Figure::value("idle: processor time in 5 s", "ms", 1, cpu.as_secs_f64() * 1e3),
        Figure::value("idle: wake-ups", "/s", 1, wakes).at_most(1.0),
    ])
}
