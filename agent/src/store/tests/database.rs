//! The database: its forms, a disk that takes nothing, a file that is damaged or gone (SPEC 12).

use std::sync::{Arc, Mutex};

use hive_shared::api::TimelineQuery;

use super::*;

#[test]
fn a_ledger_knows_whether_it_is_new_and_keeps_its_epoch() {
    let bench = bench();
    assert!(bench.store.is_new());
    let epoch = bench.store.epoch().to_owned();
    let Bench { dir, mut store } = bench;
    store.put_meta("scanned", "1").unwrap();
    store.commit().unwrap();
    drop(store);
    let mut again = open_in(&dir);
    assert!(!again.is_new());
    assert_eq!(again.epoch(), epoch);
    again.put_partial(1, 0, "so ".into()).unwrap();
    again.put_partial(1, 3, "far".into()).unwrap();
    assert_eq!(again.partial(1).unwrap(), "so far");
    again.forget_partial(1).unwrap();
    assert_eq!(again.partial(1).unwrap(), "");
}

#[test]
fn after_a_restart_of_the_machine_no_number_is_given_again() {
    let Bench { dir, mut store } = bench();
    let put = |store: &mut Store, id: &str| {
        store.put_entry(entry(id, Source::Control, Status::Completed, ""), true).unwrap();
        store.commit().unwrap().last().unwrap().entry.seq
    };
    store.opened_on("boot-1").unwrap();
    assert_eq!(put(&mut store, "CTL-1"), 1);
    let again = |boot: &str| {
        let mut store = open_in(&dir);
        store.opened_on(boot).unwrap();
        store
    };
    assert_eq!(put(&mut again("boot-1"), "CTL-2"), 2);
    // What was written on the second boot, if anything was, went with it.
    assert_eq!(again("boot-2").seq(), 1_000_002);
    assert_eq!(again("boot-2").seq(), 1_000_002);
    assert_eq!(put(&mut again("boot-3"), "CTL-3"), 2_000_003);
    assert_eq!(again("boot-3").seq(), 2_000_003);
    // All that a first boot brought may be lost.
    let Bench { dir, mut store } = bench();
    store.opened_on("boot-1").unwrap();
    drop(store);
    let mut store = open_in(&dir);
    store.opened_on("boot-2").unwrap();
    assert_eq!(store.seq(), 1_000_000);
}

#[test]
fn a_note_of_a_boot_that_cannot_be_read_is_none() {
    let Bench { dir, mut store } = bench();
    store.put_entry(entry("CTL-1", Source::Control, Status::Completed, ""), true).unwrap();
    store.commit().unwrap();
    store.opened_on("boot-1").unwrap();
    assert_eq!(store.seq(), 1_000_001);
    store.db.execute("UPDATE meta SET value = 'torn' WHERE key = 'boot'", []).unwrap();
    drop(store);
    let mut store = open_in(&dir);
    store.opened_on("boot-1").unwrap();
    assert_eq!(store.seq(), 1_000_001);
}

#[test]
fn a_ledger_of_the_first_form_is_brought_to_the_present_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("B.db");
    let mut db = Connection::open(&path).unwrap();
    Migrations::new(vec![M::up(include_str!("../schema.sql"))]).to_latest(&mut db).unwrap();
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
