//! What agents ask permission for (SPEC 7): the policy answers, or the request waits at the desk for a person.

use std::sync::Arc;
use std::time::Duration;

use hive_shared::api::{Approval, Entry, code};
use hive_shared::chat::{ApprovalOption, TurnEvent, notice};
use hive_shared::ids::ItemId;
use hive_shared::time::{Stamp, show_duration};
use hive_shared::work::{Kind, Source, Status};

use super::{Driver, Effect, Message};
use crate::adapter::{Answer, Control, Question};
use crate::approval::{Closed, Open, Refused, Verdict, choose, shown, with_denial};
use crate::coordinator::{Event, RunId};
use crate::request::Denied;
use crate::store::StoreError;
use crate::untrusted::cut;

/// The most requests of one run that wait at a time: nobody reads more.
const MAX_OPEN: usize = 100;
/// The most requests of one run that are put before people or on the timeline.
const MAX_RECORDED: usize = 2_000;

/// How much of a title is logged of one that nobody reads, in bytes.
const MAX_TITLE: usize = 200;

/// How a request was settled.
enum Settled<'a> {
    /// A person has chosen.
    Chosen(&'a ApprovalOption),
    /// The deadline has denied it.
    Expired,
    /// The run does not wait for it any more.
    Withdrawn(&'static str),
}

impl Driver {
    /// An agent asks. Its requests are decided in their order, whichever of them takes a look at paths.
    pub(super) fn asked(&mut self, run: RunId, question: Question) -> Result<(), StoreError> {
        // What gives way asks anew when it goes on.
        let Some(live) = self.runs.get_mut(&run).filter(|live| !live.gives_way) else { return Ok(()) };
        if live.undecided.len() >= MAX_OPEN {
            self.deny_unheard(run, &question);
            return Ok(());
        }
        live.undecided.push_back(Arc::new(question));
        // What is ahead of it is being looked at.
        if live.undecided.len() > 1 { Ok(()) } else { self.decide_next(run) }
    }

    /// It is known whether the request that was looked at is on the list of what needs no question.
    pub(super) fn looked(&mut self, run: RunId, key: u64, is_listed: bool) -> Result<(), StoreError> {
        let Some(live) = self.runs.get_mut(&run) else { return Ok(()) };
        // It may have been withdrawn meanwhile.
        if live.undecided.front().is_none_or(|question| question.key != key) {
            return Ok(());
        }
        if let Some(question) = live.undecided.pop_front() {
            self.decide(run, question, is_listed)?;
        }
        self.decide_next(run)
    }

    /// Decides on the requests of a run up to one that takes a look at paths.
    fn decide_next(&mut self, run: RunId) -> Result<(), StoreError> {
        loop {
            let Some(live) = self.runs.get_mut(&run) else { return Ok(()) };
            let Some(question) = live.undecided.front().cloned() else { return Ok(()) };
            if self.policy.needs_a_look(live.source, &question) {
                let (mail, key) = (self.mail.clone(), question.key);
                // Nobody listens any more only when the driver has ended.
                let then = move |is_listed| drop(mail.send(Message::Looked { run, key, is_listed }));
                self.lookout.look(&self.runtime, question, then);
                return Ok(());
            }
            live.undecided.pop_front();
            self.decide(run, question, false)?;
        }
    }

    fn decide(&mut self, run: RunId, question: Arc<Question>, is_listed: bool) -> Result<(), StoreError> {
        let Some(live) = self.runs.get_mut(&run) else { return Ok(()) };
        let verdict = self.policy.decide(live.source, is_listed);
        let question = shown(Arc::unwrap_or_clone(question));
        if verdict == Verdict::Allow
            && let Some(option) = choose(&question.options, true)
        {
            tracing::info!(title = question.title, kind = question.kind, "allowed by the policy");
            let answer = Answer { key: question.key, option: Some(option.id.clone()) };
            self.control(run, Control::Answer(answer));
            return Ok(());
        }
        live.questions += 1;
        if live.questions > MAX_RECORDED || self.desk.count(run) >= MAX_OPEN {
            self.deny_unheard(run, &question);
            return Ok(());
        }
        match verdict {
            Verdict::Deny => self.deny(run, &question, "denied by the policy")?,
            Verdict::Ask | Verdict::Allow if question.options.is_empty() => {
                self.deny(run, &question, "denied: the agent offers nothing to choose")?;
            }
            // Of what may only be allowed for good, a person decides.
            Verdict::Ask | Verdict::Allow => self.ask_people(run, question)?,
        }
        Ok(())
    }

    /// Denies what is too much to be read by anybody.
    fn deny_unheard(&mut self, run: RunId, question: &Question) {
        let title = cut(&question.title, MAX_TITLE);
        let item = self.runs.get(&run).map(|live| live.turn.id().as_str());
        tracing::warn!(item, title, "denied: the agent asks too much");
        let option = choose(&question.options, false).map(|option| option.id.clone());
        self.control(run, Control::Answer(Answer { key: question.key, option }));
    }

    /// Denies a request that no person is asked about.
    fn deny(&mut self, run: RunId, question: &Question, why: &str) -> Result<(), StoreError> {
        let entry = self.approval_entry(run, question);
        self.store.put_entry(settled_entry(entry, Status::Cancelled, code::DENIED, why.to_owned()), true)?;
        tracing::info!(title = question.title, kind = question.kind, "{why}");
        self.tell_of_approval(run, &question.title, why);
        let option = choose(&question.options, false).map(|option| option.id.clone());
        self.control(run, Control::Answer(Answer { key: question.key, option }));
        Ok(())
    }

    /// Tells whoever listens to the run what became of a request.
    fn tell_of_approval(&mut self, run: RunId, title: &str, message: &str) {
        if let Some(live) = self.runs.get(&run) {
            let message = format!("{title}: {message}");
            let event = TurnEvent::Notice { code: notice::APPROVAL.to_owned(), message };
            self.effects.push(Effect::Tell { turn: Arc::clone(&live.turn), event });
        }
    }

    fn ask_people(&mut self, run: RunId, question: Question) -> Result<(), StoreError> {
        let Some(live) = self.runs.get(&run) else { return Ok(()) };
        let (id, source, turn) = (live.turn.id().clone(), live.source, Arc::clone(&live.turn));
        let entry = self.approval_entry(run, &question);
        let entry_id = entry.entry_id.clone();
        let Ok(approval_id) = ItemId::parse(&entry_id) else { return Ok(()) };
        let timeout = self.settings.approval_timeout;
        let requested_at = Stamp::now();
        let micros = i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX);
        let (options, denial) = with_denial(question.options);
        let approval = Approval {
            approval_id: approval_id.clone(),
            bot_id: self.identity.bot.clone(),
            id,
            source,
            title: question.title,
            kind: question.kind,
            locations: question.locations,
            options,
            requested_at,
            deadline: Stamp::from_micros(requested_at.as_micros().saturating_add(micros)),
        };
        self.store.put_entry(entry, false)?;
        tracing::info!(approval = %approval_id, title = approval.title, kind = approval.kind, "the agent asks");
        self.effects.push(Effect::Tell {
            turn,
            event: TurnEvent::ApprovalRequest {
                approval_id,
                title: approval.title.clone(),
                options: approval.options.clone(),
                deadline: approval.deadline,
            },
        });
        let deadline = self.now() + timeout;
        let is_first = self.desk.take(Open { approval, run, key: question.key, deadline, entry_id, denial });
        // Whoever asks has said something.
        self.feed(Event::RunSpoke(run))?;
        if is_first {
            self.feed(Event::ClockStopped(run))?;
        }
        Ok(())
    }

    /// An agent does not want to know any more.
    pub(super) fn unasked(&mut self, run: RunId, key: u64) -> Result<(), StoreError> {
        if let Some(closed) = self.desk.withdraw(run, key) {
            return self.settle_approval(&closed, &Settled::Withdrawn("the agent took it back"));
        }
        let Some(live) = self.runs.get_mut(&run) else { return Ok(()) };
        let was_looked_at = live.undecided.front().is_some_and(|question| question.key == key);
        live.undecided.retain(|question| question.key != key);
        if was_looked_at { self.decide_next(run) } else { Ok(()) }
    }

    /// A run is asked to yield or to end: what it asked is void, and what it asks on its way is not heard.
    pub(super) fn gives_way(&mut self, run: RunId, why: &'static str) -> Result<(), StoreError> {
        if let Some(live) = self.runs.get_mut(&run) {
            live.gives_way = true;
        }
        self.withdraw_approvals(run, why)
    }

    /// Nobody waits for the answers to a run's questions any more.
    pub(super) fn withdraw_approvals(&mut self, run: RunId, why: &'static str) -> Result<(), StoreError> {
        if let Some(live) = self.runs.get_mut(&run) {
            live.undecided.clear();
        }
        for closed in self.desk.withdraw_all(run) {
            // Its clock is of no more use; a run that resumes has a new one.
            let closed = Closed { run_goes_on: false, ..closed };
            self.settle_approval(&closed, &Settled::Withdrawn(why))?;
        }
        Ok(())
    }

    /// Denies what nobody has answered in time.
    pub(super) fn expire_approvals(&mut self) -> Result<(), StoreError> {
        for closed in self.desk.expire(self.now()) {
            self.settle_approval(&closed, &Settled::Expired)?;
        }
        Ok(())
    }

    /// A person answers.
    pub(super) fn approve(
        &mut self,
        id: &ItemId,
        option: &str,
    ) -> Result<Result<Approval, Denied>, StoreError> {
        match self.desk.answer(id, option) {
            Ok((closed, chosen)) => {
                let approval = closed.open.approval.clone();
                self.settle_approval(&closed, &Settled::Chosen(&chosen))?;
                Ok(Ok(approval))
            }
            Err(refused @ Refused::NoSuchOption { .. }) => {
                Ok(Err(Denied::new(code::BAD_REQUEST, refused.to_string())))
            }
            Err(Refused::Unknown(_)) => Ok(Err(self.not_waiting(id)?)),
        }
    }

    fn not_waiting(&self, id: &ItemId) -> Result<Denied, StoreError> {
        let entry = self.store.entry(id.as_str())?.filter(|entry| entry.title.as_deref() == Some(APPROVAL));
        Ok(match entry {
            Some(entry) => {
                let how = entry.error.unwrap_or_else(|| "it was answered".to_owned());
                Denied::new(code::ALREADY_FINAL, format!("{id} does not wait any more: {how}"))
            }
            None => Denied::new(code::NOT_FOUND, Refused::Unknown(id.clone()).to_string()),
        })
    }

    fn settle_approval(&mut self, closed: &Closed, settled: &Settled<'_>) -> Result<(), StoreError> {
        let Open { approval, run, entry_id, .. } = &closed.open;
        let (run, title) = (*run, approval.title.clone());
        let entry = self.store.entry(entry_id)?;
        let (answer, message) = match settled {
            Settled::Chosen(option) => {
                let is_yes = option.kind.starts_with("allow");
                let message = format!("{} ({})", if is_yes { "allowed" } else { "denied" }, option.name);
                let entry = entry.map(|entry| {
                    if is_yes {
                        allowed_entry(entry, option)
                    } else {
                        settled_entry(entry, Status::Cancelled, code::DENIED, message.clone())
                    }
                });
                self.put_settled(entry)?;
                (Some(closed.answer(Some(option))), message)
            }
            Settled::Expired => {
                let after = show_duration(self.settings.approval_timeout);
                let message = format!("denied: nobody answered within {after}");
                let entry = entry
                    .map(|entry| settled_entry(entry, Status::TimedOut, code::TIMED_OUT, message.clone()));
                self.put_settled(entry)?;
                (Some(closed.answer(choose(&approval.options, false))), message)
            }
            Settled::Withdrawn(why) => {
                let message = format!("withdrawn: {why}");
                let entry = entry
                    .map(|entry| settled_entry(entry, Status::Cancelled, code::WITHDRAWN, message.clone()));
                self.put_settled(entry)?;
                (None, message)
            }
        };
        tracing::info!(approval = entry_id, title, "{message}");
        self.tell_of_approval(run, &title, &message);
        if let Some(answer) = answer {
            self.control(run, Control::Answer(answer));
        }
        if closed.run_goes_on {
            self.feed(Event::ClockStarted(run))?;
        }
        Ok(())
    }

    fn put_settled(&mut self, entry: Option<Entry>) -> Result<(), StoreError> {
        entry.map_or(Ok(()), |entry| self.store.put_entry(entry, true))
    }

    /// A request on the timeline, while it waits.
    fn approval_entry(&self, run: RunId, question: &Question) -> Entry {
        let asks = self.runs.get(&run).map(|live| live.turn.id().clone());
        let bot = self.identity.bot.clone();
        let more = question.more_locations;
        let more = (more > 0).then(|| format!("and {more} more"));
        let places: Vec<&str> = question.locations.iter().chain(&more).map(String::as_str).collect();
        let places = places.join(", ");
        let what = [question.kind.as_deref().unwrap_or_default(), &places]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(": ");
        let what = if what.is_empty() { what } else { format!(" ({what})") };
        Entry {
            title: Some(APPROVAL.to_owned()),
            content: format!("{}{what}", question.title),
            task_id: asks,
            ..Entry::new(
                bot,
                self.control_id(),
                Source::Control,
                Kind::Control,
                Status::Blocked,
                Stamp::now(),
            )
        }
    }

    /// What waited for an answer when the last life of the bot ended.
    pub(super) fn forget_open_approvals(&mut self) -> Result<(), StoreError> {
        for entry in self.store.waiting_controls()? {
            let message = "withdrawn: the daemon died".to_owned();
            self.store.put_entry(settled_entry(entry, Status::Cancelled, code::WITHDRAWN, message), true)?;
        }
        Ok(())
    }
}

/// The title of a request on the timeline.
const APPROVAL: &str = "approval";

fn allowed_entry(entry: Entry, option: &ApprovalOption) -> Entry {
    let waited = Stamp::now().since(entry.timestamp);
    Entry {
        status: Status::Completed,
        success: Some(true),
        duration_seconds: Some(waited.as_secs_f64()),
        content: format!("{}\nallowed: {}", entry.content, option.name),
        ..entry
    }
}

fn settled_entry(entry: Entry, status: Status, code: &str, error: String) -> Entry {
    let waited = Stamp::now().since(entry.timestamp).max(Duration::ZERO);
    Entry {
        status,
        success: Some(false),
        error: Some(error),
        error_code: Some(code.to_owned()),
        duration_seconds: Some(waited.as_secs_f64()),
        ..entry
    }
}
