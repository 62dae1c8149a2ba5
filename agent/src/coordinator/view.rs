//! What the coordinator shows to those who look.

use std::collections::BTreeMap;

use hive_shared::ids::ItemId;
use hive_shared::work::{Scope, Source, Status};

use super::{Coordinator, Moment, Occupant, PauseCause};

impl Coordinator {
    /// What holds the slot.
    pub fn occupant(&self, now: Moment) -> Option<Occupant> {
        self.slot.as_ref().map(|held| Occupant {
            item: held.work.id().clone(),
            source: held.work.source(),
            used: held.used(now),
            limit: held.work.limit(),
            preemptions: held.work.preemptions(),
        })
    }

    /// The task that gave way.
    pub fn suspended(&self) -> Option<Occupant> {
        self.suspended.as_ref().map(|s| Occupant {
            item: s.task.id.clone(),
            source: Source::File,
            used: s.used,
            limit: s.task.limit,
            preemptions: s.task.preemptions,
        })
    }

    /// The state of an item that has not ended.
    pub fn status_of(&self, id: &ItemId) -> Option<Status> {
        if self.slot.as_ref().is_some_and(|held| held.work.id() == id) {
            return Some(Status::Running);
        }
        if self.suspended.as_ref().is_some_and(|s| &s.task.id == id) {
            return Some(Status::Suspended);
        }
        if let Some(blocked) = self.queue.is_blocked(id) {
            return Some(if blocked { Status::Blocked } else { Status::Queued });
        }
        self.chats.contains(id).then_some(Status::Queued)
    }

    /// The tasks that could start, in the order in which they will.
    pub fn in_order(&self) -> impl Iterator<Item = &ItemId> {
        self.queue.in_order()
    }

    /// The tasks that could not start yet, with those that they wait for.
    pub fn held_back(&self) -> impl Iterator<Item = (&ItemId, &[ItemId])> {
        self.queue.held_back()
    }

    /// How many tasks of each priority could start.
    pub fn ready_by_priority(&self) -> [usize; 4] {
        self.queue.ready_by_priority()
    }

    /// How many tasks wait, those that could not start included.
    pub fn waiting_tasks(&self) -> usize {
        self.queue.len()
    }

    /// How many prompts wait.
    pub fn waiting_chats(&self) -> usize {
        self.chats.len()
    }

    /// The place of a prompt among those that wait, from 1.
    pub fn place_of_chat(&self, id: &ItemId) -> Option<usize> {
        self.chats.position(id)
    }

    /// What pauses the bot.
    pub fn pauses(&self) -> &BTreeMap<PauseCause, Scope> {
        &self.pauses
    }

    /// Whether the bot is on its way out.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    /// Whether something runs, or will without anything else happening. A prompt that could start has started.
    pub fn has_work(&self) -> bool {
        self.slot.is_some() || (!self.holds_tasks() && self.has_file_work())
    }
}
