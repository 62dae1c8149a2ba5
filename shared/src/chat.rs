//! The frames of the prompt socket (SPEC 9): JSON text, one object a frame.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::PROTOCOL;
use crate::ids::{BotId, ItemId};
use crate::step::{PlanEntry, ToolCall};
use crate::work::{Mode, Status, WhenBusy};

/// The most bytes of one frame from a client.
pub const MAX_FRAME: usize = 1024 * 1024 + 64 * 1024;

/// A frame from a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    /// Something to answer.
    Prompt(Prompt),
    /// End a turn, or take a waiting prompt back.
    Cancel {
        /// The prompt.
        id: ItemId,
    },
    /// Answer an approval request.
    Approve {
        /// The request.
        approval_id: ItemId,
        /// The option chosen.
        option: String,
    },
    /// Take up a turn again, after the frame `after`.
    Attach {
        /// The prompt.
        id: ItemId,
        /// The last `n` seen; 0 for all of it.
        #[serde(default)]
        after: u64,
    },
}

/// Why a text is no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the frame cannot be read: {reason}")]
pub struct BadFrame {
    /// What the frame's `id` was meant to be, so that who sent it knows which of its frames is refused.
    pub id: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

/// The most characters of a frame that cannot be read that are said again.
const MAX_QUOTED: usize = 200;

impl BadFrame {
    fn new(id: Option<&Value>, error: &serde_json::Error) -> Self {
        let cut = |text: &str| text.chars().take(MAX_QUOTED).collect();
        Self { id: id.and_then(Value::as_str).map(cut), reason: cut(&error.to_string()) }
    }
}

/// The object that a frame is. A type of ours would read an array too, by position.
fn object(text: &str) -> Result<Map<String, Value>, BadFrame> {
    serde_json::from_str(text).map_err(|error| BadFrame::new(None, &error))
}

impl ClientFrame {
    /// Reads what a client sent.
    pub fn read(text: &str) -> Result<Self, BadFrame> {
        let frame = Value::Object(object(text)?);
        Self::deserialize(&frame).map_err(|error| BadFrame::new(frame.get("id"), &error))
    }
}

/// What a person says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    /// The words.
    pub message: String,
    /// Who says them.
    pub user: String,
    /// An id to know it by; sent twice, it runs once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ItemId>,
    /// The conversation it belongs to; the user unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What to do when the bot is busy.
    #[serde(default)]
    pub when_busy: WhenBusy,
    /// The time its turn may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
}

/// A frame from the bot. Those of a turn carry its `id` and `n`, counted from 1 without a gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// The first frame of a connection.
    Hello(Hello),
    /// Something that was sent cannot be done. `id` names the prompt where there is one.
    Error {
        /// The prompt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// See [`crate::api::code`].
        code: String,
        /// For people.
        message: String,
    },
    /// Part of a turn.
    #[serde(untagged)]
    Turn(TurnFrame),
}

/// What a bot said, whose version may be another than this program's.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A frame that is known here.
    Frame(ServerFrame),
    /// A greeting in another version of the protocol than [`PROTOCOL`].
    OtherProtocol(u32),
    /// A frame of a turn, or none, that is not known here. In the turn it counts all the same.
    Unknown {
        /// The prompt.
        id: Option<ItemId>,
        /// Its number in the turn.
        n: Option<u64>,
    },
}

impl ServerFrame {
    /// Reads what a bot sent. What a later bot may say beyond what is known here is no error; one is what a client cannot
    /// go on without: a greeting, a refusal or the end of a turn that cannot be read.
    pub fn read(text: &str) -> Result<Heard, BadFrame> {
        let frame = Value::Object(object(text)?);
        let kind = frame["type"].as_str().unwrap_or_default();
        if kind == "hello"
            && let Some(protocol) = frame["protocol"].as_u64().and_then(|number| u32::try_from(number).ok())
            && protocol != PROTOCOL
        {
            return Ok(Heard::OtherProtocol(protocol));
        }
        let error = match Self::deserialize(&frame) {
            Ok(frame) => return Ok(Heard::Frame(frame)),
            Err(error) => error,
        };
        // As one of all kinds, it is only said to be none.
        let error = match kind {
            "hello" => Hello::deserialize(&frame).err().unwrap_or(error),
            "error" => error,
            "response_complete" => TurnFrame::deserialize(&frame).err().unwrap_or(error),
            _ => {
                let id = frame["id"].as_str().and_then(|id| ItemId::parse(id).ok());
                return Ok(Heard::Unknown { id, n: frame["n"].as_u64() });
            }
        };
        Err(BadFrame::new(frame.get("id"), &error))
    }
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The bot.
    pub bot_id: BotId,
    /// Its mode.
    pub mode: Mode,
    /// The name of its adapter.
    pub adapter: String,
    /// The version of hive-agent.
    pub version: String,
    /// See [`PROTOCOL`].
    pub protocol: u32,
}

/// A frame of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnFrame {
    /// The prompt.
    pub id: ItemId,
    /// Its number in the turn, from 1.
    pub n: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: TurnEvent,
}

/// Whether a prompt could start at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcceptedState {
    /// It has the slot.
    Started,
    /// It waits.
    Queued,
}

/// Why a prompt waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// The running task is giving way.
    Preempting,
    /// Other prompts are ahead, or a chat turn runs.
    ChatAhead,
    /// The running task is about to end by its limit.
    NearlyDone,
    /// The running task may not be interrupted.
    NotInterruptible,
    /// The running task gave way too often.
    PreemptedTooOften,
    /// The prompt said not to preempt.
    AskedToQueue,
    /// The bot is paused.
    Paused,
    /// What holds the slot is being ended.
    Ending,
    /// It is of an earlier life of the bot, and waits for its client.
    Detached,
}

impl WaitReason {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preempting => "preempting",
            Self::ChatAhead => "chat_ahead",
            Self::NearlyDone => "nearly_done",
            Self::NotInterruptible => "not_interruptible",
            Self::PreemptedTooOften => "preempted_too_often",
            Self::AskedToQueue => "asked_to_queue",
            Self::Paused => "paused",
            Self::Ending => "ending",
            Self::Detached => "detached",
        }
    }
}

/// What a chunk is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The answer.
    Text,
    /// The agent's thoughts.
    Thought,
}

/// What happened in a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TurnEvent {
    /// The prompt is on the record; a kill -9 does not lose it.
    Accepted {
        /// Whether it runs or waits.
        state: AcceptedState,
        /// Its place among the waiting prompts, from 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        position: Option<usize>,
        /// Why it waits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<WaitReason>,
    },
    /// It has the slot.
    ResponseStart,
    /// More of the answer.
    ResponseChunk {
        /// What came.
        content: String,
        /// What it is part of.
        channel: Channel,
    },
    /// The agent uses a tool, or a call of it goes on.
    ToolCall {
        /// The call as it stands.
        call: ToolCall,
    },
    /// The agent's plan, in place of the one before.
    Plan {
        /// Its entries.
        entries: Vec<PlanEntry>,
    },
    /// The agent asks for permission.
    ApprovalRequest {
        /// To answer it by.
        approval_id: ItemId,
        /// What for.
        title: String,
        /// The answers there are.
        options: Vec<ApprovalOption>,
        /// Until when.
        deadline: crate::time::Stamp,
    },
    /// For people.
    Notice {
        /// Stable, for programs.
        code: String,
        /// In words.
        message: String,
    },
    /// The turn is over, and on disk.
    ResponseComplete {
        /// How it ended.
        status: Status,
        /// Whether that is well.
        success: bool,
        /// The time it used in the slot.
        duration_seconds: f64,
        /// Files that it changed.
        files_modified: Vec<String>,
        /// What it cost, as the adapter told.
        usage: Option<serde_json::Value>,
        /// What went wrong.
        error: Option<String>,
        /// The same for programs.
        error_code: Option<String>,
        /// The name of the response document in `responses/`.
        response_file: Option<String>,
    },
}

/// An answer to an approval request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalOption {
    /// To choose it by.
    pub id: String,
    /// `allow_once`, `allow_always`, `reject_once`, `reject_always`.
    pub kind: String,
    /// For people.
    pub name: String,
}

/// The codes of [`TurnEvent::Notice`].
pub mod notice {
    /// A task gave way to this prompt and will resume.
    pub const SUSPENDED: &str = "suspended";
    /// The agent has not said anything yet.
    pub const SLOW: &str = "slow";
    /// The response is cut at `max_output`.
    pub const TRUNCATED: &str = "truncated";
    /// Something that the agent told is too long to be taken, and is missing.
    pub const LEFT_OUT: &str = "left_out";
    /// A request for permission was answered, denied or withdrawn.
    pub const APPROVAL: &str = "approval";
    /// The agent could not take up an earlier conversation again, and begins with nothing remembered.
    pub const SESSION_LOST: &str = "session_lost";
    /// The bot does not have the frames of this turn any more: its whole answer follows once more.
    pub const REPLAYED: &str = "replayed";
    /// The agent's command cannot be started for now, and is tried until it can.
    pub const HELD_UP: &str = "held_up";
    /// The model's server could not answer, and will be asked again.
    pub const RETRYING: &str = "retrying";
}

#[cfg(test)]
pub(crate) mod tests;
