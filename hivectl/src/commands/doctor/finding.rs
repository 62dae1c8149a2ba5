//! What a check came to.

use std::path::Path;

use hive_shared::ids::BotId;
use serde::Serialize;

use crate::output::ink::Paint;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// It is well.
    Ok,
    /// Worth knowing.
    Note,
    /// Something may not go as somebody expects.
    Warning,
    /// Something does not work.
    Error,
}

impl Level {
    /// The word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// Its colour.
    pub(super) fn paint(self) -> Option<Paint> {
        match self {
            Self::Ok => Some(Paint::Green),
            Self::Note => None,
            Self::Warning => Some(Paint::Yellow),
            Self::Error => Some(Paint::Red),
        }
    }
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Whose it is; the hive's or the machine's if nobody's.
    pub(super) bot_id: Option<BotId>,
    /// The check, in a word that stays.
    pub(super) check: &'static str,
    /// How bad it is.
    pub(super) level: Level,
    /// What was found.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: Option<String>,
}

impl Finding {
    fn new(check: &'static str, level: Level, message: impl Into<String>) -> Self {
        Self { bot_id: None, check, level, message: message.into(), hint: None }
    }

    /// It is well.
    pub(super) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, message)
    }

    /// It is worth knowing.
    pub(super) fn note(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Level::Note, message)
    }

    /// It may surprise.
    pub(super) fn warning(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Level::Warning, message)
    }

    /// It does not work.
    pub(super) fn error(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Level::Error, message)
    }

    /// The same with what to do.
    #[must_use]
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same as a bot's.
    #[must_use]
    pub(super) fn of(self, bot: &BotId) -> Self {
        Self { bot_id: Some(bot.clone()), ..self }
    }
}

/// A place that another user keeps to themselves: what is in it cannot be told.
pub(super) fn unreadable(check: &'static str, path: &Path) -> Finding {
    let path = path.display();
    Finding::warning(check, format!("{path} may not be read by you"))
        .hint(format!("'ls -ld {path}' tells whose it is: ask as that user"))
}

/// Parts a text that ends in its remedy, as those of [`hive_shared::trust`] do, into the two.
pub(super) fn with_remedy(text: &str) -> (String, Option<String>) {
    for mark in [": mend it with ", "; if that is not meant: "] {
        if let Some((what, remedy)) = text.split_once(mark) {
            return (what.to_owned(), Some(remedy.to_owned()));
        }
    }
    (text.to_owned(), None)
}
