//! The timeline on the wire (SPEC 8): entries, pages and the frames that followers get.

use serde::{Deserialize, Serialize};

use crate::ids::{BotId, ItemId};
use crate::step::Step;
use crate::time::Stamp;
use crate::work::{Kind, Priority, SenderType, Source, Status};

/// One line of the timeline (SPEC 8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The number of the change that made it what it is.
    pub seq: u64,
    /// A task's id, `CHAT-x`, `CHAT-x-reply` or `CTL-n`.
    pub entry_id: String,
    /// The bot.
    pub bot_id: BotId,
    /// When it came.
    pub timestamp: Stamp,
    /// When it last changed.
    pub updated_at: Stamp,
    /// Where it came from.
    pub source: Source,
    /// What it is.
    pub kind: Kind,
    /// How it stands.
    pub status: Status,
    /// The task; of control entries the one that they are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<ItemId>,
    /// The task's title; of control entries the act (`started`, `paused`, `preempted`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The task's priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Whether a user or a bot said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_type: Option<SenderType>,
    /// What was said; a task's is its response. At most [`MAX_CONTENT`](super::MAX_CONTENT) bytes.
    #[serde(default)]
    pub content: String,
    /// Whether `content` was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub content_truncated: bool,
    /// What the agent did along the way, the oldest first: tool calls, its plan, its thoughts. While it runs they are as
    /// they are by now; a new attempt begins them anew. At most [`MAX_STEPS`](super::MAX_STEPS) of them and
    /// [`MAX_STEPS_BYTES`](super::MAX_STEPS_BYTES) as JSON. Followers get them with every change; a page has them only if
    /// its query asks for them, so that it costs as much as what it shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Whether earlier steps were left out, or one of those that are there was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub steps_truncated: bool,
    /// Whether it ended well; absent until it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The time it used in the slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// Files that it changed.
    #[serde(default)]
    pub files_modified: Vec<String>,
    /// How often chat made it give way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preemptions: Option<u32>,
    /// What it cost, as the adapter told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<serde_json::Value>,
    /// The name of the response document in `responses/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_file: Option<String>,
    /// What had to be guessed or left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Entry {
    /// An entry with nothing but what all have.
    pub fn new(
        bot_id: BotId,
        entry_id: String,
        source: Source,
        kind: Kind,
        status: Status,
        timestamp: Stamp,
    ) -> Self {
        Self {
            seq: 0,
            entry_id,
            bot_id,
            timestamp,
            updated_at: timestamp,
            source,
            kind,
            status,
            task_id: None,
            title: None,
            priority: None,
            sender: None,
            sender_type: None,
            content: String::new(),
            content_truncated: false,
            steps: Vec::new(),
            steps_truncated: false,
            success: None,
            error: None,
            error_code: None,
            duration_seconds: None,
            files_modified: Vec::new(),
            preemptions: None,
            usage: None,
            response_file: None,
            warnings: Vec::new(),
        }
    }
}

/// The query of GET `…/timeline`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelineQuery {
    /// What changed after this `seq`, in seq order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_seq: Option<u64>,
    /// The cursor of an earlier page: what is older than it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Entries that came at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Stamp>,
    /// Entries that came before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Stamp>,
    /// Entries of this source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Entries of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Entries of this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Entries that hold all these words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Whether entries come with their steps.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub steps: bool,
    /// At most so many entries, up to [`MAX_PAGE`](super::MAX_PAGE); 100 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// GET `…/timeline`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelinePage {
    /// The bot.
    pub bot_id: BotId,
    /// Which timeline this is; another means that the ledger was rebuilt.
    pub epoch: String,
    /// Oldest first; with `after_seq` in seq order.
    pub entries: Vec<Entry>,
    /// The latest `seq` of the timeline; with `after_seq` and `has_more`, the latest on this page.
    pub last_seq: u64,
    /// How many entries the timeline has.
    pub total_entries: u64,
    /// Whether there is more in the direction that was asked for.
    pub has_more: bool,
    /// The cursor of what is older than this page.
    pub before: Option<String>,
}

/// A frame of WS `/ws/bot/{bot_id}/timeline`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FollowFrame {
    /// What there is at the beginning.
    TimelineSnapshot {
        /// The bot.
        bot_id: BotId,
        /// Which timeline this is.
        epoch: String,
        /// Without `after_seq` the last 100, oldest first; with it what changed since, in seq order.
        entries: Vec<Entry>,
        /// Where the follower stands now.
        last_seq: u64,
        /// How many entries the timeline has.
        total_entries: u64,
    },
    /// An entry that is new to the follower.
    EntryAdded {
        /// The entry.
        entry: Entry,
    },
    /// An entry that has changed.
    EntryUpdated {
        /// The entry as it is now.
        entry: Entry,
    },
    /// More of the content of an entry that is running.
    EntryChunk {
        /// The entry.
        entry_id: String,
        /// How many bytes of its content came before.
        offset: u64,
        /// What came.
        content: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_before_there_were_steps_is_read_and_written_as_it_was() {
        let old = r#"{"seq":1,"entry_id":"TASK-1","bot_id":"BOT-1","timestamp":"2026-11-22T18:05:27.000000Z","updated_at":"2026-11-22T18:05:27.000000Z","source":"file","kind":"task","status":"completed","task_id":"TASK-1","content":"done","success":true,"files_modified":[]}"#;
        let entry: Entry = serde_json::from_str(old).unwrap();
        assert!(entry.steps.is_empty() && !entry.steps_truncated);
        assert_eq!(serde_json::to_string(&entry).unwrap(), old);
    }
}
