//! One life of a bot: everything is wired here, and comes to rest in the reverse order.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, bail};
use hive_shared::api::{BotRecord, PROTOCOL};
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::settings::{AdapterFamily, BotSettings, OnPreempt};
use hive_shared::time::Stamp;
use hive_shared::work::Mode;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::unwritable;
use crate::adapter::acp::{self, Acp};
use crate::adapter::echo::Echo;
use crate::adapter::exec::{self, Exec};
use crate::adapter::openai::OpenAi;
use crate::adapter::{Adapter, process};
use crate::approval::Policy;
use crate::atomic_file;
use crate::disk_state::DiskState;
use crate::driver::{Driver, Identity, Message, Parts};
use crate::file_id::Fingerprint;
use crate::http::{self, Door, Service, Tls};
use crate::hub::Hub;
use crate::inbox::documents::reader;
use crate::inbox::{self, Flow, InboxConfig};
use crate::ledger::{self, Loss, Opened};
use crate::open_files;
use crate::outbox::Outbox;
use crate::presence::Presence;
use crate::signals::Signals;
use crate::store::{self, StoreError};
use crate::token::TokenFile;
use crate::witness::Witness;

/// How long connections may take to end when the bot stops.
const FAREWELL: Duration = Duration::from_secs(1);
/// How many requests read the database at a time; and how many followers, who are a crowd when they are many.
const READERS: usize = 4;
const READERS_FOR_LAGGARDS: usize = 2;
/// Between two tries to tell who runs while the disk does not even take that.
const TROUBLE_LOOK: Duration = Duration::from_millis(200);

/// A bot that may start.
pub(super) struct Bot {
    pub(super) hive: Hive,
    pub(super) id: BotId,
    pub(super) settings: BotSettings,
    pub(super) policy: Policy,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) signals: Signals,
    pub(super) known_bots: Vec<BotId>,
}

impl Bot {
    /// One life: until the bot stops, or cannot go on. `damage` says what became of the ledger of the last one.
    pub(super) fn live(&self, damage: Option<Loss>) -> anyhow::Result<()> {
        open_files::allow_many();
        // What a life before this one may have lost.
        self.hive.create(Some(&self.id)).with_context(|| unwritable(&self.hive))?;
        process::become_subreaper().context("this process cannot adopt the descendants of its agents")?;
        let workdir = self.settings.workdir.clone().unwrap_or_else(|| self.hive.root().to_owned());
        let token = TokenFile::open(&self.hive, &self.id)?;
        // One would do more in a second, for two wake each other for every event of a run; but starting a process waits
        // for what its directory is on, and then there is one left to answer.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(self.settings.listen));
        let listener = listener.with_context(|| format!("{} cannot be listened at", self.settings.listen))?;
        let address = listener.local_addr()?;

        let (mail, inbound) = channel();
        self.signals.tell(mail.clone());
        let stopping = self.signals.stopping();
        let database = self.hive.database(&self.id);
        let disk = DiskState::default();
        let Opened { store, witness, lacks } = ledger::open(&self.hive, &self.id, &stopping, &disk)?;
        let epoch = store.epoch().to_owned();
        let log = store.log_path();
        let hub = Hub::new(store.seq(), disk);
        let outbox = self.start_outbox(&hub, [&log, &database], witness, mail.clone())?;
        let mark = process::Mark::of(&self.hive, &self.id).context("the hive cannot be looked at")?;
        let adapter = self.adapter(&workdir, &mark)?;
        let adapter_name = adapter.name();
        let closing = CancellationToken::new();
        let service = Arc::new(Service {
            hive: self.hive.clone(),
            bot: self.id.clone(),
            mode: self.settings.mode,
            adapter: adapter_name,
            epoch,
            door: self.door(token, address),
            hub: Arc::clone(&hub),
            driver: mail.clone(),
            requests: http::Readers::new(database.clone(), READERS),
            laggards: http::Readers::new(database.clone(), READERS_FOR_LAGGARDS),
            database,
            signals: self.signals.clone(),
            closing: closing.clone(),
            connections: http::Connections::allowed(),
            refusals: Mutex::default(),
            last_connection: AtomicU64::new(0),
        });
        let presence = Presence::new(self.hive.clone(), self.record(address, adapter_name));
        let begun = CancellationToken::new();
        let server = runtime.spawn(serve(listener, self.tls.clone(), Arc::clone(&service), begun.clone()));
        runtime.spawn(announce_in_trouble(presence.clone(), Arc::clone(&hub), begun.clone()));
        let beginning = Driver::begin(Parts {
            identity: self.identity(workdir, mark),
            settings: self.settings.clone(),
            store,
            hub: Arc::clone(&hub),
            outbox,
            adapter: adapter.clone(),
            policy: self.policy.clone(),
            runtime: runtime.handle().clone(),
            mail: mail.clone(),
            damage: damage.or_else(|| lacks.map(|what| Loss { what, prompts: Vec::new() })),
        });
        let (driver, known) = match beginning {
            Ok(begun) => begun,
            Err(error) => {
                presence.withdraw();
                return unless_given_up(Err(error.into()));
            }
        };
        let inbox = self.start_inbox(known, mail.clone())?;
        begun.cancel();
        runtime.spawn(process::reap_orphans());
        let (hive, bot) = (self.hive.clone(), self.id.clone());
        runtime.spawn_blocking(move || atomic_file::sweep(&hive, &bot));
        presence.announce().with_context(|| {
            format!("the record {} cannot be written", self.hive.bot_record(&self.id).display())
        })?;
        runtime.spawn(presence.clone().keep(service, mail.clone()));
        let record = presence.record();
        tracing::info!(url = record.url, adapter = adapter_name, mode = %record.mode, pid = record.pid, "ready");

        adapter.warm_up(runtime.handle());
        let result = drive(driver, inbound);
        runtime.block_on(adapter.close());
        inbox.stop();
        closing.cancel();
        runtime.block_on(async { drop(tokio::time::timeout(FAREWELL, server).await) });
        runtime.shutdown_timeout(FAREWELL);
        if result.is_ok()
            && let Err(error) = store::tidy(&self.hive.database(&self.id))
        {
            tracing::warn!(error = %error, "the database is left in two files");
        }
        presence.withdraw();
        unless_given_up(result)?;
        tracing::info!("stopped");
        Ok(())
    }

    /// `files` are the write-ahead log and the database.
    fn start_outbox(
        &self,
        hub: &Arc<Hub>,
        files: [&Path; 2],
        witness: Witness,
        mail: Sender<Message>,
    ) -> io::Result<Outbox> {
        let [log, database] = files;
        // The driver outlives the outbox but for its last words.
        let tell = move |note| drop(mail.send(Message::Outbox(note)));
        Outbox::start(self.hive.clone(), self.id.clone(), Arc::clone(hub), log, database, witness, tell)
    }

    fn adapter(&self, workdir: &Path, mark: &process::Mark) -> anyhow::Result<Adapter> {
        let settings = &self.settings;
        let on_preempt = match settings.on_preempt {
            OnPreempt::Suspend => exec::OnPreempt::Suspend,
            OnPreempt::Restart => exec::OnPreempt::Restart,
        };
        Ok(match settings.adapter.family() {
            AdapterFamily::Echo => {
                if !settings.adapter_configured {
                    tracing::warn!(
                        "no adapter is configured: using echo, which only says back what it is told; see hive.toml"
                    );
                }
                Adapter::Echo(Echo { delay: Duration::from_millis(settings.echo.delay_ms) })
            }
            AdapterFamily::Exec => Adapter::Exec(Exec {
                command: settings.command.clone(),
                env: settings.env.clone(),
                on_preempt,
            }),
            AdapterFamily::Acp => {
                let preset = settings.adapter.preset();
                let is_presets = preset.is_some_and(|preset| settings.acp_mode.as_deref() == preset.acp_mode);
                Adapter::Acp(Acp::new(acp::Config {
                    name: settings.adapter.as_str(),
                    command: settings.command.clone(),
                    install: preset.map(|preset| preset.install),
                    env: settings.env.clone(),
                    bot: self.id.clone(),
                    workdir: workdir.to_owned(),
                    mark: mark.run_id(acp::RUN_NAME),
                    mode: settings.acp_mode.clone().map(|id| acp::Mode { id, is_wanted: !is_presets }),
                    on_preempt,
                    warm: settings.warm,
                    bodies: TaskTracker::new(),
                }))
            }
            AdapterFamily::OpenAi => {
                Adapter::OpenAi(Arc::new(OpenAi::new(settings.openai.clone(), settings.on_preempt)?))
            }
        })
    }

    fn identity(&self, workdir: std::path::PathBuf, mark: process::Mark) -> Identity {
        Identity {
            hive: self.hive.clone(),
            bot: self.id.clone(),
            bots: self.bots(),
            zone: TimeZone::system(),
            workdir,
            mark,
        }
    }

    /// The bots of the hive: those with settings, and those with a task directory.
    fn bots(&self) -> Vec<BotId> {
        let mut bots = self.known_bots.clone();
        if let Ok(entries) = std::fs::read_dir(self.hive.all_tasks()) {
            let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
            bots.extend(names.filter_map(|name| BotId::parse(&name).ok()));
        }
        bots.push(self.id.clone());
        bots.sort_unstable();
        bots.dedup();
        bots
    }

    fn start_inbox(
        &self,
        known: std::collections::HashMap<String, Fingerprint>,
        mail: Sender<Message>,
    ) -> anyhow::Result<inbox::Inbox> {
        let reads_tasks = self.settings.mode != Mode::CommanderOnly;
        let config = InboxConfig {
            tasks_dir: reads_tasks.then(|| self.hive.tasks(&self.id)),
            controls_dir: self.hive.controls(),
            bot: self.id.clone(),
            known,
        };
        let parse = reader(self.id.clone(), self.bots(), TimeZone::system());
        let events = move |event| {
            // The driver drops its end when the event is taken in: until then the inbox waits.
            let (taken, is_taken) = sync_channel(0);
            if mail.send(Message::Inbox(event, taken)).is_err() {
                return Flow::Stop;
            }
            let _ = is_taken.recv();
            Flow::Continue
        };
        inbox::start(config, parse, events).context("the task directory cannot be watched")
    }

    fn door(&self, token: TokenFile, address: SocketAddr) -> Door {
        Door::new(token, address, self.settings.allowed_hosts.clone(), self.settings.allowed_origins.clone())
    }

    fn record(&self, address: SocketAddr, adapter: &str) -> BotRecord {
        BotRecord {
            bot_id: self.id.clone(),
            url: format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, reachable(address)),
            certificate: self.settings.tls_cert.clone().filter(|_| self.tls.is_some()),
            host: host_name(),
            pid: std::process::id(),
            mode: self.settings.mode,
            adapter: adapter.to_owned(),
            started_at: Stamp::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
        }
    }
}

/// Serves from the bot's beginning on; or from when the disk keeps it from that, for then there is that to tell.
async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    service: Arc<Service>,
    begun: CancellationToken,
) {
    until_begun_or_in_trouble(&service.hub, &begun).await;
    http::serve(listener, tls, service).await;
}

/// Tells who runs before the bot has begun, if the disk keeps it from that: its status says so.
async fn announce_in_trouble(presence: Presence, hub: Arc<Hub>, begun: CancellationToken) {
    until_begun_or_in_trouble(&hub, &begun).await;
    // The disk may not even take that.
    while !begun.is_cancelled() && presence.announce().is_err() {
        tokio::time::sleep(TROUBLE_LOOK).await;
    }
}

async fn until_begun_or_in_trouble(hub: &Hub, begun: &CancellationToken) {
    tokio::select! {
        () = begun.cancelled() => {}
        _ = hub.disk().until_ledger_in_trouble() => {}
    }
}

/// A stop while the disk takes nothing is an end like others: all that is not kept is done again.
fn unless_given_up(result: anyhow::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::GivenUp(_))) => {
            tracing::error!("stopped while the disk takes nothing: what ended meanwhile will be done again");
            Ok(())
        }
        other => other.context("the bot had to give up"),
    }
}

/// Runs the driver on a thread of its own, to its end.
fn drive(driver: Driver, inbound: Receiver<Message>) -> anyhow::Result<()> {
    let thread = std::thread::Builder::new().name("driver".into()).spawn(move || driver.run(&inbound))?;
    match thread.join() {
        Ok(result) => Ok(result?),
        Err(_) => bail!("the driver panicked; this is a bug"),
    }
}

/// Where a client on this machine finds a server that listens at `address`.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

fn host_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "localhost".to_owned())
}
