//! What goes on while one follows, in lines at the bottom of the screen.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use hive_shared::api::{BotStatus, Entry};
use hive_shared::ids::BotId;
use hive_shared::time::show_duration;
use hive_shared::work::Source;

use super::roll::item_id;
use crate::output::progress::Going;
use crate::output::steps;
use crate::output::text::duration;
use crate::output::wrap::{cut, cut_front, width as width_of};

/// How much of what an agent says is kept, in bytes: more than a line holds.
const TAIL: usize = 1_000;
/// The spinner before a line.
const SPINNER: usize = 2;
/// How much of a title is shown at most.
const TITLE: usize = 30;
/// How much room what the agent says gets before the title.
const WORDS: usize = 24;
/// With less room than this for some words, there is no point in it.
const FEW_WORDS: usize = 8;

/// What is known of what goes on.
#[derive(Debug, Default)]
pub(super) struct Board {
    of_many: bool,
    bots: BTreeMap<BotId, Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// How the bot was, and when it said so.
    status: Option<(Instant, BotStatus)>,
    /// The end of what running entries have said, by entry.
    said: HashMap<String, Said>,
}

#[derive(Debug, Default)]
struct Said {
    /// How many bytes there were in all.
    length: u64,
    tail: String,
    /// The last step, while nothing was said after it.
    step: Option<String>,
    /// The one that was seen last.
    seen: Option<String>,
}

impl Board {
    pub(super) fn new(of_many: bool) -> Self {
        Self { of_many, bots: BTreeMap::new() }
    }

    /// Whether anything goes on that moves by itself.
    pub(super) fn is_busy(&self) -> bool {
        let mut statuses = self.bots.values().filter_map(|known| known.status.as_ref());
        statuses.any(|(_, status)| status.current.is_some())
    }

    /// A bot said how it is.
    pub(super) fn status(&mut self, status: BotStatus) {
        let bot = status.bot_id.clone();
        self.known(&bot).status = Some((Instant::now(), status));
    }

    /// An entry has changed.
    pub(super) fn entry(&mut self, entry: &Entry) {
        let known = self.known(&entry.bot_id);
        if !entry.status.is_final() {
            if let Some(step) = steps::last_words(&entry.steps) {
                known.said.entry(entry.entry_id.clone()).or_default().step(step);
            }
            return;
        }
        known.said.remove(&entry.entry_id);
        if let Some((_, status)) = &mut known.status {
            let id = item_id(entry);
            status.current.take_if(|current| current.id.as_str() == id);
            status.suspended.take_if(|suspended| suspended.id.as_str() == id);
        }
    }

    /// An agent said more.
    pub(super) fn chunk(&mut self, bot: &BotId, entry_id: &str, offset: u64, content: &str) {
        let said = self.known(bot).said.entry(entry_id.to_owned()).or_default();
        if offset < said.length {
            // The work started over.
            said.tail.clear();
        }
        said.length = offset + content.len() as u64;
        said.step = None;
        said.tail.push_str(content);
        let excess = said.tail.len().saturating_sub(TAIL);
        said.tail.drain(..said.tail.ceil_char_boundary(excess));
    }

    /// What is known of a bot is void.
    pub(super) fn forget(&mut self, bot: &BotId) {
        self.bots.remove(bot);
    }

    fn known(&mut self, bot: &BotId) -> &mut Known {
        self.bots.entry(bot.clone()).or_default()
    }

    /// The lines as they are now, for a terminal of this width. What runs shows of the sources that are wanted alone.
    pub(super) fn lines(&self, width: Option<usize>, wanted: &[Source]) -> Vec<Going> {
        let mut lines = Vec::new();
        for (bot, known) in &self.bots {
            let Some((at, status)) = &known.status else { continue };
            let name = if self.of_many { format!("{bot}  ") } else { String::new() };
            let mut line = |what: &str, text: String, moves| {
                lines.push(Going { key: format!("{bot} {what}"), text: format!("{name}{text}"), moves });
            };
            if let Some(current) = &status.current
                && (wanted.is_empty() || wanted.contains(&current.source))
            {
                let used = duration(current.elapsed_seconds).saturating_add(at.elapsed());
                let of =
                    format!("{} of {}", show_duration(used), show_duration(duration(current.limit_seconds)));
                // The words matter more than the title, which was told before.
                let fixed = SPINNER + width_of(&name) + current.id.as_str().len() + width_of(&of) + 4;
                let room = width.map_or(TITLE, |width| width.saturating_sub(fixed + WORDS)).min(TITLE);
                let title = if room < FEW_WORDS { String::new() } else { cut(&current.title, room) };
                let head = format!("{} {title}", current.id);
                let head = format!("{}  {of}", head.trim_end());
                let entry = match current.source {
                    Source::Chat => format!("{}-reply", current.id),
                    Source::File | Source::Control => current.id.to_string(),
                };
                let room =
                    width.map(|width| width.saturating_sub(SPINNER + width_of(&name) + width_of(&head) + 2));
                let said =
                    known.said.get(&entry).map(|said| last_words(said.latest(), room)).unwrap_or_default();
                line(current.id.as_str(), format!("{head}  {said}").trim_end().to_owned(), true);
            }
            if let Some(suspended) = &status.suspended
                && (wanted.is_empty() || wanted.contains(&Source::File))
            {
                let used = show_duration(duration(suspended.elapsed_seconds));
                let text = format!(
                    "{} {}  gave way after {used}, will resume",
                    suspended.id,
                    cut(&suspended.title, TITLE)
                );
                line("suspended", text, false);
            }
            if status.queue.total() > 0 {
                let queue = super::super::status::queue_words(status);
                line("queue", format!("waiting: {queue}"), false);
            }
        }
        lines
    }
}

impl Said {
    /// An entry came with this as its last step.
    fn step(&mut self, step: String) {
        if self.seen.as_ref() != Some(&step) {
            self.step = Some(step.clone());
            self.seen = Some(step);
        }
    }

    fn latest(&self) -> &str {
        self.step.as_deref().unwrap_or(&self.tail)
    }
}

/// The last words in a line.
fn last_words(tail: &str, room: Option<usize>) -> String {
    let words = tail.split_whitespace().collect::<Vec<_>>().join(" ");
    match room {
        Some(room) if room < FEW_WORDS => String::new(),
        Some(room) => cut_front(&words, room),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::super::roll::tests::entry;
    use super::*;

    fn status() -> BotStatus {
        serde_json::from_str(
            r#"{"bot_id":"BOT-1","state":"working","paused":false,"paused_by":[],"mode":"hybrid","adapter":"echo",
            "current":{"id":"CHAT-2","title":"how far","source":"chat","started_at":"2026-11-22T18:05:27Z",
            "elapsed_seconds":0,"limit_seconds":300},
            "suspended":{"id":"TASK-1","title":"Mend it","elapsed_seconds":61,"limit_seconds":1800,"preemptions":1},
            "queue":{"P0":0,"P1":2,"P2":0,"P3":0,"chat":0,"blocked":0},"chat_clients":1,"approvals":0,
            "last_activity":"2026-11-22T18:05:27Z","counts":{"completed":1,"failed":0,"cancelled":0,"timed_out":0,
            "incomplete":0},"health":{"status":"healthy","reasons":[]}}"#,
        )
        .unwrap()
    }

    fn texts(board: &Board, width: usize, wanted: &[Source]) -> Vec<String> {
        board.lines(Some(width), wanted).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn what_runs_grows_by_its_last_words_until_it_has_ended() {
        let bot = BotId::parse("BOT-1").unwrap();
        let mut board = Board::new(false);
        board.status(status());
        board.chunk(&bot, "CHAT-2-reply", 0, "It is half way, as far ");
        board.chunk(&bot, "CHAT-2-reply", 23, "as I\ncan tell");
        let lines = texts(&board, 60, &[]);
        assert!(lines[0].starts_with("CHAT-2 how far  0ms of 5m00s  …"), "{lines:?}");
        assert!(
            texts(&board, 50, &[])[0].starts_with("CHAT-2  0ms of 5m00s  …"),
            "{:?}",
            texts(&board, 50, &[])
        );
        assert!(lines[0].ends_with("as I can tell") && width_of(&lines[0]) <= 58, "{lines:?}");
        assert_eq!(lines[1..], ["TASK-1 Mend it  gave way after 1m01s, will resume", "waiting: P1:2"]);
        assert_eq!(texts(&board, 60, &[Source::Control]), ["waiting: P1:2"]);
        // It takes a tool up, and speaks again.
        let with_tool = r#"{"entry_id":"CHAT-2-reply","kind":"reply","source":"chat","status":"running",
            "steps":[{"type":"tool_call","title":"Read a.rs","kind":"read"}]}"#;
        board.entry(&entry(with_tool));
        assert!(texts(&board, 60, &[])[0].ends_with("  → Read a.rs (read)"), "{:?}", texts(&board, 60, &[]));
        board.chunk(&bot, "CHAT-2-reply", 36, " now");
        board.entry(&entry(with_tool));
        assert!(texts(&board, 60, &[])[0].ends_with("as I can tell now"));
        // The work started over.
        board.chunk(&bot, "CHAT-2-reply", 0, "No");
        assert!(texts(&board, 60, &[])[0].ends_with("5m00s  No"));
        board.entry(&entry(r#"{"entry_id":"CHAT-2-reply","kind":"reply","source":"chat"}"#));
        board.entry(&entry("{}"));
        assert_eq!(texts(&board, 60, &[]), ["waiting: P1:2"]);
    }
}
