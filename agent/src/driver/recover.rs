//! Where the last life of the bot left off (SPEC 12).

use hive_shared::api::code;
use hive_shared::chat::{AcceptedState, TurnEvent, WaitReason};
use hive_shared::work::{Source, Status, WhenBusy};

use super::ends::Ending;
use super::{Driver, FirstScan};
use crate::adapter::process;
use crate::coordinator::{ChatSpec, Event};
use crate::ledger::Loss;
use crate::outbox::{Job, TaskFile};
use crate::store::{Item, Salvaged, StoreError};
use crate::turn::{Told, content_of};

impl Driver {
    pub(super) fn recover(&mut self, damage: Option<Loss>) -> Result<(), StoreError> {
        let unsettled = self.store.unsettled()?;
        let runs = unsettled.iter().filter(|item| item.is_under_way()).count();
        let swept = process::sweep_leftovers(&self.identity.mark);
        if runs > 0 || swept > 0 {
            tracing::warn!(runs, processes = swept, "an earlier life ended in the middle of its work");
        }
        if self.store.is_new() {
            self.first_scan = FirstScan::Answered(self.names_answered()?);
            self.rebuild(damage.as_ref().map(|loss| loss.what.as_str()))?;
        }
        self.control_entry("started", &format!("hive-agent {}", env!("CARGO_PKG_VERSION")), None)?;
        self.forget_open_approvals()?;
        for item in unsettled {
            self.remember_file(&item);
            if !item.status.is_final() && self.has_ended_by_its_response(&item)? {
                continue;
            }
            match (item.status.is_final(), item.source) {
                (true, _) => self.settle_again(item)?,
                (false, Source::File | Source::Control) => self.requeue_after_crash(item)?,
                (false, Source::Chat) if item.is_under_way() => self.chat_was_cut(item)?,
                (false, Source::Chat) => self.chat_waits_for_its_client(&item)?,
            }
        }
        damage.into_iter().flat_map(|loss| loss.prompts).try_for_each(|prompt| self.prompt_again(prompt))?;
        self.look_at_controls()
    }

    /// A prompt that waited in a ledger that was lost: its client comes back, as after a crash, or it is cancelled.
    fn prompt_again(&mut self, salvaged: Salvaged) -> Result<(), StoreError> {
        let Salvaged { mut item, instruction, .. } = salvaged;
        if self.store.item(&item.id)?.is_some() {
            return Ok(());
        }
        let message = instruction.unwrap_or_default();
        item.arrival = 0;
        self.store.put_item(&mut item)?;
        self.store.put_entry(self.prompt_entry(&item, &message), true)?;
        self.store.put_instruction(item.arrival, message)?;
        self.chat_waits_for_its_client(&item)
    }

    fn remember_file(&mut self, item: &Item) {
        if let Some(name) = &item.file
            && let Some(fingerprint) = item.known_file()
        {
            self.files.insert(name, fingerprint, item.id.clone());
        }
    }

    /// The item had ended; whether its response was published and its file archived is not known, so both are done
    /// again.
    pub(super) fn settle_again(&mut self, item: Item) -> Result<(), StoreError> {
        let response = match self.store.body(item.arrival)? {
            Some(document) => {
                let name = item.response_file.clone();
                Some((
                    name.unwrap_or_else(|| hive_shared::paths::Hive::response_name(&item.id)),
                    document.into(),
                ))
            }
            None => None,
        };
        let file = TaskFile::of(&item);
        self.jobs.push(Job { arrival: item.arrival, id: item.id, response, file, complete: None });
        Ok(())
    }

    fn requeue_after_crash(&mut self, mut item: Item) -> Result<(), StoreError> {
        if item.is_under_way() {
            item.status = Status::Queued;
            item.used = std::time::Duration::ZERO;
            self.store.put_item(&mut item)?;
            // Until it starts anew, it shows what it had come to.
            let (content, content_truncated) = content_of(&self.store.partial(item.arrival)?);
            let told = Told { content, content_truncated, steps: self.steps_of(item.id.as_str())? };
            self.store.put_entry(self.task_entry(&item, told), false)?;
        }
        self.enqueue(&item)
    }

    /// A chat turn that ran is never run again: what it had said is its response.
    fn chat_was_cut(&mut self, item: Item) -> Result<(), StoreError> {
        let said = self.store.partial(item.arrival)?.into();
        let error = Some("the daemon died in the middle of the answer".to_owned());
        let error_code = Some(code::CRASHED.to_owned());
        let steps = self.steps_of(&format!("{}-reply", item.id))?;
        self.end(
            item,
            Ending { status: Status::Incomplete, error, error_code, said, note: String::new(), steps },
        )
    }

    fn chat_waits_for_its_client(&mut self, item: &Item) -> Result<(), StoreError> {
        let turn = self.chat_turn(&item.id);
        turn.began_in_an_earlier_life();
        let reason = Some(WaitReason::Detached);
        turn.tell(TurnEvent::Accepted { state: AcceptedState::Queued, position: None, reason });
        let spec = ChatSpec {
            id: item.id.clone(),
            limit: item.detail.limit,
            when_busy: item.detail.when_busy.unwrap_or(WhenBusy::Auto),
            detached: true,
        };
        self.feed(Event::ChatArrived(spec)).map(|_| ())
    }
}
