//! Looking at task files and reading them, without following links and without ever blocking on what is no file.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use hive_shared::regular_file;

use super::settle::Look;
use crate::file_id::Fingerprint;

/// What lies under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// A regular file.
    File(Look),
    /// A symbolic link, to whatever.
    Symlink,
    /// A directory, a pipe, a socket or a device.
    Other,
    /// Nothing.
    Missing,
}

/// What became of reading a file.
#[derive(Debug)]
pub(super) enum Content {
    /// The buffer holds it, whole or up to the limit, and it stayed as it was seen.
    Whole(SystemTime),
    /// It is, or became while it was read, another than the one that was seen.
    Changed(Entry),
}

/// Whether a name in the task directory is that of a task file (SPEC 2).
pub(super) fn is_task_name(name: &[u8]) -> bool {
    name.ends_with(b".md") && !name.starts_with(b".")
}

/// Looks at what lies at `path`. The error is for what is there and cannot be looked at.
pub(super) fn look(path: &Path) -> io::Result<Entry> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) => Ok(entry(&metadata)),
        Err(e) if is_missing(&e) => Ok(Entry::Missing),
        Err(e) => Err(e),
    }
}

/// Whether an error says that there is nothing at a path.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Reads at most `limit` bytes of the file at `path` into `buffer` (which is emptied before), if it is the file with
/// this fingerprint and stays so.
pub(super) fn read(
    path: &Path,
    expected: &Fingerprint,
    limit: usize,
    buffer: &mut Vec<u8>,
) -> io::Result<Content> {
    buffer.clear();
    // What was a file a moment ago may be a link or a pipe now.
    let mut file = match regular_file::open_whatever(path) {
        Ok(file) => file,
        Err(e) => {
            return match look(path)? {
                Entry::File(_) => Err(e),
                other @ (Entry::Symlink | Entry::Other | Entry::Missing) => Ok(Content::Changed(other)),
            };
        }
    };
    if let Err(now) = check(&file, expected)? {
        return Ok(Content::Changed(now));
    }
    file.by_ref().take(limit as u64).read_to_end(buffer)?;
    Ok(match check(&file, expected)? {
        Ok(modified) => Content::Whole(modified),
        Err(now) => Content::Changed(now),
    })
}

/// The time of the last change of the expected file, or what the open file is instead.
fn check(file: &File, expected: &Fingerprint) -> io::Result<Result<SystemTime, Entry>> {
    let metadata = file.metadata()?;
    if metadata.is_file() && Fingerprint::of(&metadata) == *expected {
        Ok(Ok(metadata.modified()?))
    } else {
        Ok(Err(entry(&metadata)))
    }
}

fn entry(metadata: &Metadata) -> Entry {
    if metadata.is_symlink() {
        Entry::Symlink
    } else if metadata.is_file() {
        let age =
            metadata.modified().ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
        Entry::File(Look { fingerprint: Fingerprint::of(metadata), links: metadata.nlink(), age })
    } else {
        Entry::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print_of(path: &Path) -> Fingerprint {
        match look(path).unwrap() {
            Entry::File(look) => look.fingerprint,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_of_task_files() {
        for good in ["a.md", "ü.md", "a b.md", "..md.md"] {
            assert_eq!(is_task_name(good.as_bytes()), !good.starts_with('.'), "{good}");
        }
        for bad in ["a.md.tmp", ".a.md", ".md", "a.MD", "md", ""] {
            assert!(!is_task_name(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn no_more_than_the_limit_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.md");
        std::fs::write(&path, "0123456789").unwrap();
        let mut buffer = vec![1, 2, 3];
        assert!(matches!(read(&path, &print_of(&path), 4, &mut buffer), Ok(Content::Whole(_))));
        assert_eq!(buffer, b"0123");
    }

    #[test]
    fn another_file_than_the_one_that_was_seen_is_not_taken_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.md");
        let mut buffer = Vec::new();
        std::fs::write(&path, "one").unwrap();
        let print = print_of(&path);
        std::fs::write(&path, "four").unwrap();
        assert!(matches!(read(&path, &print, 9, &mut buffer), Ok(Content::Changed(Entry::File(_)))));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(read(&path, &print, 9, &mut buffer), Ok(Content::Changed(Entry::Missing))));
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(matches!(read(&path, &print, 9, &mut buffer), Ok(Content::Changed(Entry::Symlink))));
        std::fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(read(&path, &print, 9, &mut buffer), Ok(Content::Changed(Entry::Other))));
    }

    #[test]
    fn what_changes_while_it_is_read_is_never_taken_for_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.md");
        let mut writer = File::create(&path).unwrap();
        let end = std::time::Instant::now() + std::time::Duration::from_millis(50);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while std::time::Instant::now() < end {
                    io::Write::write_all(&mut writer, &[b'x'; 4_096]).unwrap();
                }
            });
            let mut buffer = Vec::new();
            while std::time::Instant::now() < end {
                let print = print_of(&path);
                if let Content::Whole(_) = read(&path, &print, usize::MAX, &mut buffer).unwrap() {
                    assert_eq!(buffer.len() as u64, print.size);
                }
            }
        });
    }
}
