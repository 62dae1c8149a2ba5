//! Making commits durable: the sync of the write-ahead log, and what is to be done when it fails.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::failpoint;
use crate::file_id::FileId;

/// The write-ahead log is moved into the database when it has more pages than this, of 4 KiB each, and no sooner: after
/// that the log begins anew, for which SQLite syncs it, in the middle of the next write. That may be somebody's prompt.
const LARGE_LOG: i64 = 1024;

/// The database, seen from where its commits are made durable.
pub(super) struct Database {
    db: Connection,
    files: [Opened; 2],
    log: File,
    /// The last sync of the log failed.
    is_suspect: bool,
}

/// A file, and which one it was when it was opened.
struct Opened {
    path: PathBuf,
    id: FileId,
}

impl Opened {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), id: FileId::at(path)? })
    }

    fn is_there(&self) -> bool {
        match FileId::at(&self.path) {
            Ok(now) => now == self.id,
            // That it cannot be looked at does not say that it is gone.
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }
}

impl Database {
    /// Opens the database that a [`Store`](crate::store::Store) holds open, whose write-ahead log is `log`.
    pub(super) fn open(path: &Path, log: &Path) -> io::Result<Self> {
        // Where it was taken away none is made: an empty one is nothing that anybody should find.
        let flags = OpenFlags::default() - OpenFlags::SQLITE_OPEN_CREATE;
        let db = Connection::open_with_flags(path, flags).map_err(io::Error::other)?;
        db.busy_timeout(Duration::from_secs(5)).map_err(io::Error::other)?;
        let files = [Opened::new(path)?, Opened::new(log)?];
        Ok(Self { db, files, log: File::open(log)?, is_suspect: false })
    }

    /// The files that are under its names by now. They are complete as soon as they are there.
    pub(super) fn reopen(&self) -> io::Result<Self> {
        let [database, log] = &self.files;
        Self::open(&database.path, &log.path)
    }

    /// Whether its files are still the ones under their names. If not, what is committed goes nowhere.
    pub(super) fn is_there(&self) -> bool {
        self.files.iter().all(Opened::is_there)
    }

    /// Makes all commits durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.is_suspect {
            self.write_anew()?;
        }
        let synced = failpoint::error("log sync").and_then(|()| self.log.sync_data());
        self.is_suspect = synced.is_err();
        synced
    }

    /// A sync that failed may have given up what it was to write, and the next one then has nothing to do and says that
    /// all is well. So all that is in the log is written to another place, the database itself, and that is synced.
    fn write_anew(&self) -> io::Result<()> {
        let log = self.move_log("FULL").map_err(io::Error::other)?;
        if log.is_busy || log.pages < 0 || log.pages != log.moved {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "the log could not be synced, and a reader keeps it from being moved into the database",
            ));
        }
        tracing::warn!("the log could not be synced: all of it was moved into the database, and that synced");
        Ok(())
    }

    /// Moves what a large log holds into the database, as far as no reader needs it there.
    pub(super) fn checkpoint(&self) {
        let moved = self.move_log("NOOP").and_then(|log| {
            let is_due = log.pages > LARGE_LOG && log.moved < log.pages;
            if is_due { self.move_log("PASSIVE").map(drop) } else { Ok(()) }
        });
        if let Err(error) = moved {
            tracing::warn!(error = %error, "the database could not be checkpointed");
        }
    }

    fn move_log(&self, mode: &str) -> rusqlite::Result<Log> {
        self.db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok(Log { is_busy: row.get(0)?, pages: row.get(1)?, moved: row.get(2)? })
        })
    }
}

/// How far the write-ahead log is moved into the database.
struct Log {
    /// Somebody kept that from being done.
    is_busy: bool,
    /// The pages in the log; -1 where that could not be told.
    pages: i64,
    /// Those that are also in the database.
    moved: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{KeepTrying, Store};

    #[test]
    fn a_database_that_is_gone_is_not_made_anew_by_who_only_syncs_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bot.db");
        assert!(Database::open(&path, &path.with_extension("db-wal")).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn a_large_log_is_moved_into_the_database_and_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bot.db");
        let mut store = Store::open(&path, Box::new(|_| KeepTrying::No)).unwrap();
        let log = store.log_path();
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        let mut write = |bytes: usize| {
            store.put_partial(1, 0, "x".repeat(bytes)).unwrap();
            store.commit().unwrap();
            size(&log)
        };
        let small = write(1 << 20);
        let database = Database::open(&path, &log).unwrap();
        let before = size(&path);
        database.checkpoint();
        assert_eq!(size(&path), before, "a small log stays");
        let large = write(8 << 20);
        assert!(large > small);
        database.checkpoint();
        assert!(size(&path) > 8 << 20);
        assert_eq!(write(1 << 20), large, "it keeps its blocks");
        assert_eq!(database.move_log("NOOP").unwrap().moved, 0, "and begins anew");
    }
}
