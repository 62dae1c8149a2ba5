//! What can go wrong, and what of it may pass.

use hive_shared::ids::IdError;
use hive_shared::work::UnknownWord;
use rusqlite::ErrorCode;

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite says so.
    #[error("the database cannot do that")]
    Sqlite(#[from] rusqlite::Error),
    /// The database is of a later version of hive-agent, or a migration failed.
    #[error("the database cannot be brought to this version's form")]
    Migration(#[from] rusqlite_migration::Error),
    /// A stored JSON value cannot be read.
    #[error("a stored value cannot be read")]
    Json(#[from] serde_json::Error),
    /// A stored id is none.
    #[error("a stored id cannot be read")]
    Id(#[from] IdError),
    /// A stored word is none.
    #[error("a stored word cannot be read")]
    Word(#[from] UnknownWord),
    /// Its files cannot be handled.
    #[error("the database's file cannot be written")]
    Io(#[from] std::io::Error),
    /// The database's file was removed, or another was put in its place.
    #[error("the database's file is gone")]
    Gone,
    /// It is another bot's.
    #[error("the database is that of {0}")]
    Foreign(String),
    /// A cursor that we did not give.
    #[error("'{0}' is no cursor of this timeline")]
    Cursor(String),
    /// A write was given up, because the bot is to stop and the disk does not take it.
    #[error("the disk does not take what is to be written")]
    GivenUp(#[source] rusqlite::Error),
}

impl StoreError {
    /// Whether the same write may succeed later, when there is room again or the disk can be written.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => matches!(
                failure.code,
                ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::ReadOnly
                    | ErrorCode::CannotOpen
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::OutOfMemory
                    | ErrorCode::PermissionDenied
            ),
            _ => false,
        }
    }
}
