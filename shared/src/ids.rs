//! Ids of bots, tasks and chats. An id from outside is checked here before it becomes part of any path.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most bytes an id may have.
pub const MAX_ID_LEN: usize = 128;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// There is nothing there.
    #[error("an id must not be empty")]
    Empty,
    /// It is longer than [`MAX_ID_LEN`] bytes.
    #[error("an id has at most {MAX_ID_LEN} characters, this one has {0}")]
    TooLong(usize),
    /// It begins with something other than an ASCII letter or digit.
    #[error("an id begins with a letter or a digit, not with {0:?}")]
    Start(char),
    /// It holds a character that ids do not have.
    #[error("an id has letters, digits, '.', '_' and '-' only, not {0:?}")]
    Character(char),
    /// It holds `..`, which would leave a directory.
    #[error("an id must not contain '..'")]
    DotDot,
    /// It ends in `.` or `.lock`.
    #[error("an id must not end in '.' or '.lock'")]
    Ending,
}

/// Checks the rule that all ids share: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`, no `..`, ending in neither `.` nor `.lock`.
fn check(text: &str) -> Result<(), IdError> {
    let Some(first) = text.chars().next() else { return Err(IdError::Empty) };
    if !first.is_ascii_alphanumeric() {
        return Err(IdError::Start(first));
    }
    if let Some(bad) = text.chars().find(|c| !is_id_char(*c)) {
        return Err(IdError::Character(bad));
    }
    if text.len() > MAX_ID_LEN {
        return Err(IdError::TooLong(text.len()));
    }
    if text.contains("..") {
        return Err(IdError::DotDot);
    }
    if text.ends_with('.') || text.to_ascii_lowercase().ends_with(".lock") {
        return Err(IdError::Ending);
    }
    Ok(())
}

fn is_id_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a text that must be an id already.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id_type! {
    /// The id of a bot, such as `BOT-002`.
    BotId
}

id_type! {
    /// The id of a task or of a chat prompt: the two share one namespace a bot.
    ItemId
}

/// What became of a text that was made to fit the id rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Mended {
    /// It was an id as it stood.
    AsIs(ItemId),
    /// It was changed to fit; the user is warned.
    Changed(ItemId),
    /// Nothing of it can be part of an id.
    Hopeless,
}

impl ItemId {
    /// Makes a file's stem fit to be an id: foreign characters become `-`, leading and trailing ones that ids cannot
    /// have are dropped, and what is too long is cut.
    pub fn mend(text: &str) -> Mended {
        if let Ok(id) = Self::parse(text) {
            return Mended::AsIs(id);
        }
        let mut fitted = String::with_capacity(text.len());
        for c in text.chars() {
            let c = if is_id_char(c) { c } else { '-' };
            let repeats = matches!(c, '-' | '.') && fitted.ends_with(c);
            if (fitted.is_empty() && !c.is_ascii_alphanumeric()) || repeats || fitted.len() == MAX_ID_LEN {
                continue;
            }
            fitted.push(c);
        }
        let mut end = fitted.trim_end_matches(['.', '-', '_']);
        while end.to_ascii_lowercase().ends_with(".lock") {
            end = end[..end.len() - ".lock".len()].trim_end_matches(['.', '-', '_']);
        }
        Self::parse(end).map_or(Mended::Hopeless, Mended::Changed)
    }

    /// The same id with a suffix such as `.r2`, shortened in front of it if the whole would be too long.
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        let keep = self.0.len().min(MAX_ID_LEN.saturating_sub(suffix.len()));
        let stem = self.0[..keep].trim_end_matches('.');
        Self(format!("{stem}{suffix}").into())
    }

    /// A new id, `PREFIX-20261122-181502-k3x9q`: it sorts by the time it was made and can be read out loud.
    pub fn generate(prefix: &str, now: jiff::Timestamp) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
        let mut random = [0_u8; 6];
        getrandom::fill(&mut random).expect("the system has a source of randomness");
        let tail: String = random.iter().map(|b| char::from(ALPHABET[usize::from(b % 32)])).collect();
        Self(format!("{prefix}-{}-{tail}", now.strftime("%Y%m%d-%H%M%S")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rule_of_ids() {
        for good in ["A", "BOT-002", "task_1.2", "0", &"x".repeat(128)] {
            assert!(ItemId::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".a",
            "-a",
            "a/b",
            "..",
            "a..b",
            "a.",
            "a.lock",
            "a.LOCK",
            "ä",
            "a b",
            "a\0",
            &"x".repeat(129),
        ] {
            assert!(ItemId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn stems_are_made_to_fit() {
        let changed = |text: &str| match ItemId::mend(text) {
            Mended::Changed(id) => id.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(changed("my task (final)"), "my-task-final");
        assert_eq!(changed("../../etc/passwd"), "etc-passwd");
        assert_eq!(changed("a.lock"), "a");
        assert_eq!(ItemId::mend("…"), Mended::Hopeless);
        assert_eq!(ItemId::mend("ok"), Mended::AsIs(ItemId::parse("ok").unwrap()));
    }

    proptest! {
        #[test]
        fn what_is_mended_or_suffixed_is_an_id(text in "\\PC{0,200}") {
            if let Mended::AsIs(id) | Mended::Changed(id) = ItemId::mend(&text) {
                prop_assert!(ItemId::parse(id.as_str()).is_ok());
                prop_assert!(ItemId::parse(id.with_suffix(".r2").as_str()).is_ok());
            }
        }
    }
}
