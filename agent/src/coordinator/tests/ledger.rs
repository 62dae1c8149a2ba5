//! What the database knows of the bot's items, as the driver keeps it: enough to begin another life with. It holds every
//! action against what it knows, as plainly as an accountant: it has no idea of the rules but that what came first of
//! what is alike starts first.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use hive_shared::ids::ItemId;
use hive_shared::work::{Priority, Scope, Source};

use super::super::*;
use super::world::LONGEST_DEATH;

/// The ladder's rungs, the first of them once to yield and once to end, and what a killed run may take to be gone.
const LONGEST_END: Duration = Duration::from_millis(15_000 + LONGEST_DEATH);

/// An item, from its arrival on.
#[derive(Debug)]
struct Record {
    what: What,
    seen_at: Moment,
    /// Its starts, less those that a stop took back.
    attempts: u32,
    preemptions: u32,
    /// Its run, while it has the slot or is suspended.
    run: Option<RunId>,
    /// Whether it is suspended; its run may be lost by then.
    is_suspended: bool,
    /// Whether nothing ever kept it from starting but what was ahead of it.
    is_plain: bool,
    is_final: bool,
}

#[derive(Debug)]
enum What {
    Task(TaskSpec),
    Chat(ChatSpec),
}

impl Record {
    fn new(what: What, seen_at: Moment) -> Self {
        let (attempts, preemptions, is_plain) = match &what {
            What::Task(spec) => (spec.attempts, spec.preemptions, spec.depends_on.is_empty()),
            What::Chat(_) => (0, 0, false),
        };
        Self {
            what,
            seen_at,
            attempts,
            preemptions,
            run: None,
            is_suspended: false,
            is_plain,
            is_final: false,
        }
    }

    fn waits(&self) -> bool {
        self.run.is_none() && !self.is_suspended && !self.is_final
    }

    fn limit(&self) -> Duration {
        match &self.what {
            What::Task(spec) => spec.limit,
            What::Chat(spec) => spec.limit,
        }
    }

    /// Its place in the queue, if only that decides when it starts.
    fn place(&self) -> Option<(Priority, u64)> {
        match &self.what {
            What::Task(spec) if self.is_plain && self.waits() => Some((spec.priority, spec.arrival)),
            What::Task(_) | What::Chat(_) => None,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    records: HashMap<ItemId, Record>,
    /// Those that have not ended, in the order in which they came.
    live: BTreeMap<usize, ItemId>,
    /// What the control file says.
    user_pause: Option<Scope>,
    ended: usize,
}

impl Ledger {
    /// Takes in one call of the coordinator.
    pub(super) fn follows(&mut self, now: Moment, event: &Event, actions: &[Action]) {
        let done = actions.contains(&Action::Reply(Reply::Done));
        match event {
            Event::TaskArrived(spec) => self.is_seen(&spec.id, now, || What::Task(spec.clone())),
            Event::ChatArrived(spec) => {
                if !actions.iter().any(|action| matches!(action, Action::Reply(Reply::Refused(_)))) {
                    self.is_seen(&spec.id, now, || What::Chat(spec.clone()));
                }
            }
            Event::TaskEdited(spec) => self.change(&spec.id, |known| *known = spec_at(known, spec)),
            Event::Prioritize(id, priority) if done => self.change(id, |known| known.priority = *priority),
            Event::TaskFileMissing(id) | Event::TaskFileBack(id) => self.change(id, |_| {}),
            Event::RunWithdrawn(run) => self.is_withdrawn(*run, actions),
            Event::Pause { cause: PauseCause::User, scope, .. } => self.user_pause = Some(*scope),
            Event::Resume(PauseCause::User) => self.user_pause = None,
            Event::Prioritize(..)
            | Event::Pause { .. }
            | Event::Resume(_)
            | Event::TaskFileRejected(_)
            | Event::Scanned
            | Event::ChatDetached(_)
            | Event::ChatAttached(_)
            | Event::RunSpoke(_)
            | Event::RunSuspended(_)
            | Event::RunHeldUp(_)
            | Event::RunEnded { .. }
            | Event::ClockStopped(_)
            | Event::ClockStarted(_)
            | Event::Cancel(_)
            | Event::Interrupt
            | Event::Stop { .. }
            | Event::Tick => {}
        }
        for action in actions {
            self.takes(event, action);
        }
    }

    /// How many items have ended.
    pub(super) fn ended(&self) -> usize {
        self.ended
    }

    /// How many have not.
    pub(super) fn live(&self) -> usize {
        self.live.len()
    }

    /// What was told of a task, if it was.
    pub(super) fn spec_of(&self, id: &ItemId) -> Option<&TaskSpec> {
        match &self.records.get(id)?.what {
            What::Task(spec) => Some(spec),
            What::Chat(_) => None,
        }
    }

    /// What another life is told before it reads the task directory, after one that left off like this. How what a task
    /// depends on has ended is looked up when that task is told.
    pub(super) fn recover(&mut self, now: Moment) -> Vec<Event> {
        let mut events = Vec::new();
        let mut cut = Vec::new();
        for (place, id) in &self.live {
            let record = self.records.get_mut(id).expect("what lives is known");
            let was_under_way = record.run.take().is_some() | std::mem::take(&mut record.is_suspended);
            match &record.what {
                What::Task(spec) => {
                    events.push(Event::TaskArrived(TaskSpec {
                        waited: now - record.seen_at,
                        attempts: record.attempts,
                        preemptions: record.preemptions,
                        ..spec.clone()
                    }));
                }
                // It is never run again: what it had said is its answer.
                What::Chat(_) if was_under_way => cut.push(*place),
                What::Chat(spec) => {
                    events.push(Event::ChatArrived(ChatSpec { detached: true, ..spec.clone() }));
                }
            }
        }
        for place in cut {
            let id = self.live.remove(&place).expect("it was there");
            self.records.get_mut(&id).expect("what lives is known").is_final = true;
            self.ended += 1;
        }
        let pause = self.user_pause.map(|scope| Event::Pause { cause: PauseCause::User, scope, now: false });
        events.extend(pause);
        events
    }

    fn is_seen(&mut self, id: &ItemId, now: Moment, what: impl Fn() -> What) {
        if !self.records.contains_key(id) {
            self.live.insert(self.records.len(), id.clone());
            self.records.insert(id.clone(), Record::new(what(), now));
        }
    }

    /// A waiting task is no longer what it was when it came.
    fn change(&mut self, id: &ItemId, change: impl Fn(&mut TaskSpec)) {
        if let Some(record) = self.records.get_mut(id).filter(|record| record.waits())
            && let What::Task(spec) = &mut record.what
        {
            change(spec);
            record.is_plain = false;
        }
    }

    /// It never began, and waits for its file; unless it was to end anyway.
    fn is_withdrawn(&mut self, run: RunId, actions: &[Action]) {
        let is_over = |of: &ItemId| {
            actions.iter().any(|action| {
                matches!(action, Action::Finish { item, .. } | Action::Requeue { item } if item == of)
            })
        };
        let withdrawn = self.records.iter_mut().find(|(_, record)| record.run == Some(run));
        if let Some((_, record)) = withdrawn.filter(|(id, _)| !is_over(id)) {
            (record.run, record.is_plain) = (None, false);
        }
    }

    fn takes(&mut self, event: &Event, action: &Action) {
        match action {
            Action::Start { run, item, source } => {
                self.is_next(item);
                let record = self.records.get_mut(item).expect("what starts was seen");
                assert!(!record.is_final, "{item} starts after its end");
                assert!(*source == Source::File || record.attempts == 0, "{item} is answered twice");
                record.attempts += 1;
                (record.run, record.is_suspended) = (Some(*run), false);
            }
            Action::Resume { item, .. } => {
                self.records.get_mut(item).expect("what resumes was seen").is_suspended = false;
            }
            Action::Suspended { item, preemptions, .. } => {
                let record = self.records.get_mut(item).expect("what is suspended was seen");
                record.preemptions = *preemptions;
                record.is_suspended = true;
                if matches!(event, Event::RunEnded { .. }) {
                    record.run = None;
                }
            }
            Action::Requeue { item } => {
                let record = self.records.get_mut(item).expect("what goes back was seen");
                record.attempts -= 1;
                (record.run, record.is_suspended) = (None, false);
            }
            Action::Finish { item, run, used, .. } => {
                let record = self.records.get_mut(item).expect("what ends was seen");
                assert!(!record.is_final, "{item} ends twice");
                assert_eq!(record.run, *run, "{item} ends in a run that it does not have");
                assert!(*used <= record.limit() + LONGEST_END, "{item} had {used:?}");
                (record.is_final, record.is_suspended, record.run) = (true, false, None);
                let place = self.live.iter().find(|(_, live)| *live == item).map(|(place, _)| *place);
                self.live.remove(&place.expect("it lived"));
                self.ended += 1;
            }
            Action::Suspend { .. }
            | Action::Signal { .. }
            | Action::Blocked { .. }
            | Action::Unblocked { .. }
            | Action::Slow { .. }
            | Action::Reply(_)
            | Action::Halt => {}
        }
    }

    /// Nothing that is like this task, and could start as well, comes before it.
    fn is_next(&self, item: &ItemId) {
        let Some(place) = self.records[item].place() else { return };
        let earlier = |id: &&ItemId| self.records[*id].place().is_some_and(|other| other < place);
        assert_eq!(self.live.values().find(earlier), None, "it comes before {item}");
    }
}

/// An edited task keeps its place among its equals.
fn spec_at(known: &TaskSpec, spec: &TaskSpec) -> TaskSpec {
    TaskSpec { arrival: known.arrival, ..spec.clone() }
}
