//! Requests that come through the API or the control files.

use std::io::{ErrorKind, Write as _};
use std::path::Path;

use hive_shared::api::{PauseRequest, SubmitRequest, code};
use hive_shared::ids::ItemId;
use hive_shared::task::{self, MAX_TASK_BYTES, NewTask, TaskDocument};
use hive_shared::time::{Stamp, limit_from_secs};
use hive_shared::work::{Mode, Priority, Source, Status};

use super::{Driver, Effect};
use crate::atomic_file;
use crate::controls::PauseFile;
use crate::coordinator::{Event, PauseCause, Refusal, Reply};
use crate::failpoint;
use crate::file_id::Fingerprint;
use crate::inbox::documents::TaskHead;
use crate::numbering::first_free;
use crate::request::{Denied, Listing, Place, Request, Submitted};
use crate::store::{Item, StoreError};
use crate::untrusted;

/// What a time limit has to be.
pub(super) const BAD_LIMIT: &str = "timeout_seconds is a number of seconds above zero, and a year at most";

/// What a request came to: an answer, or the reason why it cannot be done.
type Answered<T> = Result<Result<T, Denied>, StoreError>;

impl Driver {
    pub(super) fn request(&mut self, request: Request) -> Result<(), StoreError> {
        if request.is_given_up() {
            return Ok(());
        }
        match request {
            Request::Submit(request, answer) => {
                let result = self.submit(request)?;
                self.answer(answer, result);
            }
            Request::Retry(id, answer) => {
                let result = self.retry(&id)?;
                self.answer(answer, result);
            }
            Request::Cancel(id, answer) => {
                let result = self.cancel(&id)?;
                self.answer(answer, result);
            }
            Request::Prioritize(id, priority, answer) => {
                let result = self.prioritize(&id, priority)?;
                self.answer(answer, result);
            }
            Request::Pause(request, answer) => {
                let result = self.pause(request)?;
                self.answer(answer, result);
            }
            Request::Resume(answer) => {
                let result = self.resume()?;
                self.answer(answer, result);
            }
            Request::Interrupt(answer) => {
                let result = self.interrupt()?;
                self.answer(answer, result);
            }
            Request::Approve { id, option, answer } => {
                let result = self.approve(&id, &option)?;
                self.answer(answer, result);
            }
            Request::Stop { drain, answer } => {
                tracing::info!(drain, "asked to stop");
                self.feed(Event::Stop { drain: drain && !self.is_held_up() })?;
                self.answer(answer, Ok(()));
            }
            Request::Queue { after, limit, answer } => {
                let listing = self.listing(after.as_ref(), limit);
                // After the commit: who asked reads the ledger next. It may have gone.
                self.effects.push(Effect::Answer(Box::new(move || drop(answer.send(listing)))));
            }
            Request::Place(id, answer) => {
                let place = self.place(&id);
                self.effects.push(Effect::Answer(Box::new(move || drop(answer.send(place)))));
            }
            Request::Prompt(prompt, connection, answer) => self.prompt(prompt, connection, answer)?,
            Request::Attach { id, after, connection, answer } => {
                self.attach(&id, after, connection, answer)?;
            }
            Request::Disconnected(connection) => self.disconnected(connection)?,
        }
        Ok(())
    }

    fn submit(&mut self, request: SubmitRequest) -> Answered<Submitted> {
        let now = Stamp::now();
        let limit = match request.timeout_seconds.map(limit_from_secs) {
            None => None,
            Some(Some(limit)) => Some(limit),
            Some(None) => return Ok(Err(Denied::new(code::BAD_REQUEST, BAD_LIMIT))),
        };
        let id = match request.id {
            Some(id) => id,
            None => self.fresh_id("TASK", now)?,
        };
        self.new_task(&NewTask {
            id,
            instruction: request.instruction,
            title: request.title,
            priority: request.priority,
            from: request.from,
            to: self.identity.bot.clone(),
            created: now,
            limit,
            interruptible: request.interruptible,
            depends_on: request.depends_on,
            retry_of: None,
        })
    }

    /// Writes a task's file and takes it into the queue in the same step. What makes it durable is up to whoever
    /// tells the requester that it is.
    fn new_task(&mut self, task: &NewTask) -> Answered<Submitted> {
        if self.settings.mode == Mode::CommanderOnly {
            let message = "this bot takes no file tasks: its mode is commander-only";
            return Ok(Err(Denied::new(code::MODE, message)));
        }
        if self.core.is_stopping() {
            return Ok(Err(Refusal::Stopping.into()));
        }
        let name = format!("{}.md", task.id);
        let read = task::write(task).and_then(|text| {
            let mut document = task::read(text.as_bytes(), &self.reading(&name, task.created))?;
            let digest = document.digest();
            document.instruction = String::new();
            Ok((text, TaskHead { document, digest }))
        });
        let (text, head) = match read {
            Ok(read) => read,
            Err(not_a_task) => return Ok(Err(Denied::new(code::BAD_REQUEST, not_a_task.to_string()))),
        };
        if let Some(known) = self.store.item(&task.id)? {
            return Ok(if known.source == Source::File && known.digest == head.digest {
                Ok(Submitted { id: known.id, is_new: false, file: None })
            } else {
                Err(Denied::new(code::CONFLICT, format!("the id '{}' is in use with other content", task.id)))
            });
        }
        if self.is_taken(&task.id)? {
            return Ok(Err(Denied::new(code::CONFLICT, format!("the id '{}' is in use", task.id))));
        }
        let directory = self.identity.hive.tasks(&self.identity.bot);
        let path = directory.join(&name);
        let written = atomic_file::unfinished_in(&directory, &self.identity.bot).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.persist_noclobber(&path).map_err(|error| error.error)
        });
        let fingerprint = match written.and_then(|file| file.metadata()) {
            Ok(metadata) => Fingerprint::of(&metadata),
            // A life that was killed may have written it, and the inbox not have come to it yet.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && self.says_the_same(&name, &head) => {
                match Fingerprint::at(&path) {
                    Ok(fingerprint) => fingerprint,
                    Err(error) => return Ok(Err(unavailable("the task's file cannot be read", &error))),
                }
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let message = format!("a file {name} is in the queue already, with other content");
                return Ok(Err(Denied::new(code::CONFLICT, message)));
            }
            Err(error) => return Ok(Err(unavailable("the task's file cannot be written", &error))),
        };
        failpoint::pass("submitted");
        let id = self.new_item(&name, fingerprint, head)?;
        Ok(Ok(Submitted { id, is_new: true, file: Some(name) }))
    }

    /// Whether a file of the task directory is this very task.
    fn says_the_same(&self, name: &str, head: &TaskHead) -> bool {
        let tasks = self.identity.hive.tasks(&self.identity.bot);
        self.document_in(&tasks, name, Stamp::now())
            .is_some_and(|it| it.id == head.document.id && it.digest() == head.digest)
    }

    /// The task document that a directory has under a name, if there is one that can be read.
    fn document_in(&self, directory: &Path, name: &str, at: Stamp) -> Option<TaskDocument> {
        let bytes = untrusted::read(&directory.join(name), MAX_TASK_BYTES + 1).ok()?;
        task::read(&bytes, &self.reading(name, at)).ok()
    }

    fn retry(&mut self, id: &ItemId) -> Answered<Submitted> {
        let Some(item) = self.store.item(id)? else { return Ok(Err(Denied::unknown(id))) };
        if item.source != Source::File {
            let message = format!("'{id}' is a prompt: prompt again instead");
            return Ok(Err(Denied::new(code::CONFLICT, message)));
        }
        if !item.status.is_final() {
            let message = format!("'{id}' is {} and can be retried once it has ended", item.status);
            return Ok(Err(Denied::new(code::CONFLICT, message)));
        }
        let archive = self.identity.hive.archive(&self.identity.bot);
        let read = item.archived.as_ref().and_then(|name| self.document_in(&archive, name, item.seen_at));
        let kept = match read {
            Some(document) => Some(document.instruction),
            None => self.store.instruction(item.arrival)?.or_else(|| self.unsettled_instruction(&item)),
        };
        let Some(instruction) = kept else {
            let message = format!("the file of '{id}' is not in the archive (yet, or any more)");
            return Ok(Err(Denied::new(code::CONFLICT, message)));
        };
        // What it depends on may have been done again since.
        let depends_on = item.detail.depends_on.into_iter().map(|on| self.latest_try(on));
        let depends_on = depends_on.collect::<Result<_, _>>()?;
        let submitted = self.new_task(&NewTask {
            id: self.free_variant(id)?,
            instruction,
            title: Some(item.title),
            priority: Some(item.priority),
            from: Some(item.detail.from),
            to: self.identity.bot.clone(),
            created: Stamp::now(),
            limit: Some(item.detail.limit),
            interruptible: Some(item.detail.interruptible),
            depends_on,
            retry_of: Some(id.clone()),
        })?;
        Ok(submitted)
    }

    /// What a task that has ended without a start was to do, while its file is on the way to the archive.
    fn unsettled_instruction(&self, item: &Item) -> Option<String> {
        let (hive, bot) = (&self.identity.hive, &self.identity.bot);
        let name = item.file.as_ref().filter(|_| !item.settled)?;
        // In this order: what is moved between the two looks is found by the second.
        [hive.tasks(bot), hive.archive(bot)].into_iter().find_map(|directory| {
            let document = self.document_in(&directory, name, item.seen_at)?;
            // Another file may have taken its name.
            (document.digest() == item.digest).then_some(document.instruction)
        })
    }

    /// The latest of the tasks that repeat one which did not end well, each the one before; itself if there is none.
    fn latest_try(&self, id: ItemId) -> Result<ItemId, StoreError> {
        let mut latest = id;
        while let Some(item) = self.store.item(&latest)? {
            if !item.status.is_final() || item.status == Status::Completed {
                break;
            }
            let variant = |number| latest.with_suffix(&format!(".r{number}"));
            let free =
                first_free(|number| Ok::<_, StoreError>(self.store.item(&variant(number))?.is_some()))?;
            let Some(next) = self.store.item(&variant(free - 1))? else { break };
            // Tasks that only look like one, or say so of each other in their files, lead nowhere.
            if next.detail.retry_of.as_ref() != Some(&latest) || next.arrival <= item.arrival {
                break;
            }
            latest = next.id;
        }
        Ok(latest)
    }

    fn cancel(&mut self, id: &ItemId) -> Answered<()> {
        Ok(match self.feed(Event::Cancel(id.clone()))? {
            Some(Reply::Refused(refusal)) => match self.store.item(id)? {
                // Cancelling what is cancelled is fine.
                Some(item) if item.status == Status::Cancelled => Ok(()),
                Some(_) | None => Err(self.explain(id, refusal)?),
            },
            _ => Ok(()),
        })
    }

    fn prioritize(&mut self, id: &ItemId, priority: Priority) -> Answered<()> {
        if let Some(Reply::Refused(refusal)) = self.feed(Event::Prioritize(id.clone(), priority))? {
            return Ok(Err(self.explain(id, refusal)?));
        }
        if let Some(mut item) = self.store.item(id)? {
            item.priority = priority;
            self.store.put_item(&mut item)?;
            self.store.put_entry(self.task_entry(&item, self.told_so_far(id)?), false)?;
        }
        Ok(Ok(()))
    }

    fn interrupt(&mut self) -> Answered<()> {
        let current = self.core.occupant(self.now()).map(|occupant| occupant.item);
        if let Some(Reply::Refused(refusal)) = self.feed(Event::Interrupt)? {
            return Ok(Err(refusal.into()));
        }
        self.control_entry("interrupted", "", current.as_ref())?;
        Ok(Ok(()))
    }

    fn resume(&mut self) -> Answered<()> {
        if let Err(error) = PauseFile::remove(&self.identity.hive.pause_file(&self.identity.bot)) {
            return Ok(Err(unavailable("the pause file cannot be removed", &error)));
        }
        self.set_user_pause(None, false)?;
        Ok(Ok(()))
    }

    /// Why the coordinator does not know an item that somebody means.
    fn explain(&self, id: &ItemId, refusal: Refusal) -> Result<Denied, StoreError> {
        if refusal != Refusal::Unknown {
            return Ok(refusal.into());
        }
        Ok(match self.store.item(id)? {
            Some(item) if item.status.is_final() => {
                Denied::new(code::ALREADY_FINAL, format!("'{id}' is {} already", item.status))
            }
            Some(item) => {
                Denied::new(code::CONFLICT, format!("'{id}' is {}, which does not allow that", item.status))
            }
            None => Denied::unknown(id),
        })
    }

    fn pause(&mut self, request: PauseRequest) -> Answered<()> {
        let reason =
            request.reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        let pause = PauseFile { scope: request.scope, reason };
        if let Err(error) = pause.write(&self.identity.hive, &self.identity.bot) {
            return Ok(Err(unavailable("the pause file cannot be written", &error)));
        }
        self.set_user_pause(Some(pause), request.now)?;
        Ok(Ok(()))
    }

    /// Looks at the control files: they are the truth, whoever made them.
    pub(super) fn look_at_controls(&mut self) -> Result<(), StoreError> {
        let (hive, bot) = (self.identity.hive.clone(), self.identity.bot.clone());
        self.set_user_pause(PauseFile::read(&hive.pause_file(&bot)), false)?;
        if hive.stop_file(&bot).symlink_metadata().is_ok() && !self.core.is_stopping() {
            tracing::info!("the stop file is there: stopping");
            self.feed(Event::Stop { drain: false })?;
        }
        Ok(())
    }

    /// The one way in which the user's pause changes, through whichever door it comes.
    fn set_user_pause(&mut self, pause: Option<PauseFile>, now: bool) -> Result<(), StoreError> {
        let changed = self.user_pause != pause;
        if !changed && !now {
            return Ok(());
        }
        self.user_pause.clone_from(&pause);
        let Some(pause) = pause else {
            self.feed(Event::Resume(PauseCause::User))?;
            tracing::info!("resumed");
            return self.control_entry("resumed", "", None);
        };
        let at_once = now || self.is_held_up();
        self.feed(Event::Pause { cause: PauseCause::User, scope: pause.scope, now: at_once })?;
        if !changed {
            return Ok(());
        }
        tracing::info!(scope = %pause.scope, now, reason = pause.reason, "paused");
        let reason = pause.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        self.control_entry("paused", &format!("{}{reason}", pause.scope), None)
    }

    /// The tasks that have not ended, in the order in which they will run: what holds the slot, what gave way, those
    /// that could start, those that could not yet.
    fn listing(&self, after: Option<&ItemId>, limit: usize) -> Listing {
        let now = self.now();
        let current = self.core.occupant(now).filter(|occupant| occupant.source == Source::File);
        let running = current.map(|o| Place { id: o.item, status: Status::Running, position: None });
        let suspended =
            self.core.suspended().map(|o| Place { id: o.item, status: Status::Suspended, position: None });
        let ready = self.core.in_order().enumerate().map(|(index, id)| Place {
            id: id.clone(),
            status: Status::Queued,
            position: Some(index + 1),
        });
        let total =
            usize::from(running.is_some()) + usize::from(suspended.is_some()) + self.core.waiting_tasks();
        let mut held_back: Vec<&ItemId> = self.core.held_back().map(|(id, _)| id).collect();
        held_back.sort_unstable();
        let held_back = held_back.into_iter().map(|id| Place {
            id: id.clone(),
            status: self.core.status_of(id).unwrap_or(Status::Queued),
            position: None,
        });
        let mut all = running.into_iter().chain(suspended).chain(ready).chain(held_back);
        if let Some(after) = after {
            all.find(|place| &place.id == after);
        }
        let places = all.take(limit).collect();
        Listing { places, total }
    }

    fn place(&self, id: &ItemId) -> Option<Place> {
        let status = self.core.status_of(id)?;
        let among_tasks = || self.core.in_order().position(|other| other == id).map(|index| index + 1);
        let position = self.core.place_of_chat(id).or_else(among_tasks);
        Some(Place { id: id.clone(), status, position })
    }

    /// Whether an id is in use on this bot: by an item, by an entry, or by a response of an earlier ledger.
    pub(super) fn is_taken(&self, id: &ItemId) -> Result<bool, StoreError> {
        let is_reserved = match id.as_str().strip_suffix("-reply").map(ItemId::parse) {
            Some(Ok(prompt)) => self.store.item(&prompt)?.is_some(),
            Some(Err(_)) | None => is_control_id(id),
        };
        Ok(is_reserved
            || self.store.item(id)?.is_some()
            || self.store.entry(id.as_str())?.is_some()
            || self.has_response(id))
    }

    /// The id itself if it is free, else the next of `ID.r2`, `ID.r3`, … that is.
    pub(super) fn free_variant(&self, id: &ItemId) -> Result<ItemId, StoreError> {
        if !self.is_taken(id)? {
            return Ok(id.clone());
        }
        let variant = |number| id.with_suffix(&format!(".r{number}"));
        Ok(variant(first_free(|number| self.is_taken(&variant(number)))?))
    }
}

/// Whether an id is of the form that control acts have on the timeline.
pub(super) fn is_control_id(id: &ItemId) -> bool {
    id.as_str().strip_prefix("CTL-").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn unavailable(what: &str, error: &std::io::Error) -> Denied {
    Denied::new(code::UNAVAILABLE, format!("{what}: {error}"))
}
