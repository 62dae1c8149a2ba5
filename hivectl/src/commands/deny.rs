//! `hivectl deny`.

use super::approvals::{answer, option_of_kind};
use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, ItemRef};
use crate::output::Printer;

const EXAMPLES: &str = "\
Examples:
  hivectl deny CTL-12
  hivectl approve CTL-12 reject_always   # an option of another kind is named";

/// Refuse what an agent asks permission for
///
/// It is refused once, whatever the agent offers, and its work goes on without: where it has no option for that, the
/// request has one more, 'deny', and the agent is told that nothing was chosen, as when its time is up.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The request, as APPROVAL or BOT/APPROVAL
    #[arg(value_name = "ID")]
    pub item: ItemRef,
}

/// Answers with the option that refuses.
pub async fn run(args: &Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    answer(&args.item, "reject", |approval| option_of_kind(approval, "reject"), fleet, out).await
}
