//! The process of an agent: its start, and the watch over it until nothing of it is left.

use std::process::Stdio;
use std::time::Duration;

use agent_client_protocol as protocol;
use hive_shared::api::code;
use nix::sys::signal::Signal;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::Failure;
use super::super::exec::command::{self, unavailable};
use super::super::process::{self, Backoff, Left, RUN_ID, Tree};
use super::{Config, lines};

/// How long an agent may live on without its streams.
const CLOSED_GRACE: Duration = Duration::from_secs(1);

/// How long stderr is read on when nobody is left to write.
const DRAIN_LIMIT: Duration = Duration::from_millis(300);

/// What the process is to be done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Terminate,
    Kill,
}

/// What an agent is to the system.
pub(super) struct Body {
    pub(super) child: Child,
    pub(super) tree: Tree,
    pub(super) connection: JoinHandle<Result<(), protocol::Error>>,
    pub(super) stderr: JoinHandle<()>,
    pub(super) words: lines::LastWords,
}

impl Body {
    /// Watches over the process until nothing of it is left.
    pub(super) async fn live(
        mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
        death: watch::Sender<Option<Failure>>,
    ) {
        let mut kill_at: Option<Instant> = None;
        let mut was_told = false;
        let mut is_connected = true;
        let status = loop {
            tokio::select! {
                biased;
                status = self.child.wait() => break status,
                order = orders.recv() => match order {
                    Some(Order::Terminate) => {
                        was_told = true;
                        let _ = self.tree.signal_all(&[Signal::SIGTERM, Signal::SIGCONT]).await;
                    }
                    Some(Order::Kill) | None => {
                        was_told = true;
                        let _ = self.tree.signal_all(&[Signal::SIGKILL]).await;
                        // The sender may be gone, and would be so again at once.
                        break self.child.wait().await;
                    }
                },
                ended = &mut self.connection, if is_connected => {
                    is_connected = false;
                    kill_at = Some(Instant::now() + CLOSED_GRACE);
                    if let Ok(Err(error)) = ended {
                        tracing::debug!(%error, "the connection to the agent broke");
                    }
                }
                () = sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => {
                    kill_at = None;
                    let _ = self.tree.signal_all(&[Signal::SIGKILL]).await;
                }
            }
        };
        let mut backoff = Backoff::new();
        while !process::has_no_children() {
            match self.tree.signal_all(&[Signal::SIGKILL]).await {
                Left::Nothing => break,
                Left::OutOfReach => {
                    tracing::warn!("processes of the agent have become another user's and are left behind");
                    break;
                }
                Left::Something => backoff.wait().await,
            }
        }
        self.tree.gone();
        // What the agent had said is read to its end, unless someone out of our reach holds on.
        let _ = timeout(DRAIN_LIMIT, &mut self.stderr).await;
        if is_connected {
            let _ = timeout(DRAIN_LIMIT, &mut self.connection).await;
        }
        self.connection.abort();
        self.stderr.abort();
        let mut failure = command::how_it_ended(status, &self.words.get());
        failure.message = format!("the agent {}", failure.message);
        if was_told {
            tracing::debug!("the agent was ended");
        } else {
            tracing::warn!(how = failure.message, "the agent is gone");
        }
        death.send_replace(Some(failure));
    }
}

/// Starts the process.
pub(super) fn spawn(config: &Config) -> Result<(Child, Tree), Failure> {
    let [program, arguments @ ..] = config.command.as_slice() else {
        return Err(unavailable("no command is set: set `command` in hive.toml".to_owned()));
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&config.workdir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .envs(&config.env)
        .env("HIVE_BOT_ID", config.bot.as_str())
        .env_remove("HIVE_TASK_ID")
        .env(RUN_ID, &config.mark);
    command::hide_tokens(&mut command, &config.env);
    process::spawn(&mut command, &config.mark).map_err(|error| {
        let reason = command::reason(&error, program, &config.workdir, false);
        match config.install.filter(|_| error.kind() == std::io::ErrorKind::NotFound) {
            Some(install) => unavailable(format!("{reason}; its makers install it with `{install}`")),
            None => unavailable(reason),
        }
    })
}

/// Waits until nothing of the agent is left, and says how it ended.
pub(super) async fn died(death: &mut watch::Receiver<Option<Failure>>) -> Failure {
    match death.wait_for(Option::is_some).await.map(|death| death.clone()) {
        Ok(Some(failure)) => failure,
        Ok(None) | Err(_) => Failure::new(code::ADAPTER_ERROR, "the agent is gone"),
    }
}
