//! The command line.

#![expect(clippy::doc_markdown, reason = "these doc comments are help texts, read in a terminal")]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use hive_shared::nearest::probable;

use crate::commands;
use crate::error::{Exit, Failure};
use crate::help::grouped;
use crate::output::{Format, Options, Printer};

/// Directs the bots of a hive: submit work, wait for it, chat, pause, and see what happens.
///
/// The hive is the one named by --hive or HIVE_DIR, else the nearest directory above that holds .deia/.
#[derive(Debug, Parser)]
#[command(name = "hivectl", version, max_term_width = 100, after_help = EXIT_HELP, arg_required_else_help = true)]
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
8 not authorised; 130 ended by the user.

Examples:
  hivectl submit BOT-002 \"Write the release notes\" --wait
  hivectl ask BOT-002 \"How far are you?\"
  hivectl status
  hivectl help submit";

impl Cli {
    /// Reads a command line.
    pub fn read(args: &[OsString]) -> Result<Self, clap::Error> {
        let mut matches = grouped(Self::command()).try_get_matches_from(args)?;
        Self::from_arg_matches_mut(&mut matches)
    }
}

/// What holds for every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options for every command")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
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
    /// Send the token unencrypted to an http:// URL beyond this machine [env: HIVE_INSECURE=1]
    #[arg(long, global = true)]
    pub insecure: bool,
    /// How results are shown
    #[arg(short, long, global = true, value_name = "FORMAT", value_enum)]
    pub output: Option<Format>,
    /// The same as '-o json', as other tools spell it
    #[arg(long, global = true, hide = true, conflicts_with = "output")]
    pub json: bool,
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
        let format = self.output.or(self.json.then_some(Format::Json));
        Options { format, quiet: self.quiet, verbose: self.verbose }
    }
}

/// The commands. What each does is told by the type of its arguments, whose doc comment is its help. The aliases are
/// what people who know other tools try first.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "a comment here would take the place of the help")]
pub enum Command {
    Init(commands::init::Args),
    #[command(alias = "add")]
    Submit(commands::submit::Args),
    Wait(commands::wait::Args),
    #[command(aliases = ["task", "queue", "list", "ls"])]
    Tasks(commands::tasks::Args),
    Show(commands::show::Args),
    #[command(aliases = ["result", "answer"])]
    Response(commands::response::Args),
    #[command(aliases = ["rm", "delete"])]
    Cancel(commands::cancel::Args),
    Retry(commands::retry::Args),
    #[command(aliases = ["priority", "prio"])]
    Prioritize(commands::prioritize::Args),
    Ask(commands::ask::Args),
    Chat(commands::chat::Args),
    Pause(commands::pause::Args),
    #[command(aliases = ["continue", "unpause"])]
    Resume(commands::resume::Args),
    Interrupt(commands::interrupt::Args),
    Stop(commands::stop::Args),
    #[command(aliases = ["ps", "bots"])]
    Status(commands::status::Args),
    #[command(aliases = ["events", "history"])]
    Timeline(commands::timeline::Args),
    Approvals(commands::approvals::Args),
    Approve(commands::approve::Args),
    Deny(commands::deny::Args),
    #[command(alias = "start")]
    Up(commands::up::Args),
    Down(commands::down::Args),
    #[command(alias = "log")]
    Logs(commands::logs::Args),
    Doctor(commands::doctor::Args),
    #[command(alias = "completion")]
    Completions(commands::completions::Args),
}

/// Says what clap found in these words: help where it was asked for, else the error in one line and a hint.
pub fn explain(error: &clap::Error, args: &[OsString], out: &mut Printer) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = error.render();
            out.result(&if out.may_color() { text.ansi().to_string() } else { text.to_string() });
            Exit::Done
        }
        // Whoever types the name alone wants to know what there is; a script that lost its words must notice.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            out.instead(&error.render().to_string());
            Exit::Usage
        }
        ErrorKind::MissingSubcommand => {
            out.failure(&Failure::usage("no command is given").hint("'hivectl --help' lists the commands"))
        }
        ErrorKind::InvalidSubcommand => {
            let word = match error.get(ContextKind::InvalidSubcommand) {
                Some(ContextValue::String(word)) => word.as_str(),
                _ => "",
            };
            out.failure(&no_such_command(word))
        }
        _ => out.failure(&usage_failure(&error.render().to_string(), args)),
    }
}

fn no_such_command(word: &str) -> Failure {
    let hint = match word {
        "restart" => "'hivectl down' and then 'hivectl up' start bots anew".to_owned(),
        "run" => "'hivectl up' runs bots, 'hivectl submit' gives one a task".to_owned(),
        "kill" => "'hivectl interrupt' ends what a bot does, 'hivectl stop' halts the bot".to_owned(),
        "version" => "'hivectl --version' prints it".to_owned(),
        _ => match probable(word, Cli::command().get_subcommands().map(clap::Command::get_name)) {
            Some(meant) => format!("did you mean '{meant}'? 'hivectl --help' lists all commands"),
            None => "'hivectl --help' lists the commands".to_owned(),
        },
    };
    Failure::usage(format!("there is no command '{word}'")).hint(hint)
}

/// clap's text is an `error:` paragraph, perhaps a `tip:`, then the usage.
fn usage_failure(text: &str, args: &[OsString]) -> Failure {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let (head, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let message = head.split_whitespace().collect::<Vec<_>>().join(" ");
    // How a word that begins with a dash is passed is seldom what was meant.
    let tip = rest.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let tip = tip.filter(|tip| !tip.starts_with("to pass "));
    let usage = rest.lines().find_map(|line| line.strip_prefix("Usage: "));
    let usage = usage.filter(|_| !message.starts_with("unexpected argument"));
    // What follows -f is files, the bot too if it comes last.
    let names_files = args.iter().any(|word| word == "-f" || word == "--file");
    let hint = match (tip, usage) {
        _ if names_files && message.ends_with(": <BOT>") => {
            "the bot comes first: hivectl submit BOT -f FILE...".to_owned()
        }
        _ if message.ends_with(": <BOT>...") => "name bots, or all of them with --all".to_owned(),
        (Some(tip), _) => tip.to_owned(),
        (None, Some(usage)) => format!("usage: {usage}"),
        (None, None) => {
            let command = Cli::command();
            let mut words = args.iter().skip(1).filter_map(|word| command.find_subcommand(word));
            match words.next() {
                Some(command) => format!("'hivectl help {}' explains its arguments", command.get_name()),
                None => "'hivectl --help' lists commands and options".to_owned(),
            }
        }
    };
    Failure::usage(message).hint(hint)
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
        let explain = |args: &[&str]| {
            let args: Vec<_> = args.iter().map(OsString::from).collect();
            usage_failure(&Cli::read(&args).unwrap_err().render().to_string(), &args)
        };
        let failure = explain(&["hivectl", "pause", "BOT-1", "--task"]);
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.message, "unexpected argument '--task' found");
        assert_eq!(failure.hint.as_deref(), Some("a similar argument exists: '--tasks'"));
        let failure = explain(&["hivectl", "show"]);
        assert_eq!(failure.message, "the following required arguments were not provided: <ID>");
        assert!(failure.hint.unwrap().starts_with("usage: hivectl show"));

        let failure = explain(&["hivectl", "submit", "-f", "a.md", "BOT-1"]);
        assert_eq!(failure.hint.as_deref(), Some("the bot comes first: hivectl submit BOT -f FILE..."));

        let failure = explain(&["hivectl", "prioritize", "TASK-1", "P9"]);
        assert!(failure.message.ends_with("'P9' is none of P0, P1, P2, P3"), "{failure}");
        assert_eq!(failure.hint.as_deref(), Some("'hivectl help prioritize' explains its arguments"));
    }
}
