//! The diffs of a bot on disk, as many as are worth their room.

use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use hive_shared::diff::{self, Diff};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::paths::Hive;

use super::lock;
use crate::atomic_file;

/// How many diffs are kept.
const MAX_DIFFS: usize = 1_000;
/// And how many bytes of them.
const MAX_BYTES: u64 = 256 << 20;

/// Keeps the diffs of one bot.
#[derive(Debug, Clone)]
pub(super) struct Keeper {
    hive: Hive,
    bot: BotId,
    /// How much there is; unknown until it was counted.
    held: Arc<Mutex<Option<Held>>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    diffs: usize,
    bytes: u64,
}

impl Keeper {
    pub(super) fn new(hive: &Hive, bot: &BotId) -> Self {
        Self { hive: hive.clone(), bot: bot.clone(), held: Arc::default() }
    }

    /// Keeps what an item changed, in place of what an earlier attempt did. Blocks.
    pub(super) fn keep(&self, id: &ItemId, diff: &Diff) -> io::Result<()> {
        let directory = self.hive.diffs(&self.bot);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let document = diff::write(&self.bot, id, diff);
        let mut file = atomic_file::unfinished_in(&directory, &self.bot)?;
        file.write_all(&document)?;
        file.persist(self.hive.diff(&self.bot, id)).map_err(|refused| refused.error)?;
        self.make_room(&directory, document.len() as u64)
    }

    /// Sees to it that no diff of an item is kept. Blocks.
    pub(super) fn forget(&self, id: &ItemId) -> io::Result<()> {
        match std::fs::remove_file(self.hive.diff(&self.bot, id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn make_room(&self, directory: &Path, added: u64) -> io::Result<()> {
        let mut held = lock(&self.held);
        let now = match *held {
            Some(held) => Held { diffs: held.diffs + 1, bytes: held.bytes + added },
            None => prune(directory, MAX_DIFFS, MAX_BYTES)?,
        };
        let is_too_much = now.diffs > MAX_DIFFS || now.bytes > MAX_BYTES;
        // To a tenth below, or each one more would mean to look at all of them.
        let pruned = || prune(directory, MAX_DIFFS - MAX_DIFFS / 10, MAX_BYTES - MAX_BYTES / 10);
        *held = Some(if is_too_much { pruned()? } else { now });
        Ok(())
    }
}

/// Deletes the oldest diffs until no more than this are left. Gives what is left.
fn prune(directory: &Path, max_diffs: usize, max_bytes: u64) -> io::Result<Held> {
    let mut diffs: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let it = entry.metadata()?;
        diffs.push((it.modified()?, it.len(), entry.path()));
    }
    diffs.sort_unstable_by(|a, b| b.cmp(a));
    let mut held = Held::default();
    for (_, bytes, path) in diffs {
        let after = Held { diffs: held.diffs + 1, bytes: held.bytes + bytes };
        if after.diffs > max_diffs || after.bytes > max_bytes {
            std::fs::remove_file(path)?;
        } else {
            held = after;
        }
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn keeper() -> (tempfile::TempDir, Keeper) {
        let dir = tempfile::tempdir().unwrap();
        let keeper = Keeper::new(&Hive::at(dir.path()), &BotId::parse("BOT-1").unwrap());
        (dir, keeper)
    }

    fn id(n: usize) -> ItemId {
        ItemId::parse(&format!("TASK-{n}")).unwrap()
    }

    #[test]
    fn the_last_attempt_counts() {
        let (_dir, keeper) = keeper();
        let diffs =
            [&b"first\n"[..], b"second\n"].map(|patch| Diff { patch: patch.to_owned(), truncated: false });
        for diff in &diffs {
            keeper.keep(&id(1), diff).unwrap();
        }
        let document = std::fs::read(keeper.hive.diff(&keeper.bot, &id(1))).unwrap();
        assert_eq!(diff::read(&document, &keeper.bot, &id(1)), Ok(diffs[1].clone()));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let (_dir, keeper) = keeper();
        for n in 1..=MAX_DIFFS + 1 {
            keeper.keep(&id(n), &Diff::default()).unwrap();
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(n as u64);
            let path = keeper.hive.diff(&keeper.bot, &id(n));
            if let Ok(file) = std::fs::File::options().write(true).open(path) {
                file.set_modified(at).unwrap();
            }
        }
        let is_there = |n| keeper.hive.diff(&keeper.bot, &id(n)).exists();
        assert!(is_there(MAX_DIFFS + 1) && is_there(MAX_DIFFS / 2) && !is_there(1));
        let left = std::fs::read_dir(keeper.hive.diffs(&keeper.bot)).unwrap().count();
        assert_eq!(left, MAX_DIFFS - MAX_DIFFS / 10);
    }

    #[test]
    fn and_when_they_take_too_much_room() {
        let (_dir, keeper) = keeper();
        let diff = Diff { patch: vec![b'x'; 1_000], truncated: false };
        for n in 1..=10 {
            keeper.keep(&id(n), &diff).unwrap();
        }
        let directory = keeper.hive.diffs(&keeper.bot);
        let held = prune(&directory, 100, 5_999).unwrap();
        assert_eq!((held.diffs, std::fs::read_dir(directory).unwrap().count()), (5, 5));
    }
}
