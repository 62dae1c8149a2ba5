//! `hivectl prioritize`.

use hive_shared::work::Priority;

use super::documents;
use super::view::{Owned, in_a_line};
use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, ItemRef};
use crate::output::Printer;

const EXAMPLES: &str = "\
Examples:
  hivectl prioritize TASK-7 P0
  hivectl prioritize BOT-003/TASK-7 low";

/// Change the priority of a waiting task
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The task, as ID or BOT/ID
    #[arg(value_name = "ID")]
    pub item: ItemRef,
    /// P0 (first) to P3 (last)
    #[arg(value_name = "PRIORITY", value_parser = documents::priority)]
    pub priority: Priority,
}

/// Changes a priority.
pub async fn run(args: &Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let located = fleet.locate(&args.item, out).await?;
    let task = located.client()?.prioritize(&args.item.id, args.priority).await?;
    out.one(&Owned { bot_id: &located.bot, task: &task }, |_| in_a_line(&located.bot, &task));
    Ok(Exit::Done)
}
