//! How many items ended how.

use hive_shared::work::{Source, Status};
use rusqlite::Connection;

use super::{StoreError, item};

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

pub(super) fn tally(db: &Connection) -> Result<Vec<Ended>, StoreError> {
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
