//! The commands of hivectl, as a script sees them: from the start of the process to its end.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hive_shared::api::{Entry, SubmitRequest};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::work::Status;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::ChildStdout;
use tokio::time::{sleep, timeout};

use crate::Bench;
use crate::bot::{ECHO, Nest, exec, until};
use crate::clock::{self, STAMP};
use crate::report::Figure;

/// Names of figures that those of other programs stand beside.
pub(crate) const STATUS_0: &str = "hivectl status, no task waits";
pub(crate) const STATUS_1000: &str = "hivectl status, 1,000 tasks wait";
pub(crate) const WAIT: &str = "task's process ends → hivectl wait has returned";
/// The name of the figure that `status` is to be near to.
const VERSION: &str = "hivectl --version";

/// How many tasks wait in the second figure of `status`.
const MANY: usize = 1000;
/// How many bots a fleet has.
const BOTS: usize = 20;

/// Measures this section.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut figures = status(bench).await?;
    figures.push(fleet(bench).await?);
    figures.push(wait(bench).await?);
    figures.extend(follow(bench).await?);
    Ok(figures)
}

async fn status(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let nest = Nest::new(bench, ECHO)?;
    nest.pause()?;
    let agent = nest.start().await?;
    let n = bench.times(50);
    let version = walls(n, || nest.hivectl(&["--version"]))?;
    let none = walls(n, || nest.hivectl(&["status", nest.bot.as_str()]))?;
    nest.drop_tasks(MANY)?;
    agent.until_waiting(MANY).await?;
    let many = walls(n, || nest.hivectl(&["status", nest.bot.as_str()]))?;
    let submit = walls(n, || nest.hivectl(&["submit", nest.bot.as_str(), "Say something."]))?;
    let help = walls(n, || nest.hivectl(&["--help"]))?;
    let complete = walls(n, || {
        let mut command = nest.hivectl(&["--", "hivectl", "cancel", ""]);
        command.env("HIVECTL_COMPLETE", "fish");
        command
    })?;
    Ok(vec![
        Figure::times(VERSION, version),
        Figure::times("hivectl --help", help),
        Figure::times("completion of an id (Tab), 1,000 tasks wait", complete),
        Figure::times(STATUS_0, none).within(1.5, VERSION),
        Figure::times(STATUS_1000, many).within(1.5, VERSION),
        Figure::times("hivectl submit, 1,000 tasks wait", submit),
    ])
}

/// All bots of a hive at once.
async fn fleet(bench: &Bench) -> anyhow::Result<Figure> {
    let nest = Nest::new(bench, ECHO)?;
    let mut agents = vec![nest.start().await?];
    for number in 2..=BOTS {
        agents.push(nest.start_bot(&BotId::parse(&format!("BOT-{number:03}"))?).await?);
    }
    let status = walls(bench.times(50), || nest.hivectl(&["status"]))?;
    Ok(Figure::times("hivectl status, 20 bots", status).at_most(50.0))
}

/// How long a command takes, which must succeed.
pub(crate) fn walls(n: usize, command: impl Fn() -> Command) -> anyhow::Result<Vec<Duration>> {
    let mut walls = Vec::with_capacity(n);
    for _ in 0..n {
        let mut command = command();
        let began = Instant::now();
        let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
        walls.push(began.elapsed());
        if !output.status.success() {
            bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    Ok(walls)
}

/// From the last act of a task's process to the end of `hivectl wait`.
async fn wait(bench: &Bench) -> anyhow::Result<Figure> {
    // Long enough for hivectl to be waiting when it ends.
    let nest = Nest::new(bench, &exec(&[&bench.programs.own.to_string_lossy(), STAMP, "300"]))?;
    let agent = nest.start().await?;
    let mut returned = Vec::new();
    for i in 0..bench.times(30) {
        let id = ItemId::parse(&format!("WAIT-{i}"))?;
        agent.client.submit(&request(&id)).await?.into_task();
        walls(1, || nest.hivectl(&["wait", id.as_str()]))?;
        let at = hive_shared::time::Stamp::now();
        returned.push(at.since(clock::read(&nest.response(&id).await?.1)?));
    }
    Ok(Figure::times(WAIT, returned).at_most(5.0))
}

fn request(id: &ItemId) -> SubmitRequest {
    SubmitRequest { instruction: "Work.".to_owned(), id: Some(id.clone()), ..SubmitRequest::default() }
}

/// From an event to its line of `hivectl timeline -f`.
async fn follow(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let nest = Nest::new(bench, ECHO)?;
    nest.pause()?;
    let agent = nest.start().await?;
    let arguments = ["timeline", nest.bot.as_str(), "--follow", "-o", "ndjson"];
    let mut follower = tokio::process::Command::from(nest.hivectl(&arguments))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = follower.stdout.take().context("there is a pipe")?;
    let mut lines = BufReader::new(stdout).lines();
    until("a follower", async || {
        let _submitted = agent.client.submit(&request(&ItemId::parse("FIRST")?)).await?;
        Ok(timeout(Duration::from_secs(5), entry_of(&mut lines, "FIRST", Status::Queued)).await.is_ok())
    })
    .await?;

    let n = bench.times(100);
    let mut queued = Vec::new();
    for i in 0..n {
        let id = format!("QUEUED-{i}");
        let _submitted = agent.client.submit(&request(&ItemId::parse(&id)?)).await?;
        queued.push(clock::since(entry_of(&mut lines, &id, Status::Queued).await?.updated_at));
        sleep(Duration::from_millis(5)).await;
    }
    agent.client.resume().await?;
    entry_of(&mut lines, &format!("QUEUED-{}", n - 1), Status::Completed).await?;
    let mut ended = Vec::new();
    for i in 0..n {
        let id = format!("ENDED-{i}");
        let _submitted = agent.client.submit(&request(&ItemId::parse(&id)?)).await?;
        ended.push(clock::since(entry_of(&mut lines, &id, Status::Completed).await?.updated_at));
        sleep(Duration::from_millis(5)).await;
    }
    Ok(vec![
        Figure::times("task queued → line of hivectl timeline -f", queued).at_most(2.0),
        Figure::times("task ended → line of hivectl timeline -f (durable first)", ended).at_most(2.0),
    ])
}

/// The next line about an entry in that state.
async fn entry_of(
    lines: &mut Lines<BufReader<ChildStdout>>,
    id: &str,
    status: Status,
) -> anyhow::Result<Entry> {
    while let Some(line) = lines.next_line().await? {
        // Other lines are pieces of what a task says.
        if let Ok(entry) = serde_json::from_str::<Entry>(&line)
            && entry.entry_id == id
            && entry.status == status
        {
            return Ok(entry);
        }
    }
    bail!("hivectl timeline -f ended")
}
