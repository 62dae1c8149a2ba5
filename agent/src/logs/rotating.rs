//! A file of lines that is rotated when it is full, and that outlives whatever happens to its disk.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hive_shared::paths::rotated_log;
use hive_shared::time::Stamp;
use serde_json::json;

use crate::file_id::FileId;

/// A log file and those that were rotated away: `NAME.1`, the newest, to `NAME.5`.
///
/// Each write is one whole line and goes to the operating system at once, so that a kill of the process loses none.
/// Writing never fails: a line that cannot be written is counted, and the count is told in the file when it can be
/// written again.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    max_bytes: u64,
    kept: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Option<Open>,
    lost: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    /// Which file it is: another may be under its name by now, or none.
    id: FileId,
}

impl RotatingFile {
    /// The file at `path`, opened at the first line; of those rotated away before they would exceed `max_bytes`, `kept`
    /// are kept.
    pub(super) fn new(path: PathBuf, max_bytes: u64, kept: u32) -> Self {
        Self { path, max_bytes, kept, state: Mutex::default() }
    }

    /// Opens the file, so that a caller can tell early that it cannot be.
    pub(super) fn open(&self) -> io::Result<()> {
        self.opened(&mut self.lock().open).map(|_| ())
    }

    /// Makes durable what was written, as far as that can be.
    pub(super) fn sync(&self) {
        if let Some(open) = &self.lock().open {
            let _ = open.file.sync_data();
        }
    }

    /// Writes one line, with its line end; if that fails, the next call starts from a new look at the disk.
    fn append(&self, line: &[u8]) {
        let mut state = self.lock();
        if self.try_append(&mut state, line).is_err() {
            state.lost += 1;
            state.open = None;
        }
    }

    fn try_append(&self, state: &mut State, line: &[u8]) -> io::Result<()> {
        let mut open = self.opened(&mut state.open)?;
        if open.bytes > 0 && open.bytes + line.len() as u64 > self.max_bytes {
            self.rotate();
            open = self.opened(&mut state.open)?;
        }
        if state.lost > 0 {
            open.append(&lines_lost(state.lost))?;
            state.lost = 0;
        }
        open.append(line)
    }

    /// The file under the name, opened anew if it is another one by now, or none.
    fn opened<'a>(&self, slot: &'a mut Option<Open>) -> io::Result<&'a mut Open> {
        let there = FileId::at(&self.path).ok();
        let open = match slot.take().filter(|open| there == Some(open.id)) {
            Some(open) => open,
            None => Open::at(&self.path)?,
        };
        Ok(slot.insert(open))
    }

    /// Moves each file one number up. What cannot be moved stays, and is written on: better too long than lost.
    fn rotate(&self) {
        for n in (1..self.kept).rev() {
            let _ = std::fs::rename(rotated_log(&self.path, n), rotated_log(&self.path, n + 1));
        }
        let _ = std::fs::rename(&self.path, rotated_log(&self.path, 1));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `tracing` writes to: one call, one line.
impl Write for &RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.append(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let file = match options.open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                make_directory_of(path)?;
                options.open(path)?
            }
            opened => opened?,
        };
        let found = file.metadata()?;
        let mut open = Self { file, bytes: found.len(), id: FileId::of(&found) };
        open.end_torn_line()?;
        Ok(open)
    }

    /// A line that power loss cut short must not swallow the next one.
    fn end_torn_line(&mut self) -> io::Result<()> {
        let mut last = [b'\n'];
        if let Some(at) = self.bytes.checked_sub(1) {
            self.file.read_exact_at(&mut last, at)?;
        }
        if last == [b'\n'] { Ok(()) } else { self.append(b"\n") }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(line);
        if written.is_err() {
            // A full disk takes a part of a line: take it back.
            let _ = self.file.set_len(self.bytes);
        } else {
            self.bytes += line.len() as u64;
        }
        written
    }
}

/// The directory comes back if someone deleted it, but not the hive around it.
fn make_directory_of(path: &Path) -> io::Result<()> {
    let Some(dir) = path.parent() else { return Ok(()) };
    DirBuilder::new().mode(0o700).create(dir)?;
    std::fs::write(dir.join(".gitignore"), "*\n")
}

fn lines_lost(count: u64) -> Vec<u8> {
    let line = json!({
        "timestamp": Stamp::now(),
        "level": "WARN",
        "fields": { "message": "lines of this log could not be written and are lost", "lines": count },
        "target": module_path!(),
    });
    format!("{line}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: impl AsRef<Path>) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    struct Fixture {
        dir: tempfile::TempDir,
        log: RotatingFile,
    }

    impl Fixture {
        /// A log of 10 bytes and 2 files rotated away, in a directory `logs` that is not there yet.
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let log = RotatingFile::new(dir.path().join("logs/a.jsonl"), 10, 2);
            Self { dir, log }
        }

        fn logs(&self) -> PathBuf {
            self.dir.path().join("logs")
        }

        fn write(&self, line: &str) {
            (&self.log).write_all(line.as_bytes()).unwrap();
        }
    }

    #[test]
    fn a_full_file_is_rotated_and_the_oldest_goes() {
        let fixture = Fixture::new();
        for line in ["1234\n", "5678\n", "b\n", "longer than the bound\n", "c\n", "d\n"] {
            fixture.write(line);
        }
        let file = |name| read(fixture.logs().join(name));
        assert_eq!(file("a.jsonl"), "c\nd\n");
        assert_eq!(file("a.jsonl.1"), "longer than the bound\n");
        assert_eq!(file("a.jsonl.2"), "b\n");
        assert_eq!(std::fs::read_dir(fixture.logs()).unwrap().count(), 4, "three files and .gitignore");
    }

    #[test]
    fn a_second_life_goes_on_where_the_first_ended() {
        let fixture = Fixture::new();
        fixture.write("1234\n");
        let again = RotatingFile::new(fixture.log.path.clone(), 10, 2);
        (&again).write_all(b"56\n").unwrap();
        assert_eq!(read(&again.path), "1234\n56\n");
        (&again).write_all(b"789\n").unwrap();
        assert_eq!(read(&again.path), "789\n");
    }

    #[test]
    fn a_torn_line_does_not_swallow_the_next() {
        let fixture = Fixture::new();
        fixture.log.open().unwrap();
        std::fs::write(&fixture.log.path, "{\"to").unwrap();
        let again = RotatingFile::new(fixture.log.path.clone(), 100, 2);
        (&again).write_all(b"{}\n").unwrap();
        assert_eq!(read(&again.path), "{\"to\n{}\n");
    }

    #[test]
    fn a_file_that_is_deleted_or_moved_is_made_anew() {
        let fixture = Fixture::new();
        fixture.write("a\n");
        std::fs::rename(&fixture.log.path, fixture.logs().join("moved")).unwrap();
        fixture.write("b\n");
        assert_eq!(read(&fixture.log.path), "b\n");
        std::fs::remove_dir_all(fixture.logs()).unwrap();
        fixture.write("c\n");
        assert_eq!(read(&fixture.log.path), "c\n");
        assert_eq!(read(fixture.logs().join(".gitignore")), "*\n");
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("hive/logs");
        let log = RotatingFile::new(logs.join("a.jsonl"), 1_000, 2);
        (&log).write_all(b"{}\n").unwrap();
        (&log).write_all(b"{}\n").unwrap();
        assert!(log.open().is_err());
        assert!(!dir.path().join("hive").exists(), "a hive that is gone stays gone");

        std::fs::create_dir_all(&logs).unwrap();
        (&log).write_all(b"{\"n\":3}\n").unwrap();
        (&log).write_all(b"{\"n\":4}\n").unwrap();
        let lines: Vec<serde_json::Value> =
            read(&log.path).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!((&lines[0]["level"], &lines[0]["fields"]["lines"]), (&"WARN".into(), &2.into()));
        assert_eq!(lines[2]["n"], 4);
    }

    #[test]
    fn a_full_disk_loses_whole_lines_only() {
        // This device takes nothing, ever.
        let log = RotatingFile::new("/dev/full".into(), 1_000, 2);
        for _ in 0..3 {
            (&log).write_all(b"{}\n").unwrap();
        }
        assert_eq!(log.lock().lost, 3);
    }
}
