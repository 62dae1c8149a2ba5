//! The live output of one item: what its adapter says, kept whole until it is on disk, for everyone who listens.
//!
//! Listeners hold a position and read on from it; nothing is pushed to them, so a slow one costs a position and no
//! memory, and one that comes back misses nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use hive_shared::api::MAX_CONTENT;
use hive_shared::chat::{Channel, ServerFrame, TurnEvent, TurnFrame, notice};
use hive_shared::ids::ItemId;
use tokio::sync::watch;

/// The output of one file task or chat turn while it lives.
pub struct Turn {
    id: ItemId,
    keeps_frames: bool,
    max_output: usize,
    inner: Mutex<Inner>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    text: String,
    truncated: bool,
    frames: Vec<Utf8Bytes>,
    complete: bool,
    on_first_output: Option<Box<dyn FnOnce() + Send>>,
}

impl Turn {
    /// A turn of a file task, whose listeners read the text alone.
    pub fn of_task(id: ItemId, max_output: usize) -> Arc<Self> {
        Self::new(id, max_output, false)
    }

    /// A turn of a chat prompt, whose listeners read numbered frames.
    pub fn of_chat(id: ItemId, max_output: usize) -> Arc<Self> {
        Self::new(id, max_output, true)
    }

    fn new(id: ItemId, max_output: usize, keeps_frames: bool) -> Arc<Self> {
        let (changes, _) = watch::channel(0);
        Arc::new(Self { id, keeps_frames, max_output, inner: Mutex::default(), changes })
    }

    /// The item whose output this is.
    pub fn id(&self) -> &ItemId {
        &self.id
    }

    /// Calls `hook` at the first output that follows.
    pub fn on_first_output(&self, hook: impl FnOnce() + Send + 'static) {
        self.lock().on_first_output = Some(Box::new(hook));
    }

    /// The adapter says `chunk`, as part of the response. What is beyond `max_output` bytes is dropped, and says so.
    pub fn say(&self, chunk: &str) {
        if chunk.is_empty() {
            return;
        }
        let mut inner = self.lock();
        let hook = inner.on_first_output.take();
        let room = self.max_output.saturating_sub(inner.text.len());
        let kept = &chunk[..chunk.floor_char_boundary(room.min(chunk.len()))];
        if !inner.truncated && !kept.is_empty() {
            inner.text.push_str(kept);
            let event = TurnEvent::ResponseChunk { content: kept.to_owned(), channel: Channel::Text };
            self.push(&mut inner, event);
        }
        if kept.len() < chunk.len() && !inner.truncated {
            inner.truncated = true;
            let message = format!("the response is cut at {} bytes", self.max_output);
            self.push(&mut inner, TurnEvent::Notice { code: notice::TRUNCATED.to_owned(), message });
        }
        drop(inner);
        self.wake();
        if let Some(hook) = hook {
            hook();
        }
    }

    /// Something else happens in the turn; listeners of a chat see it as a frame.
    pub fn tell(&self, event: TurnEvent) {
        let mut inner = self.lock();
        inner.complete |= matches!(event, TurnEvent::ResponseComplete { .. });
        self.push(&mut inner, event);
        drop(inner);
        self.wake();
    }

    /// The work starts over: what was said so far is no part of the response any more.
    pub fn start_over(&self) {
        let mut inner = self.lock();
        inner.text.clear();
        inner.truncated = false;
        drop(inner);
        self.wake();
    }

    /// The item is over and on disk; listeners that have read all may go.
    pub fn close(&self) {
        self.lock().complete = true;
        self.wake();
    }

    /// Whether the item is over and on disk.
    pub fn is_complete(&self) -> bool {
        self.lock().complete
    }

    /// The text so far, and whether it was cut.
    pub fn text(&self) -> (String, bool) {
        let inner = self.lock();
        (inner.text.clone(), inner.truncated)
    }

    /// The text from byte `offset` on; all of it if the work has started over since and is shorter now, in which
    /// case the offset returned is 0.
    pub fn text_from(&self, offset: usize) -> (usize, String) {
        let inner = self.lock();
        match inner.text.get(offset..) {
            Some(rest) => (offset, rest.to_owned()),
            None => (0, inner.text.clone()),
        }
    }

    /// Like [`Turn::text_from`], for followers of the timeline, who get no more than an entry holds.
    pub fn content_from(&self, offset: usize) -> (usize, String) {
        let inner = self.lock();
        let cut = inner.text.floor_char_boundary(inner.text.len().min(MAX_CONTENT));
        match inner.text[..cut].get(offset..) {
            Some(rest) => (offset, rest.to_owned()),
            None if offset > inner.text.len() => (0, inner.text[..cut].to_owned()),
            None => (offset, String::new()),
        }
    }

    /// Up to `limit` frames after frame number `after`.
    pub fn frames_after(&self, after: u64, limit: usize) -> Vec<Utf8Bytes> {
        let inner = self.lock();
        let from = usize::try_from(after).unwrap_or(usize::MAX).min(inner.frames.len());
        inner.frames[from..].iter().take(limit).cloned().collect()
    }

    /// Changes whenever there is more to read.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn push(&self, inner: &mut Inner, event: TurnEvent) {
        if !self.keeps_frames {
            return;
        }
        let n = inner.frames.len() as u64 + 1;
        let frame = ServerFrame::Turn(TurnFrame { id: self.id.clone(), n, event });
        let json = serde_json::to_string(&frame).expect("a frame has string keys only");
        inner.frames.push(json.into());
    }

    fn wake(&self) {
        self.changes.send_modify(|version| *version += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(max_output: usize) -> Arc<Turn> {
        Turn::of_chat(ItemId::parse("CHAT-1").unwrap(), max_output)
    }

    #[test]
    fn frames_are_numbered_without_a_gap_and_read_on() {
        let turn = chat(1_000);
        turn.tell(TurnEvent::ResponseStart);
        turn.say("a");
        turn.say("");
        turn.say("b");
        let frames = turn.frames_after(1, 10);
        assert_eq!(frames.len(), 2);
        assert!(frames[1].contains(r#""n":3"#) && frames[1].contains(r#""content":"b""#));
        assert!(turn.frames_after(3, 10).is_empty());
        assert!(turn.frames_after(u64::MAX, 10).is_empty());
    }

    #[test]
    fn output_beyond_the_bound_is_cut_once_at_a_character() {
        let turn = chat(4);
        turn.say("aäb");
        turn.say("äc");
        turn.say("x");
        assert_eq!(turn.text(), ("aäb".to_owned(), true));
        let notices = turn.frames_after(0, 10).iter().filter(|f| f.contains("truncated")).count();
        assert_eq!(notices, 1);
    }

    #[test]
    fn a_reader_notices_that_the_work_started_over() {
        let turn = chat(100);
        turn.say("first attempt");
        assert_eq!(turn.text_from(6), (6, "attempt".to_owned()));
        turn.start_over();
        turn.say("second");
        assert_eq!(turn.text_from(13), (0, "second".to_owned()));
        assert_eq!(turn.content_from(3), (3, "ond".to_owned()));
    }
}
