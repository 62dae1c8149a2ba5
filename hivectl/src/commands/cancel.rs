//! `hivectl cancel`.

use hive_shared::api::TaskDetail;

use super::view;
use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, ItemRef};
use crate::output::Printer;

const EXAMPLES: &str = "\
Examples:
  hivectl cancel TASK-7
  hivectl cancel TASK-8 TASK-9
  hivectl cancel BOT-003/TASK-7          # where two bots have the id";

/// End tasks or prompts, or take them out of the queue
///
/// The queue goes on; 'hivectl interrupt' ends whatever runs.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The tasks or prompts, as ID or BOT/ID
    #[arg(value_name = "ID", required = true)]
    pub items: Vec<ItemRef>,
}

/// Cancels items.
pub async fn run(args: &Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let cancel = async |item: &ItemRef, out: &mut Printer| {
        let located = fleet.locate(item, out).await?;
        let client = located.client()?;
        client.cancel(&item.id).await?;
        Ok(client.task(&item.id).await?)
    };
    super::several::run(&args.items, cancel, words, out).await
}

fn words(detail: &TaskDetail) -> String {
    if detail.task.status.is_final() {
        view::in_a_line(&detail.bot_id, &detail.task)
    } else {
        format!("{} of {} is being cancelled\n", detail.task.task_id, detail.bot_id)
    }
}
