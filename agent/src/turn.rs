//! The live output of one item: what its adapter says, kept whole until it is on disk, for everyone who listens.
//!
//! Listeners hold a position and read on from it; nothing is pushed to them, so a slow one costs a position and no
//! memory, and one that comes back misses nothing.

mod frames;
mod steps;

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use hive_shared::api::{Entry, MAX_CONTENT};
use hive_shared::chat::{Channel, ServerFrame, TurnEvent, TurnFrame, notice};
use hive_shared::ids::ItemId;
use hive_shared::time::Stamp;
use tokio::sync::watch;

use crate::document::Said;
use frames::{Frames, Held};
use steps::Recorder;
pub use steps::Steps;

/// The most warnings of one turn.
const MAX_WARNINGS: usize = 10;

/// How far a listener has read the text of a turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// How often the work had started over.
    generation: u32,
    /// How many bytes of its text were read since.
    offset: usize,
}

impl Position {
    /// How many bytes of the text were read.
    pub fn offset(self) -> usize {
        self.offset
    }
}

/// More of the text of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// How many bytes came before it; 0 again when the work has started over.
    pub offset: usize,
    /// What came.
    pub text: String,
}

/// As much of a turn as an entry of the timeline holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// What was said.
    pub content: String,
    /// Whether that is not all.
    pub content_truncated: bool,
    /// What was done.
    pub steps: Steps,
}

impl From<Entry> for Told {
    fn from(entry: Entry) -> Self {
        let Entry { content, content_truncated, steps, steps_truncated, .. } = entry;
        Self { content, content_truncated, steps: Steps { list: steps, truncated: steps_truncated } }
    }
}

/// The output of one file task or chat turn while it lives.
pub struct Turn {
    id: ItemId,
    /// Whether its listeners read numbered frames.
    is_chat: bool,
    max_output: usize,
    inner: Mutex<Inner>,
    changes: watch::Sender<u64>,
    /// The change of the timeline that shows its start.
    start_seq: AtomicU64,
    /// When the agent last gave a sign of life, in microseconds since the epoch.
    heard_at: AtomicI64,
}

#[derive(Default)]
struct Inner {
    /// All that was said, of which the present attempt begins at `begin`: frames are parts of it.
    said: Arc<String>,
    begin: usize,
    generation: u32,
    truncated: bool,
    /// What its record has to warn of.
    warnings: Vec<String>,
    frames: Frames,
    steps: Recorder,
    complete: bool,
    /// Frames were told in an earlier life of the bot, and how many is known to who has seen them.
    is_of_an_earlier_life: bool,
    on_first_output: Option<Hook>,
    on_first_step: Option<Hook>,
}

type Hook = Box<dyn FnOnce() + Send>;

impl Inner {
    fn text(&self) -> &str {
        &self.said[self.begin..]
    }

    fn told(&self) -> Told {
        let (content, content_truncated) = content_of(self.text());
        Told { content, content_truncated, steps: self.steps.steps() }
    }
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

    fn new(id: ItemId, max_output: usize, is_chat: bool) -> Arc<Self> {
        let (changes, _) = watch::channel(0);
        Arc::new(Self {
            id,
            is_chat,
            max_output,
            inner: Mutex::default(),
            changes,
            start_seq: AtomicU64::new(u64::MAX),
            heard_at: AtomicI64::new(0),
        })
    }

    /// What is left to tell of a chat turn whose frames are no longer kept, to a client that has seen frame `after`.
    pub fn replay(id: ItemId, after: u64, events: impl IntoIterator<Item = TurnEvent>) -> Arc<Self> {
        let turn = Self::new(id, usize::MAX, true);
        turn.lock().frames = Frames::after(after);
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
        if self.is_chat { format!("{}-reply", self.id) } else { self.id.to_string() }
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

    /// Calls `hook` at the first step that follows.
    pub fn on_first_step(&self, hook: impl FnOnce() + Send + 'static) {
        self.lock().on_first_step = Some(Box::new(hook));
    }

    /// The agent gives a sign of life.
    pub fn heard(&self) {
        self.heard_at.store(Stamp::now().as_micros(), Ordering::Relaxed);
    }

    /// When the agent last gave a sign of life; long ago if it never did.
    pub fn heard_at(&self) -> Stamp {
        Stamp::from_micros(self.heard_at.load(Ordering::Relaxed))
    }

    /// The adapter says `chunk`, as part of the response. What is beyond `max_output` bytes is dropped, and says so.
    pub fn say(&self, chunk: &str) {
        if chunk.is_empty() {
            return;
        }
        self.heard();
        let mut inner = self.lock();
        let hook = inner.on_first_output.take();
        let room = self.max_output.saturating_sub(inner.text().len());
        let kept = &chunk[..chunk.floor_char_boundary(room.min(chunk.len()))];
        if !inner.truncated && !kept.is_empty() {
            Arc::make_mut(&mut inner.said).push_str(kept);
            inner.steps.spoke();
            if self.is_chat {
                inner.frames.text(kept.len());
            }
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

    /// Something happens in the turn; listeners of a chat see it as a frame.
    pub fn tell(&self, event: TurnEvent) {
        if let TurnEvent::ResponseChunk { content, channel: Channel::Text } = &event {
            return self.say(content);
        }
        let mut inner = self.lock();
        inner.complete |= matches!(event, TurnEvent::ResponseComplete { .. });
        let before = inner.steps.version();
        match &event {
            TurnEvent::ResponseChunk { content, .. } => inner.steps.thought(content),
            TurnEvent::ToolCall { call } => inner.steps.tool_call(call),
            TurnEvent::Plan { entries } => inner.steps.plan(entries),
            TurnEvent::Accepted { .. }
            | TurnEvent::ResponseStart
            | TurnEvent::ApprovalRequest { .. }
            | TurnEvent::Notice { .. }
            | TurnEvent::ResponseComplete { .. } => {}
        }
        // Who thinks aloud or takes a tool up is not slow.
        let hooks = if inner.steps.version() == before {
            [None, None]
        } else {
            self.heard();
            [inner.on_first_output.take(), inner.on_first_step.take()]
        };
        self.push(&mut inner, event);
        drop(inner);
        self.wake();
        hooks.into_iter().flatten().for_each(|hook| hook());
    }

    /// Something is missing from the turn that its reader has to know of: a chat is told at once, and the record has it
    /// as a warning. What comes after a few of these adds nothing.
    pub fn warn(&self, code: &str, message: String) {
        let mut inner = self.lock();
        if inner.warnings.len() >= MAX_WARNINGS || inner.warnings.contains(&message) {
            return;
        }
        inner.warnings.push(message.clone());
        self.push(&mut inner, TurnEvent::Notice { code: code.to_owned(), message });
        drop(inner);
        self.wake();
    }

    /// What its record has to warn of.
    pub fn warnings(&self) -> Vec<String> {
        self.lock().warnings.clone()
    }

    /// The work starts over: what was said and done so far is no part of the response any more.
    pub fn start_over(&self) {
        let mut inner = self.lock();
        if self.is_chat {
            // Its frames show it still.
            inner.begin = inner.said.len();
        } else {
            inner.said = Arc::default();
        }
        inner.steps.clear();
        inner.warnings.clear();
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
        inner.said.len() + inner.frames.size() + inner.steps.size()
    }

    /// The number of its last frame.
    pub fn last_frame(&self) -> u64 {
        self.lock().frames.last_number()
    }

    /// A client says that it has seen its frames up to `number`. Those of an earlier life of the bot count on from there;
    /// a number that no frame can have had is refused, for the frames of all who listen would count on from it.
    #[must_use]
    pub fn is_seen_to(&self, number: u64) -> bool {
        let mut inner = self.lock();
        let can_be = inner.is_of_an_earlier_life || number <= inner.frames.last_number();
        if can_be {
            inner.frames.are_seen_to(number);
        }
        can_be
    }

    /// It began in an earlier life of the bot, whose frames are not here.
    pub fn began_in_an_earlier_life(&self) {
        self.lock().is_of_an_earlier_life = true;
    }

    /// Whether the item is over and a listener that has had frame `after` has had all.
    pub fn is_told(&self, after: u64) -> bool {
        let inner = self.lock();
        inner.complete && after >= inner.frames.last_number()
    }

    /// The text so far, and whether it was cut.
    pub fn text(&self) -> (String, bool) {
        let inner = self.lock();
        (inner.text().to_owned(), inner.truncated)
    }

    /// The same, shared while no more is said.
    pub fn said(&self) -> (Said, bool) {
        let inner = self.lock();
        (Said::from(Arc::clone(&inner.said), inner.begin), inner.truncated)
    }

    /// What was done so far.
    pub fn steps(&self) -> Steps {
        self.lock().steps.steps()
    }

    /// The same as [`Self::told`], if there are other steps than at `version`; moves the version on.
    pub fn told_since(&self, version: &mut u64) -> Option<Told> {
        let inner = self.lock();
        let now = inner.steps.version();
        (std::mem::replace(version, now) != now).then(|| inner.told())
    }

    /// As much of it so far as an entry of the timeline holds.
    pub fn told(&self) -> Told {
        self.lock().told()
    }

    /// What was said since `position`, of the first `cap` bytes; moves the position on.
    pub fn read_on(&self, position: &mut Position, cap: usize) -> Option<Piece> {
        let inner = self.lock();
        let text = inner.text();
        let mut offset = if position.generation == inner.generation { position.offset } else { 0 };
        let end = text.floor_char_boundary(text.len().min(cap));
        let started_over = position.generation != inner.generation;
        if offset >= end && !(started_over && position.offset > 0) {
            return None;
        }
        offset = offset.min(end);
        *position = Position { generation: inner.generation, offset: end };
        Some(Piece { offset, text: text[offset..end].to_owned() })
    }

    /// Up to `limit` frames after frame number `after`, with their numbers: none if there are no more, and fewer if they are long. What is
    /// given does not change any more.
    pub fn frames_after(&self, after: u64, limit: usize) -> Vec<(u64, Utf8Bytes)> {
        let taken = {
            let mut inner = self.lock();
            let Inner { frames, said, .. } = &mut *inner;
            frames.take(after, limit, said)
        };
        let frames = taken.into_iter().map(|(n, held)| match held {
            Held::Chunk(channel, content) => {
                (n, self.render(n, TurnEvent::ResponseChunk { content, channel }))
            }
            Held::Event(frame) => (n, frame),
        });
        frames.collect()
    }

    /// Changes whenever there is more to read.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn push(&self, inner: &mut Inner, event: TurnEvent) {
        if !self.is_chat {
            return;
        }
        match event {
            TurnEvent::ResponseChunk { content, .. } => inner.frames.thought(&content),
            // An agent tells as much as it likes of these.
            event @ (TurnEvent::ToolCall { .. } | TurnEvent::Plan { .. }) => {
                inner.frames.event(false, |n| self.render(n, event));
            }
            event @ (TurnEvent::Accepted { .. }
            | TurnEvent::ResponseStart
            | TurnEvent::ApprovalRequest { .. }
            | TurnEvent::Notice { .. }
            | TurnEvent::ResponseComplete { .. }) => inner.frames.event(true, |n| self.render(n, event)),
        }
    }

    fn render(&self, n: u64, event: TurnEvent) -> Utf8Bytes {
        let frame = ServerFrame::Turn(TurnFrame { id: self.id.clone(), n, event });
        serde_json::to_string(&frame).expect("a frame has string keys only").into()
    }

    fn wake(&self) {
        self.changes.send_modify(|version| *version += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As much of a text and a note behind it as an entry of the timeline holds, and whether that is not all.
pub fn content_with(text: &str, note: &str) -> (String, bool) {
    // One character more than there is room for: what is beyond it makes no difference.
    let enough = text.ceil_char_boundary(text.len().min(MAX_CONTENT + 1));
    content_of(&[&text[..enough], note].concat())
}

/// As much of a text as an entry of the timeline holds, and whether that is not all.
pub fn content_of(text: &str) -> (String, bool) {
    let end = text.floor_char_boundary(text.len().min(MAX_CONTENT));
    (text[..end].to_owned(), end < text.len())
}

#[cfg(test)]
mod tests;
