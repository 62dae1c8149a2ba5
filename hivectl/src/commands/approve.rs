//! `hivectl approve`.

use super::approvals::{answer, option_named, option_of_kind};
use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, ItemRef};
use crate::output::Printer;

const EXAMPLES: &str = "\
Examples:
  hivectl approve CTL-12                 # once
  hivectl approve BOT-002/CTL-12 allow_always";

/// Allow what an agent asks permission for
///
/// 'hivectl approvals' lists what waits, and the options of each.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The request, as APPROVAL or BOT/APPROVAL
    #[arg(value_name = "ID")]
    pub item: ItemRef,
    /// One of its options, by id, name or kind [default: the one that allows it once]
    #[arg(value_name = "OPTION")]
    pub option: Option<String>,
}

/// Answers with an option.
pub async fn run(args: &Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let choose = |approval: &_| match &args.option {
        Some(name) => option_named(approval, name),
        None => option_of_kind(approval, "allow"),
    };
    answer(&args.item, args.option.as_deref().unwrap_or("allow"), choose, fleet, out).await
}
