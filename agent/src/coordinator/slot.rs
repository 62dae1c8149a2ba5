//! The one execution slot: what holds it, for how long, and the ladder that empties it.

use std::time::Duration;

use hive_shared::ids::ItemId;
use hive_shared::work::{Priority, Source};

use super::action::{Cause, Rung};
use super::{Moment, RunId};

/// Between one rung of the ladder and the next (SPEC 5).
pub(super) const RUNG: Duration = Duration::from_secs(5);
/// The same when the bot stops: children are gone within a second.
pub(super) const STOP_RUNG: Duration = Duration::from_millis(500);

/// A task that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) id: ItemId,
    pub(super) priority: Priority,
    pub(super) arrival: u64,
    pub(super) limit: Duration,
    pub(super) interruptible: bool,
    pub(super) preemptions: u32,
    /// The conversation that last made it give way.
    pub(super) conversation: Option<u64>,
}

/// A chat turn that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chat {
    pub(super) id: ItemId,
    pub(super) limit: Duration,
    /// When its last connection went.
    pub(super) detached_since: Option<Moment>,
    /// When to say that it is slow; none once it spoke or that was said.
    pub(super) slow_at: Option<Moment>,
}

/// What a run is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    Task(Task),
    Chat(Chat),
}

impl Work {
    pub(super) fn id(&self) -> &ItemId {
        match self {
            Self::Task(task) => &task.id,
            Self::Chat(chat) => &chat.id,
        }
    }

    pub(super) fn source(&self) -> Source {
        match self {
            Self::Task(_) => Source::File,
            Self::Chat(_) => Source::Chat,
        }
    }

    pub(super) fn limit(&self) -> Duration {
        match self {
            Self::Task(task) => task.limit,
            Self::Chat(chat) => chat.limit,
        }
    }

    pub(super) fn preemptions(&self) -> u32 {
        match self {
            Self::Task(task) => task.preemptions,
            Self::Chat(_) => 0,
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// It works.
    Running,
    /// It was asked to yield.
    Yielding { to_chat: Option<ItemId>, ladder: Ladder },
    /// It was asked to end.
    Ending { cause: Cause, ladder: Ladder },
}

/// How far a run was pushed, and when to push harder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ladder {
    pub(super) rung: Rung,
    pub(super) next: Option<Moment>,
}

impl Ladder {
    /// The usual ladder, from its gentlest rung.
    pub(super) fn gentle(now: Moment) -> Self {
        Self { rung: Rung::Cancel, next: Some(now + RUNG) }
    }

    /// The ladder of a halting bot: it begins with termination.
    pub(super) fn hasty(now: Moment) -> Self {
        Self { rung: Rung::Terminate, next: Some(now + STOP_RUNG) }
    }

    /// The same from where this one stands; a rung that was taken is not taken again.
    pub(super) fn hastened(self, now: Moment) -> Self {
        match self.rung {
            Rung::Cancel => Self::hasty(now),
            Rung::Terminate | Rung::Kill => {
                Self { next: self.next.map(|at| at.min(now + STOP_RUNG)), ..self }
            }
        }
    }

    /// No ladder at all: what is suspended cannot be asked.
    pub(super) fn kill() -> Self {
        Self { rung: Rung::Kill, next: None }
    }

    /// The next rung, if its time has come.
    pub(super) fn climb(&mut self, now: Moment) -> Option<Rung> {
        if self.next.is_none_or(|at| now < at) {
            return None;
        }
        (self.rung, self.next) = match self.rung {
            Rung::Cancel => (Rung::Terminate, Some(now + RUNG)),
            Rung::Terminate | Rung::Kill => (Rung::Kill, None),
        };
        Some(self.rung)
    }
}

/// What holds the slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) run: RunId,
    pub(super) work: Work,
    pub(super) phase: Phase,
    clock: Clock,
    is_held_up: bool,
}

impl Held {
    pub(super) fn new(run: RunId, work: Work, used: Duration, now: Moment) -> Self {
        let clock = Clock { used, since: Some(now) };
        Self { run, work, phase: Phase::Running, clock, is_held_up: false }
    }

    /// The time it has used in the slot.
    pub(super) fn used(&self, now: Moment) -> Duration {
        self.clock.used(now)
    }

    /// The time it may still use.
    pub(super) fn left(&self, now: Moment) -> Duration {
        self.work.limit().saturating_sub(self.used(now))
    }

    /// When its time is up; never while its clock stands still or it is on its way out.
    pub(super) fn limit_at(&self) -> Option<Moment> {
        match self.phase {
            Phase::Running => {
                self.clock.since.map(|since| since + self.work.limit().saturating_sub(self.clock.used))
            }
            Phase::Yielding { .. } | Phase::Ending { .. } => None,
        }
    }

    pub(super) fn stop_clock(&mut self, now: Moment) {
        self.clock = Clock { used: self.used(now), since: None };
    }

    /// It cannot begin for now.
    pub(super) fn hold_up(&mut self, now: Moment) {
        self.stop_clock(now);
        self.is_held_up = true;
    }

    pub(super) fn is_held_up(&self) -> bool {
        self.is_held_up
    }

    pub(super) fn start_clock(&mut self, now: Moment) {
        self.is_held_up = false;
        self.clock.since.get_or_insert(now);
    }

    pub(super) fn ladder(&mut self) -> Option<&mut Ladder> {
        match &mut self.phase {
            Phase::Running => None,
            Phase::Yielding { ladder, .. } | Phase::Ending { ladder, .. } => Some(ladder),
        }
    }
}

/// The time spent in the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clock {
    used: Duration,
    /// Since when it runs; none while it stands still.
    since: Option<Moment>,
}

impl Clock {
    fn used(&self, now: Moment) -> Duration {
        self.used + self.since.map_or(Duration::ZERO, |since| now - since)
    }
}

/// The task that gave way. It is the next file work to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suspended {
    pub(super) task: Task,
    /// The run that waits; none if it did not survive being made to yield, so that the task starts anew.
    pub(super) run: Option<RunId>,
    pub(super) used: Duration,
    /// Why its run is being ended, if it is.
    pub(super) ending: Option<Cause>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Moment {
        Moment::from_start(Duration::from_secs(secs))
    }

    fn chat(limit: u64) -> Held {
        let id = ItemId::parse("CHAT-1").unwrap();
        let chat = Chat { id, limit: Duration::from_secs(limit), detached_since: None, slow_at: None };
        Held::new(RunId(1), Work::Chat(chat), Duration::ZERO, at(100))
    }

    #[test]
    fn the_clock_counts_only_time_in_which_it_runs() {
        let mut held = chat(60);
        assert_eq!(held.limit_at(), Some(at(160)));
        held.stop_clock(at(110));
        assert_eq!((held.used(at(500)), held.limit_at()), (Duration::from_secs(10), None));
        held.start_clock(at(500));
        held.start_clock(at(505));
        assert_eq!((held.used(at(505)), held.limit_at()), (Duration::from_secs(15), Some(at(550))));
    }

    #[test]
    fn the_ladder_has_three_rungs_five_seconds_apart() {
        let mut ladder = Ladder::gentle(at(0));
        assert_eq!(ladder.climb(at(4)), None);
        assert_eq!(ladder.climb(at(5)), Some(Rung::Terminate));
        assert_eq!(ladder.climb(at(9)), None);
        assert_eq!(ladder.climb(at(10)), Some(Rung::Kill));
        assert_eq!(ladder.climb(at(1_000)), None);
    }

    #[test]
    fn a_halting_bot_kills_within_a_second() {
        let mut ladder = Ladder::hasty(at(0));
        assert_eq!(ladder.climb(at(1)), Some(Rung::Kill));
    }
}
