//! Runs whose program does not start: their items wait for it, and so do all that come after them.

use hive_shared::chat::notice;
use hive_shared::work::Source;

use super::Driver;
use crate::coordinator::{Event, Occupant, RunId};
use crate::store::StoreError;

impl Driver {
    /// A run cannot begin, for this reason, or has begun.
    pub(super) fn held_up(&mut self, run: RunId, why: Option<String>) -> Result<(), StoreError> {
        let Some(live) = self.runs.get_mut(&run) else { return Ok(()) };
        let was = std::mem::replace(&mut live.held_up, why.clone());
        let (id, source) = (live.turn.id().clone(), live.source);
        let Some(why) = why else {
            tracing::info!(item = %id, "its command has started");
            return self.feed(Event::ClockStarted(run)).map(|_| ());
        };
        if was.as_ref() != Some(&why) {
            tracing::error!(item = %id, why, "it is held up; trying until its command starts");
            self.control_entry("held up", &why, Some(&id))?;
            self.notify(&id, notice::HELD_UP, why);
        }
        if source == Source::Chat {
            // A person is not let wait without end.
            return Ok(());
        }
        self.feed(Event::RunHeldUp(run))?;
        // It would not come to its end by itself, for which both wait.
        if self.core.is_stopping() {
            return self.feed(Event::Stop { drain: false }).map(|_| ());
        }
        let pauses: Vec<_> = self.core.pauses().iter().map(|(cause, scope)| (*cause, *scope)).collect();
        for (cause, scope) in pauses {
            self.feed(Event::Pause { cause, scope, now: true })?;
        }
        Ok(())
    }

    /// Whether a task holds the slot that has not begun yet.
    pub(super) fn is_held_up(&self) -> bool {
        let occupant = self.core.occupant(self.now()).filter(|occupant| occupant.source != Source::Chat);
        let Some(Occupant { item, .. }) = occupant else { return false };
        self.runs.values().any(|live| live.held_up.is_some() && *live.turn.id() == item)
    }

    /// Why runs do not begin, for people.
    pub(super) fn held_ups(&self) -> impl Iterator<Item = String> {
        let held = self.runs.values().filter_map(|live| Some((live.turn.id(), live.held_up.as_ref()?)));
        held.map(|(id, why)| format!("{id} is held up: {why}"))
    }
}
