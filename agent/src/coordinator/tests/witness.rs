//! One who watches the coordinator: it sees each event with the actions that answered it, and objects to every action
//! that the model does not allow at that point, and, when all is done, to all that the model wants and that was not.

use std::time::Duration;

use hive_shared::ids::ItemId;
use hive_shared::work::{Source, Status};

use super::super::*;
use super::model::{Item, Model, State, chat, task};

impl Model {
    /// Follows one call of the coordinator.
    pub(super) fn sees(&mut self, now: Moment, event: &Event, actions: &[Action], core: &Coordinator) {
        let must_time_out = self.in_slot().filter(|item| {
            item.state == State::Running && item.clock_since.is_some() && item.used(now) >= item.limit
        });
        let must_time_out = must_time_out.and_then(|item| item.run);
        self.takes_in(now, event, actions);
        for action in actions {
            self.takes(now, event, action);
        }
        if let Some(run) = must_time_out {
            let runs_on = |item: &Item| item.run == Some(run) && item.state == State::Running;
            assert!(!self.items.iter().any(runs_on), "past its limit");
        }
        self.agrees(now, core);
    }

    fn takes_in(&mut self, now: Moment, event: &Event, actions: &[Action]) {
        for item in &mut self.items {
            item.unread_until.take_if(|until| *until <= now);
        }
        match event {
            Event::TaskArrived(spec) => self.items.push(task(spec)),
            Event::TaskEdited(spec) => {
                let waits = |item: &&mut Item| item.source == Source::File && item.state == State::Waiting;
                if let Some(item) = self.item_mut(&spec.id).filter(waits) {
                    *item = Item { arrival: item.arrival, started: item.started, ..task(spec) };
                }
            }
            Event::TaskFileMissing(id) => self.set_missing(id, true),
            Event::TaskFileBack(id) => self.set_missing(id, false),
            Event::Scanned => self.scanned = true,
            Event::ChatArrived(spec) => {
                let refused = |action: &Action| matches!(action, Action::Reply(Reply::Refused(_)));
                if actions.iter().any(refused) {
                    assert!(!spec.detached, "what was accepted once is never refused");
                } else {
                    self.items.push(chat(now, spec, self.rules.finish_on_disconnect));
                }
            }
            Event::ChatAttached(id) => {
                if let Some(item) = self.item_mut(id) {
                    item.eligible = true;
                    item.detached_since = None;
                }
            }
            Event::ChatDetached(id) if !self.rules.finish_on_disconnect => {
                if let Some(item) = self.item_mut(id).filter(|item| item.source == Source::Chat) {
                    item.detached_since = Some(now);
                }
            }
            Event::RunWithdrawn(run) => {
                let was_cut = |id: &ItemId| {
                    actions.iter().any(|action| match action {
                        Action::Finish { item, .. } | Action::Requeue { item } => item == id,
                        _ => false,
                    })
                };
                if let Some(item) = self.of_run(*run).filter(|item| !was_cut(&item.id)) {
                    item.state = State::Waiting;
                    item.unread_until = Some(now + Duration::from_secs(2));
                    item.run = None;
                    (item.used, item.clock_since) = (Duration::ZERO, None);
                }
            }
            Event::ClockStopped(run) | Event::RunHeldUp(run) => {
                if let Some(item) = self.of_run(*run).filter(|item| item.holds_the_slot()) {
                    item.held_up |= matches!(event, Event::RunHeldUp(_));
                    (item.used, item.clock_since) = (item.used(now), None);
                }
            }
            Event::ClockStarted(run) => {
                if let Some(item) = self.of_run(*run).filter(|item| item.holds_the_slot()) {
                    item.held_up = false;
                    item.clock_since.get_or_insert(now);
                }
            }
            Event::Prioritize(id, priority) => {
                if let Some(item) = self.item_mut(id).filter(|item| item.state == State::Waiting) {
                    item.priority = *priority;
                }
            }
            Event::Pause { cause, scope, .. } => {
                self.pauses.retain(|(other, _)| other != cause);
                self.pauses.push((*cause, *scope));
            }
            Event::Resume(cause) => self.pauses.retain(|(other, _)| other != cause),
            Event::Stop { .. } => self.stopping = true,
            Event::TaskFileRejected(_)
            | Event::ChatDetached(_)
            | Event::RunSpoke(_)
            | Event::RunSuspended(_)
            | Event::RunEnded { .. }
            | Event::Cancel(_)
            | Event::Interrupt
            | Event::Tick => {}
        }
    }

    fn set_missing(&mut self, id: &ItemId, missing: bool) {
        if let Some(item) = self.item_mut(id).filter(|item| item.state == State::Waiting) {
            item.missing = missing;
            if !missing {
                item.unread_until = None;
            }
        }
    }

    fn takes(&mut self, now: Moment, event: &Event, action: &Action) {
        assert!(!self.halted || !is_about_a_run(action), "{action:?} after the halt");
        match action {
            Action::Start { run, item, .. } => {
                self.starts(now, item);
                let item = self.item_mut(item).unwrap();
                assert!(item.run.is_none(), "a second run");
                assert!(item.source == Source::File || !item.started, "a chat turn never starts again");
                item.run = Some(*run);
                item.rungs.clear();
                item.started = true;
            }
            Action::Resume { run, item } => {
                self.starts(now, item);
                let item = self.item_mut(item).unwrap();
                assert_eq!(item.run, Some(*run));
                item.rungs.clear();
            }
            Action::Suspend { run } => {
                if !matches!(event, Event::Pause { now: true, .. }) {
                    assert!(self.must_leave(now), "nobody wants it to yield");
                    self.talk_goes_on(now);
                }
                let item = self.of_run(*run).unwrap();
                assert_eq!((item.state, item.source), (State::Running, Source::File));
                item.state = State::Leaving;
            }
            Action::Signal { run, rung } => self.signalled(now, event, *run, *rung),
            Action::Suspended { item, to_chat, preemptions, used } => {
                assert!(!self.items.iter().any(Item::is_suspended), "a second one suspended");
                let talk = self.talk;
                let run_lost = matches!(event, Event::RunEnded { .. });
                let item = self.item_mut(item).unwrap();
                assert_eq!((item.state, item.used(now)), (State::Leaving, *used));
                if to_chat.is_some() && item.talk != Some(talk) {
                    item.talk = Some(talk);
                    item.preemptions += 1;
                }
                assert_eq!(item.preemptions, *preemptions);
                item.state = State::Suspended;
                let rungs = std::mem::take(&mut item.rungs);
                (item.used, item.clock_since) = (*used, None);
                if run_lost {
                    assert!(rungs.contains(&Rung::Terminate), "it ended by itself");
                    item.run = None;
                }
            }
            Action::Finish { item, verdict, used, preemptions, .. } => {
                self.finishes(now, event, item, verdict, (*used, *preemptions));
            }
            Action::Requeue { item } => {
                assert!(self.stopping);
                let item = self.item_mut(item).unwrap();
                assert!(item.source == Source::File && (item.holds_the_slot() || item.is_suspended()));
                item.state = State::Requeued;
            }
            Action::Blocked { item, on } => assert_eq!(&self.item_mut(item).unwrap().unmet, on),
            Action::Unblocked { item } => assert!(self.item_mut(item).unwrap().unmet.is_empty()),
            Action::Slow { chat } => assert_eq!(self.item_mut(chat).unwrap().state, State::Running),
            Action::Reply(_) => {}
            Action::Halt => {
                assert!(self.stopping && self.in_slot().is_none());
                assert!(!self.items.iter().any(Item::is_suspended));
                self.halted = true;
            }
        }
    }

    /// An item gets the slot, which must be free, and nothing else may have a better claim to it.
    fn starts(&mut self, now: Moment, id: &ItemId) {
        assert!(self.in_slot().is_none(), "two in one slot");
        assert_eq!(self.choice(now).map(|item| &item.id), Some(id), "not its turn");
        let item = self.item_mut(id).unwrap();
        item.state = State::Running;
        item.held_up = false;
        item.clock_since = Some(now);
        if item.source == Source::Chat {
            self.talk_goes_on(now);
            self.nothing_to_interrupt();
        }
    }

    fn signalled(&mut self, now: Moment, event: &Event, run: RunId, rung: Rung) {
        let (superseded, grace) = (self.must_leave(now), self.rules.disconnect_grace);
        let item = self.of_run(run).unwrap();
        assert!(item.rungs.last().is_none_or(|last| *last < rung), "{rung:?} after {:?}", item.rungs);
        item.rungs.push(rung);
        match item.state {
            State::Running => {
                let asked_for = matches!(event, Event::Cancel(_) | Event::Interrupt)
                    || matches!(event, Event::Stop { .. } | Event::Pause { now: true, .. });
                let timed_out = item.used(now) >= item.limit;
                let disconnected = item.detached_since.is_some_and(|at| now - at >= grace);
                assert!(asked_for || timed_out || disconnected || superseded, "nobody wants it to end");
                item.state = State::Leaving;
            }
            State::Leaving => {}
            State::Suspended => {
                assert_eq!(rung, Rung::Kill);
                item.state = State::Dying;
            }
            other @ (State::Waiting | State::Dying | State::Requeued | State::Final(_)) => {
                panic!("{rung:?} to one that is {other:?}")
            }
        }
    }

    fn finishes(
        &mut self,
        now: Moment,
        event: &Event,
        id: &ItemId,
        verdict: &Verdict,
        (used, preemptions): (Duration, u32),
    ) {
        if let Verdict::Dependency { on, why: DependencyFault::NeverCame } = verdict {
            let came = |item: &Item| &item.id == on && item.source == Source::File;
            let known = self.items.iter().any(came) || self.outcomes.contains_key(on);
            assert!(self.scanned && !known, "{on} is known");
        }
        let (cooldown, linger) = (self.rules.task_cooldown, self.rules.chat_linger);
        let item = self.item_mut(id).unwrap();
        assert!(!item.is_final() && item.state != State::Requeued, "ended twice");
        assert_eq!((item.used(now), item.preemptions), (used, preemptions));
        let how = match (verdict, event) {
            (Verdict::AsReported, Event::RunEnded { how, .. }) => *how,
            _ => Ended::Badly,
        };
        match verdict {
            Verdict::AsReported => assert!(item.run.is_some() && item.rungs.is_empty()),
            Verdict::Cut(Cause::TimedOut) => assert!(item.used(now) >= item.limit),
            Verdict::Cut(Cause::Disconnected | Cause::Superseded | Cause::PausedNow | Cause::Stopped) => {
                assert_eq!(item.source, Source::Chat);
            }
            Verdict::Cut(Cause::Cancelled | Cause::Interrupted) => {}
            Verdict::FileRemoved => assert!(item.missing && item.state == State::Waiting),
            Verdict::FileRejected | Verdict::Dependency { .. } | Verdict::TooManyAttempts => {
                assert_eq!(item.state, State::Waiting);
            }
        }
        let (source, held) = (item.source, item.holds_the_slot());
        (item.used, item.clock_since) = (used, None);
        item.state = State::Final(how);
        if held {
            let quiet = if source == Source::Chat { linger } else { cooldown };
            self.files_quiet_until = self.files_quiet_until.max(now + quiet);
            if source == Source::Chat {
                self.last_word = Some(now);
            }
        }
        if how == Ended::Well && source == Source::File {
            for item in self.items.iter_mut().filter(|item| item.state == State::Waiting) {
                item.unmet.retain(|on| on != id);
            }
        }
    }

    /// Nothing that the rules want is left undone, and the coordinator shows what was seen.
    fn agrees(&mut self, now: Moment, core: &Coordinator) {
        assert!(self.items.iter().filter(|item| item.holds_the_slot()).count() <= 1);
        assert!(self.items.iter().filter(|item| item.is_suspended()).count() <= 1);
        if self.in_slot().is_none() {
            assert_eq!(self.choice(now).map(|item| &item.id), None, "it could start");
        }
        assert!(!self.must_leave(now), "it must give way");
        let live = self.items.iter().filter(|item| !item.is_final() && item.state != State::Requeued);
        let shown = core.waiting_tasks()
            + core.waiting_chats()
            + usize::from(core.occupant(now).is_some())
            + usize::from(core.suspended().is_some());
        assert_eq!(live.count(), shown, "accepted = waiting + live + final");
        let asks = core.next_deadline();
        for item in &self.items {
            self.is_shown_as_it_is(now, core, asks, item);
        }
    }

    fn is_shown_as_it_is(&self, now: Moment, core: &Coordinator, asks: Option<Moment>, item: &Item) {
        let status = match item.state {
            State::Waiting if item.unmet.is_empty() => Some(Status::Queued),
            State::Waiting => Some(Status::Blocked),
            State::Running | State::Leaving => Some(Status::Running),
            State::Suspended | State::Dying => Some(Status::Suspended),
            State::Requeued | State::Final(_) => None,
        };
        assert_eq!(core.status_of(&item.id), status, "{}", item.id);
        if item.holds_the_slot() {
            assert_eq!(core.occupant(now).map(|shown| shown.used), Some(item.used(now)));
        }
        if matches!(item.state, State::Waiting | State::Running) {
            let due = item.detached_since.map(|at| at + self.rules.disconnect_grace);
            assert!(
                due.is_none_or(|due| asks.is_some_and(|at| at <= due)),
                "nobody will look at {}",
                item.id
            );
            let is_new = item.detached_since == Some(now);
            let gone = item.detached_since.is_some_and(|at| now - at >= self.rules.disconnect_grace);
            assert!(is_new || !gone, "the client of {} does not come back", item.id);
        }
        if item.state == State::Waiting {
            let doomed = |on: &ItemId| self.outcome(on) == Some(Ended::Badly);
            assert!(!item.unmet.iter().any(doomed), "{} waits for what will never come", item.id);
        }
    }
}

/// Whether an action is more than an answer, or word of what waits.
fn is_about_a_run(action: &Action) -> bool {
    match action {
        Action::Start { .. }
        | Action::Suspend { .. }
        | Action::Resume { .. }
        | Action::Signal { .. }
        | Action::Suspended { .. }
        | Action::Requeue { .. }
        | Action::Slow { .. }
        | Action::Halt => true,
        Action::Finish { run, .. } => run.is_some(),
        Action::Blocked { .. } | Action::Unblocked { .. } | Action::Reply(_) => false,
    }
}
