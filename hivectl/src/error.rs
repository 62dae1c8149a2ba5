//! How a command ends: the exit statuses of SPEC 10, and failures with what went wrong and how to mend it.

use std::process::ExitCode;

use hive_shared::api::code;
use hive_shared::client::{ClientError, FindError};
use hive_shared::ids::BotId;
use hive_shared::paths::HiveError;
use hive_shared::work::Status;

/// The exit statuses of hivectl (SPEC 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed, timed out or incomplete.
    Failed,
    /// 2: usage, or an id of two bots.
    Usage,
    /// 3: the bot cannot be reached.
    Unreachable,
    /// 4: no such bot, task or entry.
    NotFound,
    /// 5: gave up waiting; the work goes on.
    GaveUp,
    /// 6: cancelled or denied.
    Cancelled,
    /// 7: conflict or refused.
    Conflict,
    /// 8: not authorised.
    Unauthorized,
    /// 130: ended by the user.
    Interrupted,
}

impl Exit {
    /// The number that the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::NotFound => 4,
            Self::GaveUp => 5,
            Self::Cancelled => 6,
            Self::Conflict => 7,
            Self::Unauthorized => 8,
            Self::Interrupted => 130,
        }
    }

    /// What the end of an item means for whoever waited for it.
    pub fn of_status(status: Status) -> Self {
        match status {
            Status::Completed => Self::Done,
            Status::Failed | Status::TimedOut | Status::Incomplete => Self::Failed,
            Status::Cancelled => Self::Cancelled,
            Status::Queued | Status::Blocked | Status::Running | Status::Suspended => Self::GaveUp,
        }
    }

    /// Of many: an error before 1 before 6 before 0; of several errors, the first.
    pub fn of_many(exits: impl IntoIterator<Item = Self>) -> Self {
        exits
            .into_iter()
            .fold(Self::Done, |worst, next| if next.weight() > worst.weight() { next } else { worst })
    }

    fn weight(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Cancelled => 1,
            Self::Failed => 2,
            Self::GaveUp => 3,
            Self::Usage | Self::Unreachable | Self::NotFound | Self::Conflict | Self::Unauthorized => 4,
            Self::Interrupted => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit status.
    pub exit: Exit,
    /// What went wrong, in one line.
    pub message: String,
    /// How to mend it, in one line.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    /// The same with a hint, if it has none yet.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// The same, where several are spoken of: it names its bot.
    #[must_use]
    pub fn of(mut self, bot: &BotId) -> Self {
        if !self.message.starts_with(bot.as_str()) {
            self.message = format!("{bot}: {}", self.message);
        }
        self
    }

    /// The command line asks for something that does not go together.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A file could not be read or written.
    pub fn io(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(Exit::Failed, format!("{} cannot be {what}: {error}", path.display()))
    }
}

impl From<HiveError> for Failure {
    fn from(error: HiveError) -> Self {
        let text = chain(&error);
        if let HiveError::Io(_) = &error {
            return Self::new(Exit::NotFound, text)
                .hint("'cd' to one that is there, or name the hive with --hive DIR");
        }
        // The texts of the others end in a hint in brackets.
        match text.split_once(" (").and_then(|(text, hint)| Some((text, hint.strip_suffix(')')?))) {
            Some((text, hint)) => Self::new(Exit::NotFound, text).hint(hint),
            None => Self::new(Exit::NotFound, text),
        }
    }
}

impl From<FindError> for Failure {
    fn from(error: FindError) -> Self {
        let (exit, hint) = match &error {
            FindError::NoRecord(bot) => {
                (Exit::Unreachable, Some(format!("start it with 'hivectl up {bot}'")))
            }
            FindError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                (Exit::Unauthorized, None)
            }
            FindError::Io { .. } | FindError::BadRecord { .. } => (Exit::Unreachable, None),
            FindError::UnsafeToken(path) => {
                let hint = format!(
                    "'chmod 600 {}' if it is yours, then restart the bot for a new one",
                    path.display()
                );
                (Exit::Unauthorized, Some(hint))
            }
            FindError::BadToken => (Exit::Unauthorized, Some(TOKEN_HINT.to_owned())),
            FindError::NotLoopback { url, .. } => {
                (Exit::Unauthorized, Some(format!("if you trust it, use --url {url} and --token-file")))
            }
            FindError::BadUrl(_) => (Exit::Usage, None),
            FindError::Certificates(_) => {
                (Exit::Usage, Some("--ca or HIVE_CA names a PEM file of certificates to trust".to_owned()))
            }
        };
        Self { exit, message: chain(&error), hint }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        let (exit, hint) = match error {
            ClientError::Find(find) => return find.into(),
            ClientError::Unreachable { url, .. } if url.starts_with("http:") => {
                let hint = "is the bot up there, and the URL right? If it encrypts, it is https://";
                (Exit::Unreachable, Some(hint.to_owned()))
            }
            ClientError::Unreachable { .. } | ClientError::Endless { .. } => {
                (Exit::Unreachable, Some("is the bot up there, and the URL right?".to_owned()))
            }
            ClientError::Untrusted { .. } => {
                let hint = "HIVE_CA or --ca names a PEM file with the certificate of whoever vouches for it, \
                            or its own";
                (Exit::Unreachable, Some(hint.to_owned()))
            }
            ClientError::Stale { bot } => {
                (Exit::Unreachable, Some(format!("start it with 'hivectl up {bot}'")))
            }
            ClientError::OtherBot { .. } => {
                (Exit::NotFound, Some("name that bot, or the URL of the other".to_owned()))
            }
            ClientError::NotFound { .. } => (Exit::NotFound, None),
            ClientError::Protocol(_) | ClientError::Garbled(_) => {
                (Exit::Unreachable, Some("hivectl and hive-agent should be of one version".to_owned()))
            }
            ClientError::Unauthorized { .. } => (Exit::Unauthorized, Some(TOKEN_HINT.to_owned())),
            ClientError::Conflict { code, .. } => (Exit::Conflict, conflict_hint(&code)),
            ClientError::Invalid { code, .. } => {
                (if code == code::BAD_REQUEST { Exit::Usage } else { Exit::Conflict }, None)
            }
        };
        Self { exit, message, hint }
    }
}

/// Where a token is found.
const TOKEN_HINT: &str = "on the bot's machine it is in .deia/hive/bots/BOT.token";

/// How to go on when a task's id is in use.
pub const OTHER_ID_HINT: &str = "choose another --id, or leave it out";

/// How to go on after a refusal, where that is not plain from its message.
pub fn conflict_hint(code: &str) -> Option<String> {
    let hint = match code {
        code::BUSY => "without '--when-busy reject' it waits its turn",
        code::PAUSED => "lift the pause with 'hivectl resume'",
        code::QUEUE_FULL => "try again when the bot has caught up",
        code::STOPPING => "'hivectl up' waits until it is gone, and starts it anew",
        code::ALREADY_FINAL => "'hivectl show' tells how it ended, 'hivectl retry' runs a task again",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// An error and all its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_1_comes_before_6_before_0() {
        let fold = |statuses: &[Status]| Exit::of_many(statuses.iter().copied().map(Exit::of_status)).code();
        assert_eq!(fold(&[]), 0);
        assert_eq!(fold(&[Status::Completed, Status::Completed]), 0);
        assert_eq!(fold(&[Status::Completed, Status::Cancelled]), 6);
        assert_eq!(fold(&[Status::Cancelled, Status::TimedOut, Status::Completed]), 1);
        assert_eq!(fold(&[Status::Failed, Status::Cancelled]), 1);
        assert_eq!(fold(&[Status::Failed, Status::Running]), 5);
        assert_eq!(Exit::of_many([Exit::Failed, Exit::NotFound, Exit::Unreachable]).code(), 4);
    }

    #[test]
    fn errors_of_the_client_have_their_statuses_and_say_how_to_mend_them() {
        let bot = || BotId::parse("BOT-2").unwrap();
        let text = || "told so".to_owned();
        let url = || "http://h:1".to_owned();
        let conflict = |code: &str| ClientError::Conflict { code: code.into(), message: text() };
        let invalid = |code: &str| ClientError::Invalid { code: code.into(), message: text() };
        let denied = std::io::ErrorKind::PermissionDenied;
        let lost = std::io::ErrorKind::InvalidData;
        let io = |kind: std::io::ErrorKind| FindError::Io { path: "t".into(), source: kind.into() };
        let table: [(ClientError, u8, &str); 22] = [
            (ClientError::Unreachable { url: url(), reason: text() }, 3, "the URL right?"),
            (ClientError::Untrusted { url: url(), reason: text() }, 3, "HIVE_CA"),
            (ClientError::Endless { url: url(), most: 7 }, 3, "the URL right?"),
            (ClientError::Stale { bot: bot() }, 3, "start it with 'hivectl up BOT-2'"),
            (ClientError::Protocol(7), 3, "of one version"),
            (ClientError::Garbled(text()), 3, "of one version"),
            (FindError::NoRecord(bot()).into(), 3, "start it with 'hivectl up BOT-2'"),
            (io(lost).into(), 3, ""),
            (ClientError::NotFound { message: text() }, 4, ""),
            (ClientError::OtherBot { url: url(), found: bot(), wanted: bot() }, 4, "name that bot"),
            (conflict(code::CONFLICT), 7, ""),
            (conflict(code::MODE), 7, ""),
            (conflict(code::BUSY), 7, "waits its turn"),
            (conflict(code::PAUSED), 7, "'hivectl resume'"),
            (conflict(code::QUEUE_FULL), 7, "has caught up"),
            (conflict(code::ALREADY_FINAL), 7, "'hivectl retry'"),
            (invalid(code::TOO_LARGE), 7, ""),
            (invalid(code::BAD_REQUEST), 2, ""),
            (ClientError::Unauthorized { message: text() }, 8, "bots/BOT.token"),
            (io(denied).into(), 8, ""),
            (FindError::UnsafeToken("t".into()).into(), 8, "'chmod 600 t'"),
            (FindError::NotLoopback { bot: bot(), url: url() }.into(), 8, "--url http://h:1"),
        ];
        for (error, exit, hint) in table {
            let failure = Failure::from(error);
            assert_eq!(failure.exit.code(), exit, "{failure:?}");
            let said = failure.hint.as_deref().unwrap_or_default();
            assert!(said.contains(hint) && said.is_empty() == hint.is_empty(), "{failure:?}");
        }
    }

    #[test]
    fn a_hint_stands_on_its_own_line() {
        let failure = Failure::from(HiveError::NotAHive("/tmp/x".into()));
        assert_eq!(failure.message, "/tmp/x is no hive: it holds no .deia directory");
        assert_eq!(failure.hint.as_deref(), Some("make one with 'hivectl init'"));
        let gone = std::io::Error::from_raw_os_error(2);
        let failure = Failure::from(HiveError::Io(gone));
        assert!(failure.message.ends_with("(os error 2)"), "{failure:?}");
        assert!(failure.hint.is_some_and(|hint| hint.contains("--hive DIR")));
    }
}
