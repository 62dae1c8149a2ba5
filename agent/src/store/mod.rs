//! The ledger of work and the timeline, in one SQLite database a bot (SPEC 2, 8 and 12).
//!
//! The driver is the only writer. It opens a transaction when it begins to handle what has come in, and commits it
//! before anything that follows from it becomes visible outside. A commit is not synced: it survives the end of this
//! process and not that of the machine. What must survive that is synced by the outbox, many commits at a time.

mod entries;
mod error;
mod files;
mod item;
mod reader;
mod salvage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hive_shared::api::{Counts, Entry};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::time::Stamp;
use hive_shared::work::{Source, Status};
use rusqlite::{Connection, MAIN_DB, OpenFlags, OptionalExtension, params};
use rusqlite_migration::{M, Migrations};

use crate::document::Document;

pub use entries::{Change, Page};
pub use error::StoreError;
pub(crate) use files::FileId;
pub(crate) use files::files_of;
use files::{LOG, with};
pub use item::{Detail, Item};
pub use reader::{Reader, Snapshot};
pub use salvage::{Salvaged, salvage, set_aside};

/// Between two tries of a write that the disk has no room for.
const RETRY: Duration = Duration::from_millis(500);
/// The pages of the write-ahead log at which SQLite moves them into the database, in the middle of a commit.
const MOST_LOG_PAGES: u32 = 8192;

/// Whose the ledger is.
const OWNER: &str = "bot";
/// The ledger's note that the task directory was once read in full.
pub const SCANNED: &str = "scanned";
/// The ledger's note that it has what responses tell.
pub const REBUILT: &str = "rebuilt";

/// One change of the database. Kept until its transaction is committed, so that it can be made again.
#[derive(Debug, Clone)]
enum Write {
    Item(Box<Item>),
    Entry { entry: Box<Entry>, index: bool },
    Instruction { arrival: i64, text: String },
    Body { arrival: i64, document: Document },
    Partial { arrival: i64, start: usize, text: String },
    ForgetPartial { arrival: i64 },
    Used { arrival: i64, used: Duration },
    Tally { source: Source, status: Status },
    Settle { arrival: i64, archived: Option<String>, response_file: Option<String> },
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
}

impl Store {
    /// Opens a bot's database, and makes it where there is none.
    pub fn open(path: &Path, trouble: Trouble) -> Result<Self, StoreError> {
        let mut db = connect(path)?;
        let steps = [
            include_str!("schema.sql"),
            include_str!("schema-2.sql"),
            include_str!("schema-3.sql"),
            include_str!("schema-4.sql"),
        ];
        Migrations::new(steps.map(M::up).to_vec()).to_latest(&mut db)?;
        let known: Option<String> =
            db.query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| row.get(0)).optional()?;
        let is_new = known.is_none();
        let epoch = known.unwrap_or_else(new_epoch);
        if is_new {
            db.execute("INSERT INTO meta (key, value) VALUES ('epoch', ?1)", [&epoch])?;
        }
        let (seq, last_stamp) = entries::latest(&db)?;
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
        with(&self.path, LOG)
    }

    /// The latest seq.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    // ---- reading what is written, committed or not -----------------------------------------------------------

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

    // ---- writing ---------------------------------------------------------------------------------------------

    /// Writes an item. One that is new gets its `arrival`.
    pub fn put_item(&mut self, item: &mut Item) -> Result<(), StoreError> {
        if item.arrival == 0 {
            let last: Option<i64> =
                self.db.prepare_cached("SELECT max(arrival) FROM item")?.query_row([], |r| r.get(0))?;
            item.arrival = last.unwrap_or(0) + 1;
        }
        self.write(Write::Item(Box::new(item.clone())))
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

    fn put_entry_at(&mut self, at: Stamp, mut entry: Entry, index: bool) -> Result<(), StoreError> {
        // Keys and timestamps rise together even if the clock is set back.
        let now = at.max(Stamp::from_micros(self.last_stamp.as_micros() + 1));
        let known = self
            .db
            .prepare_cached("SELECT added_seq, timestamp FROM entry WHERE entry_id = ?1")?
            .query_row([&entry.entry_id], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, i64>(1)?)))
            .optional()?;
        self.seq += 1;
        entry.seq = self.seq;
        entry.updated_at = entry.updated_at.max(now);
        let added_seq = if let Some((added_seq, timestamp)) = known {
            entry.timestamp = Stamp::from_micros(timestamp);
            added_seq
        } else {
            entry.timestamp = now;
            self.last_stamp = now;
            self.seq
        };
        self.changes.push(Change { entry: entry.clone(), added_seq });
        self.write(Write::Entry { entry: Box::new(entry), index })
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
    pub fn settle(
        &mut self,
        arrival: i64,
        archived: Option<String>,
        response_file: Option<String>,
    ) -> Result<(), StoreError> {
        self.write(Write::Settle { arrival, archived, response_file })
    }

    /// Keeps a value of the ledger itself.
    pub fn put_meta(&mut self, key: &'static str, value: &str) -> Result<(), StoreError> {
        self.write(Write::Meta { key, value: value.to_owned() })
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

    /// Puts the database's file back where it was taken away, or another was put in its place: all of it is still open
    /// here. What is in its place is set aside. To be called when all is committed; the disk is tried until it takes
    /// it. Returns whether there was need.
    pub fn put_back(&mut self) -> Result<bool, StoreError> {
        debug_assert!(self.uncommitted.is_empty(), "a copy has what is committed");
        while files_of(&self.path) != self.files {
            match self.write_whole() {
                Ok(()) => {
                    (self.trouble)(None);
                    return Ok(true);
                }
                Err(error) if error.is_damage() || (self.trouble)(Some(&error)) == KeepTrying::No => {
                    return Err(error);
                }
                Err(_) => std::thread::sleep(RETRY),
            }
        }
        Ok(false)
    }

    /// Writes all of the database to a new file, which gets its name when it is whole.
    fn write_whole(&mut self) -> Result<(), StoreError> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory)?;
        set_aside(&self.path, Stamp::now())?;
        let aside = self.path.with_extension("db.new");
        if aside.try_exists()? {
            std::fs::remove_file(&aside)?;
        }
        // Names that are not UTF-8 SQLite cannot be told here: then the next ledger is made of the responses.
        let name = aside.to_str().ok_or(StoreError::Gone)?;
        self.db.execute("VACUUM INTO ?1", [name])?;
        std::fs::File::open(&aside)?.sync_all()?;
        std::fs::rename(&aside, &self.path)?;
        std::fs::File::open(directory)?.sync_all()?;
        self.db = connect(&self.path)?;
        self.files = files_of(&self.path);
        Ok(())
    }

    fn write(&mut self, write: Write) -> Result<(), StoreError> {
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
        let mut error = error;
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

fn new_epoch() -> String {
    ItemId::generate("E", jiff::Timestamp::now()).to_string()
}

/// Opens a database as the writing side has it.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    let db = Connection::open(path)?;
    db.busy_timeout(Duration::from_secs(5))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // The outbox syncs and checkpoints.
    db.pragma_update(None, "synchronous", "NORMAL")?;
    // What writes on and on without an end of anything has this bound, of 4 KiB each.
    db.pragma_update(None, "wal_autocheckpoint", MOST_LOG_PAGES)?;
    // A log that begins anew is cut, so that its size says how much there is to move.
    db.pragma_update(None, "journal_size_limit", 0)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.set_prepared_statement_cache_capacity(64);
    // Whoever reads has the log opened: it is there from now on, whatever becomes of the names.
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(db)
}

fn apply(db: &Connection, write: &Write) -> Result<(), StoreError> {
    match write {
        Write::Item(item) => {
            item::put(db, item)?;
        }
        Write::Entry { entry, index } => {
            entries::put(db, entry)?;
            if *index {
                entries::index(db, entry)?;
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
        Write::Settle { arrival, archived, response_file } => {
            db.prepare_cached(
                "UPDATE item SET settled = 1, archived = coalesce(?2, archived), \
                 response_file = coalesce(?3, response_file) WHERE arrival = ?1",
            )?
            .execute(params![arrival, archived, response_file])?;
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

/// How many items of a kind ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Which kind of work it was.
    pub source: Source,
    /// How it ended.
    pub status: Status,
    /// How many there were.
    pub items: u64,
}

fn tally(db: &Connection) -> Result<Vec<Ended>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT source, status, items FROM tally ORDER BY source, status")?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?)))?;
    rows.map(|row| {
        let (source, status, items) = row?;
        Ok(Ended { source: item::word(&source)?, status: item::word(&status)?, items })
    })
    .collect()
}

/// Moves what the write-ahead log of a database holds into it, so that one file is all of it. For when nobody has it
/// open any more.
pub fn tidy(path: &Path) -> Result<(), StoreError> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    Ok(db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

fn partial(db: &Connection, arrival: i64) -> Result<String, StoreError> {
    let mut statement = db.prepare("SELECT text FROM partial WHERE arrival = ?1 ORDER BY start")?;
    let rows = statement.query_map([arrival], |row| row.get::<_, String>(0))?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?.concat())
}

fn body(db: &Connection, arrival: i64) -> Result<Option<String>, StoreError> {
    let mut statement = db.prepare_cached("SELECT CAST(document AS TEXT) FROM body WHERE arrival = ?1")?;
    Ok(statement.query_row([arrival], |row| row.get(0)).optional()?)
}

#[cfg(test)]
mod tests;
