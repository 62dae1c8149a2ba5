//! The outbox: makes ends durable, publishes responses and archives task files (SPEC 12, (c) to (g)).
//!
//! It is a thread of its own, so that the next turn starts while the last one is being synced. Whatever it does can
//! be done again: a crash at any point leaves an unsettled item, for which the next life does all of it anew.
//!
//! - `worker`: the thread, and the order of what it does
//! - `database`: making commits durable, also where a sync has failed or the ledger's file was taken away
//! - `publish`, `moving`: responses that get their names, files that are archived or rejected
//! - `queue`: how far the driver may run ahead of it

mod database;
mod moving;
mod publish;
mod queue;
#[cfg(test)]
mod tests;
mod worker;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel};
use std::thread::JoinHandle;

use hive_shared::chat::TurnEvent;
use hive_shared::ids::{BotId, ItemId};
use hive_shared::paths::Hive;

use crate::document::Document;
use crate::file_id::Fingerprint;
use crate::hub::Hub;
use crate::store::Item;
use crate::turn::Turn;
use crate::witness::Witness;

use database::Database;
pub use moving::{move_into, move_known_into, reject};
pub(crate) use publish::{Backing, publish};
use queue::Queue;
use worker::Worker;

/// All that one commit ended.
pub struct Batch {
    /// Its items.
    pub jobs: Vec<Job>,
}

/// An ended item on its way to rest.
pub struct Job {
    /// The item's place in the ledger.
    pub arrival: i64,
    /// The item.
    pub id: ItemId,
    /// Its response document and the name to publish it under.
    pub response: Option<(String, Document)>,
    /// Its file in the task directory.
    pub file: Option<TaskFile>,
    /// Whom to tell when its end is visible, and what.
    pub complete: Option<(Arc<Turn>, TurnEvent)>,
}

/// The file of a task that has ended.
pub struct TaskFile {
    /// Its name in the task directory.
    pub name: String,
    /// Which file it was when the task ended. What lies under its name later may be another, which is not touched.
    pub known: Option<Fingerprint>,
}

impl TaskFile {
    /// The file of an item that has one.
    pub(crate) fn of(item: &Item) -> Option<Self> {
        let name = item.file.clone().filter(|_| item.has_file())?;
        Some(Self { name, known: item.known_file() })
    }
}

/// An item that has come to rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The item's place in the ledger.
    pub arrival: i64,
    /// The item.
    pub id: ItemId,
    /// The name of its file in the archive, if it is there.
    pub archived: Option<String>,
}

/// What the outbox tells the driver.
#[derive(Debug)]
pub enum Note {
    /// An item's response was published under another name than was meant.
    Renamed(ItemId, String),
    /// These items have come to rest.
    Settled(Vec<Settled>),
    /// The disk does not take something; nothing once it does again.
    Trouble(Option<String>),
    /// The ledger's file was removed, or another put in its place: what is committed goes nowhere until it is put back,
    /// and this is told so.
    LedgerGone(SyncSender<()>),
}

/// The driver's end of the outbox.
pub struct Outbox {
    batches: Option<Sender<Batch>>,
    queue: Arc<Queue>,
    give_up: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Outbox {
    /// Starts the thread. `log` is the write-ahead log whose sync makes commits durable, `database` what it belongs
    /// to, `witness` what tells how far it has come.
    pub(crate) fn start(
        hive: Hive,
        bot: BotId,
        hub: Arc<Hub>,
        log: &Path,
        database: &Path,
        witness: Witness,
        tell: impl Fn(Note) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, batches) = channel();
        let queue = Arc::new(Queue::default());
        let give_up = Arc::new(AtomicBool::new(false));
        let database = Database::open(database, log)?;
        let shared = (Arc::clone(&queue), Arc::clone(&give_up));
        let worker = Worker::new(hive, bot, hub, database, witness, Box::new(tell), shared);
        let thread = std::thread::Builder::new().name("outbox".into()).spawn(move || worker.run(&batches))?;
        Ok(Self { batches: Some(sender), queue, give_up, thread: Some(thread) })
    }

    /// Hands over what a commit ended. Waits when too many commits are not durable yet; but not for a disk that takes
    /// nothing, and not for a ledger that is to be put back, for who waited here could not hear anybody.
    pub fn send(&self, batch: Batch) {
        if let Some(batches) = &self.batches {
            self.queue.enter();
            // The thread ends only after this end is dropped.
            let _ = batches.send(batch);
        }
    }

    /// Finishes what was handed over, and ends. If the disk does not take it, it is left to the next life.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.batches.take();
        self.give_up.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
