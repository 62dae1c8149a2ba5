//! Other queues, measured in the same way as this one, where they are on the `PATH`.

mod pueue;
mod tsp;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hive_shared::time::Stamp;
use tokio::time::sleep;

use crate::Bench;
use crate::bot::{exec, until};
use crate::clock::{self, STAMP};
use crate::commands::{STATUS_0, STATUS_1000, WAIT, walls};
use crate::files::{self, DROPPED_RUNS, NO_OPS};
use crate::report::Figure;

/// Measures this section.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if is_there("tsp") {
        figures.extend(tsp::measure(bench).await?);
    }
    if is_there("pueue") && is_there("pueued") {
        figures.extend(pueue::measure(bench).await?);
    }
    Ok(figures)
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("-V").stdin(Stdio::null()).output().is_ok()
}

/// A server of another queue, with one slot, of our own.
trait Queue {
    /// What it is called in the table.
    const NAME: &'static str;
    /// How many tasks wait when it is listed.
    const MANY: usize;
    /// How many no-ops are drained, by it and by a bot.
    const DRAINED: usize;
    /// How often, the median of which counts.
    const ROUNDS: usize;
    /// What the bot's figure beside it is called.
    const BESIDE: &'static str;

    /// A directory of its own.
    fn dir(&self) -> &Path;
    /// What submits a task that runs `command`.
    fn submit(&self, command: &[&str]) -> Command;
    /// What lists all tasks.
    fn list(&self) -> Command;
    /// What waits until the last task has ended.
    fn wait(&self) -> Command;
    /// Forgets all that waits or has ended. Returns when that is done, for what came meanwhile would be forgotten too.
    fn forget(&self) -> anyhow::Result<()>;
}

async fn figures<Q: Queue>(queue: &Q, bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let (own, name) = (bench.programs.own.to_string_lossy(), Q::NAME);
    let stamp = |file: &Path| queue.submit(&[&own, STAMP, "0", &file.to_string_lossy()]);
    let file = |name: String| queue.dir().join(name);

    let mut runs = Vec::new();
    for i in 0..bench.times(100) {
        let told = file(format!("run-{i}"));
        let at = Stamp::now();
        walls(1, || stamp(&told))?;
        runs.push(stamp_in(&told).await?.since(at));
        sleep(Duration::from_millis(20)).await;
    }
    let mut returned = Vec::new();
    for i in 0..bench.times(20) {
        let told = file(format!("wait-{i}"));
        walls(1, || queue.submit(&[&own, STAMP, "300", &told.to_string_lossy()]))?;
        walls(1, || queue.wait())?;
        returned.push(clock::since(stamp_in(&told).await?));
    }
    queue.forget()?;
    let none = walls(bench.times(50), || queue.list())?;
    // One task holds the queue until it is full.
    let gate = file("gate".into());
    hold(queue, &gate)?;
    let submit = walls(Q::MANY, || queue.submit(&["true"]))?;
    let many = walls(bench.times(50), || queue.list())?;
    queue.forget()?;
    // Who forgets a task need not end it.
    fs::write(&gate, "")?;
    // In turns, for the machine is not the same from one minute to the next.
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..Q::ROUNDS {
        let [rate, _] = files::drained(bench, NO_OPS, &exec(&["true"]), Q::DRAINED).await?;
        ours.push(rate.median());
        theirs.push(drained(queue, &file(format!("gate-{round}")), &file(format!("last-{round}"))).await?);
    }
    Ok(vec![
        Figure::times(format!("{name}: submitted → process runs"), runs).beside(DROPPED_RUNS),
        Figure::times(format!("{name}: task's process ends → its wait has returned"), returned).beside(WAIT),
        Figure::times(format!("{name}: submit"), submit),
        Figure::rates(Q::BESIDE, Q::DRAINED, ours),
        Figure::rates(format!("{name}: no-ops drained"), Q::DRAINED, theirs).beside(Q::BESIDE),
        Figure::times(format!("{name}: list, no task waits"), none).beside(STATUS_0),
        Figure::times(format!("{name}: list, {} tasks wait", Q::MANY), many).beside(STATUS_1000),
    ])
}

/// How many no-ops are done in a second, all of which wait already.
async fn drained<Q: Queue>(queue: &Q, gate: &Path, last: &Path) -> anyhow::Result<f64> {
    hold(queue, gate)?;
    walls(Q::DRAINED, || queue.submit(&["true"]))?;
    let own = std::env::current_exe()?;
    walls(1, || queue.submit(&[&own.to_string_lossy(), STAMP, "0", &last.to_string_lossy()]))?;
    let began = Instant::now();
    fs::write(gate, "")?;
    stamp_in(last).await?;
    Ok(Figure::rate("", Q::DRAINED, began.elapsed()).median())
}

/// Submits a task that ends when that file is there.
fn hold(queue: &impl Queue, go: &Path) -> anyhow::Result<()> {
    let script = format!("until [ -e {} ]; do sleep 0.01; done", go.display());
    walls(1, || queue.submit(&["sh", "-c", &script])).map(drop)
}

async fn stamp_in(file: &Path) -> anyhow::Result<Stamp> {
    until(&file.to_string_lossy(), async || Ok(file.exists())).await?;
    clock::read(&fs::read_to_string(file)?)
}
