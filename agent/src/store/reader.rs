//! The reading side of the store, for requests that look and do not change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hive_shared::api::{Entry, TimelineQuery};
use hive_shared::ids::ItemId;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::endings::tally;
use super::read_back::body;
use super::{Change, Ended, Item, Page, StoreError, entries, item};
use crate::file_id::FileId;

/// A page of the timeline, and how long the timeline was at that moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The page.
    pub page: Page,
    /// The latest seq.
    pub last_seq: u64,
    /// How many entries there are.
    pub total_entries: u64,
}

/// The reading side: sees what is committed. For requests that look and do not change.
pub struct Reader {
    db: Connection,
    path: PathBuf,
    file: Option<FileId>,
}

impl Reader {
    /// Opens a database that a [`Store`](super::Store) has made.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // Before it is opened: should it be replaced in between, this is not taken for the new one.
        let file = FileId::at(path).ok();
        let db = match Connection::open_with_flags(path, flags) {
            // It may be there again by now. What has no handle left for it cannot open it either.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) && file.is_none() => {
                return Err(StoreError::Gone);
            }
            opened => opened?,
        };
        db.busy_timeout(Duration::from_secs(5))?;
        Ok(Self { db, path: path.to_owned(), file })
    }

    /// Whether it reads the file that is under the database's name, which may have been put back since.
    pub fn is_current(&self) -> bool {
        FileId::at(&self.path).ok() == self.file
    }

    /// What changed after `seq` and up to `until`, in seq order, each entry in its latest state: `limit` at the most, and
    /// fewer if they are long.
    pub fn changes(&self, after: u64, until: u64, limit: usize) -> Result<Vec<Change>, StoreError> {
        entries::changes(&self.db, after, until, limit)
    }

    /// One entry.
    pub fn entry(&self, entry_id: &str) -> Result<Option<Entry>, StoreError> {
        entries::get(&self.db, entry_id)
    }

    /// The item of an id.
    pub fn item(&self, id: &ItemId) -> Result<Option<Item>, StoreError> {
        item::get(&self.db, id.as_str())
    }

    /// File tasks that have not ended, the most urgent first, from the one after `after`; and how many there are in all.
    pub fn live_tasks(&self, after: Option<&Item>, limit: usize) -> Result<(Vec<Item>, usize), StoreError> {
        item::live_tasks(&self.db, after, limit)
    }

    /// Finished file tasks, the latest first, from the one after `after`; and how many there are in all.
    pub fn finished_tasks(
        &self,
        after: Option<&Item>,
        limit: usize,
    ) -> Result<(Vec<Item>, usize), StoreError> {
        item::finished_tasks(&self.db, after, limit)
    }

    /// A page, the latest seq and the number of entries, all of one moment.
    pub fn snapshot(&self, query: &TimelineQuery) -> Result<Snapshot, StoreError> {
        let moment = self.db.unchecked_transaction()?;
        let page = entries::page(&moment, query)?;
        let (last_seq, _) = entries::latest(&moment)?;
        let total_entries = entries::count(&moment)?;
        Ok(Snapshot { page, last_seq, total_entries })
    }

    /// How many items ended how, how many entries there are, and the latest seq, all of one moment.
    pub fn totals(&self) -> Result<(Vec<Ended>, u64, u64), StoreError> {
        let moment = self.db.unchecked_transaction()?;
        let ended = tally(&moment)?;
        Ok((ended, entries::count(&moment)?, entries::latest(&moment)?.0))
    }

    /// The response document of an item that is not settled.
    pub fn body(&self, arrival: i64) -> Result<Option<String>, StoreError> {
        body(&self.db, arrival)
    }
}
