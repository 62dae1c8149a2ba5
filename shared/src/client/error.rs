//! What can go wrong between a client and a bot.

use std::io;
use std::path::PathBuf;

use crate::api::{ErrorReply, PROTOCOL, code};
use crate::ids::BotId;

/// Why a bot cannot be reached that took too long.
pub(super) const NO_ANSWER: &str = "no answer in time";

/// Why a bot's address or token could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nobody runs the bot, or no record says where it listens: it is down.
    #[error("{0} is down")]
    NoRecord(BotId),
    /// A file of the hive cannot be read.
    #[error("{path} cannot be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The record of a bot is not what hive-agent writes.
    #[error("{path} is no record of a bot")]
    BadRecord {
        /// The record.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A token that others may read, or that another user wrote, is no secret.
    #[error("{0} is refused: it must belong to you and be closed to others (mode 0600)")]
    UnsafeToken(PathBuf),
    /// A token that cannot be sent in a header.
    #[error("this is no token: a token is ASCII letters, digits and signs, without spaces between them")]
    BadToken,
    /// A hive's token goes to this machine only (SPEC 9).
    #[error("the record of {bot} names {url}, which is no loopback address: its token is not sent there")]
    NotLoopback {
        /// The bot.
        bot: BotId,
        /// Where its record points.
        url: String,
    },
    /// It is no `http:` or `https:` URL.
    #[error("'{0}' is no URL of a bot: write http://HOST:PORT or https://HOST:PORT")]
    BadUrl(String),
    /// The certificates to trust cannot be had.
    #[error("no usable certificate authority: {0}")]
    Certificates(String),
}

/// Why a call to a bot failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Where the bot is could not be found out.
    #[error(transparent)]
    Find(#[from] FindError),
    /// Nothing answers there.
    #[error("nothing answers at {url}: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// Somebody answers there, and nobody whose word counts says that it is the bot. It was told nothing.
    #[error("{url} is not to be trusted: {reason}")]
    Untrusted {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// Somebody answers there, and does not end.
    #[error("{url} answers with more than {most} bytes, which no bot does")]
    Endless {
        /// Where.
        url: String,
        /// How many were heard out.
        most: usize,
    },
    /// Something else than this bot answers there: its record is stale.
    #[error("{bot} is down (another answers at its old address)")]
    Stale {
        /// The bot.
        bot: BotId,
    },
    /// Another bot than the one asked for answers at the URL that was given.
    #[error("{url} is {found}, not {wanted}")]
    OtherBot {
        /// Where.
        url: String,
        /// Who is there.
        found: BotId,
        /// Who was looked for.
        wanted: BotId,
    },
    /// The bot speaks another version of the protocol.
    #[error("the bot speaks protocol {0}, this program {PROTOCOL}")]
    Protocol(u32),
    /// 401 and 403: the token or the origin is wrong.
    #[error("not authorised: {message}")]
    Unauthorized {
        /// For people.
        message: String,
    },
    /// 404: no such bot, task, response or path.
    #[error("{message}")]
    NotFound {
        /// For people.
        message: String,
    },
    /// 409, 429 and 503: it is there and will not.
    #[error("{message}")]
    Conflict {
        /// See [`crate::api::code`].
        code: String,
        /// For people.
        message: String,
    },
    /// 400, 413 and the like: the request is at fault.
    #[error("{message}")]
    Invalid {
        /// See [`crate::api::code`].
        code: String,
        /// For people.
        message: String,
    },
    /// An answer that no bot should give.
    #[error("the answer cannot be understood: {0}")]
    Garbled(String),
}

impl ClientError {
    /// Whether the bot is simply not there, so that it makes sense to work from its files, or to try again later.
    pub fn is_down(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Stale { .. } => true,
            Self::Find(find) => matches!(find, FindError::NoRecord(_)),
            Self::Untrusted { .. }
            | Self::Endless { .. }
            | Self::OtherBot { .. }
            | Self::Protocol(_)
            | Self::Unauthorized { .. }
            | Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::Invalid { .. }
            | Self::Garbled(_) => false,
        }
    }

    /// Whether the bot is down or about to be, so that its files are what there is.
    pub fn is_leaving(&self) -> bool {
        self.is_down() || matches!(self, Self::Conflict { code, .. } if code == code::STOPPING)
    }

    /// Whether the same may go well a moment later: the bot goes, or cannot tell right now.
    pub fn may_pass(&self) -> bool {
        self.is_leaving() || matches!(self, Self::Conflict { code, .. } if code == code::UNAVAILABLE)
    }

    /// The error that a reply with this HTTP status and body stands for.
    pub(super) fn of_reply(status: u16, body: &[u8]) -> Self {
        let (code, message) = match serde_json::from_slice::<ErrorReply>(body) {
            Ok(reply) => (reply.error.code, reply.error.message),
            Err(_) => (format!("http_{status}"), format!("HTTP status {status}")),
        };
        match status {
            401 | 403 => Self::Unauthorized { message },
            404 => Self::NotFound { message },
            409 | 429 | 503 => Self::Conflict { code, message },
            400..=499 => Self::Invalid { code, message },
            _ => Self::Garbled(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_becomes_the_error_that_it_stands_for() {
        let busy = br#"{"error":{"code":"already_final","message":"it is completed"}}"#;
        let error = ClientError::of_reply(409, busy);
        assert!(matches!(&error, ClientError::Conflict { code, .. } if code == "already_final"));
        assert_eq!(error.to_string(), "it is completed");
        assert!(matches!(ClientError::of_reply(401, b""), ClientError::Unauthorized { .. }));
        assert!(matches!(ClientError::of_reply(502, b"<html>"), ClientError::Garbled(_)));
        let stopping = br#"{"error":{"code":"stopping","message":"it stops"}}"#;
        assert!(ClientError::of_reply(503, stopping).may_pass());
    }
}
