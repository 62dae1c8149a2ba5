//! What can be written: each becomes part of the ledger with the next commit.

use std::time::Duration;

use hive_shared::api::Entry;
use hive_shared::time::Stamp;
use hive_shared::work::{Source, Status};
use rusqlite::OptionalExtension as _;

use super::write::Write;
use super::{Change, Item, Store, StoreError};
use crate::document::Document;

impl Store {
    /// Writes an item. One that is new gets its `arrival`.
    pub fn put_item(&mut self, item: &mut Item) -> Result<(), StoreError> {
        let is_new = item.arrival == 0;
        if is_new {
            let last: Option<i64> =
                self.db.prepare_cached("SELECT max(arrival) FROM item")?.query_row([], |r| r.get(0))?;
            item.arrival = last.unwrap_or(0) + 1;
        }
        self.write(Write::Item { item: Box::new(item.clone()), is_new })
    }

    /// Puts an entry on the timeline, or changes the one that is there, under the next seq and at the present time.
    /// With `index`, a search finds it by its words as they are now.
    pub fn put_entry(&mut self, entry: Entry, index: bool) -> Result<(), StoreError> {
        let now = Stamp::now();
        self.put_entry_at(now, Entry { updated_at: now, ..entry }, index)
    }

    /// Puts an entry of an earlier ledger on the timeline, at its own time and under the next seq: the oldest is to come
    /// first.
    pub fn restore_entry(&mut self, entry: Entry) -> Result<(), StoreError> {
        // One that is yet to come would be that of all that comes after it.
        let now = Stamp::now();
        let updated_at = entry.updated_at.min(now);
        self.put_entry_at(entry.timestamp.min(now), Entry { updated_at, ..entry }, true)
    }

    pub(super) fn put_entry_at(
        &mut self,
        at: Stamp,
        mut entry: Entry,
        index: bool,
    ) -> Result<(), StoreError> {
        // Keys and timestamps rise together even if the clock is set back.
        let now = at.max(Stamp::from_micros(self.last_stamp.as_micros() + 1));
        let known = self
            .db
            .prepare_cached("SELECT key, added_seq, timestamp FROM entry WHERE entry_id = ?1")?
            .query_row([&entry.entry_id], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, u64>(1)?, row.get::<_, i64>(2)?))
            })
            .optional()?;
        self.seq += 1;
        entry.seq = self.seq;
        entry.updated_at = entry.updated_at.max(now);
        let added_seq = if let Some((_, added_seq, timestamp)) = known {
            entry.timestamp = Stamp::from_micros(timestamp);
            added_seq
        } else {
            entry.timestamp = now;
            self.last_stamp = now;
            self.seq
        };
        self.changes.push(Change { entry: entry.clone(), added_seq });
        self.write(Write::Entry { key: known.map(|(key, ..)| key), entry: Box::new(entry), index })
    }

    /// Keeps what a started item was told to do.
    pub fn put_instruction(&mut self, arrival: i64, text: String) -> Result<(), StoreError> {
        self.write(Write::Instruction { arrival, text })
    }

    /// Keeps a response document until it is published.
    pub fn put_body(&mut self, arrival: i64, document: Document) -> Result<(), StoreError> {
        self.write(Write::Body { arrival, document })
    }

    /// Keeps a piece of what a running item says.
    pub fn put_partial(&mut self, arrival: i64, start: usize, text: String) -> Result<(), StoreError> {
        self.write(Write::Partial { arrival, start, text })
    }

    /// Forgets what an item has said, because it starts over or has ended.
    pub fn forget_partial(&mut self, arrival: i64) -> Result<(), StoreError> {
        self.write(Write::ForgetPartial { arrival })
    }

    /// Keeps how much time an item has used so far.
    pub fn put_used(&mut self, arrival: i64, used: Duration) -> Result<(), StoreError> {
        self.write(Write::Used { arrival, used })
    }

    /// Keeps what the agent calls a conversation, or forgets it.
    pub fn put_agent_session(
        &mut self,
        source: Source,
        name: &str,
        id: Option<String>,
    ) -> Result<(), StoreError> {
        self.write(Write::AgentSession { source, name: name.to_owned(), id })
    }

    /// Counts an ended item.
    pub fn tally(&mut self, source: Source, status: Status) -> Result<(), StoreError> {
        self.write(Write::Tally { source, status })
    }

    /// An ended item's response is published and synced, and its file archived under this name. What it was told to
    /// do is kept only where no file in the archive says it.
    pub fn settle(&mut self, arrival: i64, archived: Option<String>) -> Result<(), StoreError> {
        self.write(Write::Settle { arrival, archived })
    }

    /// Keeps a value of the ledger itself.
    pub fn put_meta(&mut self, key: &'static str, value: &str) -> Result<(), StoreError> {
        self.write(Write::Meta { key, value: value.to_owned() })
    }
}
