//! `hivectl resume`.

use hive_shared::api::BotStatus;
use hive_shared::client::Client;

use super::many::{Act, Which};
use super::status::Row;
use crate::error::{Exit, Failure};
use crate::files::Files;
use crate::fleet::Fleet;
use crate::output::Printer;

const EXAMPLES: &str = "\
Examples:
  hivectl resume BOT-002
  hivectl resume --all";

/// Lift a pause made by 'hivectl pause' or a PAUSE file
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Which bots.
    #[command(flatten)]
    pub which: Which,
}

/// Resumes bots.
pub async fn run(args: &Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    super::many::run(&args.which, &Resume, fleet, out).await
}

struct Resume;

impl Act for Resume {
    async fn up(&self, client: &Client) -> Result<BotStatus, Failure> {
        Ok(client.resume().await?)
    }

    fn down(&self, files: &Files) -> Option<Result<(), Failure>> {
        Some(files.resume())
    }

    fn done(&self, row: &Row) -> String {
        match row {
            Row::Up(status) if status.paused => {
                format!("is still paused by itself: {}", status.paused_by.join(", "))
            }
            Row::Up(_) | Row::Down(_) | Row::Trouble(_) => "is not paused".to_owned(),
        }
    }

    fn is_needless(&self, _: &Failure) -> bool {
        false
    }
}
