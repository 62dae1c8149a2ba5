//! Files that are written aside, to get their names in one step.
//!
//! A kill leaves them where they are, so that the bot's next life takes them away. Their directories are shared with
//! other bots, and with programs that do the same: a name says whose file it is.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use tempfile::NamedTempFile;

/// How every name ends: nobody takes it for a task, a control file or a response.
const ENDING: &str = ".tmp";
/// How many letters and digits make a name one of its own.
const RANDOM: usize = 8;

/// A new file beside those that it is to be one of.
pub(crate) fn file_in(directory: &Path, bot: &BotId) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(&beginning(bot)).rand_bytes(RANDOM).suffix(ENDING).tempfile_in(directory)
}

/// Takes away what lives of the bot that were killed before `life` have left. What it cannot take away, it leaves.
pub(crate) fn sweep(hive: &Hive, bot: &BotId, life: SystemTime) {
    for directory in [hive.responses(), hive.tasks(bot), hive.controls(), hive.bots(), hive.diffs(bot)] {
        // One that is not there holds nothing.
        let Ok(entries) = std::fs::read_dir(directory) else { continue };
        for entry in entries.flatten() {
            let is_ours = entry.file_name().to_str().is_some_and(|name| is_of(bot, name));
            let is_old =
                || entry.metadata().and_then(|metadata| metadata.modified()).is_ok_and(|at| at < life);
            if is_ours
                && is_old()
                && let Err(error) = std::fs::remove_file(entry.path())
            {
                tracing::warn!(path = %entry.path().display(), error = %error, "a leftover cannot be taken away");
            }
        }
    }
}

fn beginning(bot: &BotId) -> String {
    format!(".hive-{bot}-")
}

fn is_of(bot: &BotId, name: &str) -> bool {
    let random = name.strip_prefix(&beginning(bot)).and_then(|rest| rest.strip_suffix(ENDING));
    random.is_some_and(|it| it.len() == RANDOM && it.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_an_earlier_life_left_is_taken_away_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let hive = Hive::at(dir.path().to_owned());
        let [bot, longer] = ["BOT-2", "BOT-2-3"].map(|id| BotId::parse(id).unwrap());
        hive.create(Some(&bot)).unwrap();
        let keep = |directory: &Path, bot| file_in(directory, bot).unwrap().keep().unwrap().1;
        let left =
            [hive.responses(), hive.tasks(&bot), hive.controls(), hive.bots()].map(|it| keep(&it, &bot));
        let of_another = keep(&hive.responses(), &longer);
        let somebodys = hive.responses().join(".hive-BOT-2-notes.tmp");
        std::fs::write(&somebodys, "").unwrap();
        let soon = SystemTime::now() + Duration::from_secs(60);
        sweep(&hive, &bot, SystemTime::UNIX_EPOCH);
        assert!(left.iter().all(|path| path.exists()), "this life's own");
        sweep(&hive, &bot, soon);
        assert!(!left.iter().any(|path| path.exists()));
        assert!(of_another.exists() && somebodys.exists());
    }
}
