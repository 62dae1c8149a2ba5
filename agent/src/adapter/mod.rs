//! Adapters: each drives one real coding agent (SPEC 6).
//!
//! An adapter starts a [`Run`] for an item, streams what the agent says into the item's [`Turn`] and reports when the
//! run gave way and when it ended. It decides nothing: who runs when, and how patiently a run is ended, is the
//! coordinator's.

pub mod acp;
pub mod echo;
pub mod exec;
mod hold;
pub mod openai;
pub mod process;

use std::path::PathBuf;
use std::sync::Arc;

use hive_shared::api::code;
use hive_shared::chat::ApprovalOption;
use hive_shared::ids::{BotId, ItemId};
use hive_shared::work::Source;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::turn::Turn;
use acp::Acp;
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
    /// Drives an agent that speaks ACP.
    Acp(Acp),
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
    /// Which of the two it is.
    pub source: Source,
    /// Which conversation the run belongs to: that of a chat, or of a file task its own. Adapters whose agents have none
    /// do not look at it.
    pub session: String,
    /// What the agent itself calls that conversation, as an earlier run has reported ([`Report::Session`]).
    pub agent_session: Option<String>,
    /// Whether an earlier attempt at the same item was cut short.
    pub goes_on: bool,
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// The answer to what the run has asked. Each [`Question`] gets one at most; a run that gives way or ends puts its
    /// open questions back itself, and asks anew when it goes on.
    Answer(Answer),
}

/// Something that an agent wants permission for (SPEC 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Tells the questions of one run apart.
    pub key: u64,
    /// What for, as the agent words it.
    pub title: String,
    /// What the agent says that it is about to do: `read`, `edit`, `execute` and the like.
    pub kind: Option<String>,
    /// Where, as the agent says: paths, absolute or below the working directory.
    pub locations: Vec<String>,
    /// How many more there are, or what was said in their place that is none.
    pub more_locations: usize,
    /// The answers there are.
    pub options: Vec<ApprovalOption>,
}

/// What a [`Question`] is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Which question.
    pub key: u64,
    /// The id of the option chosen; `None` if none of them says what was decided: the agent is told that its request
    /// is cancelled.
    pub option: Option<String>,
}

/// What a run tells of itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// It has given way.
    Suspended,
    /// Its program does not start, for this reason, and is tried again until it does; nothing once it has started.
    HeldUp(Option<String>),
    /// The agent asks for permission, and waits.
    Asked(Question),
    /// The agent does not want to know any more: its question of that key.
    Unasked(u64),
    /// What the agent calls the conversation of this run, for later runs in it.
    Session(String),
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

/// The most bytes of a failure's message, which may quote an agent.
const MAX_MESSAGE: usize = 8 * 1024;

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
        let message = message.into();
        let message =
            if message.len() > MAX_MESSAGE { crate::untrusted::cut(&message, MAX_MESSAGE) } else { message };
        Self { code, message }
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
            Self::Acp(acp) => acp.name(),
            Self::OpenAi(_) => "openai",
        }
    }

    /// Gets ready for the first run, where the settings say so.
    pub fn warm_up(&self, runtime: &Handle) {
        match self {
            Self::Echo(_) | Self::Exec(_) | Self::OpenAi(_) => {}
            Self::Acp(acp) => acp.warm_up(runtime),
        }
    }

    /// Sees to it that nothing of the adapter outlives the daemon. No run follows.
    pub async fn close(&self) {
        match self {
            Self::Echo(_) | Self::Exec(_) | Self::OpenAi(_) => {}
            Self::Acp(acp) => acp.close().await,
        }
    }

    /// How many bytes of a session's earlier exchanges a run is to be given, from the newest back, the one that reaches
    /// the bound included. None: its agent keeps them itself, or has no use for them.
    pub fn conversation_bytes(&self) -> Option<usize> {
        match self {
            Self::Echo(_) | Self::Exec(_) | Self::Acp(_) => None,
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
            Self::Acp(acp) => runtime.spawn(acp.clone().run(spec, turn, controls, reporter)),
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
                Control::Suspend | Control::Answer(_) => {}
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

    fn report(&self, report: Report) {
        (self.report)(report);
    }

    fn ended(self, result: Result<(), Failure>) {
        self.ended_with(Outcome { result, files_modified: Vec::new(), usage: None });
    }

    fn ended_with(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        self.ended = true;
        (self.report)(Report::Ended(outcome));
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if !self.ended {
            let failure =
                Failure::new(code::ADAPTER_ERROR, "the adapter broke off; the daemon's log says more");
            self.end(Outcome { result: Err(failure), files_modified: Vec::new(), usage: None });
        }
    }
}

#[cfg(test)]
mod tests;
