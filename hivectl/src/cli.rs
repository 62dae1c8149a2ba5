//! The command line.

#![expect(clippy::doc_markdown, reason = "these doc comments are help texts, read in a terminal")]

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::error::{Exit, Failure};
use crate::output::{Format, Options, Printer};

/// Directs the bots of a hive: submit work, wait for it, chat, pause, and see what happens.
///
/// The hive is the one named by --hive or HIVE_DIR, else the nearest directory above that holds .deia/.
#[derive(Debug, Parser)]
#[command(name = "hivectl", version, max_term_width = 100, after_help = EXIT_HELP)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_HELP: &str = "\
Exit status: 0 done; 1 failed, timed out or incomplete; 2 usage, or an id of two bots; 3 the bot cannot be reached; \
4 no such bot, task or entry; 5 gave up waiting (the work goes on); 6 cancelled or denied; 7 conflict or refused; \
8 not authorised; 130 ended by the user.";

/// What holds for every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options for every command")]
pub struct Global {
    /// The hive: the directory that holds .deia/ [env: HIVE_DIR]
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "url")]
    pub hive: Option<PathBuf>,
    /// A bot on another machine, instead of a hive [env: HIVE_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// A file with the token for --url [env: HIVE_TOKEN holds the token itself]
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// A PEM file of the certificates to trust for --url, instead of the machine's [env: HIVE_CA]
    #[arg(long, global = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// How results are shown
    #[arg(short, long, global = true, value_name = "FORMAT", value_enum)]
    pub output: Option<Format>,
    /// Neither progress nor notices
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// More notices
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

impl Global {
    /// What it says about output.
    pub fn output_options(&self) -> Options {
        Options { format: self.output, quiet: self.quiet, verbose: self.verbose }
    }
}

/// The commands. What each does is told by the type of its arguments, whose doc comment is its help.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "a comment here would take the place of the help")]
pub enum Command {
    Init(commands::init::Args),
    Submit(commands::submit::Args),
    Wait(commands::wait::Args),
    Tasks(commands::tasks::Args),
    Show(commands::show::Args),
    Response(commands::response::Args),
    Cancel(commands::cancel::Args),
    Retry(commands::retry::Args),
    Prioritize(commands::prioritize::Args),
    Ask(commands::ask::Args),
    Chat(commands::chat::Args),
    Pause(commands::pause::Args),
    Resume(commands::resume::Args),
    Interrupt(commands::interrupt::Args),
    Stop(commands::stop::Args),
    Status(commands::status::Args),
    Timeline(commands::timeline::Args),
    Approvals(commands::approvals::Args),
    Approve(commands::approve::Args),
    Deny(commands::deny::Args),
}

/// Says what clap found: help where it was asked for, else the error in one line and a hint.
pub fn explain(error: &clap::Error, out: &mut Printer) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = error.render();
            out.result(&if out.may_color() { text.ansi().to_string() } else { text.to_string() });
            Exit::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            out.failure(&Failure::usage("no command is given").hint("'hivectl --help' lists the commands"))
        }
        _ => out.failure(&usage_failure(&error.render().to_string())),
    }
}

/// clap's text is an `error:` paragraph, perhaps a `tip:`, then the usage.
fn usage_failure(text: &str) -> Failure {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let (head, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let message = head.split_whitespace().collect::<Vec<_>>().join(" ");
    let tip = rest.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let usage = rest.lines().find_map(|line| line.strip_prefix("Usage: "));
    Failure::usage(message).hint(tip.or(usage).unwrap_or("'hivectl --help' lists commands and options"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_wrong_command_line_is_one_line_and_a_hint() {
        let explain =
            |args: &[&str]| usage_failure(&Cli::try_parse_from(args).unwrap_err().render().to_string());
        let failure = explain(&["hivectl", "pause", "BOT-1", "--task"]);
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.message, "unexpected argument '--task' found");
        assert_eq!(failure.hint.as_deref(), Some("a similar argument exists: '--tasks'"));
        let failure = explain(&["hivectl", "show"]);
        assert_eq!(failure.message, "the following required arguments were not provided: <ID>");
        assert!(failure.hint.unwrap().starts_with("hivectl show"));
    }
}
