//! What people ask of the bot, whichever door it comes through, and how they are refused.

use std::sync::Arc;

use hive_shared::api::{Approval, PauseRequest, SubmitRequest, code};
use hive_shared::chat::Prompt;
use hive_shared::ids::ItemId;
use hive_shared::work::{Priority, Status};
use tokio::sync::oneshot;

use crate::coordinator::Refusal;
use crate::turn::Turn;

/// A connection of the prompt socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Connection(pub u64);

/// Where a request's answer goes.
pub type Answer<T> = oneshot::Sender<Result<T, Denied>>;

/// Something that somebody wants.
#[derive(Debug)]
pub enum Request {
    /// A new task.
    Submit(SubmitRequest, Answer<Submitted>),
    /// A new task from a finished one.
    Retry(ItemId, Answer<Submitted>),
    /// The end of one item.
    Cancel(ItemId, Answer<()>),
    /// Another priority for a waiting task.
    Prioritize(ItemId, Priority, Answer<()>),
    /// A pause by the user.
    Pause(PauseRequest, Answer<()>),
    /// The end of the user's pause.
    Resume(Answer<()>),
    /// The end of what holds the slot.
    Interrupt(Answer<()>),
    /// An answer to what an agent asks permission for.
    Approve {
        /// The request.
        id: ItemId,
        /// The id of the option chosen.
        option: String,
        /// Where the answer goes.
        answer: Answer<Approval>,
    },
    /// The bot's halt; with `drain` after the current turn.
    Stop {
        /// Whether the current turn may finish first.
        drain: bool,
        /// Where the answer goes.
        answer: Answer<()>,
    },
    /// The tasks that have not ended, in the order in which they will run.
    Queue {
        /// The task after which to begin; none for the first.
        after: Option<ItemId>,
        /// How many to list.
        limit: usize,
        /// Where the answer goes.
        answer: oneshot::Sender<Listing>,
    },
    /// Where one item stands in the queue.
    Place(ItemId, oneshot::Sender<Option<Place>>),
    /// A prompt from a connection.
    Prompt(Prompt, Connection, Answer<Arc<Turn>>),
    /// A connection takes up a turn, of which it has seen the frames up to `after`.
    Attach {
        /// The prompt.
        id: ItemId,
        /// The last frame seen.
        after: u64,
        /// The connection.
        connection: Connection,
        /// Where the answer goes.
        answer: Answer<Arc<Turn>>,
    },
    /// A connection is gone.
    Disconnected(Connection),
}

impl Request {
    /// Whether nobody waits for the answer any more: who asked was told that it cannot be done.
    pub fn is_given_up(&self) -> bool {
        match self {
            Self::Submit(_, answer) | Self::Retry(_, answer) => answer.is_closed(),
            Self::Cancel(_, answer)
            | Self::Prioritize(_, _, answer)
            | Self::Pause(_, answer)
            | Self::Resume(answer)
            | Self::Interrupt(answer)
            | Self::Stop { answer, .. } => answer.is_closed(),
            Self::Approve { answer, .. } => answer.is_closed(),
            Self::Queue { answer, .. } => answer.is_closed(),
            Self::Place(_, answer) => answer.is_closed(),
            Self::Prompt(_, _, answer) | Self::Attach { answer, .. } => answer.is_closed(),
            Self::Disconnected(_) => false,
        }
    }
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The task.
    pub id: ItemId,
    /// Whether it is new; if not, the same was submitted before.
    pub is_new: bool,
    /// The name of its file.
    pub file: Option<String>,
}

/// Where an item stands that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The item.
    pub id: ItemId,
    /// What it does.
    pub status: Status,
    /// Its place among those that could start, from 1.
    pub position: Option<usize>,
}

/// Some of the tasks that have not ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// In the order in which they will run.
    pub places: Vec<Place>,
    /// How many there are in all.
    pub total: usize,
}

/// A request that cannot be done; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Denied {
    /// One of [`code`]'s.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl Denied {
    /// A denial.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// There is no such item.
    pub fn unknown(id: &ItemId) -> Self {
        Self::new(code::NOT_FOUND, format!("there is no task or prompt '{id}'"))
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::new(code::NOT_FOUND, "there is no such task or prompt"),
            Refusal::NotWaiting => {
                Self::new(code::CONFLICT, "it does not wait any more, and its priority is settled")
            }
            Refusal::Idle => Self::new(code::IDLE, "nothing is running, so there is nothing to interrupt"),
            Refusal::Busy => Self::new(code::BUSY, "the bot is busy, and the prompt asked not to wait"),
            Refusal::Paused => Self::new(code::PAUSED, "the bot is paused, and the prompt asked not to wait"),
            Refusal::QueueFull => {
                Self::new(code::QUEUE_FULL, "too many prompts are waiting; try again later")
            }
            Refusal::Stopping => Self::new(code::STOPPING, "the bot is stopping"),
        }
    }
}
