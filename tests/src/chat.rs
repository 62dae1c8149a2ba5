//! The prompt socket.

use std::collections::VecDeque;

use futures::SinkExt as _;
use hive_shared::ids::BotId;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::upgrade::{self, Socket};
use crate::wait::DEADLINE;

/// A chat connection.
#[derive(Debug)]
pub struct ChatSocket {
    socket: Socket,
    /// The first frame.
    pub hello: Value,
    /// Frames that came while others were waited for.
    kept: VecDeque<Value>,
}

/// The frames of a turn, up to `response_complete`.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// All of them.
    pub frames: Vec<Value>,
}

impl ChatSocket {
    pub(crate) async fn open(address: &str, bot: &BotId, token: &str) -> Self {
        Self::on(upgrade::open(address, &format!("/ws/bot/{bot}/prompt"), token).await).await
    }

    /// Takes over a connection that was just opened.
    pub async fn on(socket: Socket) -> Self {
        let mut chat = Self { socket, hello: Value::Null, kept: VecDeque::new() };
        chat.hello = chat.next().await;
        assert_eq!(chat.hello["type"], "hello", "{}", chat.hello);
        chat
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends a text that need not be a frame.
    pub async fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    /// Sends any message.
    pub async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.expect("the socket is open");
    }

    /// Sends a message that the bot may not want to take.
    pub async fn send_lost(&mut self, message: Message) {
        // It may have closed the connection before it has read all of it.
        let _ = self.socket.send(message).await;
    }

    /// Sends a prompt of the user `dave`.
    pub async fn prompt(&mut self, id: &str, message: &str) {
        self.prompt_with(id, message, json!({})).await;
    }

    /// The same with more fields.
    pub async fn prompt_with(&mut self, id: &str, message: &str, more: Value) {
        let mut frame = json!({"type": "prompt", "id": id, "message": message, "user": "dave"});
        let more = more.as_object().expect("fields").clone();
        frame.as_object_mut().expect("an object").extend(more);
        self.send(frame).await;
    }

    /// The next frame.
    pub async fn next(&mut self) -> Value {
        self.next_if_open().await.expect("the socket is open")
    }

    /// The next frame; none when the bot has closed the connection.
    pub async fn next_if_open(&mut self) -> Option<Value> {
        match self.kept.pop_front() {
            Some(frame) => Some(frame),
            None => self.receive().await,
        }
    }

    /// Waits for a frame that fits; the others are kept for later.
    pub async fn next_that(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().position(&fits) {
            return self.kept.remove(at).expect("it is there");
        }
        loop {
            match self.receive().await {
                Some(frame) if fits(&frame) => return frame,
                Some(frame) => self.kept.push_back(frame),
                None => panic!("the socket was closed; there were {:#?}", self.kept),
            }
        }
    }

    /// Waits for a frame of a type, of one prompt.
    pub async fn next_of(&mut self, id: &str, kind: &str) -> Value {
        self.next_that(|frame| frame["id"] == id && frame["type"] == kind).await
    }

    /// The `accepted` of a prompt; frames of others are kept.
    pub async fn accepted(&mut self, id: &str) -> Value {
        let frame = self.next_that(|frame| frame["id"] == id).await;
        assert_eq!((&frame["type"], &frame["n"]), (&json!("accepted"), &json!(1)), "{frame}");
        frame
    }

    /// Collects a turn from the frame that is next to `response_complete`; frames of others are kept.
    pub async fn turn(&mut self, id: &str) -> Turn {
        let mut frames = Vec::new();
        loop {
            let frame = self.next_that(|frame| frame["id"] == id).await;
            assert_ne!(frame["type"], "error", "{frame}\nafter {frames:#?}");
            let is_last = frame["type"] == "response_complete";
            frames.push(frame);
            if is_last {
                return Turn { frames };
            }
        }
    }

    /// Waits until the bot has closed the connection.
    pub async fn closed(mut self) {
        while self.receive().await.is_some() {}
    }

    /// Goes without a good-bye, as a client whose machine went to sleep.
    pub fn cut(self) {}

    async fn receive(&mut self) -> Option<Value> {
        match timeout(DEADLINE, upgrade::receive(&mut self.socket)).await {
            Ok(frame) => frame,
            Err(elapsed) => panic!("no frame came in {DEADLINE:?} ({elapsed}); there were {:#?}", self.kept),
        }
    }
}

impl Turn {
    /// What was said.
    pub fn text(&self) -> String {
        let chunks = self.frames.iter().filter(|frame| frame["type"] == "response_chunk");
        chunks.map(|frame| frame["content"].as_str().expect("text")).collect()
    }

    /// The types of the frames, runs of the same one as one.
    pub fn shape(&self) -> Vec<&str> {
        let mut types: Vec<&str> =
            self.frames.iter().map(|frame| frame["type"].as_str().expect("a type")).collect();
        types.dedup();
        types
    }

    /// The last frame.
    pub fn complete(&self) -> &Value {
        self.frames.last().expect("a turn has frames")
    }

    /// The numbers of the frames.
    pub fn numbers(&self) -> Vec<u64> {
        self.frames.iter().map(|frame| frame["n"].as_u64().expect("a number")).collect()
    }
}
