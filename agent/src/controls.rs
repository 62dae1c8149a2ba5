//! Control files: `BOT-002-PAUSE` and `BOT-002-STOP` (SPEC 2 and 5). Their presence is the state; a pause says more in
//! lines of its own.

use std::io;
use std::path::Path;

use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::work::Scope;

use crate::{atomic_file, untrusted};

/// The most bytes of a control file that are looked at.
const MAX_BYTES: usize = 64 * 1024;

/// A pause by the user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PauseFile {
    /// What is held.
    pub scope: Scope,
    /// Why, for people.
    pub reason: Option<String>,
}

impl PauseFile {
    /// Reads a pause file. None if there is none; what cannot be read or understood pauses everything.
    pub fn read(path: &Path) -> Option<Self> {
        // A link that leads nowhere is a control file too: it is there.
        if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return None;
        }
        let text = untrusted::read(path, MAX_BYTES).unwrap_or_default();
        Some(Self::parse(&String::from_utf8_lossy(&text)))
    }

    fn parse(text: &str) -> Self {
        let mut pause = Self::default();
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "scope" => pause.scope = value.to_ascii_lowercase().parse().unwrap_or_default(),
                "reason" if !value.is_empty() => pause.reason = Some(value.to_owned()),
                _ => {}
            }
        }
        pause
    }

    /// Writes it, in one step for those who look.
    pub fn write(&self, hive: &Hive, bot: &BotId) -> io::Result<()> {
        let mut text = format!("scope: {}\n", self.scope);
        if let Some(reason) = &self.reason {
            text += "reason: ";
            text += &reason.replace(['\n', '\r'], " ");
            text += "\n";
        }
        atomic_file::write(&hive.pause_file(bot), text.as_bytes(), bot)
    }

    /// Takes it away; that it is gone already is fine.
    pub fn remove(path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_pauses() {
        let dir = tempfile::tempdir().unwrap();
        let (hive, bot) = (Hive::at(dir.path().to_owned()), BotId::parse("BOT-002").unwrap());
        hive.create(None).unwrap();
        let path = hive.pause_file(&bot);
        assert_eq!(PauseFile::read(&path), None);
        std::fs::write(&path, "").unwrap();
        assert_eq!(PauseFile::read(&path), Some(PauseFile::default()));
        std::fs::write(&path, b"Scope: TASKS\nreason:  lunch \nfoo\n\xff").unwrap();
        let lunch = PauseFile { scope: Scope::Tasks, reason: Some("lunch".into()) };
        assert_eq!(PauseFile::read(&path), Some(lunch.clone()));
        std::fs::write(&path, "scope: sideways\n").unwrap();
        assert_eq!(PauseFile::read(&path).unwrap().scope, Scope::All);
        lunch.write(&hive, &bot).unwrap();
        assert_eq!(PauseFile::read(&path), Some(lunch));
        PauseFile::remove(&path).unwrap();
        PauseFile::remove(&path).unwrap();
    }
}
