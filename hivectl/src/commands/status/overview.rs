//! The fleet as a table, a row for each bot.

use hive_shared::api::{BotState, BotStatus};
use hive_shared::time::Stamp;
use hive_shared::work::Scope;

use super::row::{DownStatus, Row};
use crate::output::table::{Cell, Paint, Table};
use crate::output::text::{ago, bar, count, health_cell, limit_paint, seconds};

const COLUMNS: [&str; 10] =
    ["BOT", "STATE", "NOW", "USED", "TIME", "QUEUE", "CHAT", "ASKS", "LAST", "HEALTH"];
/// What is left out first where the terminal is narrow: what the other columns tell in part, then what matters least.
const DISPENSABLE: [&str; 5] = ["USED", "LAST", "CHAT", "TIME", "QUEUE"];

/// The fleet as a table, in characters that the locale can show.
pub fn table(rows: &[Row]) -> Table {
    overview(rows, Stamp::now(), crate::output::has_utf8_locale())
}

fn overview(rows: &[Row], now: Stamp, utf8: bool) -> Table {
    let mut table = Table::new(&COLUMNS)
        .at_most("STATE", 33)
        .gives_way("STATE", 9)
        .at_most("NOW", 40)
        .gives_way("NOW", 16)
        .gives_way("QUEUE", 12)
        .last_at_least(16)
        .dispensable(&DISPENSABLE)
        .optional(&["USED", "TIME", "CHAT", "ASKS"]);
    for row in rows {
        table.row(match row {
            Row::Up(status) => up_cells(status, now, utf8),
            Row::Down(status) => down_cells(status),
            Row::Trouble(status) => {
                let mut cells = vec![status.bot_id.as_str().into(), Cell::painted(status.state, Paint::Red)];
                cells.resize(COLUMNS.len() - 1, "".into());
                // The row says of which bot.
                let error = status.error.strip_prefix(status.bot_id.as_str()).unwrap_or(&status.error);
                cells.push(Cell::painted(error.trim_start_matches([':', ' ']), Paint::Red));
                cells
            }
        });
    }
    table
}

fn down_cells(status: &DownStatus) -> Vec<Cell> {
    let state = match (status.is_stopped, status.paused) {
        (true, true) => "down (STOP file), paused",
        (true, false) => "down (STOP file)",
        (false, true) => "down, paused",
        (false, false) => "down",
    };
    let queue = if status.waiting > 0 { count(status.waiting, "task") } else { String::new() };
    let mut cells = vec![status.bot_id.as_str().into(), Cell::painted(state, Paint::Yellow)];
    cells.extend(["", "", ""].map(Cell::from));
    cells.push(queue.into());
    cells
}

fn up_cells(status: &BotStatus, now: Stamp, utf8: bool) -> Vec<Cell> {
    let (mut what, mut used, mut time) = (String::new(), Cell::from(""), Cell::from(""));
    if let Some(current) = &status.current {
        let (spent, limit) = (current.elapsed_seconds, current.limit_seconds);
        let paint = |text: String| match limit_paint(spent, limit) {
            Some(paint) => Cell::painted(text, paint),
            None => text.into(),
        };
        what = format!("{} {}", current.id, current.title);
        used = paint(bar(spent, limit, utf8));
        time = paint(format!("{} of {}", seconds(spent), seconds(limit)));
    }
    if let Some(suspended) = &status.suspended {
        what = [what.as_str(), &format!("({} suspended)", suspended.id)].join(" ");
    }
    let asks = match status.approvals {
        0 => Cell::from(""),
        waiting => Cell::painted(waiting.to_string(), Paint::Yellow),
    };
    vec![
        status.bot_id.as_str().into(),
        state(status),
        what.trim().into(),
        used,
        time,
        queue(status).into(),
        chat(status).into(),
        asks,
        ago(status.last_activity, now).into(),
        health_cell(&status.health),
    ]
}

/// What a bot does, and what keeps it from more.
pub(super) fn state(status: &BotStatus) -> Cell {
    match (status.state, status.paused) {
        (BotState::Idle | BotState::Working, true) => {
            let what = if status.pause_scope == Some(Scope::Tasks) { "tasks paused" } else { "pausing" };
            Cell::painted(format!("{}, {what}", status.state.as_str()), Paint::Yellow)
        }
        (BotState::Paused, _) => Cell::painted(format!("paused{}", why_paused(status)), Paint::Yellow),
        (BotState::Stopping, _) => Cell::painted("stopping", Paint::Yellow),
        (BotState::Working, false) => Cell::painted("working", Paint::Green),
        (BotState::Idle, false) => "idle".into(),
    }
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

/// What waits, by priority; `-` if nothing does.
pub(in super::super) fn queue(status: &BotStatus) -> String {
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

/// The clients, and how many prompts wait; nothing where nobody chats.
fn chat(status: &BotStatus) -> String {
    match (status.chat_clients, status.queue.chat) {
        (0, 0) => String::new(),
        (clients, 0) => clients.to_string(),
        (clients, waiting) => format!("{clients}, {waiting} wait"),
    }
}

#[cfg(test)]
mod tests {
    use hive_shared::ids::BotId;

    use super::*;
    use crate::error::{Exit, Failure};

    const STATUS: &str = r#"{"bot_id":"BOT-002","state":"working","paused":false,"paused_by":[],"mode":"hybrid",
        "adapter":"echo","current":{"id":"TASK-1","title":"Mend\u001b the login","source":"file",
        "started_at":"2026-11-22T18:05:27Z","elapsed_seconds":1500,"limit_seconds":1800},
        "suspended":null,"queue":{"P0":1,"P1":0,"P2":4,"P3":0,"chat":1,"blocked":2},"chat_clients":2,"approvals":1,
        "last_activity":"2026-11-22T18:05:27Z","counts":{"completed":1,"failed":0,"cancelled":0,"timed_out":0,
        "incomplete":0},"health":{"status":"warning","reasons":["7 items wait"]}}"#;

    /// When the fleet is looked at.
    fn now() -> Stamp {
        "2026-11-22T18:06:42Z".parse().unwrap()
    }

    fn fleet() -> Vec<Row> {
        let status: BotStatus = serde_json::from_str(STATUS).unwrap();
        let down = Row::Down(DownStatus {
            is_stopped: true,
            bot_id: BotId::parse("BOT-003").unwrap(),
            state: "down",
            paused: true,
            paused_by: vec!["user".into()],
            pause_scope: Some(Scope::All),
            pause_reason: None,
            waiting: 5,
            paused_since: Some(now()),
        });
        let late = Failure::new(Exit::Unreachable, "it does not answer");
        vec![Row::Up(Box::new(status)), down, Row::trouble(&BotId::parse("BOT-4").unwrap(), late)]
    }

    #[test]
    fn the_fleet_is_a_table() {
        let text = overview(&fleet(), now(), true).render(None, false).text;
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[1],
            "BOT-002  working                   TASK-1 Mend\\x1b the login  ▰▰▰▰▱  25m00s of 30m00s  \
             P0:1 P2:4 chat:1 blocked:2  2, 1 wait  1     1m15s ago  warning: 7 items wait"
        );
        let cells = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(cells(lines[2]), ["BOT-003", "down", "(STOP", "file),", "paused", "5", "tasks"]);
        assert_eq!(cells(lines[3]), ["BOT-4", "unknown", "it", "does", "not", "answer"]);
    }

    #[test]
    fn a_narrow_terminal_keeps_what_matters() {
        let left_out = |edge| overview(&fleet(), now(), true).render(Some(edge), false).left_out;
        assert_eq!(left_out(200), [""; 0]);
        assert_eq!(left_out(120), ["USED"]);
        assert_eq!(left_out(80), ["USED", "LAST", "CHAT", "TIME"]);
        let narrow = overview(&fleet(), now(), true).render(Some(60), false).text;
        assert!(narrow.contains("working") && narrow.contains("warning: 7"), "{narrow}");
    }

    #[test]
    fn json_has_what_the_files_tell_of_a_bot_that_is_down() {
        assert_eq!(
            serde_json::to_value(&fleet()[1]).unwrap(),
            serde_json::json!({"bot_id": "BOT-003", "state": "down", "paused": true, "paused_by": ["user"],
                "pause_scope": "all", "pause_reason": null, "waiting": 5})
        );
    }

    #[test]
    fn time_alone_changes_nothing() {
        let (mut later, rows) = (fleet().remove(0), fleet());
        if let Row::Up(status) = &mut later {
            status.current.as_mut().unwrap().elapsed_seconds += 1.0;
            status.last_activity = match &rows[0] {
                Row::Up(first) => first.last_activity,
                Row::Down(_) | Row::Trouble(_) => unreachable!("it is up"),
            };
        }
        assert_ne!(later, rows[0]);
        assert_eq!(later.without_clocks(), rows[0].without_clocks());
    }
}
