//! One run: a session, a prompt, and after each time it gave way a prompt that asks to go on.

use std::sync::Arc;

use hive_shared::api::code;
use hive_shared::chat::{TurnEvent, notice};
use hive_shared::work::Source;

use super::super::exec::OnPreempt;
use super::super::hold::Hold;
use super::super::{Control, Controls, Failure, Outcome, Reporter, RunSpec};
use super::Keeper;
use super::agent::Agent;
use super::prompt::{Prompt, Settled};
use super::session::{self, How, Opened};
use super::updates::Updates;
use crate::turn::Turn;

/// What an agent is told when its task goes on in the session in which it was interrupted.
const GO_ON: &str = "A person interrupted you in the middle of the task. Go on with it now where you left off. Do not \
                     start over, and do not repeat what you have said or done already.";

/// The same if the session is of an earlier life of the bot.
const GO_ON_LATER: &str = "Your work on the task was cut short in the middle. Go on with it now where you left off: \
                           look at what is done already, and do the rest.";

/// Before the task. Some agents strike a turn that was cancelled from their memory, with what they were asked in it.
const THE_TASK_IS: &str = "The task is:";

/// Drives the agent through one run.
pub(super) async fn run(
    keeper: Arc<Keeper>,
    spec: RunSpec,
    turn: Arc<Turn>,
    controls: Controls,
    reporter: Reporter,
) {
    let updates = Updates::new(&spec.workdir);
    // A task has its session to itself: if it has one, it was begun.
    let is_tasks = spec.source != Source::Chat;
    let session = spec.agent_session.clone();
    let stage = if session.is_some() && (spec.goes_on || is_tasks) { Stage::CutShort } else { Stage::Fresh };
    let mut run = RunOfAgent {
        keeper,
        spec,
        turn,
        controls,
        reporter,
        updates,
        session,
        agent: None,
        stage,
        last_key: 0,
    };
    let result = run.attempts().await;
    if is_tasks {
        run.close_session();
    }
    if let Some(agent) = &run.agent {
        agent.close_surplus();
    }
    let (files_modified, usage) = (run.updates.files(), run.updates.usage());
    run.reporter.ended_with(Outcome { result, files_modified, usage });
}

/// What a run holds on to.
pub(super) struct RunOfAgent {
    pub(super) keeper: Arc<Keeper>,
    pub(super) spec: RunSpec,
    pub(super) turn: Arc<Turn>,
    pub(super) controls: Controls,
    pub(super) reporter: Reporter,
    pub(super) updates: Updates,
    /// What the agent calls the conversation, once it has one.
    session: Option<String>,
    /// The agent that had it open last.
    agent: Option<Arc<Agent>>,
    stage: Stage,
    /// The key of the last question.
    pub(super) last_key: u64,
}

/// How far the agent has come with the instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It does not know of it.
    Fresh,
    /// An earlier life of the bot has told it.
    CutShort,
    /// It was told, and gave way.
    Interrupted,
}

impl RunOfAgent {
    async fn attempts(&mut self) -> Result<(), Failure> {
        loop {
            let opened = self.open().await?;
            let words = self.words(&opened.how);
            match Prompt::new(self, &opened).run(words).await {
                Settled::Over(result) => return result,
                Settled::GaveWay => {
                    self.gave_way();
                    self.reporter.suspended();
                    self.until_resumed().await?;
                }
                Settled::GoesOn => self.gave_way(),
            }
        }
    }

    fn gave_way(&mut self) {
        match self.keeper.config.on_preempt {
            OnPreempt::Suspend => self.stage = Stage::Interrupted,
            OnPreempt::Restart => {
                self.turn.start_over();
                self.stage = Stage::Fresh;
                self.close_session();
            }
        }
    }

    fn close_session(&mut self) {
        if let (Some(agent), Some(session)) = (&self.agent, self.session.take()) {
            agent.close(&session);
        }
    }

    async fn until_resumed(&mut self) -> Result<(), Failure> {
        loop {
            match self.controls.next().await {
                Control::Suspend | Control::Answer(_) => {}
                Control::Resume => return Ok(()),
                // The process may be another run's now.
                Control::Cancel | Control::Terminate | Control::Kill => return Err(Failure::cancelled()),
            }
        }
    }

    /// Opens the session, also while the run is suspended. A task whose agent cannot even be started is held up until
    /// it can: the next one would fare no better.
    async fn open(&mut self) -> Result<Opened, Failure> {
        let mut hold = Hold::new();
        loop {
            let mut opening = session::open(Arc::clone(&self.keeper), self.session.clone());
            let mut is_suspended = false;
            let mut opened = None;
            let result = loop {
                tokio::select! {
                    biased;
                    control = self.controls.next() => match control {
                        Control::Suspend if !is_suspended => {
                            is_suspended = true;
                            self.reporter.suspended();
                        }
                        Control::Suspend | Control::Answer(_) => {}
                        Control::Resume => is_suspended = false,
                        // A start, or an answer that does not come, is nothing that this run would leave behind.
                        Control::Cancel | Control::Terminate | Control::Kill => {
                            return Err(Failure::cancelled());
                        }
                    },
                    result = &mut opening, if opened.is_none() => {
                        opened = Some(result.unwrap_or_else(|_| Err(Failure::cancelled())));
                    }
                }
                if !is_suspended && let Some(result) = opened.take() {
                    break result;
                }
            };
            let opened = match result {
                Ok(opened) => opened,
                Err(failure)
                    if failure.code == code::ADAPTER_UNAVAILABLE && self.spec.source != Source::Chat =>
                {
                    hold.wait(failure.message, &mut self.controls, &self.reporter).await?;
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            self.agent = Some(Arc::clone(&opened.agent));
            if opened.how != How::Kept {
                self.session = Some(opened.id.clone());
                self.reporter.session(&opened.id);
            }
            // It may have died while the run was suspended.
            if opened.agent.is_alive() {
                hold.over(&self.reporter);
                return Ok(opened);
            }
        }
    }

    /// What the agent is to be told now.
    fn words(&self, how: &How) -> String {
        let task = &self.spec.instruction;
        let with_task = |words: &str| format!("{words}\n\n{THE_TASK_IS}\n\n{task}");
        match (self.stage, how) {
            (Stage::Fresh, How::New { lost: Some(_) }) => {
                let message =
                    "the agent could not take up the earlier conversation again, and remembers nothing of it";
                let code = notice::SESSION_LOST.to_owned();
                self.turn.tell(TurnEvent::Notice { code, message: message.to_owned() });
                task.clone()
            }
            (Stage::Fresh, _) => task.clone(),
            (Stage::CutShort | Stage::Interrupted, How::New { .. }) => {
                self.turn.start_over();
                task.clone()
            }
            (Stage::CutShort, How::Kept | How::Loaded) => with_task(GO_ON_LATER),
            (Stage::Interrupted, How::Kept | How::Loaded) => with_task(GO_ON),
        }
    }
}
