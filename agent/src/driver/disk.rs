//! What became durable, and a disk or a ledger that is in trouble (SPEC 12).

use hive_shared::work::Scope;

use super::Driver;
use crate::coordinator::{Event, PauseCause};
use crate::failpoint;
use crate::outbox::Note;
use crate::store::StoreError;

impl Driver {
    pub(super) fn outbox_note(&mut self, note: Note) -> Result<(), StoreError> {
        match note {
            Note::Renamed(id, name) => self.response_was_renamed(&id, name)?,
            Note::Settled(items) => {
                for settled in items {
                    if settled.archived.is_some() {
                        self.files.archived(&settled.id);
                    }
                    for (turn, event) in self.unpublished.remove(&settled.arrival).unwrap_or_default() {
                        turn.tell(event);
                    }
                    self.store.settle(settled.arrival, settled.archived)?;
                    failpoint::pass("settled");
                }
            }
            Note::Trouble(Some(problem)) => self.disk_trouble(&problem)?,
            Note::Trouble(None) => self.disk_works_again()?,
            Note::LedgerGone(put_back) => {
                self.put_ledger_back()?;
                // The outbox may have given up waiting.
                let _ = put_back.try_send(());
            }
        }
        Ok(())
    }

    /// Somebody has taken the ledger's file away, as an agent does that tidies up. All of it is still open here.
    pub(super) fn put_ledger_back(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        if !self.home.is_there() {
            // It is where the hive is.
            return Ok(());
        }
        if self.store.put_back()? {
            tracing::error!("the ledger's file was taken away: it is put back");
            self.control_entry("ledger put back", "its file had been taken away while the bot ran", None)?;
        }
        Ok(())
    }

    /// The disk does not take responses: nothing more is started until it does.
    fn disk_trouble(&mut self, problem: &str) -> Result<(), StoreError> {
        tracing::error!(problem, "the disk does not take what is to be written; pausing");
        let scope = Scope::All;
        self.feed(Event::Pause { cause: PauseCause::Disk, scope, now: self.is_held_up() })?;
        self.control_entry("paused", &format!("disk: {problem}"), None)
    }

    fn disk_works_again(&mut self) -> Result<(), StoreError> {
        tracing::info!("the disk can be written again; going on");
        self.feed(Event::Resume(PauseCause::Disk))?;
        self.control_entry("resumed", "the disk can be written again", None)
    }
}
