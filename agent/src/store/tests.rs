//! The store, with a database in a directory of its own.

mod database;
mod items;
mod long;
mod timeline;

use std::time::Duration;

use hive_shared::api::Entry;
use hive_shared::ids::BotId;
use hive_shared::work::{Kind, Priority, Source, Status};

use super::*;

struct Bench {
    dir: tempfile::TempDir,
    store: Store,
}

/// The store in a directory, opened once more or made.
fn open_in(dir: &tempfile::TempDir) -> Store {
    Store::open(&dir.path().join("B.db"), Box::new(|_| KeepTrying::No)).unwrap()
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let store = open_in(&dir);
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
