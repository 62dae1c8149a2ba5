//! Adapters: each drives one real coding agent (SPEC 6).
//!
//! An adapter starts a [`Run`] for an item, streams what the agent says into the item's [`Turn`] and reports when the
//! run gave way and when it ended. It decides nothing: who runs when, and how patiently a run is ended, is the
//! coordinator's.

pub mod echo;
pub mod exec;
pub mod openai;
pub mod process;

use std::path::PathBuf;
use std::sync::Arc;

use hive_shared::api::code;
use hive_shared::ids::{BotId, ItemId};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::turn::Turn;
use echo::Echo;
use exec::Exec;
use openai::OpenAi;

/// The adapter of a bot, as its settings made it.
#[derive(Debug, Clone)]
pub enum Adapter {
    /// Says the instruction back; needs nothing.
    Echo(Echo),
    /// Runs a command for each item.
    Exec(Exec),
    /// Asks a server of chat completions.
    OpenAi(Arc<OpenAi>),
}

/// What one run is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSpec {
    /// Different for every run that ever was: the processes of a run carry it as `HIVE_RUN_ID`, and by it a later life
    /// of the daemon finds them.
    pub run_id: String,
    /// The bot.
    pub bot: BotId,
    /// The task or chat prompt.
    pub item: ItemId,
    /// Which conversation of the agent the run belongs to; adapters without conversations do not look at it.
    pub session: String,
    /// What was said in that conversation before, the oldest first; for an adapter whose agent does not keep it itself
    /// (see [`Adapter::conversation_bytes`]).
    pub earlier: Vec<Exchange>,
    /// What the agent is to do.
    pub instruction: String,
    /// The directory it works in.
    pub workdir: PathBuf,
}

/// A prompt and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What the person said.
    pub prompt: String,
    /// What the agent said.
    pub answer: String,
    /// Whether the answer goes on, or would have.
    pub is_cut: bool,
}

/// What the coordinator may ask of a run, at any time and as often as it likes: what makes no sense any more is
/// ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Give way: do nothing until `Resume`. Answered by [`Report::Suspended`], or by [`Report::Ended`] if the run was
    /// over by then.
    Suspend,
    /// Go on.
    Resume,
    /// Please end; the first step of the ladder (SPEC 5).
    Cancel,
    /// End, all of you; the second step.
    Terminate,
    /// Be gone; the last step.
    Kill,
}

/// What a run tells of itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// It has given way.
    Suspended,
    /// It is over and no process of it is left. Comes exactly once for each run, and last.
    Ended(Outcome),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Whether the agent did what it was asked to. Whether an end after [`Control::Cancel`] counts as cancelled is not
    /// the adapter's to say.
    pub result: Result<(), Failure>,
    /// The files that the agent says it changed.
    pub files_modified: Vec<String>,
    /// What it cost, as the agent tells.
    pub usage: Option<serde_json::Value>,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// One of [`code`]'s.
    pub code: &'static str,
    /// For people: what happened and, where they can mend it, how.
    pub message: String,
}

impl Failure {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The run was asked to end and did.
    fn cancelled() -> Self {
        Self::new(code::CANCELLED, "the run was ended before it was done")
    }
}

impl Adapter {
    /// Its name in the settings.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Echo(_) => "echo",
            Self::Exec(_) => "exec",
            Self::OpenAi(_) => "openai",
        }
    }

    /// How many bytes of a session's earlier exchanges a run is to be given, from the newest back, the one that reaches
    /// the bound included. None: its agent keeps them itself, or has no use for them.
    pub fn conversation_bytes(&self) -> Option<usize> {
        match self {
            Self::Echo(_) | Self::Exec(_) => None,
            Self::OpenAi(openai) => Some(openai.budget()),
        }
    }

    /// Starts a run on `runtime`, from any thread. What the agent says goes to `turn`; `report` is called from the
    /// runtime's threads and must not block. A start that fails is reported as an end.
    pub fn start(
        &self,
        runtime: &Handle,
        spec: RunSpec,
        turn: Arc<Turn>,
        report: impl Fn(Report) + Send + Sync + 'static,
    ) -> Run {
        let (sender, receiver) = mpsc::unbounded_channel();
        let controls = Controls { receiver, open: true };
        let reporter = Reporter { report: Box::new(report), ended: false };
        match self {
            Self::Echo(echo) => runtime.spawn(echo.clone().run(spec, turn, controls, reporter)),
            Self::Exec(exec) => runtime.spawn(exec.clone().run(spec, turn, controls, reporter)),
            Self::OpenAi(openai) => runtime.spawn(Arc::clone(openai).run(spec, turn, controls, reporter)),
        };
        Run { controls: sender }
    }
}

/// A run that was started. Dropping it kills what is left of the run, for nobody could end it any more.
#[derive(Debug)]
pub struct Run {
    controls: mpsc::UnboundedSender<Control>,
}

impl Run {
    /// Asks something of the run. Never blocks; harmless when the run is over.
    pub fn control(&self, control: Control) {
        // A run that is over has dropped its end.
        let _ = self.controls.send(control);
    }
}

/// The run's end of its controls.
struct Controls {
    receiver: mpsc::UnboundedReceiver<Control>,
    open: bool,
}

impl Controls {
    /// The next control; a dropped [`Run`] counts as one `Kill`. May be dropped half-way without losing any.
    async fn next(&mut self) -> Control {
        if !self.open {
            return std::future::pending().await;
        }
        self.receiver.recv().await.unwrap_or_else(|| {
            self.open = false;
            Control::Kill
        })
    }

    /// Waits while the run is suspended.
    async fn until_resumed(&mut self) -> Result<(), Failure> {
        loop {
            match self.next().await {
                Control::Suspend => {}
                Control::Resume => return Ok(()),
                Control::Cancel | Control::Terminate | Control::Kill => return Err(Failure::cancelled()),
            }
        }
    }
}

/// The run's way to report. It sees to it that an end is reported even if the run's own task dies.
struct Reporter {
    report: Box<dyn Fn(Report) + Send + Sync>,
    ended: bool,
}

impl Reporter {
    fn suspended(&self) {
        (self.report)(Report::Suspended);
    }

    fn ended(self, result: Result<(), Failure>) {
        self.ended_at_a_cost(result, None);
    }

    fn ended_at_a_cost(mut self, result: Result<(), Failure>, usage: Option<serde_json::Value>) {
        self.end(result, usage);
    }

    fn end(&mut self, result: Result<(), Failure>, usage: Option<serde_json::Value>) {
        self.ended = true;
        (self.report)(Report::Ended(Outcome { result, files_modified: Vec::new(), usage }));
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if !self.ended {
            let message = "the adapter broke off; the daemon's log says more";
            self.end(Err(Failure::new(code::ADAPTER_ERROR, message)), None);
        }
    }
}

#[cfg(test)]
mod tests;
