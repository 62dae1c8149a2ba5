//! `hivectl show`.

use std::fmt::Write;

use hive_shared::api::TaskDetail;

use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, ItemRef, Reach};
use crate::output::Printer;
use crate::output::escape::{Place, escape};
use crate::output::text::{local_time, seconds};

/// Show a task or prompt: its state and its response
///
/// With --diff, what it changed in the bot's working directory, as a patch that 'git apply' takes.
#[derive(Debug, clap::Args)]
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
    out.one(&located.detail, words);
    Ok(Exit::Done)
}

fn words(detail: &TaskDetail) -> String {
    let task = &detail.task;
    let list = |items: &[String]| (!items.is_empty()).then(|| items.join(", "));
    let depends: Vec<_> = task.depends_on.iter().map(ToString::to_string).collect();
    let times = |count: u32| (count > 0).then(|| count.to_string());
    let lines = [
        ("id", Some(task.task_id.to_string())),
        ("bot", Some(detail.bot_id.to_string())),
        ("title", Some(task.title.clone())),
        ("source", Some(detail.source.to_string())),
        ("status", Some(task.status.to_string())),
        ("error", detail.error.clone()),
        ("error code", detail.error_code.clone()),
        ("blocked", task.blocked_reason.clone()),
        ("place", task.position.map(|p| p.to_string())),
        ("priority", Some(task.priority.to_string())),
        ("from", Some(task.from.clone())),
        ("to", task.to.clone()),
        ("created", Some(local_time(task.created))),
        ("started", detail.started_at.map(local_time)),
        ("ended", detail.completed_at.map(local_time)),
        ("took", detail.duration_seconds.map(seconds)),
        ("limit", Some(seconds(task.limit_seconds))),
        ("interruptible", (!task.interruptible).then(|| "no".to_owned())),
        ("depends on", list(&depends)),
        ("attempts", times(task.attempts)),
        ("preemptions", times(task.preemptions)),
        ("retry of", task.retry_of.as_ref().map(ToString::to_string)),
        ("file", Some(task.file.clone())),
        ("response file", detail.response_file.clone()),
        ("changed files", list(&detail.files_modified)),
    ];
    let fixed = lines.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    let fields = task.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let warnings = task.warnings.iter().map(|warning| ("warning", warning.as_str()));
    let mut text = String::new();
    for (name, value) in fixed.chain(fields).chain(warnings) {
        let name = escape(&format!("{name}:"), Place::Line);
        let _infallible = writeln!(text, "{name:<15}{}", escape(value, Place::Line));
    }
    if let Some(response) = &detail.response {
        text.push('\n');
        text.push_str(&escape(response, Place::Block));
        if !text.ends_with('\n') {
            text.push('\n');
        }
        if detail.content_truncated {
            let _infallible = writeln!(text, "… (cut; 'hivectl response {}' prints all of it)", task.task_id);
        }
    }
    text
}
