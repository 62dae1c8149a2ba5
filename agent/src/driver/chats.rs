//! Prompts and the connections that they come from.

use std::sync::Arc;

use hive_shared::api::code;
use hive_shared::chat::{AcceptedState, Channel, Prompt, TurnEvent, notice};
use hive_shared::ids::ItemId;
use hive_shared::response;
use hive_shared::time::{Stamp, limit_from_secs};
use hive_shared::work::{Mode, Source};

use super::requests::BAD_LIMIT;
use super::{Driver, Effect};
use crate::coordinator::{ChatSpec, Event, Reply};
use crate::failpoint;
use crate::prompt;
use crate::request::{Answer, Connection, Denied};
use crate::store::{Detail, Item, StoreError};
use crate::turn::Turn;
use crate::untrusted;

/// The most bytes that a prompt may have, as a task has.
const MAX_PROMPT: usize = hive_shared::task::MAX_TASK_BYTES;
/// No turn has more frames than this.
const MAX_FRAMES: u64 = 1 << 53;
/// The most characters of a name that somebody gives himself or a conversation.
const MAX_NAME: usize = 128;

impl Driver {
    pub(super) fn prompt(
        &mut self,
        prompt: Prompt,
        connection: Connection,
        answer: Answer<Arc<Turn>>,
    ) -> Result<(), StoreError> {
        let result = self.take_prompt(prompt, connection)?;
        self.answer(answer, result);
        Ok(())
    }

    fn take_prompt(
        &mut self,
        prompt: Prompt,
        connection: Connection,
    ) -> Result<Result<Arc<Turn>, Denied>, StoreError> {
        if self.settings.mode == Mode::CliOnly {
            return Ok(Err(Denied::new(code::MODE, "this bot takes no prompts: its mode is cli-only")));
        }
        if let Err(denied) = check(&prompt) {
            return Ok(Err(denied));
        }
        let limit = match prompt.timeout_seconds.map(limit_from_secs) {
            None => self.settings.chat_limit,
            Some(Some(limit)) => limit,
            Some(None) => return Ok(Err(Denied::new(code::BAD_REQUEST, BAD_LIMIT))),
        };
        let session = prompt.session.clone().unwrap_or_else(|| prompt.user.clone());
        let digest = prompt::digest(&prompt.message, &prompt.user, &session);
        if let Some(id) = &prompt.id {
            if let Some(known) = self.store.item(id)? {
                let is_same = known.source == Source::Chat && known.digest == digest;
                return if is_same { self.take_up(&known, 0, connection) } else { Ok(Err(taken(id))) };
            }
            if self.is_taken(id)? || self.store.entry(&format!("{id}-reply"))?.is_some() {
                return Ok(Err(taken(id)));
            }
        }
        if let Some(refusal) = self.core.refuses(prompt.when_busy) {
            return Ok(Err(refusal.into()));
        }
        let now = Stamp::now();
        let id = match prompt.id {
            Some(id) => id,
            None => self.fresh_id("CHAT", now)?,
        };
        let detail = Detail {
            limit,
            sender: Some(prompt.user),
            session: Some(session),
            when_busy: Some(prompt.when_busy),
            ..Detail::default()
        };
        let mut item = Item::new(id.clone(), Source::Chat, prompt::title(&prompt.message), digest, detail);
        self.store.put_item(&mut item)?;
        self.store.put_entry(self.prompt_entry(&item, &prompt.message), true)?;
        self.store.put_instruction(item.arrival, prompt.message)?;
        failpoint::pass("seen");
        self.attached.entry(id.clone()).or_default().insert(connection);
        let turn = self.chat_turn(&id);
        let spec = ChatSpec { id: id.clone(), limit, when_busy: prompt.when_busy, detached: false };
        let reply = self.feed(Event::ChatArrived(spec))?.unwrap_or(Reply::Started);
        tracing::info!(chat = %id, sender = item.detail.sender, reply = ?reply, "prompted");
        self.accept(Arc::clone(&turn), &reply);
        Ok(Ok(turn))
    }

    pub(super) fn attach(
        &mut self,
        id: &ItemId,
        after: u64,
        connection: Connection,
        answer: Answer<Arc<Turn>>,
    ) -> Result<(), StoreError> {
        let result = match self.store.item(id)? {
            Some(item) if item.source == Source::Chat => self.take_up(&item, after, connection)?,
            Some(_) | None => Err(Denied::unknown(id)),
        };
        self.answer(answer, result);
        Ok(())
    }

    /// Lets a connection listen to a prompt that is known.
    fn take_up(
        &mut self,
        item: &Item,
        after: u64,
        connection: Connection,
    ) -> Result<Result<Arc<Turn>, Denied>, StoreError> {
        if after > MAX_FRAMES {
            return Ok(Err(unseen()));
        }
        if !item.status.is_final() {
            let turn = self.chat_turn(&item.id);
            if !turn.is_seen_to(after) {
                return Ok(Err(unseen()));
            }
            self.attached.entry(item.id.clone()).or_default().insert(connection);
            self.feed(Event::ChatAttached(item.id.clone()))?;
            return Ok(Ok(turn));
        }
        if let Some(turn) = self.hub.turn(&item.id).filter(|turn| after <= turn.last_frame()) {
            return Ok(Ok(turn));
        }
        // Its frames are gone; its record is not.
        let mut events = Vec::new();
        if after == 0 {
            events.push(TurnEvent::Accepted { state: AcceptedState::Started, position: None, reason: None });
        } else {
            let message = "the frames of this turn are gone; its whole answer follows once more".to_owned();
            events.push(TurnEvent::Notice { code: notice::REPLAYED.to_owned(), message });
        }
        if item.attempts > 0 {
            events.push(TurnEvent::ResponseStart);
            let content = self.response_text(item)?;
            events.push(TurnEvent::ResponseChunk { content, channel: Channel::Text });
        }
        if item.settled {
            events.push(item.completion());
            return Ok(Ok(Turn::replay(item.id.clone(), after, events)));
        }
        // It ended in an earlier life, and nobody is told before its response is published.
        let turn = Turn::replay(item.id.clone(), after, events);
        let told = (Arc::clone(&turn), item.completion());
        self.unpublished.entry(item.arrival).or_default().push(told);
        Ok(Ok(turn))
    }

    /// The text of an ended item's response.
    fn response_text(&self, item: &Item) -> Result<String, StoreError> {
        let document = match self.store.body(item.arrival)? {
            Some(document) => Some(document),
            None => item
                .response_file
                .as_ref()
                .and_then(|name| untrusted::read_text(&self.identity.hive.responses().join(name)).ok()),
        };
        let text =
            document.as_deref().and_then(|document| response::read(document).ok()).map(|(_, text)| text);
        Ok(text.unwrap_or_default().to_owned())
    }

    pub(super) fn disconnected(&mut self, connection: Connection) -> Result<(), StoreError> {
        let mut left: Vec<ItemId> = Vec::new();
        self.attached.retain(|id, connections| {
            if connections.remove(&connection) && connections.is_empty() {
                left.push(id.clone());
            }
            !connections.is_empty()
        });
        left.into_iter().try_for_each(|id| self.feed(Event::ChatDetached(id)).map(|_| ()))
    }

    /// The turn of a prompt that has not ended.
    pub(super) fn chat_turn(&mut self, id: &ItemId) -> Arc<Turn> {
        self.hub.turn(id).unwrap_or_else(|| {
            let turn = Turn::of_chat(id.clone(), self.max_output());
            self.hub.add_turn(Arc::clone(&turn));
            turn
        })
    }

    /// Answers a request once what was done for it is committed.
    pub(super) fn answer<T: Send + 'static>(&mut self, answer: Answer<T>, result: Result<T, Denied>) {
        // Whoever asked may have gone.
        self.effects.push(Effect::Answer(Box::new(move || drop(answer.send(result)))));
    }

    /// An id that nothing has yet.
    pub(super) fn fresh_id(&self, prefix: &str, now: Stamp) -> Result<ItemId, StoreError> {
        loop {
            let id = ItemId::generate(prefix, now.timestamp());
            if !self.is_taken(&id)? {
                return Ok(id);
            }
        }
    }
}

fn check(prompt: &Prompt) -> Result<(), Denied> {
    let named = |what: &str, name: &str| {
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            let message =
                format!("{what} is a name of 1 to {MAX_NAME} characters without control characters");
            return Err(Denied::new(code::BAD_REQUEST, message));
        }
        Ok(())
    };
    named("user", &prompt.user)?;
    prompt.session.as_deref().map_or(Ok(()), |session| named("session", session))?;
    if prompt.message.trim().is_empty() {
        return Err(Denied::new(code::BAD_REQUEST, "message is empty: say what the bot is to do"));
    }
    if prompt.message.len() > MAX_PROMPT {
        let message = format!("message has {} bytes, and may have {MAX_PROMPT}", prompt.message.len());
        return Err(Denied::new(code::TOO_LARGE, message));
    }
    Ok(())
}

fn unseen() -> Denied {
    Denied::new(code::BAD_REQUEST, "after is the number of a frame that was seen")
}

fn taken(id: &ItemId) -> Denied {
    Denied::new(code::CONFLICT, format!("the id '{id}' is in use with other content"))
}
