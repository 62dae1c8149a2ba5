//! How the bot is, in words for somebody who talks with it.

use hive_shared::api::{BotState, BotStatus, HealthLevel, TaskView};
use hive_shared::work::{Scope, Source};

use crate::output::escape::{Place, escape};
use crate::output::ink::Ink;
use crate::output::text::seconds;
use crate::output::wrap::cut;

/// How wide a title may be among other words.
const TITLE: usize = 40;

/// What it does and what waits, a line each.
pub(super) fn lines(status: &BotStatus, ink: Ink) -> Vec<String> {
    let mut lines = vec![doing(status)];
    if let Some(suspended) = &status.suspended {
        lines.push(format!("{} is suspended, and will resume", suspended.id));
    }
    if let Some(pause) = pause(status) {
        lines.push(ink.yellow(&pause));
    }
    if status.health.status != HealthLevel::Healthy {
        let level = if status.health.status == HealthLevel::Warning { "warning" } else { "critical" };
        lines.push(
            ink.yellow(&format!("{level}: {}", escape(&status.health.reasons.join("; "), Place::Line))),
        );
    }
    lines
}

fn doing(status: &BotStatus) -> String {
    let what = match (&status.current, status.state) {
        (Some(current), _) => {
            let title = cut(&escape(&current.title, Place::Line), TITLE);
            let what = match current.source {
                Source::File | Source::Control => format!("works on {}: {title}", current.id),
                Source::Chat => format!("answers '{title}'"),
            };
            let (elapsed, limit) = (seconds(current.elapsed_seconds), seconds(current.limit_seconds));
            format!("{what} ({elapsed} of {limit})")
        }
        (None, BotState::Idle | BotState::Working | BotState::Paused) => "idle".to_owned(),
        (None, BotState::Stopping) => "stopping".to_owned(),
    };
    let queue = &status.queue;
    let tasks = queue.total() - queue.chat;
    let many = |count: usize, what: &str| match count {
        1 => format!("1 {what} waits"),
        _ => format!("{count} {what}s wait"),
    };
    let mut waits = Vec::new();
    if tasks > 0 {
        waits.push(many(tasks, "task"));
    }
    if queue.chat > 0 {
        waits.push(many(queue.chat, "prompt"));
    }
    if waits.is_empty() {
        waits.push("nothing waits".to_owned());
    }
    format!("{what}; {}", waits.join(", "))
}

/// Whether a prompt would wait, and what mends it.
fn pause(status: &BotStatus) -> Option<String> {
    if !status.paused {
        return None;
    }
    let reason = status.pause_reason.as_ref().map(|reason| format!(" ({})", escape(reason, Place::Line)));
    let reason = reason.unwrap_or_default();
    let by: Vec<_> = status.paused_by.iter().map(String::as_str).filter(|by| *by != "user").collect();
    Some(match (by.as_slice(), status.pause_scope) {
        ([], Some(Scope::Tasks)) => format!("its tasks are paused{reason}; it chats all the same"),
        ([], _) => format!("paused{reason}: what you say waits until /resume"),
        (by, _) => {
            format!("it has paused itself ({}): what you say waits until that is mended", by.join(", "))
        }
    })
}

/// The queue as a short list.
pub(super) fn queue(tasks: &[TaskView], total: usize, ink: Ink) -> Vec<String> {
    if tasks.is_empty() {
        return vec!["no task waits".to_owned()];
    }
    let longest = tasks.iter().map(|task| task.task_id.as_str().len()).max().unwrap_or(0);
    let mut lines: Vec<_> = tasks
        .iter()
        .map(|task| {
            let place = task.position.map_or_else(|| "-".to_owned(), |place| place.to_string());
            let blocked = task.blocked_reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            let title = escape(&format!("{}{blocked}", task.title), Place::Line);
            let id = format!("{:longest$}", task.task_id.as_str());
            format!(
                "{place:>3}  {}  {}  {:9}  {title}",
                ink.cyan(&id),
                task.priority.as_str(),
                task.status.as_str()
            )
        })
        .collect();
    if total > tasks.len() {
        lines.push(ink.dim(&format!("     and {} more", total - tasks.len())));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(change: impl FnOnce(&mut serde_json::Value)) -> Vec<String> {
        let mut json = serde_json::json!({"bot_id": "BOT-1", "state": "idle", "paused": false, "paused_by": [],
            "mode": "hybrid", "adapter": "echo", "current": null, "suspended": null,
            "queue": {"P0": 0, "P1": 0, "P2": 0, "P3": 0, "chat": 0, "blocked": 0},
            "chat_clients": 0, "approvals": 0, "last_activity": "2026-11-22T18:05:27.000000Z",
            "counts": {"completed": 0, "failed": 0, "cancelled": 0, "timed_out": 0, "incomplete": 0},
            "health": {"status": "healthy", "reasons": []}});
        change(&mut json);
        lines(&serde_json::from_value(json).unwrap(), Ink { color: false })
    }

    #[test]
    fn it_says_what_the_bot_does_and_whether_a_prompt_would_wait() {
        assert_eq!(status(|_| ()), ["idle; nothing waits"]);
        let busy = status(|s| {
            s["current"] = serde_json::json!({"id": "T-1", "title": "Mend\u{1b} it", "source": "file",
                "started_at": "2026-11-22T18:05:27Z", "elapsed_seconds": 65, "limit_seconds": 1800});
            s["queue"]["P1"] = 2.into();
            s["queue"]["chat"] = 1.into();
        });
        assert_eq!(busy, ["works on T-1: Mend\\x1b it (1m05s of 30m00s); 2 tasks wait, 1 prompt waits"]);
        let paused = status(|s| {
            s["state"] = "paused".into();
            s["paused"] = true.into();
            s["paused_by"] = serde_json::json!(["user"]);
            s["pause_scope"] = "all".into();
            s["pause_reason"] = "lunch".into();
        });
        assert_eq!(paused, ["idle; nothing waits", "paused (lunch): what you say waits until /resume"]);
    }
}
