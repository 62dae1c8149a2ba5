//! From the coordinator's actions to writes and effects.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hive_shared::chat::{AcceptedState, TurnEvent, notice};
use hive_shared::ids::ItemId;
use hive_shared::task::{self, MAX_TASK_BYTES};
use hive_shared::time::{Stamp, show_duration};
use hive_shared::work::{Source, Status};

use super::{Driver, Effect, LiveRun};
use crate::adapter::{Control, RunSpec};
use crate::coordinator::{Action, Ended, Event, Reply, RunId, Rung, SLOW};
use crate::failpoint;
use crate::store::{Item, StoreError};
use crate::turn::{Position, Told, Turn};
use crate::untrusted;

/// What came of an action.
pub(super) enum Performed {
    Done,
    Reply(Reply),
    /// The coordinator has to know of this.
    Follow(Event),
}

/// What an item is to be told.
enum Instruction {
    Is(String),
    /// Its file cannot be read for now, is gone, or is another than the inbox has read: the inbox tells more of it.
    NotYet,
    /// It has no file that could tell.
    Never,
}

impl Driver {
    pub(super) fn perform(&mut self, action: Action) -> Result<Performed, StoreError> {
        match action {
            Action::Start { run, item, source } => return self.start(run, &item, source),
            Action::Suspend { run } => {
                self.gives_way(run, "the task gives way, and will ask again")?;
                self.control(run, Control::Suspend);
            }
            Action::Resume { run, item } => {
                if let Some(live) = self.runs.get_mut(&run) {
                    live.gives_way = false;
                }
                self.control(run, Control::Resume);
                self.set_status(&item, Status::Running)?;
                failpoint::pass("resumed");
                tracing::info!(task = %item, "resumed");
                self.control_entry("task resumed", "", Some(&item))?;
            }
            Action::Signal { run, rung } => {
                self.gives_way(run, "the work is being ended")?;
                let control = match rung {
                    Rung::Cancel => Control::Cancel,
                    Rung::Terminate => Control::Terminate,
                    Rung::Kill => Control::Kill,
                };
                self.control(run, control);
            }
            Action::Suspended { item, to_chat, preemptions, used } => {
                self.suspended(&item, to_chat.as_ref(), preemptions, used)?;
            }
            Action::Finish { item, source, run, verdict, used, preemptions } => {
                self.finish(&item, source, run, &verdict, used, preemptions)?;
            }
            Action::Requeue { item } => self.requeue(&item)?,
            Action::Blocked { item, on } => {
                let names: Vec<&str> = on.iter().map(ItemId::as_str).collect();
                self.block(&item, Some(format!("waits for {}", names.join(", "))))?;
            }
            Action::Unblocked { item } => self.block(&item, None)?,
            Action::Slow { chat } => {
                let message = format!("no answer yet after {}; still at it", show_duration(SLOW));
                self.notify(&chat, notice::SLOW, message);
            }
            Action::Reply(reply) => return Ok(Performed::Reply(reply)),
            Action::Halt => self.halted = true,
        }
        Ok(Performed::Done)
    }

    fn start(&mut self, run: RunId, id: &ItemId, source: Source) -> Result<Performed, StoreError> {
        let Some(mut item) = self.store.item(id)? else {
            tracing::error!(item = %id, "an item to be started is not in the ledger");
            return Ok(Performed::Follow(Event::RunEnded { run, how: Ended::Badly }));
        };
        let instruction = match self.instruction_of(&item)? {
            Instruction::Is(text) => text,
            Instruction::NotYet => return Ok(Performed::Follow(Event::RunWithdrawn(run))),
            Instruction::Never => {
                tracing::error!(item = %id, "nobody knows what an item to be started is to be told");
                return Ok(Performed::Follow(Event::RunEnded { run, how: Ended::Badly }));
            }
        };
        let now = Stamp::now();
        let run_id = self.identity.mark.run_id(ItemId::generate("RUN", now.timestamp()).as_str());
        item.status = Status::Running;
        item.attempts += 1;
        item.run = Some(run_id.clone());
        item.started_at = Some(now);
        item.detail.blocked_reason = None;
        self.store.forget_partial(item.arrival)?;
        self.store.put_item(&mut item)?;
        let turn = match source {
            Source::File | Source::Control => {
                self.store.put_instruction(item.arrival, instruction.clone())?;
                self.store.put_entry(self.task_entry(&item, Told::default()), false)?;
                let turn = Turn::of_task(id.clone(), self.max_output());
                self.hub.add_turn(Arc::clone(&turn));
                turn
            }
            Source::Chat => {
                self.store.put_entry(self.prompt_entry(&item, &instruction), false)?;
                self.store.put_entry(self.reply_entry(&item, Told::default()), false)?;
                let turn = self.chat_turn(id);
                self.effects.push(Effect::Tell { turn: Arc::clone(&turn), event: TurnEvent::ResponseStart });
                turn
            }
        };
        turn.started_at(self.store.seq());
        tracing::info!(item = %id, source = %source, attempt = item.attempts, run = run_id, "started");
        let session = item.detail.session.clone().unwrap_or_else(|| id.to_string());
        let agent_session = self.store.agent_session(source, &session)?;
        let earlier = match (self.adapter.conversation_bytes(), &item.detail.session) {
            (Some(bytes), Some(session)) => self.earlier_in(session, bytes)?,
            (Some(_) | None, _) => Vec::new(),
        };
        let spec = RunSpec {
            run_id,
            bot: self.identity.bot.clone(),
            item: id.clone(),
            source,
            agent_session,
            goes_on: item.attempts > 1,
            session: session.clone(),
            earlier,
            instruction,
            workdir: self.identity.workdir.clone(),
        };
        let live = LiveRun {
            arrival: item.arrival,
            title: item.title,
            started_at: now,
            source,
            session,
            turn,
            prompted_at: (source == Source::Chat).then_some(item.seen_at),
            run: None,
            kept: Position::default(),
            used: (item.used, now),
            steps_version: 0,
            held_up: None,
            gives_way: false,
            undecided: VecDeque::new(),
            questions: 0,
        };
        self.runs.insert(run, live);
        failpoint::pass("started");
        self.effects.push(Effect::Start { run, spec });
        Ok(Performed::Done)
    }

    /// What an item is to be told: of a task, its file as the inbox has read it, or what an earlier attempt was told if
    /// that is not there any more. A file that is being written is not read before the inbox finds it complete.
    fn instruction_of(&self, item: &Item) -> Result<Instruction, StoreError> {
        let Some(file) = item.file.as_ref().filter(|_| item.source == Source::File) else {
            return Ok(self.store.instruction(item.arrival)?.map_or(Instruction::Never, Instruction::Is));
        };
        let path = self.identity.hive.tasks(&self.identity.bot).join(file);
        let known = item.known_file();
        match untrusted::read_if(&path, MAX_TASK_BYTES + 1, |now| known.is_none_or(|known| *now == known)) {
            Ok(Some(bytes)) => {
                if let Ok(document) = task::read(&bytes, &self.reading(file, Stamp::now())) {
                    return Ok(Instruction::Is(document.instruction));
                }
            }
            Ok(None) => {
                tracing::warn!(item = %item.id, file, "its file is not as it was read; waiting for that");
            }
            Err(error) => tracing::warn!(item = %item.id, file, %error, "its file cannot be read for now"),
        }
        Ok(self.store.instruction(item.arrival)?.map_or(Instruction::NotYet, Instruction::Is))
    }

    pub(super) fn control(&mut self, run: RunId, control: Control) {
        self.effects.push(Effect::Control { run, control });
    }

    fn suspended(
        &mut self,
        id: &ItemId,
        to_chat: Option<&ItemId>,
        preemptions: u32,
        used: std::time::Duration,
    ) -> Result<(), StoreError> {
        let Some(mut item) = self.store.item(id)? else { return Ok(()) };
        item.status = Status::Suspended;
        item.preemptions = preemptions;
        item.used = used;
        self.store.put_item(&mut item)?;
        self.store.put_entry(self.task_entry(&item, self.told_so_far(id)?), false)?;
        let Some(chat) = to_chat else {
            return self.control_entry("task suspended", "for a pause", Some(id));
        };
        tracing::info!(task = %id, chat = %chat, preemptions, "preempted");
        self.hub.tally().preemptions.fetch_add(1, Ordering::Relaxed);
        failpoint::pass("suspended");
        self.notify(chat, notice::SUSPENDED, format!("{id} is suspended for you, and will resume"));
        self.control_entry("preempted", &format!("for {chat}"), Some(id))
    }

    /// The task has to wait again: this life of the bot ends before it could finish it.
    fn requeue(&mut self, id: &ItemId) -> Result<(), StoreError> {
        let Some(mut item) = self.store.item(id)? else { return Ok(()) };
        item.status = Status::Queued;
        item.attempts = item.attempts.saturating_sub(1);
        item.used = std::time::Duration::ZERO;
        self.store.forget_partial(item.arrival)?;
        self.store.put_item(&mut item)?;
        // Until it starts anew, it shows what it had come to.
        let told = self.told_so_far(id)?;
        if let Some(turn) = self.hub.turn(id) {
            turn.close();
            self.hub.end_turn(id, false);
        }
        self.store.put_entry(self.task_entry(&item, told), false)
    }

    fn block(&mut self, id: &ItemId, reason: Option<String>) -> Result<(), StoreError> {
        let Some(mut item) = self.store.item(id)? else { return Ok(()) };
        let status = if reason.is_some() { Status::Blocked } else { Status::Queued };
        if item.status == status && item.detail.blocked_reason == reason {
            return Ok(());
        }
        item.status = status;
        item.detail.blocked_reason = reason;
        self.store.put_item(&mut item)?;
        self.store.put_entry(self.task_entry(&item, self.told_so_far(id)?), false)
    }

    fn set_status(&mut self, id: &ItemId, status: Status) -> Result<(), StoreError> {
        let Some(mut item) = self.store.item(id)? else { return Ok(()) };
        item.status = status;
        self.store.put_item(&mut item)?;
        self.store.put_entry(self.task_entry(&item, self.told_so_far(id)?), false)
    }

    /// What the entry of a task tells by now: of one that has no turn, what it told last.
    pub(super) fn told_so_far(&self, id: &ItemId) -> Result<Told, StoreError> {
        match self.hub.turn(id) {
            Some(turn) => Ok(turn.told()),
            None => Ok(self.store.entry(id.as_str())?.map(Told::from).unwrap_or_default()),
        }
    }

    pub(super) fn notify(&mut self, chat: &ItemId, code: &str, message: String) {
        if let Some(turn) = self.hub.turn(chat) {
            self.effects
                .push(Effect::Tell { turn, event: TurnEvent::Notice { code: code.to_owned(), message } });
        }
    }

    /// Tells a prompt's listeners that it is on the record.
    pub(super) fn accept(&mut self, turn: Arc<Turn>, reply: &Reply) {
        let (state, position, reason) = match reply {
            Reply::Queued { position, reason } => (AcceptedState::Queued, Some(*position), Some(*reason)),
            Reply::Started | Reply::Done | Reply::Refused(_) => (AcceptedState::Started, None, None),
        };
        let event = TurnEvent::Accepted { state, position, reason };
        // Before the `response_start` that the same event may have brought.
        let place = self
            .effects
            .iter()
            .position(|effect| matches!(effect, Effect::Tell { turn: told, .. } if Arc::ptr_eq(told, &turn)))
            .unwrap_or(self.effects.len());
        self.effects.insert(place, Effect::Tell { turn, event });
    }
}
