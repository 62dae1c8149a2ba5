//! The numbered frames of a chat turn, each a mark of a byte or two beside the text that it is a part of.
//!
//! Chunks that nobody has taken yet grow into one frame; what was taken keeps its number and its words for ever. So a
//! turn costs its text and little more, however small the pieces in which it comes, and however slow the listeners.

use axum::extract::ws::Utf8Bytes;
use hive_shared::chat::Channel;

/// The most bytes to which chunks grow together.
const MAX_CHUNK: usize = 16 * 1024;
/// How many bytes are taken at a time, about.
const MAX_TAKEN: usize = 256 * 1024;
/// How many frames lie between two places that are remembered.
const STRIDE: u64 = 256;
/// How much beside the text of the answer is kept, in bytes.
const MAX_TOLD: usize = 16 * 1024 * 1024;

/// The frames.
#[derive(Default)]
pub(super) struct Frames {
    /// The number of the frame before the first one.
    base: u64,
    count: u64,
    /// The last one that somebody may have seen.
    seen: u64,
    /// A mark for each frame: its length and its kind in two bits, as a number of seven bits a byte.
    marks: Vec<u8>,
    /// Where every [`STRIDE`]th frame begins.
    places: Vec<Place>,
    end: Place,
    /// Before which frame somebody has stopped to take, counted from 0, and where that begins.
    next: (u64, Place),
    last: Option<Last>,
    thoughts: String,
    events: Vec<Utf8Bytes>,
    told: usize,
}

/// Where a frame begins.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    mark: usize,
    text: usize,
    thought: usize,
    event: usize,
}

/// The last frame, if it is a chunk.
struct Last {
    channel: Channel,
    begins: Place,
    length: usize,
}

/// What a mark stands for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text = 0,
    Thought = 1,
    Event = 2,
}

/// What a frame holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Held {
    /// Text.
    Chunk(Channel, String),
    /// Anything else, as the JSON that is sent.
    Event(Utf8Bytes),
}

impl Frames {
    /// Frames that count on from `base`.
    pub(super) fn after(base: u64) -> Self {
        Self { base, seen: base, ..Self::default() }
    }

    /// The number of the last frame.
    pub(super) fn last_number(&self) -> u64 {
        self.base + self.count
    }

    /// The bytes that they take, about.
    pub(super) fn size(&self) -> usize {
        let events: usize = self.events.iter().map(|event| event.len() + size_of::<Utf8Bytes>()).sum();
        self.marks.len() + self.places.len() * size_of::<Place>() + self.thoughts.len() + events
    }

    /// The next so many bytes of the answer are there.
    pub(super) fn text(&mut self, length: usize) {
        self.chunk(Channel::Text, length);
    }

    /// The agent thought.
    pub(super) fn thought(&mut self, content: &str) {
        if self.may_tell(content.len()) {
            self.thoughts.push_str(content);
            self.chunk(Channel::Thought, content.len());
        }
    }

    /// Something happened, which `render`s as a frame of the number that it is given.
    pub(super) fn event(&mut self, is_bounded: bool, render: impl FnOnce(u64) -> Utf8Bytes) {
        let frame = render(self.last_number() + 1);
        if is_bounded || self.may_tell(frame.len() + size_of::<Utf8Bytes>()) {
            self.last = None;
            self.begin();
            self.events.push(frame);
            self.mark(Kind::Event, 0);
            self.end.event += 1;
        }
    }

    /// Somebody has seen all frames up to `number`, be it in an earlier life of the bot: they count on from there, and
    /// none of them grows any more.
    pub(super) fn are_seen_to(&mut self, number: u64) {
        self.base = self.base.max(number.saturating_sub(self.count));
        self.seen = self.seen.max(number);
    }

    /// Up to `limit` frames after frame number `after`, with their numbers. `text` is all of the answer.
    pub(super) fn take(&mut self, after: u64, limit: usize, text: &str) -> Vec<(u64, Held)> {
        let skip = after.saturating_sub(self.base);
        let mut frames = Vec::new();
        if skip < self.count {
            let mut place = self.place_of(skip);
            let mut bytes = 0;
            for number in (self.base + skip + 1..=self.last_number()).take(limit) {
                let begins = place;
                let held = match self.read(&mut place) {
                    Kind::Text => Held::Chunk(Channel::Text, text[begins.text..place.text].to_owned()),
                    Kind::Thought => {
                        let thought = &self.thoughts[begins.thought..place.thought];
                        Held::Chunk(Channel::Thought, thought.to_owned())
                    }
                    Kind::Event => Held::Event(self.events[begins.event].clone()),
                };
                bytes += held.size();
                frames.push((number, held));
                if bytes > MAX_TAKEN {
                    break;
                }
            }
            self.next = (skip + frames.len() as u64, place);
        }
        let taken = frames.last().map_or(after.min(self.last_number()), |(number, _)| *number);
        self.seen = self.seen.max(taken);
        frames
    }

    /// Where the frame begins before which there are so many.
    fn place_of(&self, before: u64) -> Place {
        if self.next.0 == before {
            return self.next.1;
        }
        let nearest = usize::try_from(before / STRIDE).unwrap_or(usize::MAX);
        let mut place = self.places[nearest];
        for _ in 0..before % STRIDE {
            self.read(&mut place);
        }
        place
    }

    fn may_tell(&mut self, bytes: usize) -> bool {
        self.told = self.told.saturating_add(bytes);
        self.told <= MAX_TOLD
    }

    fn chunk(&mut self, channel: Channel, more: usize) {
        let last = self.last.take().filter(|last| {
            last.channel == channel && self.last_number() > self.seen && last.length + more <= MAX_CHUNK
        });
        let (begins, length) = match last {
            Some(Last { begins, length, .. }) => {
                self.marks.truncate(begins.mark);
                self.end = begins;
                (begins, length + more)
            }
            None => (self.begin(), more),
        };
        match channel {
            Channel::Text => {
                self.mark(Kind::Text, length);
                self.end.text += length;
            }
            Channel::Thought => {
                self.mark(Kind::Thought, length);
                self.end.thought += length;
            }
        }
        self.last = Some(Last { channel, begins, length });
    }

    /// Another frame begins, and where.
    fn begin(&mut self) -> Place {
        if self.count.is_multiple_of(STRIDE) {
            self.places.push(self.end);
        }
        self.count += 1;
        self.end
    }

    fn mark(&mut self, kind: Kind, length: usize) {
        let mut value = length << 2 | kind as usize;
        while value >= 0x80 {
            self.marks.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.marks.push(value.to_le_bytes()[0]);
        self.end.mark = self.marks.len();
    }

    /// Reads the mark at a place and moves the place on; gives the kind.
    fn read(&self, place: &mut Place) -> Kind {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.marks[place.mark];
            place.mark += 1;
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        let length = value >> 2;
        match value & 0b11 {
            0 => {
                place.text += length;
                Kind::Text
            }
            1 => {
                place.thought += length;
                Kind::Thought
            }
            _ => {
                place.event += 1;
                Kind::Event
            }
        }
    }
}

impl Held {
    fn size(&self) -> usize {
        match self {
            Self::Chunk(_, text) => text.len(),
            Self::Event(json) => json.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(text: &str) -> Held {
        Held::Chunk(Channel::Text, text.to_owned())
    }

    fn add(frames: &mut Frames, text: &mut String, more: &str) {
        text.push_str(more);
        frames.text(more.len());
    }

    #[test]
    fn chunks_grow_together_until_somebody_takes_them() {
        let (mut frames, mut text) = (Frames::default(), String::new());
        for more in ["a", "b", "c"] {
            add(&mut frames, &mut text, more);
        }
        assert_eq!(frames.take(0, 10, &text), [(1, chunk("abc"))]);
        add(&mut frames, &mut text, "d");
        frames.thought("hm");
        frames.thought("!");
        add(&mut frames, &mut text, "e");
        frames.event(true, |n| n.to_string().into());
        add(&mut frames, &mut text, "f");
        let rest = [
            (2, chunk("d")),
            (3, Held::Chunk(Channel::Thought, "hm!".to_owned())),
            (4, chunk("e")),
            (5, Held::Event("5".into())),
            (6, chunk("f")),
        ];
        assert_eq!(frames.take(1, 10, &text), rest);
        add(&mut frames, &mut text, "g");
        assert_eq!(frames.take(1, 5, &text), rest, "what was taken is as it was");
        assert_eq!(frames.take(6, 5, &text), [(7, chunk("g"))]);
    }

    #[test]
    fn what_a_client_says_that_it_has_seen_does_not_grow() {
        let (mut frames, mut text) = (Frames::default(), String::new());
        add(&mut frames, &mut text, "a");
        frames.are_seen_to(1);
        add(&mut frames, &mut text, "b");
        assert_eq!(frames.take(1, 9, &text), [(2, chunk("b"))]);
        // In an earlier life of the bot.
        frames.are_seen_to(9);
        assert_eq!(frames.last_number(), 9);
        add(&mut frames, &mut text, "c");
        assert_eq!(frames.take(9, 9, &text), [(10, chunk("c"))]);
    }

    #[test]
    fn any_frame_is_found_whatever_its_neighbours_lengths() {
        let (mut frames, mut text) = (Frames::default(), String::new());
        let pieces: Vec<String> = (0..5_000_usize).map(|n| format!("{n} ").repeat(n % 70 + 1)).collect();
        for (n, piece) in pieces.iter().enumerate() {
            add(&mut frames, &mut text, piece);
            frames.are_seen_to(n as u64 + 1);
        }
        for n in [0, 1, 255, 256, 257, 3_333, 4_999] {
            assert_eq!(frames.take(n as u64, 1, &text), [(n as u64 + 1, chunk(&pieces[n]))]);
        }
        assert!(frames.take(0, 5_000, &text).len() < 5_000, "not all at once");
        assert_eq!(frames.take(5_000, 1, &text), []);
    }

    #[test]
    fn letters_that_are_taken_one_at_a_time_cost_a_byte_each() {
        let (mut frames, mut text) = (Frames::default(), String::new());
        for n in 0..100_000 {
            add(&mut frames, &mut text, "x");
            assert_eq!(frames.take(n, 9, &text).len(), 1);
        }
        assert_eq!(frames.last_number(), 100_000);
        assert!(frames.size() < 115_000, "{}", frames.size());
    }

    #[test]
    fn what_is_told_beside_the_answer_has_a_bound() {
        let mut frames = Frames::default();
        for _ in 0..40 {
            frames.thought(&"x".repeat(1 << 20));
            frames.event(false, |_| "y".repeat(1 << 20).into());
        }
        assert!(frames.size() <= MAX_TOLD, "{}", frames.size());
        frames.event(true, |_| "the end".into());
        let last = frames.last_number();
        assert_eq!(frames.take(last - 1, 1, ""), [(last, Held::Event("the end".into()))]);
    }
}
