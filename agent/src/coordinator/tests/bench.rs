//! A coordinator on the bench: a clock in the hand, and its actions as lines to compare.

use std::collections::HashMap;
use std::time::Duration;

use hive_shared::work::{Priority, Scope, WhenBusy};

use super::super::*;
use super::{id, rules};

/// What is under test, the time, and what was heard since the last [`Bench::expect`].
pub(super) struct Bench {
    pub(super) core: Coordinator,
    pub(super) now: Moment,
    arrivals: u64,
    runs: HashMap<RunId, String>,
    news: Vec<String>,
}

/// More calls than this at one moment are a busy loop.
const MOST_TICKS_AT_ONCE: usize = 5;

impl Bench {
    /// An idle bot with the settings of SPEC 5, whose directory was read.
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same with other settings.
    pub(super) fn with(change: impl FnOnce(&mut Rules)) -> Self {
        let mut bench = Self::unscanned(change);
        bench.tell(Event::Scanned);
        bench
    }

    /// A bot whose directory was not read yet.
    pub(super) fn unscanned(change: impl FnOnce(&mut Rules)) -> Self {
        let mut rules = rules();
        change(&mut rules);
        Self {
            core: Coordinator::new(rules),
            now: Moment::default(),
            arrivals: 0,
            runs: HashMap::new(),
            news: Vec::new(),
        }
    }

    /// A bot that runs T1, with 600 s to its limit.
    pub(super) fn in_task() -> Self {
        let mut bench = Self::new();
        bench.task("T1").limit(600).arrives();
        bench.expect(["start T1"]);
        bench
    }

    /// A bot that runs T1, which was asked to give way to C1 and has not yet.
    pub(super) fn yielding() -> Self {
        let mut bench = Self::in_task();
        bench.chat("C1").prompts();
        bench.expect(["suspend T1", "queued 1 preempting"]);
        bench
    }

    /// A bot that answers C1.
    pub(super) fn in_chat() -> Self {
        let mut bench = Self::new();
        bench.chat("C1").prompts();
        bench.expect(["start C1", "started"]);
        bench
    }

    /// A bot that answers C1, for which T1 gave way.
    pub(super) fn preempted() -> Self {
        let mut bench = Self::yielding();
        bench.yields();
        bench.expect(["suspended T1 for C1 (1)", "start C1"]);
        bench
    }

    pub(super) fn task(&mut self, name: &str) -> TaskOnBench<'_> {
        self.arrivals += 1;
        let spec = TaskSpec {
            id: id(name),
            priority: Priority::P2,
            arrival: self.arrivals,
            limit: Duration::from_mins(30),
            interruptible: true,
            depends_on: Vec::new(),
            waited: Duration::ZERO,
            attempts: 0,
            preemptions: 0,
        };
        TaskOnBench { bench: self, spec }
    }

    pub(super) fn chat(&mut self, name: &str) -> ChatOnBench<'_> {
        let spec = ChatSpec {
            id: id(name),
            limit: Duration::from_mins(5),
            when_busy: WhenBusy::Auto,
            detached: false,
        };
        ChatOnBench { bench: self, spec }
    }

    pub(super) fn tell(&mut self, event: Event) {
        for action in self.core.handle(self.now, event) {
            let line = self.line(&action);
            self.news.push(line);
        }
    }

    /// Lets time pass, and ticks at every deadline on the way.
    #[track_caller]
    pub(super) fn pass(&mut self, secs: f64) {
        let until = self.now + Duration::from_secs_f64(secs);
        let mut ticks_now = 0;
        while let Some(at) = self.core.next_deadline().filter(|at| *at <= until) {
            ticks_now = if at > self.now { 0 } else { ticks_now + 1 };
            assert!(ticks_now <= MOST_TICKS_AT_ONCE, "a deadline that never goes away at {:?}", self.now);
            self.now = self.now.max(at);
            self.tell(Event::Tick);
        }
        self.now = until;
        self.tell(Event::Tick);
    }

    /// Compares what was heard since the last time, and forgets it.
    #[track_caller]
    pub(super) fn expect<const N: usize>(&mut self, lines: [&str; N]) {
        assert_eq!(std::mem::take(&mut self.news), lines);
    }

    /// Forgets what was heard.
    pub(super) fn forget(&mut self) {
        self.news.clear();
    }

    /// What holds the slot has yielded.
    pub(super) fn yields(&mut self) {
        self.tell(Event::RunSuspended(self.run()));
    }

    /// What holds the slot ends by itself, and well.
    pub(super) fn ends_well(&mut self) {
        self.tell(Event::RunEnded { run: self.run(), how: Ended::Well });
    }

    /// What holds the slot ends by itself, and badly; or as it was made to.
    pub(super) fn ends_badly(&mut self) {
        self.tell(Event::RunEnded { run: self.run(), how: Ended::Badly });
    }

    /// The run of this item is over, wherever it is.
    pub(super) fn is_over(&mut self, name: &str) {
        self.tell(Event::RunEnded { run: self.run_of(name), how: Ended::Badly });
    }

    /// The run of an item that was started.
    pub(super) fn run_of(&self, name: &str) -> RunId {
        *self.runs.iter().filter(|(_, item)| *item == name).map(|(run, _)| run).max().unwrap()
    }

    /// The run that holds the slot.
    pub(super) fn run(&self) -> RunId {
        let occupant = self.core.occupant(self.now).expect("something holds the slot");
        self.run_of(occupant.item.as_str())
    }

    pub(super) fn cancel(&mut self, name: &str) {
        self.tell(Event::Cancel(id(name)));
    }

    pub(super) fn pause(&mut self) {
        self.tell(Event::Pause { cause: PauseCause::User, scope: Scope::All, now: false });
    }

    pub(super) fn pause_now(&mut self) {
        self.tell(Event::Pause { cause: PauseCause::User, scope: Scope::All, now: true });
    }

    pub(super) fn pause_tasks(&mut self) {
        self.tell(Event::Pause { cause: PauseCause::User, scope: Scope::Tasks, now: false });
    }

    pub(super) fn resume(&mut self) {
        self.tell(Event::Resume(PauseCause::User));
    }

    pub(super) fn stop(&mut self) {
        self.tell(Event::Stop { drain: false });
    }

    pub(super) fn drain(&mut self) {
        self.tell(Event::Stop { drain: true });
    }

    fn line(&mut self, action: &Action) -> String {
        let item_of = |run: &RunId| self.runs[run].clone();
        match action {
            Action::Start { run, item, .. } => {
                self.runs.insert(*run, item.to_string());
                format!("start {item}")
            }
            Action::Suspend { run } => format!("suspend {}", item_of(run)),
            Action::Resume { run, item } => {
                assert_eq!(item_of(run), item.as_str());
                format!("resume {item}")
            }
            Action::Signal { run, rung } => {
                format!("{} {}", format!("{rung:?}").to_lowercase(), item_of(run))
            }
            Action::Suspended { item, to_chat: Some(chat), preemptions, .. } => {
                format!("suspended {item} for {chat} ({preemptions})")
            }
            Action::Suspended { item, to_chat: None, .. } => format!("suspended {item}"),
            Action::Finish { item, verdict, .. } => match verdict {
                Verdict::AsReported => format!("end {item} as reported"),
                Verdict::Cut(cause) => format!("end {item} {cause:?}"),
                Verdict::Dependency { on, why } => format!("end {item} {on} {why:?}"),
                other @ (Verdict::FileRemoved | Verdict::FileRejected | Verdict::TooManyAttempts) => {
                    format!("end {item} {other:?}")
                }
            },
            Action::Requeue { item } => format!("requeue {item}"),
            Action::Blocked { item, on } => {
                format!("blocked {item} on {}", on.iter().map(ItemId::as_str).collect::<Vec<_>>().join(","))
            }
            Action::Unblocked { item } => format!("unblocked {item}"),
            Action::Slow { chat } => format!("slow {chat}"),
            Action::Reply(Reply::Done) => "done".to_owned(),
            Action::Reply(Reply::Started) => "started".to_owned(),
            Action::Reply(Reply::Queued { position, reason }) => {
                format!("queued {position} {}", reason.as_str())
            }
            Action::Reply(Reply::Refused(why)) => format!("refused {why:?}"),
            Action::Halt => "halt".to_owned(),
        }
    }
}

/// A task on its way to the bench.
#[must_use]
pub(super) struct TaskOnBench<'a> {
    bench: &'a mut Bench,
    spec: TaskSpec,
}

impl TaskOnBench<'_> {
    pub(super) fn limit(mut self, secs: u64) -> Self {
        self.spec.limit = Duration::from_secs(secs);
        self
    }

    pub(super) fn priority(mut self, priority: Priority) -> Self {
        self.spec.priority = priority;
        self
    }

    pub(super) fn uninterruptible(mut self) -> Self {
        self.spec.interruptible = false;
        self
    }

    pub(super) fn after(mut self, name: &str) -> Self {
        self.spec.depends_on.push(Dependency { id: id(name), ended: None });
        self
    }

    pub(super) fn after_ended(mut self, name: &str, how: Ended) -> Self {
        self.spec.depends_on.push(Dependency { id: id(name), ended: Some(how) });
        self
    }

    pub(super) fn waited(mut self, secs: u64) -> Self {
        self.spec.waited = Duration::from_secs(secs);
        self
    }

    pub(super) fn attempts(mut self, attempts: u32) -> Self {
        self.spec.attempts = attempts;
        self
    }

    pub(super) fn preempted(mut self, preemptions: u32) -> Self {
        self.spec.preemptions = preemptions;
        self
    }

    pub(super) fn arrives(self) {
        self.bench.tell(Event::TaskArrived(self.spec));
    }

    pub(super) fn edited(self) {
        self.bench.tell(Event::TaskEdited(self.spec));
    }
}

/// A prompt on its way to the bench.
#[must_use]
pub(super) struct ChatOnBench<'a> {
    bench: &'a mut Bench,
    spec: ChatSpec,
}

impl ChatOnBench<'_> {
    pub(super) fn limit(mut self, secs: u64) -> Self {
        self.spec.limit = Duration::from_secs(secs);
        self
    }

    pub(super) fn when_busy(mut self, when_busy: WhenBusy) -> Self {
        self.spec.when_busy = when_busy;
        self
    }

    /// It is of an earlier life of the daemon, and its client is not back yet.
    pub(super) fn restored(mut self) -> Self {
        self.spec.detached = true;
        self
    }

    pub(super) fn prompts(self) {
        self.bench.tell(Event::ChatArrived(self.spec));
    }
}
