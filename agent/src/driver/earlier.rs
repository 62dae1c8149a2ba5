//! Old hives: a ledger that is new finds tasks that an earlier one has answered, and runs none of them again (SPEC 2).

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::Path;

use hive_shared::ids::{BotId, ItemId};
use hive_shared::paths::Hive;
use hive_shared::response;
use hive_shared::time::Stamp;
use hive_shared::work::{Mode, Source, Status};

use super::{Driver, FirstScan};
use crate::file_id::Fingerprint;
use crate::inbox::documents::TaskHead;
use crate::outbox;
use crate::store::{Item, StoreError};
use crate::turn::Told;
use crate::untrusted;

/// What an earlier hive's response says of how its task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EarlierEnd {
    Completed,
    Failed,
    Untold,
}

impl EarlierEnd {
    fn of(failed: Option<bool>) -> Self {
        match failed {
            Some(true) => Self::Failed,
            Some(false) => Self::Completed,
            None => Self::Untold,
        }
    }
}

impl EarlierEnd {
    /// What becomes of the task, and why, for people.
    fn told(self) -> (Status, &'static str) {
        match self {
            Self::Failed => (Status::Failed, "which says that it had failed"),
            Self::Completed => (Status::Completed, "which says that it had completed"),
            Self::Untold => (Status::Completed, "which does not say how it ended"),
        }
    }
}

fn warning_of(how: &str) -> String {
    format!("answered by an earlier response, {how}; it is not run again")
}

impl Driver {
    /// How a task ended that an earlier hive has answered.
    pub(super) fn answered_before(&self, id: &ItemId, name: &str) -> Option<EarlierEnd> {
        let FirstScan::Answered(names) = &self.first_scan else { return None };
        let stem = name.strip_suffix(".md").unwrap_or(name);
        names.get(id.as_str()).or_else(|| names.get(stem)).copied()
    }

    pub(super) fn archive_answered(
        &mut self,
        name: &str,
        fingerprint: Fingerprint,
        head: TaskHead,
        end: EarlierEnd,
    ) -> Result<(), StoreError> {
        let id = match self.store.item(&head.document.id)? {
            None => head.document.id.clone(),
            Some(item) if is_known_from_its_response(&item) => {
                return self.archive_of(item, name, end, head.digest);
            }
            // It has its file, so that one that says something else is another task with its id.
            Some(item) if item.response_file.is_some() && item.digest != head.digest => {
                return self.new_item(name, fingerprint, head).map(|_| ());
            }
            Some(item) if item.response_file.is_some() => {
                return self.archive_of(item, name, end, head.digest);
            }
            Some(_) => self.free_variant(&head.document.id)?,
        };
        let mut item = self.item_of(&id, name, head);
        let (status, how) = end.told();
        item.status = status;
        item.ended_at = Some(Stamp::now());
        item.settled = true;
        item.detail.warnings.push(warning_of(how));
        if status == Status::Failed {
            item.error = Some("an earlier response says that it failed".to_owned());
            item.error_code = Some(hive_shared::api::code::ANSWERED.to_owned());
        }
        item.archived = self.move_answered(name);
        tracing::warn!(task = %id, how, "answered before: archived, not run");
        self.store.put_item(&mut item)?;
        self.store.tally(item.source, item.status)?;
        self.store.put_entry(self.task_entry(&item, Told::default()), true)
    }

    /// The file of a task that had ended when the ledger was lost, and that was not archived yet.
    fn archive_of(
        &mut self,
        mut item: Item,
        name: &str,
        end: EarlierEnd,
        digest: String,
    ) -> Result<(), StoreError> {
        let moved = self.move_answered(name);
        item.archived = item.archived.or(moved);
        item.digest = digest;
        let (_, how) = end.told();
        item.detail.warnings.push(warning_of(how));
        tracing::warn!(task = %item.id, how, "answered before: archived, not run");
        self.store.put_item(&mut item)?;
        let Some(mut entry) = self.store.entry(item.id.as_str())? else { return Ok(()) };
        entry.warnings = item.detail.warnings;
        self.store.put_entry(entry, false)
    }

    fn move_answered(&self, name: &str) -> Option<String> {
        let moved = outbox::move_into(
            &self.identity.bot,
            &self.identity.hive.tasks(&self.identity.bot).join(name),
            &self.identity.hive.archive(&self.identity.bot),
        );
        moved.unwrap_or_else(|error| {
            tracing::error!(name, error = %error, "an answered task cannot be archived");
            None
        })
    }

    /// Whether there is a response to an item that is this bot's.
    pub(super) fn has_response(&self, id: &ItemId) -> bool {
        let bot = &self.identity.bot;
        Hive::response_names(id, bot).into_iter().any(|name| {
            match head_of(&self.identity.hive.responses().join(name)) {
                Ok(head) => response::answers(&head).bot_id.as_deref() == Some(bot.as_str()),
                // What cannot be read now may be.
                Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
            }
        })
    }

    /// The names that responses of an earlier hive answer, for a ledger that is new.
    pub(super) fn names_answered(&self) -> Result<HashMap<String, EarlierEnd>, StoreError> {
        if self.settings.mode == Mode::CommanderOnly {
            return Ok(HashMap::new());
        }
        Ok(names_answered(&self.identity.hive.responses(), &self.identity.bot)?)
    }
}

/// Whether a task's file was not found when the ledger was rebuilt.
fn is_known_from_its_response(item: &Item) -> bool {
    item.source == Source::File && item.status.is_final() && item.archived.is_none() && item.digest.is_empty()
}

/// That they cannot be listed, or that the machine has nothing left to read them with, is no sign that there are none.
fn names_answered(responses: &Path, bot: &BotId) -> io::Result<HashMap<String, EarlierEnd>> {
    let mut names = HashMap::new();
    for entry in std::fs::read_dir(responses)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_none_or(|ending| ending != "md")
            || !entry.file_type().is_ok_and(|t| t.is_file())
        {
            continue;
        }
        let head = match head_of(&path) {
            Ok(head) => head,
            Err(error) if untrusted::is_shortage(&error) => return Err(error),
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "a response cannot be read");
                continue;
            }
        };
        let answers = response::answers(&head);
        if answers.bot_id.as_deref().is_some_and(|owner| owner != bot.as_str()) {
            continue;
        }
        for name in answers.names {
            names.insert(name, EarlierEnd::of(answers.failed));
        }
    }
    Ok(names)
}

/// The beginning of a document, as much as its header may take.
fn head_of(path: &Path) -> io::Result<String> {
    let bytes = untrusted::read(path, response::MAX_HEAD_BYTES)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
