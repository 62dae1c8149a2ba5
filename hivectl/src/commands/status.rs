//! `hivectl status`.

use std::time::Duration;

use futures::future::join_all;
use hive_shared::api::{BotState, BotStatus};
use hive_shared::ids::BotId;
use hive_shared::time::Stamp;
use hive_shared::work::Scope;
use serde::Serialize;

use crate::error::{Exit, Failure};
use crate::files::Files;
use crate::fleet::{Fleet, Reach};
use crate::output::table::{Cell, Paint, Table};
use crate::output::text::{ago, health_cell, seconds};
use crate::output::{Format, Printer};

/// How often `--watch` looks.
const REFRESH: Duration = Duration::from_secs(1);

const EXAMPLES: &str = r#"Examples:
  hivectl status -o json | jq -r '.[] | select(.state == "down") | .bot_id'"#;

/// Show how the bots are: what each does, what waits, and its health
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

/// A bot's line.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Row {
    /// It is up.
    Up(Box<BotStatus>),
    /// It is down.
    Down(DownStatus),
    /// It would not say.
    Trouble(TroubleStatus),
}

/// What the files tell about a bot that is down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DownStatus {
    bot_id: BotId,
    /// Always `down`.
    state: &'static str,
    paused: bool,
    paused_by: Vec<String>,
    pause_scope: Option<Scope>,
    pause_reason: Option<String>,
}

/// Why a bot's status could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TroubleStatus {
    bot_id: BotId,
    /// Always `unknown`.
    state: &'static str,
    error: String,
    #[serde(skip)]
    failure: Failure,
}

impl Row {
    /// A bot that is down.
    pub fn down(files: &Files) -> Self {
        let pause = files.pause_in_force();
        Self::Down(DownStatus {
            bot_id: files.bot().clone(),
            state: "down",
            paused: pause.is_some(),
            paused_by: pause.iter().map(|_| "user".to_owned()).collect(),
            pause_scope: pause.as_ref().map(|p| p.scope),
            pause_reason: pause.and_then(|p| p.reason),
        })
    }

    /// The bot.
    pub fn bot(&self) -> &BotId {
        match self {
            Self::Up(status) => &status.bot_id,
            Self::Down(status) => &status.bot_id,
            Self::Trouble(status) => &status.bot_id,
        }
    }
}

/// Shows the fleet.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    if args.watch && out.format() == Format::Json {
        return Err(Failure::usage("--watch never ends, and one JSON array does").hint("use '-o ndjson'"));
    }
    let bots = fleet.bots(&args.bots, out).await?;
    if bots.is_empty() {
        out.notice("this hive has no bots yet: 'hivectl init --bot NAME' adds one");
    }
    if args.watch {
        return watch(&args, fleet, out).await;
    }
    let rows = look(&bots, fleet).await;
    out.many(&rows, table);
    let mut exits = Vec::new();
    for row in &rows {
        match row {
            Row::Up(_) => {}
            Row::Down(_) if args.bots.is_empty() => {}
            Row::Down(_) => exits.push(Exit::Unreachable),
            Row::Trouble(trouble) => exits.push(out.failure(&trouble.failure)),
        }
    }
    Ok(Exit::of_many(exits))
}

async fn watch(args: &Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let mut shown = Vec::new();
    let redraws = out.may_redraw() && out.format() == Format::Table;
    if redraws {
        out.clear_screen();
    }
    while !out.is_closed() {
        // Bots come and go while one watches.
        let rows = look(&fleet.bots(&args.bots, out).await?, fleet).await;
        if redraws {
            out.redraw(&table(&rows));
        } else if rows != shown {
            out.many(&rows, table);
        }
        shown = rows;
        tokio::time::sleep(REFRESH).await;
    }
    Ok(Exit::Done)
}

async fn look(bots: &[BotId], fleet: &Fleet) -> Vec<Row> {
    join_all(bots.iter().map(|bot| async move {
        let row = match fleet.reach(bot).await {
            Ok(Reach::Up(client)) => {
                client.status().await.map(|s| Row::Up(Box::new(s))).map_err(Failure::from)
            }
            Ok(Reach::Down(files)) => Ok(Row::down(&files)),
            Err(failure) => Err(failure),
        };
        row.unwrap_or_else(|failure| {
            let failure = Failure { message: format!("{bot}: {failure}"), ..failure };
            Row::Trouble(TroubleStatus {
                bot_id: bot.clone(),
                state: "unknown",
                error: failure.message.clone(),
                failure,
            })
        })
    }))
    .await
}

/// The fleet as a table.
pub fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&["BOT", "STATE", "NOW", "TIME", "QUEUE", "CHAT", "LAST", "HEALTH"])
        .at_most("STATE", 33)
        .at_most("NOW", 40);
    let now = Stamp::now();
    for row in rows {
        table.row(match row {
            Row::Up(status) => up_cells(status, now),
            Row::Down(status) => {
                let state = if status.paused { "down, paused" } else { "down" };
                vec![status.bot_id.as_str().into(), Cell::painted(state, Paint::Yellow)]
            }
            Row::Trouble(status) => {
                let mut cells = vec![status.bot_id.as_str().into(), Cell::painted(status.state, Paint::Red)];
                cells.resize(7, "".into());
                cells.push(status.error.as_str().into());
                cells
            }
        });
    }
    table
}

fn up_cells(status: &BotStatus, now: Stamp) -> Vec<Cell> {
    let state = match (status.state, status.paused) {
        (BotState::Idle | BotState::Working, true) => {
            let what = if status.pause_scope == Some(Scope::Tasks) { "tasks paused" } else { "pausing" };
            Cell::painted(format!("{}, {what}", status.state.as_str()), Paint::Yellow)
        }
        (BotState::Paused, _) => Cell::painted(format!("paused{}", why_paused(status)), Paint::Yellow),
        (BotState::Stopping, _) => Cell::painted("stopping", Paint::Yellow),
        (BotState::Idle | BotState::Working, false) => status.state.as_str().into(),
    };
    let (mut what, time) = match &status.current {
        Some(current) => (
            format!("{} {}", current.id, current.title),
            format!("{} of {}", seconds(current.elapsed_seconds), seconds(current.limit_seconds)),
        ),
        None => (String::new(), String::new()),
    };
    if let Some(suspended) = &status.suspended {
        what = [what.as_str(), &format!("({} suspended)", suspended.id)].join(" ");
    }
    vec![
        status.bot_id.as_str().into(),
        state,
        what.trim().into(),
        time.into(),
        queue(status).into(),
        status.chat_clients.to_string().into(),
        ago(status.last_activity, now).into(),
        health_cell(&status.health),
    ]
}

/// What the bot itself found in the way, or what the user said.
fn why_paused(status: &BotStatus) -> String {
    let by_itself: Vec<_> = status.paused_by.iter().map(String::as_str).filter(|by| *by != "user").collect();
    match (by_itself.as_slice(), &status.pause_reason) {
        ([], None) => String::new(),
        ([], Some(reason)) => format!(" ({reason})"),
        (by, _) => format!(" by {}", by.join(", ")),
    }
}

fn queue(status: &BotStatus) -> String {
    let q = &status.queue;
    let waiting =
        [("P0", q.p0), ("P1", q.p1), ("P2", q.p2), ("P3", q.p3), ("chat", q.chat), ("blocked", q.blocked)];
    let shown: Vec<_> = waiting
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name}:{count}"))
        .collect();
    if shown.is_empty() { "-".to_owned() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = r#"{"bot_id":"BOT-002","state":"working","paused":false,"paused_by":[],"mode":"hybrid",
        "adapter":"echo","current":{"id":"TASK-1","title":"Mend\u001b the login","source":"file",
        "started_at":"2026-11-22T18:05:27Z","elapsed_seconds":190,"limit_seconds":1800},
        "suspended":null,"queue":{"P0":1,"P1":0,"P2":4,"P3":0,"chat":0,"blocked":2},"chat_clients":2,"approvals":0,
        "last_activity":"2026-11-22T18:05:27Z","counts":{"completed":1,"failed":0,"cancelled":0,"timed_out":0,
        "incomplete":0},"health":{"status":"warning","reasons":["7 items wait"]}}"#;

    #[test]
    fn the_fleet_is_a_table() {
        let mut status: BotStatus = serde_json::from_str(STATUS).unwrap();
        status.last_activity = Stamp::from_micros(Stamp::now().as_micros() - 75_000_000);
        let down = Row::Down(DownStatus {
            bot_id: BotId::parse("BOT-003").unwrap(),
            state: "down",
            paused: true,
            paused_by: vec!["user".into()],
            pause_scope: Some(Scope::All),
            pause_reason: None,
        });
        assert_eq!(
            serde_json::to_value(&down).unwrap(),
            serde_json::json!({"bot_id": "BOT-003", "state": "down", "paused": true, "paused_by": ["user"],
                "pause_scope": "all", "pause_reason": null})
        );
        let text = table(&[Row::Up(Box::new(status)), down]).render(None, false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[1],
            "BOT-002  working       TASK-1 Mend\\x1b the login  3m10s of 30m00s  P0:1 P2:4 blocked:2  2     \
             1m15s ago  warning: 7 items wait"
        );
        assert_eq!(lines[2], "BOT-003  down, paused");
    }
}
