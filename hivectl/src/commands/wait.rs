//! `hivectl wait`.

use std::time::Duration;

use hive_shared::time::parse_duration;

use super::view;
use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, ItemRef};
use crate::output::Printer;
use crate::waiting::{ShowProgress, Waited, until_final};

const EXAMPLES: &str = "\
Examples:
  hivectl wait BUILD-7 BOT-003/TASK-1 --timeout 10m";

/// Wait until tasks are final
///
/// Fails when one failed, also if it had failed before. Ctrl-C leaves; the work goes on.
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
    report(&waited, out)
}

/// Tells how the items ended, and what stood in the way of waiting for all.
fn report(waited: &Waited, out: &mut Printer) -> Result<Exit, Failure> {
    out.many(&waited.details, view::ended);
    match &waited.failure {
        Some(failure) => Err(failure.clone()),
        None => Ok(waited.exit()),
    }
}
