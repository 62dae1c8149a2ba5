//! What a reader had to guess or leave, in words and in bounds.

/// The most warnings a task keeps; of the rest it keeps the count.
const MAX_WARNINGS: usize = 20;
/// The most characters of foreign text that a warning shows.
const MAX_SHOWN_CHARS: usize = 80;

/// Collects warnings.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    kept: Vec<String>,
    left_out: usize,
}

impl Warnings {
    pub(super) fn push(&mut self, warning: String) {
        if self.kept.len() < MAX_WARNINGS {
            self.kept.push(warning);
        } else {
            self.left_out += 1;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len() + self.left_out
    }

    pub(super) fn into_vec(mut self) -> Vec<String> {
        if self.left_out > 0 {
            self.kept.push(format!("and {} more", self.left_out));
        }
        self.kept
    }
}

/// Foreign text for a warning: in quotes, escaped, and cut.
pub(super) fn shown(text: &str) -> String {
    format!("{:?}", cut(text, MAX_SHOWN_CHARS))
}

/// At most so many characters of a text, the last one `…` if some are missing.
pub(super) fn cut(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max_chars.saturating_sub(1)).chain(['…']).collect(),
    }
}
