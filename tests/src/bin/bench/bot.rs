//! A bot in a temporary hive.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hive_shared::client::{Client, Locator};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::paths::Hive;
use hive_shared::response::{self, ResponseHeader};
use hive_shared::time::Stamp;
use tempfile::TempDir;

use crate::{Bench, process};

/// What does not happen in this time never will.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often a condition is looked at: what is measured by looking is no finer than this.
const LOOK: Duration = Duration::from_millis(1);

/// The programs that are measured, and this one.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// The daemon.
    pub(crate) agent: PathBuf,
    /// The control.
    pub(crate) hivectl: PathBuf,
    /// This program.
    pub(crate) own: PathBuf,
}

impl Programs {
    /// Those in the directory that this program is in.
    pub(crate) fn beside_this() -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("this program does not know where it is")?;
        let find = |name: &str| {
            let path = own.with_file_name(name);
            if path.is_file() {
                return Ok(path);
            }
            bail!("{} is not there; build it with 'cargo build --release --workspace'", path.display())
        };
        Ok(Self { agent: find("hive-agent")?, hivectl: find("hivectl")?, own: own.clone() })
    }
}

/// A temporary hive with one bot, up or not. Removed when dropped.
pub(crate) struct Nest {
    dir: TempDir,
    /// The hive.
    pub(crate) hive: Hive,
    /// Its bot.
    pub(crate) bot: BotId,
    programs: Programs,
}

impl Nest {
    /// A hive whose bot has these lines of settings.
    pub(crate) fn new(bench: &Bench, settings: &str) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("hive-bench-").tempdir_in(&bench.dir)?;
        let hive = Hive::at(dir.path());
        let bot = BotId::parse("BOT-001")?;
        hive.create(Some(&bot))?;
        fs::write(hive.settings(), format!("[bots.{bot}]\n{settings}\n"))?;
        Ok(Self { dir, hive, bot, programs: bench.programs.clone() })
    }

    /// Drops a task file in one step, and tells when.
    pub(crate) fn drop_task(&self, id: &ItemId, text: &str) -> anyhow::Result<Stamp> {
        let tasks = self.hive.tasks(&self.bot);
        let half = tasks.join(format!(".{id}.tmp"));
        fs::write(&half, text)?;
        let at = Stamp::now();
        fs::rename(half, tasks.join(format!("{id}.md")))?;
        Ok(at)
    }

    /// Drops so many small tasks.
    pub(crate) fn drop_tasks(&self, n: usize) -> anyhow::Result<()> {
        (1..=n).try_for_each(|i| {
            let id = ItemId::parse(&format!("TASK-{i:05}"))?;
            self.drop_task(&id, &format!("# Task {i}\n\nSay that task {i} is done.\n")).map(drop)
        })
    }

    /// Pauses the bot, up or not.
    pub(crate) fn pause(&self) -> anyhow::Result<()> {
        Ok(fs::write(self.hive.pause_file(&self.bot), "")?)
    }

    /// How many responses there are.
    pub(crate) fn responses(&self) -> anyhow::Result<usize> {
        let names = fs::read_dir(self.hive.responses())?.map(|entry| Ok(entry?.file_name()));
        let names = names.collect::<std::io::Result<Vec<_>>>()?;
        Ok(names.iter().filter(|name| name.as_encoded_bytes().ends_with(b"-response.md")).count())
    }

    /// The response to a task, as soon as it is there.
    pub(crate) async fn response(&self, id: &ItemId) -> anyhow::Result<(ResponseHeader, String)> {
        let path = self.hive.responses().join(Hive::response_name(id));
        until(&format!("the response of {id}"), async || Ok(path.exists())).await?;
        let document = fs::read_to_string(path)?;
        let (header, text) = response::read(&document)?;
        if !header.success {
            bail!("{id} did not complete: {}", header.error.unwrap_or_default());
        }
        Ok((header, text.to_owned()))
    }

    /// A command of hivectl on this hive.
    pub(crate) fn hivectl(&self, arguments: &[&str]) -> Command {
        let mut command = self.clean(&self.programs.hivectl);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Starts the bot, and waits until it can be talked to.
    pub(crate) async fn start(&self) -> anyhow::Result<Agent> {
        self.start_bot(&self.bot).await
    }

    /// Starts another bot of the hive, which runs with the usual settings.
    pub(crate) async fn start_bot(&self, bot: &BotId) -> anyhow::Result<Agent> {
        let log = self.dir.path().join("stderr");
        let stderr = File::options().create(true).append(true).open(&log)?;
        let mut command = self.clean(&self.programs.agent);
        command.arg(bot.as_str()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let began = Instant::now();
        let mut child = Process(command.spawn().context("hive-agent cannot be started")?);
        let (locator, record) = (Locator::hive(self.hive.clone()), self.hive.bot_record(bot));
        loop {
            if record.exists()
                && let Ok(client) = Client::open(&locator, bot).await
            {
                return Ok(Agent { child, client, ready_after: began.elapsed() });
            }
            let ended = child.0.try_wait()?;
            if ended.is_some() || began.elapsed() > PATIENCE {
                let said = fs::read_to_string(&log).unwrap_or_default();
                bail!("hive-agent does not come up ({ended:?}): {said}");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A command that knows of this hive and of no other.
    fn clean(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"HIVE_") {
                command.env_remove(name);
            }
        }
        command.env("HIVE_DIR", self.hive.root()).current_dir(self.dir.path());
        command
    }
}

/// A bot that is up. Ended when dropped.
pub(crate) struct Agent {
    child: Process,
    /// Its API.
    pub(crate) client: Client,
    /// How long it took until its record was there and it answered.
    pub(crate) ready_after: Duration,
}

impl Agent {
    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Waits until so many tasks wait.
    pub(crate) async fn until_waiting(&self, n: usize) -> anyhow::Result<()> {
        until(&format!("{n} waiting tasks"), async || Ok(self.client.status().await?.queue.p2 == n)).await
    }

    /// Stops it, and tells how long that took.
    pub(crate) fn stop(mut self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let status = process::end(&mut self.child.0, PATIENCE)?;
        if status.success() { Ok(began.elapsed()) } else { bail!("hive-agent ended with {status}") }
    }
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = process::end(&mut self.0, Duration::from_secs(5));
        }
    }
}

/// Waits until something is so.
pub(crate) async fn until(
    what: &str,
    mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    while !is_so().await? {
        if began.elapsed() > PATIENCE {
            bail!("waited in vain for {what}");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// The settings of a bot that runs this command for each item.
pub(crate) fn exec(command: &[&str]) -> String {
    // What Rust quotes this way, TOML reads.
    format!("adapter = \"exec\"\ncommand = {command:?}")
}

/// The settings of a bot that says everything back at once.
pub(crate) const ECHO: &str = "adapter = \"echo\"\necho.delay_ms = 0";
