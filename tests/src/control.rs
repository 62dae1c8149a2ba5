//! hivectl as scripts run it.

use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::binaries::binary;
use crate::hive::Hive;
use crate::process;

/// A run of hivectl that has ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit status.
    pub exit: i32,
    /// What it wrote to stdout.
    pub out: String,
    /// What it wrote to stderr.
    pub err: String,
}

impl Ran {
    /// Its output as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The same, if it ended with this status.
    #[expect(clippy::return_self_not_must_use, reason = "that it did is what many a test wants to know")]
    pub fn expect(self, exit: i32) -> Self {
        assert_eq!(self.exit, exit, "{self:?}");
        self
    }
}

/// hivectl in a hive's root, without a terminal, with nothing of the test's environment but `PATH`.
pub fn control(hive: &Hive, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("hivectl"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", hive.home())
        .env("TZ", "UTC")
        .env("USER", "dave")
        .current_dir(hive.root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs hivectl in a hive until it ends.
pub async fn ctl(hive: &Hive, arguments: &[&str]) -> Ran {
    finish(control(hive, arguments).spawn().expect("hivectl can be started")).await
}

/// The same with a text on stdin.
pub async fn ctl_with(hive: &Hive, arguments: &[&str], input: &str) -> Ran {
    let mut child = control(hive, arguments).stdin(Stdio::piped()).spawn().expect("hivectl can be started");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).await.expect("it reads");
    drop(stdin);
    finish(child).await
}

/// Waits for the end of a run whose output is piped.
pub async fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().await.expect("it is ours");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let exit = output.status.code().unwrap_or_else(|| panic!("{:?}", output.status));
    Ran { exit, out: text(output.stdout), err: text(output.stderr) }
}

/// Presses Ctrl-C.
pub fn interrupt(child: &Child) {
    process::send(child.id().expect("it runs"), Signal::SIGINT);
}
