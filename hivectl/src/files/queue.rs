//! The queue of a bot that is down: reading the task files, and adding one.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use hive_shared::api::{SubmitRequest, TaskDetail, TaskView};
use hive_shared::ids::ItemId;
use hive_shared::task::{self, MAX_TASK_BYTES, NewTask, NotATask, Reading, TaskDocument};
use hive_shared::time::Stamp;
use hive_shared::work::{Priority, Status};
use jiff::tz::TimeZone;

use super::{Files, Listing, Unread, whole};
use crate::error::{Exit, Failure};

/// A task file.
pub(super) struct Queued {
    pub(super) view: TaskView,
    pub(super) document: TaskDocument,
}

impl Files {
    /// The tasks that wait, in the order in which they will run; with `all`, those that have a response too, the
    /// latest first.
    pub fn tasks(&self, all: bool) -> Result<Listing<TaskView>, Failure> {
        let Listing { found, mut unread } = self.queue()?;
        let mut tasks: Vec<_> = found.into_iter().map(|queued| queued.view).collect();
        for (index, view) in tasks.iter_mut().enumerate() {
            view.position = Some(index + 1);
        }
        if all {
            let archived = self.archived()?;
            let answers = self.answers()?;
            tasks.extend(answers.found.into_iter().filter_map(|answer| {
                let id = answer.header.task_id.clone()?;
                Some(self.answered_view(&answer.header, &id, archived.get(&id)))
            }));
            unread.extend(answers.unread);
        }
        Ok(Listing { found: tasks, unread })
    }

    /// A task whose file lies in the queue under its own name, whatever the bot makes of it.
    pub fn dropped(&self, id: &ItemId) -> Option<TaskDetail> {
        self.named_as(id).map(|queued| self.waiting(queued.view))
    }

    fn named_as(&self, id: &ItemId) -> Option<Queued> {
        let path = self.hive.tasks(&self.bot).join(format!("{id}.md"));
        self.read_task(&path).ok().flatten().filter(|queued| queued.view.task_id == *id)
    }

    /// One task that waits.
    pub(super) fn queued(&self, id: &ItemId) -> Result<Option<Queued>, Failure> {
        // Most files are called as their task is; the others cost a look at all of them.
        if let Some(queued) = self.named_as(id) {
            return Ok(Some(queued));
        }
        Ok(self.queue()?.found.into_iter().find(|queued| queued.view.task_id == *id))
    }

    /// Writes a task file for the bot to find. The same id with the same content is the same task.
    pub fn submit(&self, request: &SubmitRequest) -> Result<TaskView, Failure> {
        let now = Stamp::now();
        let id = request.id.clone().unwrap_or_else(|| ItemId::generate("TASK", now.timestamp()));
        let limit = match request.timeout_seconds {
            None => None,
            Some(seconds) => Some(
                Duration::try_from_secs_f64(seconds)
                    .map_err(|_| Failure::usage(format!("{seconds} seconds is no time limit")))?,
            ),
        };
        let text = task::write(&NewTask {
            id: id.clone(),
            instruction: request.instruction.clone(),
            title: request.title.clone(),
            priority: request.priority,
            from: request.from.clone(),
            to: self.bot.clone(),
            created: now,
            limit,
            interruptible: request.interruptible,
            depends_on: request.depends_on.clone(),
            retry_of: None,
        })
        .map_err(|error| Failure::usage(error.to_string()))?;

        self.ready()?;
        let path = self.hive.tasks(&self.bot).join(format!("{id}.md"));
        let new = self
            .parse(text.as_bytes(), &path, now)
            .map_err(|error| Failure::usage(format!("the task cannot be read back: {error}")))?;
        if request.id.is_some()
            && let Some(known) = self.known(&id, &new)?
        {
            return Ok(known);
        }
        let file = whole(&path, &text).map_err(|e| Failure::io("written", &path, &e))?;
        match file.persist_noclobber(&path) {
            Ok(_) => {}
            // A bot that was asked for the same may have been quicker.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                return self.known(&id, &new)?.ok_or_else(|| in_use(&id));
            }
            Err(error) => return Err(Failure::io("written", &path, &error.error)),
        }
        let dir = self.hive.tasks(&self.bot);
        std::fs::File::open(&dir).and_then(|d| d.sync_all()).map_err(|e| Failure::io("synced", &dir, &e))?;
        Ok(new.view)
    }

    /// The task that has this id already, which must be the same.
    fn known(&self, id: &ItemId, new: &Queued) -> Result<Option<TaskView>, Failure> {
        let (view, document) = match (self.queued(id)?, self.answered(id)?) {
            (Some(queued), _) => (queued.view, Some(queued.document)),
            (None, Some(answered)) => {
                (answered.task, self.archived()?.remove(id).map(|archived| archived.document))
            }
            (None, None) => return Ok(None),
        };
        // Without its document nobody can tell whether a finished task was the same.
        match document {
            Some(document) if document.digest() == new.document.digest() => Ok(Some(view)),
            Some(_) | None => Err(in_use(id)),
        }
    }

    /// All task files that are tasks and wait, in order.
    pub(super) fn queue(&self) -> Result<Listing<Queued>, Failure> {
        let mut queue = self.read_dir(&self.hive.tasks(&self.bot))?;
        // A crash may leave a finished task in the queue: the bot archives it when it starts. A response that cannot be
        // read says nothing of its task.
        queue.found.retain(|queued| !matches!(self.find_answer(&queued.view.task_id), Ok(Some(_))));
        queue.found.sort_by(|a, b| {
            let key = |q: &Queued| (q.view.priority, q.view.created);
            key(a).cmp(&key(b)).then_with(|| a.view.file.cmp(&b.view.file))
        });
        Ok(queue)
    }

    /// The task files that were worked on, by id. They tell more about what the responses tell of: one that cannot be
    /// read is not missed.
    pub(super) fn archived(&self) -> Result<HashMap<ItemId, Queued>, Failure> {
        let archive = self.read_dir(&self.hive.archive(&self.bot))?;
        Ok(archive.found.into_iter().map(|queued| (queued.view.task_id.clone(), queued)).collect())
    }

    fn read_dir(&self, dir: &Path) -> Result<Listing<Queued>, Failure> {
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Listing::default()),
            Err(error) => return Err(Failure::io("read", dir, &error)),
        };
        let mut listing = Listing::default();
        for entry in entries.flatten() {
            listing.take(self.read_task(&entry.path()));
        }
        Ok(listing)
    }

    /// Reads a task file; `None` for what no bot looks at, or what is gone by now.
    pub(super) fn read_task(&self, path: &Path) -> Result<Option<Queued>, Unread> {
        let unread = |why: &dyn std::fmt::Display| Unread::new(path.to_owned(), why);
        let is_task = path.file_name().and_then(|name| name.to_str()).is_some_and(is_task_name);
        // Neither what a link leads to is a task, nor a named pipe, which would be waited for without end.
        if !is_task || !path.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            return Ok(None);
        }
        let (bytes, modified) = match read_bounded(path) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unread(&error)),
        };
        self.parse(&bytes, path, modified).map(Some).map_err(|error| unread(&error))
    }

    fn parse(&self, bytes: &[u8], path: &Path, modified: Stamp) -> Result<Queued, NotATask> {
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let zone = TimeZone::system();
        let reading =
            Reading { file_name: &file_name, modified, bot: &self.bot, bots: &self.bots, zone: &zone };
        let document = task::read(bytes, &reading)?;
        let view = TaskView {
            task_id: document.id.clone(),
            title: document.title.clone(),
            priority: document.priority,
            status: Status::Queued,
            position: None,
            from: document.from.clone(),
            to: document.to.clone(),
            created: document.created,
            limit_seconds: document.limit.unwrap_or_else(|| self.limit(document.priority)).as_secs_f64(),
            interruptible: document.interruptible,
            depends_on: document.depends_on.clone(),
            blocked_reason: None,
            file: file_name.into_owned(),
            attempts: 0,
            preemptions: 0,
            fields: document.fields.clone(),
            warnings: document.warnings.clone(),
            retry_of: document.retry_of.clone(),
        };
        Ok(Queued { view, document })
    }

    /// A finished task as the queue shows it, from its response and, where it is there, its archived file.
    pub(super) fn answered_view(
        &self,
        header: &hive_shared::response::ResponseHeader,
        id: &ItemId,
        archived: Option<&Queued>,
    ) -> TaskView {
        let view = archived.map_or_else(
            || TaskView {
                task_id: id.clone(),
                title: header.title.clone().or_else(|| header.prompt.clone()).unwrap_or_default(),
                priority: header.priority.unwrap_or(Priority::P2),
                status: header.status,
                position: None,
                from: header
                    .from
                    .clone()
                    .or_else(|| header.sender.clone())
                    .unwrap_or_else(|| task::UNKNOWN_SENDER.into()),
                to: None,
                created: header.started_at.unwrap_or(header.timestamp),
                limit_seconds: self.limit(header.priority.unwrap_or_default()).as_secs_f64(),
                interruptible: true,
                depends_on: Vec::new(),
                blocked_reason: None,
                file: format!("{id}.md"),
                attempts: 0,
                preemptions: 0,
                fields: std::collections::BTreeMap::new(),
                warnings: Vec::new(),
                retry_of: header.retry_of.clone(),
            },
            |queued| queued.view.clone(),
        );
        TaskView { status: header.status, attempts: header.attempts, preemptions: header.preemptions, ..view }
    }
}

/// Whether a file of this name may be a task.
pub(super) fn is_task_name(name: &str) -> bool {
    !name.starts_with('.') && Path::new(name).extension().is_some_and(|extension| extension == "md")
}

/// A file as far as a task document can go, and when it was modified. A byte more tells that there is more.
fn read_bounded(path: &Path) -> io::Result<(Vec<u8>, Stamp)> {
    let file = std::fs::File::open(path)?;
    let modified = file.metadata()?.modified()?;
    let mut bytes = Vec::new();
    file.take(MAX_TASK_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes, modified.into()))
}

fn in_use(id: &ItemId) -> Failure {
    Failure::new(Exit::Conflict, format!("{id} is in use with other content"))
        .hint(crate::error::OTHER_ID_HINT)
}

#[cfg(test)]
mod tests {
    use super::super::tests::files;
    use super::*;

    fn request(id: Option<&str>, instruction: &str, priority: Priority) -> SubmitRequest {
        SubmitRequest {
            instruction: instruction.into(),
            id: id.map(|id| ItemId::parse(id).unwrap()),
            priority: Some(priority),
            ..SubmitRequest::default()
        }
    }

    #[test]
    fn a_task_is_written_whole_and_read_back_in_order() {
        let (_dir, files) = files();
        let text = "---\nto: nobody\n---\n# \u{202e}Mend it\n";
        let later = files.submit(&request(None, text, Priority::P3)).unwrap();
        let sooner = files.submit(&request(Some("A-1"), "Do it.", Priority::P0)).unwrap();
        let queue = files.queue().unwrap().found;
        assert_eq!(queue[1].document.instruction, text);
        let order: Vec<_> =
            files.tasks(false).unwrap().found.into_iter().map(|t| (t.position, t.task_id)).collect();
        assert_eq!(order, [(Some(1), sooner.task_id), (Some(2), later.task_id)]);
        let names: Vec<_> = std::fs::read_dir(files.hive.tasks(&files.bot))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with('.'))
            .collect();
        assert!(names.is_empty(), "{names:?}");
    }

    #[test]
    fn what_is_no_file_is_no_task() {
        let (_dir, files) = files();
        let id = ItemId::parse("A-1").unwrap();
        let path = files.hive.tasks(&files.bot).join("A-1.md");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(files.dropped(&id).is_none() && files.detail(&id).unwrap().is_none());
        assert!(files.some_waiting("").is_empty());
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        let tasks = files.tasks(true).unwrap();
        assert!(files.dropped(&id).is_none() && tasks.found.is_empty() && tasks.unread.is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_read_keeps_back_no_other() {
        let (_dir, files) = files();
        files.submit(&request(Some("A-1"), "Do it.", Priority::P1)).unwrap();
        let tasks = files.hive.tasks(&files.bot);
        std::fs::write(tasks.join("A-2.md"), b"\xff\xfe").unwrap();
        std::fs::write(tasks.join("A-3.md"), "---\ntitle: torn\n").unwrap();
        let Listing { found, mut unread } = files.tasks(true).unwrap();
        assert_eq!(found.iter().map(|task| task.task_id.as_str()).collect::<Vec<_>>(), ["A-1"]);
        unread.sort();
        let told: Vec<_> = unread.iter().map(ToString::to_string).collect();
        assert!(told[0].contains("/A-2.md is left out: it is not UTF-8"), "{told:?}");
        assert!(told[1].contains("/A-3.md is left out: it begins with a '---' line"), "{told:?}");
        // The id of one that can be read is found all the same, and another may be submitted.
        assert!(files.detail(&ItemId::parse("A-1").unwrap()).unwrap().is_some());
        files.submit(&request(Some("A-4"), "Do it.", Priority::P1)).unwrap();
    }

    #[test]
    fn the_same_id_is_the_same_task_or_a_conflict() {
        let (_dir, files) = files();
        let first = files.submit(&request(Some("A-1"), "Do it.", Priority::P1)).unwrap();
        let again = files.submit(&request(Some("A-1"), "Do it.", Priority::P1)).unwrap();
        assert_eq!(again.task_id, first.task_id);
        let other = files.submit(&request(Some("A-1"), "Do something else.", Priority::P1)).unwrap_err();
        assert_eq!(other.exit, Exit::Conflict);
        assert_eq!(files.tasks(false).unwrap().found.len(), 1);
    }
}
