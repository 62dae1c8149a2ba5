//! SPEC 10: what a shell offers when Tab is pressed.

use std::cell::RefCell;
use std::collections::BTreeSet;

use hive_tests::{Agent, Hive, Ran, binary, control, ctl, finish, until};
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
