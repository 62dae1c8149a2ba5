//! The files of a database: which ones they are, and how they are set aside.

use std::io;
use std::path::{Path, PathBuf};

use hive_shared::paths::{SET_ASIDE, appended};
use hive_shared::time::Stamp;

use crate::file_id::FileId;

/// What the name of a write-ahead log ends in.
const LOG: &str = "-wal";
/// What the names of all files of a database end in: the database, its write-ahead log, and the index of that.
const FILES: [&str; 3] = ["", LOG, "-shm"];

/// The write-ahead log of a database.
pub fn log_of(path: &Path) -> PathBuf {
    appended(path, LOG)
}

/// A database and its write-ahead log, as far as they are there.
pub(crate) fn files_of(path: &Path) -> [Option<FileId>; 2] {
    [path, &log_of(path)].map(|path| FileId::at(path).ok())
}

/// Gives a database and what belongs to it another name, so that there is none. Returns that name; nothing if there was
/// no database. Of two that are set aside in one second neither takes the other's place.
pub fn set_aside(path: &Path, now: Stamp) -> io::Result<Option<PathBuf>> {
    if !path.try_exists()? {
        // A log without its database says nothing, and would be taken for that of the next one.
        for ending in &FILES[1..] {
            match std::fs::remove_file(appended(path, ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        return Ok(None);
    }
    let stamp = now.timestamp().strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut aside = appended(path, &format!("{SET_ASIDE}{stamp}"));
    let mut number = 2;
    while FILES.iter().any(|ending| appended(&aside, ending).symlink_metadata().is_ok()) {
        aside = appended(path, &format!("{SET_ASIDE}{stamp}.{number}"));
        number += 1;
    }
    // The database first: a log that is left over says nothing without it, and goes at the next try. Without its log the
    // database would be taken for a sound one of an earlier day.
    for ending in FILES {
        match std::fs::rename(appended(path, ending), appended(&aside, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(Some(aside))
}
