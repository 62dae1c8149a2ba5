//! The ledger of work and the timeline, in one SQLite database a bot (SPEC 2, 8 and 12).
//!
//! The driver is the only writer. It opens a transaction when it begins to handle what has come in, and commits it
//! before anything that follows from it becomes visible outside. A commit is not synced: it survives the end of this
//! process and not that of the machine. What must survive that is synced by the outbox, many commits at a time.
//!
//! - `put`, `write`: what can be written, and how it is, also while the disk takes nothing
//! - `read_back`: what the writing side reads
//! - [`Reader`]: the reading side
//! - `item`, `entries`, `endings`: the rows: the ledger of work, the timeline, how many items ended how
//! - `connection`, `files`: how a database is opened, and which files it is
//! - `boot`: how numbers that a restart of the machine may have lost are not given again
//! - `put_back`, `damage`: a database whose file was taken away, and one that is damaged

mod boot;
mod connection;
mod damage;
mod endings;
mod entries;
mod error;
mod files;
mod item;
mod put;
mod put_back;
mod read_back;
mod reader;
#[cfg(test)]
mod tests;
mod write;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hive_shared::ids::{BotId, ItemId};
use hive_shared::time::Stamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use rusqlite_migration::{M, Migrations};

pub use connection::tidy;
pub use damage::{Salvaged, salvage};
pub use endings::Ended;
pub use entries::{Change, Page};
pub use error::StoreError;
pub(crate) use files::files_of;
pub use files::{log_of, set_aside};
pub use item::{Detail, Item};
pub use reader::{Reader, Snapshot};
pub use write::{KeepTrying, Trouble};

use crate::file_id::FileId;
use connection::connect;
use write::Write;

/// Whose the ledger is.
const OWNER: &str = "bot";
/// The ledger's note that the task directory was once read in full.
pub const SCANNED: &str = "scanned";
/// The ledger's note that it has what responses tell.
pub const REBUILT: &str = "rebuilt";

/// The writing side.
pub struct Store {
    db: Connection,
    path: PathBuf,
    /// Which they were when they were opened: the database, and its write-ahead log.
    files: [Option<FileId>; 2],
    epoch: String,
    is_new: bool,
    seq: u64,
    last_stamp: Stamp,
    uncommitted: Vec<Write>,
    changes: Vec<Change>,
    trouble: Trouble,
    waited: Duration,
}

impl Store {
    /// Opens a bot's database, and makes it where there is none.
    pub fn open(path: &Path, trouble: Trouble) -> Result<Self, StoreError> {
        let mut db = connect(path, OpenFlags::default())?;
        let steps = [
            include_str!("schema.sql"),
            include_str!("schema-2.sql"),
            include_str!("schema-3.sql"),
            include_str!("schema-4.sql"),
            include_str!("schema-5.sql"),
        ];
        Migrations::new(steps.map(M::up).to_vec()).to_latest(&mut db)?;
        let known: Option<String> =
            db.query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| row.get(0)).optional()?;
        let is_new = known.is_none();
        let epoch = known.unwrap_or_else(new_epoch);
        if is_new {
            db.execute("INSERT INTO meta (key, value) VALUES ('epoch', ?1)", [&epoch])?;
        }
        let (latest, last_stamp) = entries::latest(&db)?;
        let seq = latest.max(boot::floor(&db)?);
        let files = files_of(path);
        let path = path.to_owned();
        Ok(Self {
            db,
            path,
            files,
            epoch,
            is_new,
            seq,
            last_stamp,
            uncommitted: Vec::new(),
            changes: Vec::new(),
            trouble,
            waited: Duration::ZERO,
        })
    }

    /// Sees to it that this is the database of `bot`: one that is nobody's yet becomes its own.
    pub fn claim(&self, bot: &BotId) -> Result<(), StoreError> {
        let owner = match self.meta(OWNER)? {
            Some(owner) => Some(owner),
            // It is of an earlier version, and its entries say it.
            None => entries::owner(&self.db)?,
        };
        match owner {
            Some(owner) if owner != bot.as_str() => Err(StoreError::Foreign(owner)),
            Some(_) => Ok(()),
            None => {
                let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
                self.db.execute(sql, [OWNER, bot.as_str()])?;
                Ok(())
            }
        }
    }

    /// Begins another timeline with all that is here, as if the ledger were new: what responses and files tell beside it
    /// is still to be taken in, and who follows has to start again.
    pub fn begin_anew(&mut self) -> Result<(), StoreError> {
        debug_assert!(self.uncommitted.is_empty(), "it has just been opened");
        let epoch = new_epoch();
        let begun = self.db.transaction()?;
        begun.execute("UPDATE meta SET value = ?1 WHERE key = 'epoch'", [&epoch])?;
        begun.execute("DELETE FROM meta WHERE key IN (?1, ?2)", [SCANNED, REBUILT])?;
        begun.commit()?;
        self.epoch = epoch;
        Ok(())
    }

    /// Whether the database was made when it was opened.
    pub fn is_made(&self) -> bool {
        self.is_new
    }

    /// Which timeline this is.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Whether the first scan of the task directory has never been completed on this ledger.
    pub fn is_new(&self) -> bool {
        self.is_new || !matches!(self.meta(SCANNED), Ok(Some(_)))
    }

    /// The file whose sync makes all commits durable.
    pub fn log_path(&self) -> PathBuf {
        log_of(&self.path)
    }

    /// The latest seq that was given, or may have been.
    pub fn seq(&self) -> u64 {
        self.seq
    }
}

fn new_epoch() -> String {
    ItemId::generate("E", jiff::Timestamp::now()).to_string()
}
