//! The live output of one item: what its adapter says, kept whole until it is on disk, for everyone who listens.
//!
//! Listeners hold a position and read on from it; nothing is pushed to them, so a slow one costs a position and no
//! memory, and one that comes back misses nothing.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use hive_shared::api::MAX_CONTENT;
use hive_shared::chat::{Channel, ServerFrame, TurnEvent, TurnFrame, notice};
use hive_shared::ids::ItemId;
use tokio::sync::watch;

/// How far a listener has read the text of a turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// How often the work had started over.
    generation: u32,
    /// How many bytes of its text were read since.
    offset: usize,
}

/// More of the text of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// How many bytes came before it; 0 again when the work has started over.
    pub offset: usize,
    /// What came.
    pub text: String,
}

/// The output of one file task or chat turn while it lives.
pub struct Turn {
    id: ItemId,
    keeps_frames: bool,
    max_output: usize,
    inner: Mutex<Inner>,
    changes: watch::Sender<u64>,
    /// The change of the timeline that shows its start.
    start_seq: AtomicU64,
}

#[derive(Default)]
struct Inner {
    text: String,
    generation: u32,
    truncated: bool,
    /// The number of the frame before the first one kept.
    base: u64,
    frames: Vec<Utf8Bytes>,
    complete: bool,
    on_first_output: Option<Box<dyn FnOnce() + Send>>,
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("id", &self.id).finish_non_exhaustive()
    }
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
        Arc::new(Self {
            id,
            keeps_frames,
            max_output,
            inner: Mutex::default(),
            changes,
            start_seq: AtomicU64::new(u64::MAX),
        })
    }

    /// What is left to tell of a chat turn whose frames are no longer kept, to a client that has seen frame `after`.
    pub fn replay(id: ItemId, after: u64, events: impl IntoIterator<Item = TurnEvent>) -> Arc<Self> {
        let turn = Self::new(id, usize::MAX, true);
        turn.lock().base = after;
        for event in events {
            turn.tell(event);
        }
        turn
    }

    /// The item whose output this is.
    pub fn id(&self) -> &ItemId {
        &self.id
    }

    /// The entry of the timeline that its text is the content of.
    pub fn entry_id(&self) -> String {
        if self.keeps_frames { format!("{}-reply", self.id) } else { self.id.to_string() }
    }

    /// Its start is change `seq` of the timeline.
    pub fn started_at(&self, seq: u64) {
        self.start_seq.store(seq, Ordering::Relaxed);
    }

    /// Whether a follower that has seen the timeline up to `seq` knows that it has started.
    pub fn is_known_at(&self, seq: u64) -> bool {
        self.start_seq.load(Ordering::Relaxed) <= seq
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
        // Who thinks aloud or takes a tool up is not slow.
        let is_output = matches!(
            event,
            TurnEvent::ResponseChunk { .. } | TurnEvent::ToolCall { .. } | TurnEvent::Plan { .. }
        );
        let mut inner = self.lock();
        let hook = if is_output { inner.on_first_output.take() } else { None };
        inner.complete |= matches!(event, TurnEvent::ResponseComplete { .. });
        self.push(&mut inner, event);
        drop(inner);
        self.wake();
        if let Some(hook) = hook {
            hook();
        }
    }

    /// The work starts over: what was said so far is no part of the response any more.
    pub fn start_over(&self) {
        let mut inner = self.lock();
        inner.text.clear();
        inner.generation += 1;
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

    /// The bytes that it takes, about.
    pub fn size(&self) -> usize {
        let inner = self.lock();
        inner.text.len()
            + inner.frames.iter().map(|frame| frame.len() + size_of::<Utf8Bytes>()).sum::<usize>()
    }

    /// The number of its last frame.
    pub fn last_frame(&self) -> u64 {
        let inner = self.lock();
        inner.base + inner.frames.len() as u64
    }

    /// Lets its frames count on from `after`, which a client has seen in an earlier life of the bot.
    pub fn count_on_from(&self, after: u64) {
        let mut inner = self.lock();
        let kept = inner.frames.len() as u64;
        inner.base = inner.base.max(after.saturating_sub(kept));
    }

    /// Whether the item is over and a listener that has had frame `after` has had all.
    pub fn is_told(&self, after: u64) -> bool {
        let inner = self.lock();
        inner.complete && after >= inner.base + inner.frames.len() as u64
    }

    /// The text so far, and whether it was cut.
    pub fn text(&self) -> (String, bool) {
        let inner = self.lock();
        (inner.text.clone(), inner.truncated)
    }

    /// As much of the text so far as an entry of the timeline holds, and whether that is not all.
    pub fn content(&self) -> (String, bool) {
        content_of(&self.lock().text)
    }

    /// What was said since `position`, of the first `cap` bytes; moves the position on.
    pub fn read_on(&self, position: &mut Position, cap: usize) -> Option<Piece> {
        let inner = self.lock();
        let mut offset = if position.generation == inner.generation { position.offset } else { 0 };
        let end = inner.text.floor_char_boundary(inner.text.len().min(cap));
        let started_over = position.generation != inner.generation;
        if offset >= end && !(started_over && position.offset > 0) {
            return None;
        }
        offset = offset.min(end);
        *position = Position { generation: inner.generation, offset: end };
        Some(Piece { offset, text: inner.text[offset..end].to_owned() })
    }

    /// Up to `limit` frames after frame number `after`.
    pub fn frames_after(&self, after: u64, limit: usize) -> Vec<Utf8Bytes> {
        let inner = self.lock();
        let skip = after.saturating_sub(inner.base);
        let from = usize::try_from(skip).unwrap_or(usize::MAX).min(inner.frames.len());
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
        let n = inner.base + inner.frames.len() as u64 + 1;
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

/// As much of a text as an entry of the timeline holds, and whether that is not all.
pub fn content_of(text: &str) -> (String, bool) {
    let end = text.floor_char_boundary(text.len().min(MAX_CONTENT));
    (text[..end].to_owned(), end < text.len())
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
    fn who_thinks_aloud_is_not_slow() {
        let turn = chat(100);
        let (sender, spoke) = std::sync::mpsc::channel();
        turn.on_first_output(move || sender.send(()).unwrap());
        turn.tell(TurnEvent::ResponseStart);
        assert!(spoke.try_recv().is_err());
        turn.tell(TurnEvent::ResponseChunk { content: "hm".into(), channel: Channel::Thought });
        assert!(spoke.try_recv().is_ok());
    }

    #[test]
    fn a_reader_notices_that_the_work_started_over() {
        let turn = chat(100);
        let mut position = Position::default();
        turn.say("first");
        assert_eq!(turn.read_on(&mut position, 3), Some(Piece { offset: 0, text: "fir".into() }));
        assert_eq!(turn.read_on(&mut position, 100), Some(Piece { offset: 3, text: "st".into() }));
        assert_eq!(turn.read_on(&mut position, 100), None);
        turn.start_over();
        turn.say("second attempt");
        assert_eq!(
            turn.read_on(&mut position, 100),
            Some(Piece { offset: 0, text: "second attempt".into() })
        );
        turn.start_over();
        assert_eq!(turn.read_on(&mut position, 100), Some(Piece { offset: 0, text: String::new() }));
        assert_eq!(turn.read_on(&mut position, 100), None);
    }

    #[test]
    fn a_replay_goes_on_counting() {
        let turn = Turn::replay(ItemId::parse("CHAT-1").unwrap(), 7, [TurnEvent::ResponseStart]);
        assert!(turn.frames_after(7, 10)[0].contains(r#""n":8"#));
        assert!(turn.frames_after(8, 10).is_empty());
    }
}
