//! The inbox's thread: it sleeps until there is mail or a file is due, looks, and tells the driver.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hive_shared::task::MAX_TASK_BYTES;
use hive_shared::time::{Stamp, show_duration};

use super::files::{self, Content, Entry};
use super::mailbox::{Mail, Mailbox, Notice, NoticeKind, Until};
use super::outbox::{Outbox, Stopped};
use super::scan::Scan;
use super::settle::{Patience, Settle, Sign, Verdict};
use super::watch::{Places, Watch, WatchError};
use super::{FileFacts, Flow, InboxEvent, Parsed, SeenFile};
use crate::file_id::Fingerprint;
use crate::untrusted;

/// The durations of the inbox.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How long files are given to settle.
    pub(super) patience: Patience,
    /// Without notifications: how often to scan.
    pub(super) slow_scan: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { patience: Patience::default(), slow_scan: Duration::from_secs(2) }
    }
}

/// Without notifications no more than one part in so many of the time goes into scanning.
const SCAN_SHARE: u32 = 10;

/// One byte more than a task may have shows that a file is no task.
const READ_LIMIT: usize = MAX_TASK_BYTES + 1;

/// Gets a watcher: [`Watch::start`], or what a test puts in its place.
pub(super) type Connect = Box<dyn FnMut(&Places, &Arc<Mailbox>) -> Result<Watch, WatchError> + Send>;

/// What an engine is made of, besides what it talks to.
pub(super) struct Setup {
    pub(super) places: Places,
    pub(super) known: HashMap<String, Fingerprint>,
    pub(super) pace: Pace,
    pub(super) connect: Connect,
}

/// A file that the driver was told of, or knew before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) fingerprint: Fingerprint,
    /// The scan that met it last.
    pub(super) generation: u64,
}

/// What to do about what lies under a name.
#[must_use]
pub(super) enum Judged {
    /// Read it: it is complete as seen.
    Take(Fingerprint),
    /// It is looked at again, then at the latest.
    Wait(Instant),
    /// It is nothing new, or no task file.
    Nothing,
}

/// All that the thread has.
pub(super) struct Engine<T, P, E> {
    pub(super) places: Places,
    pub(super) pace: Pace,
    pub(super) out: Outbox<T, E>,
    pub(super) settle: Settle,
    pub(super) known: HashMap<String, Known>,
    /// Names that were complained of, with the scan that met them last.
    pub(super) complaints: HashMap<String, u64>,
    pub(super) scan: Option<Scan>,
    pub(super) scan_wanted: bool,
    /// Whether a scan was completed.
    pub(super) scanned: bool,
    /// The number of the latest scan.
    pub(super) generation: u64,
    pub(super) last_scan_took: Duration,
    /// Why the task directory cannot be listed.
    pub(super) list_trouble: Option<String>,
    parse: P,
    buffer: Vec<u8>,
    mailbox: Arc<Mailbox>,
    connect: Connect,
    watch: Option<Watch>,
    /// Why the watcher's word is not enough.
    watch_trouble: Option<String>,
    /// The trouble that the driver was told of.
    told_trouble: Option<String>,
    slow_scan_due: Option<Instant>,
    directory_lost: bool,
}

impl<T, P, E> Engine<T, P, E>
where
    P: Fn(&[u8], &FileFacts<'_>) -> Parsed<T>,
    E: FnMut(InboxEvent<T>) -> Flow,
{
    pub(super) fn new(setup: Setup, mailbox: Arc<Mailbox>, parse: P, events: E) -> Self {
        let Setup { places, known, pace, connect } = setup;
        let known = known.into_iter().map(|(name, fingerprint)| (name, Known { fingerprint, generation: 0 }));
        Self {
            places,
            pace,
            out: Outbox::new(events),
            settle: Settle::new(pace.patience),
            known: known.collect(),
            complaints: HashMap::new(),
            scan: None,
            scan_wanted: false,
            scanned: false,
            generation: 0,
            last_scan_took: Duration::ZERO,
            list_trouble: None,
            parse,
            buffer: Vec::new(),
            mailbox,
            connect,
            watch: None,
            watch_trouble: None,
            told_trouble: None,
            slow_scan_due: None,
            directory_lost: false,
        }
    }

    /// Works until it is told to stop.
    pub(super) fn run(mut self) {
        let Err(Stopped) = self.work();
    }

    fn work(&mut self) -> Result<std::convert::Infallible, Stopped> {
        self.connect()?;
        loop {
            let until = self.wake_at();
            let mail = self.mailbox.take(until);
            self.open(mail)?;
            self.look_at_due()?;
            self.out.flush()?;
            self.slow_scan()?;
            self.advance_scan()?;
        }
    }

    fn wake_at(&mut self) -> Until {
        if self.scan.as_ref().map_or(self.scan_wanted, Scan::has_work) {
            return Until::Now;
        }
        if self.told_trouble.is_some() && self.scan.is_none() && self.slow_scan_due.is_none() {
            let pause = self.pace.slow_scan.max(self.last_scan_took * SCAN_SHARE);
            self.slow_scan_due = Some(Instant::now() + pause);
        }
        let due = [self.settle.next_due(), self.slow_scan_due].into_iter().flatten().min();
        due.map_or(Until::Mail, Until::Time)
    }

    fn open(&mut self, mail: Mail) -> Result<(), Stopped> {
        let Mail { notices, controls, structure, lost_events, rescan, watcher_failed, stop } = mail;
        if stop {
            return Err(Stopped);
        }
        if let Some(why) = watcher_failed {
            self.watch = None;
            self.watch_trouble = Some(format!("file notifications failed ({why})"));
            self.report_health()?;
        } else if structure {
            self.connect()?;
        }
        if lost_events {
            self.settle.distrust();
        }
        self.scan_wanted |= rescan || lost_events;
        if controls || lost_events {
            self.out.tell(InboxEvent::Controls)?;
        }
        for notice in notices {
            self.follow(notice)?;
        }
        Ok(())
    }

    /// Gets a new watcher for the directories as they are now, and looks at everything: what happened while there was
    /// no watcher, nobody told.
    fn connect(&mut self) -> Result<(), Stopped> {
        self.watch = None;
        self.settle.distrust();
        self.scan_wanted = true;
        self.watch_trouble = match (self.connect)(&self.places, &self.mailbox) {
            Ok(watch) => {
                let silent =
                    watch.silent.map(|name| format!("{name} does not tell of changes made elsewhere"));
                self.watch = Some(watch);
                silent
            }
            Err(e) => Some(e.to_string()),
        };
        self.report_health()?;
        self.out.tell(InboxEvent::Controls)
    }

    /// Where events cannot be relied on, looks at everything from time to time, and tries to get a watcher.
    fn slow_scan(&mut self) -> Result<(), Stopped> {
        if self.slow_scan_due.is_none_or(|due| Instant::now() < due) {
            return Ok(());
        }
        self.slow_scan_due = None;
        if self.watch.is_none() {
            return self.connect();
        }
        self.scan_wanted = true;
        self.out.tell(InboxEvent::Controls)
    }

    /// Tells the driver when it begins and ends that events cannot be relied on.
    pub(super) fn report_health(&mut self) -> Result<(), Stopped> {
        let trouble = self.list_trouble.as_ref().or(self.watch_trouble.as_ref());
        if trouble == self.told_trouble.as_ref() {
            return Ok(());
        }
        self.told_trouble = trouble.cloned();
        if let Some(trouble) = &self.told_trouble {
            let every = show_duration(self.pace.slow_scan);
            let message = format!("{trouble}: looking every {every}");
            return self.out.tell(InboxEvent::Degraded(message));
        }
        self.slow_scan_due = None;
        self.out.tell(InboxEvent::Restored)
    }

    /// There is nothing where the task directory should be. Its parent tells when that changes.
    pub(super) fn directory_is_lost(&mut self) -> Result<(), Stopped> {
        self.settle.clear();
        if std::mem::replace(&mut self.directory_lost, true) {
            return Ok(());
        }
        self.out.tell(InboxEvent::DirectoryLost)
    }

    /// The task directory could be opened.
    pub(super) fn directory_is_there(&mut self) -> Result<(), Stopped> {
        if std::mem::replace(&mut self.directory_lost, false) {
            return self.out.tell(InboxEvent::DirectoryBack);
        }
        Ok(())
    }

    /// Looks at a file that something happened to.
    fn follow(&mut self, notice: Notice) -> Result<(), Stopped> {
        let Notice { name, kind } = notice;
        if let Some(scan) = &mut self.scan {
            scan.release(&name);
        }
        let sign = match kind {
            NoticeKind::NotUtf8 => return self.complain_of_name(name),
            NoticeKind::Closed => Sign::Closed,
            NoticeKind::Writing => Sign::Writing,
            NoticeKind::Touched | NoticeKind::Removed => Sign::Found,
        };
        let entry = match files::look(&self.path(&name)) {
            Ok(entry) => entry,
            Err(e) => return self.complain(name, &e),
        };
        if let Entry::File(look) = &entry
            && kind == NoticeKind::Removed
            && self.known_as(&name) != Some(look.fingerprint)
        {
            // What was there is gone, and another file has its name already.
            self.gone(&name)?;
        }
        match self.judge(&name, sign, entry)? {
            Judged::Take(fingerprint) => self.read_and_tell(&name, fingerprint),
            Judged::Wait(_) | Judged::Nothing => Ok(()),
        }
    }

    /// Looks again at the files whose time has come.
    fn look_at_due(&mut self) -> Result<(), Stopped> {
        for name in self.settle.due(Instant::now()) {
            let held = self.scan.as_mut().is_some_and(|scan| scan.release(&name));
            let entry = match files::look(&self.path(&name)) {
                Ok(entry) => entry,
                Err(e) => {
                    self.complain(name.to_string(), &e)?;
                    continue;
                }
            };
            match (self.judge(&name, Sign::Due, entry)?, &mut self.scan) {
                (Judged::Take(fingerprint), Some(scan)) if held => scan.take(name.to_string(), fingerprint),
                (Judged::Take(fingerprint), _) => self.read_and_tell(&name, fingerprint)?,
                (Judged::Wait(_) | Judged::Nothing, _) => {}
            }
        }
        Ok(())
    }

    /// What to do about what was seen under a name.
    pub(super) fn judge(&mut self, name: &str, sign: Sign, entry: Entry) -> Result<Judged, Stopped> {
        let look = match entry {
            Entry::File(look) => look,
            Entry::Missing => {
                // A directory that was moved away takes its files along: it is lost, they are not removed.
                if self.directory_exists() {
                    self.gone(name)?;
                }
                return Ok(Judged::Nothing);
            }
            Entry::Symlink | Entry::Other => {
                if self.known.contains_key(name) {
                    self.gone(name)?;
                }
                self.settle.forget(name);
                if entry == Entry::Symlink
                    && self.complaints.insert(name.to_owned(), self.generation).is_none()
                {
                    self.out.tell(InboxEvent::Symlink(name.to_owned()))?;
                }
                return Ok(Judged::Nothing);
            }
        };
        if let Some(known) = self.known.get_mut(name).filter(|known| known.fingerprint == look.fingerprint) {
            known.generation = self.generation;
            self.settle.forget(name);
            return Ok(Judged::Nothing);
        }
        Ok(match self.settle.handle(Instant::now(), name, sign, &look) {
            Verdict::Take => Judged::Take(look.fingerprint),
            Verdict::Wait(until) => Judged::Wait(until),
        })
    }

    fn read_and_tell(&mut self, name: &str, fingerprint: Fingerprint) -> Result<(), Stopped> {
        match self.read(name, fingerprint)? {
            Some(file) => self.out.seen(file),
            None => Ok(()),
        }
    }

    /// Reads a file that was found complete, and takes it for known. None: it is so no more, and waited for again, or
    /// cannot be read.
    pub(super) fn read(
        &mut self,
        name: &str,
        fingerprint: Fingerprint,
    ) -> Result<Option<SeenFile<T>>, Stopped> {
        let read = self.look_into(name, fingerprint)?;
        if let Some(SeenFile { fingerprint, .. }) = read {
            self.known.insert(name.to_owned(), Known { fingerprint, generation: self.generation });
            self.complaints.remove(name);
        }
        Ok(read)
    }

    /// The same, for now.
    pub(super) fn look_into(
        &mut self,
        name: &str,
        mut fingerprint: Fingerprint,
    ) -> Result<Option<SeenFile<T>>, Stopped> {
        let path = self.path(name);
        loop {
            match files::read(&path, &fingerprint, READ_LIMIT, &mut self.buffer) {
                Ok(Content::Whole(modified)) => {
                    let modified = Stamp::from(modified);
                    let facts = FileFacts { name, modified, size: fingerprint.size };
                    let Parsed { created, content } = (self.parse)(&self.buffer, &facts);
                    let name = name.to_owned();
                    return Ok(Some(SeenFile { name, fingerprint, modified, created, content }));
                }
                Ok(Content::Changed(entry)) => match self.judge(name, Sign::Found, entry)? {
                    Judged::Take(another) => fingerprint = another,
                    Judged::Wait(_) | Judged::Nothing => return Ok(None),
                },
                Err(e) => {
                    self.complain(name.to_owned(), &e)?;
                    return Ok(None);
                }
            }
        }
    }

    /// There is no such file any more.
    pub(super) fn gone(&mut self, name: &str) -> Result<(), Stopped> {
        self.settle.forget(name);
        self.known.remove(name);
        self.complaints.remove(name);
        self.out.gone(name.to_owned())
    }

    /// Says once that a file cannot be read.
    fn complain(&mut self, name: String, error: &io::Error) -> Result<(), Stopped> {
        if untrusted::is_shortage(error) {
            // It passes, and nothing need happen to the file then.
            self.slow_scan_due.get_or_insert_with(|| Instant::now() + self.pace.slow_scan);
        }
        self.complain_once(name, || error.to_string())
    }

    /// Says once that a file has a name that nothing can be done with.
    pub(super) fn complain_of_name(&mut self, name: String) -> Result<(), Stopped> {
        self.complain_once(name, || "its name is not UTF-8".to_owned())
    }

    fn complain_once(&mut self, name: String, error: impl FnOnce() -> String) -> Result<(), Stopped> {
        if self.complaints.insert(name.clone(), self.generation).is_some() {
            return Ok(());
        }
        self.out.tell(InboxEvent::Unreadable { name, error: error() })
    }

    /// The fingerprint with which a file was last told of.
    pub(super) fn known_as(&self, name: &str) -> Option<Fingerprint> {
        self.known.get(name).map(|known| known.fingerprint)
    }

    /// Whether there is something where the task directory should be.
    pub(super) fn directory_exists(&self) -> bool {
        self.places.tasks().is_some_and(Path::is_dir)
    }

    /// Where a file of the task directory lies.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.places.tasks().map_or_else(PathBuf::new, |dir| dir.join(name))
    }
}
