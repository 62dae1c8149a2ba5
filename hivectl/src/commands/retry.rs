//! `hivectl retry`.

use super::view::{Owned, in_a_line};
use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, ItemRef};
use crate::output::Printer;

const EXAMPLES: &str = r#"Examples:
  hivectl retry TASK-7
  hivectl wait "$(hivectl retry TASK-7)""#;

/// Run a finished task again, as a new one
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The task, as ID or BOT/ID
    #[arg(value_name = "ID")]
    pub item: ItemRef,
}

/// Retries a task; prints the new one, where stdout is no terminal and no format is asked for its id alone.
pub async fn run(args: &Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let located = fleet.locate(&args.item, out).await?;
    let task = located.client()?.retry(&args.item.id).await?;
    if out.is_terminal() || out.format_is_chosen() {
        out.one(&Owned { bot_id: &located.bot, task: &task }, |_| in_a_line(&located.bot, &task));
    } else {
        out.result(&format!("{}\n", task.task_id));
    }
    Ok(Exit::Done)
}
