//! `hivectl cancel`.

use super::view;
use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, ItemRef};
use crate::output::Printer;

const EXAMPLES: &str = "\
Examples:
  hivectl cancel TASK-7
  hivectl cancel BOT-003/TASK-7          # where two bots have the id";

/// End a task or prompt, or take it out of the queue
///
/// The queue goes on; 'hivectl interrupt' ends whatever runs.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The task or prompt, as ID or BOT/ID
    #[arg(value_name = "ID")]
    pub item: ItemRef,
}

/// Cancels an item.
pub async fn run(args: &Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let located = fleet.locate(&args.item, out).await?;
    let client = located.client()?;
    client.cancel(&args.item.id).await?;
    let detail = client.task(&args.item.id).await?;
    out.one(&detail, |detail| {
        if detail.task.status.is_final() {
            view::in_a_line(&detail.bot_id, &detail.task)
        } else {
            format!("{} of {} is being cancelled\n", detail.task.task_id, detail.bot_id)
        }
    });
    Ok(Exit::Done)
}
