//! `hivectl stop`.

use hive_shared::api::{BotStatus, Current, StopRequest};
use hive_shared::client::Client;
use hive_shared::work::Source;

use super::many::{Act, Which};
use super::status::Row;
use crate::error::{Exit, Failure};
use crate::files::Files;
use crate::fleet::Fleet;
use crate::output::Printer;

const EXAMPLES: &str = "\
Examples:
  hivectl stop BOT-002
  hivectl stop --all        # all that are up; 'hivectl down' lets their turns finish, and waits";

/// Halt bots at once
///
/// What runs goes back to the queue, for the next start; 'hivectl up' starts a bot again.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Which bots.
    #[command(flatten)]
    pub which: Which,
}

/// Stops bots.
pub async fn run(args: &Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    super::many::run(&args.which, &Stop, fleet, out).await
}

struct Stop;

impl Act for Stop {
    async fn up(&self, client: &Client) -> Result<BotStatus, Failure> {
        Ok(client.stop(&StopRequest::default()).await?)
    }

    fn down(&self, _: &Files) -> Option<Result<(), Failure>> {
        None
    }

    fn done(&self, row: &Row) -> String {
        let current = match row {
            Row::Up(status) => status.current.as_ref(),
            Row::Down(_) | Row::Trouble(_) => None,
        };
        match current {
            Some(Current { id, source: Source::Chat, .. }) => format!("stops; {id} is cut short"),
            Some(Current { id, .. }) => format!("stops; {id} goes back into the queue"),
            None => "stops".to_owned(),
        }
    }

    /// A bot that is down needs no stopping.
    fn is_needless(&self, failure: &Failure) -> bool {
        failure.exit == Exit::Unreachable
    }
}
