//! The files of a database, and which ones they are.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What the name of a write-ahead log ends in.
pub(super) const LOG: &str = "-wal";
/// What the names of all files of a database end in: the database, its write-ahead log, and the index of that.
pub(super) const FILES: [&str; 3] = ["", LOG, "-shm"];

/// The name of a file that belongs to a database.
pub(super) fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Which file something is, under whatever name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file that is under this name by now.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let metadata = path.metadata()?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

/// A database and its write-ahead log, as far as they are there.
pub(crate) fn files_of(path: &Path) -> [Option<FileId>; 2] {
    [path, &with(path, LOG)].map(|path| FileId::of(path).ok())
}
