//! What many files say, and which of them could not be read: one of them must not keep back the others.

use std::fmt;
use std::path::PathBuf;

/// How many files that could not be read are named.
const NAMED: usize = 3;

/// What was read of many files.
#[derive(Debug)]
pub struct Listing<T> {
    /// What they say.
    pub found: Vec<T>,
    /// Those that say nothing.
    pub unread: Vec<Unread>,
}

/// A file that is there and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unread {
    path: PathBuf,
    why: String,
}

impl Unread {
    pub(super) fn new(path: PathBuf, why: &dyn fmt::Display) -> Self {
        Self { path, why: why.to_string() }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is left out: {}", self.path.display(), self.why)
    }
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self { found: Vec::new(), unread: Vec::new() }
    }
}

impl<T> Listing<T> {
    /// Takes in what came of one file.
    pub(super) fn take(&mut self, read: Result<Option<T>, Unread>) {
        match read {
            Ok(found) => self.found.extend(found),
            Err(unread) => self.unread.push(unread),
        }
    }
}

/// The lines that tell of files that could not be read, each once.
pub fn left_out(mut unread: Vec<Unread>) -> Vec<String> {
    unread.sort();
    unread.dedup();
    let mut lines: Vec<_> = unread.iter().take(NAMED).map(ToString::to_string).collect();
    match unread.len().saturating_sub(NAMED) {
        0 => {}
        1 => lines.push("so is one more file".to_owned()),
        more => lines.push(format!("so are {more} more files")),
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_named_once_and_not_all_of_many() {
        let unread = |n: usize| Unread::new(format!("T{n}.md").into(), &"it is a directory");
        assert_eq!(left_out(vec![unread(1), unread(1)]), ["T1.md is left out: it is a directory"]);
        let lines = left_out((0..5).map(unread).collect());
        assert_eq!((lines.len(), lines[3].as_str()), (4, "so are 2 more files"));
        assert!(left_out(Vec::new()).is_empty());
    }
}
