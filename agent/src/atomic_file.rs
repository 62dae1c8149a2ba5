//! Files that get their names in one step, when they are whole. Until then each has a name of its own beside.
//!
//! A kill leaves them unfinished where they are, so that the bot's next life takes them away. Their directories are shared with
//! other bots, and with programs that do the same: a name says whose file it is, and of which life.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::OnceLock;

use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use tempfile::NamedTempFile;

/// How the name of every unfinished file ends: nobody takes it for a task, a control file or a response.
const ENDING: &str = ".tmp";
/// How many letters and digits say which life it is of.
const LIFE: usize = 4;
/// How many more make a name one of its own.
const RANDOM: usize = 6;

/// A new, unfinished file beside those that it is to be one of.
pub(crate) fn unfinished_in(directory: &Path, bot: &BotId) -> io::Result<NamedTempFile> {
    let beginning = beginning(bot) + life();
    tempfile::Builder::new().prefix(&beginning).rand_bytes(RANDOM).suffix(ENDING).tempfile_in(directory)
}

/// Writes a file in one step, readable by its owner alone; in the place of one that is there.
pub(crate) fn write(path: &Path, content: &[u8], bot: &BotId) -> io::Result<()> {
    written(path, content, bot)?.persist(path).map(|_| ()).map_err(|error| error.error)
}

/// The same where there is none yet; one that is there is an error.
pub(crate) fn write_new(path: &Path, content: &[u8], bot: &BotId) -> io::Result<()> {
    written(path, content, bot)?.persist_noclobber(path).map(|_| ()).map_err(|error| error.error)
}

fn written(path: &Path, content: &[u8], bot: &BotId) -> io::Result<NamedTempFile> {
    let mut file = unfinished_in(path.parent().unwrap_or(Path::new(".")), bot)?;
    file.write_all(content)?;
    Ok(file)
}

/// What the names of this life's unfinished files have in common, and those of hardly another one.
fn life() -> &'static str {
    static TAG: OnceLock<String> = OnceLock::new();
    TAG.get_or_init(|| {
        let mut random = [0; LIFE];
        // Without random bytes the process's number says it well enough.
        if getrandom::fill(&mut random).is_err() {
            random = std::process::id().to_le_bytes();
        }
        random.iter().map(|byte| char::from(b'a' + byte % 26)).collect()
    })
}

/// Takes away what earlier lives of the bot have left unfinished. What it cannot take away, it leaves.
pub(crate) fn sweep(hive: &Hive, bot: &BotId) {
    sweep_all_but(hive, bot, life());
}

fn sweep_all_but(hive: &Hive, bot: &BotId, life: &str) {
    let tasks = [hive.tasks(bot), hive.archive(bot), hive.rejected(bot)];
    let others = [hive.responses(), hive.controls(), hive.bots(), hive.diffs(bot)];
    for directory in tasks.into_iter().chain(others) {
        // One that is not there holds nothing.
        let Ok(entries) = std::fs::read_dir(directory) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name.to_str().and_then(|name| life_of(bot, name)).is_some_and(|of| of != life)
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

/// Of which life a file is that is this bot's.
fn life_of<'a>(bot: &BotId, name: &'a str) -> Option<&'a str> {
    let own = name.strip_prefix(&beginning(bot))?.strip_suffix(ENDING)?;
    let is_ours = own.len() == LIFE + RANDOM && own.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_ours.then(|| &own[..LIFE])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_life_left_is_taken_away_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let hive = Hive::at(dir.path().to_owned());
        let [bot, longer] = ["BOT-2", "BOT-2-3"].map(|id| BotId::parse(id).unwrap());
        hive.create(Some(&bot)).unwrap();
        let keep = |directory: &Path, bot| unfinished_in(directory, bot).unwrap().keep().unwrap().1;
        let places = [hive.responses(), hive.tasks(&bot), hive.archive(&bot), hive.controls(), hive.bots()];
        let left = places.map(|it| keep(&it, &bot));
        let of_another = keep(&hive.responses(), &longer);
        let somebodys = hive.responses().join(".hive-BOT-2-notes.tmp");
        std::fs::write(&somebodys, "").unwrap();
        sweep(&hive, &bot);
        assert!(left.iter().all(|path| path.exists()), "this life's own");
        sweep_all_but(&hive, &bot, "0000");
        assert!(!left.iter().any(|path| path.exists()));
        assert!(of_another.exists() && somebodys.exists());
    }
}
