//! The adapter that drives an agent over the Agent Client Protocol (SPEC 6): one process a bot, which lives from one
//! run to the next; a session for each conversation.

mod agent;
mod body;
mod client;
mod lines;
mod prompt;
mod run;
mod session;
mod updates;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use hive_shared::api::code;
use hive_shared::ids::BotId;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::exec::OnPreempt;
use super::{Controls, Failure, Reporter, RunSpec};
use crate::turn::Turn;
use agent::Agent;

/// The pause before an agent is started again whose second life in a row has ended badly; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long an agent may take to end by itself when the daemon stops, and then to be gone.
const CLOSE_GRACE: Duration = Duration::from_millis(300);

/// An agent that speaks ACP. Clones share its process.
#[derive(Clone)]
pub struct Acp(Arc<Keeper>);

/// How the agent is run.
#[derive(Debug, Clone)]
pub struct Config {
    /// The adapter's name in the settings: `acp`, or that of a preset.
    pub name: &'static str,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How its makers install it, if it is known.
    pub install: Option<&'static str>,
    /// What its environment has beside the daemon's own.
    pub env: BTreeMap<String, String>,
    /// The bot.
    pub bot: BotId,
    /// The directory it works in.
    pub workdir: PathBuf,
    /// What its processes carry as `HIVE_RUN_ID`: the same in every life of the daemon, so that a later one finds what an
    /// earlier one has left.
    pub mark: String,
    /// The mode that its sessions are set to.
    pub mode: Option<Mode>,
    /// How it gives way.
    pub on_preempt: OnPreempt,
    /// Whether it is started ahead of its first run.
    pub warm: bool,
    /// What watches over its processes.
    pub bodies: TaskTracker,
}

/// The name of all runs of an agent, in the `HIVE_RUN_ID` of its processes: it serves many, and outlives each of them.
pub const RUN_NAME: &str = "AGENT";

/// A mode that sessions are set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mode {
    /// What the agent calls it.
    pub id: String,
    /// Whether the user has named it; the mode of a preset is left where an agent does not have it any more.
    pub is_wanted: bool,
}

/// A start of the agent, and what came of it.
type Start = Shared<BoxFuture<'static, Result<Arc<Agent>, Failure>>>;

/// Holds the one process.
struct Keeper {
    config: Config,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    start: Option<Start>,
    /// How many lives in a row have ended badly.
    setbacks: u32,
    is_closed: bool,
}

impl fmt::Debug for Acp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Acp").field(&self.0.config).finish()
    }
}

impl Acp {
    /// An agent that is not started yet.
    pub fn new(config: Config) -> Self {
        Self(Arc::new(Keeper { config, state: Mutex::default() }))
    }

    pub(super) fn name(&self) -> &'static str {
        self.0.config.name
    }

    pub(super) fn warm_up(&self, runtime: &Handle) {
        if self.0.config.warm {
            let keeper = Arc::clone(&self.0);
            runtime.spawn(async move {
                if let Err(failure) = keeper.agent().await {
                    tracing::warn!(%failure, "the agent could not be started ahead of its first work");
                }
            });
        }
    }

    pub(super) async fn close(&self) {
        let bodies = &self.0.config.bodies;
        let agent = {
            let mut state = self.0.lock();
            state.is_closed = true;
            state.start.take().and_then(|start| start.peek().and_then(|it| it.as_ref().ok()).cloned())
        };
        bodies.close();
        if let Some(agent) = &agent {
            agent.terminate();
            if timeout(CLOSE_GRACE, agent.died()).await.is_err() {
                agent.kill();
            }
        }
        // One that is still starting is killed when the runtime goes.
        let _ = timeout(CLOSE_GRACE, bodies.wait()).await;
    }

    pub(super) async fn run(self, spec: RunSpec, turn: Arc<Turn>, controls: Controls, reporter: Reporter) {
        run::run(self.0, spec, turn, controls, reporter).await;
    }
}

impl Keeper {
    /// The live agent, which is started if there is none. Giving up waiting does not give up the start.
    async fn agent(&self) -> Result<Arc<Agent>, Failure> {
        let agent = self.start()?.await?;
        if agent.is_alive() {
            return Ok(agent);
        }
        // It has died unseen, long after its start.
        self.start()?.await
    }

    fn start(&self) -> Result<Start, Failure> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(Failure::cancelled());
        }
        match state.start.as_ref().map(|start| start.peek().cloned()) {
            // It is on its way, or alive.
            Some(None) => return Ok(state.start.clone().expect("it is there")),
            Some(Some(Ok(agent))) if agent.is_alive() => {
                return Ok(state.start.clone().expect("it is there"));
            }
            Some(Some(Ok(agent))) if agent.was_told_to_end() => {}
            Some(Some(Err(failure))) if failure.code == code::ADAPTER_UNAVAILABLE => {}
            Some(Some(Ok(_) | Err(_))) => state.setbacks += 1,
            None => {}
        }
        let pause = pause_after(state.setbacks);
        let config = self.config.clone();
        let started = tokio::spawn(async move {
            if !pause.is_zero() {
                tracing::info!(
                    ?pause,
                    "the agent is started again after a pause, for it ends again and again"
                );
            }
            sleep(pause).await;
            Agent::start(&config).await
        });
        let start = started
            .map(|joined| {
                joined.unwrap_or_else(|error| {
                    Err(Failure::new(code::ADAPTER_ERROR, format!("the agent's start broke off: {error}")))
                })
            })
            .boxed()
            .shared();
        state.start = Some(start.clone());
        Ok(start)
    }

    /// A turn went well: the agent is trusted again.
    fn went_well(&self) {
        self.lock().setbacks = 0;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pause_after(setbacks: u32) -> Duration {
    match setbacks {
        0 | 1 => Duration::ZERO,
        more => FIRST_PAUSE.saturating_mul(1 << (more - 2).min(10)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_before_a_restart_grows_to_a_bound() {
        let pauses: Vec<u64> = (0..6).map(|n| pause_after(n).as_millis().try_into().unwrap()).collect();
        assert_eq!(pauses, [0, 0, 500, 1_000, 2_000, 4_000]);
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
    }
}
