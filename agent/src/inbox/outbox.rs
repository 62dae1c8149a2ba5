//! What the inbox tells the driver: in order, and in batches that are worth a call.

use super::{Flow, InboxEvent, SeenFile};

/// The most files in one event.
pub(super) const BATCH: usize = 500;

/// The driver wants no more.
#[derive(Debug)]
pub(super) struct Stopped;

/// Gathers what belongs together and hands it over.
pub(super) struct Outbox<T, E> {
    events: E,
    seen: Vec<SeenFile<T>>,
    gone: Vec<String>,
}

impl<T, E: FnMut(InboxEvent<T>) -> Flow> Outbox<T, E> {
    /// Hands over to `events`.
    pub(super) fn new(events: E) -> Self {
        Self { events, seen: Vec::new(), gone: Vec::new() }
    }

    /// A complete file, handed over with the next flush.
    pub(super) fn seen(&mut self, file: SeenFile<T>) -> Result<(), Stopped> {
        if !self.gone.is_empty() || self.seen.len() >= BATCH {
            self.flush()?;
        }
        self.seen.push(file);
        Ok(())
    }

    /// A file that is not there, handed over with the next flush.
    pub(super) fn gone(&mut self, name: String) -> Result<(), Stopped> {
        if !self.seen.is_empty() || self.gone.len() >= BATCH {
            self.flush()?;
        }
        self.gone.push(name);
        Ok(())
    }

    /// Anything else, handed over at once, after what was gathered before it.
    pub(super) fn tell(&mut self, event: InboxEvent<T>) -> Result<(), Stopped> {
        self.flush()?;
        self.hand_over(event)
    }

    /// Hands over what was gathered.
    pub(super) fn flush(&mut self) -> Result<(), Stopped> {
        if !self.seen.is_empty() {
            let seen = std::mem::take(&mut self.seen);
            self.hand_over(InboxEvent::Seen(seen))?;
        }
        if !self.gone.is_empty() {
            let gone = std::mem::take(&mut self.gone);
            self.hand_over(InboxEvent::Gone(gone))?;
        }
        Ok(())
    }

    fn hand_over(&mut self, event: InboxEvent<T>) -> Result<(), Stopped> {
        match (self.events)(event) {
            Flow::Continue => Ok(()),
            Flow::Stop => Err(Stopped),
        }
    }
}
