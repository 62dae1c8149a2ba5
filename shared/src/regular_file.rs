//! Opening files that somebody else may have put there: never a pipe, a device or a directory, and never waiting for one.
//! What is asked of the opened file is true of what is read from it, whatever comes to lie under its name meanwhile.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::libc::{O_NOCTTY, O_NOFOLLOW, O_NONBLOCK};

/// Opens the regular file at `path`. Anything else is an error, a link too.
pub fn open(path: &Path) -> io::Result<File> {
    let file = open_whatever(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
    }
}

/// The same where `path` may be a link, as certificates and keys often are: to the latest of many, or into the file
/// system of a container.
pub fn open_behind_links(path: &Path) -> io::Result<File> {
    open(&path.canonicalize()?)
}

/// Opens whatever is at `path` but a link, for those who ask themselves what it is.
pub fn open_whatever(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK | O_NOCTTY).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_opened_and_links_where_they_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let [file, link, pipe, to_pipe] =
            ["file", "link", "pipe", "to_pipe"].map(|name| dir.path().join(name));
        std::fs::write(&file, "hello").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink(&pipe, &to_pipe).unwrap();
        assert_eq!(io::read_to_string(open(&file).unwrap()).unwrap(), "hello");
        for no_file in [&link, &pipe, &to_pipe, dir.path()] {
            assert!(open(no_file).is_err(), "{no_file:?}");
        }
        assert_eq!(io::read_to_string(open_behind_links(&link).unwrap()).unwrap(), "hello");
        for no_file in [&pipe, &to_pipe, dir.path()] {
            assert!(open_behind_links(no_file).is_err(), "{no_file:?}");
        }
    }
}
