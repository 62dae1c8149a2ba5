//! The command line of hive-agent (SPEC 11). The doc comments are the help text.

use std::path::PathBuf;

use clap::Parser;
use hive_shared::ids::BotId;
use hive_shared::settings::AdapterKind;
use hive_shared::work::Mode;

/// Run one bot of a hive: file tasks, chat, and one timeline of both.
///
/// The bot takes tasks from .deia/hive/tasks/BOT-ID/ and prompts from its WebSocket, lets people go first, suspends a
/// long task for them and resumes it after. Nothing that it accepted is lost, not even by a kill -9.
#[derive(Debug, Parser)]
#[allow(clippy::struct_excessive_bools, reason = "flags are booleans")]
#[command(name = "hive-agent", version, after_help = EXAMPLES)]
pub struct Args {
    /// The bot to run, such as BOT-002.
    #[arg(value_name = "BOT-ID", required_unless_present = "demo")]
    pub bot: Option<BotId>,

    /// The directory that holds .deia; else the nearest one around the working directory.
    #[arg(long, value_name = "DIR", env = "HIVE_DIR")]
    pub hive: Option<PathBuf>,

    /// Which kinds of work to take: cli-only, hybrid or commander-only.
    #[arg(long, value_name = "MODE")]
    pub mode: Option<Mode>,

    /// What drives the coding agent: echo, exec or openai.
    #[arg(long, value_name = "NAME")]
    pub adapter: Option<AdapterKind>,

    /// Where to listen; port 0 is a free one.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,

    /// Where the agent works; else the directory that holds .deia.
    #[arg(long, value_name = "DIR")]
    pub workdir: Option<PathBuf>,

    /// Listen beyond this machine without encryption: whoever sees the traffic sees the token.
    #[arg(long)]
    pub insecure: bool,

    /// Print the settings in force and where each comes from, and exit.
    #[arg(long)]
    pub check: bool,

    /// Show what this is, in about ten seconds: a bot in a temporary hive, with the built-in echo adapter.
    #[arg(long, conflicts_with_all = ["bot", "hive", "check"])]
    pub demo: bool,

    /// Leave the terminal, so that neither its end nor a Ctrl-C in it reaches the bot. `hivectl up` says this; a shell
    /// would not wait for such a program.
    #[arg(long, hide = true)]
    pub detached: bool,

    /// Say less on stderr: errors only.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say more on stderr; twice for everything.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

const EXAMPLES: &str = "\
Examples:
  hive-agent --demo                        see it work
  hivectl init && hive-agent BOT-002       a bot in this directory
  hive-agent BOT-002 --check               what its settings are, and why

Exit status: 0 stopped as asked; 1 it could not start, or had to give up; 2 usage.";
