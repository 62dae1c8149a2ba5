//! `hivectl logs`.

mod follow;
mod line;
mod past;

use std::path::Path;
use std::time::Duration;

use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::time::Stamp;

use self::follow::Follower;
use self::line::Line;
use crate::error::{Exit, Failure};
use crate::fleet::Fleet;
use crate::output::{Format, Printer};

/// How many lines are shown unless something else is said.
const DEFAULT_COUNT: usize = 50;
/// How often a follower looks for more.
const LOOK: Duration = Duration::from_millis(50);

const EXAMPLES: &str = r#"Examples:
  hivectl logs BOT-002 -f
  hivectl logs BOT-002 --errors --since 1d
  hivectl logs BOT-002 --since 1h -o ndjson | jq -r 'select(.level == "WARN") | .fields.message'"#;

/// Show what a bot did, step by step, from its log
///
/// The log is .deia/bot-logs/BOT-activity.jsonl and is there while the bot is down too. Times are of this machine's
/// zone. For what became of tasks and prompts see 'hivectl timeline'.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The bot
    #[arg(value_name = "BOT")]
    pub bot: BotId,
    /// Go on with what is logged from now on, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// The newest so many lines [default: 50, or all with --since]
    #[arg(short = 'n', long = "lines", value_name = "N")]
    pub number: Option<usize>,
    /// Errors alone
    #[arg(long)]
    pub errors: bool,
    /// What was logged since then: a time (2026-11-22T18:00:00Z), or so long ago (1h)
    #[arg(long, value_name = "TIME", value_parser = super::timeline::parse_time)]
    pub since: Option<Stamp>,
}

/// Shows a bot's log.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let hive = fleet.here("logs")?;
    if args.follow && out.format() == Format::Json {
        return Err(Failure::usage("--follow never ends, and one JSON array does").hint("use '-o ndjson'"));
    }
    fleet.bots(std::slice::from_ref(&args.bot), out).await?;
    let path = if args.errors { hive.error_log(&args.bot) } else { hive.activity_log(&args.bot) };
    let read_failure = |error| Failure::io("read", &path, &error);
    let count = args.number.unwrap_or(if args.since.is_some() { usize::MAX } else { DEFAULT_COUNT });
    let past = past::read(&path, count, args.since).map_err(read_failure)?;
    let Some(past) = past else { return Err(nothing(&args, &path)) };

    show(past.lines.iter().map(|line| Line::read(line)), out);
    if !args.follow {
        return Ok(Exit::Done);
    }
    let mut follower = Follower::new(path.clone(), past.files, past.rest);
    while !out.is_closed() {
        let lines = follower.more().map_err(read_failure)?;
        show(lines.iter().map(|line| Line::read(line)), out);
        tokio::time::sleep(LOOK).await;
    }
    Ok(Exit::Done)
}

/// What a bot's errors since then say, the oldest first.
pub(super) fn errors_since(hive: &Hive, bot: &BotId, since: Stamp) -> std::io::Result<Vec<String>> {
    let past = past::read(&hive.error_log(bot), usize::MAX, Some(since))?;
    let lines = past.map(|past| past.lines).unwrap_or_default();
    Ok(lines.iter().map(|line| Line::read(line).message()).collect())
}

fn show<'a>(lines: impl Iterator<Item = Line<'a>>, out: &mut Printer) {
    let format = out.format();
    let mut torn = 0;
    match format {
        Format::Table => {
            let now = Stamp::now();
            let text: String = lines.map(|line| line.words(now, out.may_color())).collect();
            out.result(&text);
        }
        Format::Ndjson => {
            for line in lines {
                match line {
                    Line::Event { raw, .. } => out.foreign_json(raw),
                    Line::Torn(_) => torn += 1,
                }
            }
        }
        Format::Json => {
            let mut events = Vec::new();
            for line in lines {
                match line {
                    Line::Event { json, .. } => events.push(json),
                    Line::Torn(_) => torn += 1,
                }
            }
            out.many(&events, |_| unreachable!("it is JSON that was asked for"));
        }
    }
    if torn > 0 {
        let lines = if torn == 1 { "one line is" } else { "some lines are" };
        out.notice(&format!("{lines} no JSON, as after a loss of power, and left out"));
    }
}

fn nothing(args: &Args, path: &Path) -> Failure {
    let bot = &args.bot;
    if args.errors && path.with_file_name(format!("{bot}-activity.jsonl")).exists() {
        return Failure::new(Exit::NotFound, format!("{bot} has logged no error yet"));
    }
    Failure::new(Exit::NotFound, format!("{bot} has no log yet: it never ran"))
        .hint(format!("'hivectl up {bot}' starts it"))
}
