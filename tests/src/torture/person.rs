//! People who chat with the tortured bot: they stay, leave, or change their minds.

use hive_shared::chat::{Channel, Prompt, TurnEvent, notice};
use hive_shared::client::{Chat, ChatEvent, Client};
use hive_shared::ids::ItemId;
use hive_shared::work::Status;

/// How long somebody stays.
#[derive(Debug, Clone, Copy)]
pub(super) enum Habit {
    /// To the end, across lost connections.
    Stays,
    /// Until so much has happened.
    LeavesAfter(u64),
    /// To the end, which it asks for when so much has happened.
    CancelsAfter(u64),
}

/// What somebody heard.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) id: ItemId,
    pub(super) words: String,
    /// Whether the prompt was accepted as far as is known.
    pub(super) accepted: bool,
    /// Whether the bot would not have it.
    pub(super) refused: bool,
    pub(super) text: String,
    /// How it ended, if that was heard.
    pub(super) end: Option<Status>,
}

/// Asks something and listens.
pub(super) async fn ask(client: Client, prompt: Prompt, habit: Habit) -> Heard {
    let mut chat = Chat::new(client);
    let words = prompt.message.clone();
    let id = chat.prompt(prompt).await;
    let mut heard = Heard { id, words, accepted: false, refused: false, text: String::new(), end: None };
    let mut last_frame = 0;
    for happened in 0_u64.. {
        match habit {
            Habit::LeavesAfter(enough) if happened >= enough => break,
            Habit::CancelsAfter(enough) if happened == enough => chat.cancel(&heard.id).await,
            Habit::Stays | Habit::LeavesAfter(_) | Habit::CancelsAfter(_) => {}
        }
        match chat.next().await.expect("what a new connection mends") {
            ChatEvent::Frame(frame) => {
                assert_eq!((&frame.id, frame.n), (&heard.id, last_frame + 1), "{frame:?}");
                last_frame = frame.n;
                heard.accepted = true;
                if let TurnEvent::ResponseChunk { content, channel: Channel::Text } = frame.event {
                    heard.text += &content;
                } else if let TurnEvent::Notice { code, .. } = frame.event {
                    // The whole answer follows once more.
                    if code == notice::REPLAYED {
                        heard.text.clear();
                    }
                } else if let TurnEvent::ResponseComplete { status, .. } = frame.event {
                    heard.end = Some(status);
                    break;
                }
            }
            ChatEvent::Refused { code, .. } if !chat.has(&heard.id) => {
                assert!(!heard.accepted, "{} was accepted, and then refused: {code}", heard.id);
                heard.refused = true;
                break;
            }
            // What is refused may be a cancel that came too late.
            ChatEvent::Connected(_) | ChatEvent::Disconnected(_) | ChatEvent::Refused { .. } => {}
        }
    }
    heard
}
