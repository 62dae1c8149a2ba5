//! `hivectl up`.

use std::time::{Duration, Instant};

use hive_shared::api::{BotState, BotStatus, HealthLevel};
use hive_shared::client::{Client, ClientError};
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::settings::Settings;
use hive_shared::time::show_duration;

use super::board::{ANSWER, Board, LOOK, Voice};
use super::launch::Launch;
use super::status::Row;
use crate::error::{Exit, Failure, chain};
use crate::fleet::Fleet;
use crate::local;
use crate::output::{Format, Printer};

/// How a bot comes to be.
const ADD: &str = "'hivectl init --bot NAME' adds one";

const EXAMPLES: &str = r#"Examples:
  hivectl up                     # all bots that have a table in hive.toml
  hivectl up BOT-002 && hivectl submit BOT-002 "Write the release notes" --wait
  hivectl down && hivectl up     # take new settings"#;

/// Start bots in the background
///
/// They outlive the terminal. This waits until each is ready; one that is up already is fine. A STOP file is removed
/// first. What a bot says at its start, and its errors, are in .deia/bot-logs/BOT-output.log, anew at each start; all
/// else 'hivectl logs' shows.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The bots; those that have a table in hive.toml if none is named
    #[arg(value_name = "BOT")]
    pub bots: Vec<BotId>,
    /// How long to wait for each to be ready; past it exit 5, and the bot goes on starting
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = hive_shared::time::parse_duration)]
    pub timeout: Duration,
}

/// A bot that is up now.
struct Started {
    status: Box<BotStatus>,
    was_up: bool,
}

/// Starts bots.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let hive = fleet.here("up")?;
    let bots = if args.bots.is_empty() {
        with_settings(hive)?
    } else {
        fleet.bots(&args.bots, out).await.map_err(unknown)?
    };
    let agent = local::agent()?;
    let board = Board::default();
    let work = bots.iter().map(|bot| {
        let voice = board.voice();
        let start =
            Start { fleet, hive, launch: Launch::new(&agent, hive, bot), patience: args.timeout, voice };
        (voice, start.run())
    });
    let started = board.run(work, out).await;
    let mut exits = vec![Exit::Done];
    let (mut rows, mut words) = (Vec::new(), String::new());
    for started in started {
        match started {
            Ok(started) => {
                words += &said(&started);
                rows.push(Row::Up(started.status));
            }
            Err(failure) if bots.len() == 1 => return Err(failure),
            Err(failure) => exits.push(out.failure(&failure)),
        }
    }
    match out.format() {
        Format::Table => out.result(&words),
        Format::Json | Format::Ndjson => out.many(&rows, super::status::table),
    }
    Ok(Exit::of_many(exits))
}

/// The bots that have a table in the settings.
fn with_settings(hive: &Hive) -> Result<Vec<BotId>, Failure> {
    let settings = Settings::load(hive).map_err(|error| {
        Failure::new(Exit::Failed, chain(&error)).hint("'hivectl doctor' looks at all settings")
    })?;
    let bots = settings.bots();
    if bots.is_empty() {
        let message = format!("no bot has a table in {}", hive.settings().display());
        return Err(Failure::new(Exit::NotFound, message).hint(
            "'hivectl init --bot BOT-001' adds one, 'hivectl up BOT' starts one that is there without",
        ));
    }
    Ok(bots)
}

/// A name that was never heard may be a slip of the keyboard, or a bot that is to be.
fn unknown(failure: Failure) -> Failure {
    let hint = match failure.hint {
        Some(hint) if hint.contains(ADD) => hint,
        Some(hint) => format!("{hint}; {ADD}"),
        None => ADD.to_owned(),
    };
    Failure { hint: Some(hint), ..failure }
}

fn said(Started { status, was_up }: &Started) -> String {
    let paused = if status.paused {
        format!(", and paused: 'hivectl resume {}'", status.bot_id)
    } else {
        String::new()
    };
    let trouble = match status.health.status {
        HealthLevel::Critical => format!("; its health is critical: {}", status.health.reasons.join("; ")),
        HealthLevel::Healthy | HealthLevel::Warning => String::new(),
    };
    let (bot, adapter) = (&status.bot_id, &status.adapter);
    if *was_up {
        format!("{bot} was up already{paused}{trouble}\n")
    } else {
        format!("{bot} is up (adapter {adapter}){paused}{trouble}\n")
    }
}

/// The start of one bot.
struct Start<'a> {
    fleet: &'a Fleet,
    hive: &'a Hive,
    launch: Launch<'a>,
    patience: Duration,
    voice: Voice<'a>,
}

/// Whether a bot is up, as far as it can be told at this moment.
enum Look {
    Up(Box<BotStatus>),
    /// A process has it that does not answer, or not yet, or that is about to end.
    Run(String),
    /// No process has it.
    Down,
}

impl Start<'_> {
    async fn run(self) -> Result<Started, Failure> {
        let begun = Instant::now();
        let mut child = None;
        loop {
            match (self.look().await, &mut child) {
                (Look::Up(status), launched) => return Ok(Started { status, was_up: launched.is_none() }),
                (Look::Run(words), _) => self.voice.words(words),
                (Look::Down, None) => {
                    self.launch.outlives_this()?;
                    self.voice.words(format!("{} starts", self.launch.bot()));
                    if self.launch.clear_the_way()? {
                        self.voice.notice(format!("{}: its STOP file is removed", self.launch.bot()));
                    }
                    child = Some(self.launch.go()?);
                }
                (Look::Down, Some(running)) => {
                    let ended = running.try_wait().map_err(|e| {
                        Failure::new(Exit::Failed, format!("its process cannot be asked: {e}"))
                    })?;
                    // Another `up` may have been quicker: then its bot has the lock, and is looked for above.
                    if let Some(status) = ended
                        && !local::is_run(self.hive, self.launch.bot())
                    {
                        return Err(self.launch.words(status));
                    }
                }
            }
            if begun.elapsed() > self.patience {
                return Err(self.late());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn look(&self) -> Look {
        let bot = self.launch.bot();
        let ask = async { Client::open(self.fleet.locator(), bot).await?.status().await };
        let Ok(status) = tokio::time::timeout(self.patience.min(ANSWER), ask).await else {
            return Look::Run(format!("{bot} is run by a process that does not answer"));
        };
        match status {
            Ok(status) if status.state != BotState::Stopping => Look::Up(Box::new(status)),
            Ok(status) => Look::Run(match status.current {
                Some(current) => format!("{bot} stops first, when {} is over", current.id),
                None => format!("{bot} stops first"),
            }),
            Err(error) if local::is_run(self.hive, bot) => Look::Run(waiting_for(bot, &error)),
            Err(_) => Look::Down,
        }
    }

    fn late(&self) -> Failure {
        let bot = self.launch.bot();
        Failure::new(Exit::GaveUp, format!("{bot} is not ready after {}", show_duration(self.patience))).hint(
            format!(
                "'hivectl doctor {bot}' looks for what is wrong, 'hivectl logs {bot}' shows what it does"
            ),
        )
    }
}

fn waiting_for(bot: &BotId, error: &ClientError) -> String {
    if error.is_down() { format!("{bot} starts") } else { format!("{bot} starts: {error}") }
}
