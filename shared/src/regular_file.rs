//! Opening files that somebody else may have put there: never a pipe, a device or a directory, and never waiting for one.
//! What is asked of the opened file is true of what is read from it, whatever comes to lie under its name meanwhile.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::libc::{O_NOCTTY, O_NOFOLLOW, O_NONBLOCK};

/// Opens the regular file at `path`. Anything else is an error, a link too.
pub fn open(path: &Path) -> io::Result<File> {
    only(open_whatever(path)?)
}

/// The file, if it is a regular one. For those who open it otherwise, and do not wait for a pipe.
pub fn only(file: File) -> io::Result<File> {
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

/// All of the regular file at `path`, which is an error if it has more than `most` bytes.
pub fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    read_all(open(path)?, most)
}

/// The same where `path` may be a link, as in [`open_behind_links`].
pub fn read_behind_links(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    read_all(open_behind_links(path)?, most)
}

/// The same of a text.
pub fn read_text_behind_links(path: &Path, most: usize) -> io::Result<String> {
    let bytes = read_behind_links(path, most)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn read_all(file: File, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take((most as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} bytes")));
    }
    Ok(bytes)
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
        assert_eq!(
            (read(&file, 5).unwrap(), read_behind_links(&link, 5).unwrap()),
            (b"hello".into(), b"hello".into())
        );
        assert_eq!(read(&file, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        for no_file in [&pipe, &to_pipe, dir.path()] {
            assert!(open_behind_links(no_file).is_err(), "{no_file:?}");
        }
    }
}
