//! How far a bot's ledger has come, told apart from it. A ledger that has not come so far is a copy from an earlier day
//! that somebody has put in its place, and one of another epoch was kept from before it was rebuilt: neither knows all
//! that has happened, and their numbers are not those that followers know.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hive_shared::ids::BotId;
use hive_shared::paths::Hive;

use crate::{atomic_file, untrusted};

/// The most bytes that are read of it.
const MOST_READ: usize = 4 * 1024;
/// The version of its form.
const VERSION: &str = "1";

/// Tells how far the ledger has come: what is durable, and not at once. So it may be behind, and is never ahead.
#[derive(Debug)]
pub(crate) struct Witness {
    path: PathBuf,
    bot: BotId,
    epoch: String,
    told: Option<u64>,
}

/// How far a ledger had come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Testimony {
    /// Which timeline it was.
    pub(crate) epoch: String,
    /// The latest seq.
    pub(crate) seq: u64,
}

impl Witness {
    /// Tells of the ledger of a bot that has this epoch.
    pub(crate) fn new(hive: &Hive, bot: &BotId, epoch: &str) -> Self {
        Self { path: hive.witness(bot), bot: bot.clone(), epoch: epoch.to_owned(), told: None }
    }

    /// All up to `seq` is durable. That it cannot be told is no trouble.
    pub(crate) fn tell(&mut self, seq: u64) {
        if self.told.is_some_and(|told| told >= seq) {
            return;
        }
        let text = Testimony { epoch: self.epoch.clone(), seq }.to_string();
        match atomic_file::write(&self.path, text.as_bytes(), &self.bot) {
            Ok(()) => self.told = Some(seq),
            Err(error) => tracing::debug!(%error, "how far the ledger has come cannot be told"),
        }
    }
}

impl Testimony {
    /// What was told last, if that can be read.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let text = untrusted::read(path, MOST_READ).ok()?;
        std::str::from_utf8(&text).ok()?.parse().ok()
    }
}

impl fmt::Display for Testimony {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{VERSION} {} {}", self.epoch, self.seq)
    }
}

/// It is torn, or none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl FromStr for Testimony {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        // Without its end it may be torn, and a number with it.
        let words: Vec<&str> = text.strip_suffix('\n').ok_or(Unreadable)?.split(' ').collect();
        let [VERSION, epoch, seq] = words[..] else { return Err(Unreadable) };
        Ok(Self { epoch: epoch.to_owned(), seq: seq.parse().map_err(|_| Unreadable)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_and_never_goes_back() {
        let dir = tempfile::tempdir().unwrap();
        let (hive, bot) = (Hive::at(dir.path().to_owned()), BotId::parse("BOT-1").unwrap());
        hive.create(Some(&bot)).unwrap();
        let read = || Testimony::read(&hive.witness(&bot));
        assert_eq!(read(), None);
        let mut witness = Witness::new(&hive, &bot, "E-1");
        for (seq, told) in [(0, 0), (7, 7), (3, 7)] {
            witness.tell(seq);
            assert_eq!(read(), Some(Testimony { epoch: "E-1".to_owned(), seq: told }));
        }
        // What cannot be written is told with the next.
        std::fs::remove_dir_all(hive.bots()).unwrap();
        witness.tell(8);
        hive.create(Some(&bot)).unwrap();
        witness.tell(8);
        assert_eq!(read().map(|told| told.seq), Some(8));
    }

    #[test]
    fn an_old_one_is_read_and_a_torn_one_is_none() {
        let told = Testimony { epoch: "E-20261127-083400-ab12cd".to_owned(), seq: 1_234 };
        assert_eq!("1 E-20261127-083400-ab12cd 1234\n".parse(), Ok(told));
        for text in ["", "1 E-1 12", "2 E-1 12\n", "1 E-1\n", "1 E-1 x\n", "1 E-1 1 2\n", "\0\0\0\n"] {
            assert_eq!(text.parse::<Testimony>(), Err(Unreadable), "{text:?}");
        }
    }
}
