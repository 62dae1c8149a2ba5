//! What a shell is told that asks what could stand at the cursor: commands and options from the command line's own
//! definition, bots and ids from the hive.
//!
//! `hivectl completions SHELL` prints a script that calls hivectl again with [`ASKING`] set, on each press of the Tab
//! key. The answer comes within a moment, whatever the state of the hive, and is never an error: that would tear the
//! line that is being typed.

mod candidates;
mod hive;

use std::ffi::OsString;
use std::sync::Arc;

use clap::{Arg, Command, CommandFactory};
use clap_complete::env::Shells;

use crate::cli::Cli;
use crate::output::Printer;
use hive::Surroundings;

/// The environment variable by which a shell asks; its value is the shell's name.
pub const ASKING: &str = "HIVECTL_COMPLETE";

/// How this program is called where its name stands for itself.
const PROGRAM: &str = "hivectl";

/// Zsh loads a file `_hivectl` of its `fpath` when Tab is pressed for the first time, and calls what is in it as the
/// completion itself.
const ZSH_AUTOLOAD: &str = "
if [[ ${funcstack[1]} == _hivectl ]]; then
    _clap_dynamic_completer_hivectl
fi
";

/// Answers if it is a shell that asks. `args` are all of the process: the program, `--`, and the words of the line.
///
/// Returns whether it was.
pub fn answer(args: &[OsString], out: &mut Printer) -> bool {
    let shell = std::env::var_os(ASKING).filter(|_| args.get(1).is_some_and(|word| word == "--"));
    let Some(shell) = shell else { return false };
    let words = without_equals_signs(args.iter().skip(2).cloned().collect());
    let shells = Shells::builtins();
    let Some(shell) = shell.to_str().and_then(|name| shells.completer(name)) else { return true };
    if words.is_empty() {
        return true;
    }
    let mut command = command(&words);
    let here = std::env::current_dir().ok();
    let mut text = Vec::new();
    // Without an answer the shell offers what it offers for any program.
    if shell.write_complete(&mut command, words, here.as_deref(), &mut text).is_ok() {
        out.result(&String::from_utf8_lossy(&text));
    }
    true
}

/// The script that makes a shell ask. `program` is how this process was called: by its name, or by a path, which is
/// then the one that the shell calls.
pub fn script(shell: &str, program: Option<OsString>) -> Option<String> {
    let shells = Shells::builtins();
    let shell = shells.completer(shell)?;
    let path = program.map(std::path::PathBuf::from).filter(|path| path.components().count() > 1);
    let path = path.and_then(|path| std::path::absolute(path).ok());
    let caller = path.map_or_else(|| PROGRAM.to_owned(), |path| path.to_string_lossy().into_owned());
    let mut text = Vec::new();
    shell.write_registration(ASKING, PROGRAM, PROGRAM, &caller, &mut text).ok()?;
    let mut text = String::from_utf8(text).ok()?;
    if shell.name() == "zsh" {
        text.push_str(ZSH_AUTOLOAD);
    }
    Some(text)
}

/// Bash takes the equals sign of `--hive=DIR` for a word. The words stay as many, as their places count.
fn without_equals_signs(mut words: Vec<OsString>) -> Vec<OsString> {
    for at in 1..words.len() {
        if words[at] == "=" && words[at - 1].to_string_lossy().starts_with("--") {
            words.swap(at - 1, at);
            words[at - 1] = "--quiet".into();
        }
    }
    words
}

/// The command line with what can be offered for each of its values.
fn command(words: &[OsString]) -> Command {
    let surroundings = Arc::new(Surroundings::of(words));
    // Where a value may stand, options are offered once their dash is typed: what is looked for is the value.
    let is_offered = |argument: &Arg| !surroundings.at_a_new_word || argument.is_positional();
    let mut command = Cli::command();
    // What holds for every command is among the options of each from here on.
    command.build();
    let command = command.mut_subcommands(|command| {
        let name = command.get_name().to_owned();
        command.mut_args(|argument| {
            let argument = candidates::offer(&name, argument, &surroundings);
            if is_offered(&argument) { argument } else { argument.hide(true) }
        })
    });
    command.mut_args(|argument| if is_offered(&argument) { argument } else { argument.hide(true) })
}

#[cfg(test)]
mod tests {
    use clap_complete::ArgValueCompleter;

    use super::*;

    #[test]
    fn every_bot_and_id_can_be_completed() {
        let command = command(&[]);
        let mut seen = 0;
        for sub in command.get_subcommands() {
            for argument in sub.get_arguments() {
                let names = argument.get_value_names().unwrap_or_default();
                if names.iter().any(|name| ["BOT", "ID", "PRIORITY", "STATUS"].contains(&name.as_str()))
                    && !(argument.get_id() == "id" && sub.get_name() == "submit")
                {
                    let has = argument.get::<ArgValueCompleter>().is_some();
                    assert!(has, "{} {}", sub.get_name(), argument.get_id());
                    seen += 1;
                }
            }
        }
        assert!(seen > 15, "{seen}");
    }

    #[test]
    fn an_equals_sign_may_be_a_word() {
        let words = ["hivectl", "show", "--hive", "=", "/a", ""].map(OsString::from).to_vec();
        assert_eq!(without_equals_signs(words), ["hivectl", "show", "--quiet", "--hive", "/a", ""]);
    }

    #[test]
    fn a_script_calls_the_program_that_printed_it() {
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let by_name = script(shell, Some("hivectl".into())).unwrap();
            assert!(by_name.contains(ASKING) && !by_name.contains("/hivectl"), "{by_name}");
            let by_path = script(shell, Some("/opt/hive/bin/hivectl".into())).unwrap();
            assert!(by_path.contains("/opt/hive/bin/hivectl"), "{by_path}");
        }
        assert_eq!(script("tcsh", None), None);
    }
}
