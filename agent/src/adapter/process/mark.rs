//! How the processes of a bot's runs are known, also to a later life of the daemon that has lost its ledger.

use std::io;
use std::os::unix::fs::MetadataExt as _;

use hive_shared::ids::BotId;
use hive_shared::paths::{Hive, MARK};

/// What stands before the run's own name in the `HIVE_RUN_ID` of all of a bot's processes: the hive's `.deia`, as the
/// file system knows it, and the bot. It is the same in every life of the daemon, and another in any other hive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(String);

impl Mark {
    /// The mark of a bot of this hive. Fails if the hive's directory cannot be looked at.
    pub fn of(hive: &Hive, bot: &BotId) -> io::Result<Self> {
        let directory = hive.root().join(MARK).metadata()?;
        // No id has a colon in it.
        Ok(Self(format!("{:x}-{:x}:{bot}:", directory.dev(), directory.ino())))
    }

    /// The `HIVE_RUN_ID` of the run with this name.
    pub fn run_id(&self, name: &str) -> String {
        format!("{}{name}", self.0)
    }

    /// Whether a `HIVE_RUN_ID` is that of a run of this bot.
    pub(super) fn is_on(&self, run_id: &str) -> bool {
        run_id.starts_with(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_that_of_one_bot_in_one_hive() {
        let [here, there] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let mark = |directory: &tempfile::TempDir, bot: &str| {
            let (hive, bot) = (Hive::at(directory.path().to_owned()), BotId::parse(bot).unwrap());
            hive.create(Some(&bot)).unwrap();
            Mark::of(&hive, &bot).unwrap()
        };
        let run = mark(&here, "BOT-2").run_id("RUN-1");
        assert!(mark(&here, "BOT-2").is_on(&run) && run.ends_with("RUN-1"));
        assert!(!mark(&here, "BOT-2.5").is_on(&run) && !mark(&here, "BOT").is_on(&run));
        assert!(!mark(&there, "BOT-2").is_on(&run));
    }
}
