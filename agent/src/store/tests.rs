mod long;

use hive_shared::api::TimelineQuery;
use std::sync::{Arc, Mutex};

use hive_shared::ids::BotId;
use hive_shared::step::Step;
use hive_shared::work::{Kind, Priority, Source};
use proptest::prelude::*;

use super::*;

struct Bench {
    dir: tempfile::TempDir,
    store: Store,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("B.db"), Box::new(|_| KeepTrying::No)).unwrap();
    Bench { dir, store }
}

fn entry(id: &str, source: Source, status: Status, content: &str) -> Entry {
    let kind = match source {
        Source::File => Kind::Task,
        Source::Chat => Kind::Prompt,
        Source::Control => Kind::Control,
    };
    let bot = BotId::parse("BOT-1").unwrap();
    Entry {
        content: content.to_owned(),
        ..Entry::new(bot, id.to_owned(), source, kind, status, Stamp::from_micros(0))
    }
}

fn item(id: &str) -> Item {
    let detail = Detail { from: "me".into(), limit: Duration::from_millis(1_500), ..Detail::default() };
    Item {
        seen_at: Stamp::from_micros(7),
        priority: Priority::P1,
        file: Some("T.md".into()),
        fingerprint: Some("1:2:3:4".into()),
        attempts: 1,
        preemptions: 2,
        run: Some("RUN-1".into()),
        started_at: Some(Stamp::from_micros(8)),
        used: Duration::from_micros(1_234_567),
        files_modified: vec!["a.rs".into()],
        usage: Some(serde_json::json!({"tokens": 3})),
        ..Item::new(ItemId::parse(id).unwrap(), Source::File, "Title".into(), "d".into(), detail)
    }
}

impl Bench {
    fn put(&mut self, id: &str, source: Source, status: Status, content: &str) {
        self.store.put_entry(entry(id, source, status, content), true).unwrap();
    }

    fn reader(&mut self) -> Reader {
        self.store.commit().unwrap();
        Reader::open(&self.dir.path().join("B.db")).unwrap()
    }
}

fn ids(page: &Page) -> Vec<&str> {
    page.entries.iter().map(|entry| entry.entry_id.as_str()).collect()
}

#[test]
fn an_item_is_read_back_as_it_was_written() {
    let mut bench = bench();
    let mut written = item("T");
    bench.store.put_item(&mut written).unwrap();
    assert_eq!(written.arrival, 1);
    assert_eq!(bench.store.item(&written.id).unwrap(), Some(written.clone()));
    written.status = Status::Completed;
    written.ended_at = Some(Stamp::from_micros(9));
    bench.store.put_item(&mut written).unwrap();
    assert_eq!(bench.store.unsettled().unwrap(), [written.clone()]);
    bench.store.settle(1, Some("T.2.md".into()), None).unwrap();
    assert!(bench.store.unsettled().unwrap().is_empty());
    assert_eq!(bench.store.last_endings(5).unwrap(), [Status::Completed]);
    let mut next = item("U");
    bench.store.put_item(&mut next).unwrap();
    assert_eq!(next.arrival, 2);
}

#[test]
fn entries_are_paged_back_without_a_gap_or_a_repeat() {
    let mut bench = bench();
    for n in 0..25 {
        bench.put(&format!("T-{n:02}"), Source::File, Status::Queued, "");
    }
    // A change moves an entry's seq and not its place.
    bench.put("T-03", Source::File, Status::Completed, "");
    let reader = bench.reader();
    let mut query = TimelineQuery { limit: Some(10), ..TimelineQuery::default() };
    let mut all = Vec::new();
    loop {
        let Snapshot { page, last_seq, total_entries } = reader.snapshot(&query).unwrap();
        assert_eq!((last_seq, total_entries), (26, 25));
        all.splice(0..0, page.entries.iter().map(|entry| entry.entry_id.clone()));
        if !page.has_more {
            break;
        }
        query.before = page.before;
    }
    assert_eq!(all, (0..25).map(|n| format!("T-{n:02}")).collect::<Vec<_>>());
    query.before = Some("yesterday".into());
    assert!(matches!(reader.snapshot(&query), Err(StoreError::Cursor(_))));
}

#[test]
fn what_changed_comes_in_seq_order_in_its_latest_state() {
    let mut bench = bench();
    for id in ["A", "B", "C"] {
        bench.put(id, Source::File, Status::Queued, "");
    }
    bench.put("A", Source::File, Status::Completed, "");
    let reader = bench.reader();
    let query = TimelineQuery { after_seq: Some(1), ..TimelineQuery::default() };
    let page = reader.snapshot(&query).unwrap().page;
    assert_eq!(ids(&page), ["B", "C", "A"]);
    let changes = reader.changes(2, 4, 10).unwrap();
    let told: Vec<_> =
        changes.iter().map(|c| (c.entry.entry_id.as_str(), c.entry.seq, c.added_seq)).collect();
    assert_eq!(told, [("C", 3, 3), ("A", 4, 1)]);
    assert!(reader.changes(3, 3, 10).unwrap().is_empty());
}

#[test]
fn filters_and_words() {
    let mut bench = bench();
    bench.put("A", Source::File, Status::Failed, "the Parser broke: unexpected 'end'");
    bench.put("B", Source::Chat, Status::Completed, "how is the parser?");
    bench.put("C", Source::Control, Status::Completed, "paused");
    bench.put("C", Source::Control, Status::Completed, "not paused but stopped");
    let reader = bench.reader();
    let found = |query: TimelineQuery| -> Vec<String> {
        reader.snapshot(&query).unwrap().page.entries.into_iter().map(|entry| entry.entry_id).collect()
    };
    let all = TimelineQuery::default;
    assert_eq!(found(TimelineQuery { source: Some(Source::Chat), ..all() }), ["B"]);
    assert_eq!(found(TimelineQuery { kind: Some(Kind::Control), ..all() }), ["C"]);
    assert_eq!(found(TimelineQuery { status: Some(Status::Completed), ..all() }), ["B", "C"]);
    let words = |q: &str| found(TimelineQuery { q: Some(q.into()), ..all() });
    assert_eq!(words("parser"), ["A", "B"]);
    assert_eq!(words("parser broke"), ["A"]);
    assert_eq!(words("stopped"), ["C"]);
    // What is no word, or is syntax to the index, is looked for or not, and never an error.
    for q in ["\"", "NEAR(", "a* OR", "'; DROP TABLE entry; --", "…", "parser AND NOT x"] {
        let _ = words(q);
    }
    assert_eq!(words("…"), Vec::<String>::new());
    assert_eq!(found(TimelineQuery { q: Some("parser".into()), source: Some(Source::File), ..all() }), ["A"]);
    let stamps: Vec<Stamp> =
        reader.snapshot(&all()).unwrap().page.entries.into_iter().map(|entry| entry.timestamp).collect();
    assert_eq!(found(TimelineQuery { since: Some(stamps[1]), ..all() }), ["B", "C"]);
    assert_eq!(found(TimelineQuery { until: Some(stamps[1]), ..all() }), ["A"]);
    let later = Stamp::from_micros(stamps[2].as_micros() + 1);
    assert_eq!(found(TimelineQuery { since: Some(later), ..all() }), Vec::<String>::new());
}

#[test]
fn a_ledger_knows_whether_it_is_new_and_keeps_its_epoch() {
    let bench = bench();
    assert!(bench.store.is_new());
    let epoch = bench.store.epoch().to_owned();
    let Bench { dir, mut store } = bench;
    store.put_meta("scanned", "1").unwrap();
    store.commit().unwrap();
    drop(store);
    let mut again = Store::open(&dir.path().join("B.db"), Box::new(|_| KeepTrying::No)).unwrap();
    assert!(!again.is_new());
    assert_eq!(again.epoch(), epoch);
    again.put_partial(1, 0, "so ".into()).unwrap();
    again.put_partial(1, 3, "far".into()).unwrap();
    assert_eq!(again.partial(1).unwrap(), "so far");
    again.forget_partial(1).unwrap();
    assert_eq!(again.partial(1).unwrap(), "");
}

#[test]
fn a_write_that_the_disk_refuses_is_made_when_it_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("B.db");
    let told = Arc::new(Mutex::new(Vec::new()));
    let trouble = {
        let told = Arc::clone(&told);
        move |error: Option<&StoreError>| {
            told.lock().unwrap().push(error.is_some());
            KeepTrying::Yes
        }
    };
    let mut store = Store::open(&path, Box::new(trouble)).unwrap();
    store.put_meta("a", "1").unwrap();
    store.commit().unwrap();
    store.db.busy_timeout(Duration::ZERO).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let release = std::thread::spawn({
        let told = Arc::clone(&told);
        move || {
            while told.lock().unwrap().is_empty() {
                std::thread::yield_now();
            }
            other.execute_batch("ROLLBACK").unwrap();
        }
    });
    store.put_meta("b", "2").unwrap();
    store.put_meta("c", "3").unwrap();
    store.commit().unwrap();
    release.join().unwrap();
    let told = told.lock().unwrap();
    assert!(
        told.len() >= 2 && told[..told.len() - 1].iter().all(|t| *t) && !told[told.len() - 1],
        "{told:?}"
    );
    assert_eq!(store.meta("b").unwrap().as_deref(), Some("2"));
    assert_eq!(store.meta("c").unwrap().as_deref(), Some("3"));
}

#[test]
fn the_turns_of_a_session_are_those_that_ran_and_ended_the_latest_first() {
    let mut bench = bench();
    let mut put = |id: &str, source: Source, session: &str, ended: bool, attempts: u32| {
        let detail = Detail { session: Some(session.to_owned()), ..Detail::default() };
        let ended_at = ended.then(|| Stamp::from_micros(9));
        let mut turn = Item { source, detail, attempts, ended_at, ..item(id) };
        bench.store.put_item(&mut turn).unwrap();
    };
    put("A-1", Source::Chat, "a's \"words\"", true, 1);
    put("B-1", Source::Chat, "b", true, 1);
    put("A-2", Source::Chat, "a's \"words\"", true, 1);
    put("A-3", Source::Chat, "a's \"words\"", true, 0);
    put("A-4", Source::Chat, "a's \"words\"", false, 1);
    put("A-5", Source::File, "a's \"words\"", true, 1);
    put("A-6", Source::Chat, "a's \"words\"", true, 1);
    let turns = |session: &str, limit| -> Vec<String> {
        let ids = bench.store.turns_of(session, limit).unwrap();
        ids.iter().map(ToString::to_string).collect()
    };
    assert_eq!(turns("a's \"words\"", 10), ["A-6", "A-2", "A-1"]);
    assert_eq!(turns("a's \"words\"", 2), ["A-6", "A-2"]);
    assert_eq!(turns("b", 10), ["B-1"]);
    assert!(turns("c", 10).is_empty());
}

#[test]
fn the_turns_of_a_session_cost_the_same_in_a_long_ledger() {
    let bench = bench();
    let plan = format!("EXPLAIN QUERY PLAN {}", item::TURNS_OF);
    let detail: String = bench.store.db.query_row(&plan, params!["a", 1], |row| row.get("detail")).unwrap();
    assert!(detail.contains("SEARCH") && detail.contains("item_session"), "{detail}");
}

#[test]
fn steps_come_with_entries_and_with_pages_that_ask_for_them() {
    let mut bench = bench();
    let thought = |content: &str| Step::Thought { content: content.to_owned() };
    let task = |steps: Vec<Step>| Entry {
        steps_truncated: !steps.is_empty(),
        steps,
        ..entry("A", Source::File, Status::Running, "")
    };
    bench.store.put_entry(task(vec![thought("hm")]), true).unwrap();
    bench.put("B", Source::Chat, Status::Completed, "");
    bench.store.put_entry(task(vec![thought("hm"), thought("so")]), false).unwrap();
    let reader = bench.reader();
    let asks = |steps| TimelineQuery { steps, ..TimelineQuery::default() };
    let page = |steps| reader.snapshot(&asks(steps)).unwrap().page.entries;
    let both = vec![thought("hm"), thought("so")];
    let with = page(true);
    assert_eq!((&with[0].steps, with[0].steps_truncated), (&both, true));
    assert_eq!((with[1].entry_id.as_str(), with[1].steps.len(), with[1].steps_truncated), ("B", 0, false));
    assert!(page(false).iter().all(|entry| entry.steps.is_empty() && !entry.steps_truncated));
    assert_eq!(reader.entry("A").unwrap().unwrap().steps, both);
    assert_eq!(reader.changes(0, 9, 9).unwrap().last().unwrap().entry.steps, both);
    // A new attempt begins them anew.
    bench.store.put_entry(task(Vec::new()), false).unwrap();
    assert!(bench.store.entry("A").unwrap().unwrap().steps.is_empty());
}

#[test]
fn a_ledger_of_the_first_form_is_brought_to_the_present_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("B.db");
    let mut db = Connection::open(&path).unwrap();
    Migrations::new(vec![M::up(include_str!("schema.sql"))]).to_latest(&mut db).unwrap();
    let old = r#"{"seq":1,"entry_id":"T-0","bot_id":"BOT-1","timestamp":"2026-11-22T18:05:27.000000Z","updated_at":"2026-11-22T18:05:27.000000Z","source":"file","kind":"task","status":"completed","content":"done","files_modified":[]}"#;
    db.execute(
        "INSERT INTO entry (entry_id, seq, added_seq, timestamp, source, kind, status, json) \
         VALUES ('T-0', 1, 1, 1, 'file', 'task', 'completed', ?1)",
        [old],
    )
    .unwrap();
    drop(db);
    let mut store = Store::open(&path, Box::new(|_| KeepTrying::No)).unwrap();
    store.put_item(&mut item("T-1")).unwrap();
    store.commit().unwrap();
    assert!(store.turns_of("a", 1).unwrap().is_empty());
    let entry = store.entry("T-0").unwrap().unwrap();
    assert_eq!((entry.content.as_str(), entry.steps.len()), ("done", 0));
}

#[test]
fn long_entries_fill_a_page_and_none_is_left_out() {
    let mut bench = bench();
    let long = "x".repeat(1 << 20);
    let all: Vec<String> = (0..20).map(|n| format!("E-{n:02}")).collect();
    for id in &all {
        bench.put(id, Source::File, Status::Completed, &long);
    }
    let reader = bench.reader();
    let mut seen = Vec::new();
    let mut query = TimelineQuery { limit: Some(1_000), ..TimelineQuery::default() };
    loop {
        let page = reader.snapshot(&query).unwrap().page;
        assert!((1..=9).contains(&page.entries.len()), "{}", page.entries.len());
        seen.splice(0..0, ids(&page).into_iter().map(str::to_owned));
        query.before = page.before;
        if !page.has_more {
            break;
        }
    }
    assert_eq!(seen, all);
    let mut query = TimelineQuery { limit: Some(1_000), after_seq: Some(0), ..TimelineQuery::default() };
    let mut seen = Vec::new();
    loop {
        let page = reader.snapshot(&query).unwrap().page;
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        query.after_seq = page.entries.last().map(|entry| entry.seq);
        if !page.has_more {
            break;
        }
    }
    assert_eq!(seen, all);
}

#[test]
fn long_changes_are_read_a_few_at_a_time_and_at_least_one() {
    let mut bench = bench();
    for id in ["A", "B", "C"] {
        bench.put(id, Source::File, Status::Completed, &"x".repeat(50_000));
    }
    bench.put("D", Source::File, Status::Completed, &"x".repeat(1_000_000));
    let reader = bench.reader();
    let told = |after| -> Vec<u64> {
        reader.changes(after, 9, 100).unwrap().iter().map(|change| change.entry.seq).collect()
    };
    assert_eq!((told(0), told(2), told(3)), (vec![1, 2], vec![3, 4], vec![4]));
}

#[test]
fn any_words_can_be_looked_for_and_all_of_them_must_be_there() {
    let mut bench = bench();
    bench.put("A", Source::File, Status::Completed, "one two NEAR");
    let reader = bench.reader();
    let found = |q: &str| {
        let query = TimelineQuery { q: Some(q.to_owned()), ..TimelineQuery::default() };
        reader.snapshot(&query).unwrap().page.entries.len()
    };
    assert_eq!((found("\u{f71}"), found("two \u{f71}"), found("three \u{f71}")), (0, 1, 0));
    proptest!(|(q in "([a-z]{1,4}|[\"'*():^+-]|AND|OR|NOT|NEAR|\\PC| ){0,8}", cursor in any::<String>())| {
        // What the index takes for a part of a word, it decides; of these it is sure.
        let has_words = q.chars().any(|c| c.is_ascii_alphanumeric());
        prop_assert!(!has_words || found(&format!("two {q}")) == found(&q), "{q:?}");
        prop_assert_eq!(found(&format!("three {q}")), 0);
        let _ = reader.snapshot(&TimelineQuery { before: Some(cursor), ..TimelineQuery::default() });
    });
}

#[test]
fn a_clock_that_is_set_back_leaves_the_order() {
    let mut bench = bench();
    let far = Stamp::from_micros(Stamp::now().as_micros() + 3_600_000_000);
    let entry = |id: &str| entry(id, Source::File, Status::Queued, "");
    bench.store.put_entry_at(far, entry("A"), true).unwrap();
    bench.store.put_entry(entry("B"), true).unwrap();
    bench.store.put_entry(entry("A"), true).unwrap();
    bench.store.put_entry(entry("C"), true).unwrap();
    let stored = |id: &str| bench.store.entry(id).unwrap().unwrap();
    let [a, b, c] = ["A", "B", "C"].map(stored);
    assert_eq!(a.timestamp, far);
    assert!(a.timestamp < b.timestamp && b.timestamp < c.timestamp);
    assert!(b.updated_at >= b.timestamp && a.updated_at >= a.timestamp && b.seq < a.seq);
}

#[test]
fn what_a_damaged_ledger_still_says_is_salvaged() {
    let Bench { dir, mut store } = bench();
    let path = dir.path().join("B.db");
    for (id, settled) in [("ENDED", false), ("BROKEN", false), ("WAITS", false), ("OLD", true)] {
        let mut item = Item { settled, ..item(id) };
        store.put_item(&mut item).unwrap();
        store.put_instruction(item.arrival, format!("do {id}")).unwrap();
    }
    store.put_body(1, "the document".to_owned().into()).unwrap();
    store.put_partial(3, 0, "so ".into()).unwrap();
    store.put_partial(3, 3, "far".into()).unwrap();
    store.commit().unwrap();
    drop(store);
    let db = Connection::open(&path).unwrap();
    db.execute_batch("UPDATE item SET detail = '{' WHERE id = 'BROKEN'; DROP INDEX item_unsettled").unwrap();
    drop(db);

    let saved: Vec<_> = salvage(&path)
        .into_iter()
        .map(|it| (it.item.id.to_string(), it.body, it.instruction, it.partial))
        .collect();
    let ended = ("ENDED".into(), Some("the document".into()), Some("do ENDED".into()), String::new());
    let waits = ("WAITS".into(), None, Some("do WAITS".into()), "so far".into());
    assert_eq!(saved, [ended, waits]);
    std::fs::write(&path, "no database").unwrap();
    assert!(salvage(&path).is_empty());
}

#[test]
fn a_database_is_set_aside_with_all_that_belongs_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("B.db");
    let now: Stamp = "2026-11-27T05:04:03Z".parse().unwrap();
    assert_eq!(set_aside(&path, now).unwrap(), None);
    for aside in ["B.db.corrupt-20261127T050403Z", "B.db.corrupt-20261127T050403Z.2"] {
        for name in ["B.db", "B.db-wal", "B.db-shm"] {
            std::fs::write(dir.path().join(name), aside).unwrap();
        }
        assert_eq!(set_aside(&path, now).unwrap(), Some(dir.path().join(aside)));
        for ending in ["", "-wal", "-shm"] {
            let name = format!("{aside}{ending}");
            assert_eq!(std::fs::read_to_string(dir.path().join(&name)).unwrap(), aside, "{name}");
        }
    }
    std::fs::write(dir.path().join("B.db-wal"), "").unwrap();
    assert_eq!(set_aside(&path, now).unwrap(), None);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 6, "a log without its database is gone");
}

#[test]
fn a_ledger_of_a_later_version_is_refused_and_not_taken_for_damage() {
    let Bench { dir, store } = bench();
    drop(store);
    let path = dir.path().join("B.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Store::open(&path, Box::new(|_| KeepTrying::No)).err().expect("it is refused");
    assert!(matches!(error, StoreError::Migration(_)) && !error.is_damage(), "{error:?}");
    std::fs::write(&path, "this is no database, and never was one").unwrap();
    let error = Store::open(&path, Box::new(|_| KeepTrying::No)).err().expect("it is refused");
    assert!(error.is_damage(), "{error:?}");
}

#[test]
fn a_ledger_whose_file_is_taken_away_is_put_back_whole() {
    let Bench { dir, mut store } = bench();
    let path = dir.path().join("B.db");
    let mut kept = item("KEPT");
    store.put_item(&mut kept).unwrap();
    store.put_entry(entry("KEPT", Source::File, Status::Queued, "some words"), true).unwrap();
    store.commit().unwrap();
    assert!(!store.put_back().unwrap(), "it is in its place");
    let before = Reader::open(&path).unwrap();
    for (n, names) in
        [&["B.db", "B.db-wal", "B.db-shm"][..], &["B.db"], &["B.db-wal"]].into_iter().enumerate()
    {
        for name in names {
            std::fs::remove_file(dir.path().join(name)).unwrap();
        }
        let meanwhile = entry(&format!("MEANWHILE-{n}"), Source::File, Status::Queued, "other words");
        store.put_entry(meanwhile, true).unwrap();
        store.commit().unwrap();
        assert!(store.put_back().unwrap(), "{names:?}");
        assert!(!before.is_current() && !store.put_back().unwrap());
        let reader = Reader::open(&path).unwrap();
        let query = TimelineQuery { q: Some("words".into()), ..TimelineQuery::default() };
        let found = reader.snapshot(&query).unwrap();
        assert_eq!(found.page.entries.len(), n + 2);
        assert_eq!(reader.item(&kept.id).unwrap(), Some(kept.clone()));
    }
    let epoch = store.epoch().to_owned();
    store.put_meta("more", "1").unwrap();
    store.commit().unwrap();
    drop(store);
    let again = Store::open(&path, Box::new(|_| KeepTrying::No)).unwrap();
    assert_eq!((again.epoch(), again.meta("more").unwrap().as_deref()), (epoch.as_str(), Some("1")));
}
