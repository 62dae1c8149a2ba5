//! What the coordinator is told.

use std::time::Duration;

use hive_shared::ids::ItemId;
use hive_shared::work::{Priority, Scope, WhenBusy};

use super::RunId;

/// Something that happened outside the coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A task is new, or is known from before the daemon's start.
    TaskArrived(TaskSpec),
    /// A task's file was read again. Counts only while it waits; its place among its equals stays.
    TaskEdited(TaskSpec),
    /// A task's file is gone. Counts only while it waits.
    TaskFileMissing(ItemId),
    /// A task's file that was missing is there again, as it was.
    TaskFileBack(ItemId),
    /// A waiting task's file was changed into something that is no task.
    TaskFileRejected(ItemId),
    /// The task directory was read in full.
    Scanned,
    /// Someone prompts.
    ChatArrived(ChatSpec),
    /// The last connection that a prompt came from is gone.
    ChatDetached(ItemId),
    /// A prompt has a connection again.
    ChatAttached(ItemId),
    /// The run said something for the first time.
    RunSpoke(RunId),
    /// The run has yielded: it does nothing until it is resumed.
    RunSuspended(RunId),
    /// The run is over; no process of it is left.
    RunEnded {
        /// The run.
        run: RunId,
        /// What it says of itself; counts only if nobody made it end.
        how: Ended,
    },
    /// The run that was to be started never began, because the task's file was not there, or not as it is known: the task
    /// waits until more is told of its file, and for two seconds at most.
    RunWithdrawn(RunId),
    /// The run cannot begin for now: its limit's clock stands still, and it gives way to any prompt, for that costs
    /// nothing.
    RunHeldUp(RunId),
    /// The run waits for an approval: its limit's clock stands still.
    ClockStopped(RunId),
    /// The run goes on after an approval, or has begun.
    ClockStarted(RunId),
    /// Someone ends or removes one item.
    Cancel(ItemId),
    /// Someone ends what holds the slot.
    Interrupt,
    /// Someone gives a waiting task another priority.
    Prioritize(ItemId, Priority),
    /// The bot is to be paused. A second pause of the same cause replaces the first.
    Pause {
        /// Who pauses it.
        cause: PauseCause,
        /// What is held.
        scope: Scope,
        /// Whether what holds the slot is not to finish first.
        now: bool,
    },
    /// This cause pauses the bot no longer.
    Resume(PauseCause),
    /// The bot is to halt.
    Stop {
        /// Whether the current turn may finish first.
        drain: bool,
    },
    /// Time has passed.
    Tick,
}

/// A task as the rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSpec {
    /// Its id.
    pub id: ItemId,
    /// Its priority.
    pub priority: Priority,
    /// Its place among tasks of its priority: lower first.
    pub arrival: u64,
    /// The time it may use in the slot.
    pub limit: Duration,
    /// Whether chat may preempt it.
    pub interruptible: bool,
    /// What must complete first, as far as it has not.
    pub depends_on: Vec<Dependency>,
    /// How long it has waited already, in earlier lives of the daemon.
    pub waited: Duration,
    /// How often it was started and not finished, stops and preemptions not counted.
    pub attempts: u32,
    /// How often it was preempted, a conversation counted once.
    pub preemptions: u32,
}

/// A task that another depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Its id.
    pub id: ItemId,
    /// How it ended, if it has ended before the dependent arrived.
    pub ended: Option<Ended>,
}

/// How a task ended, for those that depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It completed.
    Well,
    /// It ended otherwise.
    Badly,
}

/// A prompt as the rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatSpec {
    /// Its id.
    pub id: ItemId,
    /// The time its turn may use.
    pub limit: Duration,
    /// What it wants when the bot is busy.
    pub when_busy: WhenBusy,
    /// Whether it is from an earlier life of the daemon and its client has not come back yet.
    pub detached: bool,
}

/// Who pauses the bot. Each cause is lifted alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PauseCause {
    /// Somebody, by control file or request.
    User,
    /// The disk cannot be written.
    Disk,
    /// The agent's provider limits it.
    Limit,
}

impl PauseCause {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::User, Self::Disk, Self::Limit];

    /// The word in `paused_by`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Disk => "disk",
            Self::Limit => "limit",
        }
    }
}
