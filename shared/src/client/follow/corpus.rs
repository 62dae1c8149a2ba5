//! Frames as bots send them to those who follow, each above what the follower sees; and what chance makes of them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use hive_corpus::{Changed, Corpus, cases};
use proptest::prelude::*;

use super::*;

static CORPUS: LazyLock<Corpus> =
    LazyLock::new(|| Corpus::read(env!("CARGO_MANIFEST_DIR"), "src/client/follow/corpus", "frames"));

/// What means something to the reader.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "\"",
    ":",
    ",",
    "🐝",
    "\\ud800",
    "null",
    "-1",
    "0",
    "9007199254740992",
    "18446744073709551615",
    "\"entry_chunk\"",
    "\"offset\":",
    "\"content\":",
    "\"seq\":",
    "\"running\"",
];

fn follower() -> Follower {
    let nowhere = Locator::hive(crate::paths::Hive::at(std::path::Path::new("/nowhere")));
    Follower::when_up(nowhere, BotId::parse("BOT-1").expect("an id"), None)
}

/// What a follower sees of a frame, and where it then stands.
fn seen(follower: &mut Follower, frame: &str) -> String {
    if let Err(error) = follower.take(frame) {
        return format!("refused: {error:?}");
    }
    let mut text = String::new();
    for followed in follower.ready.drain(..) {
        match followed {
            Followed::Entry(entry) => {
                let Entry { seq, entry_id, status, content, .. } = *entry;
                let _ = writeln!(text, "entry {seq} {entry_id} {status} {content:?}");
            }
            other => {
                let _ = writeln!(text, "{other:?}");
            }
        }
    }
    match &follower.position {
        Some(Position { epoch, seq }) => text + &format!("at {seq} of {epoch}"),
        None => text + "nowhere",
    }
}

#[test]
fn each_is_followed_as_recorded() {
    CORPUS.check(|document| {
        let mut follower = follower();
        let mut read = String::new();
        for line in std::str::from_utf8(&document.bytes).unwrap().lines() {
            let seen = seen(&mut follower, line);
            let _ = writeln!(read, "{line}\n    {}", seen.replace('\n', "\n    "));
        }
        read
    });
}

/// Frames in the order of a document of the corpus, with things done to some of them.
fn frames() -> impl Strategy<Value = Vec<Changed>> {
    let lines: Vec<Changed> =
        CORPUS.lines().documents().iter().map(|line| Changed(line.bytes.clone())).collect();
    let any = prop::sample::select(lines);
    let changed = CORPUS.lines().changed(PIECES);
    let first = CORPUS.documents().iter().find(|it| it.name == "ordinary.frames").expect("it is there");
    let first = Changed(first.bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().to_owned());
    prop::collection::vec(prop_oneof![any, changed], 1..12).prop_map(move |mut frames| {
        frames.insert(0, first.clone());
        frames
    })
}

proptest! {
    #![proptest_config(cases(512))]

    /// A follower goes on whatever it is told: forward within a timeline, with pieces that follow on each other.
    #[test]
    fn a_follower_is_not_led_astray(frames in frames()) {
        let mut follower = follower();
        for frame in &frames {
            let before = follower.position.clone();
            let _refused = follower.take(&frame.text());
            match (&before, &follower.position) {
                (Some(before), Some(after)) => prop_assert!(before.epoch != after.epoch || before.seq <= after.seq),
                (None, _) => {}
                (Some(_), None) => prop_assert!(false, "it forgot where it stood"),
            }
            let mut known = before.map(|position| position.seq);
            for followed in follower.ready.drain(..) {
                match followed {
                    Followed::Entry(entry) => {
                        prop_assert!(known.is_none_or(|known| entry.seq > known), "told again: {}", entry.seq);
                    }
                    Followed::Chunk { offset, content, .. } => {
                        prop_assert!(!content.is_empty() && offset <= MAX_OFFSET + (1 << 30));
                    }
                    Followed::Restarted => known = None,
                    Followed::Connected | Followed::Disconnected(_) => {}
                }
            }
        }
    }
}
