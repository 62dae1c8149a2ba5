//! The adapter that runs a command for each item (SPEC 6): the instruction in, standard output out, the exit status
//! decides.

pub(super) mod command;
mod farewell;
mod pipes;

use std::collections::BTreeMap;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use hive_shared::work::Source;
use tokio::process::Child;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::hold::Hold;
use super::process::{Backoff, Freeze, Tree};
use super::{Control, Controls, Failure, Reporter, RunSpec};
use crate::turn::Turn;
use command::NotStarted;
use farewell::{Farewell, Next, Pressure};

/// How long the streams are read on when nobody of the run is left to write: what pipes hold is read at once.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// Any command as a coding agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// The program and its arguments. An argument that is `{prompt}` is replaced with the instruction; without one the
    /// instruction comes on standard input.
    pub command: Vec<String>,
    /// What its environment has beside the daemon's own.
    pub env: BTreeMap<String, String>,
    /// How it gives way.
    pub on_preempt: OnPreempt,
}

/// How a command gives way to a chat prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnPreempt {
    /// Its processes are stopped, and continued after.
    Suspend,
    /// It is ended, and started anew after.
    Restart,
}

impl Exec {
    pub(super) async fn run(
        self,
        spec: RunSpec,
        turn: Arc<Turn>,
        mut controls: Controls,
        reporter: Reporter,
    ) {
        let result = self.attempts(&spec, &turn, &mut controls, &reporter).await;
        reporter.ended(result);
    }

    /// Runs the command, again after each time it gave way by being ended.
    async fn attempts(
        &self,
        spec: &RunSpec,
        turn: &Arc<Turn>,
        controls: &mut Controls,
        reporter: &Reporter,
    ) -> Result<(), Failure> {
        loop {
            let mut attempt = self.start(spec, turn, controls, reporter).await?;
            let cause = attempt.supervise(controls, reporter).await;
            match attempt.finish(cause, controls).await {
                Ending::Over(result) => return result,
                Ending::GaveWay => {
                    reporter.suspended();
                    controls.until_resumed().await?;
                }
                Ending::GoesOn => {}
            }
            turn.start_over();
        }
    }
}

impl Exec {
    /// Starts the command, and tries that again for as long as it cannot be started: the machine has no room for another
    /// process, or its program is gone. A task that is held up so is not to fail, for the next one would too, and still
    /// gives way and ends as it is told. A person is told at once what is wrong with the program.
    async fn start(
        &self,
        spec: &RunSpec,
        turn: &Arc<Turn>,
        controls: &mut Controls,
        reporter: &Reporter,
    ) -> Result<Attempt, Failure> {
        let mut hold = Hold::new();
        loop {
            let why = match Attempt::start(self, spec, turn) {
                Ok(attempt) => {
                    hold.over(reporter);
                    return Ok(attempt);
                }
                Err(NotStarted::Instruction(failure)) => return Err(failure),
                Err(NotStarted::Program(failure)) if spec.source == Source::Chat => return Err(failure),
                Err(NotStarted::Program(failure)) => failure.message,
                Err(NotStarted::Room(error)) => format!("there is no room for its command: {error}"),
            };
            hold.wait(why, controls, reporter).await?;
        }
    }
}

/// The command, started once.
struct Attempt {
    child: Child,
    tree: Tree,
    /// Ends, with the end of stderr, when all streams are closed.
    streams: JoinHandle<Vec<u8>>,
    on_preempt: OnPreempt,
}

/// What a running command is doing, as far as we make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stance {
    Running,
    Freezing,
    Frozen,
}

/// Why all processes of an attempt are to be gone now.
enum Cause {
    /// The command itself has ended.
    Ended(io::Result<ExitStatus>),
    /// It gives way and will start over.
    GivesWay,
    /// [`Control::Kill`].
    Killed,
}

/// How an attempt ended.
enum Ending {
    Over(Result<(), Failure>),
    /// It is to start over when it is resumed.
    GaveWay,
    /// It was resumed before it was gone, and starts over at once.
    GoesOn,
}

impl Attempt {
    fn start(exec: &Exec, spec: &RunSpec, turn: &Arc<Turn>) -> Result<Self, NotStarted> {
        let (mut child, tree) = command::start(exec, spec)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let instruction = if stdin.is_some() { spec.instruction.clone() } else { String::new() };
        let turn = Arc::clone(turn);
        let streams = tokio::spawn(async move {
            let (tail, (), ()) = tokio::join!(
                pipes::keep_tail(stderr),
                pipes::pour(stdout, |text| turn.say(text)),
                pipes::feed(stdin, &instruction),
            );
            tail
        });
        Ok(Self { child, tree, streams, on_preempt: exec.on_preempt })
    }

    /// Does what the controls ask until it is time to see the processes off.
    async fn supervise(&mut self, controls: &mut Controls, reporter: &Reporter) -> Cause {
        let mut stance = Stance::Running;
        let mut is_ending = false;
        let mut backoff = Backoff::new();
        loop {
            tokio::select! {
                biased;
                status = self.child.wait() => {
                    if stance == Stance::Freezing {
                        self.go_on(&mut stance).await;
                    }
                    return Cause::Ended(status);
                }
                control = controls.next() => match (control, self.on_preempt) {
                    // It would stand in the way of its own end.
                    (Control::Suspend, _) if is_ending => {}
                    (Control::Suspend, OnPreempt::Restart) => return Cause::GivesWay,
                    (Control::Suspend, OnPreempt::Suspend) if stance == Stance::Running => {
                        stance = Stance::Freezing;
                        backoff = Backoff::new();
                    }
                    (Control::Suspend, OnPreempt::Suspend) | (Control::Answer(_), _) => {}
                    (Control::Resume, _) => self.go_on(&mut stance).await,
                    (Control::Cancel, _) => {
                        is_ending = true;
                        self.tree.terminate_group();
                        self.go_on(&mut stance).await;
                    }
                    (Control::Terminate, _) => {
                        is_ending = true;
                        let _ = self.tree.signal_all(Pressure::Terminate.signals()).await;
                        self.go_on(&mut stance).await;
                    }
                    (Control::Kill, _) => return Cause::Killed,
                },
                () = backoff.wait(), if stance == Stance::Freezing => {}
            }
            let is_still = stance == Stance::Freezing && self.tree.freeze().await == Freeze::Done;
            if is_still && self.is_alive() {
                stance = Stance::Frozen;
                reporter.suspended();
            }
        }
    }

    /// Whether the command itself has not ended yet.
    fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    async fn go_on(&self, stance: &mut Stance) {
        match stance {
            Stance::Running => {}
            Stance::Freezing | Stance::Frozen => {
                self.tree.thaw().await;
                *stance = Stance::Running;
            }
        }
    }

    /// Sees to it that nothing of the attempt is left, and says how it ended.
    async fn finish(mut self, cause: Cause, controls: &mut Controls) -> Ending {
        let farewell = Farewell::new(cause);
        let (status, next) = farewell.bid(&mut self.child, &self.tree, controls).await;
        self.tree.gone();
        // Nobody is left to write, unless someone out of our reach holds on.
        let drained = timeout(DRAIN_LIMIT, &mut self.streams).await;
        self.streams.abort();
        match next {
            Next::Over => {
                let stderr = drained.ok().and_then(Result::ok).unwrap_or_default();
                Ending::Over(command::verdict(status, &stderr))
            }
            Next::StartOverWhenResumed => Ending::GaveWay,
            Next::StartOverAtOnce => Ending::GoesOn,
        }
    }
}
