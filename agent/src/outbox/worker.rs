//! The outbox's thread.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use hive_shared::ids::BotId;
use hive_shared::paths::Hive;

use super::database::Database;
use super::queue::Queue;
use super::{Backing, Batch, Note, Settled, move_known_into, publish};
use crate::atomic_file;
use crate::failpoint;
use crate::home::Home;
use crate::hub::Hub;
use crate::witness::Witness;

/// How many published files are synced at a time.
const SYNC_BATCH: usize = 512;
/// How long published files wait for company before they are synced.
const SYNC_DELAY: Duration = Duration::from_millis(200);
/// Between two tries when the disk does not take something.
const RETRY: Duration = Duration::from_millis(500);
/// Between two looks whether the ledger's file was put back.
const REOPEN_RETRY: Duration = Duration::from_millis(20);
/// Up to so many files are synced one by one; more, with all of their file system.
const FEW_FILES: usize = 4;

/// What makes ends durable.
pub(super) struct Worker {
    database: Database,
    home: Home,
    hive: Hive,
    bot: BotId,
    hub: Arc<Hub>,
    tell: Box<dyn Fn(Note) + Send>,
    give_up: Arc<AtomicBool>,
    in_trouble: bool,
    queue: Arc<Queue>,
    unsynced: Vec<Unsynced>,
    witness: Witness,
    /// The last seq that is known to be durable.
    durable: u64,
    checkpoint_at: Option<Instant>,
}

/// An item that has its response and whose file is archived, before that is synced.
struct Unsynced {
    settled: Settled,
    /// The name of its response.
    response: Option<String>,
}

impl Worker {
    /// `shared` with the driver's end: how far it may run ahead, and whether to give up what the disk does not take.
    pub(super) fn new(
        hive: Hive,
        bot: BotId,
        hub: Arc<Hub>,
        database: Database,
        witness: Witness,
        tell: Box<dyn Fn(Note) + Send>,
        shared: (Arc<Queue>, Arc<AtomicBool>),
    ) -> Self {
        let (queue, give_up) = shared;
        Self {
            home: Home::of(&hive),
            database,
            hive,
            bot,
            hub,
            tell,
            give_up,
            in_trouble: false,
            queue,
            unsynced: Vec::new(),
            witness,
            durable: 0,
            checkpoint_at: None,
        }
    }

    /// Works until nothing more can come.
    pub(super) fn run(mut self, batches: &Receiver<Batch>) {
        let mut sync_at: Option<Instant> = None;
        loop {
            let deadline = [sync_at, self.checkpoint_at].into_iter().flatten().min();
            let received = match deadline {
                None => batches.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => batches.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match received {
                Ok(first) => {
                    let mut group = vec![first];
                    group.extend(batches.try_iter());
                    let commits = group.len();
                    if self.settle(group, batches).is_none() {
                        return;
                    }
                    self.queue.change(|queue| queue.commits -= commits);
                    sync_at.get_or_insert_with(|| Instant::now() + SYNC_DELAY);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.part();
                    return;
                }
            }
            if self.unsynced.len() >= SYNC_BATCH || sync_at.is_some_and(|at| at <= Instant::now()) {
                sync_at = None;
                if self.sync_published().is_none() {
                    return;
                }
            }
            if self.checkpoint_at.is_some_and(|at| at <= Instant::now()) {
                self.checkpoint_at = None;
                self.database.checkpoint();
            }
        }
    }

    /// (c) to (f) for all that a group of commits ended: one sync for all of them.
    fn settle(&mut self, group: Vec<Batch>, batches: &Receiver<Batch>) -> Option<()> {
        if !self.home.is_there() {
            // The ledger is where the hive is, and has all for the next life there.
            self.sync_ledger()?;
            self.until_taken(|worker| worker.home.check())?;
        }
        if !self.database.is_there() {
            self.queue.change(|queue| queue.stuck = true);
            self.reopen(&group, batches)?;
            self.queue.change(|queue| queue.stuck = false);
        }
        self.sync_ledger()?;
        failpoint::pass("end synced");
        for batch in group {
            let mut complete = Vec::new();
            for job in batch.jobs {
                let mut settled = Settled { arrival: job.arrival, id: job.id, archived: None };
                let mut response = None;
                if let Some((name, document)) = &job.response {
                    let published = self.until_taken(|worker| {
                        publish(&worker.hive, &worker.bot, &settled.id, name, document, Backing::Ledger)
                    })?;
                    if published != *name {
                        (self.tell)(Note::Renamed(settled.id.clone(), published.clone()));
                    }
                    response = Some(published);
                    failpoint::pass("response published");
                }
                let mut stays = false;
                if let Some(file) = &job.file {
                    let archive = self.hive.archive(&self.bot);
                    let from = self.hive.tasks(&self.bot).join(&file.name);
                    match self.until_taken(|worker| {
                        let moved = move_known_into(&worker.bot, &from, file.known, &archive);
                        or_leave(moved, &worker.bot, &from, &archive)
                    })? {
                        Moved::To(archived) => settled.archived = archived,
                        Moved::Not => stays = true,
                    }
                    failpoint::pass("file archived");
                }
                complete.extend(job.complete);
                // An item whose file stays is not settled, so that the next life still knows whose file that is.
                if !stays {
                    self.unsynced.push(Unsynced { settled, response });
                }
            }
            self.hub.release();
            failpoint::pass("followers woken");
            for (turn, event) in complete {
                turn.tell(event);
                failpoint::pass("client told");
            }
        }
        self.checkpoint_at.get_or_insert_with(|| Instant::now() + Duration::from_secs(2));
        Some(())
    }

    /// Makes all commits durable.
    fn sync_ledger(&mut self) -> Option<()> {
        let committed = self.hub.committed_seq();
        self.until_taken(|worker| worker.database.sync())?;
        self.durable = committed;
        Some(())
    }

    /// Nothing follows.
    fn part(&mut self) {
        if self.sync_published().is_some() && self.database.is_there() && self.sync_ledger().is_some() {
            self.witness.tell(self.durable);
        }
    }

    /// The ledger's file was taken away, or another is in its place: waits until the driver has put it back. Where it
    /// does not, because the bot stops, what has ended, also what nobody has come to yet, is known from its response to
    /// the ledger that comes after this one.
    fn reopen(&mut self, group: &[Batch], batches: &Receiver<Batch>) -> Option<()> {
        while !self.give_up.load(Ordering::Relaxed) {
            let (put_back, is_put_back) = sync_channel(1);
            (self.tell)(Note::LedgerGone(put_back));
            while !self.give_up.load(Ordering::Relaxed) {
                match is_put_back.recv_timeout(REOPEN_RETRY) {
                    Err(RecvTimeoutError::Timeout) => {}
                    // Whoever was told is gone, and gives up soon.
                    Err(RecvTimeoutError::Disconnected) => std::thread::sleep(REOPEN_RETRY),
                    Ok(()) => {
                        if let Ok(database) = self.database.reopen() {
                            self.database = database;
                            return Some(());
                        }
                        // It is gone again.
                        std::thread::sleep(REOPEN_RETRY);
                        break;
                    }
                }
            }
        }
        let rest: Vec<Batch> = batches.try_iter().collect();
        for job in group.iter().chain(&rest).flat_map(|batch| &batch.jobs) {
            if let Some((name, document)) = &job.response {
                self.until_taken(|worker| {
                    publish(&worker.hive, &worker.bot, &job.id, name, document, Backing::Nowhere)
                })?;
            }
        }
        self.until_taken(|worker| Ok(nix::unistd::syncfs(File::open(worker.hive.responses())?)?))?;
        None
    }

    /// (g): syncs what was published and archived; after this the ledger need not keep the documents.
    fn sync_published(&mut self) -> Option<()> {
        if self.unsynced.is_empty() {
            return Some(());
        }
        self.until_taken(|worker| worker.home.check())?;
        self.until_taken(|worker| {
            let responses = worker.hive.responses();
            if worker.unsynced.len() > FEW_FILES {
                return Ok(nix::unistd::syncfs(File::open(&responses)?)?);
            }
            for name in worker.unsynced.iter().filter_map(|unsynced| unsynced.response.as_ref()) {
                match File::open(responses.join(name)) {
                    Ok(file) => file.sync_data()?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            for directory in [responses, worker.hive.tasks(&worker.bot), worker.hive.archive(&worker.bot)] {
                match File::open(directory) {
                    Ok(directory) => directory.sync_all()?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })?;
        failpoint::pass("published synced");
        self.witness.tell(self.durable);
        let settled = self.unsynced.drain(..).map(|unsynced| unsynced.settled).collect();
        (self.tell)(Note::Settled(settled));
        Some(())
    }

    /// Tries until the disk takes it; nothing if that is given up because the bot stops.
    fn until_taken<T>(&mut self, mut work: impl FnMut(&mut Self) -> io::Result<T>) -> Option<T> {
        loop {
            match work(self) {
                Ok(value) => {
                    if std::mem::take(&mut self.in_trouble) {
                        self.queue.change(|queue| queue.stuck = false);
                        self.hub.disk().set_results(false);
                        (self.tell)(Note::Trouble(None));
                    }
                    return Some(value);
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.in_trouble, true) {
                        self.queue.change(|queue| queue.stuck = true);
                        self.hub.disk().set_results(true);
                        (self.tell)(Note::Trouble(Some(error.to_string())));
                    }
                    if self.give_up.load(Ordering::Relaxed) {
                        return None;
                    }
                    std::thread::sleep(RETRY);
                }
            }
        }
    }
}

/// What became of a file that is to be archived.
pub(super) enum Moved {
    /// It is in the archive under this name, or was gone.
    To(Option<String>),
    /// It cannot be moved.
    Not,
}

/// An error that is about this one file, and not about the disk or a whole directory, must not hold up all others: the
/// file stays where it is.
pub(super) fn or_leave(
    moved: io::Result<Option<String>>,
    bot: &BotId,
    file: &Path,
    archive: &Path,
) -> io::Result<Moved> {
    let takes_files = |directory: &Path| atomic_file::unfinished_in(directory, bot).is_ok();
    match moved {
        Ok(archived) => Ok(Moved::To(archived)),
        Err(error)
            if is_about_the_file(&error) && file.parent().into_iter().chain([archive]).all(takes_files) =>
        {
            tracing::error!(file = %file.display(), error = %error, "a finished task's file cannot be archived");
            Ok(Moved::Not)
        }
        Err(error) => Err(error),
    }
}

fn is_about_the_file(error: &io::Error) -> bool {
    // A link where another file system is moved to, and a file that is immutable.
    matches!(error.raw_os_error(), Some(nix::libc::ELOOP | nix::libc::EPERM))
        || matches!(
            error.kind(),
            io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory
        )
}
