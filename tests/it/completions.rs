//! SPEC 10: what a shell offers when Tab is pressed.

use std::collections::BTreeSet;

use hive_tests::{Agent, Hive, Ran, binary, control, ctl, finish};
use tokio::process::Command;

use crate::scripts::AGENT;

/// What is offered for the last word of a line, as fish asks for it: a value a line, with what it is about after a tab.
async fn offered_by(mut command: Command) -> BTreeSet<String> {
    let line_ends_in_dashes =
        command.as_std().get_args().last().is_some_and(|word| word.to_string_lossy().starts_with("--"));
    let ran = finish(command.env("HIVECTL_COMPLETE", "fish").spawn().expect("it can be started")).await;
    // An error would tear the line that is typed.
    assert_eq!((ran.exit, ran.err.as_str()), (0, ""), "{ran:?}");
    let words = ran.out.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned());
    // Where there is no value to offer, options are.
    words.filter(|word| !word.starts_with("--") || line_ends_in_dashes).collect()
}

async fn offered(hive: &Hive, line: &str) -> BTreeSet<String> {
    let words: Vec<_> = ["--", "hivectl"].into_iter().chain(line.split(' ')).collect();
    offered_by(control(hive, &words)).await
}

fn set(words: &str) -> BTreeSet<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn bots_and_ids_are_offered_to_the_commands_that_take_them() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    ctl(&hive, &["submit", "BOT-002", "hello", "--id", "T-DONE", "--wait"]).await.expect(0);
    ctl(&hive, &["submit", "BOT-002", "hold", "--id", "T-RUNS"]).await.expect(0);
    agent.api().until_is("T-RUNS", "running").await;
    ctl(&hive, &["submit", "BOT-002", "hello", "--id", "T-WAITS"]).await.expect(0);
    let down = hive.of("BOT-003");
    down.paths().create(Some(down.bot())).expect("a task directory can be made");
    down.drop_task("T-DOWN.md", "one of a bot that is down");
    down.drop_task("T-DONE.md", "one with the id of another");

    for (line, words) in [
        ("submit ", "BOT-002 BOT-003"),
        ("status BOT-002 BOT-003 ", "BOT-002 BOT-003"),
        ("tasks BOT-003", "BOT-003"),
        ("show ", "BOT-002/T-DONE BOT-003/T-DONE T-RUNS T-WAITS T-DOWN"),
        ("wait T-RUNS T-W", "T-WAITS"),
        ("show BOT-003/", "BOT-003/T-DONE BOT-003/T-DOWN"),
        ("show BOT", "BOT-002/T-DONE BOT-003/T-DONE"),
        ("show BOT-002/T-D", "BOT-002/T-DONE"),
        ("response ", "T-DONE"),
        ("retry ", "T-DONE"),
        ("cancel ", "T-RUNS T-WAITS"),
        ("prioritize ", "T-WAITS"),
        ("prioritize T-WAITS ", "P0 P1 P2 P3"),
        ("cancel BOT-0", "BOT-002/ BOT-003/"),
        ("submit BOT-002 x --depends-on T-R", "T-RUNS"),
        ("submit BOT-002 x --id ", ""),
        ("timeline --status c", "completed cancelled"),
        ("timeline --source ", "file chat control"),
        ("-o ", "table json ndjson"),
        ("completions ", "bash zsh fish elvish powershell"),
        ("ask BOT-002 hi --when-busy r", "reject"),
        ("pri", "prioritize"),
        ("help ti", "timeline"),
        ("wait T-RUNS --ti", "--timeout"),
        ("show ../", ""),
    ] {
        assert_eq!(offered(&hive, line).await, set(words), "hivectl {line}<Tab>");
    }
    let commands = offered(&hive, "").await;
    assert!(commands.contains("submit") && !commands.contains("--output"), "{commands:?}");
}

#[tokio::test]
async fn completing_looks_where_the_line_says_and_never_complains() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    ctl(&hive, &["submit", "BOT-002", "hello", "--id", "T1", "--wait"]).await.expect(0);
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let from_there = |line: &str| {
        let words: Vec<_> = ["--", "hivectl"].into_iter().chain(line.split(' ')).collect();
        let mut command = control(&hive, &words);
        command.current_dir(elsewhere.path());
        command
    };
    let root = hive.root().display().to_string();
    assert_eq!(offered_by(from_there("show ")).await, set(""));
    assert_eq!(offered_by(from_there("submit ")).await, set(""));
    assert_eq!(offered_by(from_there(&format!("--hive {root} show "))).await, set("T1"));
    assert_eq!(offered_by(from_there(&format!("show --hive={root} "))).await, set("T1"));
    let mut by_variable = from_there("show ");
    by_variable.env("HIVE_DIR", hive.root());
    assert_eq!(offered_by(by_variable).await, set("T1"));
    for (line, words) in [("show ", "T1"), ("tasks ", "BOT-002")] {
        let mut remote = from_there(line);
        remote.env("HIVE_URL", &agent.record().url).env("HIVE_TOKEN", agent.token().trim());
        assert_eq!(offered_by(remote).await, set(words));
    }
    // Nobody listens there.
    let mut gone = from_there("show ");
    gone.env("HIVE_URL", "http://127.0.0.1:1").env("HIVE_TOKEN", "x");
    assert_eq!(offered_by(gone).await, set(""));
    std::fs::write(hive.paths().settings(), "[bots.").expect("settings can be written");
    assert_eq!(offered(&hive, "submit ").await, set("BOT-002"));
}

/// Sources the script in a shell and runs more lines there.
async fn in_bash(hive: &Hive, lines: &str) -> Ran {
    let mut shell = Command::new("bash");
    let program = binary("hivectl");
    let path = program.parent().expect("a directory").display();
    let script = format!("set -u; PATH={path}:$PATH; source <(hivectl completions bash)\n{lines}");
    shell
        .args(["--norc", "-c", &script])
        .env("HIVE_DIR", hive.root())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    finish(shell.spawn().expect("a shell")).await
}

#[tokio::test]
async fn bash_completes_by_the_script() {
    let hive = Hive::exec(AGENT, "");
    let _agent = Agent::start(&hive).await;
    ctl(&hive, &["submit", "BOT-002", "hello", "--id", "T1", "--wait"]).await.expect(0);
    let press_tab = r#"
        press_tab() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
            local function=$(complete -p hivectl | sed 's/.*-F \([^ ]*\).*/\1/')
            $function hivectl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            printf '%s\n' "${COMPREPLY[@]}"
        }
        press_tab hivectl response T
        press_tab hivectl respo
        press_tab hivectl show --hive = "$HIVE_DIR" ''
        press_tab hivectl show --output = js
        press_tab hivectl show --output ''
    "#;
    let ran = in_bash(&hive, press_tab).await.expect(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("T1\nresponse\nT1\njson\ntable\njson\nndjson\n", ""));
}

#[tokio::test]
async fn each_shell_gets_its_script() {
    let hive = Hive::exec(AGENT, "");
    for (shell, part) in [
        ("bash", "complete -o nospace"),
        ("zsh", "#compdef hivectl"),
        ("fish", "complete --keep-order"),
        ("elvish", "edit:completion:arg-completer[hivectl]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let ran = ctl(&hive, &["completions", shell]).await.expect(0);
        assert!(
            ran.out.contains(part) && ran.out.contains("HIVECTL_COMPLETE") && ran.err.is_empty(),
            "{ran:?}"
        );
        let json = ctl(&hive, &["completions", shell, "-o", "json"]).await.expect(0).json();
        assert_eq!((json["shell"].as_str(), json["script"].as_str()), (Some(shell), Some(ran.out.as_str())));
    }
    let unknown = ctl(&hive, &["completions", "tcsh"]).await.expect(2);
    assert!(unknown.err.contains("bash, zsh, fish"), "{unknown:?}");
}
