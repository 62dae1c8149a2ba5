//! Who gets the slot: the table of SPEC section 5.

use std::time::Duration;

use hive_shared::chat::WaitReason;
use hive_shared::ids::ItemId;
use hive_shared::work::{Scope, Source};

use super::slot::{Chat, Held, Phase, Suspended, Task, Work};
use super::{Action, CONVERSATION, Cause, Coordinator, Moment, SLOW};

impl Coordinator {
    /// Brings the slot to what the rules want, from whatever state.
    pub(super) fn settle(&mut self, now: Moment) {
        self.release_dependents();
        if self.stop.is_some() {
            return self.settle_stop();
        }
        self.make_way(now);
        if self.slot.is_some() {
            return;
        }
        if !self.holds_all()
            && let Some(chat) = self.chats.pop_eligible()
        {
            self.converse(now);
            self.chats.interruption_done();
            let run = self.next_run();
            self.actions.push(Action::Start { run, item: chat.id.clone(), source: Source::Chat });
            let chat = Chat {
                id: chat.id,
                limit: chat.limit,
                detached_since: chat.detached_since,
                slow_at: Some(now + SLOW),
            };
            self.slot = Some(Held::new(run, Work::Chat(chat), Duration::ZERO, now));
            return;
        }
        let may_start = self.scanned && !self.holds_tasks() && now >= self.quiet_until;
        if !may_start {
            return;
        }
        if let Some(suspended) = self.suspended.take_if(|s| s.ending.is_none()) {
            let Suspended { task, run: old, used, .. } = suspended;
            let run = old.unwrap_or_else(|| self.next_run());
            let item = task.id.clone();
            self.actions.push(match old {
                Some(_) => Action::Resume { run, item },
                None => Action::Start { run, item, source: Source::File },
            });
            self.slot = Some(Held::new(run, Work::Task(task), used, now));
        } else if self.suspended.is_none()
            && let Some(task) = self.queue.pop()
        {
            let run = self.next_run();
            self.actions.push(Action::Start { run, item: task.id.clone(), source: Source::File });
            self.slot = Some(Held::new(run, Work::Task(task), Duration::ZERO, now));
        }
    }

    /// Makes what holds the slot give way to a waiting prompt, where the rules want that.
    pub(super) fn make_way(&mut self, now: Moment) {
        if self.holds_all() || self.chats.first_eligible().is_none() {
            return;
        }
        let Some(held) = self.slot.as_ref().filter(|held| held.phase == Phase::Running) else { return };
        let interrupter = self.chats.interrupter();
        match &held.work {
            Work::Chat(_) if interrupter.is_some() => self.end_slot(now, Cause::Superseded),
            Work::Chat(_) => {}
            Work::Task(task) => {
                let is_spared = self.spares(now, held, task).is_some();
                let to_chat = match interrupter {
                    Some(chat) => Some(chat),
                    None if is_spared => None,
                    None => self.chats.first_preempting(),
                };
                if to_chat.is_some() {
                    self.converse(now);
                    self.ask_to_yield(now, to_chat);
                }
            }
        }
    }

    /// Why the rules spare a running task from giving way to chat, if they do.
    pub(super) fn spares(&self, now: Moment, held: &Held, task: &Task) -> Option<WaitReason> {
        let same_conversation = self.in_conversation(now) && task.conversation == Some(self.conversation);
        if held.is_held_up() {
            None
        } else if !task.interruptible {
            Some(WaitReason::NotInterruptible)
        } else if held.left(now) < self.rules.preempt_grace {
            Some(WaitReason::NearlyDone)
        } else if task.preemptions >= self.rules.max_preemptions && !same_conversation {
            Some(WaitReason::PreemptedTooOften)
        } else {
            None
        }
    }

    pub(super) fn wait_reason(&self, now: Moment, id: &ItemId) -> WaitReason {
        if self.holds_all() {
            return WaitReason::Paused;
        }
        if self.chats.is_detached(id) {
            return WaitReason::Detached;
        }
        match &self.slot {
            Some(Held { phase: Phase::Yielding { .. }, .. }) => WaitReason::Preempting,
            Some(Held { phase: Phase::Ending { .. }, .. }) => WaitReason::Ending,
            Some(Held { work: Work::Chat(_), .. }) | None => WaitReason::ChatAhead,
            Some(held @ Held { work: Work::Task(task), .. }) => {
                self.spares(now, held, task).unwrap_or(WaitReason::AskedToQueue)
            }
        }
    }

    /// Whether a preemption now would be part of the conversation that was.
    pub(super) fn in_conversation(&self, now: Moment) -> bool {
        self.last_word.is_some_and(|at| now - at < CONVERSATION)
    }

    /// The conversation goes on, or another begins.
    pub(super) fn converse(&mut self, now: Moment) {
        if !self.in_conversation(now) {
            self.conversation += 1;
        }
        self.last_word = Some(now);
    }

    pub(super) fn holds_all(&self) -> bool {
        self.pauses.values().any(|scope| *scope == Scope::All)
    }

    pub(super) fn holds_tasks(&self) -> bool {
        !self.pauses.is_empty()
    }

    /// Whether file work would start if the slot were free and nothing held it.
    pub(super) fn has_file_work(&self) -> bool {
        let next = match &self.suspended {
            Some(suspended) => suspended.ending.is_none(),
            None => self.queue.has_ready(),
        };
        self.scanned && next
    }
}
