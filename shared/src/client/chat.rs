//! Chat with a bot over its prompt socket (SPEC 9): every frame of a turn exactly once and in order, across lost
//! connections and restarts of the bot.

use std::collections::{BTreeMap, VecDeque};

use super::link::{Link, Linked};
use super::{Client, ClientError};
use crate::api::code;
use crate::chat::{ClientFrame, Heard, Hello, Prompt, ServerFrame, TurnEvent, TurnFrame};
use crate::ids::ItemId;
use crate::time::Stamp;

/// What a [`Chat`] sees.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatEvent {
    /// The connection stands, for the first time or again.
    Connected(Hello),
    /// The connection is lost, or could not be had; the chat goes on trying. Said once.
    Disconnected(String),
    /// The next frame of a turn.
    Frame(TurnFrame),
    /// Something that was sent cannot be done.
    Refused {
        /// The prompt; it is over, unless it was a frame about a running one that was refused.
        id: Option<ItemId>,
        /// See [`crate::api::code`].
        code: String,
        /// For people.
        message: String,
    },
}

/// A conversation with one bot: any number of turns, those of this client alone.
pub struct Chat {
    link: Link,
    ready: VecDeque<ChatEvent>,
    turns: BTreeMap<ItemId, Turn>,
    /// What goes out as soon as the link stands.
    outbox: VecDeque<ClientFrame>,
    /// How the bot greeted on a connection that is not told yet.
    hello: Option<Hello>,
}

/// A turn that is not over.
#[derive(Debug)]
struct Turn {
    /// What was asked; absent if another client asked it.
    prompt: Option<Prompt>,
    /// The last frame seen.
    seen: u64,
    cancelled: bool,
}

impl Chat {
    /// A chat with a bot; [`Chat::next`] makes the connection.
    pub fn new(client: Client) -> Self {
        Self {
            link: Link::new(client.locator().clone(), client.bot().clone(), Some(client)),
            ready: VecDeque::new(),
            turns: BTreeMap::new(),
            outbox: VecDeque::new(),
            hello: None,
        }
    }

    /// Asks something. The prompt gets an id if it has none, so that it runs once however often it must be sent.
    pub async fn prompt(&mut self, mut prompt: Prompt) -> ItemId {
        let id = prompt.id.get_or_insert_with(|| ItemId::generate("CHAT", Stamp::now().timestamp())).clone();
        let frame = ClientFrame::Prompt(prompt.clone());
        self.turns.insert(id.clone(), Turn { prompt: Some(prompt), seen: 0, cancelled: false });
        self.send(frame).await;
        id
    }

    /// Takes up a turn again after its frame `after`; 0 for all of it.
    pub async fn attach(&mut self, id: ItemId, after: u64) {
        let frame = ClientFrame::Attach { id: id.clone(), after };
        self.turns.insert(id, Turn { prompt: None, seen: after, cancelled: false });
        self.send(frame).await;
    }

    /// Ends a turn, or takes a waiting prompt back; its last frame tells how it ended.
    pub async fn cancel(&mut self, id: &ItemId) {
        if let Some(turn) = self.turns.get_mut(id) {
            turn.cancelled = true;
            self.send(ClientFrame::Cancel { id: id.clone() }).await;
        }
    }

    /// Answers an approval request.
    pub async fn approve(&mut self, approval_id: ItemId, option: String) {
        self.send(ClientFrame::Approve { approval_id, option }).await;
    }

    /// Whether any turn is not over yet.
    pub fn is_open(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Whether this turn is not over yet.
    pub fn has(&self, id: &ItemId) -> bool {
        self.turns.contains_key(id)
    }

    /// The bot, while it is known where it is.
    pub fn client(&self) -> Option<&Client> {
        self.link.client()
    }

    /// What happens next. Waits, across lost connections, until something does; fails only with what another attempt
    /// would not mend. May be dropped and called again without losing anything.
    pub async fn next(&mut self) -> Result<ChatEvent, ClientError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            self.flush().await;
            match self.link.next(|bot| format!("/ws/bot/{bot}/prompt")).await? {
                Linked::Joined => {
                    self.hello = None;
                    self.outbox = self.turns.iter().flat_map(|(id, turn)| turn.again(id)).collect();
                }
                Linked::Proven => self.ready.extend(self.hello.take().map(ChatEvent::Connected)),
                Linked::Parted(reason) => return Ok(ChatEvent::Disconnected(reason)),
                Linked::Text(text) => self.take(&text)?,
            }
        }
    }

    /// Leaves; what was sent arrives before that is noticed.
    pub async fn close(mut self) {
        self.link.close().await;
    }

    /// Sends a frame now if the link stands. If not, the turns tell what must be sent when it does.
    async fn send(&mut self, frame: ClientFrame) {
        self.outbox.push_back(frame);
        self.flush().await;
    }

    /// A frame leaves the outbox when it is sent, so that a caller that gives up waiting loses none: one that is sent
    /// twice counts once.
    async fn flush(&mut self) {
        while let Some(frame) = self.outbox.front() {
            self.link.send(encode(frame)).await;
            self.outbox.pop_front();
        }
    }

    fn take(&mut self, text: &str) -> Result<(), ClientError> {
        let heard = ServerFrame::read(text).map_err(|bad| ClientError::Garbled(bad.reason))?;
        match heard {
            Heard::Frame(ServerFrame::Hello(hello)) if self.link.is_doubted() => self.hello = Some(hello),
            Heard::Frame(ServerFrame::Hello(hello)) => self.ready.push_back(ChatEvent::Connected(hello)),
            Heard::Frame(ServerFrame::Error { id, code, message }) => {
                let id = id.and_then(|id| ItemId::parse(&id).ok());
                if let Some(id) = &id {
                    self.refused(id, &code);
                }
                self.ready.push_back(ChatEvent::Refused { id, code, message });
            }
            Heard::Frame(ServerFrame::Turn(frame)) => {
                if self.is_next(&frame.id, frame.n) {
                    if matches!(frame.event, TurnEvent::ResponseComplete { .. }) {
                        self.turns.remove(&frame.id);
                    }
                    self.ready.push_back(ChatEvent::Frame(frame));
                }
            }
            Heard::OtherProtocol(protocol) => return Err(ClientError::Protocol(protocol)),
            // A later bot may say more than this program knows; it still counts.
            Heard::Unknown { id: Some(id), n: Some(n) } => drop(self.is_next(&id, n)),
            Heard::Unknown { .. } => {}
        }
        Ok(())
    }

    /// A prompt that was refused before its first frame is over, and so is a turn that the bot does not know any more.
    /// What else it refuses about a turn (a cancel that came too late) leaves the turn as it is.
    fn refused(&mut self, id: &ItemId, code: &str) {
        if self.turns.get(id).is_some_and(|turn| turn.seen == 0 || code == code::NOT_FOUND) {
            self.turns.remove(id);
            self.proves();
        }
    }

    /// The connection brought something new.
    fn proves(&mut self) {
        if self.link.proves() {
            self.ready.extend(self.hello.take().map(ChatEvent::Connected));
        }
    }

    /// Whether frame `n` is the one to be told next. An earlier one is a repeat; a later one means that something was
    /// lost on the way, which a new connection mends.
    fn is_next(&mut self, id: &ItemId, n: u64) -> bool {
        let Some(turn) = self.turns.get_mut(id) else { return false };
        if n == turn.seen + 1 {
            turn.seen = n;
            self.proves();
            return true;
        }
        if n > turn.seen {
            let parted = self.link.part(format!("frame {n} of {id} came out of turn"));
            if let Some(Linked::Parted(reason)) = parted {
                self.ready.push_back(ChatEvent::Disconnected(reason));
            }
        }
        false
    }
}

impl Turn {
    /// What a new connection must be told so that the turn goes on.
    fn again(&self, id: &ItemId) -> impl Iterator<Item = ClientFrame> {
        let take_up = match &self.prompt {
            Some(prompt) if self.seen == 0 => ClientFrame::Prompt(prompt.clone()),
            Some(_) | None => ClientFrame::Attach { id: id.clone(), after: self.seen },
        };
        let cancel = self.cancelled.then(|| ClientFrame::Cancel { id: id.clone() });
        std::iter::once(take_up).chain(cancel)
    }
}

fn encode(frame: &ClientFrame) -> String {
    serde_json::to_string(frame).expect("a frame has string keys only")
}

#[cfg(test)]
mod corpus;
