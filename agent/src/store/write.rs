//! Writes: each is made at once, part of a transaction that the commit ends, and made again if the disk did not take it.

use std::time::{Duration, Instant};

use hive_shared::api::Entry;
use hive_shared::work::{Source, Status};
use rusqlite::{Connection, MAIN_DB, params};

use super::{Change, Item, Store, StoreError, entries, item};
use crate::document::Document;

/// Between two tries of a write that the disk has no room for.
pub(super) const RETRY: Duration = Duration::from_millis(500);

/// One change of the database. Kept until its transaction is committed, so that it can be made again.
#[derive(Debug, Clone)]
pub(super) enum Write {
    Item { item: Box<Item>, is_new: bool },
    Entry { key: Option<i64>, entry: Box<Entry>, index: bool },
    Instruction { arrival: i64, text: String },
    Body { arrival: i64, document: Document },
    Partial { arrival: i64, start: usize, text: String },
    ForgetPartial { arrival: i64 },
    Used { arrival: i64, used: Duration },
    Tally { source: Source, status: Status },
    Settle { arrival: i64, archived: Option<String> },
    AgentSession { source: Source, name: String, id: Option<String> },
    Meta { key: &'static str, value: String },
}

/// Told when the disk does not take a write, and when it does again. Says whether to go on trying.
pub type Trouble = Box<dyn FnMut(Option<&StoreError>) -> KeepTrying + Send>;

/// Whether a write that failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepTrying {
    /// Yes.
    Yes,
    /// No: the bot is to stop.
    No,
}

impl Store {
    /// How long it has waited for the disk in all, since it was opened.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Makes what was written since the last commit part of the ledger: after this it survives the end of this
    /// process. Returns the changes of the timeline, in seq order.
    pub fn commit(&mut self) -> Result<Vec<Change>, StoreError> {
        if !self.uncommitted.is_empty() {
            if let Err(error) = self.db.execute_batch("COMMIT").map_err(StoreError::from) {
                self.persist(error, true)?;
            }
            self.uncommitted.clear();
        }
        Ok(std::mem::take(&mut self.changes))
    }

    pub(super) fn write(&mut self, write: Write) -> Result<(), StoreError> {
        let begin = self.uncommitted.is_empty();
        self.uncommitted.push(write);
        let done = (|| {
            if begin {
                self.db.execute_batch("BEGIN IMMEDIATE")?;
            }
            self.uncommitted.last().map_or(Ok(()), |write| apply(&self.db, write))
        })();
        done.or_else(|error| self.persist(error, false))
    }

    /// The disk did not take a write: tries again what is not committed yet, until it does.
    fn persist(&mut self, error: StoreError, commit: bool) -> Result<(), StoreError> {
        let begun = Instant::now();
        let persisted = self.try_again(error, commit);
        self.waited += begun.elapsed();
        persisted
    }

    fn try_again(&mut self, mut error: StoreError, commit: bool) -> Result<(), StoreError> {
        loop {
            if !error.may_pass() {
                return Err(error);
            }
            if (self.trouble)(Some(&error)) == KeepTrying::No {
                return match error {
                    StoreError::Sqlite(source) => Err(StoreError::GivenUp(source)),
                    other => Err(other),
                };
            }
            std::thread::sleep(RETRY);
            // Fails where SQLite has rolled back by itself, which is as good.
            let _ = self.db.execute_batch("ROLLBACK");
            let again = (|| {
                self.db.execute_batch("BEGIN IMMEDIATE")?;
                self.uncommitted.iter().try_for_each(|write| apply(&self.db, write))?;
                if commit { Ok(self.db.execute_batch("COMMIT")?) } else { Ok(()) }
            })();
            match again {
                Ok(()) => {
                    (self.trouble)(None);
                    return Ok(());
                }
                Err(next) => error = next,
            }
        }
    }
}

fn apply(db: &Connection, write: &Write) -> Result<(), StoreError> {
    match write {
        Write::Item { item, is_new } => item::put(db, item, *is_new)?,
        Write::Entry { key, entry, index } => {
            let key = entries::put(db, *key, entry)?;
            if *index {
                entries::index(db, key, entry)?;
            }
        }
        Write::Instruction { arrival, text } => {
            db.prepare_cached("INSERT OR REPLACE INTO instruction (arrival, text) VALUES (?1, ?2)")?
                .execute(params![arrival, text])?;
        }
        Write::Body { arrival, document } => {
            db.prepare_cached("INSERT OR REPLACE INTO body (arrival, document) VALUES (?1, zeroblob(?2))")?
                .execute(params![arrival, document.size()])?;
            // Part by part: of a value that it is given as a whole SQLite makes copies.
            let mut blob = db.blob_open(MAIN_DB, "body", "document", *arrival, false)?;
            let mut at = 0;
            for part in document.parts() {
                blob.write_at(part.as_bytes(), at)?;
                at += part.len();
            }
        }
        Write::Partial { arrival, start, text } => {
            db.prepare_cached("INSERT OR REPLACE INTO partial (arrival, start, text) VALUES (?1, ?2, ?3)")?
                .execute(params![arrival, start, text])?;
        }
        Write::ForgetPartial { arrival } => {
            db.prepare_cached("DELETE FROM partial WHERE arrival = ?1")?.execute([arrival])?;
        }
        Write::Used { arrival, used } => {
            db.prepare_cached("UPDATE item SET used = ?2 WHERE arrival = ?1")?
                .execute(params![arrival, item::micros(*used)])?;
        }
        Write::Tally { source, status } => {
            db.prepare_cached(
                "INSERT INTO tally (source, status, items) VALUES (?1, ?2, 1) \
                 ON CONFLICT (source, status) DO UPDATE SET items = items + 1",
            )?
            .execute([source.as_str(), status.as_str()])?;
        }
        Write::Settle { arrival, archived } => {
            db.prepare_cached(
                "UPDATE item SET settled = 1, archived = coalesce(?2, archived) WHERE arrival = ?1",
            )?
            .execute(params![arrival, archived])?;
            for table in ["body", "partial"] {
                db.prepare_cached(&format!("DELETE FROM {table} WHERE arrival = ?1"))?.execute([arrival])?;
            }
            db.prepare_cached(
                "DELETE FROM instruction WHERE arrival = ?1 AND EXISTS \
                 (SELECT 1 FROM item WHERE item.arrival = ?1 AND (archived IS NOT NULL OR source = 'chat'))",
            )?
            .execute([arrival])?;
        }
        Write::AgentSession { source, name, id: Some(id) } => {
            db.prepare_cached("INSERT OR REPLACE INTO agent_session (source, name, id) VALUES (?1, ?2, ?3)")?
                .execute([source.as_str(), name, id])?;
        }
        Write::AgentSession { source, name, id: None } => {
            db.prepare_cached("DELETE FROM agent_session WHERE source = ?1 AND name = ?2")?
                .execute([source.as_str(), name])?;
        }
        Write::Meta { key, value } => {
            db.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
                .execute(params![key, value])?;
        }
    }
    Ok(())
}
