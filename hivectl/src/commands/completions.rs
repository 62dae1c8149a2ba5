//! `hivectl completions`.

use serde::Serialize;

use crate::completing;
use crate::error::{Exit, Failure};
use crate::output::Printer;

const INSTALL: &str = "\
Put one of these lines where your shell finds it when it starts:
  bash        source <(hivectl completions bash)                in ~/.bashrc
  zsh         source <(hivectl completions zsh)                 in ~/.zshrc, after compinit
  fish        hivectl completions fish | source                 in ~/.config/fish/config.fish
  elvish      eval (hivectl completions elvish | slurp)         in ~/.config/elvish/rc.elv
  powershell  hivectl completions powershell | Out-String | Invoke-Expression    in $PROFILE

Examples:
  source <(hivectl completions bash)     # for this shell alone";

/// Print a script that completes commands, bots and ids in a shell
///
/// The script asks hivectl on each press of Tab, so it knows the hive as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = INSTALL)]
pub struct Args {
    /// Your shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

/// A shell that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they are the names of shells, and a comment would become help")]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    #[value(alias = "pwsh")]
    Powershell,
}

#[derive(Serialize)]
struct Script {
    shell: Shell,
    script: String,
}

/// Prints the script.
pub fn run(args: &Args, out: &mut Printer) -> Result<Exit, Failure> {
    let name = match args.shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
        Shell::Elvish => "elvish",
        Shell::Powershell => "powershell",
    };
    let script = completing::script(name, std::env::args_os().next())
        .ok_or_else(|| Failure::new(Exit::Failed, format!("there is no script for {name}")))?;
    out.one(&Script { shell: args.shell, script }, |script| script.script.clone());
    Ok(Exit::Done)
}
