//! The terminal while somebody chats at it.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Exit, Failure};
use crate::output::Printer;
use crate::output::live::{Live, Region};
use crate::output::raw::{RawTerminal, rewraps, size};

/// The terminal, which is as before once this is gone.
pub(super) struct Screen {
    raw: Option<RawTerminal>,
    live: Live,
    size: (usize, usize),
    rewraps: bool,
    entered: Instant,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn enter() -> Result<Self, Failure> {
        let trouble = |error| Failure::new(Exit::Failed, format!("the terminal cannot be used: {error}"));
        let raw = RawTerminal::enter().map_err(trouble)?;
        Ok(Self {
            raw: Some(raw),
            live: Live::default(),
            size: size(),
            rewraps: rewraps(),
            entered: Instant::now(),
        })
    }

    pub(super) fn columns(&self) -> usize {
        self.size.0
    }

    /// The columns that text is laid out in: the last one stays free, so that no terminal wraps by itself.
    pub(super) fn text_columns(&self) -> usize {
        self.size.0.saturating_sub(1).max(1)
    }

    pub(super) fn rows(&self) -> usize {
        self.size.1
    }

    /// How long it is in use.
    pub(super) fn age(&self) -> Duration {
        self.entered.elapsed()
    }

    /// Shows lines that stay, and the live rows below them.
    pub(super) fn draw(&mut self, above: &mut Vec<String>, region: &Region, out: &mut Printer) {
        out.result(&self.live.frame(above, region));
        above.clear();
    }

    /// It may have another size now.
    pub(super) fn resized(&mut self) {
        self.size = size();
        self.live.resized(self.size.0, self.rewraps);
    }

    /// Clears it.
    pub(super) fn clear(&mut self, out: &mut Printer) {
        out.result(&self.live.clear_screen());
    }

    /// Gives it back, with these lines in place of the live rows.
    pub(super) fn leave(&mut self, above: &mut Vec<String>, out: &mut Printer) {
        out.result(&self.live.leave(above));
        above.clear();
        self.raw = None;
    }
}
