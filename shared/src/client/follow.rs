//! The timeline of a bot as it grows (SPEC 8): every change exactly once and in order, across lost connections and
//! restarts of the bot.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

use super::link::{Link, Linked};
use super::{Client, ClientError, Locator};
use crate::api::{Entry, FollowFrame};
use crate::ids::BotId;

/// Where a follower stands: all changes up to `seq` of the timeline `epoch` are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Which timeline.
    pub epoch: String,
    /// The last change known.
    pub seq: u64,
}

/// What a [`Follower`] sees.
#[derive(Debug, Clone, PartialEq)]
pub enum Followed {
    /// The connection stands, for the first time or again.
    Connected,
    /// The connection is lost, or could not be had; the follower goes on trying. Said once.
    Disconnected(String),
    /// It is another timeline now (the ledger was rebuilt): what came before this is void.
    Restarted,
    /// An entry that is new or has changed. At first these are the newest 100, oldest first.
    Entry(Box<Entry>),
    /// More of the content of an entry that runs.
    Chunk {
        /// The entry.
        entry_id: String,
        /// How many bytes of the content came before; if less than what was seen, the work started over and what was
        /// seen from there on is void.
        offset: u64,
        /// What came.
        content: String,
    },
}

/// No content has more bytes than this.
const MAX_OFFSET: u64 = 1 << 53;

/// Follows the timeline of one bot.
pub struct Follower {
    link: Link,
    position: Option<Position>,
    ready: VecDeque<Followed>,
    contents: HashMap<String, Seen>,
}

/// What is known of the content of an entry that runs.
#[derive(Debug, Default)]
struct Seen {
    /// Where `text` begins.
    base: usize,
    text: String,
    /// Up to where the connection that stands has told it; `None` before its first chunk.
    told: Option<usize>,
}

impl Follower {
    /// Follows a bot that is up, from the beginning (the newest 100 entries), or on from a position.
    pub fn new(client: Client, from: Option<Position>) -> Self {
        Self::over(Link::new(client.locator().clone(), client.bot().clone(), Some(client)), from)
    }

    /// Follows a bot as soon as it is up.
    pub fn when_up(locator: Locator, bot: BotId, from: Option<Position>) -> Self {
        Self::over(Link::new(locator, bot, None), from)
    }

    fn over(link: Link, from: Option<Position>) -> Self {
        Self { link, position: from, ready: VecDeque::new(), contents: HashMap::new() }
    }

    /// The bot.
    pub fn bot(&self) -> &BotId {
        self.link.bot()
    }

    /// The bot, while it is known where it is.
    pub fn client(&self) -> Option<&Client> {
        self.link.client()
    }

    /// Where it stands. Chunks are no changes: they do not move it.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// What happens next. Waits, across lost connections, until something does; fails only with what another attempt
    /// would not mend. May be dropped and called again without losing anything.
    pub async fn next(&mut self) -> Result<Followed, ClientError> {
        loop {
            if let Some(followed) = self.ready.pop_front() {
                return Ok(followed);
            }
            let position = self.position.clone();
            match self.link.next(|bot| route(bot, position.as_ref())).await? {
                Linked::Joined => {
                    self.contents.values_mut().for_each(|seen| seen.told = None);
                    if !self.link.is_doubted() {
                        return Ok(Followed::Connected);
                    }
                }
                Linked::Proven => return Ok(Followed::Connected),
                Linked::Parted(reason) => return Ok(Followed::Disconnected(reason)),
                Linked::Text(text) => {
                    self.take(&text)?;
                    let is_news = !self.ready.is_empty() || self.position != position;
                    if is_news && self.link.proves() {
                        self.ready.push_front(Followed::Connected);
                    }
                }
            }
        }
    }

    fn take(&mut self, text: &str) -> Result<(), ClientError> {
        // A later bot may say more than this program knows.
        let Some(frame) = read(text).map_err(ClientError::Garbled)? else { return Ok(()) };
        match frame {
            FollowFrame::TimelineSnapshot { epoch, entries, last_seq, .. } => {
                let known = self.position.as_ref().filter(|p| p.epoch == epoch).map(|p| p.seq);
                if self.position.is_some() && known.is_none() {
                    self.contents.clear();
                    self.ready.push_back(Followed::Restarted);
                }
                for entry in entries {
                    if known.is_none_or(|seq| entry.seq > seq) {
                        self.entry(entry);
                    }
                }
                self.position = Some(Position { epoch, seq: known.unwrap_or(0).max(last_seq) });
            }
            FollowFrame::EntryAdded { entry } | FollowFrame::EntryUpdated { entry } => {
                let Some(position) = &mut self.position else {
                    return Err(ClientError::Garbled("a change came before the snapshot".into()));
                };
                if entry.seq > position.seq {
                    position.seq = entry.seq;
                    self.entry(entry);
                }
            }
            FollowFrame::EntryChunk { entry_id, offset, content } => self.chunk(entry_id, offset, &content),
        }
        Ok(())
    }

    fn entry(&mut self, entry: Entry) {
        let mut more = None;
        if entry.status.is_final() {
            self.contents.remove(&entry.entry_id);
        } else if !entry.content.is_empty() {
            let seen = self.contents.entry(entry.entry_id.clone()).or_default();
            match entry.content.strip_prefix(&seen.text).filter(|_| seen.base == 0) {
                // It is ahead of the chunks, which will come to the same.
                Some("") => {}
                Some(new) => {
                    let (entry_id, offset) = (entry.entry_id.clone(), seen.text.len() as u64);
                    seen.text.push_str(new);
                    more = Some(Followed::Chunk { entry_id, offset, content: new.to_owned() });
                }
                None if seen.base == 0 && seen.text.starts_with(&entry.content) => {}
                None => *seen = Seen { base: 0, text: entry.content.clone(), told: None },
            }
        }
        self.ready.push_back(Followed::Entry(Box::new(entry)));
        self.ready.extend(more);
    }

    fn chunk(&mut self, entry_id: String, offset: u64, content: &str) {
        let seen = self.contents.entry(entry_id.clone()).or_default();
        let (offset, content) = seen.add(usize::try_from(offset).unwrap_or(usize::MAX), content);
        if !content.is_empty() {
            let content = content.to_owned();
            self.ready.push_back(Followed::Chunk { entry_id, offset: offset as u64, content });
        }
    }
}

impl Seen {
    /// Adds a chunk; gives the part of it that is new, and where it belongs.
    fn add<'c>(&mut self, offset: usize, chunk: &'c str) -> (usize, &'c str) {
        let end = self.base + self.text.len();
        let goes_on = self.told.is_none_or(|told| told == offset);
        self.told = Some(offset + chunk.len());
        // A new connection begins with what an earlier one brought, as does work that starts over and comes to the
        // same; on one that stands, going back means that the work started over.
        let known = offset.checked_sub(self.base).and_then(|from| self.text.get(from..)).filter(|_| goes_on);
        match known {
            Some(known) if known.starts_with(chunk) => (end, ""),
            Some(known) => match chunk.strip_prefix(known) {
                Some(new) => {
                    self.text.push_str(new);
                    (end, new)
                }
                None => self.start_over(offset, chunk),
            },
            None => self.start_over(offset, chunk),
        }
    }

    fn start_over<'c>(&mut self, offset: usize, chunk: &'c str) -> (usize, &'c str) {
        match offset.checked_sub(self.base) {
            Some(keep) if self.text.is_char_boundary(keep) => self.text.truncate(keep),
            Some(_) | None => {
                self.text.clear();
                self.base = offset;
            }
        }
        self.text.push_str(chunk);
        (offset, chunk)
    }
}

fn route(bot: &BotId, from: Option<&Position>) -> String {
    let route = format!("/ws/bot/{bot}/timeline");
    let Some(Position { epoch, seq }) = from else { return route };
    // The epoch is the bot's word, and may hold anything.
    let mut url = reqwest::Url::parse("http://localhost/").expect("it is a URL");
    url.query_pairs_mut().append_pair("after_seq", &seq.to_string()).append_pair("epoch", epoch);
    format!("{route}?{}", url.query().unwrap_or_default())
}

/// Reads a frame; none if it is one of a kind that is not known here.
fn read(text: &str) -> Result<Option<FollowFrame>, String> {
    const KNOWN: [&str; 4] = ["timeline_snapshot", "entry_added", "entry_updated", "entry_chunk"];
    // A type of ours would read an array too, by position.
    let object: Map<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let kind =
        object.get("type").and_then(Value::as_str).ok_or("a frame has a type, and this one has none")?;
    if !KNOWN.contains(&kind) {
        return Ok(None);
    }
    match serde_json::from_value(object.into()).map_err(|error| error.to_string())? {
        FollowFrame::EntryChunk { offset, .. } if offset > MAX_OFFSET => {
            Err(format!("no content has {offset} bytes"))
        }
        frame => Ok(Some(frame)),
    }
}

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_without_gap_or_repeat() {
        let mut seen = Seen::default();
        assert_eq!(seen.add(0, "one "), (0, "one "));
        assert_eq!(seen.add(4, "two "), (4, "two "));
        // A new connection begins with what is known, and more.
        seen.told = None;
        assert_eq!(seen.add(0, "one two three"), (8, "three"));
        // Another one with a part of it.
        seen.told = None;
        assert_eq!(seen.add(4, "two "), (13, ""));
        assert_eq!(seen.add(8, "three!"), (13, "!"));
        // The work started over, seen live and after a reconnect.
        assert_eq!(seen.add(0, "on"), (0, "on"));
        seen.told = None;
        assert_eq!(seen.add(0, "off"), (0, "off"));
        assert_eq!(seen.text, "off");
    }

    #[test]
    fn work_that_starts_over_and_comes_to_the_same_is_told_once() {
        let mut seen = Seen::default();
        assert_eq!(seen.add(0, "one two thr"), (0, "one two thr"));
        seen.told = None;
        assert_eq!(seen.add(0, "one "), (11, ""));
        assert_eq!(seen.add(4, "two "), (11, ""));
        assert_eq!(seen.add(8, "three"), (11, "ee"));
        // And where it comes to something else, from there on.
        seen.told = None;
        assert_eq!(seen.add(0, "one "), (13, ""));
        assert_eq!(seen.add(4, "more"), (4, "more"));
        assert_eq!(seen.text, "one more");
    }

    #[test]
    fn what_joins_late_begins_where_it_joins() {
        let mut seen = Seen::default();
        assert_eq!(seen.add(100, "late"), (100, "late"));
        assert_eq!(seen.add(104, "r"), (104, "r"));
        assert_eq!(seen.add(0, "over"), (0, "over"));
        assert_eq!((seen.base, seen.text.as_str()), (0, "over"));
    }

    #[test]
    fn an_entry_that_is_ahead_of_its_chunks_brings_what_they_will() {
        let locator = Locator::hive(crate::paths::Hive::at(std::path::Path::new("/nowhere")));
        let mut follower = Follower::when_up(locator, BotId::parse("B").unwrap(), None);
        let entry = |content: &str| {
            let now = crate::time::Stamp::from_micros(0);
            let (bot, kind) = (BotId::parse("B").unwrap(), crate::work::Kind::Task);
            let (source, status) = (crate::work::Source::File, crate::work::Status::Running);
            Entry {
                content: content.to_owned(),
                ..Entry::new(bot, "T".to_owned(), source, kind, status, now)
            }
        };
        follower.entry(entry(""));
        follower.chunk("T".to_owned(), 0, "one ");
        follower.entry(entry("one two "));
        follower.chunk("T".to_owned(), 4, "two three");
        follower.entry(entry("one "));
        follower.chunk("T".to_owned(), 13, "!");
        let chunk = |followed: &Followed| match followed {
            Followed::Chunk { offset, content, .. } => Some((*offset, content.clone())),
            _ => None,
        };
        let chunks: Vec<(u64, String)> = follower.ready.iter().filter_map(chunk).collect();
        let expected = [(0, "one "), (4, "two "), (8, "three"), (13, "!")];
        assert_eq!(chunks, expected.map(|(offset, text)| (offset, text.to_owned())));
    }

    #[test]
    fn an_epoch_is_quoted() {
        let position = Position { epoch: "a&b".into(), seq: 7 };
        let bot = BotId::parse("B").unwrap();
        assert_eq!(route(&bot, Some(&position)), "/ws/bot/B/timeline?after_seq=7&epoch=a%26b");
        assert_eq!(route(&bot, None), "/ws/bot/B/timeline");
    }
}
