//! What comes in.

use std::sync::mpsc::SyncSender;

use crate::adapter::Report;
use crate::changes::Changes;
use crate::coordinator::RunId;
use crate::inbox::InboxEvent;
use crate::inbox::documents::TaskReading;
use crate::outbox::Note;
use crate::request::Request;
use crate::store::StoreError;

/// Something for the driver.
pub enum Message {
    /// The inbox has seen something. It waits until this is dropped.
    Inbox(InboxEvent<TaskReading>, SyncSender<()>),
    /// A run reports.
    Run(RunId, Report),
    /// What a run changed; its end follows.
    Changed(RunId, Changes),
    /// A run has said something for the first time.
    Spoke(RunId),
    /// A run has taken its first step.
    Stepped(RunId),
    /// Whether what a run asks is on the list of what needs no question.
    Looked {
        /// The run.
        run: RunId,
        /// The run's own name for its question.
        key: u64,
        /// Whether it is; not, if it could not be told in time.
        is_listed: bool,
    },
    /// Somebody wants something.
    Request(Request),
    /// The outbox has done something.
    Outbox(Note),
    /// Somebody who reads the ledger has found that it is damaged.
    Damaged(StoreError),
    /// A signal says to stop.
    Terminate,
}
