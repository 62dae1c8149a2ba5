//! `hivectl show`.

use std::path::PathBuf;

use hive_shared::api::TaskDetail;
use hive_shared::paths::Hive;
use hive_shared::task::UNKNOWN_SENDER;
use hive_shared::time::Stamp;

use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, ItemRef, Reach};
use crate::output::Printer;
use crate::output::page::{Page, path};
use crate::output::steps;
use crate::output::table::{Cell, Paint};
use crate::output::text::{ago, local_time, seconds, status_cell};

const EXAMPLES: &str = r#"Examples:
  hivectl show TASK-7
  hivectl show TASK-7 --diff | git -C "$(git rev-parse --show-toplevel)" apply -R   # takes it back
  hivectl show BOT-003/TASK-7 -o json | jq -r .status"#;

/// Show a task or prompt: its state and its response
///
/// With --diff, what it changed in the bot's working directory, as a patch that 'git apply' takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The task or prompt, as ID or BOT/ID
    #[arg(value_name = "ID")]
    pub item: ItemRef,
    /// Print what it changed, as a patch
    #[arg(long)]
    pub diff: bool,
}

/// Shows an item.
pub async fn run(args: &Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let located = fleet.locate(&args.item, out).await?;
    if let Reach::Down(files) = &located.reach {
        files.announce(out);
    }
    if args.diff {
        return super::diff::show(&located, &args.item.id, out).await;
    }
    let color = out.may_color();
    out.one(&located.detail, |detail| words(detail, fleet.hive(), color));
    Ok(Exit::Done)
}

fn words(detail: &TaskDetail, hive: Option<&Hive>, color: bool) -> String {
    let task = &detail.task;
    let now = Stamp::now();
    let when = |stamp: Stamp| format!("{} ({})", local_time(stamp), ago(stamp, now));
    let list = |items: &[String]| (!items.is_empty()).then(|| items.join(", "));
    let depends: Vec<_> = task.depends_on.iter().map(ToString::to_string).collect();
    let times = |count: u32| (count > 0).then(|| count.to_string());
    let red = |text: &String| Cell::painted(text, Paint::Red);

    let mut page = Page::new(color);
    page.line("id", Cell::painted(task.task_id.as_str(), Paint::Bold));
    page.line("bot", detail.bot_id.as_str());
    page.line("title", task.title.as_str());
    page.line("status", status_cell(task.status));
    page.some("error", detail.error.as_ref().map(red));
    page.some("error code", detail.error_code.as_deref());
    let blocked = task.blocked_reason.as_deref().filter(|_| !task.status.is_final());
    page.some("blocked", blocked.map(|reason| Cell::painted(reason, Paint::Yellow)));
    page.some("place", task.position.map(|p| p.to_string()));
    for warning in &task.warnings {
        page.line("warning", Cell::painted(warning, Paint::Yellow));
    }
    page.gap();
    page.line("source", detail.source.as_str());
    page.line("priority", task.priority.as_str());
    page.some("from", Some(task.from.as_str()).filter(|from| *from != UNKNOWN_SENDER));
    page.some("to", task.to.as_deref().filter(|to| *to != detail.bot_id.as_str()));
    page.line("created", when(task.created));
    page.some("started", detail.started_at.map(when));
    page.some("ended", detail.completed_at.map(when));
    let limit = seconds(task.limit_seconds);
    match detail.duration_seconds {
        Some(took) => page.line("took", format!("{} of {limit}", seconds(took))),
        None => page.line("limit", limit),
    }
    page.some("interruptible", (!task.interruptible).then_some("no"));
    page.some("depends on", list(&depends));
    page.some("attempts", times(task.attempts));
    page.some("preemptions", times(task.preemptions));
    page.some("retry of", task.retry_of.as_ref().map(ToString::to_string));
    for (name, value) in &task.fields {
        page.line(name, value.as_str());
    }
    page.some("file", Some(file(detail, hive)).filter(|file| !file.is_empty()));
    page.some("response file", detail.response_file.as_deref().map(|name| response_file(name, hive)));
    page.some("changed files", list(&detail.files_modified));
    let steps = steps::lines(&detail.steps, detail.steps_truncated);
    if !steps.is_empty() {
        page.gap();
    }
    for (index, step) in steps.into_iter().enumerate() {
        page.line(if index == 0 { "steps" } else { "" }, step);
    }
    if let Some(response) = detail.response.as_deref().filter(|text| !text.is_empty()) {
        page.gap();
        page.block(response);
        if detail.content_truncated {
            page.block(&format!("… (cut; 'hivectl response {}' prints all of it)", task.task_id));
        }
    }
    page.finish()
}

/// The task's file, where it is now.
fn file(detail: &TaskDetail, hive: Option<&Hive>) -> String {
    let name = &detail.task.file;
    let places =
        |hive: &Hive| [hive.tasks(&detail.bot_id), hive.archive(&detail.bot_id)].map(|dir| dir.join(name));
    let there = hive.into_iter().flat_map(places).find(|path| path.is_file());
    there.map_or_else(|| name.clone(), |file| path(&file))
}

fn response_file(name: &str, hive: Option<&Hive>) -> String {
    let there = hive.map(|hive| hive.responses().join(name)).filter(|path: &PathBuf| path.is_file());
    there.map_or_else(|| name.to_owned(), |file| path(&file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail() -> TaskDetail {
        serde_json::from_value(
            serde_json::json!({"bot_id": "BOT-1", "task_id": "A-1", "title": "Mend\u{1b} it",
            "priority": "P1", "status": "failed", "position": null, "from": "dana", "to": null,
            "created": "2026-11-22T18:05:27Z", "limit_seconds": 600.0, "interruptible": true,
            "depends_on": ["A-0"], "file": "A-1.md", "attempts": 1, "preemptions": 0, "source": "file",
            "duration_seconds": 12.0, "error": "exit status 3", "error_code": "exit_status",
            "response_file": "A-1-response.md", "response": "all\nof it", "warnings": ["no date"],
            "fields": {"Scope": "all"}}),
        )
        .unwrap()
    }

    #[test]
    fn an_item_is_laid_out_with_files_that_can_be_opened() {
        let dir = tempfile::tempdir().unwrap();
        let (hive, detail) = (Hive::at(dir.path()), detail());
        hive.create(Some(&detail.bot_id)).unwrap();
        std::fs::write(hive.archive(&detail.bot_id).join("A-1.md"), "x").unwrap();
        let text = words(&detail, Some(&hive), false);
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        assert_eq!(value("title:"), Some("Mend\\x1b it"));
        assert_eq!(value("took:"), Some("12s of 10m00s"));
        assert_eq!((value("Scope:"), value("warning:")), (Some("all"), Some("no date")));
        let file = std::env::current_dir().unwrap().join(value("file:").unwrap());
        assert_eq!(std::fs::read_to_string(file).unwrap(), "x");
        // What is not there is known by its name alone.
        assert_eq!(value("response file:"), Some("A-1-response.md"));
        assert!(text.ends_with("\n\nall\nof it\n"), "{text}");
    }

    #[test]
    fn what_the_agent_did_stands_before_what_it_said() {
        let steps = serde_json::json!([{"type": "thought", "content": "hm"},
            {"type": "tool_call", "title": "Edit a", "kind": "edit", "status": "completed"}]);
        let detail = TaskDetail { steps: serde_json::from_value(steps).unwrap(), ..detail() };
        let text = words(&detail, None, false);
        let expected = "\n\nsteps:         hm\n               → Edit a (edit): completed\n\nall\nof it\n";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn what_went_wrong_stands_out_where_colours_are_welcome() {
        let text = words(&detail(), None, true);
        for red in ["\x1b[31mfailed\x1b[0m", "\x1b[31mexit status 3\x1b[0m", "\x1b[33mno date\x1b[0m"] {
            assert!(text.contains(red), "{text:?}");
        }
    }
}
