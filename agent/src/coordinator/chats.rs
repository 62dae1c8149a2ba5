//! The prompts that wait, first come first served.

use std::collections::VecDeque;
use std::time::Duration;

use hive_shared::ids::ItemId;
use hive_shared::work::WhenBusy;

use super::Moment;
use super::event::ChatSpec;

/// The waiting prompts of one bot.
#[derive(Debug, Default)]
pub(super) struct Chats {
    waiting: VecDeque<WaitingChat>,
}

/// A prompt that waits.
#[derive(Debug)]
pub(super) struct WaitingChat {
    pub(super) id: ItemId,
    pub(super) limit: Duration,
    /// When its last connection went.
    pub(super) detached_since: Option<Moment>,
    when_busy: WhenBusy,
    /// False for a prompt of an earlier life, until its client comes back.
    eligible: bool,
    /// Whether what holds the slot is to be interrupted for it; false once that has made room.
    interrupts: bool,
}

impl Chats {
    /// Takes a prompt in. One that interrupts goes ahead of those that do not.
    pub(super) fn push(&mut self, spec: ChatSpec, now: Moment) {
        let interrupts = spec.when_busy == WhenBusy::Interrupt;
        let place = if interrupts {
            self.waiting.iter().take_while(|w| w.when_busy == WhenBusy::Interrupt).count()
        } else {
            self.waiting.len()
        };
        let waiting = WaitingChat {
            id: spec.id,
            limit: spec.limit,
            detached_since: spec.detached.then_some(now),
            when_busy: spec.when_busy,
            eligible: !spec.detached,
            interrupts,
        };
        self.waiting.insert(place, waiting);
    }

    /// A prompt's last connection went, or it has one again.
    pub(super) fn set_connection(&mut self, id: &ItemId, detached_since: Option<Moment>) {
        if let Some(waiting) = self.waiting.iter_mut().find(|w| &w.id == id) {
            waiting.detached_since = detached_since;
            waiting.eligible |= detached_since.is_none();
        }
    }

    /// The next prompt that may start.
    pub(super) fn first_eligible(&self) -> Option<&WaitingChat> {
        self.waiting.iter().find(|w| w.eligible)
    }

    /// Takes out the next prompt that may start.
    pub(super) fn pop_eligible(&mut self) -> Option<WaitingChat> {
        let place = self.waiting.iter().position(|w| w.eligible)?;
        self.waiting.remove(place)
    }

    /// A prompt for which what holds the slot is to be interrupted, whatever it is.
    pub(super) fn interrupter(&self) -> Option<ItemId> {
        self.waiting.iter().find(|w| w.eligible && w.interrupts).map(|w| w.id.clone())
    }

    /// What held the slot when these prompts came is gone: they interrupt nothing that comes after it.
    pub(super) fn interruption_done(&mut self) {
        for waiting in self.waiting.iter_mut().filter(|w| w.eligible) {
            waiting.interrupts = false;
        }
    }

    /// A prompt for which a task gives way, if the rules let it.
    pub(super) fn first_preempting(&self) -> Option<ItemId> {
        let preempts = |w: &&WaitingChat| match w.when_busy {
            WhenBusy::Auto | WhenBusy::Interrupt | WhenBusy::Reject => w.eligible,
            WhenBusy::Queue => false,
        };
        self.waiting.iter().find(preempts).map(|w| w.id.clone())
    }

    /// Takes one prompt out.
    pub(super) fn remove(&mut self, id: &ItemId) -> Option<ItemId> {
        let place = self.waiting.iter().position(|w| &w.id == id)?;
        self.waiting.remove(place).map(|w| w.id)
    }

    /// Takes out those whose clients left and did not come back within `grace`.
    pub(super) fn expire(&mut self, now: Moment, grace: Duration) -> Vec<ItemId> {
        let is_over = |w: &WaitingChat| w.detached_since.is_some_and(|at| at + grace <= now);
        let expired = self.waiting.iter().filter(|w| is_over(w)).map(|w| w.id.clone()).collect();
        self.waiting.retain(|w| !is_over(w));
        expired
    }

    pub(super) fn next_deadline(&self, grace: Duration) -> Option<Moment> {
        self.waiting.iter().filter_map(|w| w.detached_since).map(|at| at + grace).min()
    }

    /// The place of a prompt, from 1.
    pub(super) fn position(&self, id: &ItemId) -> Option<usize> {
        self.waiting.iter().position(|w| &w.id == id).map(|place| place + 1)
    }

    pub(super) fn is_detached(&self, id: &ItemId) -> bool {
        self.waiting.iter().any(|w| &w.id == id && !w.eligible)
    }

    pub(super) fn contains(&self, id: &ItemId) -> bool {
        self.position(id).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
