//! `hivectl wait`.

use std::time::Duration;

use hive_shared::time::parse_duration;

use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, ItemRef};
use crate::output::Printer;
use crate::waiting::{ShowProgress, until_final};

const EXAMPLES: &str = "\
Examples:
  hivectl wait BUILD-7 BOT-003/TASK-1 --timeout 10m
  hivectl wait $(hivectl submit BOT-002 -f plan/*.md) -o ndjson    # a line as each ends";

/// Wait until tasks are final
///
/// Fails when one failed, also if it had failed before. With '-o ndjson' each is printed as it ends, and what is not
/// final when the time is over comes last. Ctrl-C leaves; the work goes on.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Tasks or prompts, as ID or BOT/ID
    #[arg(value_name = "ID", required = true)]
    pub items: Vec<ItemRef>,
    /// Give up after so long, such as 90s or 10m; the work goes on
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

/// Waits.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let mut located = Vec::new();
    for item in &args.items {
        located.push(fleet.locate(item, out).await?);
    }
    let waited = until_final(fleet, located, args.timeout, &mut ShowProgress, out).await;
    waited.tell(out);
    waited.end()
}
