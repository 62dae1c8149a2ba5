//! pueue, which keeps all in one file that it writes anew at each change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::bail;
use tempfile::TempDir;

use super::{Queue, figures};
use crate::Bench;
use crate::bot::until;
use crate::commands::walls;
use crate::process;
use crate::report::Figure;

/// How long forgetting everything may take.
const RESET_LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let dir = tempfile::Builder::new().prefix("hive-bench-").tempdir_in(&bench.dir)?;
    let config = dir.path().join("pueue.yml");
    let (data, socket) = (dir.path().join("data"), dir.path().join("socket"));
    fs::create_dir(&data)?;
    fs::write(
        &config,
        format!(
            "shared:\n  pueue_directory: {data}\n  runtime_directory: {data}\n  use_unix_socket: true\n  \
             unix_socket_path: {}\n  pid_path: {data}/pid\nclient: {{}}\ndaemon: {{}}\n",
            socket.display(),
            data = data.display(),
        ),
    )?;
    let mut daemon = Command::new("pueued");
    daemon.arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let pueue = Pueue { daemon: daemon.spawn()?, config, dir };
    until("pueued", async || Ok(socket.exists())).await?;
    figures(&pueue, bench).await
}

/// A daemon of our own. Ended when dropped.
struct Pueue {
    daemon: Child,
    config: PathBuf,
    dir: TempDir,
}

impl Pueue {
    fn pueue(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("pueue");
        command.arg("-c").arg(&self.config).args(arguments).stdin(Stdio::null());
        command
    }
}

impl Queue for Pueue {
    const NAME: &'static str = "pueue";
    const MANY: usize = 1000;
    /// It takes a third of a second for each.
    const DRAINED: usize = 30;
    const ROUNDS: usize = 1;
    const BESIDE: &'static str = "exec, `true`: tasks drained, beside pueue";

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn submit(&self, command: &[&str]) -> Command {
        self.pueue(&[["add", "--escape", "--"].as_slice(), command].concat())
    }

    fn list(&self) -> Command {
        self.pueue(&["status"])
    }

    fn wait(&self) -> Command {
        self.pueue(&["wait", "--quiet"])
    }

    fn forget(&self) -> anyhow::Result<()> {
        walls(1, || self.pueue(&["reset", "--force"]))?;
        // It says so at once, and does it later.
        let began = Instant::now();
        while began.elapsed() < RESET_LIMIT {
            let listed = self.pueue(&["status", "--json"]).output()?;
            let listed: serde_json::Value = serde_json::from_slice(&listed.stdout)?;
            if listed["tasks"].as_object().is_some_and(serde_json::Map::is_empty) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("pueue does not forget its tasks")
    }
}

impl Drop for Pueue {
    fn drop(&mut self) {
        let _ = self.pueue(&["shutdown"]).output();
        let _ = process::end(&mut self.daemon, Duration::from_secs(5));
    }
}
