//! The line on a terminal that shows how a wait goes.

use super::escape::{Place, escape};
use super::table::cut;

/// Back to the first column, and nothing behind it.
const ERASE: &str = "\r\x1b[K";

/// Whether the line is there.
#[derive(Debug, Default)]
pub(super) struct Progress {
    shown: bool,
}

impl Progress {
    /// What to print so that the line says `text`.
    pub(super) fn show(&mut self, text: &str, edge: Option<usize>) -> String {
        self.shown = true;
        // A line that reaches the edge would wrap, and could not be taken away.
        format!("{ERASE}{}", cut(&escape(text, Place::Line), edge.unwrap_or(80).saturating_sub(1)))
    }

    /// What to print so that the line is gone.
    pub(super) fn take_away(&mut self) -> Option<&'static str> {
        std::mem::take(&mut self.shown).then_some(ERASE)
    }
}
