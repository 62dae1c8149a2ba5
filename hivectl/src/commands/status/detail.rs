//! One bot with all there is to know, for a person who named it.

use hive_shared::api::{BotStatus, Counts};
use hive_shared::client::read_record;
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::time::{Stamp, show_duration};
use hive_shared::work::{Scope, Source};

use super::overview::{queue, state};
use super::row::{DownStatus, Row};
use crate::files::Files;
use crate::local;
use crate::output::Printer;
use crate::output::page::{Page, path};
use crate::output::table::{Cell, Paint};
use crate::output::text::{ago, bar, count, health_cell, limit_paint, local_time, seconds};

/// The bot in words, a line for each thing.
pub(super) fn words(row: &Row, hive: Option<&Hive>, out: &Printer) -> String {
    let mut page = Page::new(out.may_color());
    match row {
        Row::Up(status) => up(&mut page, status, hive, out.style().utf8),
        Row::Down(status) => down(&mut page, status, hive),
        Row::Trouble(trouble) => {
            page.line("bot", Cell::painted(trouble.bot_id.as_str(), Paint::Bold));
            page.line("state", Cell::painted(trouble.state, Paint::Red));
            if let Some(hive) = hive {
                recorded(&mut page, hive, &trouble.bot_id);
                files(&mut page, hive, &trouble.bot_id);
            }
        }
    }
    page.finish()
}

fn up(page: &mut Page, status: &BotStatus, hive: Option<&Hive>, utf8: bool) {
    let now = Stamp::now();
    page.line("bot", Cell::painted(status.bot_id.as_str(), Paint::Bold));
    page.line("state", state(status));
    if status.paused {
        pause(page, &status.paused_by, status.pause_scope, status.pause_reason.as_deref());
        page.some("since", pause_since(status, hive));
    }
    page.line("health", health_cell(&status.health));
    if let Some(current) = &status.current {
        let (spent, limit) = (current.elapsed_seconds, current.limit_seconds);
        page.line("now", format!("{} {}", current.id, current.title));
        let text = format!("{} {} of {}", bar(spent, limit, utf8), seconds(spent), seconds(limit));
        page.line(
            "",
            limit_paint(spent, limit).map_or_else(|| text.as_str().into(), |p| Cell::painted(&text, p)),
        );
        page.line("", format!("from {}, began {}", source(current.source), local_time(current.started_at)));
    }
    if let Some(suspended) = &status.suspended {
        page.line("suspended", format!("{} {}", suspended.id, suspended.title));
        let (spent, limit) = (suspended.elapsed_seconds, suspended.limit_seconds);
        let gave_way = count(suspended.preemptions as usize, "time");
        page.line("", format!("used {} of {}, gave way {gave_way}", seconds(spent), seconds(limit)));
    }
    let all = status.queue.total();
    let of_all =
        if all > 0 { format!("{} ({all} in all)", queue(status)) } else { "nothing waits".to_owned() };
    page.line("queue", of_all);
    let clients = count(status.chat_clients, "client");
    let prompts = count(status.queue.chat, "prompt");
    page.line("chat", if status.queue.chat > 0 { format!("{clients}, {prompts} waiting") } else { clients });
    if status.approvals > 0 {
        let text = format!("{} waiting: 'hivectl approvals {}' shows them", status.approvals, status.bot_id);
        page.line("approvals", Cell::painted(text, Paint::Yellow));
    }
    page.line("last", format!("{} ({})", ago(status.last_activity, now), local_time(status.last_activity)));
    page.line("ended", ended(&status.counts));
    page.line("adapter", status.adapter.as_str());
    page.line("mode", status.mode.as_str());
    if let Some(hive) = hive {
        recorded(page, hive, &status.bot_id);
        files(page, hive, &status.bot_id);
    }
}

fn down(page: &mut Page, status: &DownStatus, hive: Option<&Hive>) {
    let bot = &status.bot_id;
    page.line("bot", Cell::painted(bot.as_str(), Paint::Bold));
    page.line("state", Cell::painted("down", Paint::Yellow));
    if status.paused {
        pause(page, &status.paused_by, status.pause_scope, status.pause_reason.as_deref());
        page.some("since", status.paused_since.map(local_time));
    }
    let waiting = match status.waiting {
        0 => "no task files wait".to_owned(),
        waiting => format!("{} waiting", count(waiting, "task file")),
    };
    if status.is_stopped {
        page.line("stopped", Cell::painted("its STOP file keeps it from starting", Paint::Yellow));
    }
    page.line("queue", waiting);
    let Some(hive) = hive else { return };
    if let Ok(Some(record)) = read_record(hive, bot) {
        let since = local_time(record.started_at);
        let end = if local::is_agent(record.pid) {
            "it does not run the bot of this hive"
        } else {
            "it did not say good-bye"
        };
        page.line("last run", format!("pid {} on {}, started {since}; {end}", record.pid, record.host));
    }
    files(page, hive, bot);
    page.line("start it", format!("hivectl up {bot}"));
}

fn pause(page: &mut Page, by: &[String], scope: Option<Scope>, reason: Option<&str>) {
    let scope = if scope == Some(Scope::Tasks) { " (file tasks; chat goes on)" } else { "" };
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    page.line("paused", Cell::painted(format!("by {}{scope}{reason}", by.join(", ")), Paint::Yellow));
}

/// The time of the file that pauses it, if it is the user's pause.
fn pause_since(status: &BotStatus, hive: Option<&Hive>) -> Option<String> {
    let files = Files::new(hive?.clone(), status.bot_id.clone(), Vec::new());
    let by_user = status.paused_by.iter().any(|by| by == "user");
    files.pause_in_force().filter(|_| by_user)?.since.map(local_time)
}

fn source(source: Source) -> &'static str {
    match source {
        Source::File => "a task file",
        Source::Chat => "chat",
        Source::Control => "a control act",
    }
}

fn ended(counts: &Counts) -> String {
    let all = [
        (counts.completed, "completed"),
        (counts.failed, "failed"),
        (counts.timed_out, "timed out"),
        (counts.cancelled, "cancelled"),
        (counts.incomplete, "incomplete"),
    ];
    let some: Vec<_> = all.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if some.is_empty() { "nothing yet".to_owned() } else { some.join(", ") }
}

/// What the bot told of itself when it started.
fn recorded(page: &mut Page, hive: &Hive, bot: &BotId) {
    let Ok(Some(record)) = read_record(hive, bot) else { return };
    let up_for = show_duration(Stamp::now().since(record.started_at));
    page.line("process", format!("pid {} on {}, hive-agent {}", record.pid, record.host, record.version));
    page.line("up", format!("{up_for} (since {})", local_time(record.started_at)));
    page.line("url", record.url.as_str());
}

fn files(page: &mut Page, hive: &Hive, bot: &BotId) {
    page.line("tasks", path(&hive.tasks(bot)));
    page.line("log", path(&hive.activity_log(bot)));
}
