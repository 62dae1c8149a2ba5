//! What each event does to the state, before the rules look at it.

use std::time::Duration;

use hive_shared::ids::ItemId;
use hive_shared::work::{Priority, Scope, WhenBusy};

use super::queue::{self, Admission};
use super::slot::{Held, Phase, Suspended, Task, Work};
use super::{
    Action, Cause, ChatSpec, Coordinator, Ended, Event, MAX_WAITING_CHATS, Moment, PauseCause, Refusal,
    Reply, RunId, Rung, Stop, TaskSpec, Verdict,
};

impl Coordinator {
    pub(super) fn take_in(&mut self, now: Moment, event: Event) {
        match event {
            Event::TaskArrived(spec) => self.admit(now, &spec),
            Event::TaskEdited(spec) => self.task_edited(now, spec),
            Event::TaskFileMissing(id) => self.queue.file_missing(now, &id),
            Event::TaskFileBack(id) => self.queue.file_back(&id),
            Event::TaskFileRejected(id) => {
                if let Some(task) = self.queue.remove(&id) {
                    self.finish_waiting(&task, Verdict::FileRejected);
                }
            }
            Event::Scanned => self.scanned = true,
            Event::ChatArrived(spec) => self.chat_arrived(now, spec),
            Event::ChatDetached(id) => self.chat_connection(&id, Some(now)),
            Event::ChatAttached(id) => self.chat_connection(&id, None),
            Event::RunSpoke(run) => {
                if let Some(Held { work: Work::Chat(chat), .. }) = self.held(run) {
                    chat.slow_at = None;
                }
            }
            Event::RunSuspended(run) => self.run_suspended(now, run),
            Event::RunEnded { run, how } => self.run_ended(now, run, how),
            Event::RunWithdrawn(run) => self.run_withdrawn(now, run),
            Event::RunHeldUp(run) => {
                if let Some(held) = self.held(run) {
                    held.hold_up(now);
                }
            }
            Event::ClockStopped(run) => {
                if let Some(held) = self.held(run) {
                    held.stop_clock(now);
                }
            }
            Event::ClockStarted(run) => {
                if let Some(held) = self.held(run) {
                    held.start_clock(now);
                }
            }
            Event::Cancel(id) => self.cancel(now, &id),
            Event::Interrupt => self.interrupt(now),
            Event::Prioritize(id, priority) => self.prioritize(&id, priority),
            Event::Pause { cause, scope, now: at_once } => self.pause(now, cause, scope, at_once),
            Event::Resume(cause) => {
                self.pauses.remove(&cause);
                self.reply(Reply::Done);
            }
            Event::Stop { drain } => self.begin_stop(now, drain),
            Event::Tick => {}
        }
    }

    pub(super) fn admit(&mut self, now: Moment, spec: &TaskSpec) {
        if spec.attempts >= self.rules.max_attempts {
            return self.finish_waiting(&queue::task_of(spec), Verdict::TooManyAttempts);
        }
        match self.queue.admit(now, spec, self.rules.dependency_timeout) {
            Admission::Ready => {}
            Admission::Blocked(on) => self.actions.push(Action::Blocked { item: spec.id.clone(), on }),
            Admission::Hopeless { on, why } => {
                self.finish_waiting(&queue::task_of(spec), Verdict::Dependency { on, why });
            }
        }
    }

    pub(super) fn task_edited(&mut self, now: Moment, mut spec: TaskSpec) {
        let Some(arrival) = self.queue.arrival(&spec.id) else { return };
        self.queue.remove(&spec.id);
        spec.arrival = arrival;
        let was = self.actions.len();
        self.admit(now, &spec);
        if self.actions.len() == was {
            self.actions.push(Action::Unblocked { item: spec.id });
        }
    }

    pub(super) fn chat_arrived(&mut self, now: Moment, mut spec: ChatSpec) {
        if !spec.detached
            && let Some(refusal) = self.refuses(spec.when_busy)
        {
            self.reply(Reply::Refused(refusal));
            return;
        }
        spec.detached &= !self.rules.finish_on_disconnect;
        let id = spec.id.clone();
        self.chats.push(spec, now);
        self.settle(now);
        let reply = match self.chats.position(&id) {
            None => Reply::Started,
            Some(position) => Reply::Queued { position, reason: self.wait_reason(now, &id) },
        };
        self.reply(reply);
    }

    /// Why a prompt that arrived now would be refused, if it would.
    pub fn refuses(&self, when_busy: WhenBusy) -> Option<Refusal> {
        let is_busy = self.slot.is_some() || self.chats.first_eligible().is_some();
        match when_busy {
            _ if self.stop.is_some() => Some(Refusal::Stopping),
            WhenBusy::Reject if self.holds_all() => Some(Refusal::Paused),
            WhenBusy::Reject if is_busy => Some(Refusal::Busy),
            WhenBusy::Auto | WhenBusy::Queue | WhenBusy::Interrupt | WhenBusy::Reject => {
                (self.chats.len() >= MAX_WAITING_CHATS).then_some(Refusal::QueueFull)
            }
        }
    }

    pub(super) fn chat_connection(&mut self, id: &ItemId, detached_since: Option<Moment>) {
        let detached_since = detached_since.filter(|_| !self.rules.finish_on_disconnect);
        match &mut self.slot {
            Some(Held { work: Work::Chat(chat), .. }) if &chat.id == id => {
                chat.detached_since = detached_since;
            }
            Some(_) | None => self.chats.set_connection(id, detached_since),
        }
    }

    pub(super) fn run_suspended(&mut self, now: Moment, run: RunId) {
        let Some(held) = self.slot.take_if(|held| held.run == run) else { return };
        match (held.phase.clone(), held.work.clone()) {
            (Phase::Yielding { to_chat, .. }, Work::Task(task)) => {
                self.suspend(task, Some(run), held.used(now), to_chat);
            }
            // It yields although nobody wants that any more: it keeps the slot until it is over.
            (
                Phase::Running | Phase::Ending { .. } | Phase::Yielding { .. },
                Work::Task(_) | Work::Chat(_),
            ) => {
                self.slot = Some(held);
            }
        }
    }

    pub(super) fn suspend(
        &mut self,
        mut task: Task,
        run: Option<RunId>,
        used: Duration,
        to_chat: Option<ItemId>,
    ) {
        if to_chat.is_some() && task.conversation != Some(self.conversation) {
            task.conversation = Some(self.conversation);
            task.preemptions += 1;
        }
        let (item, preemptions) = (task.id.clone(), task.preemptions);
        self.actions.push(Action::Suspended { item, to_chat, preemptions, used });
        self.suspended = Some(Suspended { task, run, used, ending: None });
    }

    pub(super) fn run_ended(&mut self, now: Moment, run: RunId, how: Ended) {
        if let Some(suspended) = self.suspended.take_if(|s| s.run == Some(run)) {
            self.end_suspended(suspended, how);
            return;
        }
        let Some(held) = self.slot.take_if(|held| held.run == run) else { return };
        let used = held.used(now);
        let verdict = match held.phase {
            Phase::Running => Verdict::AsReported,
            Phase::Yielding { ladder, to_chat } => match held.work {
                // It did not survive being pushed to yield: that is our doing, and no end of the task.
                Work::Task(task) if ladder.rung > Rung::Cancel => {
                    return self.suspend(task, None, used, to_chat);
                }
                Work::Task(_) | Work::Chat(_) => Verdict::AsReported,
            },
            Phase::Ending { cause, .. } => Verdict::Cut(cause),
        };
        match held.work {
            Work::Task(task) => {
                self.quiet_until = self.quiet_until.max(now + self.rules.task_cooldown);
                match verdict {
                    Verdict::Cut(Cause::Stopped) => self.actions.push(Action::Requeue { item: task.id }),
                    verdict => self.finish_task(&task, Some(run), verdict, how, used),
                }
            }
            Work::Chat(chat) => {
                self.quiet_until = self.quiet_until.max(now + self.rules.chat_linger);
                self.last_word = Some(now);
                self.finish_chat(chat.id, Some(run), verdict, used);
            }
        }
    }

    pub(super) fn end_suspended(&mut self, suspended: Suspended, how: Ended) {
        let Suspended { task, run, used, ending } = suspended;
        match ending {
            Some(Cause::Stopped) => self.actions.push(Action::Requeue { item: task.id }),
            Some(cause) => self.finish_task(&task, run, Verdict::Cut(cause), how, used),
            None => self.finish_task(&task, run, Verdict::AsReported, how, used),
        }
    }

    pub(super) fn run_withdrawn(&mut self, now: Moment, run: RunId) {
        match self.slot.take_if(|held| held.run == run) {
            // That it was to yield as well is no reason to end it.
            Some(Held { work: Work::Task(task), phase: Phase::Running | Phase::Yielding { .. }, .. }) => {
                self.queue.put_back(now, task);
            }
            Some(held) => {
                self.slot = Some(held);
                self.run_ended(now, run, Ended::Badly);
            }
            None => {}
        }
    }

    pub(super) fn cancel(&mut self, now: Moment, id: &ItemId) {
        if let Some(task) = self.queue.remove(id) {
            self.finish_waiting(&task, Verdict::Cut(Cause::Cancelled));
        } else if let Some(chat) = self.chats.remove(id) {
            self.finish_chat(chat, None, Verdict::Cut(Cause::Cancelled), Duration::ZERO);
        } else if self.slot.as_ref().is_some_and(|held| held.work.id() == id) {
            self.end_slot(now, Cause::Cancelled);
        } else if self.suspended.as_ref().is_some_and(|s| &s.task.id == id) {
            self.kill_suspended(Cause::Cancelled);
        } else {
            return self.reply(Reply::Refused(Refusal::Unknown));
        }
        self.reply(Reply::Done);
    }

    pub(super) fn interrupt(&mut self, now: Moment) {
        if self.slot.is_none() {
            return self.reply(Reply::Refused(Refusal::Idle));
        }
        self.end_slot(now, Cause::Interrupted);
        self.reply(Reply::Done);
    }

    pub(super) fn prioritize(&mut self, id: &ItemId, priority: Priority) {
        let reply = if self.queue.prioritize(id, priority) {
            Reply::Done
        } else if self.status_of(id).is_some() {
            Reply::Refused(Refusal::NotWaiting)
        } else {
            Reply::Refused(Refusal::Unknown)
        };
        self.reply(reply);
    }

    pub(super) fn pause(&mut self, now: Moment, cause: PauseCause, scope: Scope, at_once: bool) {
        self.pauses.insert(cause, scope);
        if at_once
            && let Some(held) = &self.slot
            && held.phase == Phase::Running
        {
            match (&held.work, scope) {
                (Work::Task(_), Scope::All | Scope::Tasks) => self.ask_to_yield(now, None),
                (Work::Chat(_), Scope::All) => self.end_slot(now, Cause::PausedNow),
                (Work::Chat(_), Scope::Tasks) => {}
            }
        }
        self.reply(Reply::Done);
    }

    pub(super) fn begin_stop(&mut self, now: Moment, drain: bool) {
        self.stop.get_or_insert(Stop::UnderWay);
        if !drain {
            self.end_slot_hastily(now);
            self.kill_suspended(Cause::Stopped);
        }
        self.reply(Reply::Done);
    }
}
