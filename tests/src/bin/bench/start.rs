//! Starting, with nothing to do and with much, and stopping.

use crate::Bench;
use crate::bot::{ECHO, Nest};
use crate::process;
use crate::report::Figure;

/// Measures this section.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut figures = empty(bench).await?;
    figures.extend(full(bench, bench.times(10_000)).await?);
    figures.push(crowded(bench, bench.times(100_000)).await?);
    Ok(figures)
}

async fn empty(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let (mut new, mut known, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.times(20) {
        let nest = Nest::new(bench, ECHO)?;
        let agent = nest.start().await?;
        new.push(agent.ready_after);
        agent.stop()?;
        let agent = nest.start().await?;
        known.push(agent.ready_after);
        stopped.push(agent.stop()?);
    }
    Ok(vec![
        Figure::times("start → ready, new hive", new).at_most(20.0),
        Figure::times("start → ready, no tasks", known).at_most(20.0),
        Figure::times("SIGTERM → ended, no tasks", stopped),
    ])
}

async fn full(bench: &Bench, n: usize) -> anyhow::Result<Vec<Figure>> {
    let nest = Nest::new(bench, ECHO)?;
    nest.pause()?;
    nest.drop_tasks(n)?;
    let began = std::time::Instant::now();
    let agent = nest.start().await?;
    let first = agent.ready_after;
    agent.until_waiting(n).await?;
    let noted = began.elapsed();
    let memory = process::resident_mb(agent.pid())?;
    agent.stop()?;
    let (mut ready, mut stopped) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let agent = nest.start().await?;
        ready.push(agent.ready_after);
        agent.until_waiting(n).await?;
        stopped.push(agent.stop()?);
    }
    Ok(vec![
        Figure::times(format!("start → ready, {n} fresh files"), vec![first]),
        Figure::times(format!("start → all of {n} fresh files are in the queue"), vec![noted]),
        Figure::value(format!("resident memory, {n} tasks wait"), "MB", 1, memory),
        Figure::times(format!("start → ready, {n} known tasks wait"), ready).at_most(200.0),
        Figure::times(format!("SIGTERM → ended, {n} tasks wait"), stopped),
    ])
}

/// Many tasks that were dropped while the bot was down.
async fn crowded(bench: &Bench, n: usize) -> anyhow::Result<Figure> {
    let nest = Nest::new(bench, ECHO)?;
    nest.pause()?;
    nest.drop_tasks(n)?;
    let agent = nest.start().await?;
    agent.until_waiting(n).await?;
    let memory = process::resident_mb(agent.pid())?;
    Ok(Figure::value(format!("resident memory, {n} tasks wait"), "MB", 1, memory).at_most(100.0))
}
