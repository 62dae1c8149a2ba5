//! What a conversation makes of what chance makes of a bot's frames.

use hive_corpus::cases;
use proptest::prelude::*;

use super::*;
use crate::chat::tests::corpus::{OF_BOTS, PIECES};
use crate::client::{Endpoint, Token};
use crate::ids::BotId;

/// A conversation in which `CHAT-1` is asked and nothing is answered yet.
fn chat() -> Chat {
    let token = Token::new("secret").expect("a token");
    let endpoint = Endpoint::remote("http://127.0.0.1:1", token, None).expect("an address");
    let mut chat = Chat::new(Client::unchecked(endpoint, BotId::parse("BOT-002").expect("an id")));
    chat.turns.insert(asked(), Turn { prompt: None, seen: 0, cancelled: false });
    chat
}

fn asked() -> ItemId {
    ItemId::parse("CHAT-1").expect("an id")
}

proptest! {
    #![proptest_config(cases(256))]

    /// Whatever a bot says, each frame of a turn is seen once, in order, and none after its end; and nothing of a turn
    /// that was not asked for.
    #[test]
    fn a_conversation_is_not_led_astray(frames in prop::collection::vec(frame(), 1..16)) {
        let mut chat = chat();
        let (mut last, mut is_over) = (0, false);
        for frame in frames {
            let was_open = chat.has(&asked());
            let _refused = chat.take(&frame);
            for event in chat.ready.drain(..) {
                let ChatEvent::Frame(frame) = event else { continue };
                prop_assert_eq!(&frame.id, &asked());
                prop_assert!(was_open && !is_over && frame.n > last, "{:?} after {}", frame, last);
                last = frame.n;
                is_over = matches!(frame.event, TurnEvent::ResponseComplete { .. });
            }
            prop_assert!(chat.turns.get(&asked()).is_none_or(|turn| turn.seen >= last && !is_over));
        }
    }
}

/// A frame as a bot sends it, in which something may have changed.
fn frame() -> impl Strategy<Value = String> {
    let lines = OF_BOTS.lines();
    let of_a_turn: Vec<String> = lines
        .documents()
        .iter()
        .filter(|line| line.name == "turn.frames")
        .map(|line| String::from_utf8(line.bytes.clone()).expect("it is text"))
        .collect();
    // Its frames are told apart by their numbers alone.
    let numbered = (prop::sample::select(of_a_turn), 1..12_u64).prop_map(|(frame, n)| {
        let mut frame: serde_json::Value = serde_json::from_str(&frame).expect("it is JSON");
        if frame.get("n").is_some() {
            frame["n"] = n.into();
        }
        frame.to_string()
    });
    prop_oneof![3 => numbered, 1 => lines.changed(PIECES).prop_map(|changed| changed.text().into_owned())]
}
