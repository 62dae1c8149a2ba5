//! `hivectl retry`.

use hive_shared::api::TaskView;
use hive_shared::ids::BotId;
use serde::Serialize;

use super::view::in_a_line;
use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, ItemRef};
use crate::output::Printer;

const EXAMPLES: &str = "\
Examples:
  hivectl retry TASK-7
  hivectl wait $(hivectl retry TASK-7 TASK-8)";

/// Run finished tasks again, as new ones
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The tasks, as ID or BOT/ID
    #[arg(value_name = "ID", required = true)]
    pub items: Vec<ItemRef>,
}

/// The new task, with the bot that has it.
#[derive(Debug, Serialize)]
struct Again {
    bot_id: BotId,
    #[serde(flatten)]
    task: TaskView,
}

/// Retries tasks; prints the new ones, where stdout is no terminal and no format is asked for their ids alone.
pub async fn run(args: &Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let in_words = out.is_terminal() || out.format_is_chosen();
    let retry = async |item: &ItemRef, out: &mut Printer| {
        let located = fleet.locate(item, out).await?;
        let task = located.client()?.retry(&item.id).await?;
        Ok(Again { bot_id: located.bot, task })
    };
    let words = |Again { bot_id, task }: &Again| {
        if in_words { in_a_line(bot_id, task) } else { format!("{}\n", task.task_id) }
    };
    super::several::run(&args.items, retry, words, out).await
}
