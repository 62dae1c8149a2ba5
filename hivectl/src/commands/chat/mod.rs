//! `hivectl chat`.

mod command;
mod editor;
mod endings;
mod errands;
mod haste;
mod history;
mod keys;
mod leaving;
mod look;
mod obey;
mod person;
mod requests;
mod screen;
mod script;
mod standing;
mod turns;
mod view;

use std::io::IsTerminal as _;

use hive_shared::ids::{BotId, ItemId};
use hive_shared::time::Stamp;
use hive_shared::work::Mode;

use super::spoken;
use crate::error::{Exit, Failure};
use crate::fleet::Fleet;
use crate::interrupt::Interrupts;
use crate::output::{Format, Printer};

const EXAMPLES: &str = "\
Examples:
  hivectl chat BOT-002
  hivectl chat BOT-002 --session review
  printf '%s\\n' 'Read the diff.' 'What is wrong with it?' | hivectl chat BOT-002 --new

Where stdin is no terminal, each line of it is a prompt, said when the one before it is answered. stdout gets the \
answers as they are, and the exit status is that of the worst: 1 before 6 before 0.

What you type is kept in $XDG_STATE_HOME/hivectl/history, else ~/.local/state/hivectl/history, or in the file that \
HIVECTL_HISTORY names; HIVECTL_HISTORY= keeps nothing.";

/// Talk with a bot
///
/// What you say is answered before any file task. You may type while it answers; what you say then waits its turn.
/// Ctrl-C cancels the answer that comes; once more leaves. /help lists commands and keys.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The bot
    #[arg(value_name = "BOT")]
    pub bot: BotId,
    /// The conversation to go on with, instead of your own
    #[arg(long, value_name = "NAME", conflicts_with = "new")]
    pub session: Option<String>,
    /// Begin a new conversation
    #[arg(long)]
    pub new: bool,
}

/// Talks until the user leaves.
pub async fn run(
    args: Args,
    fleet: &Fleet,
    out: &mut Printer,
    interrupts: &mut Interrupts,
) -> Result<Exit, Failure> {
    if out.format() == Format::Json {
        return Err(
            Failure::usage("a chat is not one document").hint("use '-o ndjson', or 'hivectl ask -o json'")
        );
    }
    let client = fleet.client(&args.bot).await?;
    let session = if args.new { Some(new_session()) } else { args.session };
    let is_person = std::io::stdin().is_terminal();
    if !(is_person && out.is_terminal() && out.may_redraw() && out.format() == Format::Table) {
        return script::talk(client, session, is_person, out, interrupts).await;
    }
    let status = client.status().await?;
    if status.mode == Mode::CliOnly {
        return Err(spoken::no_chat(&args.bot));
    }
    person::talk(client, &status, session, out, interrupts).await
}

fn new_session() -> String {
    ItemId::generate("session", Stamp::now().timestamp()).to_string()
}
