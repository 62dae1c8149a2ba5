//! Frames as clients and bots send them, each above what is read from it; and what chance makes of them.

use std::sync::LazyLock;

use hive_corpus::{Corpus, cases};
use proptest::prelude::*;

use super::*;

static OF_CLIENTS: LazyLock<Corpus> =
    LazyLock::new(|| Corpus::read(env!("CARGO_MANIFEST_DIR"), "src/chat/tests/corpus/clients", "frames"));
pub(crate) static OF_BOTS: LazyLock<Corpus> =
    LazyLock::new(|| Corpus::read(env!("CARGO_MANIFEST_DIR"), "src/chat/tests/corpus/bots", "frames"));

/// What means something to the reader.
pub(crate) const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "\\",
    "\\ud800",
    "\\u0000",
    "null",
    "-1",
    "1e400",
    "18446744073709551615",
    "\"type\":",
    "\"id\":",
    "\"n\":",
    "\"CHAT-1\"",
    "\"response_complete\"",
];

#[test]
fn frames_of_clients_are_read_as_recorded() {
    OF_CLIENTS.check_lines(|line| match ClientFrame::read(line) {
        Ok(frame) => format!("{frame:?}"),
        Err(bad) => format!("{bad}\nof {:?}", bad.id),
    });
}

#[test]
fn frames_of_bots_are_read_as_recorded() {
    OF_BOTS.check_lines(|line| match ServerFrame::read(line) {
        Ok(Heard::Frame(frame)) => format!("{frame:?}"),
        Ok(heard @ (Heard::OtherProtocol(_) | Heard::Unknown { .. })) => format!("{heard:?}"),
        Err(bad) => bad.to_string(),
    });
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// What became of a client's frame is refused in few words, or is one that could have been sent.
    #[test]
    fn changed_frames_of_clients_are_read_or_refused(changed in OF_CLIENTS.lines().changed(PIECES)) {
        let text = changed.text();
        let read = ClientFrame::read(&text);
        prop_assert_eq!(&ClientFrame::read(&text), &read);
        match read {
            Ok(frame) => {
                let again = serde_json::to_string(&frame).unwrap();
                prop_assert_eq!(ClientFrame::read(&again), Ok(frame));
            }
            Err(bad) => {
                prop_assert!(!bad.reason.is_empty() && bad.reason.chars().count() <= MAX_QUOTED);
                prop_assert!(bad.id.is_none_or(|id| id.chars().count() <= MAX_QUOTED));
            }
        }
    }

    /// The same of a bot's frame. One that is not known counts in its turn; none that is the last of a turn is
    /// taken for one of these.
    #[test]
    fn changed_frames_of_bots_are_read_or_refused(changed in OF_BOTS.lines().changed(PIECES)) {
        let text = changed.text();
        let read = ServerFrame::read(&text);
        prop_assert_eq!(format!("{read:?}"), format!("{:?}", ServerFrame::read(&text)));
        let value = serde_json::from_str::<serde_json::Value>(&text);
        match read {
            Ok(Heard::Frame(frame)) => {
                if let ServerFrame::Hello(hello) = &frame {
                    prop_assert_eq!(hello.protocol, PROTOCOL);
                }
                let again = serde_json::to_string(&frame).unwrap();
                prop_assert_eq!(ServerFrame::read(&again), Ok(Heard::Frame(frame)), "{}", again);
            }
            Ok(Heard::OtherProtocol(protocol)) => prop_assert_ne!(protocol, PROTOCOL),
            Ok(Heard::Unknown { .. }) => {
                let value = value.unwrap();
                prop_assert!(value.is_object() && value["type"] != "response_complete", "{}", value);
            }
            Err(bad) => prop_assert!(!bad.reason.is_empty()),
        }
    }
}
