//! How items end: by themselves, by someone's wish, by their time, or with the bot.

use std::time::Duration;

use hive_shared::ids::ItemId;
use hive_shared::work::Source;

use super::queue::{Expired, Release};
use super::slot::{Held, Ladder, Phase, Suspended, Task, Work};
use super::{Action, Cause, Coordinator, DependencyFault, Ended, Moment, Reply, RunId, Rung, Stop, Verdict};

impl Coordinator {
    /// Asks what holds the slot to yield, for a prompt or for a pause.
    pub(super) fn ask_to_yield(&mut self, now: Moment, to_chat: Option<ItemId>) {
        if let Some(held) = &mut self.slot {
            held.phase = Phase::Yielding { to_chat, ladder: Ladder::gentle(now) };
            let run = held.run;
            self.actions.push(Action::Suspend { run });
        }
    }

    /// Sets out to end what holds the slot, unless that is under way.
    pub(super) fn end_slot(&mut self, now: Moment, cause: Cause) {
        let Some(held) = &mut self.slot else { return };
        match held.phase {
            // It was pushed already, if only to yield: the ladder is not begun again.
            Phase::Yielding { ladder, .. } if ladder.rung > Rung::Cancel => {
                held.phase = Phase::Ending { cause, ladder };
            }
            Phase::Running | Phase::Yielding { .. } => {
                held.phase = Phase::Ending { cause, ladder: Ladder::gentle(now) };
                let run = held.run;
                self.actions.push(Action::Signal { run, rung: Rung::Cancel });
            }
            Phase::Ending { .. } => {}
        }
    }

    /// The same for a halting bot, which has no time to ask. What was being ended keeps its cause.
    pub(super) fn end_slot_hastily(&mut self, now: Moment) {
        let Some(held) = &mut self.slot else { return };
        let (cause, was) = match held.phase {
            Phase::Running => (Cause::Stopped, Ladder::gentle(now)),
            Phase::Yielding { ladder, .. } => (Cause::Stopped, ladder),
            Phase::Ending { cause, ladder } => (cause, ladder),
        };
        let ladder = was.hastened(now);
        let run = held.run;
        held.phase = Phase::Ending { cause, ladder };
        if ladder.rung > was.rung {
            self.actions.push(Action::Signal { run, rung: ladder.rung });
        }
    }

    pub(super) fn kill_suspended(&mut self, cause: Cause) {
        let Some(suspended) = &mut self.suspended else { return };
        if suspended.ending.is_some() {
            return;
        }
        suspended.ending = Some(cause);
        match suspended.run {
            Some(run) => self.actions.push(Action::Signal { run, rung: Ladder::kill().rung }),
            None => {
                if let Some(suspended) = self.suspended.take() {
                    self.end_suspended(suspended, Ended::Badly);
                }
            }
        }
    }

    pub(super) fn settle_stop(&mut self) {
        if self.slot.is_some() {
            return;
        }
        self.kill_suspended(Cause::Stopped);
        if self.suspended.is_none() && self.stop != Some(Stop::Halted) {
            self.stop = Some(Stop::Halted);
            self.actions.push(Action::Halt);
        }
    }

    /// Does what its time has come for.
    pub(super) fn expire(&mut self, now: Moment) {
        let mut out_of_time = None;
        if let Some(held) = &mut self.slot {
            let run = held.run;
            if let Some(rung) = held.ladder().and_then(|ladder| ladder.climb(now)) {
                self.actions.push(Action::Signal { run, rung });
            }
            if held.limit_at().is_some_and(|at| at <= now) {
                out_of_time = Some(Cause::TimedOut);
            }
            if let Work::Chat(chat) = &mut held.work {
                if chat.detached_since.is_some_and(|at| at + self.rules.disconnect_grace <= now) {
                    chat.detached_since = None;
                    out_of_time = out_of_time.or(Some(Cause::Disconnected));
                }
                if chat.slow_at.take_if(|at| *at <= now).is_some() && held.phase == Phase::Running {
                    self.actions.push(Action::Slow { chat: chat.id.clone() });
                }
            }
        }
        if let Some(cause) = out_of_time {
            self.end_slot(now, cause);
        }
        for chat in self.chats.expire(now, self.rules.disconnect_grace) {
            self.finish_chat(chat, None, Verdict::Cut(Cause::Disconnected), Duration::ZERO);
        }
        // Who is missing, a file or a task that others wait for, is known only after the first full scan.
        while self.scanned {
            let (slot, suspended) = (&self.slot, &self.suspended);
            let is_live = |id: &ItemId| lives_outside_the_queue(slot.as_ref(), suspended.as_ref(), id);
            let (task, verdict) = match self.queue.expire(now, is_live) {
                None => break,
                Some(Expired::FileRemoved(task)) => (task, Verdict::FileRemoved),
                Some(Expired::NeverCame { task, on }) => {
                    (task, Verdict::Dependency { on, why: DependencyFault::NeverCame })
                }
            };
            self.finish_waiting(&task, verdict);
            // Or those who wait for it would take it for one that nobody knows.
            self.release_dependents();
        }
    }

    /// Ends a task that ran; `how` is the run's own result.
    pub(super) fn finish_task(
        &mut self,
        task: &Task,
        run: Option<RunId>,
        verdict: Verdict,
        how: Ended,
        used: Duration,
    ) {
        let how = if verdict == Verdict::AsReported { how } else { Ended::Badly };
        let (item, preemptions) = (task.id.clone(), task.preemptions);
        self.actions.push(Action::Finish { item, source: Source::File, run, verdict, used, preemptions });
        self.ended.push((task.id.clone(), how));
    }

    /// Ends a task that waited.
    pub(super) fn finish_waiting(&mut self, task: &Task, verdict: Verdict) {
        self.finish_task(task, None, verdict, Ended::Badly, Duration::ZERO);
    }

    /// Tells those who wait for a task that it ended, and those who wait for them if that dooms them.
    pub(super) fn release_dependents(&mut self) {
        while let Some((on, how)) = self.ended.pop() {
            for release in self.queue.ended(&on, how) {
                match release {
                    Release::Unblocked(item) => self.actions.push(Action::Unblocked { item }),
                    Release::Doomed(task) => {
                        let verdict = Verdict::Dependency { on: on.clone(), why: DependencyFault::Failed };
                        self.finish_waiting(&task, verdict);
                    }
                }
            }
        }
    }

    pub(super) fn finish_chat(&mut self, item: ItemId, run: Option<RunId>, verdict: Verdict, used: Duration) {
        self.actions.push(Action::Finish { item, source: Source::Chat, run, verdict, used, preemptions: 0 });
    }

    pub(super) fn held(&mut self, run: RunId) -> Option<&mut Held> {
        self.slot.as_mut().filter(|held| held.run == run)
    }

    pub(super) fn next_run(&mut self) -> RunId {
        self.last_run += 1;
        RunId(self.last_run)
    }

    pub(super) fn reply(&mut self, reply: Reply) {
        self.actions.push(Action::Reply(reply));
    }
}

/// Whether this is a task that holds the slot or is suspended.
pub(super) fn lives_outside_the_queue(
    slot: Option<&Held>,
    suspended: Option<&Suspended>,
    id: &ItemId,
) -> bool {
    let runs = |held: &Held| match &held.work {
        Work::Task(task) => &task.id == id,
        Work::Chat(_) => false,
    };
    slot.is_some_and(runs) || suspended.is_some_and(|s| &s.task.id == id)
}
