//! `hivectl pause`.

use hive_shared::api::{BotStatus, PauseRequest};
use hive_shared::client::Client;
use hive_shared::work::Scope;

use super::many::{Act, Which};
use super::status::Row;
use crate::error::{Exit, Failure};
use crate::files::Files;
use crate::fleet::Fleet;
use crate::output::Printer;

const EXAMPLES: &str = r#"Examples:
  hivectl pause BOT-002 --reason "the disk is being changed"
  hivectl pause --all --tasks"#;

/// Let nothing new start
///
/// The current turn finishes, then the bot rests until 'hivectl resume'.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Which bots.
    #[command(flatten)]
    pub which: Which,
    /// Do not let the current turn finish: a task is suspended, a chat answer cut short
    #[arg(long)]
    pub now: bool,
    /// Hold file tasks alone; chat goes on
    #[arg(long, conflicts_with = "now")]
    pub tasks: bool,
    /// Why, for other people
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Pauses bots.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let scope = if args.tasks { Scope::Tasks } else { Scope::All };
    let pause = Pause(PauseRequest { now: args.now, scope, reason: args.reason });
    super::many::run(&args.which, &pause, fleet, out).await
}

struct Pause(PauseRequest);

impl Act for Pause {
    async fn up(&self, client: &Client) -> Result<BotStatus, Failure> {
        Ok(client.pause(&self.0).await?)
    }

    fn down(&self, files: &Files) -> Option<Result<(), Failure>> {
        Some(files.pause(self.0.scope, self.0.reason.as_deref()))
    }

    fn done(&self, row: &Row) -> String {
        let current = match row {
            Row::Up(status) => status.current.as_ref(),
            Row::Down(_) | Row::Trouble(_) => None,
        };
        match current {
            Some(current) => format!("pauses when {} is over", current.id),
            None => "is paused".to_owned(),
        }
    }

    fn is_needless(&self, _: &Failure) -> bool {
        false
    }
}
