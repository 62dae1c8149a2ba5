//! What can go wrong with a server, and what is said of it.

use std::error::Error;
use std::io;
use std::time::{Duration, SystemTime};

use hive_shared::api::code;
use hive_shared::time::show_duration;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;

use super::super::Failure;
use super::key::Key;
use super::retry;

/// The most characters that a server's own words may take in an error.
const MAX_WORDS: usize = 300;

/// Why a request has no good end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Asking again would not help.
    Final(Failure),
    /// Asking again may help.
    Passing {
        /// What is wrong.
        failure: Failure,
        /// How long the server wishes to be left alone.
        wish: Option<Duration>,
    },
    /// The server may not understand an option of the request.
    Option {
        /// What is wrong if it is not that.
        failure: Failure,
        /// Whether it wants the bound of an answer under its newer name.
        wants_completion_tokens: bool,
    },
}

/// Who was asked, for errors about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The address.
    pub(super) place: &'a str,
    /// The model.
    pub(super) model: &'a str,
    /// The key, if one was sent.
    pub(super) key: Option<&'a Key>,
}

impl Asked<'_> {
    /// The server was not reached, or was lost before it answered.
    pub(super) fn unreachable(&self, error: &reqwest::Error) -> Trouble {
        let place = self.place;
        let cause = innermost(error);
        if is_about_tls(error) {
            let message = format!("no encrypted connection to {place} can be made: {cause}");
            return Trouble::Final(Failure::new(code::MODEL_UNAVAILABLE, message));
        }
        let what = if error.is_connect() { "cannot be reached" } else { "did not answer" };
        passing(format!("the model's server at {place} {what}: {cause}"), None)
    }

    /// The connection was lost in the middle of an answer; without a `cause` it was closed too early.
    pub(super) fn broken_off(&self, cause: Option<&reqwest::Error>) -> Trouble {
        let cause = cause.map_or_else(|| "it was closed".to_owned(), innermost);
        passing(
            format!("the connection to {} broke off in the middle of an answer: {cause}", self.place),
            None,
        )
    }

    /// The server sends nothing any more.
    pub(super) fn stalled(&self, patience: Duration) -> Trouble {
        let patience = show_duration(patience);
        let message = format!(
            "the model's server at {} has sent nothing for {patience} (openai.stall_timeout)",
            self.place
        );
        Trouble::Final(Failure::new(code::MODEL_UNAVAILABLE, message))
    }

    /// What came is no answer.
    pub(super) fn unreadable(&self, why: &str) -> Trouble {
        let message = format!(
            "what {} answers is no chat completion: {}; is openai.base_url right? It often ends in /v1",
            self.place,
            self.tame(why)
        );
        Trouble::Final(Failure::new(code::MODEL_ANSWER, message))
    }

    /// The server reports an error in the middle of a stream.
    pub(super) fn in_the_stream(&self, error: &Value) -> Trouble {
        let words = self.words(&error.to_string());
        let message = format!("the model's server broke off its answer: {words}");
        let number = error["code"].as_u64().or_else(|| error["status"].as_u64());
        let status = number.and_then(|n| u16::try_from(n).ok()).and_then(|n| StatusCode::from_u16(n).ok());
        let kinds = ["type", "code"].map(|key| error[key].as_str().unwrap_or_default());
        let passes = kinds.iter().any(|kind| {
            ["overloaded", "rate_limit", "server_error", "timeout", "unavailable"]
                .iter()
                .any(|w| kind.contains(w))
        });
        if passes || status.is_some_and(may_pass) {
            return passing(message, None);
        }
        Trouble::Final(Failure::new(code::MODEL_REFUSED, message))
    }

    /// The server answers with another status than 200.
    pub(super) fn refused(&self, status: StatusCode, headers: &HeaderMap, body: &str) -> Trouble {
        let number = status.as_u16();
        let words = self.words(body);
        let fail = |code, message: String| Trouble::Final(Failure::new(code, message));
        if status.is_redirection() {
            let to = headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("(nowhere)");
            let message = format!(
                "HTTP {number}: {} redirects to {}, which is not followed: set openai.base_url to where the server is",
                self.place,
                self.tame(to)
            );
            return fail(code::MODEL_REFUSED, message);
        }
        if status == StatusCode::UNAUTHORIZED {
            // Not in the server's words: some say part of the key.
            let message = match self.key {
                Some(key) => format!("HTTP 401: {} does not accept the key from {}", self.place, key.origin),
                None => format!(
                    "HTTP 401: {} wants a key: set openai.api_key_env or openai.api_key_file",
                    self.place
                ),
            };
            return fail(code::MODEL_UNAUTHORIZED, message);
        }
        if status == StatusCode::FORBIDDEN {
            let key = self.key.map_or_else(String::new, |key| format!(" (with the key from {})", key.origin));
            return fail(code::MODEL_UNAUTHORIZED, format!("HTTP 403: {} refuses{key}: {words}", self.place));
        }
        if status == StatusCode::NOT_FOUND {
            let message = format!(
                "HTTP 404: {words}; is there a model '{}' at {}? (openai.model, openai.base_url)",
                self.model, self.place
            );
            return fail(code::MODEL_REFUSED, message);
        }
        let is_spent = status == StatusCode::TOO_MANY_REQUESTS && body.contains("insufficient_quota");
        if may_pass(status) && !is_spent {
            let header = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let wish = header.and_then(|text| retry::wish(text, SystemTime::now()));
            return passing(format!("HTTP {number} of {}: {words}", self.place), wish);
        }
        let hint = if body.contains("context") { "; openai.context_tokens bounds what is sent" } else { "" };
        let failure =
            Failure::new(code::MODEL_REFUSED, format!("HTTP {number} of {}: {words}{hint}", self.place));
        match status {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
                Trouble::Option { failure, wants_completion_tokens: body.contains("max_completion_tokens") }
            }
            _ => Trouble::Final(failure),
        }
    }

    /// What a server says in the body of an error.
    fn words(&self, body: &str) -> String {
        let json: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        let error = if json["error"].is_null() { &json } else { &json["error"] };
        let said = [error, &error["message"], &error["detail"]].into_iter().find_map(Value::as_str);
        match said.unwrap_or(body).trim() {
            "" => "(it says nothing)".to_owned(),
            said => self.tame(said),
        }
    }

    /// A foreign text as part of a line of ours: short, without control characters, and without the key.
    fn tame(&self, text: &str) -> String {
        let text = self.key.map_or_else(|| text.to_owned(), |key| key.redact(text));
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut tamed = String::new();
        for (count, c) in line.chars().enumerate() {
            if count == MAX_WORDS {
                tamed.push('…');
                break;
            }
            if c.is_control() { tamed.extend(c.escape_default()) } else { tamed.push(c) }
        }
        tamed
    }
}

fn passing(message: String, wish: Option<Duration>) -> Trouble {
    Trouble::Passing { failure: Failure::new(code::MODEL_UNAVAILABLE, message), wish }
}

fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504 | 529)
}

/// The last cause: those before it say where, and could say more than is for all.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if cause.is::<reqwest::Error>() {
        "it took too long or sent no HTTP".to_owned()
    } else {
        cause.to_string()
    }
}

/// Whether the encryption is what failed. An I/O error's source is that of what it wraps, which has to be looked at
/// too.
fn is_about_tls(error: &(dyn Error + 'static)) -> bool {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>()
        || wrapped.is_some_and(|inner| is_about_tls(inner))
        || error.source().is_some_and(is_about_tls)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ASKED: Asked<'_> = Asked { place: "http://h/v1/chat/completions", model: "m", key: None };

    fn refused(status: u16, body: &str) -> Trouble {
        ASKED.refused(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body)
    }

    fn final_failure(trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Final(failure) => failure,
            Trouble::Passing { .. } | Trouble::Option { .. } => panic!("{trouble:?}"),
        }
    }

    #[test]
    fn what_may_pass_is_told_from_what_does_not() {
        for status in [408, 429, 500, 502, 503, 504, 529] {
            assert!(matches!(refused(status, "busy"), Trouble::Passing { .. }), "{status}");
        }
        for status in [300, 302, 401, 402, 403, 404, 405, 413, 501] {
            assert!(matches!(refused(status, "no"), Trouble::Final(_)), "{status}");
        }
        let spent =
            json!({"error": {"message": "You have no money.", "code": "insufficient_quota"}}).to_string();
        assert!(final_failure(refused(429, &spent)).message.ends_with(": You have no money."));
        let named = r#"{"error":{"message":"Use 'max_completion_tokens' instead."}}"#;
        assert!(matches!(refused(400, named), Trouble::Option { wants_completion_tokens: true, .. }));
        assert!(matches!(refused(422, "{}"), Trouble::Option { wants_completion_tokens: false, .. }));
        for (error, passes) in [
            (json!({"message": "x", "code": 503}), true),
            (json!({"message": "x", "type": "overloaded_error"}), true),
            (json!({"message": "x", "type": "invalid_request_error"}), false),
            (json!("x"), false),
        ] {
            let trouble = ASKED.in_the_stream(&error);
            assert_eq!(matches!(trouble, Trouble::Passing { .. }), passes, "{error}");
            let (Trouble::Passing { failure, .. }
            | Trouble::Option { failure, .. }
            | Trouble::Final(failure)) = trouble;
            assert_eq!(failure.message, "the model's server broke off its answer: x");
        }
    }

    #[test]
    fn the_servers_words_are_found_and_tamed() {
        for (body, words) in [
            (r#"{"error":{"message":"no such model"}}"#, "no such model"),
            (r#"{"error":"plain"}"#, "plain"),
            (r#"{"detail":"Not Found"}"#, "Not Found"),
            (r#"{"message":"two\nlines"}"#, "two lines"),
            ("<b>\u{1b}[31mred\u{7}</b>", "<b>\\u{1b}[31mred\\u{7}</b>"),
            ("", "(it says nothing)"),
        ] {
            assert_eq!(ASKED.words(body), words);
        }
        assert_eq!(ASKED.words(&"x".repeat(100_000)).chars().count(), MAX_WORDS + 1);
    }

    #[test]
    fn a_401_says_what_to_do_and_nothing_of_the_servers() {
        let failure = final_failure(refused(401, "Incorrect key: sk-12***90"));
        assert_eq!(failure.code, code::MODEL_UNAUTHORIZED);
        assert!(failure.message.contains("openai.api_key_env") && !failure.message.contains("sk-"));
    }

    #[test]
    fn the_wish_of_the_server_is_read() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "7".parse().unwrap())]);
        let trouble = ASKED.refused(StatusCode::TOO_MANY_REQUESTS, &headers, "");
        assert!(matches!(trouble, Trouble::Passing { wish: Some(wish), .. } if wish.as_secs() == 7));
    }
}
