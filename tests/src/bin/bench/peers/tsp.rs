//! task-spooler, which keeps nothing on disk.

use std::cell::Cell;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{Queue, figures};
use crate::Bench;
use crate::commands::walls;
use crate::report::Figure;

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let dir = tempfile::Builder::new().prefix("hive-bench-").tempdir_in(&bench.dir)?;
    figures(&Spooler { dir, ended: Cell::new(0) }, bench).await
}

/// A server of our own, which the first command starts. Ended when dropped.
struct Spooler {
    dir: TempDir,
    /// How many servers were before this one. Each has an address of its own, for one that ends takes its own away late.
    ended: Cell<u32>,
}

impl Spooler {
    fn tsp(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tsp");
        command
            .args(arguments)
            .env("TS_SOCKET", self.dir.path().join(format!("socket-{}", self.ended.get())))
            .env("TMPDIR", self.dir.path())
            .stdin(Stdio::null());
        command
    }
}

impl Queue for Spooler {
    const NAME: &'static str = "task-spooler";
    /// At 1,000 connections, of which each task holds one, submitting blocks.
    const MANY: usize = 900;
    const DRAINED: usize = 900;
    const ROUNDS: usize = 5;
    const BESIDE: &'static str = "exec, `true`: tasks drained, beside task-spooler";

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn submit(&self, command: &[&str]) -> Command {
        self.tsp(command)
    }

    fn list(&self) -> Command {
        self.tsp(&[])
    }

    fn wait(&self) -> Command {
        self.tsp(&["-w"])
    }

    fn forget(&self) -> anyhow::Result<()> {
        walls(1, || self.tsp(&["-K"]))?;
        self.ended.set(self.ended.get() + 1);
        Ok(())
    }
}

impl Drop for Spooler {
    fn drop(&mut self) {
        let _ = self.tsp(&["-K"]).output();
    }
}
