//! What the writing side reads of what is written, committed or not.

use hive_shared::api::{Counts, Entry};
use hive_shared::ids::ItemId;
use hive_shared::work::{Source, Status};
use rusqlite::{Connection, OptionalExtension as _};

use super::endings::{Ended, tally};
use super::{Item, Store, StoreError, entries, item};

impl Store {
    /// The item of an id.
    pub fn item(&self, id: &ItemId) -> Result<Option<Item>, StoreError> {
        item::get(&self.db, id.as_str())
    }

    /// Items that have not come to rest, in the order of their arrival.
    pub fn unsettled(&self) -> Result<Vec<Item>, StoreError> {
        item::unsettled(&self.db)
    }

    /// The chat turns of a session that ran and have ended, the latest first, `limit` of them at most.
    pub fn turns_of(&self, session: &str, limit: usize) -> Result<Vec<ItemId>, StoreError> {
        item::turns_of(&self.db, session, limit)
    }

    /// How the last items ended, the latest first.
    pub fn last_endings(&self, limit: usize) -> Result<Vec<Status>, StoreError> {
        item::last_endings(&self.db, limit)
    }

    /// One entry.
    pub fn entry(&self, entry_id: &str) -> Result<Option<Entry>, StoreError> {
        entries::get(&self.db, entry_id)
    }

    /// How many items ended how.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        for Ended { status, items, .. } in tally(&self.db)? {
            match status {
                Status::Completed => counts.completed += items,
                Status::Failed => counts.failed += items,
                Status::Cancelled => counts.cancelled += items,
                Status::TimedOut => counts.timed_out += items,
                Status::Incomplete => counts.incomplete += items,
                Status::Queued | Status::Blocked | Status::Running | Status::Suspended => {}
            }
        }
        Ok(counts)
    }

    /// What a started item was told to do.
    pub fn instruction(&self, arrival: i64) -> Result<Option<String>, StoreError> {
        let mut statement = self.db.prepare_cached("SELECT text FROM instruction WHERE arrival = ?1")?;
        Ok(statement.query_row([arrival], |row| row.get(0)).optional()?)
    }

    /// The response document of an item that is not settled.
    pub fn body(&self, arrival: i64) -> Result<Option<String>, StoreError> {
        body(&self.db, arrival)
    }

    /// What an item had said when the daemon died.
    pub fn partial(&self, arrival: i64) -> Result<String, StoreError> {
        partial(&self.db, arrival)
    }

    /// The control acts on the timeline that wait for something.
    pub fn waiting_controls(&self) -> Result<Vec<Entry>, StoreError> {
        entries::waiting_controls(&self.db)
    }

    /// What the agent calls a conversation: that of a chat session, or of a file task by its id.
    pub fn agent_session(&self, source: Source, name: &str) -> Result<Option<String>, StoreError> {
        let mut statement =
            self.db.prepare_cached("SELECT id FROM agent_session WHERE source = ?1 AND name = ?2")?;
        Ok(statement.query_row([source.as_str(), name], |row| row.get(0)).optional()?)
    }

    /// A value of the ledger itself.
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        let mut statement = self.db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }
}

pub(super) fn partial(db: &Connection, arrival: i64) -> Result<String, StoreError> {
    let mut statement = db.prepare("SELECT text FROM partial WHERE arrival = ?1 ORDER BY start")?;
    let rows = statement.query_map([arrival], |row| row.get::<_, String>(0))?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?.concat())
}

pub(super) fn body(db: &Connection, arrival: i64) -> Result<Option<String>, StoreError> {
    let mut statement = db.prepare_cached("SELECT CAST(document AS TEXT) FROM body WHERE arrival = ?1")?;
    Ok(statement.query_row([arrival], |row| row.get(0)).optional()?)
}
