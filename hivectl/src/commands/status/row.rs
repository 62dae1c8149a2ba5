//! What a row of the status is about, and its JSON.

use hive_shared::api::BotStatus;
use hive_shared::ids::BotId;
use hive_shared::time::Stamp;
use hive_shared::work::Scope;
use serde::Serialize;

use crate::error::Failure;
use crate::files::Files;

/// A bot's line.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Row {
    /// It is up.
    Up(Box<BotStatus>),
    /// It is down.
    Down(DownStatus),
    /// It would not say.
    Trouble(TroubleStatus),
}

/// What the files tell about a bot that is down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DownStatus {
    /// The bot.
    pub bot_id: BotId,
    /// Always `down`.
    pub state: &'static str,
    /// Whether it will be paused when it starts.
    pub paused: bool,
    /// What pauses it.
    pub paused_by: Vec<String>,
    /// What the pause holds.
    pub pause_scope: Option<Scope>,
    /// Why the user paused it.
    pub pause_reason: Option<String>,
    /// How many task files wait for it.
    pub waiting: usize,
    /// Since when it is paused.
    #[serde(skip)]
    pub paused_since: Option<Stamp>,
}

/// Why a bot's status could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TroubleStatus {
    /// The bot.
    pub bot_id: BotId,
    /// Always `unknown`.
    pub state: &'static str,
    /// Why.
    pub error: String,
    /// The same as it is told.
    #[serde(skip)]
    pub failure: Failure,
}

impl Row {
    /// A bot that is down.
    pub fn down(files: &Files) -> Self {
        let pause = files.pause_in_force();
        Self::Down(DownStatus {
            bot_id: files.bot().clone(),
            state: "down",
            paused: pause.is_some(),
            paused_by: pause.iter().map(|_| "user".to_owned()).collect(),
            pause_scope: pause.as_ref().map(|p| p.scope),
            paused_since: pause.as_ref().and_then(|p| p.since),
            pause_reason: pause.and_then(|p| p.reason),
            waiting: files.waiting_files(),
        })
    }

    /// A bot that would not say.
    pub fn trouble(bot: &BotId, failure: Failure) -> Self {
        let failure = Failure { message: format!("{bot}: {failure}"), ..failure };
        let error = failure.message.clone();
        Self::Trouble(TroubleStatus { bot_id: bot.clone(), state: "unknown", error, failure })
    }

    /// The bot.
    pub fn bot(&self) -> &BotId {
        match self {
            Self::Up(status) => &status.bot_id,
            Self::Down(status) => &status.bot_id,
            Self::Trouble(status) => &status.bot_id,
        }
    }

    /// How many approvals wait.
    pub fn approvals(&self) -> usize {
        match self {
            Self::Up(status) => status.approvals,
            Self::Down(_) | Self::Trouble(_) => 0,
        }
    }

    /// The same without what changes while nothing happens.
    #[must_use]
    pub fn without_clocks(&self) -> Self {
        let mut row = self.clone();
        if let Self::Up(status) = &mut row {
            if let Some(current) = &mut status.current {
                current.elapsed_seconds = 0.0;
            }
            // It counts how long nothing happened, in words.
            status.health.reasons.clear();
        }
        row
    }
}
