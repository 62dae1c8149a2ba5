//! The wire types of the admin HTTP API and of the timeline socket (SPEC 8 and 9).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{BotId, ItemId};
use crate::time::Stamp;
use crate::work::{Kind, Mode, Priority, Scope, SenderType, Source, Status};

/// The version of the protocol that these types are.
pub const PROTOCOL: u32 = 1;

/// The most entries or tasks that one page holds.
pub const MAX_PAGE: usize = 1_000;

/// The most bytes of content that a timeline entry carries (SPEC 8).
pub const MAX_CONTENT: usize = 64 * 1024;

/// `bots/BOT-ID.json`: who runs a bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotRecord {
    /// The bot.
    pub bot_id: BotId,
    /// Where it listens, such as `http://127.0.0.1:41733`.
    pub url: String,
    /// The name of the machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Its mode.
    pub mode: Mode,
    /// The name of its adapter.
    pub adapter: String,
    /// When it started.
    pub started_at: Stamp,
    /// The version of hive-agent.
    pub version: String,
    /// See [`PROTOCOL`].
    pub protocol: u32,
}

/// GET `/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReply {
    /// `ok`.
    pub status: String,
    /// The bot.
    pub bot_id: BotId,
    /// The version of hive-agent.
    pub version: String,
    /// See [`PROTOCOL`].
    pub protocol: u32,
}

/// Every error of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// The inside of an [`ErrorReply`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// One of [`code`]'s: stable, for programs.
    pub code: String,
    /// For people; may change.
    pub message: String,
}

/// The stable codes of errors and of endings.
pub mod code {
    /// 401: no token, or a wrong one.
    pub const UNAUTHORIZED: &str = "unauthorized";
    /// 403: a foreign `Origin`.
    pub const ORIGIN: &str = "origin";
    /// 421: a foreign `Host`.
    pub const HOST: &str = "host";
    /// 400: a request that cannot be read.
    pub const BAD_REQUEST: &str = "bad_request";
    /// 404: no such bot, task, response or path.
    pub const NOT_FOUND: &str = "not_found";
    /// 409: the bot's mode has no such work.
    pub const MODE: &str = "mode";
    /// 409: the id is in use with other content, or the state forbids it.
    pub const CONFLICT: &str = "conflict";
    /// 409: it is final already.
    pub const ALREADY_FINAL: &str = "already_final";
    /// 409: nothing holds the slot.
    pub const IDLE: &str = "idle";
    /// The bot has other work and the prompt said `reject`.
    pub const BUSY: &str = "busy";
    /// The bot is paused and the prompt said `reject`.
    pub const PAUSED: &str = "paused";
    /// 429: too many prompts wait.
    pub const QUEUE_FULL: &str = "queue_full";
    /// 503: the bot is stopping.
    pub const STOPPING: &str = "stopping";
    /// 503: the store cannot be written.
    pub const UNAVAILABLE: &str = "unavailable";
    /// 413: a body or frame beyond the bound.
    pub const TOO_LARGE: &str = "too_large";

    /// Ended by `cancel`.
    pub const CANCELLED: &str = "cancelled";
    /// Ended by `interrupt`.
    pub const INTERRUPTED: &str = "interrupted";
    /// A chat turn that gave way to a prompt with `when_busy: interrupt`.
    pub const SUPERSEDED: &str = "superseded";
    /// The task's file was taken away while it waited.
    pub const FILE_REMOVED: &str = "file_removed";
    /// A waiting task's file was changed into something that is no task.
    pub const FILE_REJECTED: &str = "file_rejected";
    /// A task that it depends on did not complete, is part of a cycle, or never came.
    pub const DEPENDENCY_FAILED: &str = "dependency_failed";
    /// It used up its time.
    pub const TIMED_OUT: &str = "timed_out";
    /// The client left and did not come back.
    pub const DISCONNECTED: &str = "disconnected";
    /// A chat turn ended by `pause --now`.
    pub const PAUSED_NOW: &str = "paused_now";
    /// A chat turn ended by the bot's stop.
    pub const STOPPED: &str = "stopped";
    /// A chat turn ended by the daemon's crash.
    pub const CRASHED: &str = "crashed";
    /// A task that was running at `max_attempts` crashes.
    pub const MAX_ATTEMPTS: &str = "max_attempts";
    /// The adapter could not be started.
    pub const ADAPTER_UNAVAILABLE: &str = "adapter_unavailable";
    /// The agent's process ended with a failing status.
    pub const EXIT_STATUS: &str = "exit_status";
    /// The agent's process was ended by a signal.
    pub const SIGNALLED: &str = "signalled";
    /// The adapter broke.
    pub const ADAPTER_ERROR: &str = "adapter_error";
    /// An earlier life's response answers the task.
    pub const ANSWERED: &str = "answered";
}

/// What a bot does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BotState {
    /// It has nothing to do.
    Idle,
    /// It works, or is about to.
    Working,
    /// It is paused and nothing holds the slot.
    Paused,
    /// It is on its way out.
    Stopping,
}

impl BotState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Working => "working",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
        }
    }
}

/// What holds the slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Current {
    /// The task or chat prompt.
    pub id: ItemId,
    /// Its title, or the beginning of the prompt.
    pub title: String,
    /// Which kind of work it is.
    pub source: Source,
    /// When its first turn started.
    pub started_at: Stamp,
    /// The time it used in the slot.
    pub elapsed_seconds: f64,
    /// The time it may use.
    pub limit_seconds: f64,
}

/// The task that gave way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suspended {
    /// The task.
    pub id: ItemId,
    /// Its title.
    pub title: String,
    /// The time it used in the slot.
    pub elapsed_seconds: f64,
    /// The time it may use.
    pub limit_seconds: f64,
    /// How often it gave way.
    pub preemptions: u32,
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueCounts {
    /// Tasks of priority 0 that could start.
    #[serde(rename = "P0")]
    pub p0: usize,
    /// Of priority 1.
    #[serde(rename = "P1")]
    pub p1: usize,
    /// Of priority 2.
    #[serde(rename = "P2")]
    pub p2: usize,
    /// Of priority 3.
    #[serde(rename = "P3")]
    pub p3: usize,
    /// Chat prompts.
    pub chat: usize,
    /// Tasks that wait for others.
    pub blocked: usize,
}

impl QueueCounts {
    /// All that waits.
    pub fn total(&self) -> usize {
        self.p0 + self.p1 + self.p2 + self.p3 + self.chat + self.blocked
    }
}

/// How many items ended how, since the ledger began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Ended well.
    pub completed: u64,
    /// Ended badly.
    pub failed: u64,
    /// Ended by someone.
    pub cancelled: u64,
    /// Out of time.
    pub timed_out: u64,
    /// Chat turns cut short.
    pub incomplete: u64,
}

/// How well a bot does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthLevel {
    /// All is well.
    Healthy,
    /// Worth a look.
    Warning,
    /// Needs somebody.
    Critical,
}

/// The health of a bot (SPEC 10), with reasons for whatever is not healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The worst of all.
    pub status: HealthLevel,
    /// Why; empty when healthy.
    pub reasons: Vec<String>,
}

/// GET `/api/bot/{bot_id}/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BotStatus {
    /// The bot.
    pub bot_id: BotId,
    /// What it does.
    pub state: BotState,
    /// Whether anything pauses it.
    pub paused: bool,
    /// What pauses it: `user`, `disk`, `limit`; empty when nothing does.
    pub paused_by: Vec<String>,
    /// What the pause holds; absent when nothing pauses it.
    #[serde(default)]
    pub pause_scope: Option<Scope>,
    /// Why the user paused it.
    #[serde(default)]
    pub pause_reason: Option<String>,
    /// Its mode.
    pub mode: Mode,
    /// The name of its adapter.
    pub adapter: String,
    /// What holds the slot.
    pub current: Option<Current>,
    /// The task that gave way.
    pub suspended: Option<Suspended>,
    /// How much waits.
    pub queue: QueueCounts,
    /// How many chat clients are connected.
    pub chat_clients: usize,
    /// How many approvals wait.
    pub approvals: usize,
    /// When anything last happened.
    pub last_activity: Stamp,
    /// How many items ended how.
    pub counts: Counts,
    /// How well it does.
    pub health: Health,
}

/// POST `…/pause`; all of it optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// Do not let the current turn finish.
    #[serde(default)]
    pub now: bool,
    /// What is held.
    #[serde(default)]
    pub scope: Scope,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// POST `…/stop`; all of it optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopRequest {
    /// Let the current turn finish first.
    #[serde(default)]
    pub drain: bool,
}

/// POST `…/tasks`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest {
    /// What the agent is to do; reaches it byte for byte.
    pub instruction: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// P2 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// The time it may use in the slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// An id to submit it by; the same id and content again is the same task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ItemId>,
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Tasks that must complete first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<ItemId>,
    /// Whether chat may preempt it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interruptible: Option<bool>,
}

/// POST `…/tasks/{id}/priority`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorityRequest {
    /// The new priority.
    pub priority: Priority,
}

/// A task as the queue shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskView {
    /// Its id.
    pub task_id: ItemId,
    /// Its title.
    pub title: String,
    /// Its priority.
    pub priority: Priority,
    /// What it does or how it ended.
    pub status: Status,
    /// Its place in the order in which tasks will run, from 1; absent once it runs, and while it is blocked.
    pub position: Option<usize>,
    /// Who asked.
    pub from: String,
    /// The bot that its document names.
    pub to: Option<String>,
    /// When it was written.
    pub created: Stamp,
    /// The time it may use in the slot.
    pub limit_seconds: f64,
    /// Whether chat may preempt it.
    pub interruptible: bool,
    /// Tasks that must complete first.
    pub depends_on: Vec<ItemId>,
    /// Why it is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_reason: Option<String>,
    /// The task file's name.
    pub file: String,
    /// How often it was started, stops and preemptions not counted.
    pub attempts: u32,
    /// How often chat made it give way.
    pub preemptions: u32,
    /// Header fields that mean nothing to the hive.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// What its reader had to guess or leave.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The task that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<ItemId>,
}

/// GET `…/tasks`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskList {
    /// The bot.
    pub bot_id: BotId,
    /// In the order in which they will run; finished ones, where asked for, after them, the latest first.
    pub tasks: Vec<TaskView>,
    /// How many there are in all.
    pub total: usize,
}

/// GET `…/tasks/{id}`; for a chat prompt's id too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskDetail {
    /// The bot.
    pub bot_id: BotId,
    /// The task as the queue shows it.
    #[serde(flatten)]
    pub task: TaskView,
    /// Which kind of work it is.
    pub source: Source,
    /// When its last attempt started.
    pub started_at: Option<Stamp>,
    /// When it ended.
    pub completed_at: Option<Stamp>,
    /// The time it used in the slot.
    pub duration_seconds: Option<f64>,
    /// Whether it ended well; absent until it ended.
    pub success: Option<bool>,
    /// What went wrong.
    pub error: Option<String>,
    /// The same for programs.
    pub error_code: Option<String>,
    /// Files that it changed.
    #[serde(default)]
    pub files_modified: Vec<String>,
    /// The name of its response document in `responses/`.
    pub response_file: Option<String>,
    /// The text of its response, at most [`MAX_CONTENT`] bytes of it.
    pub response: Option<String>,
    /// Whether `response` was cut.
    #[serde(default)]
    pub content_truncated: bool,
}

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
    /// What was said; a task's is its response. At most [`MAX_CONTENT`] bytes.
    #[serde(default)]
    pub content: String,
    /// Whether `content` was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub content_truncated: bool,
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
    /// At most so many entries, up to [`MAX_PAGE`]; 100 unless given.
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

/// GET `…/approvals`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ApprovalList {
    /// What waits for an answer.
    pub approvals: Vec<serde_json::Value>,
}
