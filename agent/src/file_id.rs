//! Which file something is, and which state of it, told without reading it. Each of the types says more than the one
//! before: the file, its content, and all that can be seen of it.

use std::fmt;
use std::fs::Metadata;
use std::io;
use std::num::NonZeroI64;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// Which file something is, under whatever name and with whatever content. The inode of one that was removed may be
/// another's soon; when that was made, is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    device: u64,
    inode: u64,
    /// When it was made, in nanoseconds since the Unix epoch, where the file system notes that.
    born_nanos: Option<NonZeroI64>,
}

impl FileId {
    /// The file that looks like this.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            born_nanos: metadata.created().ok().and_then(born_nanos),
        }
    }

    /// The file that is under this name by now; links are followed.
    pub fn at(path: &Path) -> io::Result<Self> {
        path.metadata().map(|metadata| Self::of(&metadata))
    }
}

/// A time as the file system has it, from which this machine's clock may differ.
fn born_nanos(time: SystemTime) -> Option<NonZeroI64> {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    NonZeroI64::new(i64::try_from(since_epoch.as_nanos()).ok()?)
}

/// Which content of which file something is: equal fingerprints mean the same unchanged file, under whatever name and
/// with whatever mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// The file.
    pub file: FileId,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last modified, in nanoseconds since the Unix epoch.
    modified_nanos: i64,
}

impl Fingerprint {
    /// The fingerprint of a file that looks like this.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            file: FileId::of(metadata),
            size: metadata.size(),
            modified_nanos: nanos(metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// That of the file at `path`, itself if it is a symbolic link.
    pub fn at(path: &Path) -> io::Result<Self> {
        path.symlink_metadata().map(|metadata| Self::of(&metadata))
    }

    /// One that no file has, of a file that has this many bytes and was modified then.
    #[cfg(test)]
    pub(crate) fn made_up(size: u64, modified_nanos: i64) -> Self {
        Self { file: FileId { device: 0, inode: 0, born_nanos: None }, size, modified_nanos }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file: FileId { device, inode, born_nanos }, size, modified_nanos } = self;
        write!(f, "{device}:{inode}:{size}:{modified_nanos}:{}", born_nanos.map_or(0, NonZeroI64::get))
    }
}

/// A text that is no [`Fingerprint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is five numbers with ':' between them")]
pub struct NoFingerprint;

impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        fn number<T: FromStr>(text: &str) -> Result<T, NoFingerprint> {
            text.parse().map_err(|_| NoFingerprint)
        }
        let numbers: Vec<&str> = text.split(':').collect();
        // The first ledgers had no fifth one.
        let (device, inode, size, modified, born) = match numbers[..] {
            [device, inode, size, modified] => (device, inode, size, modified, "0"),
            [device, inode, size, modified, born] => (device, inode, size, modified, born),
            _ => return Err(NoFingerprint),
        };
        let file = FileId {
            device: number(device)?,
            inode: number(inode)?,
            born_nanos: NonZeroI64::new(number(born)?),
        };
        Ok(Self { file, size: number(size)?, modified_nanos: number(modified)? })
    }
}

/// Which state of a file something is: its content, mode, owner and names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileState {
    content: Fingerprint,
    /// Changes with each of these, and nobody can set it back.
    changed_nanos: i64,
}

impl FileState {
    /// The state of a file that looks like this.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            content: Fingerprint::of(metadata),
            changed_nanos: nanos(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// When anything of it last changed; none if that was before there were such files.
    pub(crate) fn changed_at(self) -> Option<SystemTime> {
        let since_epoch = Duration::from_nanos(u64::try_from(self.changed_nanos).ok()?);
        SystemTime::UNIX_EPOCH.checked_add(since_epoch)
    }
}

fn nanos(seconds: i64, nanos: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_back_also_from_the_first_ledgers() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let print = Fingerprint::of(&file.as_file().metadata().unwrap());
        let text = print.to_string();
        assert_eq!(text.parse(), Ok(print));
        let (first, _) = text.rsplit_once(':').unwrap();
        let file = FileId { born_nanos: None, ..print.file };
        assert_eq!(first.parse(), Ok(Fingerprint { file, ..print }));
        for bad in ["", "1:2:3", "1:2:3:4:5:6", "1:2:3:x", "1:2:-3:4"] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(NoFingerprint), "{bad}");
        }
    }

    #[test]
    fn a_file_is_known_under_another_name_and_its_content_until_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let [path, other] = ["a", "b"].map(|name| dir.path().join(name));
        let look = |path: &Path| FileState::of(&path.symlink_metadata().unwrap());
        std::fs::write(&path, "one").unwrap();
        let first = look(&path);
        std::fs::rename(&path, &other).unwrap();
        let renamed = look(&other);
        assert_eq!(renamed.content, first.content);
        std::fs::write(&other, "four").unwrap();
        let edited = look(&other);
        assert!(edited.content.file == first.content.file && edited.content != first.content);
        std::fs::write(&path, "one").unwrap();
        assert_ne!(look(&path).content.file, first.content.file);
    }
}
