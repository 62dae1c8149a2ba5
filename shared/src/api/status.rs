//! How a bot is (GET `/api/bot/{bot_id}/status`).

use serde::{Deserialize, Serialize};

use crate::ids::{BotId, ItemId};
use crate::time::Stamp;
use crate::work::{Mode, Scope, Source};

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
