//! The wire types of the admin HTTP API and of the timeline socket (SPEC 8 and 9).

pub mod code;
mod status;
mod timeline;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::chat::ApprovalOption;
use crate::ids::{BotId, ItemId};
use crate::step::Step;
use crate::time::Stamp;
use crate::work::{Mode, Priority, Scope, Source, Status};

pub use status::{BotState, BotStatus, Counts, Current, Health, HealthLevel, QueueCounts, Suspended};
pub use timeline::{Entry, FollowFrame, TimelinePage, TimelineQuery};

/// The version of the protocol that these types are.
pub const PROTOCOL: u32 = 1;

/// The most entries or tasks that one page holds.
pub const MAX_PAGE: usize = 1_000;

/// The most bytes of content that a timeline entry carries (SPEC 8).
pub const MAX_CONTENT: usize = 64 * 1024;

/// The most steps that a timeline entry carries.
pub const MAX_STEPS: usize = 500;

/// And the most bytes of them, as JSON.
pub const MAX_STEPS_BYTES: usize = 64 * 1024;

/// `bots/BOT-ID.json`: who runs a bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotRecord {
    /// The bot.
    pub bot_id: BotId,
    /// Where it listens, such as `http://127.0.0.1:41733`.
    pub url: String,
    /// The PEM file of the certificate that it shows, if connections to it are encrypted. Whoever reads this on the
    /// same machine trusts exactly that one, whatever name it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
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
    /// Its place in the order in which tasks will run, from 1; absent once it runs, and while it is blocked. A chat
    /// prompt's is its place among the prompts that wait.
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
    /// What the agent did along the way, as in the entry of the timeline; of a running one, so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Whether that is not all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub steps_truncated: bool,
}

/// GET `…/approvals`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ApprovalList {
    /// What waits for an answer, the oldest first.
    pub approvals: Vec<Approval>,
}

/// An agent's request for permission (SPEC 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// To answer it by.
    pub approval_id: ItemId,
    /// The bot whose agent asks.
    pub bot_id: BotId,
    /// The task or chat prompt that waits for it.
    pub id: ItemId,
    /// Which kind of work that is.
    pub source: Source,
    /// What for.
    pub title: String,
    /// What the agent says that it is about to do: `read`, `edit`, `execute` and the like.
    #[serde(default)]
    pub kind: Option<String>,
    /// Where, as the agent says.
    #[serde(default)]
    pub locations: Vec<String>,
    /// The answers there are.
    pub options: Vec<ApprovalOption>,
    /// Since when.
    pub requested_at: Stamp,
    /// When it is denied for want of an answer.
    pub deadline: Stamp,
}

/// POST `…/approvals/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalAnswer {
    /// One of the request's options, by its id.
    pub option: String,
}
