//! `hivectl timeline`.

mod filter;
mod follow;
mod going;
mod past;
mod roll;

pub(super) use filter::parse_time;

use std::collections::BTreeSet;

use futures::future::join_all;
use hive_shared::ids::BotId;
use hive_shared::time::Stamp;
use hive_shared::work::{Kind, Source, Status};

use crate::error::{Exit, Failure};
use crate::fleet::Fleet;
use crate::output::{Format, Printer};
use past::Past;
use roll::{Look, Roll};

/// How many entries are shown if neither a number nor a time is asked for.
const DEFAULT_COUNT: usize = 50;

const EXAMPLES: &str = "\
Examples:
  hivectl timeline --since 1h --status failed,timed_out
  hivectl timeline BOT-002 --full -n 5
  hivectl timeline -f                          # what runs is shown below, as it goes on
  hivectl timeline -f -o ndjson | jq -r .entry_id

Marks: ▪ a task, » a prompt, └ the reply to it, ◦ a control act (#, >, < and * where there is no UTF-8).";

/// Show what happened: tasks, prompts, replies and control acts, oldest first
///
/// The time is when an entry came; with --follow, when it changed. --follow shows on a terminal what runs, and a line
/// for what has ended; elsewhere a line for each change.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The bots; all of the hive if none is named
    #[arg(value_name = "BOT")]
    pub bots: Vec<BotId>,
    /// Go on showing what happens until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// The newest so many entries [default: 50, or all with --since]
    #[arg(short = 'n', long, alias = "lines", value_name = "N")]
    pub number: Option<usize>,
    /// The whole text of each entry below it, and what the agent did on the way
    #[arg(long)]
    pub full: bool,
    /// Since then: a duration such as 1h, or a time such as 18:00, yesterday, 2026-11-22 or 2026-11-22T18:00:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = filter::parse_time)]
    pub since: Option<Stamp>,
    /// Before then, written in the same ways
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = filter::parse_time, conflicts_with = "follow")]
    pub until: Option<Stamp>,
    /// Of these sources: file, chat or control
    #[arg(long, value_name = "SOURCE", value_delimiter = ',')]
    pub source: Vec<Source>,
    /// Of these kinds: task, prompt, reply or control
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub kind: Vec<Kind>,
    /// Of these statuses: queued, blocked, running, suspended, completed, failed, cancelled, timed_out or incomplete
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub status: Vec<Status>,
    /// That hold all these words
    #[arg(long, value_name = "WORDS")]
    pub grep: Option<String>,
}

/// Shows the timelines of bots as one.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    if args.follow && out.format() == Format::Json {
        return Err(Failure::usage("--follow never ends, and one JSON array does").hint("use '-o ndjson'"));
    }
    let bots = fleet.bots(&args.bots, out).await?;
    let all = args.since.is_some() || args.until.is_some();
    let count = args.number.unwrap_or(if all { usize::MAX } else { DEFAULT_COUNT });
    let steps = args.full || out.format() != Format::Table;
    let looks = join_all(bots.iter().map(|bot| past::look(bot, &args, count, steps, fleet))).await;
    let mut entries = Vec::new();
    let mut followers = Vec::new();
    let mut exits = Vec::new();
    let mut said = BTreeSet::new();
    for (bot, look) in bots.iter().zip(looks) {
        match look {
            Ok(Past { entries: past, follower, notices }) => {
                // A response that cannot be read may be that of any bot.
                for notice in notices {
                    if said.insert(notice.clone()) {
                        out.notice(&notice);
                    }
                }
                entries.extend(past);
                followers.extend(follower);
            }
            Err(failure) if bots.len() == 1 => return Err(failure),
            Err(failure) => {
                exits.push(out.failure(&failure.of(bot)));
            }
        }
    }
    entries.sort_by_key(|entry| entry.timestamp);
    entries.drain(..entries.len().saturating_sub(count));
    let look = Look::new(&args, bots.len() > 1, Stamp::now(), out);
    if args.follow {
        exits.push(follow::run(&args, entries, followers, look, fleet, out).await);
    } else {
        let mut has_more = false;
        let rendered = out.listing(
            &entries,
            |entries| {
                let mut roll = Roll::new(look);
                roll.add_all(entries);
                has_more = roll.has_more();
                roll.into_table()
            },
            || args.nothing(&bots),
        );
        if (rendered.cut || has_more) && !args.full {
            out.hint("what is long is cut: '--full' shows all of each entry, 'hivectl show ID' one of them");
        }
    }
    Ok(Exit::of_many(exits))
}
