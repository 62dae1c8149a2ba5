//! `--demo`: what this is, in about ten seconds, with the real daemon in a temporary hive.
//!
//! Every claim that it prints is checked; a demonstration that did not come out as it says ends with an error.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use hive_shared::api::{Entry, StopRequest, TimelineQuery};
use hive_shared::chat::{Channel, Prompt, TurnEvent};
use hive_shared::client::{Chat, ChatEvent, Client, Followed, Follower, Locator};
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::response;
use hive_shared::time::{Stamp, show_duration};
use hive_shared::work::{Kind, Source, Status, WhenBusy};
use tokio::process::{Child, Command};

const BOT: &str = "BOT-002";
const SETTINGS: &str = "\
[bots.BOT-002]
adapter = \"echo\"
chat_linger = 0.5

[bots.BOT-002.echo]
delay_ms = 70
";
/// When the person speaks: this long into the long task.
const SPEAKS_AFTER: Duration = Duration::from_millis(1_800);
/// When the demonstration gives up on what should have come.
const PATIENCE: Duration = Duration::from_mins(1);

const HOTFIX: &str = "\
# HOTFIX-003: the login page answers 500

**Priority:** P0
**From:** dana

The session cookie is read before it is set. Mend it first.
";
const REFACTOR: &str = "\
# REFACTOR-001: one parser instead of three

**Priority:** P1
**From:** scrum-master

There are three parsers of the same header in this code base, each with its own idea of white space. Keep the strict
one, move it to a module of its own, let the others call it, and write down in one table what each caller relied on,
so that the next reader need not find out by trial what we found out by trial.
";
const NOTES: &str = "\
# NOTES-002: release notes

**Priority:** P3

Collect what changed since the last tag.
";
const QUESTION: &str = "Is it safe to show the login page to the board in five minutes?";

/// Runs the demonstration.
pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let directory = tempfile::Builder::new().prefix("hive-demo-").tempdir()?;
        let shown = tokio::select! {
            shown = tokio::time::timeout(PATIENCE, show(directory.path())) => shown,
            _ = tokio::signal::ctrl_c() => bail!("ended by the user; nothing is left behind"),
        };
        shown.context("the demonstration took too long")??;
        directory.close().context("the temporary hive could not be removed")
    })
}

async fn show(directory: &Path) -> anyhow::Result<()> {
    let stage = Stage { started: Instant::now() };
    let hive = Hive::at(directory);
    let bot = BotId::parse(BOT)?;
    hive.create(Some(&bot))?;
    std::fs::write(hive.settings(), SETTINGS)?;
    for (name, text) in [("NOTES-002.md", NOTES), ("REFACTOR-001.md", REFACTOR), ("HOTFIX-003.md", HOTFIX)] {
        std::fs::write(hive.tasks(&bot).join(name), text)?;
    }
    say(
        "A hive in a temporary directory, one bot with the built-in `echo` adapter, three task files in its queue.",
    )?;
    say("")?;

    let mut daemon = start(directory)?;
    let client = connect(&hive, &bot, &mut daemon).await?;
    let watched = Box::pin(watch(&stage, &client)).await;
    let timeline = client.timeline(&TimelineQuery { limit: Some(1_000), ..TimelineQuery::default() }).await;
    client.stop(&StopRequest::default()).await?;
    let status = daemon.wait().await?;
    watched?;
    ensure!(status.success(), "the daemon ended with {status}");

    show_timeline(&timeline?.entries)?;
    check_response(&hive)?;
    say("The daemon has stopped, and the temporary hive is removed.")
}

/// Starts this very program as the daemon, free of the settings around it.
fn start(directory: &Path) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HIVE_") {
            command.env_remove(name);
        }
    }
    command.args([BOT, "--quiet", "--hive"]).arg(directory);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command.spawn().context("the daemon could not be started")
}

/// Waits until the daemon answers.
async fn connect(hive: &Hive, bot: &BotId, daemon: &mut Child) -> anyhow::Result<Client> {
    let locator = Locator::hive(hive.clone());
    loop {
        if let Some(status) = daemon.try_wait()? {
            bail!("the daemon ended with {status} before it was ready");
        }
        match Client::open(&locator, bot).await {
            Ok(client) => return Ok(client),
            Err(error) if error.is_down() => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Shows what happens until all three tasks have ended; in the middle of the long one a person speaks.
async fn watch(stage: &Stage, client: &Client) -> anyhow::Result<()> {
    let mut follower = Follower::new(client.clone(), None);
    let mut tasks = Tasks::default();
    let (start, started) = tokio::sync::oneshot::channel();
    let mut start = Some(start);
    let person = async {
        started.await.context("the long task never started")?;
        tokio::time::sleep(SPEAKS_AFTER).await;
        speak(stage, client).await
    };
    let bot = async {
        while tasks.ended() < 3 {
            let Followed::Entry(entry) = follower.next().await? else { continue };
            let Some(change) = tasks.change(&entry) else { continue };
            stage.task(&entry, change)?;
            if entry.entry_id == "REFACTOR-001"
                && entry.status == Status::Running
                && let Some(start) = start.take()
            {
                // The person waits for this until the end.
                let _ = start.send(());
            }
        }
        anyhow::Ok(())
    };
    tokio::try_join!(person, bot)?;
    say("")
}

/// How the tasks stand, as far as it was shown.
#[derive(Default)]
struct Tasks {
    statuses: BTreeMap<String, Status>,
}

/// What is new about a task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Status,
    Resumed,
}

impl Tasks {
    fn change(&mut self, entry: &Entry) -> Option<Change> {
        if entry.kind != Kind::Task {
            return None;
        }
        match self.statuses.insert(entry.entry_id.clone(), entry.status) {
            Some(before) if before == entry.status => None,
            Some(Status::Suspended) if entry.status == Status::Running => Some(Change::Resumed),
            Some(_) | None => Some(Change::Status),
        }
    }

    fn ended(&self) -> usize {
        self.statuses.values().filter(|status| status.is_final()).count()
    }
}

/// A person asks something in the middle of the long task, and is answered at once.
async fn speak(stage: &Stage, client: &Client) -> anyhow::Result<()> {
    stage.line(Source::Chat, "dana", QUESTION)?;
    let mut chat = Chat::new(client.clone());
    let asked = Instant::now();
    chat.prompt(Prompt {
        message: QUESTION.to_owned(),
        user: "dana".to_owned(),
        id: None,
        session: None,
        when_busy: WhenBusy::Auto,
        timeout_seconds: None,
    })
    .await;
    let mut answer = String::new();
    let mut first_word = None;
    loop {
        let frame = match chat.next().await? {
            ChatEvent::Frame(frame) => frame,
            ChatEvent::Refused { message, .. } => bail!("the prompt was refused: {message}"),
            ChatEvent::Connected(_) | ChatEvent::Disconnected(_) => continue,
        };
        match frame.event {
            TurnEvent::ResponseChunk { content, channel: Channel::Text } => {
                first_word.get_or_insert_with(|| asked.elapsed());
                answer.push_str(&content);
            }
            TurnEvent::Notice { message, .. } => stage.line(Source::Chat, BOT, &format!("({message})"))?,
            TurnEvent::ResponseComplete { status, .. } => {
                ensure!(status == Status::Completed, "the answer ended {status}");
                break;
            }
            _ => {}
        }
    }
    chat.close().await;
    ensure!(answer == QUESTION, "the answer was not what echo says");
    let first_word = first_word.context("the answer was empty")?;
    stage.line(Source::Chat, BOT, &format!("{answer}   (first word after {})", show_duration(first_word)))
}

/// The suspended task's output is whole, and each part is there once.
fn check_response(hive: &Hive) -> anyhow::Result<()> {
    let document = std::fs::read_to_string(hive.responses().join("REFACTOR-001-response.md"))?;
    let (header, text) = response::read(&document)?;
    let body = REFACTOR.split_once("scrum-master\n").map_or("", |(_, body)| body);
    ensure!(text.ends_with(body), "the response of the suspended task is not whole:\n{text}");
    ensure!(
        header.status == Status::Completed && header.preemptions == 1,
        "it was not suspended once and completed"
    );
    let words = body.split_whitespace().count();
    say(&format!(
        "REFACTOR-001 was suspended once and resumed where it was: all its {words} words are in its response, each once."
    ))
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

fn show_timeline(entries: &[Entry]) -> anyhow::Result<()> {
    say("The timeline, file and chat in one view:")?;
    for entry in entries {
        let stamp: Stamp = entry.timestamp;
        let who = match entry.kind {
            Kind::Task => entry.entry_id.as_str(),
            Kind::Prompt | Kind::Reply => entry.sender.as_deref().unwrap_or(""),
            Kind::Control => entry.task_id.as_ref().map_or(BOT, hive_shared::ids::ItemId::as_str),
        };
        let what = match entry.kind {
            Kind::Task | Kind::Control => entry.title.as_deref().unwrap_or(""),
            Kind::Prompt | Kind::Reply => entry.content.as_str(),
        };
        let took =
            entry.duration_seconds.map(|secs| format!(", {}", show_duration(Duration::from_secs_f64(secs))));
        let preempted = entry.preemptions.filter(|n| *n > 0).map(|n| format!(", preempted {n}×"));
        let how = match entry.kind {
            Kind::Control => entry.content.clone(),
            Kind::Task | Kind::Prompt | Kind::Reply => {
                format!("{}{}{}", entry.status, took.unwrap_or_default(), preempted.unwrap_or_default())
            }
        };
        let time = stamp.timestamp().strftime("%H:%M:%S%.3f");
        let kind = entry.kind;
        writeln!(io::stdout(), "  {time}  {:<7}  {kind:<7}  {who:<12}  {what}  [{how}]", entry.source)?;
    }
    say("")
}

/// Where it is shown.
struct Stage {
    started: Instant,
}

impl Stage {
    fn line(&self, source: Source, who: &str, what: &str) -> anyhow::Result<()> {
        let at = self.started.elapsed().as_secs_f64();
        Ok(writeln!(io::stdout(), "{at:5.1} s  {source:<7}  {who:<12}  {what}")?)
    }

    fn task(&self, entry: &Entry, change: Change) -> anyhow::Result<()> {
        let priority = entry.priority.unwrap_or_default();
        let what = match entry.status {
            Status::Running if change == Change::Resumed => "resumes where it was".to_owned(),
            Status::Suspended => "gives way: suspended, with its output so far".to_owned(),
            status => format!("{status} ({priority}, {})", entry.title.as_deref().unwrap_or("")),
        };
        self.line(Source::File, &entry.entry_id, &what)
    }
}
