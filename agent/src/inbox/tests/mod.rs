//! The inbox with real files and the real watcher.

mod directory;
mod figures;
mod saving;
mod scanning;

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, SystemTime};

use super::mailbox::{Notice, NoticeKind};
use super::*;

/// Longer than anything takes here; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

const MS: Duration = Duration::from_millis(1);

type Event = InboxEvent<String>;

/// The real rules, with shorter times. The longest of them is that for files that are not closed.
fn brisk() -> Pace {
    Pace {
        patience: settle::Patience {
            unclosed: 500 * MS,
            linked: 30 * MS,
            empty: 60 * MS,
            old: 2_000 * MS,
            quiet: 30 * MS,
        },
        slow_scan: 20 * MS,
    }
}

/// A task directory, a control directory, and an inbox on them.
struct Nest {
    dir: tempfile::TempDir,
    inbox: Option<Inbox>,
    events: Receiver<Event>,
}

impl Nest {
    /// With an empty directory, after the first scan, with the real times.
    fn new() -> Self {
        Self::with(Pace::default())
    }

    fn with(pace: Pace) -> Self {
        let nest = Self::prepare().start(pace, HashMap::new());
        nest.until_scanned();
        nest
    }

    /// The directories alone.
    fn prepare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("tasks/BOT-1/archive")).unwrap();
        fs::create_dir(dir.path().join("controls")).unwrap();
        Self { dir, inbox: None, events: mpsc::channel().1 }
    }

    fn start(self, pace: Pace, known: HashMap<String, Fingerprint>) -> Self {
        self.start_with(pace, known, Box::new(Watch::start))
    }

    fn start_with(self, pace: Pace, known: HashMap<String, Fingerprint>, connect: Connect) -> Self {
        self.start_gated(pace, known, connect, |_| false).0
    }

    /// After the first event that fits, the inbox waits for a word, as for a driver that is busy.
    fn start_gated(
        mut self,
        pace: Pace,
        known: HashMap<String, Fingerprint>,
        connect: Connect,
        fits: impl Fn(&Event) -> bool + Send + 'static,
    ) -> (Self, Sender<()>) {
        let (go, wait) = mpsc::channel();
        let (tx, rx) = mpsc::channel();
        let config = InboxConfig { known, ..self.config() };
        let mut wait = Some(wait);
        let events = move |event| {
            let gate = wait.take_if(|_| fits(&event));
            let flow = if tx.send(event).is_ok() { Flow::Continue } else { Flow::Stop };
            if let Some(gate) = gate {
                gate.recv().unwrap();
            }
            flow
        };
        self.inbox = Some(start_with(config, pace, connect, parse, events).unwrap());
        self.events = rx;
        (self, go)
    }

    /// With a watcher that tells nothing: the test does, by [`Nest::notice`].
    fn start_deaf(self, known: HashMap<String, Fingerprint>) -> Self {
        self.start_with(Pace::default(), known, deaf())
    }

    fn mailbox(&self) -> &Mailbox {
        &self.inbox.as_ref().unwrap().mailbox
    }

    fn notice(&self, name: &str, kind: NoticeKind) {
        self.mailbox().notice(Notice { name: name.to_owned(), kind });
    }

    fn config(&self) -> InboxConfig {
        InboxConfig {
            tasks_dir: Some(self.tasks()),
            controls_dir: self.dir.path().join("controls"),
            bot: BotId::parse("BOT-1").unwrap(),
            known: HashMap::new(),
        }
    }

    fn tasks(&self) -> PathBuf {
        self.dir.path().join("tasks/BOT-1")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.tasks().join(name)
    }

    /// A file as it would be after somebody dropped it a while ago.
    fn old_file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        let hour_ago = SystemTime::now() - Duration::from_secs(3_600);
        File::options().write(true).open(self.path(name)).unwrap().set_modified(hour_ago).unwrap();
    }

    /// A file outside the task directory, on the same file system.
    fn elsewhere(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("elsewhere");
        fs::write(&path, text).unwrap();
        path
    }

    fn next(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("the inbox tells something")
    }

    /// The events up to and with the first that fits.
    fn until(&self, fits: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            events.push(self.next());
            if events.last().is_some_and(&fits) {
                return events;
            }
        }
    }

    fn until_scanned(&self) -> Vec<Event> {
        self.until(|event| matches!(event, InboxEvent::ScanDone { .. }))
    }

    /// The content of the next file told, which must be this one.
    fn next_seen(&self, name: &str) -> String {
        match self.next() {
            InboxEvent::Seen(files) if files.len() == 1 && files[0].name == name => files[0].content.clone(),
            other => panic!("expected {name}, got {other:?}"),
        }
    }

    /// What is told before a file that is dropped now.
    fn before_a_new_drop(&self) -> Vec<Event> {
        let path = self.dir.path().join("sentinel");
        fs::write(&path, "sentinel").unwrap();
        fs::rename(path, self.path("sentinel.md")).unwrap();
        self.before("sentinel.md")
    }

    /// All that is still to come of what happened until now; for brisk inboxes.
    fn the_rest(&self) -> Vec<Event> {
        // A file that is not closed waits longer than any other.
        let mut open = File::create(self.path("never-closed.md")).unwrap();
        io::Write::write_all(&mut open, b"x").unwrap();
        self.before("never-closed.md")
    }

    fn before(&self, sentinel: &str) -> Vec<Event> {
        let mut events = self.until(|event| names(event).contains(&sentinel));
        for event in &mut events {
            if let InboxEvent::Seen(files) = event {
                files.retain(|file| file.name != sentinel);
            }
        }
        events.retain(|event| *event != InboxEvent::Seen(Vec::new()));
        events
    }
}

fn deaf() -> Connect {
    Box::new(|_, _| Ok(Watch::deaf()))
}

/// The content is the text; a number at its start is when it was created.
fn parse(bytes: &[u8], facts: &FileFacts<'_>) -> Parsed<String> {
    let content = String::from_utf8_lossy(bytes).into_owned();
    let created = content.split(' ').next().and_then(|word| word.parse().ok());
    Parsed { created: created.map_or(facts.modified, Stamp::from_micros), content }
}

fn names(event: &Event) -> Vec<&str> {
    match event {
        InboxEvent::Seen(files) => files.iter().map(|file| file.name.as_str()).collect(),
        InboxEvent::Gone(_)
        | InboxEvent::Symlink(_)
        | InboxEvent::Unreadable { .. }
        | InboxEvent::Controls
        | InboxEvent::ScanDone { .. }
        | InboxEvent::Degraded(_)
        | InboxEvent::Restored
        | InboxEvent::DirectoryLost
        | InboxEvent::DirectoryBack => Vec::new(),
    }
}

fn all_names(events: &[Event]) -> Vec<&str> {
    events.iter().flat_map(names).collect()
}

fn gone(name: &str) -> Event {
    InboxEvent::Gone(vec![name.to_owned()])
}
