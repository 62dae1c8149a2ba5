//! The full scan, which is the truth about the task directory. It goes on in slices, so that a hundred thousand files
//! do not hold up the one that was just dropped.

use std::collections::{HashSet, VecDeque};
use std::fs::ReadDir;
use std::io;
use std::time::{Duration, Instant};

use hive_shared::time::Stamp;

use super::engine::{Engine, Judged};
use super::files::{self, Entry, is_missing, is_task_name};
use super::outbox::{BATCH, Stopped};
use super::settle::Sign;
use super::{FileFacts, Flow, InboxEvent, Parsed, SeenFile};
use crate::file_id::Fingerprint;

/// How long a slice may take before the mail is looked at again.
const SLICE: Duration = Duration::from_millis(5);

/// A scan on its way.
pub(super) struct Scan {
    stage: Stage,
    finds: Finds,
    started: Instant,
}

enum Stage {
    Listing(ReadDir),
    Reading,
    Telling(std::vec::IntoIter<Find>),
}

/// A complete file that was read for its place in the order. It is read once more when it is told of: what a hundred
/// thousand files say need not be in memory at a time.
struct Find {
    created: Stamp,
    name: String,
    fingerprint: Fingerprint,
}

/// What a scan gathered so far.
struct Finds {
    /// Complete files, not read yet.
    to_read: VecDeque<(String, Fingerprint)>,
    /// Files that were changed just now and are looked at once more: a scan gives all that it found in one order.
    held: HashSet<String>,
    read: Vec<Find>,
    files: usize,
}

impl Scan {
    fn new(entries: ReadDir) -> Self {
        let finds = Finds { to_read: VecDeque::new(), held: HashSet::new(), read: Vec::new(), files: 0 };
        Self { stage: Stage::Listing(entries), finds, started: Instant::now() }
    }

    /// Whether there is something to do now.
    pub(super) fn has_work(&self) -> bool {
        match self.stage {
            Stage::Listing(_) | Stage::Telling(_) => true,
            Stage::Reading => !self.finds.to_read.is_empty() || self.finds.held.is_empty(),
        }
    }

    /// The scan does not wait for this file any more; says whether it did.
    pub(super) fn release(&mut self, name: &str) -> bool {
        self.finds.held.remove(name)
    }

    /// A file that the scan waited for is complete.
    pub(super) fn take(&mut self, name: String, fingerprint: Fingerprint) {
        self.finds.to_read.push_back((name, fingerprint));
    }
}

/// How a scan goes on.
#[must_use]
enum Progress {
    More,
    Next(Stage),
    Over,
}

impl<T, P, E> Engine<T, P, E>
where
    P: Fn(&[u8], &FileFacts<'_>) -> Parsed<T>,
    E: FnMut(InboxEvent<T>) -> Flow,
{
    /// Does a slice of the scan that is on its way, or begins the one that is wanted.
    pub(super) fn advance_scan(&mut self) -> Result<(), Stopped> {
        if self.scan.is_none() && self.scan_wanted {
            self.begin_scan()?;
        }
        let Some(mut scan) = self.scan.take_if(|scan| scan.has_work()) else { return Ok(()) };
        let until = Instant::now() + SLICE;
        let progress = match &mut scan.stage {
            Stage::Listing(entries) => self.list(entries, &mut scan.finds, until)?,
            Stage::Reading => self.read_found(&mut scan.finds, until)?,
            Stage::Telling(read) => self.tell_found(read, scan.finds.files)?,
        };
        match progress {
            Progress::More => self.scan = Some(scan),
            Progress::Next(stage) => self.scan = Some(Scan { stage, ..scan }),
            Progress::Over => self.last_scan_took = scan.started.elapsed(),
        }
        Ok(())
    }

    fn begin_scan(&mut self) -> Result<(), Stopped> {
        self.scan_wanted = false;
        let Some(dir) = self.places.tasks() else { return Ok(()) };
        match std::fs::read_dir(dir) {
            Ok(entries) => {
                self.directory_is_there()?;
                self.generation += 1;
                self.scan = Some(Scan::new(entries));
                Ok(())
            }
            Err(e) if is_missing(&e) => self.directory_is_lost(),
            Err(e) => self.cannot_list(&e),
        }
    }

    fn list(
        &mut self,
        entries: &mut ReadDir,
        finds: &mut Finds,
        until: Instant,
    ) -> Result<Progress, Stopped> {
        while Instant::now() < until {
            let name = match entries.next() {
                None => return self.end_listing(),
                Some(Ok(entry)) => entry.file_name(),
                Some(Err(e)) => {
                    self.cannot_list(&e)?;
                    return Ok(Progress::Over);
                }
            };
            if !is_task_name(name.as_encoded_bytes()) {
                continue;
            }
            let name = match name.into_string() {
                Ok(name) => name,
                Err(name) => {
                    self.complain_of_name(name.to_string_lossy().into_owned())?;
                    continue;
                }
            };
            let entry = match files::look(&self.path(&name)) {
                Ok(Entry::Missing) => continue,
                Ok(entry) => entry,
                // A file that cannot even be looked at is the directory's fault.
                Err(e) => {
                    self.cannot_list(&e)?;
                    return Ok(Progress::Over);
                }
            };
            finds.files += usize::from(matches!(entry, Entry::File(_)));
            match self.judge(&name, Sign::Found, entry)? {
                Judged::Take(fingerprint) => finds.to_read.push_back((name, fingerprint)),
                Judged::Wait(end)
                    if end.saturating_duration_since(Instant::now()) <= self.pace.patience.quiet =>
                {
                    finds.held.insert(name);
                }
                Judged::Wait(_) | Judged::Nothing => {}
            }
        }
        Ok(Progress::More)
    }

    /// All that is there was listed: what was known before and was not met is gone, unless it has just come back.
    fn end_listing(&mut self) -> Result<Progress, Stopped> {
        if !self.directory_exists() {
            self.directory_is_lost()?;
            return Ok(Progress::Over);
        }
        self.list_trouble = None;
        self.report_health()?;
        let generation = self.generation;
        let known =
            self.known.iter().filter(|(_, known)| known.generation < generation).map(|(name, _)| name);
        let complaints = self.complaints.iter().filter(|(_, met)| **met < generation).map(|(name, _)| name);
        let mut unmet: Vec<String> = known.chain(complaints).cloned().collect();
        unmet.sort_unstable();
        for name in unmet {
            if let Ok(Entry::Missing) = files::look(&self.path(&name)) {
                self.gone(&name)?;
            }
        }
        Ok(Progress::Next(Stage::Reading))
    }

    fn read_found(&mut self, finds: &mut Finds, until: Instant) -> Result<Progress, Stopped> {
        while Instant::now() < until {
            let Some((name, fingerprint)) = finds.to_read.pop_front() else {
                if !finds.held.is_empty() {
                    break;
                }
                let mut read = std::mem::take(&mut finds.read);
                read.sort_unstable_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
                return Ok(Progress::Next(Stage::Telling(read.into_iter())));
            };
            if self.goes_its_own_way(&name, fingerprint) {
                continue;
            }
            let read = self.look_into(&name, fingerprint)?;
            finds.read.extend(read.map(|SeenFile { created, name, fingerprint, .. }| Find {
                created,
                name,
                fingerprint,
            }));
        }
        Ok(Progress::More)
    }

    fn tell_found(&mut self, read: &mut std::vec::IntoIter<Find>, files: usize) -> Result<Progress, Stopped> {
        for Find { name, fingerprint, .. } in read.take(BATCH) {
            if !self.goes_its_own_way(&name, fingerprint)
                && let Some(file) = self.read(&name, fingerprint)?
            {
                self.out.seen(file)?;
            }
        }
        self.out.flush()?;
        if read.len() > 0 {
            return Ok(Progress::More);
        }
        let first = !std::mem::replace(&mut self.scanned, true);
        self.out.tell(InboxEvent::ScanDone { first, files })?;
        Ok(Progress::Over)
    }

    /// Whether an event told more about a file since it was found.
    fn goes_its_own_way(&self, name: &str, fingerprint: Fingerprint) -> bool {
        self.settle.is_waiting(name) || self.known_as(name) == Some(fingerprint)
    }

    fn cannot_list(&mut self, error: &io::Error) -> Result<(), Stopped> {
        let dir = self.places.tasks().unwrap_or_else(|| std::path::Path::new(""));
        self.list_trouble = Some(format!("{} cannot be read ({error})", dir.display()));
        self.report_health()
    }
}
