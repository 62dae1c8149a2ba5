//! Whether somebody runs a bot. The locks decide, whatever its record says (SPEC 2): a bot that was killed leaves its
//! record behind, and a hive that was copied has that of another one's bot.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt as _;

use crate::ids::BotId;
use crate::paths::Hive;
use crate::regular_file;

/// Whether a process runs the bot of this very hive.
pub fn is_run(hive: &Hive, bot: &BotId) -> bool {
    let [file, directory] = hive.locks(bot);
    // One file of two hives, as a copy by hard links or symbolic ones has it, says nothing of either.
    let is_own = |file: &File| file.metadata().is_ok_and(|metadata| metadata.nlink() <= 1);
    // Who only looks must not make the file.
    regular_file::open(&file).is_ok_and(|file| is_own(&file) && is_locked(&file))
        || File::open(&directory).is_ok_and(|directory| is_locked(&directory))
}

/// A shared lock is let go at once, and a bot that starts tries again.
fn is_locked(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hive() -> (tempfile::TempDir, Hive, BotId) {
        let dir = tempfile::tempdir().unwrap();
        let (hive, bot) = (Hive::at(dir.path()), BotId::parse("BOT-1").unwrap());
        hive.create(Some(&bot)).unwrap();
        (dir, hive, bot)
    }

    #[test]
    fn a_lock_that_is_held_is_seen_and_none_is_made() {
        let (_dir, hive, bot) = hive();
        assert!(!is_run(&hive, &bot));
        assert!(!hive.lock(&bot).exists());
        let file = File::create(hive.lock(&bot)).unwrap();
        assert!(!is_run(&hive, &bot));
        file.try_lock().unwrap();
        assert!(is_run(&hive, &bot));
        file.unlock().unwrap();
        assert!(!is_run(&hive, &bot));
        let directory = File::open(hive.tasks(&bot)).unwrap();
        directory.try_lock().unwrap();
        assert!(is_run(&hive, &bot));
    }

    #[test]
    fn a_lock_of_another_hive_is_none_of_this_one() {
        let (_dir, hive, bot) = hive();
        let (_other_dir, copy, _) = self::hive();
        let held = File::create(hive.lock(&bot)).unwrap();
        held.try_lock().unwrap();
        std::os::unix::fs::symlink(hive.lock(&bot), copy.lock(&bot)).unwrap();
        assert!(!is_run(&copy, &bot) && is_run(&hive, &bot));
        std::fs::remove_file(copy.lock(&bot)).unwrap();
        let directory = File::open(hive.tasks(&bot)).unwrap();
        directory.try_lock().unwrap();
        std::fs::hard_link(hive.lock(&bot), copy.lock(&bot)).unwrap();
        assert!(!is_run(&copy, &bot) && is_run(&hive, &bot));
    }
}
