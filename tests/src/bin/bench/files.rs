//! File tasks: how soon they start, and how many get done.

use std::time::{Duration, Instant};

use hive_shared::api::SubmitRequest;
use hive_shared::ids::ItemId;
use tokio::time::sleep;

use crate::Bench;
use crate::bot::{ECHO, Nest, exec};
use crate::clock::{self, STAMP};
use crate::process;
use crate::report::Figure;

/// Names of figures that those of other programs stand beside.
pub(crate) const DROPPED_RUNS: &str = "file dropped → process runs";
pub(crate) const NO_OPS: &str = "exec, `true`: tasks drained";

/// Between two tasks of which each is to find the bot idle.
const REST: Duration = Duration::from_millis(20);

/// Measures this section.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut figures = dropped(bench).await?;
    figures.extend(posted(bench).await?);
    let [rate, cpu] = drained(bench, "echo: tasks drained", ECHO, bench.times(10_000)).await?;
    figures.extend([rate.at_least(1000.0), cpu]);
    figures.extend(drained(bench, NO_OPS, &exec(&["true"]), bench.times(1000)).await?);
    Ok(figures)
}

/// A bot whose tasks tell when they run.
fn stamping(bench: &Bench) -> anyhow::Result<Nest> {
    Nest::new(bench, &exec(&[&bench.programs.own.to_string_lossy(), STAMP, "0"]))
}

async fn dropped(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let nest = stamping(bench)?;
    let _agent = nest.start().await?;
    let (mut started, mut runs, mut done) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..bench.times(200) {
        let id = ItemId::parse(&format!("DROP-{i}"))?;
        let at = nest.drop_task(&id, "Tell the time.\n")?;
        let (header, told) = nest.response(&id).await?;
        done.push(clock::since(at));
        started.extend(header.started_at.map(|start| start.since(at)));
        runs.push(clock::read(&told)?.since(at));
        sleep(REST).await;
    }
    Ok(vec![
        Figure::times("file dropped → started", started).at_most(2.0),
        Figure::times(DROPPED_RUNS, runs),
        Figure::times("file dropped → response there", done),
    ])
}

async fn posted(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let nest = stamping(bench)?;
    let agent = nest.start().await?;
    let (mut replied, mut started, mut runs) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..bench.times(200) {
        let id = ItemId::parse(&format!("POST-{i}"))?;
        let request = SubmitRequest {
            instruction: "Tell the time.".to_owned(),
            id: Some(id.clone()),
            ..SubmitRequest::default()
        };
        let at = hive_shared::time::Stamp::now();
        let _submitted = agent.client.submit(&request).await?;
        replied.push(clock::since(at));
        let (header, told) = nest.response(&id).await?;
        started.extend(header.started_at.map(|start| start.since(at)));
        runs.push(clock::read(&told)?.since(at));
        sleep(REST).await;
    }
    Ok(vec![
        Figure::times("POST tasks → replied", replied),
        Figure::times("POST tasks → started", started).at_most(2.0),
        Figure::times("POST tasks → process runs", runs),
    ])
}

/// Tasks that all wait already, until the last response is there; and what each costs the daemon.
pub(crate) async fn drained(
    bench: &Bench,
    what: &str,
    settings: &str,
    n: usize,
) -> anyhow::Result<[Figure; 2]> {
    let nest = Nest::new(bench, settings)?;
    nest.pause()?;
    let agent = nest.start().await?;
    nest.drop_tasks(n)?;
    agent.until_waiting(n).await?;
    let (before, began) = (process::cpu_time(agent.pid())?, Instant::now());
    agent.client.resume().await?;
    while nest.responses()? < n {
        sleep(Duration::from_millis(20)).await;
    }
    let took = began.elapsed();
    let cpu = process::cpu_time(agent.pid())?.saturating_sub(before);
    let each = Duration::from_secs_f64(cpu.as_secs_f64() / f64::from(u32::try_from(n)?));
    let cost = format!("{}: processor time of hive-agent a task", what.split(':').next().unwrap_or(what));
    Ok([Figure::rate(what, n, took), Figure::value(cost, "ms", n, each.as_secs_f64() * 1e3)])
}
