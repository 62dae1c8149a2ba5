//! Opening a database as the writing side has it, and leaving it in one file.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::StoreError;

/// The pages of the write-ahead log at which SQLite moves them into the database, in the middle of a commit.
const MOST_LOG_PAGES: u32 = 8192;
/// The bytes of each in the log.
const LOG_PAGE: u32 = 4096 + 24;

/// Opens a database as the writing side has it.
pub(super) fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(Duration::from_secs(5))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // The outbox syncs and checkpoints.
    db.pragma_update(None, "synchronous", "NORMAL")?;
    // What writes on and on without an end of anything has this bound, of 4 KiB each.
    db.pragma_update(None, "wal_autocheckpoint", MOST_LOG_PAGES)?;
    // A log that begins anew is written over: to give back its blocks and take new ones is what a commit and its sync
    // would wait for. What one huge commit took is given back.
    db.pragma_update(None, "journal_size_limit", MOST_LOG_PAGES * LOG_PAGE)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.set_prepared_statement_cache_capacity(64);
    // Whoever reads has the log opened: it is there from now on, whatever becomes of the names.
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(db)
}

/// Moves what the write-ahead log of a database holds into it, so that one file is all of it. For when nobody has it
/// open any more.
pub fn tidy(path: &Path) -> Result<(), StoreError> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    Ok(db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}
