//! Random worlds, in which the model must never object.

use std::time::Duration;

use hive_shared::ids::ItemId;
use hive_shared::work::{Priority, Scope, WhenBusy};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

use super::super::*;
use super::model::State;
use super::world::{LONGEST_DEATH, Temper, World};
use super::{id, rules};

/// Things mostly happen to the latest so many items.
const LATEST: usize = 50;
/// A task depends on one of the latest so many, or of the next that come.
const DEPENDED_ON: usize = 20;

/// Something that happens to the bot. Items are named by a number, taken modulo those that there are.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    Pass { millis: u64, punctual: bool },
    Task(Task),
    Edit(usize, Task),
    Chat { when_busy: WhenBusy, limit: u64, restored: bool },
    Detach(usize),
    Attach(usize),
    Cancel(usize),
    Prioritize(usize, Priority),
    FileMissing(usize),
    FileBack(usize),
    FileRejected(usize),
    Interrupt,
    Spoke,
    HeldUp,
    ClockStopped,
    ClockStarted,
    Pause { cause: PauseCause, scope: Scope, now: bool },
    Resume(PauseCause),
    Scanned,
}

#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) priority: Priority,
    pub(super) limit: u64,
    pub(super) interruptible: bool,
    pub(super) attempts: u32,
    pub(super) preemptions: u32,
    pub(super) depends_on: Vec<usize>,
}

pub(super) fn task() -> impl Strategy<Value = Task> {
    let dependencies = prop_oneof![3 => Just(Vec::new()), 1 => vec(0..30_usize, 1..3)];
    (
        select(&Priority::ALL[..]),
        20..200_u64,
        prop::bool::weighted(0.9),
        prop_oneof![9 => 0..3_u32, 1 => Just(3)],
        prop_oneof![3 => Just(0), 1 => 1..4_u32],
        dependencies,
    )
        .prop_map(|(priority, limit, interruptible, attempts, preemptions, depends_on)| Task {
            priority,
            limit,
            interruptible,
            attempts,
            preemptions,
            depends_on,
        })
}

pub(super) fn temper() -> impl Strategy<Value = Temper> {
    let soon = || option::weighted(0.7, prop_oneof![0..500_u64, 0..12_000_u64]);
    (
        prop_oneof![0..2_000_u64, 0..250_000_u64],
        prop_oneof![4 => Just(Ended::Well), 1 => Just(Ended::Badly)],
        soon(),
        soon(),
        soon(),
        0..=LONGEST_DEATH,
        prop::bool::weighted(0.05),
    )
        .prop_map(|(works, ends, yields, quits, terminates, dies, finds_no_file)| Temper {
            works,
            ends,
            yields,
            quits,
            terminates,
            dies,
            finds_no_file,
        })
}

pub(super) fn happening() -> impl Strategy<Value = Happening> {
    let item = || 0..1_000_usize;
    let cause = || select(vec![PauseCause::User, PauseCause::Disk, PauseCause::Limit]);
    let when_busy = prop_oneof![4 => Just(WhenBusy::Auto), 3 => select(WhenBusy::ALL)];
    let millis = prop_oneof![Just(0), 0..1_500_u64, 0..20_000_u64, 0..100_000_u64];
    let pause = (cause(), select(Scope::ALL), prop::bool::ANY);
    prop_oneof![
        12 => (millis, prop::bool::weighted(0.8))
            .prop_map(|(millis, punctual)| Happening::Pass { millis, punctual }),
        6 => task().prop_map(Happening::Task),
        1 => (item(), task()).prop_map(|(n, task)| Happening::Edit(n, task)),
        6 => (when_busy, 5..60_u64, prop::bool::weighted(0.1))
            .prop_map(|(when_busy, limit, restored)| Happening::Chat { when_busy, limit, restored }),
        1 => item().prop_map(Happening::Detach),
        1 => item().prop_map(Happening::Attach),
        1 => item().prop_map(Happening::Cancel),
        1 => (item(), select(&Priority::ALL[..])).prop_map(|(n, p)| Happening::Prioritize(n, p)),
        1 => item().prop_map(Happening::FileMissing),
        1 => item().prop_map(Happening::FileBack),
        1 => item().prop_map(Happening::FileRejected),
        1 => Just(Happening::Interrupt),
        1 => Just(Happening::Spoke),
        1 => Just(Happening::HeldUp),
        1 => Just(Happening::ClockStopped),
        2 => Just(Happening::ClockStarted),
        1 => pause.prop_map(|(cause, scope, now)| Happening::Pause { cause, scope, now }),
        2 => cause().prop_map(Happening::Resume),
        2 => Just(Happening::Scanned),
    ]
}

pub(super) fn settings() -> impl Strategy<Value = Rules> {
    (0..4_u32, 0..3_000_u64, prop_oneof![Just(0), 0..10_000_u64], prop::bool::ANY).prop_map(
        |(max_preemptions, linger, cooldown, finish_on_disconnect)| Rules {
            max_preemptions,
            chat_linger: Duration::from_millis(linger),
            task_cooldown: Duration::from_millis(cooldown),
            finish_on_disconnect,
            dependency_timeout: Duration::from_mins(5),
            ..rules()
        },
    )
}

/// A world in which all of it has happened.
fn lived(rules: Rules, tempers: Vec<Temper>, happenings: &[Happening]) -> World {
    let mut world = World::new(rules, tempers);
    for happening in happenings {
        happen(&mut world, happening);
    }
    world
}

pub(super) fn happen(world: &mut World, happening: &Happening) {
    // Mostly of the latest, and now and then of all that ever came.
    let pick = |n: usize| {
        let from = if n.is_multiple_of(4) { 0 } else { world.names.len().saturating_sub(LATEST) };
        let known = &world.names[from..];
        if known.is_empty() { id("NOBODY") } else { known[n / 4 % known.len()].clone() }
    };
    let of_slot = |event: fn(RunId) -> Event| run_in_slot(world).map_or(Event::Tick, event);
    let event = match happening.clone() {
        // What comes just as the time for it is up is too late; the model takes the two one after the other.
        Happening::Attach(_) | Happening::FileBack(_) | Happening::Task(_) | Happening::Edit(..)
            if is_due(world) =>
        {
            world.tell(Event::Tick);
            return happen(world, happening);
        }
        Happening::Pass { millis, punctual } => {
            return world.pass(Duration::from_millis(millis), punctual);
        }
        Happening::Task(task) => {
            let place = world.names.len();
            Event::TaskArrived(spec(world, &id(&format!("I{place}")), task))
        }
        Happening::Edit(n, task) => {
            let of = pick(n);
            let known = world.model.items.iter().find(|item| item.id == of);
            let preemptions = known.map_or(0, |item| item.preemptions);
            Event::TaskEdited(spec(world, &of, Task { preemptions, attempts: 0, ..task }))
        }
        Happening::Chat { when_busy, limit, restored } => Event::ChatArrived(ChatSpec {
            id: id(&format!("I{}", world.names.len())),
            limit: Duration::from_secs(limit),
            when_busy,
            detached: restored,
        }),
        Happening::Detach(n) => Event::ChatDetached(pick(n)),
        Happening::Attach(n) => Event::ChatAttached(pick(n)),
        Happening::Cancel(n) => Event::Cancel(pick(n)),
        Happening::Prioritize(n, priority) => Event::Prioritize(pick(n), priority),
        Happening::FileMissing(n) => Event::TaskFileMissing(pick(n)),
        Happening::FileBack(n) => Event::TaskFileBack(pick(n)),
        Happening::FileRejected(n) => Event::TaskFileRejected(pick(n)),
        Happening::Interrupt => Event::Interrupt,
        Happening::Spoke => of_slot(Event::RunSpoke),
        Happening::HeldUp => of_slot(Event::RunHeldUp),
        Happening::ClockStopped => of_slot(Event::ClockStopped),
        Happening::ClockStarted => of_slot(Event::ClockStarted),
        Happening::Pause { cause, scope, now } => Event::Pause { cause, scope, now },
        Happening::Resume(cause) => Event::Resume(cause),
        Happening::Scanned => Event::Scanned,
    };
    world.tell(event);
}

fn is_due(world: &World) -> bool {
    world.core.next_deadline().is_some_and(|at| at <= world.now)
}

/// A task as the driver would tell of it: it knows how what ended before has ended. Some of what a task depends on
/// is yet to come, and some never comes.
pub(super) fn spec(world: &World, of: &ItemId, task: Task) -> TaskSpec {
    let earliest = world.names.len().saturating_sub(DEPENDED_ON);
    let dependency = |n: usize| {
        let id = id(&format!("I{}", earliest + n));
        Dependency { ended: world.model.outcome(&id), id }
    };
    TaskSpec {
        id: of.clone(),
        priority: task.priority,
        arrival: world.names.len() as u64,
        limit: Duration::from_secs(task.limit),
        interruptible: task.interruptible,
        depends_on: task.depends_on.into_iter().map(dependency).collect(),
        waited: Duration::ZERO,
        attempts: task.attempts,
        preemptions: task.preemptions,
    }
}

pub(super) fn run_in_slot(world: &World) -> Option<RunId> {
    world.model.in_slot().and_then(|item| item.run)
}

/// Everybody lets go of the bot.
pub(super) fn let_go(world: &mut World) {
    world.tell(Event::Scanned);
    for cause in [PauseCause::User, PauseCause::Disk, PauseCause::Limit] {
        world.tell(Event::Resume(cause));
    }
}

/// The same worlds every time, unless `PROPTEST_RNG_SEED` asks for others; `PROPTEST_CASES` asks for more.
pub(super) fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let rng_seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(5),
        chosen @ RngSeed::Fixed(_) => chosen,
    };
    ProptestConfig { rng_seed, failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(config())]

    /// The model objects to nothing on the way, and with enough time nothing is left over.
    #[test]
    fn everything_accepted_comes_to_exactly_one_end(
        rules in settings(),
        tempers in vec(temper(), 1..12),
        happenings in vec(happening(), 1..120),
    ) {
        let mut world = lived(rules, tempers, &happenings);
        let_go(&mut world);
        let is_left = |world: &World| world.model.items.iter().any(|item| !item.is_final());
        let enough = world.now + Duration::from_hours(8);
        while is_left(&world) && world.now < enough {
            if let Some(run) = run_in_slot(&world) {
                world.tell(Event::ClockStarted(run));
            }
            world.pass(Duration::from_mins(1), true);
        }
        prop_assert!(!is_left(&world), "{:?}", world.model.items);
        prop_assert!(!world.core.has_work());
        prop_assert_eq!(world.core.next_deadline(), None);
    }

    /// A stop halts once, soon, and loses nothing: tasks that ran go back, what waited waits on.
    #[test]
    fn a_stop_halts_once_and_soon(
        rules in settings(),
        tempers in vec(temper(), 1..12),
        happenings in vec(happening(), 1..60),
        drained in option::of(vec(happening(), 0..10)),
    ) {
        let mut world = lived(rules, tempers, &happenings);
        if let Some(happenings) = drained {
            world.tell(Event::Stop { drain: true });
            for happening in &happenings {
                happen(&mut world, happening);
            }
        }
        let waiting = |world: &World| world.core.waiting_tasks();
        let (before, was_halted) = (waiting(&world), world.model.halted);
        world.tell(Event::Stop { drain: false });
        world.pass(Duration::from_millis(500 + LONGEST_DEATH), true);
        prop_assert!(world.model.halted);
        prop_assert!(was_halted || waiting(&world) <= before + 1);
        let lost = world.model.items.iter().find(|item| {
            item.started && !item.is_final() && item.state != State::Requeued && item.state != State::Waiting
        });
        prop_assert!(lost.is_none(), "{lost:?}");
    }
}
