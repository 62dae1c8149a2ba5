//! The database's file put back in its place, by the writing side, which has all of it open.

use std::path::Path;

use hive_shared::time::Stamp;
use rusqlite::OpenFlags;

use super::connection::connect;
use super::files::files_of;
use super::write::{KeepTrying, RETRY};
use super::{Store, StoreError, set_aside};

impl Store {
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
        let new = self.path.with_extension("db.new");
        if new.try_exists()? {
            std::fs::remove_file(&new)?;
        }
        // Names that are not UTF-8 SQLite cannot be told here: then the next ledger is made of the responses.
        let name = new.to_str().ok_or(StoreError::Gone)?;
        self.db.execute("VACUUM INTO ?1", [name])?;
        std::fs::File::open(&new)?.sync_all()?;
        std::fs::rename(&new, &self.path)?;
        std::fs::File::open(directory)?.sync_all()?;
        // Should it be taken away again, the connection that has all of it is still there, and no empty one in its place.
        self.db = connect(&self.path, OpenFlags::default() - OpenFlags::SQLITE_OPEN_CREATE)?;
        self.files = files_of(&self.path);
        Ok(())
    }
}
