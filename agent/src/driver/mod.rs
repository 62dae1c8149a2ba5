//! The driver: the one place that has the clock, and the only one that changes state.
//!
//! A thread of its own takes what comes in (files, requests, reports of runs), asks the coordinator, writes what
//! follows to the store, commits, and only then lets it be seen: runs start, frames go out, requests are answered.
//! The text that an agent streams does not pass through here.
//!
//! - `message`: what comes in; from the inbox (`files`, `known_files`, `earlier`), from runs (`reports`, `keep`,
//!   `approvals`), from people (`requests`, `chats`, `conversation`), from the outbox (`disk`)
//! - `perform`, `ends`: what the coordinator says, done
//! - `records`: how items, entries and the status look that say so
//! - `effects`: what follows once it is committed
//! - `recover`, `rebuild`: where the last life left off, also without its ledger

mod approvals;
mod chats;
mod conversation;
mod disk;
mod earlier;
mod effects;
mod ends;
mod files;
mod held;
mod keep;
mod known_files;
mod message;
mod perform;
mod rebuild;
mod records;
mod recover;
mod reports;
mod requests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Instant;

use hive_shared::api::Counts;
use hive_shared::chat::TurnEvent;
use hive_shared::ids::{BotId, ItemId};
use hive_shared::paths::Hive;
use hive_shared::settings::BotSettings;
use hive_shared::time::Stamp;
use hive_shared::work::{Source, Status};
use jiff::tz::TimeZone;

use crate::adapter::process::Mark;
use crate::adapter::{Adapter, Outcome, Question};
use crate::approval::{Desk, Lookout, Policy};
use crate::changes::{Changes, Tracker, Watched};
use crate::controls::PauseFile;
use crate::coordinator::{Coordinator, Event, Moment, Reply, RunId};
use crate::file_id::Fingerprint;
use crate::home::Home;
use crate::hub::Hub;
use crate::ledger::Loss;
use crate::outbox::{Job, Outbox};
use crate::request::Connection;
use crate::store::{Store, StoreError};
use crate::turn::{Position, Turn};
use effects::Effect;
use known_files::KnownFiles;
pub use message::Message;

/// How many messages are handled in one transaction.
const MESSAGES_A_COMMIT: usize = 128;
/// Of how many endings the health tells.
const RECENT_ENDINGS: usize = 20;

/// Who the driver works for.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The hive.
    pub hive: Hive,
    /// The bot.
    pub bot: BotId,
    /// The bots of the hive.
    pub bots: Vec<BotId>,
    /// The machine's zone.
    pub zone: TimeZone,
    /// Where the adapter works.
    pub workdir: PathBuf,
    /// How the processes of its runs are known.
    pub mark: Mark,
}

/// The driver of one bot.
pub struct Driver {
    identity: Identity,
    home: Home,
    settings: BotSettings,
    core: Coordinator,
    store: Store,
    hub: Arc<Hub>,
    outbox: Option<Outbox>,
    adapter: Adapter,
    policy: Arc<Policy>,
    lookout: Lookout,
    desk: Desk,
    tracker: Arc<Tracker>,
    runtime: tokio::runtime::Handle,
    mail: Sender<Message>,
    started: Instant,

    runs: HashMap<RunId, LiveRun>,
    outcomes: HashMap<RunId, Outcome>,
    changes: HashMap<RunId, Changes>,
    files: KnownFiles,
    attached: HashMap<ItemId, HashSet<Connection>>,
    /// Who is to be told of an end, and what, once the outbox has brought it to rest.
    unpublished: HashMap<i64, Vec<(Arc<Turn>, TurnEvent)>>,
    user_pause: Option<PauseFile>,
    first_scan: FirstScan,
    /// Why no task can be found, while that is so.
    directory_trouble: Option<String>,

    effects: Vec<Effect>,
    jobs: Vec<Job>,
    keep_at: Option<Instant>,
    counts: Counts,
    recent_endings: VecDeque<Status>,
    last_activity: Stamp,
    halted: bool,
}

/// A run that has not ended.
struct LiveRun {
    arrival: i64,
    /// The title of its item.
    title: String,
    /// When it began, in this life of the bot.
    started_at: Stamp,
    source: Source,
    /// The conversation that it is part of.
    session: String,
    turn: Arc<Turn>,
    /// When it was prompted, if it was.
    prompted_at: Option<Stamp>,
    run: Option<Watched>,
    /// Up to where its text is kept.
    kept: Position,
    /// The time that it has used, as last kept, and when it had given a sign of life by then.
    used: (std::time::Duration, Stamp),
    /// Which of its steps are on the timeline.
    steps_version: u64,
    /// Why it does not begin, while it does not.
    held_up: Option<String>,
    /// Whether it was asked to yield or to end.
    gives_way: bool,
    /// What it asks, while it is not known whether that is on the list of what needs no question.
    undecided: VecDeque<Arc<Question>>,
    /// How many of its questions were not allowed at once.
    questions: usize,
}

/// Whether files may turn out to be answered by an earlier hive.
enum FirstScan {
    /// The ledger is new: these names have responses.
    Answered(HashMap<String, earlier::EarlierEnd>),
    /// The ledger knows what it has seen.
    Done,
}

/// What a driver is made of.
pub struct Parts {
    /// Who it works for.
    pub identity: Identity,
    /// The settings in force.
    pub settings: BotSettings,
    /// The ledger.
    pub store: Store,
    /// What others see.
    pub hub: Arc<Hub>,
    /// Where ends are made durable.
    pub outbox: Outbox,
    /// What does the work.
    pub adapter: Adapter,
    /// What an agent may do unasked.
    pub policy: Policy,
    /// Where runs live.
    pub runtime: tokio::runtime::Handle,
    /// For runs to report to this driver.
    pub mail: Sender<Message>,
    /// What became of the last ledger, if it was damaged, or why this one does not know all.
    pub damage: Option<Loss>,
}

impl Driver {
    /// Takes up the work where the last life of the bot left it. Returns the files that are known, for the inbox.
    pub fn begin(parts: Parts) -> Result<(Self, HashMap<String, Fingerprint>), StoreError> {
        let Parts { identity, settings, store, hub, outbox, adapter, policy, runtime, mail, damage } = parts;
        let counts = store.counts()?;
        let recent_endings = store.last_endings(RECENT_ENDINGS)?.into_iter().rev().collect();
        let Identity { hive, bot, workdir, .. } = &identity;
        let tracker = Tracker::new(hive, bot, workdir, settings.track_changes);
        tracker.warm_up(&runtime);
        let policy = Arc::new(policy);
        let lookout = {
            let (policy, workdir) = (Arc::clone(&policy), workdir.clone());
            Lookout::new(move |question, is_awaited| policy.is_listed(question, &workdir, is_awaited))
        };
        let mut driver = Self {
            core: Coordinator::new(records::rules(&settings)),
            home: Home::of(&identity.hive),
            identity,
            settings,
            store,
            hub,
            outbox: Some(outbox),
            adapter,
            policy,
            lookout,
            desk: Desk::default(),
            tracker,
            runtime,
            mail,
            started: Instant::now(),
            runs: HashMap::new(),
            outcomes: HashMap::new(),
            changes: HashMap::new(),
            files: KnownFiles::default(),
            attached: HashMap::new(),
            unpublished: HashMap::new(),
            user_pause: None,
            first_scan: FirstScan::Done,
            directory_trouble: None,
            effects: Vec::new(),
            jobs: Vec::new(),
            keep_at: None,
            counts,
            recent_endings,
            last_activity: Stamp::now(),
            halted: false,
        };
        driver.recover(damage)?;
        driver.flush()?;
        let known = driver.files.fingerprints();
        Ok((driver, known))
    }

    /// Works until the bot halts.
    pub fn run(mut self, mail: &Receiver<Message>) -> Result<(), StoreError> {
        while !self.halted {
            match self.receive(mail) {
                Ok(first) => {
                    self.take(first)?;
                    for message in mail.try_iter().take(MESSAGES_A_COMMIT) {
                        self.take(message)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.feed(Event::Tick)?;
            self.expire_approvals()?;
            self.keep_what_was_said()?;
            self.flush()?;
        }
        self.control_entry("stopped", "", None)?;
        self.flush()?;
        if let Some(outbox) = self.outbox.take() {
            outbox.close();
        }
        // The outbox's last words.
        for message in mail.try_iter() {
            if let Message::Outbox(note) = message {
                self.outbox_note(note)?;
            }
        }
        self.flush()
    }

    fn receive(&mut self, mail: &Receiver<Message>) -> Result<Message, RecvTimeoutError> {
        let instant = |at: Moment| self.started.checked_add(at.since_start() + self.store.waited());
        let core = self.core.next_deadline().and_then(instant);
        let desk = self.desk.next_deadline().and_then(instant);
        match [core, desk, self.keep_at].into_iter().flatten().min() {
            None => mail.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => mail.recv_timeout(at.saturating_duration_since(Instant::now())),
        }
    }

    fn take(&mut self, message: Message) -> Result<(), StoreError> {
        match message {
            Message::Inbox(event, _taken) => self.inbox_event(event),
            Message::Run(run, report) => self.run_reports(run, report),
            Message::Changed(run, changes) => {
                self.changes.insert(run, changes);
                Ok(())
            }
            Message::Spoke(run) => {
                if let Some(prompted_at) = self.runs.get(&run).and_then(|live| live.prompted_at) {
                    self.hub.tally().first_words.observe(Stamp::now().since(prompted_at));
                }
                self.feed(Event::RunSpoke(run)).map(|_| ())
            }
            Message::Stepped(run) => self.show_steps_of(run),
            Message::Looked { run, key, is_listed } => self.looked(run, key, is_listed),
            Message::Request(request) => self.request(request),
            Message::Outbox(note) => self.outbox_note(note),
            Message::Damaged(StoreError::Gone) => self.put_ledger_back(),
            Message::Damaged(error) => Err(error),
            Message::Terminate => self.feed(Event::Stop { drain: false }).map(|_| ()),
        }
    }

    /// Lets the coordinator decide, and does what it says. Returns its answer, if the event was a request.
    fn feed(&mut self, event: Event) -> Result<Option<Reply>, StoreError> {
        let mut events = VecDeque::from([event]);
        let mut reply = None;
        while let Some(event) = events.pop_front() {
            for action in self.core.handle(self.now(), event) {
                match self.perform(action)? {
                    perform::Performed::Done => {}
                    perform::Performed::Reply(answer) => reply = Some(answer),
                    perform::Performed::Follow(event) => events.push_back(event),
                }
            }
        }
        Ok(reply)
    }

    /// The time in which this driver could act: while it waited for the disk nothing began or was heard of, and what
    /// was to begin then uses none of its time.
    fn now(&self) -> Moment {
        Moment::from_start(self.started.elapsed().saturating_sub(self.store.waited()))
    }
}
