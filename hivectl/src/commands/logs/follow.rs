//! What is logged from now on, over files that are rotated away meanwhile: nothing is lost and nothing comes twice.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::past::{identity, open_all};

/// A reader of a log that grows.
pub(super) struct Follower {
    path: PathBuf,
    /// The files that were read, and at the end the one that is read. They are held open, so that no new file can have
    /// the number of one of them.
    files: VecDeque<File>,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
}

/// More files than ever lie side by side.
const HELD: usize = 8;

impl Follower {
    /// Reads on from the end of these files, the oldest first, where `rest` was the beginning of a line.
    pub(super) fn new(path: PathBuf, files: Vec<File>, rest: Vec<u8>) -> Self {
        Self { path, files: files.into(), rest }
    }

    /// The lines that were added since.
    pub(super) fn more(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        self.read_current(&mut lines)?;
        for next in self.newer()? {
            // The writer had left it for this one: what it has now is all that it will ever have.
            self.read_current(&mut lines)?;
            if !self.rest.is_empty() {
                lines.push(String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned());
            }
            self.files.push_back(next);
            self.read_current(&mut lines)?;
        }
        while self.files.len() > HELD {
            self.files.pop_front();
        }
        Ok(lines)
    }

    /// The files that came after the one that is read, the oldest first.
    fn newer(&self) -> io::Result<Vec<File>> {
        let known: Vec<_> = self.files.iter().map(identity).collect::<io::Result<_>>()?;
        let is_new = |file: &File| identity(file).map(|it| !known.contains(&it));
        match File::open(&self.path) {
            Ok(file) if !is_new(&file)? => return Ok(Vec::new()),
            Ok(_) => {}
            // Rotated away, perhaps more than once, or taken away, and not begun anew yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        open_all(&self.path)?
            .into_iter()
            .filter_map(|file| match is_new(&file) {
                Ok(true) => Some(Ok(file)),
                Ok(false) => None,
                Err(error) => Some(Err(error)),
            })
            .collect()
    }

    fn read_current(&mut self, lines: &mut Vec<String>) -> io::Result<()> {
        let Some(mut file) = self.files.back() else { return Ok(()) };
        let (length, at) = (file.metadata()?.len(), file.stream_position()?);
        if length < at {
            // A line that the disk had no room for was taken back; or somebody emptied the file.
            let line_began = at - self.rest.len() as u64;
            file.seek(SeekFrom::Start(if length >= line_began { line_began } else { 0 }))?;
            self.rest.clear();
        }
        file.read_to_end(&mut self.rest)?;
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
        let rest = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, rest);
        lines.extend(String::from_utf8_lossy(&whole).lines().map(str::to_owned));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use hive_shared::paths::{ROTATED_LOGS, rotated_log};

    use super::super::past;
    use super::*;

    struct Log {
        _dir: tempfile::TempDir,
        path: PathBuf,
    }

    impl Log {
        fn new(text: &str) -> (Self, Follower) {
            let dir = tempfile::tempdir().unwrap();
            let log = Self { path: dir.path().join("a.jsonl"), _dir: dir };
            log.add(text);
            let past = past::read(&log.path, 0, None).unwrap().unwrap();
            let follower = Follower::new(log.path.clone(), past.files, past.rest);
            (log, follower)
        }

        fn add(&self, text: &str) {
            let mut file = File::options().create(true).append(true).open(&self.path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        /// Rotates it as the agent does.
        fn rotate(&self) {
            for n in (1..ROTATED_LOGS).rev() {
                let _ = std::fs::rename(rotated_log(&self.path, n), rotated_log(&self.path, n + 1));
            }
            std::fs::rename(&self.path, rotated_log(&self.path, 1)).unwrap();
        }
    }

    fn empty(path: &Path) {
        File::options().write(true).truncate(true).open(path).unwrap();
    }

    #[test]
    fn lines_come_when_they_are_whole() {
        let (log, mut follower) = Log::new("old\nha");
        assert_eq!(follower.more().unwrap(), [""; 0]);
        log.add("lf\nmore\nan");
        assert_eq!(follower.more().unwrap(), ["half", "more"]);
        log.add("d so on\n");
        assert_eq!(follower.more().unwrap(), ["and so on"]);
    }

    #[test]
    fn files_that_are_rotated_are_read_to_their_end_and_in_order() {
        let (log, mut follower) = Log::new("old\n");
        log.rotate();
        log.add("older than the follower knows\n");
        assert_eq!(follower.more().unwrap(), ["older than the follower knows"]);
        log.add("1\n");
        log.rotate();
        assert_eq!(follower.more().unwrap(), ["1"]);
        for n in 2..5 {
            log.add(&format!("{n}\n"));
            log.rotate();
        }
        log.add("5\n");
        assert_eq!(follower.more().unwrap(), ["2", "3", "4", "5"]);
        log.add("5a\n");
        log.rotate();
        log.add("5b\n");
        log.rotate();
        assert_eq!(follower.more().unwrap(), ["5a", "5b"], "and not begun anew yet");
        for n in 6..30 {
            log.add(&format!("{n}\n"));
            assert_eq!(follower.more().unwrap(), [n.to_string()]);
            log.rotate();
        }
        assert_eq!(follower.more().unwrap(), [""; 0]);
    }

    #[test]
    fn a_file_that_is_deleted_or_emptied_goes_on_with_what_is_new() {
        let (log, mut follower) = Log::new("old\n");
        log.rotate();
        log.add("a\n");
        assert_eq!(follower.more().unwrap(), ["a"]);
        std::fs::remove_file(&log.path).unwrap();
        assert_eq!(follower.more().unwrap(), [""; 0]);
        log.add("b\n");
        assert_eq!(follower.more().unwrap(), ["b"]);
        empty(&log.path);
        log.add("c\n");
        let _either_way = follower.more().unwrap();
        empty(&log.path);
        assert_eq!(follower.more().unwrap(), [""; 0]);
        log.add("d\n");
        assert_eq!(follower.more().unwrap(), ["d"]);
    }

    #[test]
    fn a_line_that_was_taken_back_is_not_shown() {
        let (log, mut follower) = Log::new("old\n");
        log.add("no room for th");
        assert_eq!(follower.more().unwrap(), [""; 0]);
        File::options().write(true).open(&log.path).unwrap().set_len(4).unwrap();
        log.add("x\n");
        assert_eq!(follower.more().unwrap(), ["x"]);
    }
}
