//! What a log holds already: the file, and those that were rotated away, `NAME.1`, the newest, to `NAME.5`.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hive_shared::paths::{ROTATED_LOGS, rotated_log};
use hive_shared::time::Stamp;

use super::line::Line;

/// Between two looks at them they may be moved on; nobody is so slow that it happens so often.
const TRIES: usize = 10;

/// The end of a log.
pub(super) struct Past {
    /// Its last lines, in order, without their ends.
    pub(super) lines: Vec<String>,
    /// Its files that are there, the oldest first, each read to its end.
    pub(super) files: Vec<File>,
    /// The beginning of a line that is just being written.
    pub(super) rest: Vec<u8>,
}

/// Reads the newest `count` lines that were written since `since`. `None` if there is no log at all.
pub(super) fn read(path: &Path, count: usize, since: Option<Stamp>) -> io::Result<Option<Past>> {
    let files = open_all(path)?;
    if files.is_empty() {
        return Ok(None);
    }
    let mut newest_first = Vec::new();
    let mut rest = Vec::new();
    let mut enough = false;
    for (nth, mut file) in files.iter().rev().enumerate() {
        let mut bytes = Vec::new();
        if nth > 0 && enough {
            // Whoever follows needs not look at it again.
            continue;
        }
        file.read_to_end(&mut bytes)?;
        let ends = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let torn = bytes.split_off(ends);
        if nth == 0 {
            rest = torn;
        } else if !torn.is_empty() {
            newest_first.push(String::from_utf8_lossy(&torn).into_owned());
        }
        let text = String::from_utf8_lossy(&bytes);
        for line in text.lines().rev() {
            let is_wanted = since.is_none_or(|since| Line::time(line).is_none_or(|time| time >= since));
            if newest_first.len() >= count {
                break;
            }
            if is_wanted {
                newest_first.push(line.to_owned());
            }
        }
        let reaches_back =
            |since| text.lines().next().and_then(Line::time).is_some_and(|first| first < since);
        enough = newest_first.len() >= count || since.is_some_and(reaches_back);
    }
    newest_first.reverse();
    Ok(Some(Past { lines: newest_first, files, rest }))
}

/// Opens all files of the log that are there, the oldest first.
pub(super) fn open_all(path: &Path) -> io::Result<Vec<File>> {
    for _ in 1..TRIES {
        let files = open_once(path)?;
        // Nothing was moved meanwhile, or else one could be missing or be there twice.
        let again = open_once(path)?;
        if identities(&files)? == identities(&again)? {
            return Ok(files);
        }
    }
    open_once(path)
}

/// What a file is known by under whatever name.
pub(super) fn identity(file: &File) -> io::Result<(u64, u64)> {
    file.metadata().map(|found| (found.dev(), found.ino()))
}

fn identities(files: &[File]) -> io::Result<Vec<(u64, u64)>> {
    files.iter().map(identity).collect()
}

fn open_once(path: &Path) -> io::Result<Vec<File>> {
    let names = (1..=ROTATED_LOGS).rev().map(|n| rotated_log(path, n)).chain([path.to_owned()]);
    let mut files = Vec::new();
    for name in names {
        match File::open(name) {
            Ok(file) => files.push(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn log(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let path = dir.path().join("a.jsonl");
        (dir, path)
    }

    fn last(path: &Path, count: usize, since: Option<&str>) -> Vec<String> {
        read(path, count, since.map(|since| since.parse().unwrap())).unwrap().unwrap().lines
    }

    #[test]
    fn the_newest_lines_come_from_as_many_files_as_it_takes() {
        let (_dir, path) =
            log(&[("a.jsonl", "6\n7\nhalf"), ("a.jsonl.1", "4\n5\n"), ("a.jsonl.2", "1\n2\n3")]);
        assert_eq!(last(&path, 0, None), [""; 0]);
        assert_eq!(last(&path, 1, None), ["7"]);
        assert_eq!(last(&path, 3, None), ["5", "6", "7"]);
        assert_eq!(last(&path, 99, None), ["1", "2", "3", "4", "5", "6", "7"]);
        assert_eq!(read(&path, 1, None).unwrap().unwrap().rest, b"half");
    }

    #[test]
    fn a_time_reaches_back_over_files_too() {
        let line = |minute: u32| format!("{{\"timestamp\":\"2026-11-22T18:{minute:02}:00Z\"}}\n");
        let (_dir, path) = log(&[
            ("a.jsonl", &(line(5) + &line(6))),
            ("a.jsonl.1", &(line(3) + &line(4))),
            ("a.jsonl.2", &line(1)),
        ]);
        assert_eq!(last(&path, usize::MAX, Some("2026-11-22T18:04:00Z")).len(), 3);
        assert_eq!(last(&path, 1, Some("2026-11-22T18:04:00Z")), [line(6).trim_end()]);
        assert_eq!(last(&path, usize::MAX, Some("2026-11-22T19:00:00Z")).len(), 0);
    }

    #[test]
    fn no_log_is_told_from_an_empty_one() {
        let (_dir, path) = log(&[]);
        assert!(read(&path, 1, None).unwrap().is_none());
        let (_dir, path) = log(&[("a.jsonl", "")]);
        assert!(read(&path, 1, None).unwrap().unwrap().lines.is_empty());
        // Rotated away this moment, and not begun anew yet.
        let (_dir, path) = log(&[("a.jsonl.1", "1\n")]);
        assert_eq!(last(&path, 1, None), ["1"]);
    }
}
