//! What the inbox sees, and which task each file is.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use hive_shared::ids::ItemId;
use hive_shared::task::NotATask;
use hive_shared::time::Stamp;
use hive_shared::work::{Source, Status};

use super::{Driver, FirstScan};
use crate::coordinator::{Dependency, Ended, Event, TaskSpec};
use crate::failpoint;
use crate::file_id::Fingerprint;
use crate::inbox::documents::{TaskHead, TaskReading};
use crate::inbox::{InboxEvent, SeenFile};
use crate::outbox;
use crate::store::{Detail, Item, SCANNED, StoreError};
use crate::turn::Told;

impl Driver {
    pub(super) fn inbox_event(&mut self, event: InboxEvent<TaskReading>) -> Result<(), StoreError> {
        match event {
            InboxEvent::Seen(files) => files.into_iter().try_for_each(|file| self.file_seen(file)),
            InboxEvent::Gone(names) => names.iter().try_for_each(|name| self.file_gone(name)),
            InboxEvent::Symlink(name) => {
                tracing::warn!(name, "a symbolic link is left where it is, unread");
                let text =
                    format!("{name} is a symbolic link: left where it is, unread; put the file itself there");
                self.control_entry("ignored", &text, None)
            }
            InboxEvent::Unreadable { name, error } => {
                tracing::error!(name, error, "a task file cannot be read");
                self.control_entry("unreadable", &format!("{name}: {error}"), None)
            }
            InboxEvent::Controls => self.look_at_controls(),
            InboxEvent::ScanDone { first, files } => {
                tracing::info!(files, first, "the task directory was read in full");
                if first {
                    self.first_scan = FirstScan::Done;
                    self.store.put_meta(SCANNED, "1")?;
                    self.feed(Event::Scanned)?;
                }
                Ok(())
            }
            InboxEvent::Degraded(reason) => {
                tracing::warn!(reason, "no notifications of new files: looking every two seconds");
                // Slowly or not, it can be read, or else it is no use to look.
                let read = std::fs::read_dir(self.identity.hive.tasks(&self.identity.bot));
                self.directory_trouble = read.err().map(|_| reason.clone());
                self.control_entry("watching", &format!("slowly, every two seconds: {reason}"), None)
            }
            InboxEvent::Restored => {
                tracing::info!("notifications of new files work again");
                self.directory_trouble = None;
                self.control_entry("watching", "by notifications again", None)
            }
            InboxEvent::DirectoryLost => {
                const LOST: &str = "the task directory is gone; its tasks wait for it";
                tracing::error!("the task directory is gone");
                self.directory_trouble = Some(LOST.to_owned());
                self.control_entry("directory lost", LOST, None)
            }
            InboxEvent::DirectoryBack => {
                self.directory_trouble = None;
                self.control_entry("directory back", "the task directory is there again", None)
            }
        }
    }

    fn file_seen(&mut self, file: SeenFile<TaskReading>) -> Result<(), StoreError> {
        if let Some(known) = self.files.get(&file.name).cloned() {
            if known.fingerprint == file.fingerprint {
                return if known.missing { self.file_back(&file.name, &known.id) } else { Ok(()) };
            }
            match self.store.item(&known.id)? {
                Some(item) if !item.status.is_final() => return self.file_edited(file, item),
                Some(item) if self.belonged_to(&item, &file) => return self.take_away(item, &file.name),
                Some(_) | None => {}
            }
        } else if let Some(old) = self.files.old_name(file.fingerprint.file).map(str::to_owned) {
            return self.file_renamed(&old, file);
        } else if let Some(id) = self.files.strayed(file.fingerprint.file).cloned()
            && let Some(item) = self.store.item(&id)?
            && self.belonged_to(&item, &file)
        {
            return self.take_away(item, &file.name);
        }
        self.new_file(file)
    }

    fn new_file(&mut self, file: SeenFile<TaskReading>) -> Result<(), StoreError> {
        // What is there by now may be something else, or be archived; then the inbox tells of that.
        if Fingerprint::at(&self.path_of(&file.name)).ok() != Some(file.fingerprint) {
            return Ok(());
        }
        match file.content {
            Err(reason) => self.reject(&file.name, &reason),
            Ok(head) => {
                if let Some(end) = self.answered_before(&head.document.id, &file.name) {
                    return self.archive_answered(&file.name, file.fingerprint, head, end);
                }
                self.new_item(&file.name, file.fingerprint, head).map(|_| ())
            }
        }
    }

    fn path_of(&self, name: &str) -> PathBuf {
        self.identity.hive.tasks(&self.identity.bot).join(name)
    }

    /// A task ends: what lies under its file's name by now is its file, as its agent left it. Nobody knows of the end
    /// yet, so that whatever is put there in answer to it is another.
    pub(super) fn look_at_file(&self, item: &mut Item) {
        if let Some(name) = item.file.as_ref().filter(|_| item.has_file())
            && let Ok(fingerprint) = Fingerprint::at(&self.path_of(name))
        {
            item.fingerprint = Some(fingerprint.to_string());
        }
    }

    /// A task's file was taken away: whatever lies under its name by now is another.
    pub(super) fn disown_file(&mut self, item: &mut Item) {
        if let Some(name) = &item.file {
            self.files.forget(name, &item.id);
        }
        item.fingerprint = None;
    }

    /// Whether a file with the name or the inode of an ended task's file is that file, as the task's agent left it. One
    /// that was put there later is another task.
    fn belonged_to(&self, item: &Item, file: &SeenFile<TaskReading>) -> bool {
        let (Some(ended_at), Some(known)) = (item.ended_at, item.known_file()) else { return false };
        if known == file.fingerprint {
            return true;
        }
        // It was looked at under its own name as the task ended, unless it was not there; then it may have been renamed
        // before, and changed too.
        if item.file.as_deref() == Some(&*file.name) || known.file != file.fingerprint.file {
            return false;
        }
        match self.path_of(&file.name).symlink_metadata() {
            Ok(metadata) => {
                let changed = metadata.ctime().saturating_mul(1_000_000) + metadata.ctime_nsec() / 1_000;
                changed <= ended_at.as_micros()
            }
            Err(_) => true,
        }
    }

    /// An ended task's file was renamed or changed in the last moment: it is archived as it is (SPEC 2).
    fn take_away(&mut self, mut item: Item, name: &str) -> Result<(), StoreError> {
        if !item.settled && item.file.as_deref() == Some(name) {
            // The outbox is about to.
            return Ok(());
        }
        let bot = &self.identity.bot;
        match outbox::move_into(bot, &self.path_of(name), &self.identity.hive.archive(bot)) {
            Ok(None) => return Ok(()),
            Ok(archived) => {
                self.files.archived(&item.id);
                item.archived = archived;
            }
            Err(error) => tracing::error!(name, error = %error, "a finished task's file cannot be archived"),
        }
        let warning = format!("its file was moved or changed as it ended, and was archived as {name}");
        tracing::warn!(task = %item.id, warning);
        item.detail.warnings.push(warning);
        self.store.put_item(&mut item)?;
        let Some(mut entry) = self.store.entry(item.id.as_str())? else { return Ok(()) };
        entry.warnings = item.detail.warnings;
        self.store.put_entry(entry, false)
    }

    /// Takes a task into the ledger, the timeline and the queue. Returns its id, which is another than its document's
    /// if that is in use.
    pub(super) fn new_item(
        &mut self,
        name: &str,
        fingerprint: Fingerprint,
        head: TaskHead,
    ) -> Result<ItemId, StoreError> {
        let wanted = head.document.id.clone();
        let id = self.free_variant(&wanted)?;
        let mut item = self.item_of(&id, name, head);
        if id != wanted {
            item.detail.warnings.push(format!("the id {wanted} is in use; this task is {id}"));
        }
        item.fingerprint = Some(fingerprint.to_string());
        self.store.put_item(&mut item)?;
        self.store.put_entry(self.task_entry(&item, Told::default()), true)?;
        failpoint::pass("seen");
        self.files.insert(name, fingerprint, id.clone());
        tracing::info!(task = %id, file = name, priority = %item.priority, "queued");
        self.enqueue(&item)?;
        Ok(id)
    }

    /// Tells the coordinator of a task that waits.
    pub(super) fn enqueue(&mut self, item: &Item) -> Result<(), StoreError> {
        let spec = self.spec_of(item)?;
        self.feed(Event::TaskArrived(spec)).map(|_| ())
    }

    fn spec_of(&self, item: &Item) -> Result<TaskSpec, StoreError> {
        let mut depends_on = Vec::new();
        for id in &item.detail.depends_on {
            let known = self.store.item(id)?.filter(|on| on.source == Source::File && on.status.is_final());
            let ended = known.map(|on| match on.status {
                Status::Completed => Ended::Well,
                Status::Queued
                | Status::Blocked
                | Status::Running
                | Status::Suspended
                | Status::Failed
                | Status::Cancelled
                | Status::TimedOut
                | Status::Incomplete => Ended::Badly,
            });
            depends_on.push(Dependency { id: id.clone(), ended });
        }
        Ok(TaskSpec {
            id: item.id.clone(),
            priority: item.priority,
            arrival: u64::try_from(item.arrival).unwrap_or(0),
            limit: item.detail.limit,
            interruptible: item.detail.interruptible,
            depends_on,
            waited: Stamp::now().since(item.seen_at),
            attempts: item.attempts,
            preemptions: item.preemptions,
        })
    }

    pub(super) fn item_of(&self, id: &ItemId, name: &str, head: TaskHead) -> Item {
        let TaskHead { document, digest } = head;
        let detail = Detail {
            from: document.from,
            to: document.to,
            created: Some(document.created),
            limit: document.limit.unwrap_or_else(|| self.settings.limit(document.priority)),
            interruptible: document.interruptible,
            depends_on: document.depends_on,
            retry_of: document.retry_of,
            fields: document.fields,
            warnings: document.warnings,
            ..Detail::default()
        };
        Item {
            priority: document.priority,
            file: Some(name.to_owned()),
            ..Item::new(id.clone(), Source::File, document.title, digest, detail)
        }
    }

    /// A live task's file has other content now (SPEC 2): one that waits is read again, one that runs is not.
    fn file_edited(&mut self, file: SeenFile<TaskReading>, mut item: Item) -> Result<(), StoreError> {
        self.files.remove(&file.name);
        self.files.insert(&file.name, file.fingerprint, item.id.clone());
        item.fingerprint = Some(file.fingerprint.to_string());
        let waits = match item.status {
            Status::Queued | Status::Blocked => true,
            Status::Running
            | Status::Suspended
            | Status::Completed
            | Status::Failed
            | Status::Cancelled
            | Status::TimedOut
            | Status::Incomplete => false,
        };
        if !waits {
            return self
                .warn_of_item(item, "its file was changed while it ran; it is archived as it is then");
        }
        match file.content {
            Err(reason) => {
                // The outbox is not to archive what is rejected.
                item.file = None;
                self.store.put_item(&mut item)?;
                self.feed(Event::TaskFileRejected(item.id))?;
                self.reject(&file.name, &reason)
            }
            // Touched or saved again: what was said of it since, such as another priority, stays.
            Ok(head) if head.digest == item.digest => {
                self.store.put_item(&mut item)?;
                self.feed(Event::TaskFileBack(item.id)).map(|_| ())
            }
            Ok(head) => {
                let mut warnings = head.document.warnings.clone();
                let variant = item.id.as_str().strip_prefix(head.document.id.as_str());
                if variant.is_none_or(|suffix| !suffix.is_empty() && !suffix.starts_with(".r")) {
                    warnings.push(format!(
                        "its file was edited to the id {}; it stays {}",
                        head.document.id, item.id
                    ));
                }
                let mut edited = self.item_of(&item.id, &file.name, head);
                edited.detail.warnings = warnings;
                edited.arrival = item.arrival;
                edited.status = item.status;
                edited.seen_at = item.seen_at;
                edited.attempts = item.attempts;
                edited.preemptions = item.preemptions;
                edited.fingerprint = item.fingerprint;
                self.store.put_item(&mut edited)?;
                self.store.put_entry(self.task_entry(&edited, self.told_so_far(&edited.id)?), true)?;
                tracing::info!(task = %edited.id, "its file was edited and read again");
                let spec = self.spec_of(&edited)?;
                self.feed(Event::TaskEdited(spec)).map(|_| ())
            }
        }
    }

    /// The very same file has another name: it is the same task, unless both names are there (a hard link).
    fn file_renamed(&mut self, old: &str, file: SeenFile<TaskReading>) -> Result<(), StoreError> {
        let is_there = self.identity.hive.tasks(&self.identity.bot).join(old).symlink_metadata().is_ok();
        let known = self.files.get(old).cloned();
        let item = match &known {
            Some(known) if !is_there => self.store.item(&known.id)?,
            Some(_) | None => None,
        };
        let mut item = match item {
            Some(item) if !item.status.is_final() => item,
            Some(item) if self.belonged_to(&item, &file) => return self.take_away(item, &file.name),
            Some(_) | None => return self.new_file(file),
        };
        self.files.remove(old);
        self.files.insert(&file.name, file.fingerprint, item.id.clone());
        item.file = Some(file.name.clone());
        item.fingerprint = Some(file.fingerprint.to_string());
        let id = item.id.clone();
        self.warn_of_item(item, &format!("its file was renamed from {old} to {}", file.name))?;
        self.feed(Event::TaskFileBack(id)).map(|_| ())
    }

    fn file_back(&mut self, name: &str, id: &ItemId) -> Result<(), StoreError> {
        self.files.mark_missing(name, false);
        self.feed(Event::TaskFileBack(id.clone())).map(|_| ())
    }

    fn file_gone(&mut self, name: &str) -> Result<(), StoreError> {
        let Some(id) = self.files.mark_missing(name, true) else { return Ok(()) };
        match self.store.item(&id)? {
            Some(item) if matches!(item.status, Status::Running | Status::Suspended) => {
                self.warn_of_item(item, "its file was moved away while it ran")
            }
            // What was started goes on, from what it was told, whatever became of its file.
            Some(item) if !item.status.is_final() && self.store.instruction(item.arrival)?.is_some() => {
                self.warn_of_item(item, "its file was moved away after it was started")
            }
            Some(item) if !item.status.is_final() => self.feed(Event::TaskFileMissing(id)).map(|_| ()),
            Some(item) if item.attempts > 0 && item.archived.is_none() => {
                self.files.stray(name);
                Ok(())
            }
            Some(_) | None => {
                self.files.remove(name);
                Ok(())
            }
        }
    }

    fn warn_of_item(&mut self, mut item: Item, warning: &str) -> Result<(), StoreError> {
        tracing::warn!(task = %item.id, warning);
        if !item.detail.warnings.iter().any(|known| known == warning) {
            item.detail.warnings.push(warning.to_owned());
        }
        self.store.put_item(&mut item)?;
        self.store.put_entry(self.task_entry(&item, self.told_so_far(&item.id)?), false)
    }

    fn reject(&mut self, name: &str, reason: &NotATask) -> Result<(), StoreError> {
        tracing::warn!(name, reason = %reason, "no task: rejected");
        self.files.remove(name);
        match outbox::reject(&self.identity.hive, &self.identity.bot, name, &reason.to_string()) {
            Ok(_) => self.control_entry("rejected", &format!("{name}: {reason}"), None),
            Err(error) => {
                tracing::error!(name, error = %error, "a file that is no task cannot be moved to rejected/");
                self.control_entry(
                    "rejected",
                    &format!("{name}: {reason} (it cannot be moved: {error})"),
                    None,
                )
            }
        }
    }
}
