//! What others put there or say. Files are read never through a link, never waiting on a pipe, never more than is wanted;
//! paths are followed to where they lead; texts are cut.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use hive_shared::paths::MAX_NAME;
use hive_shared::regular_file;

use crate::file_id::Fingerprint;

/// Whether the machine has run out of files, processes or memory, which passes.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    use nix::libc::{EAGAIN, EMFILE, ENFILE, ENOMEM};
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE | EAGAIN | ENOMEM))
}

/// Reads a regular file, `limit` bytes of it at most.
pub(crate) fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    regular_file::open(path)?.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads all of a regular file that is text.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    regular_file::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// The same, if it is a file that is wanted both before and after it was read, and nothing otherwise.
pub(crate) fn read_if(
    path: &Path,
    limit: usize,
    is_wanted: impl Fn(&Fingerprint) -> bool,
) -> io::Result<Option<Vec<u8>>> {
    let mut file = regular_file::open(path)?;
    let mut bytes = Vec::new();
    let stays = |file: &File| Ok::<_, io::Error>(is_wanted(&Fingerprint::of(&file.metadata()?)));
    if !stays(&file)? {
        return Ok(None);
    }
    file.by_ref().take(limit as u64).read_to_end(&mut bytes)?;
    Ok(stays(&file)?.then_some(bytes))
}

/// Where `path` leads once all links are followed, which must be inside `root` or be it; from `root`. Its end may not be
/// there yet: what is not there has no links, but must not climb.
pub(crate) fn inside(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let root = root.canonicalize()?;
    let path = root.join(path);
    let mut missing = Vec::new();
    let mut there = path.as_path();
    let mut real = loop {
        match there.canonicalize() {
            Ok(real) => break real,
            // A link that leads nowhere would lead somewhere once that is made.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !there.is_symlink() => {
                let (Some(Component::Normal(name)), Some(parent)) =
                    (there.components().next_back(), there.parent())
                else {
                    return Err(error);
                };
                missing.push(name);
                there = parent;
            }
            Err(error) => return Err(error),
        }
    };
    real.extend(missing.iter().rev());
    real.strip_prefix(&root)
        .map(Path::to_owned)
        .map_err(|_| io::Error::new(io::ErrorKind::PermissionDenied, "it lies outside the working directory"))
}

/// The beginning of a text, `most` bytes of it at most but for a mark that there was more.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let end = text.floor_char_boundary(most.min(text.len()));
    if end < text.len() { format!("{}…", &text[..end]) } else { text.to_owned() }
}

/// A file name of `stem` and `suffix`, with the stem cut where the whole would be too long for a name.
pub(crate) fn fitting_name(stem: &str, suffix: &str) -> String {
    let room = MAX_NAME.saturating_sub(suffix.len());
    let cut = stem.floor_char_boundary(stem.len().min(room));
    format!("{}{suffix}", &stem[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_is_wanted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hello").unwrap();
        assert_eq!(read(file.path(), 4).unwrap(), b"hell");
    }

    #[test]
    fn names_fit() {
        assert_eq!(fitting_name("a", ".2.md"), "a.2.md");
        let long = fitting_name(&"ä".repeat(200), ".2.md");
        assert!(long.len() <= MAX_NAME && long.ends_with("ä.2.md"));
    }
}
