//! Who runs when: the rules of SPEC section 5, and nothing else.
//!
//! A deterministic state machine with no I/O, no clock and no randomness: [`Coordinator::handle`] takes the time and
//! an event, and gives back what is to be done (`intake`, `ending`); then the table of SPEC 5 decides who gets the
//! slot (`rules`). Deadlines are data: whoever drives it calls again at
//! [`Coordinator::next_deadline`]. What an agent says never passes through here.
//!
//! ```text
//!              event                         settle
//!   files ───┐                 ┌──────────┐  chat first, then what is suspended,
//!   chat  ───┼──> handle(now) ─┤  slot    │  then files by priority and arrival
//!   runs  ───┤                 │ suspended│
//!   people ──┘                 │  chats   │ ──> actions
//!                              │  queue   │
//!                              └──────────┘
//! ```

mod action;
mod chats;
mod ending;
mod event;
mod intake;
mod queue;
mod rules;
mod slot;
mod view;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::{Add, Sub};
use std::time::Duration;

use hive_shared::ids::ItemId;
use hive_shared::work::{Scope, Source};

pub use action::{Action, Cause, DependencyFault, Refusal, Reply, Rung, Verdict};
pub use event::{ChatSpec, Dependency, Ended, Event, PauseCause, TaskSpec};

use chats::Chats;
use queue::Queue;
use slot::{Held, Phase, Suspended, Work};

/// Preemptions this soon after the last chat turn's end are part of the same conversation (SPEC 5).
pub const CONVERSATION: Duration = Duration::from_mins(1);
/// A chat turn that has said nothing for so long gets a notice (SPEC 5).
pub const SLOW: Duration = Duration::from_secs(10);
/// How many prompts may wait (SPEC 5).
pub const MAX_WAITING_CHATS: usize = 100;

/// A point on the daemon's own clock, which never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(Duration);

impl Moment {
    /// The moment so long after the daemon's start.
    pub fn from_start(after: Duration) -> Self {
        Self(after)
    }

    /// The time since the daemon's start.
    pub fn since_start(self) -> Duration {
        self.0
    }
}

impl Add<Duration> for Moment {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub for Moment {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A run of an adapter, in this life of the daemon. A task that yields and resumes keeps its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// The settings that the rules depend on (SPEC 11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// A task with less than this left of its limit is not preempted.
    pub preempt_grace: Duration,
    /// How often a task gives way to chat.
    pub max_preemptions: u32,
    /// How long file work waits after a chat turn, for the person's next word.
    pub chat_linger: Duration,
    /// How long file work waits after a file task.
    pub task_cooldown: Duration,
    /// How long a client that left may take to come back.
    pub disconnect_grace: Duration,
    /// Whether what a client left behind runs on.
    pub finish_on_disconnect: bool,
    /// How long a task waits for one that nobody knows.
    pub dependency_timeout: Duration,
    /// How often a task is started when the daemon crashes under it.
    pub max_attempts: u32,
}

/// What holds the slot, for those who look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupant {
    /// The item.
    pub item: ItemId,
    /// Which kind of work it is.
    pub source: Source,
    /// The time it has used in the slot.
    pub used: Duration,
    /// The time it may use.
    pub limit: Duration,
    /// How often it gave way to chat.
    pub preemptions: u32,
}

/// The rules at work for one bot.
#[derive(Debug)]
pub struct Coordinator {
    rules: Rules,
    slot: Option<Held>,
    suspended: Option<Suspended>,
    chats: Chats,
    queue: Queue,
    pauses: BTreeMap<PauseCause, Scope>,
    stop: Option<Stop>,
    scanned: bool,
    /// File work does not start before this.
    quiet_until: Moment,
    /// When the latest conversation was last alive: a preemption, a chat turn's start or end.
    last_word: Option<Moment>,
    conversation: u64,
    last_run: u64,
    /// Tasks that have ended and whose dependents do not know yet.
    ended: Vec<(ItemId, Ended)>,
    actions: Vec<Action>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Nothing starts any more.
    UnderWay,
    /// `Action::Halt` was given.
    Halted,
}

impl Coordinator {
    /// A bot with nothing to do, whose task directory was not read yet.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            slot: None,
            suspended: None,
            chats: Chats::default(),
            queue: Queue::default(),
            pauses: BTreeMap::new(),
            stop: None,
            scanned: false,
            quiet_until: Moment::default(),
            last_word: None,
            conversation: 0,
            last_run: 0,
            ended: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// Takes in what happened at `now`, and gives back what is to be done, in order. Requests are answered by one
    /// [`Action::Reply`].
    pub fn handle(&mut self, now: Moment, event: Event) -> Vec<Action> {
        self.expire(now);
        self.take_in(now, event);
        self.settle(now);
        std::mem::take(&mut self.actions)
    }

    /// When to call [`Coordinator::handle`] again at the latest, with [`Event::Tick`].
    pub fn next_deadline(&self) -> Option<Moment> {
        let slot = self.slot.as_ref().into_iter().flat_map(|held| {
            let ladder = match &held.phase {
                Phase::Running => None,
                Phase::Yielding { ladder, .. } | Phase::Ending { ladder, .. } => ladder.next,
            };
            let chat = match &held.work {
                Work::Chat(chat) => {
                    [chat.slow_at, chat.detached_since.map(|at| at + self.rules.disconnect_grace)]
                }
                Work::Task(_) => [None, None],
            };
            [held.limit_at(), ladder, chat[0], chat[1]].into_iter().flatten()
        });
        let quiet =
            (self.slot.is_none() && self.has_file_work() && !self.holds_tasks() && self.stop.is_none())
                .then_some(self.quiet_until);
        let waiting = self.chats.next_deadline(self.rules.disconnect_grace);
        let tasks = self.queue.next_deadline().filter(|_| self.scanned);
        slot.chain(quiet).chain(waiting).chain(tasks).min()
    }
}
