//! Another queue, task-spooler, measured in the same way as this one.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hive_shared::time::Stamp;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::Bench;
use crate::bot::until;
use crate::clock::{self, STAMP};
use crate::commands::{STATUS_0, STATUS_1000, walls};
use crate::files::{DROPPED_RUNS, NO_OPS};
use crate::report::Figure;

/// How many tasks wait in task-spooler. At 1,000 connections, of which each task holds one, submitting blocks.
const MANY: usize = 900;

/// Measures this section: nothing where it is not on the `PATH`.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    if Command::new("tsp").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        return Ok(Vec::new());
    }
    let spooler = Spooler { dir: tempfile::Builder::new().prefix("hive-bench-").tempdir_in(&bench.dir)? };
    let (own, dir) = (bench.programs.own.to_string_lossy(), spooler.dir.path().to_owned());
    let mut runs = Vec::new();
    for i in 0..bench.times(100) {
        let told = dir.join(format!("{i}.stamp"));
        let at = Stamp::now();
        walls(1, || spooler.tsp(&[&own, STAMP, "0", &told.to_string_lossy()]))?;
        runs.push(stamp_in(&told).await?.since(at));
        sleep(Duration::from_millis(20)).await;
    }
    walls(1, || spooler.tsp(&["-C"]))?;
    let none = walls(bench.times(50), || spooler.tsp(&[]))?;

    // One task holds the queue until it is full.
    let (go, last) = (dir.join("go"), dir.join("last.stamp"));
    let hold = format!("until [ -e {} ]; do sleep 0.01; done", go.display());
    walls(1, || spooler.tsp(&["sh", "-c", &hold]))?;
    let submit = walls(MANY, || spooler.tsp(&["true"]))?;
    let many = walls(bench.times(50), || spooler.tsp(&[]))?;
    walls(1, || spooler.tsp(&[&own, STAMP, "0", &last.to_string_lossy()]))?;
    let began = Instant::now();
    fs::write(go, "")?;
    stamp_in(&last).await?;
    let took = began.elapsed();
    Ok(vec![
        Figure::times("task-spooler: submitted → process runs", runs).beside(DROPPED_RUNS),
        Figure::times("task-spooler: submit", submit),
        Figure::rate("task-spooler: no-ops drained (nothing kept on disk)", MANY, took).beside(NO_OPS),
        Figure::times("task-spooler: list, no task waits", none).beside(STATUS_0),
        Figure::times("task-spooler: list, 900 tasks wait", many).beside(STATUS_1000),
    ])
}

async fn stamp_in(file: &Path) -> anyhow::Result<Stamp> {
    until(&file.to_string_lossy(), async || Ok(file.exists())).await?;
    clock::read(&fs::read_to_string(file)?)
}

/// A server of task-spooler of our own. Ended when dropped.
struct Spooler {
    dir: TempDir,
}

impl Spooler {
    fn tsp(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tsp");
        command
            .args(arguments)
            .env("TS_SOCKET", self.dir.path().join("socket"))
            .env("TMPDIR", self.dir.path());
        command.stdin(Stdio::null());
        command
    }
}

impl Drop for Spooler {
    fn drop(&mut self) {
        let _ = self.tsp(&["-K"]).output();
    }
}
