//! Every command line that README.md and the pages of help show is one that hivectl takes.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::ErrorKind;
use hivectl::cli::Cli;

const README: &str = include_str!("../../../README.md");

/// The command lines of hivectl in a line of shell, word for word.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = Vec::new();
    let mut quoted = Vec::new();
    let (mut is_first, mut is_open) = (true, false);
    for word in shlex::split(line).unwrap_or_default() {
        // A command within quotes is a part of a word.
        let (word, inner) = match word.split_once("$(hivectl ") {
            Some((_, inner)) => ("ID", Some(format!("hivectl {}", inner.trim_end_matches(')')))),
            None => (word.as_str(), None),
        };
        quoted.extend(inner.iter().flat_map(|inner| self::commands(inner)));
        let separates = word.starts_with(['|', '&', '>', '<', ';']) || word.starts_with("2>");
        if (is_first && word == "hivectl") || word.ends_with("(hivectl") {
            if is_open && let Some(outer) = commands.last_mut() {
                outer.push("ID".to_owned());
            }
            commands.push(vec!["hivectl".to_owned()]);
            is_open = true;
        } else if separates {
            is_open = false;
        } else if is_open && let Some(command) = commands.last_mut() {
            command.push(word.trim_end_matches([')', ';']).to_owned());
        }
        let ends = word.ends_with(')') || word.ends_with(';');
        is_open &= !ends;
        // An assignment may come before.
        is_first = separates || ends || (is_first && word.contains('='));
    }
    commands.extend(quoted);
    commands
}

#[track_caller]
fn check(lines: &str, least: usize) {
    let lines = lines.replace("\\\n", " ");
    let mut seen = 0;
    for command in lines.lines().flat_map(commands) {
        // A variable's name is as good as a value for all but times.
        let value = |word: &String| word.replace("$patience", "10m").replace('$', "");
        let words: Vec<_> = command.iter().map(value).map(OsString::from).collect();
        if let Err(error) = Cli::read(&words) {
            assert_eq!(error.kind(), ErrorKind::DisplayHelp, "{}: {error}", command.join(" "));
        }
        seen += 1;
    }
    assert!(seen >= least, "only {seen} command lines in\n{lines}");
}

#[test]
fn command_lines_are_found() {
    let line = "a=$(hivectl submit B \"x y\" --id \"$ID\") && hivectl wait \"$(hivectl retry X)\" | jq . # hivectl no";
    let found: Vec<_> = commands(line).into_iter().map(|command| command.join("|")).collect();
    let expected = ["hivectl|submit|B|x y|--id|$ID", "hivectl|wait|ID", "hivectl|retry|X"];
    assert_eq!(found, expected);
}

#[test]
fn what_the_readme_shows_is_understood() {
    let blocks: String = README.split("```").skip(1).step_by(2).collect();
    check(&blocks, 15);
}

#[test]
fn what_the_help_shows_is_understood() {
    let mut all = String::new();
    let command = Cli::command();
    for command in std::iter::once(&command).chain(command.get_subcommands()) {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        all.push_str(text.split_once("Examples:\n").map(|(_, examples)| examples).unwrap_or_default());
        all.push('\n');
    }
    check(&all, 20);
}
