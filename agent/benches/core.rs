//! What a decision of the coordinator costs, with little and with much that waits.

use std::time::Duration;

use divan::{Bencher, black_box};
use hive_agent::coordinator::{Action, ChatSpec, Coordinator, Ended, Event, Moment, Rules, RunId, TaskSpec};
use hive_shared::ids::ItemId;
use hive_shared::work::{Priority, WhenBusy};

fn main() {
    divan::main();
}

/// How many tasks wait.
const WAITING: [usize; 3] = [0, 1_000, 100_000];
const MINUTE: Duration = Duration::from_mins(1);

fn rules() -> Rules {
    Rules {
        preempt_grace: Duration::ZERO,
        max_preemptions: u32::MAX,
        chat_linger: Duration::ZERO,
        task_cooldown: Duration::ZERO,
        disconnect_grace: Duration::from_secs(10),
        finish_on_disconnect: false,
        dependency_timeout: 60 * MINUTE,
        max_attempts: 3,
    }
}

fn task(number: u64) -> TaskSpec {
    let priorities = [Priority::P0, Priority::P1, Priority::P2, Priority::P3];
    TaskSpec {
        id: ItemId::parse(&format!("TASK-{number}")).expect("a good id"),
        priority: priorities[usize::try_from(number % 4).unwrap_or(0)],
        arrival: number,
        limit: 1_000_000 * MINUTE,
        interruptible: true,
        depends_on: Vec::new(),
        waited: Duration::ZERO,
        attempts: 0,
        preemptions: 0,
    }
}

fn chat(number: u64) -> ChatSpec {
    let id = ItemId::parse(&format!("CHAT-{number}")).expect("a good id");
    ChatSpec { id, limit: 5 * MINUTE, when_busy: WhenBusy::Auto, detached: false }
}

/// A bot at work whose clock moves on a little with each event.
struct Bot {
    core: Coordinator,
    now: Moment,
    last: u64,
    run: RunId,
}

impl Bot {
    /// With one task in the slot and so many behind it.
    fn at_work(waiting: usize) -> Self {
        let mut bot =
            Self { core: Coordinator::new(rules()), now: Moment::default(), last: 0, run: RunId(0) };
        bot.tell(Event::Scanned);
        (0..=waiting).for_each(|_| bot.add_task());
        bot
    }

    fn tell(&mut self, event: Event) {
        self.now = self.now + Duration::from_micros(10);
        for action in black_box(self.core.handle(self.now, black_box(event))) {
            if let Action::Start { run, .. } | Action::Resume { run, .. } = action {
                self.run = run;
            }
        }
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn add_task(&mut self) {
        let task = task(self.next());
        self.tell(Event::TaskArrived(task));
    }
}

/// A task ends, the next starts, another one arrives.
#[divan::bench(args = WAITING)]
fn task_ends_next_starts(bencher: Bencher, waiting: usize) {
    let mut bot = Bot::at_work(waiting.max(1));
    bencher.bench_local(|| {
        bot.tell(Event::RunEnded { run: bot.run, how: Ended::Well });
        bot.add_task();
    });
}

/// A prompt arrives, the task gives way, the prompt is answered, the task resumes.
#[divan::bench(args = WAITING)]
fn prompt_preempts_and_task_resumes(bencher: Bencher, waiting: usize) {
    let mut bot = Bot::at_work(waiting);
    bencher.bench_local(|| {
        let chat = chat(bot.next());
        bot.tell(Event::ChatArrived(chat));
        bot.tell(Event::RunSuspended(bot.run));
        bot.tell(Event::RunEnded { run: bot.run, how: Ended::Well });
    });
}

/// A waiting task is cancelled, and another one arrives.
#[divan::bench(args = [1_000, 100_000])]
fn waiting_task_is_cancelled(bencher: Bencher, waiting: usize) {
    let mut bot = Bot::at_work(waiting);
    let mut oldest = 1;
    bencher.bench_local(|| {
        oldest += 1;
        let id = ItemId::parse(&format!("TASK-{oldest}")).expect("a good id");
        bot.tell(Event::Cancel(id));
        bot.add_task();
    });
}
