//! How a turn ended, in words.

use hive_shared::api::code;
use hive_shared::work::Status;

use super::look::Look;
use crate::output::escape::{Place, escape};
use crate::output::ink::Ink;
use crate::output::text::seconds;

/// How many of the files that changed are named.
const FILES: usize = 5;

/// The lines that tell it, and the empty one behind them; `took` is the time it used, if it began.
pub(super) fn ended(
    status: Status,
    error: Option<&str>,
    code: Option<&str>,
    files: &[String],
    took: Option<f64>,
    look: &Look,
) -> Vec<String> {
    let after =
        took.filter(|took| *took > 0.0).map(|took| format!(" after {}", seconds(took))).unwrap_or_default();
    // That what was cancelled was cancelled is no news.
    let why = error.filter(|_| code != Some(status.as_str()));
    let why = why.map(|why| format!(": {}", escape(why, Place::Line))).unwrap_or_default();
    let files = if files.is_empty() { String::new() } else { format!(" · changed {}", shown_files(files)) };
    let mut lines = match status {
        Status::Completed => {
            let took = took.map(seconds).unwrap_or_default();
            look.laid_out(&format!("✓ {took}{files}"), Ink::dim)
        }
        Status::Cancelled => look.laid_out(&format!("✗ cancelled{after}{why}{files}"), Ink::yellow),
        status => {
            let hint = way_out(status, code).map(|hint| look.laid_out(&format!("  {hint}"), Ink::dim));
            let mut lines = look.laid_out(&format!("✗ {}{after}{why}{files}", ended_how(status)), Ink::red);
            lines.extend(hint.unwrap_or_default());
            lines
        }
    };
    lines.push(String::new());
    lines
}

fn ended_how(status: Status) -> &'static str {
    match status {
        Status::TimedOut => "timed out",
        Status::Incomplete => "cut short",
        Status::Queued
        | Status::Blocked
        | Status::Running
        | Status::Suspended
        | Status::Completed
        | Status::Failed
        | Status::Cancelled => status.as_str(),
    }
}

fn way_out(status: Status, code: Option<&str>) -> Option<&'static str> {
    match code {
        Some(code::TIMED_OUT) => Some("ask for less at a time, or set chat_limit in hive.toml"),
        Some(code::CRASHED | code::STOPPED) => Some("what it had said is above; ask again to go on"),
        Some(code::PAUSED_NOW) => Some("/resume, then ask again"),
        Some(code::ADAPTER_UNAVAILABLE) => {
            Some("'hivectl doctor' tells what is wrong with the agent's command")
        }
        _ if status == Status::Failed => {
            Some("'hivectl logs' may tell more; the up arrow brings your words back")
        }
        _ => None,
    }
}

fn shown_files(files: &[String]) -> String {
    let shown: Vec<_> = files.iter().take(FILES).map(|file| escape(file, Place::Line)).collect();
    let more = files.len().saturating_sub(FILES);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
