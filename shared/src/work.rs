//! The words for work: its priority, where it came from and what became of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How soon a file task runs: P0 before P1 before P2 before P3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Priority {
    /// Critical.
    P0,
    /// High.
    P1,
    /// Normal; what a task has that does not say.
    #[default]
    P2,
    /// Low.
    P3,
}

impl Priority {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 4] = [Self::P0, Self::P1, Self::P2, Self::P3];

    /// 0 to 3.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The inverse of [`Priority::index`]; what is beyond is P3.
    pub fn from_index(index: usize) -> Self {
        Self::ALL.get(index).copied().unwrap_or(Self::P3)
    }

    /// `P0` to `P3`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P0 => "P0",
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is none of the known words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is none of {known}")]
pub struct UnknownWord {
    /// What was given.
    pub text: String,
    /// What would have been understood.
    pub known: &'static str,
}

impl FromStr for Priority {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|p| p.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| UnknownWord { text: text.to_owned(), known: "P0, P1, P2, P3" })
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $known:literal, { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant),*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word on the wire and on disk.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|w| w.as_str() == text)
                    .ok_or_else(|| UnknownWord { text: text.to_owned(), known: $known })
            }
        }
    };
}

pub(crate) use words;

words! {
    /// The state of an item, from its arrival to its end (SPEC 4 and 8).
    Status, "queued, blocked, running, suspended, completed, failed, cancelled, timed_out, incomplete", {
        /// It waits for its turn.
        Queued = "queued",
        /// It waits for a task that it depends on.
        Blocked = "blocked",
        /// It holds the slot.
        Running = "running",
        /// It gave way and will resume.
        Suspended = "suspended",
        /// It ended well.
        Completed = "completed",
        /// It ended badly; the error says why.
        Failed = "failed",
        /// Someone ended it.
        Cancelled = "cancelled",
        /// It used up its time.
        TimedOut = "timed_out",
        /// A chat turn that was cut short; what was said is kept.
        Incomplete = "incomplete",
    }
}

impl Status {
    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Blocked | Self::Running | Self::Suspended => false,
            Self::Completed | Self::Failed | Self::Cancelled | Self::TimedOut | Self::Incomplete => true,
        }
    }
}

words! {
    /// Where an entry of the timeline came from.
    Source, "file, chat, control", {
        /// The task directory.
        File = "file",
        /// The prompt socket.
        Chat = "chat",
        /// A control act.
        Control = "control",
    }
}

words! {
    /// What an entry of the timeline is.
    Kind, "task, prompt, reply, control", {
        /// A file task, with its response.
        Task = "task",
        /// What a person said.
        Prompt = "prompt",
        /// What the bot answered.
        Reply = "reply",
        /// A control act.
        Control = "control",
    }
}

impl Kind {
    /// Where entries of this kind come from.
    pub fn source(self) -> Source {
        match self {
            Self::Task => Source::File,
            Self::Prompt | Self::Reply => Source::Chat,
            Self::Control => Source::Control,
        }
    }
}

words! {
    /// Who speaks.
    SenderType, "user, bot", {
        /// A person or a program that prompts.
        User = "user",
        /// The bot.
        Bot = "bot",
    }
}

words! {
    /// Which kinds of work a bot takes; fixed at its start.
    Mode, "cli-only, hybrid, commander-only", {
        /// The file queue alone.
        CliOnly = "cli-only",
        /// File queue and chat.
        Hybrid = "hybrid",
        /// Chat alone.
        CommanderOnly = "commander-only",
    }
}

words! {
    /// What a pause holds.
    #[derive(Default)]
    Scope, "all, tasks", {
        /// File tasks and chat.
        #[default]
        All = "all",
        /// File tasks; chat goes on.
        Tasks = "tasks",
    }
}

words! {
    /// What a prompt wants when the bot is busy (SPEC 5).
    #[derive(Default)]
    WhenBusy, "auto, queue, interrupt, reject", {
        /// The rules decide.
        #[default]
        Auto = "auto",
        /// Never preempt.
        Queue = "queue",
        /// Preempt even what the rules spare.
        Interrupt = "interrupt",
        /// Busy or paused is an error.
        Reject = "reject",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_as_written() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse::<Status>().as_ref(), Ok(status));
            assert_eq!(serde_json::to_string(status).unwrap(), format!("\"{status}\""));
        }
        assert_eq!("p1".parse(), Ok(Priority::P1));
        assert!("p4".parse::<Priority>().is_err());
    }
}
