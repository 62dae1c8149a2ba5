//! What can be wrong with settings, said so that the reader knows what to change and where.

use std::io;
use std::path::{Path, PathBuf};

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
    /// The file is no TOML.
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
        let line = before.matches('\n').count() + 1;
        // The message may go on in further lines; an error is one.
        let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        Self::Syntax { path: path.to_owned(), line, message }
    }
}
