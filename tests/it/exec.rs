//! The exec adapter: what a command gets, and what is left of it (SPEC 6).

use hive_tests::{Agent, Hive};

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
async fn a_command_that_is_not_there_fails_the_task_and_says_so() {
    let hive = Hive::new("adapter = \"exec\"\ncommand = [\"no-such-agent\"]");
    let _agent = Agent::start(&hive).await;
    hive.drop_task("MISS-1.md", "words");
    let header = hive.answer("MISS-1").await.header;
    assert_eq!(
        (header.status.as_str(), header.error_code.as_deref()),
        ("failed", Some("adapter_unavailable"))
    );
    assert!(header.error.unwrap().contains("no-such-agent"));
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
