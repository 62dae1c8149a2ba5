//! A day of a bot that is hardly ever idle: thousands of tasks, people who come and go, and daemons that stop, drain and
//! die under them.

use std::time::Duration;

use hive_shared::work::WhenBusy;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::*;
use super::id;
use super::ledger::Ledger;
use super::properties::{self, Happening, Task, config, happen, happening, let_go, run_in_slot, settings};
use super::world::{LONGEST_DEATH, Temper, World};

/// The people who talk to the bot.
const PEOPLE: usize = 4;
/// How long a bot that drains is waited for before it is stopped.
const PATIENCE: Duration = Duration::from_mins(5);
/// The hour of the day after which no life ends.
const LAST_RESTART: usize = 14;
/// What the state of an idle coordinator may be larger than a new one's, as text: its numbers grow longer.
const IDLE: usize = 100;
/// The same for each item that has not ended.
const PER_ITEM: usize = 2_000;

/// What is done in the course of a day.
#[derive(Debug, Clone)]
enum Doing {
    Happens(Happening),
    /// Somebody drops a directory full of tasks.
    Drop(Vec<Task>),
    /// A task that has been, once more.
    Again(usize),
    Prompt {
        who: usize,
        when_busy: WhenBusy,
        limit: u64,
    },
    Leaves(usize),
    Comes(usize),
    /// The agent asks, and is answered after a while.
    Asks {
        millis: u64,
    },
    Restart(Exit),
}

/// How a life of the daemon ends.
#[derive(Debug, Clone, Copy)]
enum Exit {
    Stop,
    Drain,
    Kill,
}

fn doing() -> impl Strategy<Value = Doing> {
    let who = || 0..PEOPLE;
    let when_busy = prop_oneof![4 => Just(WhenBusy::Auto), 3 => select(WhenBusy::ALL)];
    // People do what prompts need, and the driver is punctual.
    let happens = happening().prop_filter_map("done by people", |happening| match happening {
        Happening::Chat { .. } | Happening::Detach(_) | Happening::Attach(_) => None,
        Happening::Pass { millis, .. } => Some(Happening::Pass { millis, punctual: true }),
        other @ (Happening::Task(_)
        | Happening::Edit(..)
        | Happening::Cancel(_)
        | Happening::Prioritize(..)
        | Happening::FileMissing(_)
        | Happening::FileBack(_)
        | Happening::FileRejected(_)
        | Happening::Interrupt
        | Happening::Spoke
        | Happening::HeldUp
        | Happening::ClockStopped
        | Happening::ClockStarted
        | Happening::Pause { .. }
        | Happening::Resume(_)
        | Happening::Scanned) => Some(other),
    });
    prop_oneof![
        60 => happens.prop_map(Doing::Happens),
        2 => vec(properties::task(), 1..80).prop_map(Doing::Drop),
        2 => (0..1_000_usize).prop_map(Doing::Again),
        16 => (who(), when_busy, 5..60_u64).prop_map(|(who, when_busy, limit)| Doing::Prompt { who, when_busy, limit }),
        2 => who().prop_map(Doing::Leaves),
        3 => who().prop_map(Doing::Comes),
        2 => (0..90_000_u64).prop_map(|millis| Doing::Asks { millis }),
        1 => select(vec![Exit::Stop, Exit::Drain, Exit::Kill]).prop_map(Doing::Restart),
    ]
}

/// A run that is mostly done soon, so that a day has thousands of them.
fn brisk() -> impl Strategy<Value = Temper> {
    (properties::temper(), 0..8_000_u64, prop::bool::weighted(0.95))
        .prop_map(|(temper, works, is_brisk)| if is_brisk { Temper { works, ..temper } } else { temper })
}

/// A bot in its world, the book that is kept of it, and the people around it.
struct Day {
    world: World,
    ledger: Ledger,
    people: Vec<Person>,
    lives: usize,
}

#[derive(Debug, Clone, Default)]
struct Person {
    is_away: bool,
    /// What they asked; what has ended since is of no interest to anybody.
    prompts: Vec<ItemId>,
}

impl Day {
    fn new(rules: Rules, tempers: Vec<Temper>) -> Self {
        Self {
            world: World::new(rules, tempers),
            ledger: Ledger::default(),
            people: vec![Person::default(); PEOPLE],
            lives: 1,
        }
    }

    /// Enters what has happened in the book, and forgets what has ended.
    fn keep_books(&mut self) {
        for (event, actions) in std::mem::take(&mut self.world.past) {
            self.ledger.follows(self.world.now, &event, &actions);
        }
        self.world.model.retire();
    }

    fn tell(&mut self, event: Event) {
        self.world.tell(event);
        self.keep_books();
    }

    fn pass(&mut self, time: Duration) {
        let until = self.world.now + time;
        while self.world.now < until {
            self.world.pass((until - self.world.now).min(Duration::from_mins(1)), true);
            self.keep_books();
        }
    }

    fn does(&mut self, doing: &Doing) {
        match doing {
            Doing::Happens(happening) => {
                happen(&mut self.world, happening);
                self.keep_books();
            }
            Doing::Drop(tasks) => {
                for task in tasks {
                    happen(&mut self.world, &Happening::Task(task.clone()));
                    self.keep_books();
                }
            }
            Doing::Again(n) => self.again(*n),
            Doing::Prompt { who, when_busy, limit } => self.prompt(*who, *when_busy, *limit),
            Doing::Leaves(who) => self.leaves(*who),
            Doing::Comes(who) => self.comes(*who),
            Doing::Asks { millis } => {
                let Some(run) = run_in_slot(&self.world) else { return };
                self.tell(Event::ClockStopped(run));
                self.pass(Duration::from_millis(*millis));
                self.tell(Event::ClockStarted(run));
            }
            Doing::Restart(exit) => self.restart(*exit),
        }
    }

    fn again(&mut self, n: usize) {
        let Some(name) = self.world.names.get(n % self.world.names.len().max(1)) else { return };
        let Some(spec) = self.ledger.spec_of(name).cloned() else { return };
        let place = self.world.names.len();
        let spec = TaskSpec {
            id: id(&format!("I{place}.r2")),
            arrival: place as u64,
            depends_on: Vec::new(),
            attempts: 0,
            preemptions: 0,
            ..spec
        };
        self.tell(Event::TaskArrived(spec));
    }

    fn prompt(&mut self, who: usize, when_busy: WhenBusy, limit: u64) {
        self.comes(who);
        let id = id(&format!("I{}", self.world.names.len()));
        let limit = Duration::from_secs(limit);
        self.tell(Event::ChatArrived(ChatSpec { id: id.clone(), limit, when_busy, detached: false }));
        if self.world.core.status_of(&id).is_some() {
            self.people[who].prompts.push(id);
        }
    }

    fn leaves(&mut self, who: usize) {
        if !std::mem::replace(&mut self.people[who].is_away, true) {
            self.each_prompt(who, Event::ChatDetached);
        }
    }

    fn comes(&mut self, who: usize) {
        if std::mem::take(&mut self.people[who].is_away) {
            self.each_prompt(who, Event::ChatAttached);
        }
    }

    fn each_prompt(&mut self, who: usize, event: fn(ItemId) -> Event) {
        let mut prompts = std::mem::take(&mut self.people[who].prompts);
        prompts.retain(|prompt| self.world.core.status_of(prompt).is_some());
        for prompt in &prompts {
            // What comes just as its time is up is too late.
            self.tell(Event::Tick);
            self.tell(event(prompt.clone()));
        }
        self.people[who].prompts = prompts;
    }

    /// A life ends, and the next one begins where the ledger says that it was.
    fn restart(&mut self, exit: Exit) {
        match exit {
            Exit::Kill => {}
            Exit::Stop => self.stop(),
            Exit::Drain => {
                self.tell(Event::Stop { drain: true });
                let until = self.world.now + PATIENCE;
                while !self.world.model.halted && self.world.now < until {
                    self.pass(Duration::from_secs(5));
                }
                self.stop();
            }
        }
        self.keep_books();
        self.world.begin_again();
        self.lives += 1;
        for mut event in self.ledger.recover(self.world.now) {
            if let Event::TaskArrived(spec) = &mut event {
                for on in &mut spec.depends_on {
                    on.ended = self.world.model.outcome(&on.id);
                }
            }
            self.world.tell_again(event);
            self.keep_books();
        }
        self.people.iter_mut().for_each(|person| person.is_away = true);
        self.pass(Duration::from_millis(200));
        self.tell(Event::Scanned);
    }

    fn stop(&mut self) {
        self.tell(Event::Stop { drain: false });
        self.pass(Duration::from_millis(500 + LONGEST_DEATH));
        assert!(self.world.model.halted, "it does not halt");
    }

    /// Everybody lets go of the bot.
    fn let_go(&mut self) {
        let_go(&mut self.world);
        self.keep_books();
        if let Some(run) = run_in_slot(&self.world) {
            self.tell(Event::ClockStarted(run));
        }
    }

    /// What the coordinator holds is what has not ended.
    fn is_lean(&self) {
        let (held, live) = (size(&self.world.core), self.ledger.live());
        let new = size(&Coordinator::new(self.world.model.rules.clone()));
        assert!(
            held <= new + IDLE + PER_ITEM * live,
            "{held} characters for {live} items: {:?}",
            self.world.core
        );
    }
}

/// All that there is in it, as text.
fn size(core: &Coordinator) -> usize {
    format!("{core:?}").len()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: config().cases.div_ceil(256), max_shrink_iters: 200, ..config() })]

    /// However a day goes, each item that was accepted has come to one end, in its turn, and the bot is as it was in the
    /// morning.
    #[test]
    fn a_day_leaves_nothing_over(
        rules in settings(),
        tempers in vec(brisk(), 40),
        hours in vec(vec(doing(), 150..220), 24),
    ) {
        let mut day = Day::new(rules, tempers);
        for (nth, doings) in hours.iter().enumerate() {
            let hour = day.world.now + Duration::from_hours(1);
            // The last life is a long one: what it would keep of all that has ended is seen.
            let ends = |doing: &&Doing| nth < LAST_RESTART || !matches!(doing, Doing::Restart(_));
            for doing in doings.iter().filter(ends) {
                day.does(doing);
            }
            day.let_go();
            day.is_lean();
            day.pass(hour - day.world.now);
        }
        prop_assert!(day.world.now.since_start() >= Duration::from_hours(24));

        let overtime = day.world.now + Duration::from_hours(8);
        while day.ledger.live() > 0 && day.world.now < overtime {
            day.let_go();
            day.pass(Duration::from_mins(1));
        }
        prop_assert_eq!(day.ledger.live(), 0, "{:?}", day.world.model.items);
        prop_assert_eq!(day.ledger.ended(), day.world.names.len());
        prop_assert!(day.ledger.ended() > 1_000 && day.lives > 10, "hardly a day: {}", day.ledger.ended());
        prop_assert!(!day.world.core.has_work());
        prop_assert_eq!(day.world.core.next_deadline(), None);
        day.is_lean();
    }
}
