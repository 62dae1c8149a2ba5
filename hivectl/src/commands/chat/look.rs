//! How everything in a conversation is shown.

use crate::output::ink::Ink;
use crate::output::wrap::words;

/// What everything is shown by.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) bot: String,
    pub(super) ink: Ink,
    /// Whether thoughts are shown.
    pub(super) verbose: bool,
    pub(super) columns: usize,
}

impl Look {
    /// A text of our own making in rows, between words.
    pub(super) fn laid_out(&self, text: &str, paint: fn(Ink, &str) -> String) -> Vec<String> {
        words(text, self.columns).iter().map(|row| paint(self.ink, row)).collect()
    }
}
