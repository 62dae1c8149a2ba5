//! One request and its answer.

use std::sync::Arc;
use std::time::Duration;

use hive_shared::chat::{Channel, TurnEvent};
use reqwest::Response;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use super::OpenAi;
use super::delta::{self, Delta, Piece};
use super::sse::Events;
use super::trouble::{Asked, Trouble};
use crate::turn::Turn;

/// The most bytes of an answer that comes as one document.
const MAX_DOCUMENT: usize = 64 << 20;
/// The most bytes of an error's body that are looked at.
const MAX_ERROR: usize = 16 * 1024;
/// The most bytes of thoughts of one run that are passed on.
const MAX_THOUGHTS: usize = 4 << 20;
/// How long the cost of an answer that is over is waited for, or the words of an error.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What has come of a run so far, over all its requests.
#[derive(Debug)]
pub(super) struct Progress {
    turn: Arc<Turn>,
    /// Why the answer has ended, once it has.
    pub(super) finish: Option<String>,
    /// Whether there is anything of an answer.
    pub(super) has_spoken: bool,
    /// Whether the model wanted a tool.
    wanted_tool: bool,
    /// The cost of the requests before this one.
    usage_before: Option<Value>,
    usage: Option<Value>,
    thoughts: usize,
}

impl Progress {
    pub(super) fn new(turn: Arc<Turn>) -> Self {
        Self {
            turn,
            finish: None,
            has_spoken: false,
            wanted_tool: false,
            usage_before: None,
            usage: None,
            thoughts: 0,
        }
    }

    /// What all requests have cost, as far as the server told.
    pub(super) fn usage(&mut self) -> Option<Value> {
        self.usage_before = match (self.usage_before.take(), self.usage.take()) {
            (Some(before), Some(now)) => Some(delta::add_usage(before, now)),
            (before, now) => before.or(now),
        };
        self.usage_before.clone()
    }

    /// Another request begins.
    fn begin(&mut self) {
        self.usage();
        self.finish = None;
        self.wanted_tool = false;
    }

    fn take(&mut self, delta: Delta) {
        self.has_spoken |= !delta.text.is_empty();
        self.turn.say(&delta.text);
        self.think(delta.thought);
        if delta.wants_tool && !self.wanted_tool {
            self.wanted_tool = true;
            tracing::warn!(item = %self.turn.id(), "the model asks for a tool, and none was offered: ignored");
        }
        self.finish = delta.finish.or(self.finish.take());
        // Servers that tell it more than once count on.
        self.usage = delta.usage.or(self.usage.take());
    }

    fn think(&mut self, thought: String) {
        if thought.is_empty() || self.thoughts > MAX_THOUGHTS {
            return;
        }
        self.thoughts += thought.len();
        if self.thoughts > MAX_THOUGHTS {
            tracing::warn!(item = %self.turn.id(), MAX_THOUGHTS, "the model thinks more than is passed on");
            return;
        }
        self.turn.tell(TurnEvent::ResponseChunk { content: thought, channel: Channel::Thought });
    }
}

/// How an answer comes.
enum Form {
    /// Nothing but space has come yet.
    Unknown,
    Stream(Events),
    /// One document, in spite of what was asked for.
    Document(Vec<u8>),
}

/// Whether there is more to read.
#[derive(PartialEq, Eq)]
#[must_use]
enum Next {
    More,
    Over,
}

impl OpenAi {
    /// Asks once. What the model says goes to the turn of `progress` as it comes; dropped, the connection is closed.
    pub(super) async fn exchange(
        &self,
        body: &Value,
        asked: Asked<'_>,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        progress.begin();
        let patience = self.settings.stall_timeout;
        let mut request = self.http.post(self.place.url.clone()).json(body);
        request = request.header(ACCEPT, "text/event-stream, application/json");
        if let Some(key) = asked.key {
            request = request.header(AUTHORIZATION, key.header());
        }
        let response = timeout(patience, request.send()).await.map_err(|_| asked.stalled(patience))?;
        let response = response.map_err(|error| asked.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(refusal(response, asked).await);
        }
        let mut answer = Answer { asked, progress, form: Form::Unknown, has_begun: false };
        answer.listen(response, patience).await
    }
}

async fn refusal(mut response: Response, asked: Asked<'_>) -> Trouble {
    let mut body = Vec::new();
    // The status alone says enough where the rest does not come.
    let _ = timeout(LAST_WORDS, async {
        while let Ok(Some(chunk)) = response.chunk().await
            && body.len() < MAX_ERROR
        {
            body.extend_from_slice(&chunk[..chunk.len().min(MAX_ERROR - body.len())]);
        }
    })
    .await;
    asked.refused(response.status(), response.headers(), &String::from_utf8_lossy(&body))
}

/// An answer that is being read.
struct Answer<'a> {
    asked: Asked<'a>,
    progress: &'a mut Progress,
    form: Form,
    /// Whether anything of a completion has come.
    has_begun: bool,
}

impl Answer<'_> {
    async fn listen(&mut self, mut response: Response, patience: Duration) -> Result<(), Trouble> {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or("no type").to_owned();
        let mut over_at = None;
        loop {
            if self.progress.finish.is_some() {
                over_at.get_or_insert_with(|| Instant::now() + LAST_WORDS);
            }
            let until = over_at.unwrap_or_else(|| Instant::now() + patience);
            match timeout_at(until, response.chunk()).await {
                Ok(Ok(Some(bytes))) => match self.feed(&bytes)? {
                    Next::More => {}
                    Next::Over => return Ok(()),
                },
                Ok(Ok(None)) => return self.end(&kind),
                // It has said all, and only its good-bye is missing.
                Ok(Err(_)) | Err(_) if over_at.is_some() => return Ok(()),
                Ok(Err(error)) => return Err(self.asked.broken_off(Some(&error))),
                Err(_) => return Err(self.asked.stalled(patience)),
            }
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<Next, Trouble> {
        let mut bytes = bytes;
        if matches!(self.form, Form::Unknown) {
            bytes = bytes.trim_ascii_start();
            self.form = match bytes.first() {
                None => return Ok(Next::More),
                Some(b'{') => Form::Document(Vec::new()),
                Some(_) => Form::Stream(Events::default()),
            };
        }
        match &mut self.form {
            Form::Unknown => {}
            Form::Stream(stream) => {
                let events = stream.feed(bytes).map_err(|_| self.asked.unreadable("an event has no end"))?;
                for event in events {
                    if self.event(&event)? == Next::Over {
                        return Ok(Next::Over);
                    }
                }
            }
            Form::Document(document) => {
                document.extend_from_slice(bytes);
                if document.len() > MAX_DOCUMENT {
                    return Err(self.asked.unreadable("it does not end"));
                }
            }
        }
        Ok(Next::More)
    }

    fn event(&mut self, event: &str) -> Result<Next, Trouble> {
        if event.trim() == "[DONE]" {
            // Some say no other word at the end.
            self.progress.finish.get_or_insert_with(|| "stop".to_owned());
            return Ok(Next::Over);
        }
        match delta::read(event) {
            Some(Piece::Delta(delta)) => {
                self.has_begun = true;
                self.progress.take(delta);
            }
            Some(Piece::Error(error)) => return Err(self.asked.in_the_stream(&error)),
            Some(Piece::Other) => {}
            None if event.trim().is_empty() => {}
            None => return Err(self.asked.unreadable(&format!("it sent {event}"))),
        }
        Ok(Next::More)
    }

    /// The server has closed the answer.
    fn end(&mut self, kind: &str) -> Result<(), Trouble> {
        match std::mem::replace(&mut self.form, Form::Unknown) {
            Form::Unknown => return Err(self.asked.broken_off(None)),
            Form::Stream(stream) => {
                if let Some(event) = stream.end()
                    && self.event(&event)? == Next::Over
                {
                    return Ok(());
                }
                if !self.has_begun {
                    return Err(self.asked.unreadable(&format!("there is nothing of one in it ({kind})")));
                }
            }
            Form::Document(document) => match delta::read(&String::from_utf8_lossy(&document)) {
                Some(Piece::Delta(delta)) => {
                    self.progress.take(delta);
                    self.progress.finish.get_or_insert_with(|| "stop".to_owned());
                }
                Some(Piece::Error(error)) => return Err(self.asked.in_the_stream(&error)),
                Some(Piece::Other) | None => {
                    let beginning = String::from_utf8_lossy(&document[..document.len().min(MAX_ERROR)]);
                    return Err(self.asked.unreadable(&format!("it sent {beginning}")));
                }
            },
        }
        match self.progress.finish {
            Some(_) => Ok(()),
            None => Err(self.asked.broken_off(None)),
        }
    }
}
