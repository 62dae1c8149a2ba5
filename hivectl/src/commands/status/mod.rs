//! `hivectl status`.

mod detail;
mod overview;
mod row;

use std::time::Duration;

use futures::future::join_all;
use hive_shared::ids::BotId;
use hive_shared::time::Stamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, NO_BOTS, Reach, in_time};
use crate::output::text::time_of_day;
use crate::output::{Format, Printer};

pub(super) use overview::queue as queue_words;
pub use overview::table;
pub use row::{DownStatus, Row, TroubleStatus};

/// How often `--watch` looks.
const REFRESH: Duration = Duration::from_secs(1);

const EXAMPLES: &str = r#"Examples:
  hivectl status
  hivectl status BOT-002              # all there is to know about one bot
  hivectl status --watch
  hivectl status -o json | jq -r '.[] | select(.state == "down") | .bot_id'

The bar and the time are what the work has used of its limit.
Where the terminal is narrow, columns are left out; -o json has everything."#;

/// Show how the bots are: what each does, what waits, and its health
///
/// A row for each bot; a single bot that is named is shown with all there is to know, on a terminal.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The bots; all of the hive if none is named
    #[arg(value_name = "BOT")]
    pub bots: Vec<BotId>,
    /// Go on showing it until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
}

/// Shows the fleet.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    if args.watch && out.format() == Format::Json {
        return Err(Failure::usage("--watch never ends, and one JSON array does").hint("use '-o ndjson'"));
    }
    if args.watch {
        return watch(&args, fleet, out).await;
    }
    let bots = fleet.bots(&args.bots, out).await?;
    let rows = look(&bots, fleet).await;
    let one = args.bots.len() == 1 && out.is_terminal() && out.format() == Format::Table;
    match rows.as_slice() {
        [row] if one => {
            let text = detail::words(row, fleet.hive(), out);
            out.result(&text);
        }
        rows => {
            let rendered = out.listing(rows, table, || NO_BOTS.to_owned());
            if rendered.cut || !rendered.left_out.is_empty() {
                out.hint(&narrow(&rendered.left_out));
            }
        }
    }
    let waiting: usize = rows.iter().map(Row::approvals).sum();
    if waiting > 0 {
        out.hint(&format!("{waiting} wait for an answer: 'hivectl approvals' shows them"));
    }
    let exits = rows.iter().map(|row| match row {
        Row::Up(_) => Exit::Done,
        Row::Down(_) if args.bots.is_empty() => Exit::Done,
        Row::Down(_) => Exit::Unreachable,
        Row::Trouble(trouble) => out.failure(&trouble.failure),
    });
    Ok(Exit::of_many(exits.collect::<Vec<_>>()))
}

fn narrow(left_out: &[&str]) -> String {
    let what = if left_out.is_empty() {
        "what is long is cut".to_owned()
    } else {
        left_out.join(", ") + " left out"
    };
    format!("{what} for want of room: 'hivectl status BOT' shows all of one")
}

async fn watch(args: &Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let redraws = out.may_redraw() && out.format() == Format::Table;
    let mut resized = signal(SignalKind::window_change())
        .map_err(|error| Failure::new(Exit::Failed, format!("signals cannot be heard: {error}")))?;
    let mut ticks = interval(REFRESH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut shown, mut said) = (None, None);
    let mut rows = Vec::new();
    let mut head = String::new();
    while !out.is_closed() {
        tokio::select! {
            _ = ticks.tick() => {
                // Bots come and go while one watches.
                let (bots, trouble) = fleet.known(&args.bots).await?;
                rows = look(&bots, fleet).await;
                let trouble = trouble.or_else(|| rows.is_empty().then(|| NO_BOTS.to_owned()));
                if redraws {
                    head = heading(fleet, trouble.as_deref());
                } else if let Some(trouble) = trouble.filter(|trouble| said.as_ref() != Some(trouble)) {
                    out.notice(&trouble);
                    said = Some(trouble);
                }
            }
            _ = resized.recv(), if redraws => {}
        }
        let now: Vec<_> = rows.iter().map(Row::without_clocks).collect();
        if redraws {
            out.redraw(&head, &table(&rows));
        } else if shown.as_ref() != Some(&now) {
            if !rows.is_empty() || out.format() != Format::Table {
                out.many(&rows, table);
            }
            shown = Some(now);
        }
    }
    Ok(Exit::Done)
}

fn heading(fleet: &Fleet, trouble: Option<&str>) -> String {
    let hive = fleet.hive().map_or_else(String::new, |hive| format!("  {}", hive.root().display()));
    let trouble = trouble.map(|trouble| format!("  {trouble}")).unwrap_or_default();
    format!("{}{hive}{trouble}", time_of_day(Stamp::now()))
}

/// Asks all bots at once.
async fn look(bots: &[BotId], fleet: &Fleet) -> Vec<Row> {
    join_all(bots.iter().map(|bot| async move {
        in_time(ask(bot, bots, fleet)).await.unwrap_or_else(|failure| Row::trouble(bot, failure))
    }))
    .await
}

async fn ask(bot: &BotId, known: &[BotId], fleet: &Fleet) -> Result<Row, Failure> {
    match fleet.reach_known(bot, known).await? {
        Reach::Up(client) => Ok(Row::Up(Box::new(client.status().await?))),
        Reach::Down(files) => Ok(Row::down(&files)),
    }
}
