//! What the machine costs, whatever is made of it.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::ensure;

use crate::Bench;
use crate::report::Figure;

/// How much is written before a sync.
const BLOCK: [u8; 4096] = [b'x'; 4096];

/// Measures this section.
pub(crate) fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    Ok(vec![sync(bench)?, spawn(bench)?])
}

/// What is durable waits for this.
fn sync(bench: &Bench) -> anyhow::Result<Figure> {
    let mut file = tempfile::tempfile_in(&bench.dir)?;
    let mut times = Vec::new();
    for _ in 0..bench.times(200) {
        file.write_all(&BLOCK)?;
        let began = Instant::now();
        file.sync_data()?;
        times.push(began.elapsed());
    }
    Ok(Figure::times("the disk: 4 KiB appended → synced", times))
}

/// What runs a command waits for this.
fn spawn(bench: &Bench) -> anyhow::Result<Figure> {
    let mut times = Vec::new();
    for _ in 0..bench.times(500) {
        let began = Instant::now();
        let status = Command::new("true").stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        ensure!(status.success(), "`true` failed");
        times.push(began.elapsed());
    }
    Ok(Figure::times("the kernel: `true` started → its end seen", times))
}
