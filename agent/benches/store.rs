//! What the ledger's writes and the timeline's pages cost, on a short timeline and on a long one.

use divan::{Bencher, black_box};
use hive_agent::store::{KeepTrying, Reader, Store};
use hive_shared::api::{Entry, TimelineQuery};
use hive_shared::ids::BotId;
use hive_shared::time::Stamp;
use hive_shared::work::{Kind, Source, Status};
use tempfile::TempDir;

fn main() {
    divan::main();
}

/// How many entries there are already.
const LENGTHS: [usize; 2] = [1_000, 100_000];
/// How many entries one commit holds while the timeline is filled.
const AT_ONCE: usize = 1_000;

/// A timeline in a directory of its own.
struct Timeline {
    dir: TempDir,
    store: Store,
    length: usize,
}

impl Timeline {
    fn of(length: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("bot.db"), Box::new(|_| KeepTrying::No)).expect("a store");
        let mut timeline = Self { dir, store, length: 0 };
        while timeline.length < length {
            (0..AT_ONCE.min(length - timeline.length)).for_each(|_| timeline.put());
            timeline.commit();
        }
        timeline
    }

    fn put(&mut self) {
        self.length += 1;
        let number = self.length;
        let bot = BotId::parse("BOT-1").expect("a good id");
        let at = Stamp::from_micros(0);
        let entry = Entry {
            title: Some(format!("Task {number}")),
            content: format!(
                "Task {number} is done; word{} and word{} were seen.",
                number % 7,
                number % 1000
            ),
            ..Entry::new(bot, format!("TASK-{number}"), Source::File, Kind::Task, Status::Completed, at)
        };
        self.store.put_entry(entry, true).expect("an entry");
    }

    fn commit(&mut self) {
        black_box(self.store.commit().expect("a commit"));
    }

    fn bench_page(&self, bencher: Bencher, query: &TimelineQuery) {
        let reader = Reader::open(&self.dir.path().join("bot.db")).expect("a reader");
        bencher.bench_local(|| black_box(reader.snapshot(query).expect("a page")));
    }
}

#[divan::bench(args = LENGTHS)]
fn append_and_commit(bencher: Bencher, length: usize) {
    let mut timeline = Timeline::of(length);
    bencher.bench_local(|| {
        timeline.put();
        timeline.commit();
    });
}

#[divan::bench(args = LENGTHS)]
fn newest_100(bencher: Bencher, length: usize) {
    Timeline::of(length).bench_page(bencher, &TimelineQuery::default());
}

#[divan::bench(args = LENGTHS)]
fn search_100(bencher: Bencher, length: usize) {
    let query = TimelineQuery { q: Some("word3".to_owned()), ..TimelineQuery::default() };
    Timeline::of(length).bench_page(bencher, &query);
}

#[divan::bench(args = LENGTHS)]
fn changes_since(bencher: Bencher, length: usize) {
    let after = u64::try_from(length).unwrap_or(0).saturating_sub(100);
    let query = TimelineQuery { after_seq: Some(after), ..TimelineQuery::default() };
    Timeline::of(length).bench_page(bencher, &query);
}
