//! How items end: their response document, their last state in the ledger, and their way to the outbox.

use std::time::Duration;

use hive_shared::api::code;
use hive_shared::ids::ItemId;
use hive_shared::paths::Hive;
use hive_shared::time::Stamp;
use hive_shared::work::{Source, Status};

use super::{Driver, RECENT_ENDINGS};
use crate::adapter::Outcome;
use crate::changes;
use crate::coordinator::{Cause, DependencyFault, RunId, Verdict};
use crate::document::{Document, Said};
use crate::failpoint;
use crate::outbox::{Job, TaskFile};
use crate::response;
use crate::store::{Item, StoreError};
use crate::turn::{Steps, Told, content_with};

/// How an item ended.
pub(super) struct Ending {
    pub(super) status: Status,
    pub(super) error: Option<String>,
    pub(super) error_code: Option<String>,
    /// What was said.
    pub(super) said: Said,
    /// What we say after it.
    pub(super) note: String,
    /// What was done on the way.
    pub(super) steps: Steps,
}

impl Driver {
    pub(super) fn finish(
        &mut self,
        id: &ItemId,
        source: Source,
        run: Option<RunId>,
        verdict: &Verdict,
        used: Duration,
        preemptions: u32,
    ) -> Result<(), StoreError> {
        let Some(mut item) = self.store.item(id)? else {
            tracing::error!(item = %id, "an item that ended is not in the ledger");
            return Ok(());
        };
        item.used = used;
        item.preemptions = preemptions;
        let outcome = run.and_then(|run| self.outcomes.remove(&run));
        let (status, error_code, error) = match verdict {
            Verdict::AsReported => match outcome.as_ref().map(|outcome| &outcome.result) {
                Some(Ok(())) => (Status::Completed, None, None),
                Some(Err(failure)) => (Status::Failed, Some(failure.code), Some(failure.message.clone())),
                None => (
                    Status::Failed,
                    Some(code::ADAPTER_ERROR),
                    Some("the run ended without a word".to_owned()),
                ),
            },
            verdict => {
                let (status, code, message) = self.told(verdict, run.is_some(), &item);
                (status, Some(code), Some(message))
            }
        };
        if let Some(run) = run {
            self.note_changes(&mut item, run, outcome);
        }
        if *verdict == Verdict::FileRemoved {
            self.disown_file(&mut item);
        }
        let live = run.and_then(|run| self.runs.get(&run));
        let mut note = String::new();
        let (said, steps) = match (live, source) {
            (Some(live), _) => {
                let (said, is_cut) = live.turn.said();
                let mut warnings = live.turn.warnings();
                if is_cut {
                    let bound = self.settings.max_output;
                    warnings.push(format!("the output is cut at {bound} bytes (max_output)"));
                }
                for warning in &warnings {
                    note.extend(["\n\n[", warning, "]\n"]);
                }
                item.detail.warnings.extend(warnings);
                (said, live.turn.steps())
            }
            (None, Source::Chat) => (Said::default(), Steps::default()),
            // It ran in an earlier life.
            (None, Source::File | Source::Control) => {
                (self.store.partial(item.arrival)?.into(), self.steps_of(item.id.as_str())?)
            }
        };
        let error_code = error_code.map(str::to_owned);
        self.end(item, Ending { status, error, error_code, said, note, steps })
    }

    /// The steps that the timeline has of an entry.
    pub(super) fn steps_of(&self, entry_id: &str) -> Result<Steps, StoreError> {
        let entry = self.store.entry(entry_id)?;
        let steps = entry.map(|entry| Steps { list: entry.steps, truncated: entry.steps_truncated });
        Ok(steps.unwrap_or_default())
    }

    /// What a run did, as its agent and git tell it.
    fn note_changes(&mut self, item: &mut Item, run: RunId, outcome: Option<Outcome>) {
        let seen = self.changes.remove(&run).unwrap_or_default();
        let why_not = self.runs.get(&run).and_then(|live| live.run.as_ref()?.why_not());
        item.detail.no_diff = seen.no_diff.or_else(|| why_not.map(str::to_owned));
        item.detail.warnings.extend(seen.warning);
        let (reported, usage) = outcome.map(|it| (it.files_modified, it.usage)).unwrap_or_default();
        let (files, more) = changes::merge(&self.identity.workdir, reported, seen.files);
        if more > 0 {
            let all = files.len() + more;
            item.detail.warnings.push(format!("it changed {all} files; the first {} are named", files.len()));
        }
        item.files_modified = files;
        item.usage = usage;
    }

    /// Why an item ended that did not end by itself.
    fn told(&self, verdict: &Verdict, ran: bool, item: &Item) -> (Status, &'static str, String) {
        match verdict {
            Verdict::AsReported => {
                (Status::Failed, code::ADAPTER_ERROR, "the run ended without a word".to_owned())
            }
            Verdict::Cut(cause @ Cause::TimedOut) => {
                let limit = hive_shared::time::show_duration(item.detail.limit);
                (cause.status(ran), cause.code(), format!("{} of {limit}", cause.message()))
            }
            Verdict::Cut(cause) => (cause.status(ran), cause.code(), cause.message().to_owned()),
            Verdict::FileRemoved => {
                let message = "its file was taken away while it waited";
                (Status::Cancelled, code::FILE_REMOVED, message.to_owned())
            }
            Verdict::FileRejected => {
                let message = "its file was changed into something that is no task while it waited";
                (Status::Cancelled, code::FILE_REJECTED, message.to_owned())
            }
            Verdict::Dependency { on, why } => {
                let message = match why {
                    DependencyFault::Failed => format!("{on}, which it depends on, did not complete"),
                    DependencyFault::Cycle => format!("it depends on {on}, which depends on it"),
                    DependencyFault::NeverCame => {
                        let waited = hive_shared::time::show_duration(self.settings.dependency_timeout);
                        format!("{on}, which it depends on, did not come within {waited}")
                    }
                };
                (Status::Failed, code::DEPENDENCY_FAILED, message)
            }
            Verdict::TooManyAttempts => {
                let attempts = item.attempts;
                let message =
                    format!("the daemon died under it {attempts} times, and max_attempts bounds that");
                (Status::Failed, code::MAX_ATTEMPTS, message)
            }
        }
    }

    /// Makes an item final: all of it in the transaction that is open (SPEC 12, (c)).
    pub(super) fn end(&mut self, mut item: Item, ending: Ending) -> Result<(), StoreError> {
        let now = Stamp::now();
        item.status = ending.status;
        item.error = ending.error;
        item.error_code = ending.error_code;
        item.ended_at = Some(now);
        self.look_at_file(&mut item);
        let name = self.response_name(&item.id);
        item.response_file = Some(name.clone());
        let prompt = match item.source {
            Source::Chat => self.store.instruction(item.arrival)?,
            Source::File | Source::Control => None,
        };
        let (content, content_truncated) = content_with(ending.said.as_str(), &ending.note);
        let head = response::head(&item, &self.identity.bot, prompt.clone());
        let document = Document::new(head, ending.said, ending.note);
        self.store.put_item(&mut item)?;
        self.store.put_body(item.arrival, document.clone())?;
        self.store.forget_partial(item.arrival)?;
        self.store.tally(item.source, item.status)?;
        if item.source == Source::File {
            self.store.put_agent_session(Source::File, item.id.as_str(), None)?;
        }
        let told = Told { content, content_truncated, steps: ending.steps };
        match item.source {
            Source::File | Source::Control => {
                self.store.put_entry(self.task_entry(&item, told), true)?;
            }
            Source::Chat => {
                self.store.put_entry(self.prompt_entry(&item, prompt.as_deref().unwrap_or("")), false)?;
                if item.attempts > 0 {
                    self.store.put_entry(self.reply_entry(&item, told), true)?;
                }
            }
        }
        self.count(item.status);
        tracing::info!(item = %item.id, status = %item.status, code = item.error_code, error = item.error, "ended");
        failpoint::pass("ended");
        let complete = self.hub.turn(&item.id).map(|turn| (turn, item.completion()));
        self.hub.end_turn(&item.id, item.source == Source::Chat);
        self.attached.remove(&item.id);
        let file = TaskFile::of(&item);
        self.jobs.push(Job {
            arrival: item.arrival,
            id: item.id,
            response: Some((name, document)),
            file,
            complete,
        });
        Ok(())
    }

    /// The name under which a response will be published, unless another bot takes it first (SPEC 2).
    fn response_name(&self, id: &ItemId) -> String {
        let usual = Hive::response_name(id);
        if self.identity.hive.responses().join(&usual).symlink_metadata().is_ok() {
            Hive::response_name_beside_another(id, &self.identity.bot)
        } else {
            usual
        }
    }

    /// Another bot was faster with the name of a response.
    pub(super) fn response_was_renamed(&mut self, id: &ItemId, name: String) -> Result<(), StoreError> {
        for entry_id in [id.to_string(), format!("{id}-reply")] {
            if let Some(mut entry) = self.store.entry(&entry_id)?
                && entry.response_file.is_some()
            {
                entry.response_file = Some(name.clone());
                self.store.put_entry(entry, false)?;
            }
        }
        match self.store.item(id)? {
            Some(item) => self.store.put_item(&mut Item { response_file: Some(name), ..item }),
            None => Ok(()),
        }
    }

    pub(super) fn count(&mut self, status: Status) {
        match status {
            Status::Completed => self.counts.completed += 1,
            Status::Failed => self.counts.failed += 1,
            Status::Cancelled => self.counts.cancelled += 1,
            Status::TimedOut => self.counts.timed_out += 1,
            Status::Incomplete => self.counts.incomplete += 1,
            Status::Queued | Status::Blocked | Status::Running | Status::Suspended => {}
        }
        self.recent_endings.push_back(status);
        if self.recent_endings.len() > RECENT_ENDINGS {
            self.recent_endings.pop_front();
        }
    }
}
