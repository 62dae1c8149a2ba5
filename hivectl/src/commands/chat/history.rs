//! What was typed before, kept between runs in a file that nobody else may read.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use reedline::{FileBackedHistory, History as _, HistoryItem, SearchDirection, SearchQuery};

/// The variable that names another file, or, empty, none.
const VARIABLE: &str = "HIVECTL_HISTORY";
/// How many entries are kept.
const MOST: usize = 5_000;

/// The entries, the oldest first.
pub(super) struct History {
    entries: Vec<String>,
    file: Option<(PathBuf, FileBackedHistory)>,
    trouble: Option<String>,
}

impl History {
    /// The history of this user. That it cannot be read is no reason not to chat.
    pub(super) fn open() -> Self {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let place = place(variable(VARIABLE), variable("XDG_STATE_HOME"), variable("HOME"));
        place.map_or_else(|| Self { entries: Vec::new(), file: None, trouble: None }, |path| Self::at(&path))
    }

    fn at(path: &Path) -> Self {
        match read(path) {
            Ok((entries, file)) => Self { entries, file: Some((path.to_owned(), file)), trouble: None },
            Err(error) => Self { entries: Vec::new(), file: None, trouble: Some(complaint(path, &error)) },
        }
    }

    /// These entries, kept nowhere.
    #[cfg(test)]
    pub(super) fn of(entries: &[&str]) -> Self {
        Self { entries: entries.iter().map(|&entry| entry.to_owned()).collect(), file: None, trouble: None }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, at: usize) -> Option<&str> {
        self.entries.get(at).map(String::as_str)
    }

    /// The latest entry before that one which holds the text.
    pub(super) fn find(&self, text: &str, before: usize) -> Option<usize> {
        if text.is_empty() {
            return None;
        }
        self.entries.iter().take(before).rposition(|entry| entry.contains(text))
    }

    /// Adds an entry, unless it is the latest already.
    pub(super) fn add(&mut self, entry: &str) {
        if self.entries.last().is_some_and(|last| last == entry) {
            return;
        }
        self.entries.push(entry.to_owned());
        if let Some((path, file)) = &mut self.file {
            let saved = file.save(HistoryItem::from_command_line(entry)).map_err(io::Error::other);
            // It is written at once: a chat may end by a kill.
            if let Err(error) = saved.and_then(|_| file.sync()) {
                self.trouble = Some(complaint(path, &error));
                self.file = None;
            }
        }
    }

    /// Why the history is not kept; told once.
    pub(super) fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }
}

fn complaint(path: &Path, error: &io::Error) -> String {
    format!("what you type is not kept for the next time: {} cannot be used: {error}", path.display())
}

/// Where the history is.
fn place(named: Option<PathBuf>, state: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    if let Some(named) = named {
        return (!named.as_os_str().is_empty()).then_some(named);
    }
    let state = state.filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(home.filter(|path| path.is_absolute())?.join(".local/state")));
    Some(state?.join("hivectl/history"))
}

fn read(path: &Path) -> io::Result<(Vec<String>, FileBackedHistory)> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    drop(file);
    let file = FileBackedHistory::with_file(MOST, path.to_owned()).map_err(io::Error::other)?;
    let all =
        file.search(SearchQuery::everything(SearchDirection::Forward, None)).map_err(io::Error::other)?;
    Ok((all.into_iter().map(|item| item.command_line).collect(), file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_the_users_own() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(place(None, None, path("/h")), path("/h/.local/state/hivectl/history"));
        assert_eq!(place(None, path("/s"), path("/h")), path("/s/hivectl/history"));
        assert_eq!(place(None, path("relative"), path("/h")), path("/h/.local/state/hivectl/history"));
        assert_eq!(place(path("x"), path("/s"), path("/h")), path("x"));
        assert_eq!(place(path(""), path("/s"), path("/h")), None);
        assert_eq!(place(None, None, None), None);
    }

    #[test]
    fn it_is_kept_and_nobody_else_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/hivectl/history");
        let mut history = History::at(&path);
        for entry in ["one", "two\nlines", "two\nlines"] {
            history.add(entry);
        }
        assert_eq!(history.trouble(), None);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let again = History::at(&path);
        assert_eq!((again.len(), again.get(1)), (2, Some("two\nlines")));
        assert_eq!((again.find("o", 2), again.find("o", 1), again.find("x", 2)), (Some(1), Some(0), None));
    }

    #[test]
    fn one_that_cannot_be_kept_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let mut history = History::at(&dir.path().join("file/history"));
        history.add("still there");
        assert_eq!(history.get(0), Some("still there"));
        assert!(history.trouble().is_some_and(|trouble| trouble.contains("file/history")));
        assert_eq!(history.trouble(), None);
    }
}
