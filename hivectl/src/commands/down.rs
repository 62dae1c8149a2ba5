//! `hivectl down`.

use std::fmt::Write;
use std::time::{Duration, Instant};

use hive_shared::api::{BotStatus, StopRequest, code};
use hive_shared::client::{Client, ClientError, list_bots, read_record};
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::time::show_duration;

use super::board::{ANSWER, Board, LOOK, Voice};
use super::status::Row;
use crate::error::{Exit, Failure};
use crate::files::Files;
use crate::fleet::Fleet;
use crate::local;
use crate::output::progress::{Clock, Standing};
use crate::output::text::duration;
use crate::output::{Format, Printer};

/// How often a bot is asked what it waits for.
const ASK: Duration = Duration::from_millis(500);
/// How long a bot may take that is not to finish anything, or that does not answer.
const PROMPTLY: Duration = Duration::from_secs(10);

const EXAMPLES: &str = "\
Examples:
  hivectl down                          # all bots, each when its turn is over
  hivectl down BOT-002 --timeout 5m || hivectl down BOT-002 --now
  hivectl down --now && hivectl up      # start anew at once";

/// Stop bots, and wait until they are gone
///
/// What a bot is doing may finish first; it takes nothing new meanwhile, and what waits is done after the next start.
/// Ctrl-C ends the waiting alone: the bot still goes. A bot that is down already is fine.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The bots; all that are up if none is named
    #[arg(value_name = "BOT")]
    pub bots: Vec<BotId>,
    /// Let nothing finish: a running task goes back into the queue
    #[arg(long)]
    pub now: bool,
    /// Wait no longer than this; past it exit 5, and the bots still go when their turns are over
    #[arg(long, value_name = "DURATION", value_parser = hive_shared::time::parse_duration)]
    pub timeout: Option<Duration>,
}

/// A bot that is down now.
struct Stopped {
    row: Row,
    was_down: bool,
}

/// Stops bots.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let hive = fleet.here("down")?;
    let bots = fleet.bots(&args.bots, out).await?;
    let board = Board::default();
    let work = bots.iter().map(|bot| {
        let voice = board.voice();
        (voice, Stop { bot, hive, fleet, now: args.now, timeout: args.timeout, voice }.run())
    });
    let stopped = board.run(work, out).await;
    let mut exits = vec![Exit::Done];
    let (mut rows, mut words) = (Vec::new(), String::new());
    for (bot, stopped) in bots.iter().zip(stopped) {
        match stopped {
            Ok(stopped) if stopped.was_down && args.bots.is_empty() => {
                out.detail(&format!("{bot} was down already"));
            }
            Ok(stopped) => {
                let words_of = if stopped.was_down { "was down already" } else { "is down" };
                let _infallible = writeln!(words, "{bot} {words_of}");
                rows.push(stopped.row);
            }
            Err(failure) if bots.len() == 1 => return Err(failure),
            Err(failure) => exits.push(out.failure(&failure)),
        }
    }
    if rows.is_empty() && args.bots.is_empty() && exits.len() == 1 {
        out.notice("no bot of this hive is up");
    }
    match out.format() {
        Format::Table => out.result(&words),
        Format::Json | Format::Ndjson => out.many(&rows, super::status::table),
    }
    Ok(Exit::of_many(exits))
}

/// The end of one bot.
struct Stop<'a> {
    bot: &'a BotId,
    hive: &'a Hive,
    fleet: &'a Fleet,
    now: bool,
    timeout: Option<Duration>,
    voice: Voice<'a>,
}

impl Stop<'_> {
    async fn run(self) -> Result<Stopped, Failure> {
        let begun = Instant::now();
        let Some(client) = self.reach(begun).await? else { return Ok(self.stopped(true)) };
        let pid = self.pid();
        let request = StopRequest { drain: !self.now };
        let mut status = match self.soon(client.stop(&request)).await {
            Some(Ok(status)) => Some(status),
            // It goes already, or is too busy to say so.
            Some(Err(error)) if error.is_down() => None,
            Some(Err(ClientError::Conflict { code, .. }))
                if code == code::STOPPING || code == code::UNAVAILABLE =>
            {
                None
            }
            Some(Err(error)) => return Err(error.into()),
            None => None,
        };
        let mut asked = Instant::now();
        let limit = self.timeout.or((self.now || status.is_none()).then_some(PROMPTLY));
        loop {
            // Another life may have begun since.
            if !local::is_run(self.hive, self.bot) || self.pid().is_some_and(|now| Some(now) != pid) {
                return Ok(self.stopped(false));
            }
            self.voice.say(self.standing(status.as_ref(), asked));
            if limit.is_some_and(|limit| begun.elapsed() > limit) {
                return Err(self.late(begun, status.as_ref(), pid));
            }
            tokio::time::sleep(LOOK).await;
            if asked.elapsed() > ASK {
                status = self.soon(client.status()).await.and_then(Result::ok).or(status);
                asked = Instant::now();
            }
        }
    }

    /// The bot, or none if it is down. One whose process does not answer has a moment to do so: it may just start.
    async fn reach(&self, begun: Instant) -> Result<Option<Client>, Failure> {
        let patience = self.timeout.map_or(PROMPTLY, |timeout| timeout.min(PROMPTLY));
        loop {
            let mute = || ClientError::Unreachable { url: "its address".into(), reason: "it hangs".into() };
            let open = Client::open(self.fleet.locator(), self.bot);
            match self.soon(open).await.unwrap_or_else(|| Err(mute())) {
                Ok(client) => return Ok(Some(client)),
                Err(_) if !local::is_run(self.hive, self.bot) => return Ok(None),
                Err(error) if error.is_down() && begun.elapsed() < patience => {
                    self.voice.words(format!("{} does not answer yet", self.bot));
                    tokio::time::sleep(LOOK).await;
                }
                Err(error) => {
                    let failure = Failure::from(error);
                    let message =
                        format!("{} is run by a process that cannot be told to stop: {failure}", self.bot);
                    let failure = Failure { message, hint: None, ..failure };
                    return Err(match self.pid() {
                        Some(pid) => failure.hint(format!("'kill {pid}' stops it")),
                        None => {
                            failure.hint(format!("'hivectl doctor {}' looks for what is wrong", self.bot))
                        }
                    });
                }
            }
        }
    }

    /// What it answers, unless that takes too long.
    async fn soon<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        let limit = self.timeout.map_or(ANSWER, |timeout| timeout.min(ANSWER));
        tokio::time::timeout(limit, answer).await.ok()
    }

    /// The process that its record names.
    fn pid(&self) -> Option<u32> {
        read_record(self.hive, self.bot).ok().flatten().map(|record| record.pid)
    }

    fn standing(&self, status: Option<&BotStatus>, asked: Instant) -> Standing {
        let current = status.and_then(|status| status.current.as_ref()).filter(|_| !self.now);
        let Some(current) = current else {
            return Standing { text: format!("{} stops", self.bot), ..Standing::default() };
        };
        let clock = Clock {
            elapsed: duration(current.elapsed_seconds).saturating_add(asked.elapsed()),
            limit: duration(current.limit_seconds),
        };
        let text = format!("{} finishes {} {}", self.bot, current.id, current.title);
        Standing { text, count: None, clock: Some(clock) }
    }

    fn late(&self, begun: Instant, status: Option<&BotStatus>, pid: Option<u32>) -> Failure {
        let (bot, waited) = (self.bot, show_duration(begun.elapsed()));
        let current = status.and_then(|status| status.current.as_ref());
        match (current, self.now, pid) {
            (Some(current), false, _) => Failure::new(
                Exit::GaveUp,
                format!("{bot} still finishes {} after {waited}; it stops when that is over", current.id),
            )
            .hint(format!("'hivectl down {bot} --now' does not let it finish")),
            (_, _, Some(pid)) => Failure::new(Exit::GaveUp, format!("{bot} has not stopped after {waited}"))
                .hint(format!("it is process {pid}: 'kill -9 {pid}' ends it, and no work is lost")),
            (_, _, None) => Failure::new(Exit::GaveUp, format!("{bot} has not stopped after {waited}")),
        }
    }

    fn stopped(&self, was_down: bool) -> Stopped {
        let bots = list_bots(self.hive).ids.into_iter().collect();
        let files = Files::new(self.hive.clone(), self.bot.clone(), bots);
        Stopped { row: Row::down(&files), was_down }
    }
}
