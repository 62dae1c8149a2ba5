//! What runs report.

use super::Driver;
use super::keep::Kept;
use crate::adapter::Report;
use crate::coordinator::{Ended, Event, RunId};
use crate::store::StoreError;

impl Driver {
    pub(super) fn run_reports(&mut self, run: RunId, report: Report) -> Result<(), StoreError> {
        match report {
            Report::Suspended => {
                while self.keep_text_of(run)? == Kept::Some {}
                self.feed(Event::RunSuspended(run))?;
            }
            Report::HeldUp(why) => self.held_up(run, why)?,
            Report::Asked(question) => self.asked(run, question)?,
            Report::Unasked(key) => self.unasked(run, key)?,
            Report::Session(id) => {
                if let Some(live) = self.runs.get(&run) {
                    let (source, name) = (live.source, live.session.clone());
                    self.store.put_agent_session(source, &name, Some(id))?;
                }
            }
            Report::Ended(outcome) => {
                self.withdraw_approvals(run, "the agent is done")?;
                let how = match outcome.result {
                    Ok(()) => Ended::Well,
                    Err(_) => Ended::Badly,
                };
                self.outcomes.insert(run, outcome);
                self.feed(Event::RunEnded { run, how })?;
                self.runs.remove(&run);
                self.outcomes.remove(&run);
                self.changes.remove(&run);
            }
        }
        Ok(())
    }
}
