//! The inbox: it watches the task directory and the control files, and tells the driver what is there (SPEC 2).
//!
//! It knows files, not tasks: the same name with the same [`Fingerprint`] is the same unchanged file, and is told once.
//! A full scan is the truth; the watcher only says where to look meanwhile. With nothing pending its thread sleeps.
//!
//! - `settle`: when a file is complete (pure)
//! - `engine`: the thread: mail and deadlines in, events out
//! - `scan`: the full scan, in slices
//! - [`documents`]: task documents, as what is read from a file
//! - `watch`, `mailbox`, `files`, `outbox`: the kernel's events, their queue, the files, the events to the driver

pub mod documents;
mod engine;
mod files;
mod mailbox;
mod outbox;
mod scan;
mod settle;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hive_shared::ids::BotId;
#[cfg(doc)]
use hive_shared::task::MAX_TASK_BYTES;
use hive_shared::time::Stamp;

use crate::file_id::Fingerprint;
use engine::{Connect, Engine, Pace, Setup};
use mailbox::Mailbox;
use watch::{Places, Watch};

/// What is known of a file besides its bytes, for whoever parses them.
#[derive(Debug, Clone, Copy)]
pub struct FileFacts<'a> {
    /// Its name in the task directory.
    pub name: &'a str,
    /// When it was last modified.
    pub modified: Stamp,
    /// Its whole size in bytes, of which no more than one byte beyond [`MAX_TASK_BYTES`] are read.
    pub size: u64,
}

/// What parsing a file gave.
#[derive(Debug, Clone)]
pub struct Parsed<T> {
    /// What files found by one scan are ordered by.
    pub created: Stamp,
    /// What is kept of the file. A scan keeps as many of these as there are new files: it should be small.
    pub content: T,
}

/// A complete file in the task directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenFile<T> {
    /// Its name there: it ends in `.md`.
    pub name: String,
    /// Which content of it was read.
    pub fingerprint: Fingerprint,
    /// When it was last modified.
    pub modified: Stamp,
    /// When the task was made, as [`Parsed`] says.
    pub created: Stamp,
    /// What was parsed.
    pub content: T,
}

/// What the inbox tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboxEvent<T> {
    /// New or changed files, all complete; of one scan in the order of creation, then name. 500 at most.
    Seen(Vec<SeenFile<T>>),
    /// Names that were removed, or that something happened to and that are not there; also names never told before.
    /// 500 at most. When the whole directory is lost its files are not told one by one.
    Gone(Vec<String>),
    /// A symbolic link, which is left where it is, unread. Once per name until it is gone.
    Symlink(String),
    /// A file that cannot be read. Once per name until it could be read or is gone; it is tried again at the next event
    /// of it and at the next scan.
    Unreadable {
        /// Its name, with replacement characters where it is not UTF-8.
        name: String,
        /// Why, for people.
        error: String,
    },
    /// A control file of this bot came, went or changed, or may have: look. Once at the start too.
    Controls,
    /// A full scan is over, and what it found was told. A file that was just being written may come later.
    ScanDone {
        /// Whether it was the first.
        first: bool,
        /// How many task files there are, those known before included.
        files: usize,
    },
    /// Events cannot be relied on, for this reason: there is a scan every two seconds, and a try to do better.
    Degraded(String),
    /// Events can be relied on again.
    Restored,
    /// The task directory is not there. It is watched for, and not made.
    DirectoryLost,
    /// The task directory is there again; a full scan follows.
    DirectoryBack,
}

/// Whether the inbox is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Go on.
    Continue,
    /// The receiver is gone: end.
    Stop,
}

/// What the inbox needs to know.
#[derive(Debug, Clone)]
pub struct InboxConfig {
    /// The task directory; `None` where it is not read (commander-only): then control files alone are watched.
    pub tasks_dir: Option<PathBuf>,
    /// Where control files lie.
    pub controls_dir: PathBuf,
    /// Whose control files.
    pub bot: BotId,
    /// The files that are known already: they are told again only when they changed, and told to be gone if they are.
    pub known: HashMap<String, Fingerprint>,
}

/// The running inbox. Dropping it ends its thread.
#[derive(Debug)]
pub struct Inbox {
    mailbox: Arc<Mailbox>,
}

/// Starts the inbox on a thread of its own.
///
/// `parse` gets the bytes of each complete file, one more than [`MAX_TASK_BYTES`] at most; see [`documents::reader`]. `events` is called on the inbox's thread
/// and may block: that is its back-pressure, and what happens meanwhile is kept in bounded memory.
///
/// Fails if there can be no thread, or no working directory for relative paths. That notifications cannot be had is no
/// failure but an event.
pub fn start<T, P, E>(config: InboxConfig, parse: P, events: E) -> io::Result<Inbox>
where
    T: Send + 'static,
    P: Fn(&[u8], &FileFacts<'_>) -> Parsed<T> + Send + 'static,
    E: FnMut(InboxEvent<T>) -> Flow + Send + 'static,
{
    start_with(config, Pace::default(), Box::new(Watch::start), parse, events)
}

fn start_with<T, P, E>(
    config: InboxConfig,
    pace: Pace,
    connect: Connect,
    parse: P,
    events: E,
) -> io::Result<Inbox>
where
    T: Send + 'static,
    P: Fn(&[u8], &FileFacts<'_>) -> Parsed<T> + Send + 'static,
    E: FnMut(InboxEvent<T>) -> Flow + Send + 'static,
{
    let InboxConfig { tasks_dir, controls_dir, bot, known } = config;
    let places = Places::new(tasks_dir.as_deref(), &controls_dir, bot.as_str())?;
    let mailbox = Arc::new(Mailbox::default());
    let setup = Setup { places, known, pace, connect };
    let engine = Engine::new(setup, Arc::clone(&mailbox), parse, events);
    std::thread::Builder::new().name("inbox".to_owned()).spawn(move || engine.run())?;
    Ok(Inbox { mailbox })
}

impl Inbox {
    /// Asks for a full scan, which ends with [`InboxEvent::ScanDone`].
    pub fn rescan(&self) {
        self.mailbox.rescan();
    }

    /// Ends the thread as soon as the event that it is handing over is taken; does not wait for it.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.mailbox.stop();
    }
}
