//! A world in which the actions are performed: runs that work, yield, end, crash, or ignore what they are asked.

use std::collections::HashSet;
use std::time::Duration;

use hive_shared::ids::ItemId;
use hive_shared::work::Source;

use super::super::*;
use super::model::Model;

/// How a run behaves. Times are milliseconds.
#[derive(Debug, Clone)]
pub(super) struct Temper {
    /// How long it works, and how that ends.
    pub(super) works: u64,
    pub(super) ends: Ended,
    /// How soon it yields when asked; never if it does not listen.
    pub(super) yields: Option<u64>,
    /// How soon it ends when asked, and when told.
    pub(super) quits: Option<u64>,
    pub(super) terminates: Option<u64>,
    /// How soon it is gone when killed.
    pub(super) dies: u64,
    /// Whether its start finds no file.
    pub(super) finds_no_file: bool,
}

/// The longest that a killed run may take to be gone.
pub(super) const LONGEST_DEATH: u64 = 300;

#[derive(Debug)]
struct Run {
    id: RunId,
    temper: Temper,
    /// When its work is done; none while it is suspended.
    done_at: Option<Moment>,
    /// What is left of its work while it is suspended.
    left: Duration,
    yields_at: Option<Moment>,
    /// When it is over because it was made to end.
    gone_at: Option<Moment>,
}

impl Run {
    fn next(&self) -> Option<Moment> {
        [self.done_at, self.yields_at, self.gone_at].into_iter().flatten().min()
    }

    fn is_suspended(&self) -> bool {
        self.done_at.is_none()
    }
}

/// More calls than this at one moment are a busy loop.
const MOST_TICKS_AT_ONCE: usize = 5;

/// A coordinator in the world, watched by a model.
#[derive(Debug)]
pub(super) struct World {
    pub(super) core: Coordinator,
    pub(super) model: Model,
    pub(super) now: Moment,
    /// All items that were ever accepted, in the order in which they came.
    pub(super) names: Vec<ItemId>,
    /// What was told since the last time that somebody took this, and what was to be done.
    pub(super) past: Vec<(Event, Vec<Action>)>,
    runs: Vec<Run>,
    withdrawn: HashSet<ItemId>,
    tempers: Vec<Temper>,
}

impl World {
    pub(super) fn new(rules: Rules, tempers: Vec<Temper>) -> Self {
        Self {
            core: Coordinator::new(rules.clone()),
            model: Model::new(rules),
            now: Moment::default(),
            names: Vec::new(),
            past: Vec::new(),
            runs: Vec::new(),
            withdrawn: HashSet::new(),
            tempers,
        }
    }

    /// Tells the coordinator, shows it to the model, and does what is to be done.
    pub(super) fn tell(&mut self, event: Event) {
        if let Event::TaskArrived(TaskSpec { id, .. }) | Event::ChatArrived(ChatSpec { id, .. }) = &event {
            self.names.push(id.clone());
        }
        let refused = |action: &Action| matches!(action, Action::Reply(Reply::Refused(_)));
        let is_chat = matches!(event, Event::ChatArrived(_));
        self.tell_again(event);
        if is_chat && self.past.last().is_some_and(|(_, actions)| actions.iter().any(refused)) {
            self.names.pop();
        }
    }

    /// The same of an item that an earlier life was told of.
    pub(super) fn tell_again(&mut self, event: Event) {
        let actions = self.core.handle(self.now, event.clone());
        self.model.sees(self.now, &event, &actions, &self.core);
        for action in &actions {
            self.perform(action);
        }
        self.past.push((event, actions));
    }

    /// The daemon is gone, with its runs and all that it knew, and another begins.
    pub(super) fn begin_again(&mut self) {
        let rules = self.model.rules.clone();
        self.core = Coordinator::new(rules.clone());
        self.model.retire();
        self.model = Model { outcomes: std::mem::take(&mut self.model.outcomes), ..Model::new(rules) };
        self.runs.clear();
    }

    /// Lets time pass. A punctual driver ticks at every deadline; another one only at the end.
    pub(super) fn pass(&mut self, time: Duration, punctual: bool) {
        let until = self.now + time;
        let mut ticks_now = 0;
        loop {
            let run = self.runs.iter().filter_map(Run::next).min();
            let deadline = self.core.next_deadline().filter(|_| punctual);
            let Some(at) = run.into_iter().chain(deadline).min().filter(|at| *at <= until) else { break };
            if run == Some(at) {
                self.now = self.now.max(at);
                self.run_goes_on();
            } else {
                ticks_now = if at > self.now { 0 } else { ticks_now + 1 };
                assert!(ticks_now <= MOST_TICKS_AT_ONCE, "a deadline that never goes away");
                self.now = self.now.max(at);
                self.tell(Event::Tick);
            }
        }
        self.now = until;
        self.tell(Event::Tick);
    }

    fn run_goes_on(&mut self) {
        let now = self.now;
        let place = self.runs.iter().position(|run| run.next() == Some(now)).unwrap();
        let run = &mut self.runs[place];
        let id = run.id;
        if run.gone_at == Some(now) {
            self.runs.remove(place);
            self.tell(Event::RunEnded { run: id, how: Ended::Badly });
        } else if run.done_at == Some(now) {
            let temper = run.temper.clone();
            self.runs.remove(place);
            if !temper.finds_no_file {
                return self.tell(Event::RunEnded { run: id, how: temper.ends });
            }
            let item = self.model.of_run(id).map(|item| item.id.clone());
            self.tell(Event::RunWithdrawn(id));
            // The second time it is told that the file is gone, or it would be tried for ever.
            if let Some(item) = item
                && !self.withdrawn.insert(item.clone())
            {
                self.tell(Event::TaskFileMissing(item));
            }
        } else {
            run.left = run.done_at.map_or(run.left, |at| at - now);
            run.done_at = None;
            run.yields_at = None;
            self.tell(Event::RunSuspended(id));
        }
    }

    fn perform(&mut self, action: &Action) {
        let now = self.now;
        match action {
            Action::Start { run, item, source } => self.start(*run, item, *source),
            Action::Resume { run, .. } => {
                let run = self.run(*run).expect("what resumes is there");
                assert!(run.is_suspended());
                run.done_at = Some(now + run.left);
            }
            Action::Suspend { run } => {
                if let Some(run) = self.run(*run) {
                    run.yields_at = run.temper.yields.map(|after| now + Duration::from_millis(after));
                }
            }
            Action::Signal { run, rung } => {
                // It may have ended in the very call that signals it.
                if let Some(run) = self.run(*run) {
                    let after = match rung {
                        Rung::Kill => Some(run.temper.dies),
                        Rung::Cancel | Rung::Terminate if run.is_suspended() => None,
                        Rung::Cancel => run.temper.quits,
                        Rung::Terminate => run.temper.terminates,
                    };
                    let gone_at = after.map(|after| now + Duration::from_millis(after));
                    run.gone_at = run.gone_at.into_iter().chain(gone_at).min();
                }
            }
            Action::Suspended { .. }
            | Action::Finish { .. }
            | Action::Requeue { .. }
            | Action::Blocked { .. }
            | Action::Unblocked { .. }
            | Action::Slow { .. }
            | Action::Reply(_)
            | Action::Halt => {}
        }
    }

    fn start(&mut self, id: RunId, item: &ItemId, source: Source) {
        assert!(self.runs.iter().all(Run::is_suspended), "one live run");
        let place = usize::try_from(id.0).unwrap() % self.tempers.len();
        let mut temper = self.tempers[place].clone();
        let is_new = self.model.items.iter().any(|known| &known.id == item && known.preemptions == 0);
        temper.finds_no_file &= source == Source::File && is_new;
        let works =
            Duration::from_millis(if temper.finds_no_file { temper.works % 50 } else { temper.works });
        let done_at = Some(self.now + works);
        self.runs.push(Run { id, temper, done_at, left: works, yields_at: None, gone_at: None });
    }

    fn run(&mut self, id: RunId) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.id == id)
    }
}
