//! The command of a run: how it is put together, why it would not start, and what its end means.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use hive_shared::api::code;
use nix::sys::signal::Signal;
use tokio::process::{Child, Command};

use super::super::process::{self, RUN_ID, Tree};
use super::super::{Failure, RunSpec};
use super::Exec;
use crate::untrusted;

/// The argument that stands for the instruction.
const PROMPT: &str = "{prompt}";

/// How much of the end of stderr an error quotes.
const QUOTED_LINES: usize = 10;
const QUOTED_BYTES: usize = 2 * 1024;

/// Starts the command. Its standard input is there to be written to unless the instruction is an argument.
pub(super) fn start(exec: &Exec, spec: &RunSpec) -> Result<(Child, Tree), NotStarted> {
    let [program, arguments @ ..] = exec.command.as_slice() else {
        let message = "no command is set: set `command` in hive.toml".to_owned();
        return Err(NotStarted::Program(unavailable(message)));
    };
    let takes_argument = arguments.iter().any(|argument| argument == PROMPT);
    let arguments = arguments.iter().map(|it| if it == PROMPT { &spec.instruction } else { it });

    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&spec.workdir)
        .stdin(if takes_argument { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .envs(&exec.env)
        .env("HIVE_BOT_ID", spec.bot.as_str())
        .env("HIVE_TASK_ID", spec.item.as_str())
        .env(RUN_ID, &spec.run_id);
    hide_tokens(&mut command, &exec.env);
    process::spawn(&mut command, &spec.run_id).map_err(|error| {
        if untrusted::is_shortage(&error) {
            return NotStarted::Room(error);
        }
        let failure = unavailable(reason(&error, program, &spec.workdir, takes_argument));
        if is_about_arguments(&error) && takes_argument {
            NotStarted::Instruction(failure)
        } else {
            NotStarted::Program(failure)
        }
    })
}

/// Why a command did not start.
pub(super) enum NotStarted {
    /// The machine has no file, process or memory left for it: that is no fault of the item's, and passes.
    Room(io::Error),
    /// Its program is not there, or cannot be run: that is no fault of the item's either, and is for a person to mend.
    Program(Failure),
    /// It cannot be given the instruction.
    Instruction(Failure),
}

fn is_about_arguments(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ArgumentListTooLong | io::ErrorKind::InvalidInput)
}

/// Takes every token of a hive out of the environment that a command inherits or is given.
pub(in super::super) fn hide_tokens(command: &mut Command, env: &BTreeMap<String, String>) {
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.chain(env.keys().map(Into::into)).filter(|it| is_token(&it.to_string_lossy())) {
        command.env_remove(name);
    }
}

/// Whether a variable holds a token of a hive: whoever has one directs bots, and an agent is not to (SPEC 6).
fn is_token(name: &str) -> bool {
    name.starts_with("HIVE_") && name.contains("TOKEN")
}

pub(in super::super) fn unavailable(message: String) -> Failure {
    Failure::new(code::ADAPTER_UNAVAILABLE, message)
}

/// Why `program` would not start, and how that is mended.
pub(in super::super) fn reason(
    error: &io::Error,
    program: &str,
    workdir: &Path,
    takes_argument: bool,
) -> String {
    if !workdir.is_dir() {
        let workdir = workdir.display();
        return format!("the working directory {workdir} is not there: create it, or set another `workdir`");
    }
    let is_path = program.contains('/');
    match error.kind() {
        io::ErrorKind::NotFound if !is_path => {
            format!("'{program}' was not found in PATH: install it, or write its full path in `command`")
        }
        io::ErrorKind::NotFound if workdir.join(program).exists() => {
            format!("'{program}' cannot be run: the interpreter that its first line names is not there")
        }
        io::ErrorKind::NotFound => format!("there is no '{program}': correct `command`"),
        io::ErrorKind::PermissionDenied => {
            format!("'{program}' is not executable for this user: `chmod +x` it, or correct `command`")
        }
        _ if is_about_arguments(error) && takes_argument => {
            format!(
                "'{program}' cannot be given the instruction as an argument ({error}): leave {PROMPT} out of \
                 `command`, and it comes on standard input"
            )
        }
        // The system's own words for all that is rare.
        _ => format!("'{program}' could not be started: {error}"),
    }
}

/// What the end of the command says about the work.
pub(super) fn verdict(status: io::Result<ExitStatus>, stderr: &[u8]) -> Result<(), Failure> {
    match status {
        Ok(status) if status.success() => Ok(()),
        status => Err(how_it_ended(status, stderr)),
    }
}

/// How a command ended that should not have, with its last words.
pub(in super::super) fn how_it_ended(status: io::Result<ExitStatus>, stderr: &[u8]) -> Failure {
    let status = match status {
        Ok(status) => status,
        Err(error) => {
            let message = format!("the end of the command could not be learned: {error}");
            return Failure::new(code::ADAPTER_ERROR, message);
        }
    };
    let (code, what) = match (status.code(), status.signal()) {
        (Some(number), _) => (code::EXIT_STATUS, format!("exited with status {number}")),
        (None, Some(number)) => {
            let name = Signal::try_from(number).map_or(String::new(), |signal| format!(" ({signal})"));
            (code::SIGNALLED, format!("ended by signal {number}{name}"))
        }
        (None, None) => (code::EXIT_STATUS, format!("ended in an unknown way ({status})")),
    };
    let said = last_lines(stderr);
    Failure::new(code, if said.is_empty() { what } else { format!("{what}: {said}") })
}

pub(in super::super) fn last_lines(stderr: &[u8]) -> String {
    let text: Cow<str> = String::from_utf8_lossy(stderr);
    let text = text.trim();
    let text = &text[text.ceil_char_boundary(text.len().saturating_sub(QUOTED_BYTES))..];
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_quotes_the_last_of_stderr() {
        let lines: Vec<String> = (0..50).map(|n| format!("line {n}")).collect();
        let stderr = lines.join("\n");
        let failure = verdict(Ok(ExitStatus::from_raw(3 << 8)), stderr.as_bytes()).unwrap_err();
        assert_eq!(failure.code, code::EXIT_STATUS);
        assert!(failure.message.starts_with("exited with status 3: line 40\n"), "{failure}");
        assert!(failure.message.ends_with("line 49"), "{failure}");
        assert!(last_lines("ä".repeat(5_000).as_bytes()).len() <= QUOTED_BYTES);
        assert_eq!(last_lines(b" \n"), "");
    }

    #[test]
    fn a_signal_is_named() {
        let failure = verdict(Ok(ExitStatus::from_raw(9)), b"").unwrap_err();
        assert_eq!(
            (failure.code, failure.message.as_str()),
            (code::SIGNALLED, "ended by signal 9 (SIGKILL)")
        );
    }

    #[test]
    fn what_holds_a_token() {
        assert!(is_token("HIVE_TOKEN") && is_token("HIVE_TOKEN_FILE") && is_token("HIVE_AGENT_TOKEN"));
        assert!(!is_token("HIVE_RUN_ID") && !is_token("GITHUB_TOKEN"));
    }
}
