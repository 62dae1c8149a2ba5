//! What chance makes of the documents of a corpus.

use std::borrow::Cow;
use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::Corpus;

/// The most bytes that are taken out, repeated or brought in at a time, unless they are a line.
const LONGEST_PIECE: usize = 80;
/// The most that is done to one document.
const MOST_CHANGES: usize = 8;

/// A document of a corpus after something was done to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Changed(pub Vec<u8>);

impl Changed {
    /// It as a text; what is none is mended.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl fmt::Debug for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// Something done to a document. Places are taken modulo its length.
#[derive(Debug, Clone)]
enum Change {
    Remove(Index, usize),
    Repeat(Index, usize),
    Flip(Index, u8),
    Put(Index, Vec<u8>),
    /// A piece of another one of the corpus.
    Graft(Index, Index, Index, usize),
    /// What follows a place, in place of the same of another one.
    Splice(Index, Index, Index),
    RemoveLine(Index),
    /// A line once more, before another.
    RepeatLine(Index, Index),
    /// A line of another one of the corpus.
    GraftLine(Index, Index, Index),
}

impl Corpus {
    /// Its documents with bytes and lines lost, doubled, flipped and brought in, of `pieces` (what means something to who
    /// reads them) and of each other.
    pub fn changed(&self, pieces: &'static [&'static str]) -> impl Strategy<Value = Changed> + use<> {
        let corpus = self.clone();
        (any::<Index>(), vec(change(pieces), 1..MOST_CHANGES)).prop_map(move |(which, changes)| {
            let mut bytes = which.get(&corpus.documents).bytes.clone();
            for change in &changes {
                change.apply(&mut bytes, &corpus);
            }
            Changed(bytes)
        })
    }
}

fn change(pieces: &'static [&'static str]) -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    let piece = prop_oneof![
        4 => select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => select(vec![&b"\n"[..], b"\r\n", b"\xff\xfe", b"\xef\xbb\xbf", b"\0", b"\x1b[2J", b"\xe2\x80\xae"])
            .prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 1..4),
    ];
    prop_oneof![
        2 => (place(), 0..LONGEST_PIECE).prop_map(|(at, bytes)| Change::Remove(at, bytes)),
        2 => (place(), 0..LONGEST_PIECE).prop_map(|(at, bytes)| Change::Repeat(at, bytes)),
        2 => (place(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        4 => (place(), piece).prop_map(|(at, piece)| Change::Put(at, piece)),
        2 => (place(), place(), place(), 0..LONGEST_PIECE)
            .prop_map(|(at, other, from, bytes)| Change::Graft(at, other, from, bytes)),
        1 => (place(), place(), place()).prop_map(|(at, other, from)| Change::Splice(at, other, from)),
        2 => place().prop_map(Change::RemoveLine),
        2 => (place(), place()).prop_map(|(line, at)| Change::RepeatLine(line, at)),
        2 => (place(), place(), place()).prop_map(|(at, other, line)| Change::GraftLine(at, other, line)),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, corpus: &Corpus) {
        let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        let piece = |from: &Index, length: usize, bytes: &[u8]| {
            let from = place(from, bytes);
            bytes[from..(from + length).min(bytes.len())].to_vec()
        };
        let other = |which: &Index| which.get(&corpus.documents).bytes.as_slice();
        match self {
            Self::Remove(at, length) => {
                let at = place(at, bytes);
                bytes.drain(at..(at + length).min(bytes.len()));
            }
            Self::Repeat(at, length) => {
                let piece = piece(at, *length, bytes);
                put(bytes, place(at, bytes), &piece);
            }
            Self::Flip(at, bit) => {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] ^= 1 << bit;
                }
            }
            Self::Put(at, piece) => put(bytes, place(at, bytes), piece),
            Self::Graft(at, which, from, length) => {
                put(bytes, place(at, bytes), &piece(from, *length, other(which)));
            }
            Self::Splice(at, which, from) => {
                let other = other(which);
                bytes.truncate(place(at, bytes));
                bytes.extend_from_slice(&other[place(from, other)..]);
            }
            Self::RemoveLine(line) => {
                let (begin, end) = line_at(*line, bytes);
                bytes.drain(begin..end);
            }
            Self::RepeatLine(line, at) => {
                let (begin, end) = line_at(*line, bytes);
                let line = bytes[begin..end].to_vec();
                put(bytes, line_at(*at, bytes).0, &line);
            }
            Self::GraftLine(at, which, line) => {
                let (begin, end) = line_at(*line, other(which));
                put(bytes, line_at(*at, bytes).0, &other(which)[begin..end]);
            }
        }
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}

/// Where the line begins and ends that a place is in, its line end included.
fn line_at(place: Index, bytes: &[u8]) -> (usize, usize) {
    let at = place.index(bytes.len() + 1);
    let begin = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end + 1);
    (begin, end)
}
