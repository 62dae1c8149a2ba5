//! A database that is damaged, and what can still be read of it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::read_back::partial;
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
            let partial = partial(&db, item.arrival).unwrap_or_default();
            Salvaged { item, body, instruction, partial }
        })
        .collect()
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
