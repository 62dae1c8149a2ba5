//! What running items have said and done so far: kept for the case that the daemon dies, and shown to followers.

use std::time::{Duration, Instant};

use hive_shared::work::Source;

use super::Driver;
use crate::coordinator::RunId;
use crate::store::{Item, StoreError};

/// How often that is.
const KEEP_EVERY: Duration = Duration::from_millis(500);
/// How many bytes of an item that says more meanwhile are kept at a time: until they are committed, they are in memory
/// once more. The rest is kept at once after that.
const KEEP_AT_A_TIME: usize = 4 << 20;
/// How often the time is kept that a run has used which gives no sign of life.
const KEEP_TIME_EVERY: Duration = Duration::from_secs(5);

/// How much of what a run has said is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Kept {
    All,
    /// There may be more.
    Some,
}

impl Driver {
    /// Keeps what running items have said and done so far, so that a crash does not lose it and followers see it.
    pub(super) fn keep_what_was_said(&mut self) -> Result<(), StoreError> {
        // What is suspended was kept when it gave way.
        if self.core.occupant(self.now()).is_none() {
            self.keep_at = None;
            return Ok(());
        }
        let now = Instant::now();
        if *self.keep_at.get_or_insert(now + KEEP_EVERY) > now {
            return Ok(());
        }
        self.keep_at = Some(now + KEEP_EVERY);
        let heard_at = self.runs.values().map(|live| live.turn.heard_at()).max();
        self.last_activity = self.last_activity.max(heard_at.unwrap_or(self.last_activity));
        let runs: Vec<RunId> = self.runs.keys().copied().collect();
        runs.into_iter().try_for_each(|run| {
            if self.keep_text_of(run)? == Kept::Some {
                self.keep_at = Some(now);
            }
            self.show_steps_of(run)?;
            self.keep_time_of(run)
        })
    }

    /// Keeps the time that a run has used: nobody knows it any more when the daemon has died.
    fn keep_time_of(&mut self, run: RunId) -> Result<(), StoreError> {
        let occupant = self.core.occupant(self.now());
        let live = self.runs.get_mut(&run).zip(occupant).filter(|(live, it)| *live.turn.id() == it.item);
        let Some((live, occupant)) = live else { return Ok(()) };
        let (used, heard_at) = live.used;
        if live.turn.heard_at() <= heard_at && occupant.used < used + KEEP_TIME_EVERY {
            return Ok(());
        }
        live.used = (occupant.used, live.turn.heard_at());
        self.store.put_used(live.arrival, occupant.used)
    }

    /// Puts the steps of a run on the timeline, if there are others than those that it shows.
    pub(super) fn show_steps_of(&mut self, run: RunId) -> Result<(), StoreError> {
        let Some(live) = self.runs.get_mut(&run) else { return Ok(()) };
        let Some(told) = live.turn.told_since(&mut live.steps_version) else { return Ok(()) };
        let Some(item) = self.store.item(live.turn.id())?.filter(Item::is_under_way) else { return Ok(()) };
        let entry = match item.source {
            Source::Chat => self.reply_entry(&item, told),
            Source::File | Source::Control => self.task_entry(&item, told),
        };
        self.store.put_entry(entry, false)
    }

    /// Keeps what a run has said since, or the beginning of it.
    pub(super) fn keep_text_of(&mut self, run: RunId) -> Result<Kept, StoreError> {
        let Some(live) = self.runs.get_mut(&run) else { return Ok(Kept::All) };
        // What ends at once is kept whole at its end.
        if self.keep_at.is_none() {
            return Ok(Kept::All);
        }
        let enough = live.kept.offset() + KEEP_AT_A_TIME;
        let Some(piece) = live.turn.read_on(&mut live.kept, enough) else { return Ok(Kept::All) };
        // It ends where a character does.
        let is_full = live.kept.offset() + char::MAX.len_utf8() > enough;
        let arrival = live.arrival;
        if piece.offset == 0 {
            self.store.forget_partial(arrival)?;
        }
        self.store.put_partial(arrival, piece.offset, piece.text)?;
        Ok(if is_full { Kept::Some } else { Kept::All })
    }
}
