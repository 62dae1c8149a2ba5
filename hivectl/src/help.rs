//! The first page of help: the commands by what they are for.

use std::fmt::Write;

use clap::Command;
use clap::builder::Styles;

/// What people come for, and the commands for it, in the order of SPEC 10.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Tasks", &["submit", "wait", "tasks", "show", "response", "cancel", "retry", "prioritize"]),
    ("Talk", &["ask", "chat", "approvals", "approve", "deny"]),
    ("See", &["status", "timeline", "logs"]),
    ("Bots", &["up", "down", "pause", "resume", "interrupt", "stop"]),
    ("The hive", &["init", "doctor", "completions", "help"]),
];
/// The room for a name.
const NAMES: usize = 12;

/// The command line with its commands in groups on the first page of help.
pub fn grouped(command: Command) -> Command {
    let template = template(&command);
    command.help_template(template)
}

fn template(command: &Command) -> String {
    let styles = Styles::default();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut text = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    let about = |name: &str| {
        let found = command.get_subcommands().find(|sub| sub.get_name() == name).and_then(Command::get_about);
        // clap adds this one later.
        found
            .map(ToString::to_string)
            .or((name == "help").then(|| "Print this, or the help of a command".to_owned()))
    };
    let is_grouped = |name: &str| GROUPS.iter().any(|(_, names)| names.contains(&name));
    let others: Vec<_> =
        command.get_subcommands().map(Command::get_name).filter(|name| !is_grouped(name)).collect();
    for (title, names) in GROUPS.into_iter().chain([("More", others.as_slice())]) {
        let lines: Vec<_> = names.iter().filter_map(|name| Some((*name, about(name)?))).collect();
        if lines.is_empty() {
            continue;
        }
        let _infallible = writeln!(text, "\n{header}{title}:{header:#}");
        for (name, about) in lines {
            let _infallible = writeln!(text, "  {literal}{name:<NAMES$}{literal:#} {about}");
        }
    }
    let _infallible =
        write!(text, "\n{header}Options for every command:{header:#}\n{{options}}{{after-help}}");
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_command_has_its_group_and_a_line() {
        let mut command = grouped(Cli::command());
        let help = command.render_help().to_string();
        assert!(!help.contains("\nMore:\n"), "a command is in no group:\n{help}");
        for sub in command.get_subcommands() {
            let line = help.lines().find(|line| line.starts_with(&format!("  {} ", sub.get_name())));
            let line = line.unwrap_or_else(|| panic!("no line for {}:\n{help}", sub.get_name()));
            assert!((20..100).contains(&line.len()), "{line}");
            let after = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                after.contains("Examples:\n  ") || sub.get_name() == "help",
                "{} has no examples",
                sub.get_name()
            );
        }
    }
}
