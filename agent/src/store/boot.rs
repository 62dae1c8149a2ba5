//! A restart of the machine may take with it what was committed and not synced, and followers may have seen it. Its
//! numbers are not given again: they would mean something else to those who hold the old ones.

use rusqlite::{Connection, OptionalExtension as _};

use super::{Store, StoreError};

/// The ledger's note of the boot of the machine that it was written on last, and of the number that it counts on from.
const BOOT: &str = "boot";
/// More changes than can be committed before the kernel writes them back by itself, within half a minute or so.
const MOST_UNSYNCED: u64 = 1_000_000;

/// The number that the ledger counts on from at the least.
pub(super) fn floor(db: &Connection) -> Result<u64, StoreError> {
    Ok(known(db)?.map_or(0, |(_, floor)| floor))
}

fn known(db: &Connection) -> Result<Option<(String, u64)>, StoreError> {
    let sql = "SELECT value FROM meta WHERE key = ?1";
    let value: Option<String> = db.query_row(sql, [BOOT], |row| row.get(0)).optional()?;
    Ok(value.and_then(|value| {
        let (boot, floor) = value.split_once(' ')?;
        Some((boot.to_owned(), floor.parse().ok()?))
    }))
}

impl Store {
    /// Tells on which `boot` of the machine the ledger is opened. If it is another than last time, the numbers that the
    /// last one may have lost are skipped. Durable when it returns. To be called before anything is written.
    pub fn opened_on(&mut self, boot: &str) -> Result<(), StoreError> {
        debug_assert!(self.uncommitted.is_empty(), "it has just been opened");
        let floor = match known(&self.db)? {
            Some((last, _)) if last == boot => return Ok(()),
            // It is new.
            None if self.seq == 0 => 0,
            _ => self.seq.saturating_add(MOST_UNSYNCED),
        };
        // The one commit of the ledger that waits for the disk by itself.
        self.db.pragma_update(None, "synchronous", "FULL")?;
        let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
        let written = self.db.execute(sql, [BOOT, &format!("{boot} {floor}")]);
        self.db.pragma_update(None, "synchronous", "NORMAL")?;
        written?;
        self.seq = floor;
        Ok(())
    }
}
