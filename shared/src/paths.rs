//! The hive on disk (SPEC 2): every path in one place.

use std::io;
use std::path::{Path, PathBuf};

use crate::ids::{BotId, ItemId};

/// The directory that makes a directory a hive.
pub const MARK: &str = ".deia";

/// The most bytes of a file name, on the file systems there are.
pub const MAX_NAME: usize = 255;

/// What stands behind the name of a database that was damaged and is set aside; a stamp follows.
pub const SET_ASIDE: &str = ".corrupt-";

/// So many files of a log are kept that were rotated away.
pub const ROTATED_LOGS: u32 = 5;

/// A path with something behind its name.
pub fn appended(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Where the file of a log is that was rotated away: 1 is the newest, [`ROTATED_LOGS`] the oldest.
pub fn rotated_log(log: &Path, number: u32) -> PathBuf {
    appended(log, &format!(".{number}"))
}

/// A hive: the directory that holds `.deia/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hive {
    root: PathBuf,
}

/// No hive could be found.
#[derive(Debug, thiserror::Error)]
pub enum HiveError {
    /// A directory was named, and is no hive.
    #[error("{0} is no hive: it holds no {MARK} directory (make one with 'hivectl init')")]
    NotAHive(PathBuf),
    /// No directory was named, and none around is a hive.
    #[error(
        "no hive here: neither {0} nor a directory above it holds {MARK} (make one with 'hivectl init', or name one with --hive or HIVE_DIR)"
    )]
    NoneAround(PathBuf),
    /// The file system would not tell.
    #[error("the working directory cannot be read")]
    Io(#[source] io::Error),
}

impl Hive {
    /// A hive at this directory, whether or not it is one yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Finds the hive as SPEC 2 says: the one named (by `--hive` or `HIVE_DIR`), else the nearest ancestor of the
    /// working directory that holds `.deia/`.
    pub fn find(named: Option<&Path>) -> Result<Self, HiveError> {
        if let Some(dir) = named {
            let root = dir.canonicalize().map_err(|_| HiveError::NotAHive(dir.to_owned()))?;
            return if root.join(MARK).is_dir() { Ok(Self { root }) } else { Err(HiveError::NotAHive(root)) };
        }
        let here = std::env::current_dir().map_err(HiveError::Io)?;
        here.ancestors()
            .find(|dir| dir.join(MARK).is_dir())
            .map(Self::at)
            .ok_or(HiveError::NoneAround(here.clone()))
    }

    /// The directory that holds `.deia/`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `.deia/hive.toml`.
    pub fn settings(&self) -> PathBuf {
        self.root.join(MARK).join("hive.toml")
    }

    fn hive(&self, dir: &str) -> PathBuf {
        self.root.join(MARK).join("hive").join(dir)
    }

    /// The parent of all task directories.
    pub fn all_tasks(&self) -> PathBuf {
        self.hive("tasks")
    }

    /// The queue of a bot.
    pub fn tasks(&self, bot: &BotId) -> PathBuf {
        self.hive("tasks").join(bot.as_str())
    }

    /// Where a bot's finished tasks go.
    pub fn archive(&self, bot: &BotId) -> PathBuf {
        self.tasks(bot).join("archive")
    }

    /// Where files go that are not tasks.
    pub fn rejected(&self, bot: &BotId) -> PathBuf {
        self.tasks(bot).join("rejected")
    }

    /// Where responses are published, for all bots.
    pub fn responses(&self) -> PathBuf {
        self.hive("responses")
    }

    /// The usual name of an item's response.
    pub fn response_name(id: &ItemId) -> String {
        format!("{id}-response.md")
    }

    /// The name of a bot's response where another bot's has the usual name.
    pub fn response_name_beside_another(id: &ItemId, bot: &BotId) -> String {
        // Two ids of the greatest length do not fit into one file name.
        let room = MAX_NAME - "@-response.md".len() - id.as_str().len();
        let bot = &bot.as_str()[..bot.as_str().len().min(room)];
        format!("{id}@{bot}-response.md")
    }

    /// The names that a bot's response to an item may have.
    pub fn response_names(id: &ItemId, bot: &BotId) -> [String; 2] {
        [Self::response_name(id), Self::response_name_beside_another(id, bot)]
    }

    /// Where control files lie.
    pub fn controls(&self) -> PathBuf {
        self.hive("controls")
    }

    /// Present: the bot is paused.
    pub fn pause_file(&self, bot: &BotId) -> PathBuf {
        self.controls().join(format!("{bot}-PAUSE"))
    }

    /// Present: the bot stops, and does not start.
    pub fn stop_file(&self, bot: &BotId) -> PathBuf {
        self.controls().join(format!("{bot}-STOP"))
    }

    /// Where running bots tell who they are.
    pub fn bots(&self) -> PathBuf {
        self.hive("bots")
    }

    /// Who runs: see [`crate::api::BotRecord`].
    pub fn bot_record(&self, bot: &BotId) -> PathBuf {
        self.bots().join(format!("{bot}.json"))
    }

    /// The bearer token of a bot.
    pub fn token(&self, bot: &BotId) -> PathBuf {
        self.bots().join(format!("{bot}.token"))
    }

    /// Where the databases lie.
    pub fn state(&self) -> PathBuf {
        self.hive("state")
    }

    /// A bot's ledger and timeline.
    pub fn database(&self, bot: &BotId) -> PathBuf {
        self.state().join(format!("{bot}.db"))
    }

    /// How far a bot's ledger had come: not beside it, so that who puts a copy of it back does not put this back too.
    pub fn witness(&self, bot: &BotId) -> PathBuf {
        self.bots().join(format!("{bot}.ledger"))
    }

    /// What whoever runs a bot has locked, each by `flock`: any of them says that somebody does. One is a file that is
    /// for nothing else; who tidies up may take that away, and leaves the other, the bot's task directory.
    pub fn locks(&self, bot: &BotId) -> [PathBuf; 2] {
        [self.lock(bot), self.tasks(bot)]
    }

    /// The file whose lock decides which process runs a bot; see [`Hive::locks`].
    pub fn lock(&self, bot: &BotId) -> PathBuf {
        self.state().join(format!("{bot}.lock"))
    }

    /// What a bot that runs in the background says and can say nowhere else.
    pub fn output_log(&self, bot: &BotId) -> PathBuf {
        self.logs().join(format!("{bot}-output.log"))
    }

    /// Where a bot keeps what its tasks and prompts changed.
    pub fn diffs(&self, bot: &BotId) -> PathBuf {
        self.state().join(format!("{bot}.diffs"))
    }

    /// What an item of a bot changed: see [`crate::diff`].
    pub fn diff(&self, bot: &BotId, id: &ItemId) -> PathBuf {
        self.diffs(bot).join(format!("{id}.patch"))
    }

    /// The repository in which a bot notes how the working directory looks. It may be deleted while the bot is down.
    pub fn snapshots(&self, bot: &BotId) -> PathBuf {
        self.state().join(format!("{bot}.git"))
    }

    /// Where the logs lie.
    pub fn logs(&self) -> PathBuf {
        self.root.join(MARK).join("bot-logs")
    }

    /// All that a bot did, one JSON object a line.
    pub fn activity_log(&self, bot: &BotId) -> PathBuf {
        self.logs().join(format!("{bot}-activity.jsonl"))
    }

    /// A bot's errors alone.
    pub fn error_log(&self, bot: &BotId) -> PathBuf {
        self.logs().join(format!("{bot}-errors.jsonl"))
    }

    /// Makes the directories of the hive, and those of one bot if one is given. What is there stays as it is.
    ///
    /// `bots/`, `state/` and `bot-logs/` get mode 0700 and a `.gitignore` of `*`, so that nobody commits a token.
    pub fn create(&self, bot: Option<&BotId>) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        let mut shared = std::fs::DirBuilder::new();
        shared.recursive(true).mode(0o755);
        for dir in [self.all_tasks(), self.responses(), self.controls()] {
            shared.create(dir)?;
        }
        if let Some(bot) = bot {
            shared.create(self.archive(bot))?;
            shared.create(self.rejected(bot))?;
        }
        let mut private = std::fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        for dir in [self.bots(), self.state(), self.logs()] {
            private.create(&dir)?;
            let ignore = dir.join(".gitignore");
            if !ignore.exists() {
                std::fs::write(ignore, "*\n")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hive_is_found_from_below_and_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let hive = Hive::at(dir.path().canonicalize().unwrap());
        assert!(matches!(Hive::find(Some(dir.path())), Err(HiveError::NotAHive(_))));
        let bot = BotId::parse("BOT-002").unwrap();
        hive.create(Some(&bot)).unwrap();
        hive.create(Some(&bot)).unwrap();
        assert_eq!(Hive::find(Some(dir.path())).unwrap(), hive);
        assert_eq!(std::fs::read_to_string(hive.state().join(".gitignore")).unwrap(), "*\n");
        assert!(hive.archive(&bot).ends_with(".deia/hive/tasks/BOT-002/archive"));
    }
}
