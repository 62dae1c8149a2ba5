//! A bot that is down, by the files of its hive (SPEC 10): its queue, its responses and its pause. Never its database.

mod glance;
mod history;
mod listing;
mod queue;

pub use glance::some_answered;
pub use listing::{Listing, Unread, left_out};

use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use hive_shared::api::{TaskDetail, TaskView};
use hive_shared::diff::{self, Diff};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::paths::Hive;
use hive_shared::regular_file;
use hive_shared::settings::{BotSettings, Settings, process_environment};
use hive_shared::time::Stamp;
use hive_shared::work::{Priority, Scope, Source};

use crate::error::Failure;
use crate::output::Printer;

/// The most bytes of a control file that are read.
const MAX_CONTROL: usize = 64 * 1024;

/// The files of one bot.
#[derive(Debug, Clone)]
pub struct Files {
    hive: Hive,
    bot: BotId,
    /// All bots of the hive: the reader of task documents must know them.
    bots: Vec<BotId>,
    /// The bot's settings, once somebody asked.
    settings: OnceLock<Box<BotSettings>>,
}

/// What a PAUSE file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// What is held.
    pub scope: Scope,
    /// Why.
    pub reason: Option<String>,
    /// Since when, as the file's time says.
    pub since: Option<Stamp>,
}

impl Files {
    /// The files of `bot`, one of `bots`.
    pub fn new(hive: Hive, bot: BotId, bots: Vec<BotId>) -> Self {
        Self { hive, bot, bots, settings: OnceLock::new() }
    }

    /// The bot.
    pub fn bot(&self) -> &BotId {
        &self.bot
    }

    /// The hive.
    pub fn hive(&self) -> &Hive {
        &self.hive
    }

    /// How many files wait in the queue, whatever is in them.
    pub fn waiting_files(&self) -> usize {
        let entries = std::fs::read_dir(self.hive.tasks(&self.bot)).into_iter().flatten().flatten();
        let is_task = |entry: &std::fs::DirEntry| {
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            name.ends_with(b".md")
                && !name.starts_with(b".")
                && entry.file_type().is_ok_and(|kind| kind.is_file())
        };
        entries.filter(is_task).count()
    }

    /// The limit of a task of this priority that has none of its own, by the settings; settings that cannot be read
    /// are as good as none.
    fn limit(&self, priority: Priority) -> Duration {
        let settings = self.settings.get_or_init(|| {
            let settings = Settings::load(&self.hive);
            let own = settings.and_then(|all| all.bot(&self.bot, process_environment(), toml::Table::new()));
            Box::new(own.unwrap_or_default())
        });
        settings.limit(priority)
    }

    /// Says that what is shown comes from the files.
    pub fn announce(&self, out: &mut Printer) {
        out.notice(&self.announcement());
    }

    /// That in words.
    pub fn announcement(&self) -> String {
        format!("{} is down: this is from its files", self.bot)
    }

    /// A task that is in the queue, as a bot that is up would show it.
    pub fn waiting(&self, task: TaskView) -> TaskDetail {
        TaskDetail {
            bot_id: self.bot.clone(),
            task,
            source: Source::File,
            started_at: None,
            completed_at: None,
            duration_seconds: None,
            success: None,
            error: None,
            error_code: None,
            files_modified: Vec::new(),
            response_file: None,
            response: None,
            content_truncated: false,
            steps: Vec::new(),
            steps_truncated: false,
        }
    }

    /// An item by its id: from its response, else from the queue.
    pub fn detail(&self, id: &ItemId) -> Result<Option<TaskDetail>, Failure> {
        if let Some(detail) = self.answered(id)? {
            return Ok(Some(detail));
        }
        Ok(self.queued(id)?.map(|queued| self.waiting(queued.view)))
    }

    /// Whether its STOP file is there.
    pub fn is_stopped(&self) -> bool {
        self.hive.stop_file(&self.bot).exists()
    }

    /// What an item changed, if that is kept.
    pub fn diff(&self, id: &ItemId) -> Result<Option<Diff>, Failure> {
        let path = self.hive.diff(&self.bot, id);
        match regular_file::read(&path, diff::MAX_DOCUMENT) {
            Ok(document) => Ok(diff::read(&document, &self.bot, id).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::io("read", &path, &error)),
        }
    }

    /// The pause that its PAUSE file asks for, if there is one.
    pub fn pause_in_force(&self) -> Option<Pause> {
        let path = self.hive.pause_file(&self.bot);
        let since = path.metadata().and_then(|meta| meta.modified()).ok().map(Stamp::from);
        let text = match regular_file::read(&path, MAX_CONTROL) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            // What is there and cannot be read is a pause all the same.
            Err(_) => String::new(),
        };
        let field = |name: &str| {
            let values = text.lines().filter_map(|line| line.split_once(':'));
            let mut named = values.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
            named.next().map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let scope = field("scope").and_then(|word| word.parse().ok()).unwrap_or_default();
        Some(Pause { scope, reason: field("reason"), since })
    }

    /// Writes the PAUSE file, in place of one that is there.
    pub fn pause(&self, scope: Scope, reason: Option<&str>) -> Result<(), Failure> {
        let reason = reason.map(|reason| {
            let in_a_line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("reason: {in_a_line}\n")
        });
        let text = format!("scope: {scope}\n{}", reason.unwrap_or_default());
        let path = self.hive.pause_file(&self.bot);
        self.ready()?;
        let file = whole(&path, &text).map_err(|e| Failure::io("written", &path, &e))?;
        file.persist(&path).map_err(|e| Failure::io("written", &path, &e.error))?;
        Ok(())
    }

    /// Removes the PAUSE file.
    pub fn resume(&self) -> Result<(), Failure> {
        let path = self.hive.pause_file(&self.bot);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::io("removed", &path, &error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Makes the directories that a bot has which never ran.
    fn ready(&self) -> Result<(), Failure> {
        self.hive.create(Some(&self.bot)).map_err(|e| Failure::io("written", self.hive.root(), &e))
    }
}

/// A file beside `path` that holds all of `text`, on disk, under a name that nobody takes for a task or a control
/// file; to be renamed.
fn whole(path: &Path, text: &str) -> io::Result<tempfile::NamedTempFile> {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    let dir = path.parent().unwrap_or(Path::new("."));
    // The directory is shared; as with any other file, the umask decides.
    let mode = std::fs::Permissions::from_mode(0o666);
    let mut file =
        tempfile::Builder::new().prefix(".hivectl-").suffix(".tmp").permissions(mode).tempfile_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn files() -> (tempfile::TempDir, Files) {
        let dir = tempfile::tempdir().unwrap();
        let bot = BotId::parse("BOT-002").unwrap();
        let hive = Hive::at(dir.path());
        hive.create(Some(&bot)).unwrap();
        (dir, Files::new(hive, bot.clone(), vec![bot]))
    }

    #[test]
    fn what_waits_is_counted_unread_and_its_limit_is_that_of_the_settings() {
        let (_dir, files) = files();
        for name in ["a.md", "b.md", ".hidden.md", "notes.txt"] {
            std::fs::write(files.hive.tasks(&files.bot).join(name), "Do it.").unwrap();
        }
        assert_eq!(files.waiting_files(), 2);
        let settings = "[defaults]\ntask_limit = '5m'\npriority_limits = { P1 = '1h' }\n";
        std::fs::write(files.hive.settings(), settings).unwrap();
        let limits: Vec<_> =
            files.tasks(false).unwrap().found.iter().map(|task| task.limit_seconds).collect();
        assert_eq!((limits, files.limit(Priority::P1)), (vec![300.0, 300.0], Duration::from_secs(3_600)));
    }

    #[test]
    fn a_pause_is_a_file() {
        let (_dir, files) = files();
        assert_eq!(files.pause_in_force(), None);
        files.pause(Scope::Tasks, Some("the disk\nis replaced")).unwrap();
        let in_force =
            || files.pause_in_force().map(|pause| (pause.scope, pause.reason, pause.since.is_some()));
        assert_eq!(in_force(), Some((Scope::Tasks, Some("the disk is replaced".into()), true)));
        std::fs::write(files.hive.pause_file(&files.bot), "").unwrap();
        assert_eq!(in_force(), Some((Scope::All, None, true)));
        files.resume().unwrap();
        files.resume().unwrap();
        assert_eq!(files.pause_in_force(), None);
    }
}
