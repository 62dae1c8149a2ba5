//! `hivectl interrupt`.

use hive_shared::api::{BotStatus, code};
use hive_shared::client::{Client, ClientError};

use super::many::{Act, Which};
use super::status::Row;
use crate::error::{Exit, Failure};
use crate::files::Files;
use crate::fleet::Fleet;
use crate::output::Printer;

const IDLE_HINT: &str = "'hivectl cancel ID' ends an item that waits";

const EXAMPLES: &str = "\
Examples:
  hivectl interrupt BOT-002
  hivectl pause BOT-002 && hivectl interrupt BOT-002";

/// End what a bot is doing right now
///
/// It ends as cancelled; the queue and a suspended task go on.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Which bots.
    #[command(flatten)]
    pub which: Which,
}

/// Interrupts bots.
pub async fn run(args: &Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    super::many::run(&args.which, &Interrupt, fleet, out).await
}

struct Interrupt;

impl Act for Interrupt {
    async fn up(&self, client: &Client) -> Result<BotStatus, Failure> {
        client.interrupt().await.map_err(|error| match error {
            ClientError::Conflict { ref code, .. } if code == code::IDLE => {
                Failure::from(error).hint(IDLE_HINT)
            }
            error => error.into(),
        })
    }

    fn down(&self, _: &Files) -> Option<Result<(), Failure>> {
        None
    }

    fn done(&self, _: &Row) -> String {
        "is interrupted".to_owned()
    }

    /// A bot that does nothing has nothing to interrupt.
    fn is_needless(&self, failure: &Failure) -> bool {
        failure.exit == Exit::Unreachable || failure.hint.as_deref() == Some(IDLE_HINT)
    }
}
