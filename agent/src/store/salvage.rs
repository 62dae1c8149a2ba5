//! What can still be read of a database that is damaged.

use std::io;
use std::path::{Path, PathBuf};

use hive_shared::time::Stamp;
use rusqlite::{Connection, OpenFlags};

use super::files::{FILES, with};
use super::{Item, StoreError, item};

/// An item that had not come to rest, with what the ledger has for it.
#[derive(Debug)]
pub struct Salvaged {
    /// The item.
    pub item: Item,
    /// Its response document, if it had ended.
    pub body: Option<String>,
    /// What it was told to do.
    pub instruction: Option<String>,
    /// What it had said.
    pub partial: String,
}

/// The items of a database that have not come to rest, as far as they can be read. Of what is no database at all,
/// nothing.
pub fn salvage(path: &Path) -> Vec<Salvaged> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(db) = Connection::open_with_flags(path, flags) else { return Vec::new() };
    let items = item::unsettled_by_all_means(&db).into_iter();
    items
        .map(|item| {
            let one = |sql: &str| db.query_row(sql, [item.arrival], |row| row.get::<_, String>(0)).ok();
            let body = one("SELECT CAST(document AS TEXT) FROM body WHERE arrival = ?1");
            let instruction = one("SELECT text FROM instruction WHERE arrival = ?1");
            let partial = super::partial(&db, item.arrival).unwrap_or_default();
            Salvaged { item, body, instruction, partial }
        })
        .collect()
}

/// Gives a database and what belongs to it another name, so that there is none. Returns that name; nothing if there was
/// no database. Of two that are set aside in one second neither takes the other's place.
pub fn set_aside(path: &Path, now: Stamp) -> io::Result<Option<PathBuf>> {
    if !path.try_exists()? {
        // A log without its database says nothing, and would be taken for that of the next one.
        for ending in &FILES[1..] {
            match std::fs::remove_file(with(path, ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        return Ok(None);
    }
    let stamp = now.timestamp().strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut aside = with(path, &format!(".corrupt-{stamp}"));
    let mut number = 2;
    while FILES.iter().any(|ending| with(&aside, ending).symlink_metadata().is_ok()) {
        aside = with(path, &format!(".corrupt-{stamp}.{number}"));
        number += 1;
    }
    // The database first: a log that is left over says nothing without it, and goes at the next try. Without its log the
    // database would be taken for a sound one of an earlier day.
    for ending in FILES {
        match std::fs::rename(with(path, ending), with(&aside, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(Some(aside))
}

impl StoreError {
    /// Whether the database is damaged, or gone: then no try of the same is better, and a new one is to be begun.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite(error)
            | Self::Migration(rusqlite_migration::Error::RusqliteError { err: error, .. }) => {
                matches!(
                    error.sqlite_error_code(),
                    Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
                )
            }
            Self::Json(_) | Self::Id(_) | Self::Word(_) | Self::Gone | Self::Foreign(_) => true,
            Self::Migration(_) | Self::Io(_) | Self::Cursor(_) | Self::GivenUp(_) => false,
        }
    }
}
