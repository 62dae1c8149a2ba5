//! The exec adapter: what a command gets, and what is left of it (SPEC 6).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use hive_tests::{Agent, Hive, ctl};
use serde_json::{Value, json};

use crate::scripts::{AGENT, counted};

#[tokio::test]
async fn the_command_knows_who_it_works_for_and_has_no_token() {
    let hive = Hive::exec("env", "env = { MINE = \"yes\" }");
    let agent = Agent::start(&hive).await;
    hive.drop_task("ENV-1.md", "show");
    let text = hive.answer("ENV-1").await.text;
    let has = |line: &str| text.lines().any(|one| one == line);
    assert!(has("HIVE_BOT_ID=BOT-002") && has("HIVE_TASK_ID=ENV-1") && has("MINE=yes"), "{text}");
    assert!(
        text.lines().any(|line| line.strip_prefix("HIVE_RUN_ID=").is_some_and(|id| !id.is_empty())),
        "{text}"
    );
    assert!(!text.contains("TOKEN") && !text.contains(&agent.token()), "{text}");
}

#[tokio::test]
async fn the_instruction_comes_on_stdin_or_as_an_argument() {
    let hive = Hive::new("adapter = \"exec\"\ncommand = [\"printf\", \"<%s>\", \"{prompt}\", \"more\"]");
    let _agent = Agent::start(&hive).await;
    hive.drop_task("ARG-1.md", "two words; $HOME `id`");
    assert_eq!(hive.answer("ARG-1").await.text, "<two words; $HOME `id`><more>");
}

#[tokio::test]
async fn output_is_verbatim() {
    let hive = Hive::exec(r"printf 'a\r\nb\t\033[1m\n\n'", "");
    let _agent = Agent::start(&hive).await;
    hive.drop_task("VERB-1.md", "say");
    assert_eq!(hive.answer("VERB-1").await.text, "a\r\nb\t\u{1b}[1m\n\n");
}

#[tokio::test]
async fn a_command_that_reads_no_stdin_is_no_error() {
    let hive = Hive::exec("exec 0<&-; echo fine", "");
    let _agent = Agent::start(&hive).await;
    hive.drop_task("DEAF-1.md", "x".repeat(500_000));
    let response = hive.answer("DEAF-1").await;
    assert_eq!((response.header.status.as_str(), response.text.as_str()), ("completed", "fine\n"));
}

#[tokio::test]
async fn a_bot_whose_command_is_not_there_does_not_start_and_says_what_helps() {
    for (settings, said) in [
        (
            "adapter = \"exec\"\ncommand = [\"no-such-agent\"]",
            ["'no-such-agent' is not on PATH (", "install"],
        ),
        ("adapter = \"exec\"\ncommand = [\"bin/none\"]", ["/bin/none", "correct 'command'"]),
        ("adapter = \"acp\"\ncommand = [\"no-such-agent\"]", ["'no-such-agent' is not on PATH (", "install"]),
        (
            "adapter = \"goose\"\nenv = { PATH = \"/none\" }",
            ["'goose' is not on PATH (/none)", "brew install"],
        ),
        ("adapter = \"exec\"\ncommand = [\"sh\"]\nworkdir = \"none\"", ["working directory", "is not there"]),
    ] {
        let hive = Hive::new(settings);
        hive.drop_task("MISS-1.md", "words");
        for arguments in [&[][..], &["--check"]] {
            let exit = Agent::run(&hive, arguments).await;
            let is_told = said.iter().all(|part| exit.stderr.contains(part));
            assert!(!exit.status.success() && is_told, "{settings} {arguments:?}: {exit:?}");
        }
        let up = ctl(&hive, &["up", "BOT-002"]).await.expect(1);
        assert!(said.iter().all(|part| up.err.contains(part)), "{up:?}");
        assert!(hive.is_in_queue("MISS-1.md"), "nothing is lost");
    }
}

/// A program that says what it is told, and ends in failure if that is `fail`.
const TOOL: &str = "#!/bin/sh\ni=$(cat)\necho \"said $i\"\n";

fn install(path: &Path) {
    fs::write(path, TOOL).expect("a file can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

#[tokio::test]
async fn a_command_that_goes_away_holds_the_queue_up_and_burns_none_of_it() {
    let hive = Hive::new("adapter = \"exec\"\ncommand = [\"./tool\"]\ntask_limit = \"1s\"");
    let tool = hive.root().join("tool");
    install(&tool);
    let mut agent = Agent::start(&hive).await;
    let api = agent.api();
    fs::remove_file(&tool).expect("it is there");
    hive.drop_task("ONE.md", "one");
    hive.drop_task("TWO.md", "two");
    let status = api.until_status("it says so", |status| status["health"]["status"] == "critical").await;
    let reason = status["health"]["reasons"][0].as_str().expect("a text");
    assert!(reason.contains("ONE is held up: there is no './tool'"), "{status}");
    let entry = api.control("held up").await.expect("an entry that says so");
    assert_eq!(
        (&entry["task_id"], entry["content"].as_str().unwrap().contains("./tool")),
        (&json!("ONE"), true)
    );
    let doctor = ctl(&hive, &["doctor", "BOT-002"]).await.expect(1);
    assert!(
        doctor.out.contains("ONE is held up") && doctor.out.contains("command: there is no"),
        "{doctor:?}"
    );
    let up = ctl(&hive, &["up", "BOT-002"]).await.expect(0);
    assert!(up.out.contains("was up already") && up.out.contains("ONE is held up"), "{up:?}");
    // A person is told at once.
    let asked = ctl(&hive, &["ask", "BOT-002", "well?"]).await.expect(1);
    assert!(asked.err.contains("there is no './tool'"), "{asked:?}");
    // A pause, and a stop that lets the turn finish, do not wait for what has not begun.
    ctl(&hive, &["pause", "BOT-002"]).await.expect(0);
    api.until_status("it is paused", |status| status["state"] == "paused").await;
    ctl(&hive, &["resume", "BOT-002"]).await.expect(0);
    api.until_is("ONE", "running").await;
    ctl(&hive, &["down", "BOT-002"]).await.expect(0);
    assert!(agent.ended().await.status.success());
    let refused = Agent::run(&hive, &[]).await;
    assert!(!refused.status.success(), "{refused:?}");

    install(&tool);
    let agent = Agent::start(&hive).await;
    for (id, said) in [("ONE", "said one\n"), ("TWO", "said two\n")] {
        assert_eq!(agent.api().until_ended(id).await["response"], said);
    }
    assert_eq!(agent.api().task("ONE").await["attempts"], 1, "what has not begun is no attempt");
}

#[tokio::test]
async fn a_command_that_comes_back_goes_on_with_the_queue_and_no_time_was_used() {
    let hive = Hive::new("adapter = \"exec\"\ncommand = [\"./tool\"]\ntask_limit = \"1s\"");
    let tool = hive.root().join("tool");
    install(&tool);
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    fs::remove_file(&tool).expect("it is there");
    hive.drop_task("ONE.md", "one");
    hive.drop_task("TWO.md", "two");
    let is_held_up = |status: &Value| status["health"]["status"] == "critical";
    let status = api.until_status("it is held up", is_held_up).await;
    let used = |status: &Value| status["current"]["elapsed_seconds"].as_f64().expect("a number");
    let since = Instant::now();
    api.until_status("its limit is past", |_| since.elapsed() > Duration::from_millis(1_500)).await;
    let later = api.status().await;
    assert!((used(&later) - used(&status)).abs() < 1e-9, "{status} {later}");
    install(&tool);
    for (id, said) in [("ONE", "said one\n"), ("TWO", "said two\n")] {
        assert_eq!(api.until_ended(id).await["response"], said);
    }
    let status = api.status().await;
    assert_eq!(status["health"]["status"], "healthy", "{status}");
}

#[tokio::test]
async fn a_command_may_open_as_many_files_as_whoever_started_the_bot() {
    // It is told when it has begun: the words come once its bounds are set.
    let hive = Hive::exec("read -r words; ulimit -Sn; ulimit -Hn", "");
    let mut agent = Agent::spawn_after("ulimit -Sn 300 && ulimit -Hn 4000", &hive);
    agent.ready().await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", agent.pid())).expect("it is alive");
    assert!(
        limits.lines().any(|line| line.starts_with("Max open files") && line.contains(" 4000 ")),
        "{limits}"
    );
    assert!(!limits.contains(" 300 "), "{limits}");
    hive.drop_task("MANY-1.md", "words\n");
    assert_eq!(hive.answer("MANY-1").await.text, "300\n4000\n");
}

#[tokio::test]
async fn a_command_ended_by_a_signal_says_which() {
    let hive = Hive::exec("echo some; kill -SEGV $$", "");
    let _agent = Agent::start(&hive).await;
    hive.drop_task("CRASH-1.md", "words");
    let response = hive.answer("CRASH-1").await;
    assert_eq!(response.header.error_code.as_deref(), Some("signalled"));
    assert_eq!(response.text, "some\n");
}

#[tokio::test]
async fn nothing_of_a_command_is_left_after_its_end() {
    let script = "setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 0.05; done' & \
                  (sleep 1000 &) ; echo \"left two behind\"";
    let hive = Hive::exec(script, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("LEAVE-1.md", "words");
    let response = hive.answer("LEAVE-1").await;
    assert_eq!((response.header.status.as_str(), response.text.as_str()), ("completed", "left two behind\n"));
    assert_eq!(agent.descendants(), []);
}

#[tokio::test]
async fn a_command_that_has_its_descendants_in_other_sessions_is_suspended_with_them() {
    let script = "i=$(cat); case \"$i\" in *hi*) n=$(wc -l < ticks.txt); sleep 0.2; \
                  [ $n -eq $(wc -l < ticks.txt) ] && echo still || echo moving;; \
                  *) setsid sh -c 'until [ -e go ]; do echo tick >> ticks.txt; sleep 0.01; done'; echo done;; esac";
    let hive = Hive::exec(script, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TICK-1.md", "tick");
    hive.until("it ticks", || (hive.work_file("ticks.txt").len() > 50).then_some(())).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hi").await;
    assert_eq!(chat.turn("CHAT-1").await.text(), "still\n");
    let before = hive.work_file("ticks.txt").len();
    hive.until("it ticks again", || (hive.work_file("ticks.txt").len() > before + 50).then_some(())).await;
    hive.touch("go");
    assert_eq!(hive.answer("TICK-1").await.text, "done\n");
}

#[tokio::test]
async fn a_task_may_start_over_when_it_is_preempted() {
    let hive = Hive::exec(AGENT, "on_preempt = \"restart\"");
    let agent = Agent::start(&hive).await;
    hive.drop_task("AGAIN-1.md", "count");
    hive.until("it counts", || (hive.work_file("counted.txt").lines().count() > 3).then_some(())).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    assert_eq!(chat.turn("CHAT-1").await.text(), "you said: hello");
    let response = hive.answer("AGAIN-1").await;
    assert_eq!(response.text, counted());
    assert_eq!((response.header.attempts, response.header.preemptions), (1, 1));
    assert_eq!(hive.work_file("ran.txt"), "AGAIN-1\nCHAT-1\nAGAIN-1\n");
}

#[tokio::test]
async fn the_default_adapter_is_echo_and_says_so() {
    let hive = Hive::new("");
    let agent = Agent::start(&hive).await;
    assert_eq!(agent.record().adapter, "echo");
    assert!(agent.stderr().contains("no adapter is configured"), "{}", agent.stderr());
}
