//! Where the hive was when the bot began. A hive that is moved away or removed while its bot lives takes everything along;
//! what is made anew in its old place would be another hive, with another ledger, and nobody would look for it there.

use std::io;
use std::path::PathBuf;

use hive_shared::paths::{Hive, MARK};

use crate::file_id::FileId;

/// The hive's own directory.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    path: PathBuf,
    /// None if it could not be looked at.
    id: Option<FileId>,
}

impl Home {
    /// The directory of a hive that is there.
    pub(crate) fn of(hive: &Hive) -> Self {
        let path = hive.root().join(MARK);
        let id = FileId::at(&path).ok();
        Self { path, id }
    }

    /// Whether it is where it was. That it cannot be looked at does not say that it is gone.
    pub(crate) fn is_there(&self) -> bool {
        let Some(id) = self.id else { return true };
        match FileId::at(&self.path) {
            Ok(now) => now == id,
            Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        }
    }

    /// An error if it is not where it was.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.is_there() {
            return Ok(());
        }
        let path = self.path.display();
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("{path} was moved away, or removed; stop the bot, or put the hive back"),
        ))
    }
}
