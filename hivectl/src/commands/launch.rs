//! The process of a bot that is started in the background.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::regular_file;
use nix::libc::{O_NOCTTY, O_NONBLOCK};

use crate::error::{Exit, Failure};
use crate::local::AGENT;

/// What is ours alone: the bot has its hive from its arguments, and needs no token of another one.
const OURS: [&str; 4] = ["HIVE_DIR", "HIVE_URL", "HIVE_TOKEN", "HIVE_CA"];
/// What a bot gives to all that its agents run, and finds it by.
const RUN_ID: &str = "HIVE_RUN_ID";
/// How much of the end of its words is shown where it did not start.
const QUOTED_BYTES: u64 = 4 * 1024;
const QUOTED_LINES: usize = 5;

/// How one bot is started.
pub(super) struct Launch<'a> {
    agent: &'a Path,
    hive: &'a Hive,
    bot: &'a BotId,
}

impl<'a> Launch<'a> {
    /// The bot is to be run by the program `agent`.
    pub(super) fn new(agent: &'a Path, hive: &'a Hive, bot: &'a BotId) -> Self {
        Self { agent, hive, bot }
    }

    /// The bot.
    pub(super) fn bot(&self) -> &'a BotId {
        self.bot
    }

    /// Refuses where a bot that is started would be gone within minutes: its turn's end takes away all that an agent has
    /// started, however far that has gone from it.
    pub(super) fn outlives_this(&self) -> Result<(), Failure> {
        if std::env::var_os(RUN_ID).is_none() {
            return Ok(());
        }
        let bot = self.bot;
        let message = format!("{bot} would end with the turn of the bot that runs this");
        Err(Failure::new(Exit::Conflict, message).hint(format!(
            "start it from outside: 'hivectl up {bot}' in a terminal or from a service manager"
        )))
    }

    /// Removes the STOP file (SPEC 5); says whether there was one.
    pub(super) fn clear_the_way(&self) -> Result<bool, Failure> {
        let path = self.hive.stop_file(self.bot);
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Failure::io("removed", &path, &error)),
        }
    }

    /// Starts the process, which is nobody's to wait for once this program has ended.
    pub(super) fn go(&self) -> Result<Child, Failure> {
        let path = self.output();
        let output = self.open_output(&path).map_err(|e| Failure::io("written", &path, &e))?;
        let errors = output.try_clone().map_err(|e| Failure::io("written", &path, &e))?;
        let mut command = Command::new(self.agent);
        command
            .arg(self.bot.as_str())
            .arg("--hive")
            .arg(self.hive.root())
            // What happens is in the activity log; said once more here it would grow without bound.
            .args(["--detached", "--quiet"])
            // Wherever the user stands may be unmounted or removed.
            .current_dir(self.hive.root())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors);
        for name in OURS {
            command.env_remove(name);
        }
        command.spawn().map_err(|e| Failure::io("started", self.agent, &e))
    }

    /// The failure of a start that ended so.
    pub(super) fn words(&self, status: ExitStatus) -> Failure {
        let said = regular_file::open(&self.output()).and_then(last_lines).unwrap_or_default();
        let bot = self.bot;
        let message = if said.is_empty() {
            format!("{bot} ended at once ({status}) and said nothing")
        } else {
            format!("{bot} does not start: {}", said.join("; "))
        };
        Failure::new(Exit::Failed, message).hint(format!("'hivectl doctor {bot}' looks for what is wrong"))
    }

    /// Where the process says what it cannot say elsewhere.
    fn output(&self) -> PathBuf {
        self.hive.output_log(self.bot)
    }

    fn open_output(&self, path: &Path) -> io::Result<File> {
        self.hive.create(None)?;
        let mut options = File::options();
        // A pipe that lies there has no reader to be waited for.
        options.create(true).append(true).mode(0o600).custom_flags(O_NONBLOCK | O_NOCTTY);
        let file = regular_file::only(options.open(path)?)?;
        // Of two that start at once, both append to what is empty by now.
        file.set_len(0)?;
        Ok(file)
    }
}

/// The last lines of a file, less the name of the program that wrote them.
fn last_lines(mut file: File) -> io::Result<Vec<String>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(QUOTED_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(QUOTED_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let own = format!("{AGENT}: ");
    let mut lines: Vec<_> = text
        .lines()
        .map(|line| line.strip_prefix(&own).unwrap_or(line).trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    lines.drain(..lines.len().saturating_sub(QUOTED_LINES));
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn what_it_said_last_is_quoted() {
        let dir = tempfile::tempdir().unwrap();
        let (hive, bot) = (Hive::at(dir.path()), BotId::parse("BOT-1").unwrap());
        let agent = PathBuf::from("x");
        let launch = Launch::new(&agent, &hive, &bot);
        let failed = ExitStatus::from_raw(256);
        assert_eq!(launch.words(failed).message, "BOT-1 ended at once (exit status: 1) and said nothing");
        let path = launch.output();
        drop(launch.open_output(&path).unwrap());
        std::fs::write(&path, "a\n".repeat(5_000) + "one\n\nhive-agent: the settings are wrong\n").unwrap();
        assert_eq!(
            launch.words(failed).message,
            "BOT-1 does not start: a; a; a; one; the settings are wrong"
        );
        drop(launch.open_output(&path).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    }
}
