//! `hivectl timeline`.

use std::collections::BTreeSet;

use futures::stream::{self, BoxStream, SelectAll, StreamExt, select_all};
use hive_shared::api::{Entry, MAX_PAGE, TimelineQuery};
use hive_shared::client::{Client, ClientError, Followed, Follower, Position};
use hive_shared::ids::BotId;
use hive_shared::time::{Stamp, parse_duration};
use hive_shared::work::{Kind, Source, Status};

use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, Reach, down};
use crate::output::table::{Cell, Table};
use crate::output::text::{first_line, seconds, short_time, status_cell};
use crate::output::{Format, Printer};

/// How many entries are shown if neither a number nor a time is asked for.
const DEFAULT_COUNT: usize = 50;

const EXAMPLES: &str = "\
Examples:
  hivectl timeline --since 1h --status failed
  hivectl timeline -f -o ndjson | jq -r .entry_id";

/// Show what happened: tasks, prompts, replies and control acts, oldest first
///
/// The time is when an entry came; with --follow, a line is added for each change, with the time of the change.
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
    #[arg(short = 'n', long, value_name = "N")]
    pub number: Option<usize>,
    /// Since then: a duration such as 1h, or a time such as 2026-11-22T18:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub since: Option<Stamp>,
    /// Of this source: file, chat or control
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<Source>,
    /// Of this kind: task, prompt, reply or control
    #[arg(long, value_name = "KIND")]
    pub kind: Option<Kind>,
    /// Of this status: queued, blocked, running, suspended, completed, failed, cancelled, timed_out or incomplete
    #[arg(long, value_name = "STATUS")]
    pub status: Option<Status>,
    /// That hold all these words
    #[arg(long, value_name = "WORDS")]
    pub grep: Option<String>,
}

pub(super) fn parse_since(text: &str) -> Result<Stamp, String> {
    if let Ok(stamp) = text.parse() {
        return Ok(stamp);
    }
    let back = parse_duration(text)
        .map_err(|_| format!("'{text}' is neither a duration (1h) nor a time (2026-11-22T18:00:00Z)"))?;
    let micros = i64::try_from(back.as_micros()).unwrap_or(i64::MAX);
    Ok(Stamp::from_micros(Stamp::now().as_micros().saturating_sub(micros)))
}

/// Shows the timelines of bots as one.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    if args.follow && out.format() == Format::Json {
        return Err(Failure::usage("--follow never ends, and one JSON array does").hint("use '-o ndjson'"));
    }
    let bots = fleet.bots(&args.bots, out).await?;
    let count = args.number.unwrap_or(if args.since.is_some() { usize::MAX } else { DEFAULT_COUNT });
    let mut entries = Vec::new();
    let mut followers = Vec::new();
    let mut exits = Vec::new();
    for bot in &bots {
        match past(bot, &args, count, fleet, out).await {
            Ok((past, follower)) => {
                entries.extend(past);
                followers.extend(follower);
            }
            Err(failure) if bots.len() == 1 => return Err(failure),
            Err(failure) => {
                exits.push(out.failure(&Failure { message: format!("{bot}: {failure}"), ..failure }));
            }
        }
    }
    entries.sort_by_key(|entry| entry.timestamp);
    entries.drain(..entries.len().saturating_sub(count));
    if args.follow {
        exits.push(follow(&args, &entries, followers, bots.len() > 1, out).await);
    } else {
        out.many(&entries, |entries| table(entries, bots.len() > 1));
    }
    Ok(Exit::of_many(exits))
}

/// The newest entries of a bot, and what follows on from there.
async fn past(
    bot: &BotId,
    args: &Args,
    count: usize,
    fleet: &Fleet,
    out: &mut Printer,
) -> Result<(Vec<Entry>, Option<Follower>), Failure> {
    match fleet.reach(bot).await? {
        Reach::Up(client) => {
            let (entries, position) = pages(&client, args, count).await?;
            Ok((entries, args.follow.then(|| Follower::new(*client, Some(position)))))
        }
        Reach::Down(_) if args.follow && !args.bots.is_empty() => Err(down(bot)),
        Reach::Down(_) if args.follow => {
            out.notice(&format!("{bot} is down: it is followed when it starts"));
            Ok((Vec::new(), Some(Follower::when_up(fleet.locator().clone(), bot.clone(), None))))
        }
        Reach::Down(files) => {
            files.announce(out);
            let mut entries = files.entries()?;
            entries.retain(|entry| args.wants(entry));
            Ok((entries, None))
        }
    }
}

/// Pages back until there are `count` entries or no more.
async fn pages(client: &Client, args: &Args, count: usize) -> Result<(Vec<Entry>, Position), Failure> {
    let mut query = TimelineQuery {
        since: args.since,
        source: args.source,
        kind: args.kind,
        status: args.status,
        q: args.grep.clone(),
        limit: Some(count.clamp(1, MAX_PAGE)),
        ..TimelineQuery::default()
    };
    let mut page = client.timeline(&query).await?;
    let position = Position { epoch: page.epoch, seq: page.last_seq };
    let mut pages = Vec::new();
    let mut have = 0;
    loop {
        have += page.entries.len();
        pages.push(page.entries);
        if have >= count || !page.has_more || page.before.is_none() {
            break;
        }
        query.before = page.before;
        query.limit = Some((count - have).min(MAX_PAGE));
        page = client.timeline(&query).await?;
    }
    Ok((pages.into_iter().rev().flatten().collect(), position))
}

type Updates = SelectAll<BoxStream<'static, (BotId, Result<Followed, ClientError>)>>;

fn updates(followers: Vec<Follower>) -> Updates {
    select_all(followers.into_iter().map(|follower| {
        stream::unfold(Some(follower), |follower| async {
            let mut follower = follower?;
            let bot = follower.bot().clone();
            let next = follower.next().await;
            // What another attempt would not mend ends this bot's part.
            let go_on = next.is_ok().then_some(follower);
            Some(((bot, next), go_on))
        })
        .boxed()
    }))
}

async fn follow(
    args: &Args,
    past: &[Entry],
    followers: Vec<Follower>,
    of_many: bool,
    out: &mut Printer,
) -> Exit {
    let mut table = table(past, of_many);
    let in_lines = out.format() == Format::Ndjson;
    if in_lines {
        for entry in past {
            out.json_line(entry);
        }
    } else {
        out.begin(&mut table);
    }
    let mut exit = Exit::Done;
    let mut updates = updates(followers);
    let mut lost = BTreeSet::new();
    while !out.is_closed()
        && let Some((bot, update)) = updates.next().await
    {
        match update {
            Ok(Followed::Entry(entry)) if args.wants(&entry) => {
                if in_lines {
                    out.json_line(&entry);
                } else {
                    table.row(row(&entry, entry.updated_at, of_many));
                    out.rows(&mut table);
                }
            }
            Ok(Followed::Disconnected(reason)) => {
                out.notice(&format!("{bot} does not answer ({reason}); trying again"));
                lost.insert(bot);
            }
            Ok(Followed::Connected) if lost.remove(&bot) => {
                out.notice(&format!("{bot} answers again"));
            }
            Ok(Followed::Restarted) => {
                out.notice(&format!("{bot} has a new timeline, which follows from its start"));
            }
            Ok(Followed::Connected | Followed::Entry(_) | Followed::Chunk { .. }) => {}
            Err(error) => {
                let failure = Failure::from(error);
                exit = out.failure(&Failure { message: format!("{bot}: {failure}"), ..failure });
            }
        }
    }
    exit
}

impl Args {
    /// Whether an entry passes the filters: where no bot filters for us.
    fn wants(&self, entry: &Entry) -> bool {
        self.since.is_none_or(|since| entry.timestamp >= since)
            && self.source.is_none_or(|source| entry.source == source)
            && self.kind.is_none_or(|kind| entry.kind == kind)
            && self.status.is_none_or(|status| entry.status == status)
            && self.grep.as_deref().is_none_or(|words| holds_all(entry, words))
    }
}

fn holds_all(entry: &Entry, words: &str) -> bool {
    let texts = [
        Some(&entry.entry_id),
        entry.title.as_ref(),
        entry.sender.as_ref(),
        Some(&entry.content),
        entry.error.as_ref(),
    ];
    let text = texts.into_iter().flatten().map(|text| text.to_lowercase()).collect::<Vec<_>>().join("\n");
    words.split_whitespace().all(|word| text.contains(&word.to_lowercase()))
}

/// The columns, with the widths that entries to come will need.
const COLUMNS: [(&str, u16); 7] =
    [("TIME", 8), ("BOT", 8), ("SOURCE", 7), ("STATUS", 9), ("TOOK", 6), ("ID", 10), ("WHAT", 0)];
/// Which of them is left out where all entries are of one bot.
const BOT_COLUMN: usize = 1;

/// The entries by the time at which they came, which is the order they are in.
fn table(entries: &[Entry], of_many: bool) -> Table {
    let mut columns = COLUMNS.to_vec();
    if !of_many {
        columns.remove(BOT_COLUMN);
    }
    let (names, widths): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let mut table = Table::new(&names).at_least(&widths);
    for entry in entries {
        table.row(row(entry, entry.timestamp, of_many));
    }
    table
}

fn row(entry: &Entry, time: Stamp, of_many: bool) -> Vec<Cell> {
    // A reply is shown under its prompt's id, which other commands take; who speaks tells it apart.
    let id = entry.entry_id.strip_suffix("-reply").filter(|_| entry.kind == Kind::Reply);
    let mut cells = vec![
        short_time(time, Stamp::now()).into(),
        entry.bot_id.as_str().into(),
        entry.source.as_str().into(),
        status_cell(entry.status),
        entry.duration_seconds.map(seconds).unwrap_or_default().into(),
        id.unwrap_or(&entry.entry_id).into(),
        what(entry).into(),
    ];
    if !of_many {
        cells.remove(BOT_COLUMN);
    }
    cells
}

fn what(entry: &Entry) -> String {
    // A prompt is what was asked, however it went: that is the reply's to tell.
    let error = entry.error.as_deref().filter(|_| entry.kind != Kind::Prompt);
    let said = error.unwrap_or_else(|| first_line(&entry.content));
    let about = match entry.kind {
        Kind::Task | Kind::Control => entry.title.as_deref(),
        Kind::Prompt | Kind::Reply => entry.sender.as_deref(),
    };
    match (about, said) {
        (Some(about), "") => about.to_owned(),
        (Some(about), said) => format!("{about}: {said}"),
        (None, said) => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> Entry {
        let mut value: serde_json::Value = serde_json::from_str(
            r#"{"seq":1,"entry_id":"TASK-1","bot_id":"BOT-1","timestamp":"2026-11-22T18:05:27Z",
                "updated_at":"2026-11-22T18:05:27Z","source":"file","kind":"task","status":"completed"}"#,
        )
        .unwrap();
        let more: serde_json::Value = serde_json::from_str(json).unwrap();
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    fn args(line: &[&str]) -> Args {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        <Line as clap::Parser>::try_parse_from(std::iter::once(&"timeline").chain(line)).unwrap().args
    }

    #[test]
    fn filters_pass_what_they_name() {
        let task = entry(r#"{"title":"Mend the Login","content":"done, all well"}"#);
        for wanted in [
            &[][..],
            &["--source", "file", "--kind", "task"],
            &["--grep", "login WELL"],
            &["--status", "completed"],
        ] {
            assert!(args(wanted).wants(&task), "{wanted:?}");
        }
        for unwanted in [
            &["--source", "chat"][..],
            &["--grep", "login fails"],
            &["--since", "1h"],
            &["--status", "failed"],
        ] {
            assert!(!args(unwanted).wants(&task), "{unwanted:?}");
        }
        assert!(args(&["--since", "2026-11-22T18:05:27Z"]).wants(&task));
    }

    #[test]
    fn an_entry_is_a_line() {
        assert_eq!(what(&entry(r#"{"title":"Mend it","content":"\n\nfirst\nsecond"}"#)), "Mend it: first");
        assert_eq!(what(&entry(r#"{"title":"Mend it","error":"exit status 3"}"#)), "Mend it: exit status 3");
        assert_eq!(
            what(&entry(
                r#"{"kind":"prompt","source":"chat","sender":"dave","content":"hi","error":"it was cancelled"}"#
            )),
            "dave: hi"
        );
        assert_eq!(what(&entry(r#"{"kind":"control","source":"control","title":"paused"}"#)), "paused");
    }
}
