//! SPEC 10: what a shell offers when Tab is pressed.

use std::cell::RefCell;
use std::collections::BTreeSet;

use hive_tests::{Agent, Hive, Ran, Terminal, binary, control, ctl, finish, until};
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

/// What asks for the last word of a line in a hive.
fn in_hive(hive: &Hive, line: &str) -> Command {
    let words: Vec<_> = ["--", "hivectl"].into_iter().chain(line.split(' ')).collect();
    control(hive, &words)
}

/// Waits until these words are offered, as a bot on a busy machine may not answer in the moment that it is given.
async fn comes_to_offer(line: &str, words: &str, ask: impl Fn() -> Command) {
    let last = RefCell::new(BTreeSet::new());
    let state = async || format!("hivectl {line}<Tab> offers {:?}, not {words}", last.borrow());
    until(&format!("hivectl {line}<Tab> offers {words}"), state, async || {
        let offered = offered_by(ask()).await;
        let is_right = offered == set(words);
        last.replace(offered);
        is_right.then_some(())
    })
    .await;
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
        comes_to_offer(line, words, || in_hive(&hive, line)).await;
    }
    ctl(&hive, &["ask", "BOT-002", "hello", "--session", "review"]).await.expect(0);
    comes_to_offer("--session ", "review", || in_hive(&hive, "ask BOT-002 hi --session ")).await;
    let commands = offered_by(in_hive(&hive, "")).await;
    assert!(commands.contains("submit") && !commands.contains("--output"), "{commands:?}");
}

#[tokio::test]
async fn completing_looks_where_the_line_says_and_never_complains() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    ctl(&hive, &["submit", "BOT-002", "hello", "--id", "T1", "--wait"]).await.expect(0);
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let from_there = |line: &str, environment: &[(&str, &str)]| {
        let mut command = in_hive(&hive, line);
        command.current_dir(elsewhere.path()).envs(environment.iter().copied());
        command
    };
    let root = hive.root().display().to_string();
    let (url, token) = (agent.record().url.as_str(), agent.token());
    let remote = [("HIVE_URL", url), ("HIVE_TOKEN", token.trim())];
    for (line, environment, words) in [
        ("show ", &[][..], ""),
        ("submit ", &[], ""),
        (&format!("--hive {root} show "), &[], "T1"),
        (&format!("show --hive={root} "), &[], "T1"),
        ("show ", &[("HIVE_DIR", root.as_str())], "T1"),
        ("show ", &remote, "T1"),
        ("tasks ", &remote, "BOT-002"),
        // Nobody listens there.
        ("show ", &[("HIVE_URL", "http://127.0.0.1:1"), ("HIVE_TOKEN", "x")], ""),
        ("show ", &[("HIVE_URL", "nonsense")], ""),
    ] {
        comes_to_offer(line, words, || from_there(line, environment)).await;
    }
    std::fs::write(hive.paths().settings(), "[bots.").expect("settings can be written");
    comes_to_offer("submit ", "BOT-002", || in_hive(&hive, "submit ")).await;
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
    let expected = "T1\nresponse\nT1\njson\ntable\njson\nndjson\n";
    until(
        "bash completes",
        async || format!("{:?}", in_bash(&hive, press_tab).await),
        async || {
            let ran = in_bash(&hive, press_tab).await.expect(0);
            assert_eq!(ran.err, "");
            (ran.out == expected).then_some(())
        },
    )
    .await;
}

/// Whether a shell is there to be tried.
fn is_installed(shell: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&path).any(|dir| dir.join(shell).is_file());
    #[expect(clippy::print_stderr, reason = "whoever reads the test's output is to know")]
    if !is_there {
        eprintln!("{shell} is not installed: its completions are not tried");
    }
    is_there
}

/// The directory of hivectl in front of all others.
fn path_with_hivectl() -> String {
    let program = binary("hivectl");
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}", program.parent().expect("a directory").display())
}

/// A hive whose bots are down, so that what is offered does not depend on how busy the machine is.
fn two_that_are_down() -> Hive {
    let hive = Hive::exec(AGENT, "");
    let other = hive.of("BOT-003");
    other.paths().create(Some(other.bot())).expect("a task directory can be made");
    for (of, id) in [(&hive, "T-FIRST"), (&hive, "T-TWIN"), (&other, "T-TWIN")] {
        of.drop_task(&format!("{id}.md"), "a task: with a colon");
    }
    hive
}

#[tokio::test]
async fn fish_completes_by_the_script() {
    if !is_installed("fish") {
        return;
    }
    let hive = two_that_are_down();
    let lines = [
        ("hivectl respo", "response"),
        ("hivectl tasks BOT-0", "BOT-002 BOT-003"),
        ("hivectl show T-", "T-FIRST"),
        ("hivectl show BOT-003/", "BOT-003/T-TWIN"),
        ("hivectl tasks --output=j", "--output=json"),
        ("hivectl tasks -o nd", "ndjson"),
        ("cd /; VAR=1 hivectl tasks --status failed,c", "failed,completed failed,cancelled"),
    ];
    let mut script = vec!["hivectl completions fish | source".to_owned()];
    let mut expected = Vec::new();
    for (line, words) in lines {
        script.push(format!("echo '{line}'; complete -C '{line}' | string replace -r '\\t.*' ''; true"));
        expected.extend(std::iter::once(line).chain(words.split(' ')));
    }
    let script = script.join("\n");
    let complete = async || {
        let mut shell = Command::new("fish");
        shell.args(["--no-config", "-c", &script]).env("HOME", hive.home()).env("PATH", path_with_hivectl());
        shell
            .env("HIVE_DIR", hive.root())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        finish(shell.spawn().expect("a shell")).await.expect(0)
    };
    let is_right = async || complete().await.out.lines().eq(expected.iter().copied()).then_some(());
    until("fish completes", async || format!("{:?}", complete().await), is_right).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zsh_completes_by_the_script_and_from_its_fpath() {
    if !is_installed("zsh") {
        return;
    }
    let hive = two_that_are_down();
    let script = ctl(&hive, &["completions", "zsh"]).await.expect(0).out;
    let functions = hive.root().join("functions");
    std::fs::create_dir(&functions).expect("a directory can be made");
    std::fs::write(functions.join("_hivectl"), script).expect("a file can be written");
    for begin in [
        "autoload -Uz compinit; compinit -D; source <(hivectl completions zsh)",
        "fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -D",
    ] {
        std::fs::write(hive.root().join(".zshrc"), format!("PS1='%% '; {begin}\n"))
            .expect("a file can be written");
        let root = hive.root().to_string_lossy().into_owned();
        let environment = [("ZDOTDIR", root.as_str()), ("PATH", &path_with_hivectl())];
        let terminal = Terminal::start(&hive, "zsh", &["-d", "-i"], &environment);
        terminal.shows("%").await;
        for (line, completed) in [
            // First, as this is when zsh loads the file.
            ("hivectl show T-F", "hivectl show T-FIRST "),
            ("hivectl respo", "hivectl response "),
            ("hivectl tasks BOT-003", "hivectl tasks BOT-003 "),
            ("hivectl show BOT-003/", "hivectl show BOT-003/T-TWIN "),
            ("hivectl tasks --output=j", "hivectl tasks --output=json "),
        ] {
            // What follows Tab is read when the completion is there.
            let keys = format!("\x15{line}\t#");
            terminal.press(&keys);
            terminal
                .until(completed, |screen| {
                    let is_right = screen.contains(&format!("% {completed}#"));
                    if !is_right && screen.contains('#') {
                        // On a busy machine the moment that there is may be too short.
                        terminal.press(&keys);
                    }
                    is_right.then_some(())
                })
                .await;
        }
    }
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
