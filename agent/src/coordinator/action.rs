//! What the coordinator wants done.

use std::time::Duration;

use hive_shared::api::code;
use hive_shared::chat::WaitReason;
use hive_shared::ids::ItemId;
use hive_shared::work::{Source, Status};

use super::RunId;

/// Something to do, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Give the item the slot with a new run.
    Start {
        /// The run to report under.
        run: RunId,
        /// The item.
        item: ItemId,
        /// Which kind of work it is.
        source: Source,
    },
    /// Ask the run to yield: it answers with `RunSuspended`, or with `RunEnded` if it was done before.
    Suspend {
        /// The run.
        run: RunId,
    },
    /// Let a run that has yielded go on.
    Resume {
        /// The run.
        run: RunId,
        /// Its task.
        item: ItemId,
    },
    /// Take the next step in ending a run, or in making it yield.
    Signal {
        /// The run.
        run: RunId,
        /// How hard.
        rung: Rung,
    },
    /// The task has given way.
    Suspended {
        /// The task.
        item: ItemId,
        /// The prompt that it gave way to; none when a pause made it yield.
        to_chat: Option<ItemId>,
        /// How often it has given way to chat now.
        preemptions: u32,
        /// The time it has used in the slot.
        used: Duration,
    },
    /// The item has come to its end.
    Finish {
        /// The item.
        item: ItemId,
        /// Which kind of work it was.
        source: Source,
        /// Its run, if it ever ran.
        run: Option<RunId>,
        /// Why it ended.
        verdict: Verdict,
        /// The time it used in the slot.
        used: Duration,
        /// How often it gave way to chat.
        preemptions: u32,
    },
    /// The bot halts before the task is done: it goes back to the queue, and this start does not count.
    Requeue {
        /// The task.
        item: ItemId,
    },
    /// The task waits for others now.
    Blocked {
        /// The task.
        item: ItemId,
        /// For these.
        on: Vec<ItemId>,
    },
    /// The task waits for its turn alone.
    Unblocked {
        /// The task.
        item: ItemId,
    },
    /// The chat turn has said nothing for a while.
    Slow {
        /// The prompt.
        chat: ItemId,
    },
    /// What to answer to whoever asked.
    Reply(Reply),
    /// Nothing runs any more and nothing will: the daemon may go.
    Halt,
}

/// How hard a run is made to end (SPEC 5: a ladder).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// It is asked to.
    Cancel,
    /// Its processes are told to terminate.
    Terminate,
    /// Its processes are killed.
    Kill,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is done, or under way.
    Done,
    /// The prompt has the slot.
    Started,
    /// The prompt waits.
    Queued {
        /// Its place among the waiting prompts, from 1.
        position: usize,
        /// Why it waits.
        reason: WaitReason,
    },
    /// It cannot be done; nothing has changed.
    Refused(Refusal),
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No live item has this id.
    Unknown,
    /// The task does not wait any more.
    NotWaiting,
    /// Nothing holds the slot.
    Idle,
    /// The slot is taken, and the prompt does not want to wait.
    Busy,
    /// The bot is paused, and the prompt does not want to wait.
    Paused,
    /// Too many prompts wait.
    QueueFull,
    /// The bot is on its way out.
    Stopping,
}

/// Why an item ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its run ended by itself; the run's own result counts.
    AsReported,
    /// It was ended.
    Cut(Cause),
    /// Its file was taken away while it waited.
    FileRemoved,
    /// Its file was changed into something that is no task while it waited.
    FileRejected,
    /// A task that it depends on will not complete.
    Dependency {
        /// That task.
        on: ItemId,
        /// Why it will not.
        why: DependencyFault,
    },
    /// The daemon has crashed under it too often.
    TooManyAttempts,
}

/// Why a dependency cannot be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependencyFault {
    /// It ended other than completed.
    Failed,
    /// It depends on the task that depends on it.
    Cycle,
    /// No such task came in time.
    NeverCame,
}

/// Who or what ended an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// `cancel ID`.
    Cancelled,
    /// `interrupt`.
    Interrupted,
    /// A prompt with `when_busy: interrupt`.
    Superseded,
    /// Its time limit.
    TimedOut,
    /// Its client left and did not come back.
    Disconnected,
    /// `pause --now`.
    PausedNow,
    /// The bot's halt.
    Stopped,
}

impl Cause {
    /// The status that it gives an item, depending on whether the item ever ran (SPEC 5).
    pub fn status(self, ran: bool) -> Status {
        match self {
            Self::TimedOut => Status::TimedOut,
            Self::Disconnected | Self::PausedNow | Self::Stopped if ran => Status::Incomplete,
            Self::Disconnected
            | Self::PausedNow
            | Self::Stopped
            | Self::Cancelled
            | Self::Interrupted
            | Self::Superseded => Status::Cancelled,
        }
    }

    /// The `error_code` that it gives an item.
    pub fn code(self) -> &'static str {
        match self {
            Self::Cancelled => code::CANCELLED,
            Self::Interrupted => code::INTERRUPTED,
            Self::Superseded => code::SUPERSEDED,
            Self::TimedOut => code::TIMED_OUT,
            Self::Disconnected => code::DISCONNECTED,
            Self::PausedNow => code::PAUSED_NOW,
            Self::Stopped => code::STOPPED,
        }
    }

    /// The same for people.
    pub fn message(self) -> &'static str {
        match self {
            Self::Cancelled => "it was cancelled",
            Self::Interrupted => "it was interrupted",
            Self::Superseded => "a later prompt took its place",
            Self::TimedOut => "it used up its time limit",
            Self::Disconnected => "its client left and did not come back",
            Self::PausedNow => "the bot was paused at once",
            Self::Stopped => "the bot was stopped",
        }
    }
}
