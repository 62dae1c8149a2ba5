//! What can be wrong with settings, said so that the reader knows what to change and where.

use std::io;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use crate::ids::BotId;

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is there and cannot be read.
    #[error("the settings {path} cannot be read", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is no text, or no TOML.
    #[error("{path}, line {line}: {message}", path = .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What TOML wants there.
        message: String,
    },
    /// A key that no setting has.
    #[error("{place}: there is no setting '{key}'; the nearest known one is '{nearest}'")]
    UnknownKey {
        /// The file and table, the variable, or the flags.
        place: String,
        /// The key, dotted.
        key: String,
        /// What was probably meant, spelled as it would be in that place.
        nearest: String,
    },
    /// A value of the wrong type, or one that makes no sense.
    #[error("{place}: {key}: {message}")]
    Value {
        /// The file and table, the variable, or the flags.
        place: String,
        /// The key, dotted.
        key: String,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// Settings that are good by themselves and cannot work together.
    #[error("the settings of {bot} cannot work: {message}")]
    Combination {
        /// The bot.
        bot: BotId,
        /// What is wrong, and what would be right.
        message: String,
    },
}

impl SettingsError {
    pub(super) fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        // The message may go on in further lines; an error is one.
        let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        Self::Syntax { path: path.to_owned(), line: line_after(before.as_bytes()), message: plain(&message) }
    }

    pub(super) fn no_text(path: &Path, error: &FromUtf8Error) -> Self {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let message = "this is not UTF-8; save the file as UTF-8 text".to_owned();
        Self::Syntax { path: path.to_owned(), line: line_after(before), message }
    }
}

/// The line that follows what is before it, from 1.
fn line_after(before: &[u8]) -> usize {
    before.split(|byte| *byte == b'\n').count()
}

/// The most characters of a message before, and after, what is left out of its middle.
const MOST_SHOWN: usize = 200;

/// What may hold what somebody wrote, on one line, not too long, and without anything that a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        let is_obeyed =
            matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || is_obeyed {
            plain.extend(c.escape_default());
        } else {
            plain.push(c);
        }
    }
    let begin = plain.char_indices().nth(MOST_SHOWN).map(|(at, _)| at);
    let end = plain.char_indices().rev().nth(MOST_SHOWN).map(|(at, _)| at);
    match begin.zip(end) {
        Some((begin, end)) if begin < end => format!("{}…{}", &plain[..begin], &plain[end..]),
        Some(_) | None => plain,
    }
}
