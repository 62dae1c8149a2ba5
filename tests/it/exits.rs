//! SPEC 10: exit statuses, of a bot on this machine and from another.

use hive_tests::{Agent, Hive, control, ctl, finish, interrupt};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::hivectl::next_entry;
use crate::scripts::AGENT;

/// Exit statuses and the command lines that end with them, in the order in which they are run. BOT-002 is up, BOT-004 is
/// up and does not chat, BOT-003 is down.
const TABLE: [(i32, &str); 87] = [
    (0, "init elsewhere"),
    (0, "completions bash"),
    (0, "--version"),
    (0, "help submit"),
    (0, "submit BOT-002 hello --id T-OK --wait"),
    (0, "wait BOT-002/T-OK"),
    (1, "submit BOT-002 fail --id T-FAIL --wait"),
    // It had failed before.
    (1, "wait T-FAIL"),
    (1, "wait BOT-002/T-OK T-FAIL"),
    (0, "show T-FAIL"),
    (0, "response T-FAIL"),
    (1, "ask BOT-002 fail"),
    (0, "ask BOT-002 hello"),
    // Usage, and an id of two bots.
    (2, "submit BOT-002"),
    (2, "submit BOT-002 x --timeout 5"),
    (2, "submit BOT-002 x --priority P9"),
    (2, "wait"),
    (2, ""),
    (2, "nonsense"),
    (2, "submit BOT-002 -f none.md"),
    (2, "submit BOT-002 -f none*.md"),
    (2, "prioritize T-OK P9"),
    (2, "pause"),
    (2, "pause --all BOT-002"),
    (2, "response T-OK -o yaml"),
    (2, "completions tcsh"),
    (2, "show ../T-OK"),
    (2, "tasks BOT-002 --nonsense"),
    (2, "timeline --follow -o json"),
    (2, "show T-OK"),
    (2, "cancel T-OK"),
    // A bot that is down.
    (3, "ask BOT-003 hello"),
    (3, "cancel BOT-003/T-OK"),
    (3, "retry BOT-003/T-OK"),
    (3, "prioritize BOT-003/T-OK P0"),
    (3, "interrupt BOT-003"),
    (3, "stop BOT-003"),
    (3, "status BOT-003"),
    (3, "status BOT-002 BOT-003"),
    (3, "timeline BOT-003 --follow"),
    (0, "status"),
    (0, "tasks BOT-003"),
    (0, "timeline BOT-003"),
    (0, "show BOT-003/T-OK"),
    (0, "pause BOT-003"),
    (0, "resume BOT-003"),
    (0, "stop --all --hive elsewhere"),
    (8, "--url http://127.0.0.1:1 status"),
    // What does not exist.
    (4, "show T-NONE"),
    (4, "response T-NONE"),
    (4, "wait T-NONE"),
    (4, "cancel T-NONE"),
    (4, "submit BOT-999 hello"),
    (4, "ask BOT-999 hello"),
    (4, "tasks BOT-999"),
    (4, "status BOT-999"),
    (4, "timeline BOT-999"),
    (4, "pause BOT-999"),
    (4, "resume BOT-999"),
    (4, "interrupt BOT-999"),
    (4, "stop BOT-999"),
    (4, "retry T-NONE"),
    (4, "prioritize T-NONE P0"),
    (4, "response BOT-002/T-NONE"),
    (4, "wait T-NONE T-FAIL"),
    (4, "--hive /nonexistent status"),
    // Giving up, while the work goes on.
    (5, "submit BOT-002 hold --id T-HOLD --wait --timeout 1"),
    (5, "wait T-HOLD --timeout 1"),
    (4, "response T-HOLD"),
    // Conflicts.
    (7, "cancel BOT-002/T-OK"),
    (7, "submit BOT-002 other --id T-OK"),
    (0, "submit BOT-002 hello --id T-OK"),
    (7, "ask BOT-002 hello --when-busy reject"),
    (7, "ask BOT-004 hello"),
    (7, "prioritize T-HOLD P0"),
    (7, "retry T-HOLD"),
    // Cancelled.
    (0, "submit BOT-002 hello --id T-NEXT"),
    (0, "prioritize T-NEXT P0"),
    (0, "cancel T-NEXT"),
    (0, "cancel T-NEXT"),
    (6, "wait T-NEXT"),
    (6, "wait BOT-002/T-OK T-NEXT"),
    (1, "wait T-NEXT T-FAIL"),
    (0, "interrupt BOT-002"),
    (6, "wait T-HOLD"),
    (7, "interrupt BOT-002"),
    (0, "retry T-FAIL"),
];

/// Runs commands one after the other and compares their exit statuses.
async fn exits(hive: &Hive, table: &[(i32, &str)]) {
    for (exit, line) in table {
        let arguments: Vec<_> = line.split_whitespace().collect();
        let ran = ctl(hive, &arguments).await;
        assert_eq!(ran.exit, *exit, "hivectl {line}: {ran:?}");
        // Why something failed is told in a line, and perhaps a hint.
        if ran.exit != 0 && ran.out.is_empty() && !line.starts_with("ask BOT-002 fail") && !line.is_empty() {
            let lines = ran.err.lines().count();
            assert!((1..=2).contains(&lines) && ran.err.starts_with("hivectl: "), "hivectl {line}: {ran:?}");
        }
    }
}

#[tokio::test]
async fn exit_statuses_tell_how_it_went() {
    let hive = Hive::exec(AGENT, "[bots.BOT-004]\nmode = \"cli-only\"");
    let agent = Agent::start(&hive).await;
    let _no_chat = Agent::start(&hive.of("BOT-004")).await;
    let down = hive.of("BOT-003");
    down.paths().create(Some(down.bot())).expect("a task directory can be made");
    down.drop_task("T-OK.md", "the same id");
    exits(&hive, &TABLE).await;
    agent.api().until_status("it is idle", |status| status["state"] == "idle").await;
}

#[tokio::test]
async fn a_wait_on_a_bot_that_is_down_gives_up() {
    let hive = Hive::exec(AGENT, "");
    hive.drop_task("T1.md", "hello");
    let goes = Hive::exec(AGENT, "");
    let mut going = leaving(&goes).await;
    let waits = control(&goes, &["submit", "BOT-002", "hello", "--id", "T1", "--wait"]).spawn();
    goes.until("the task waits", || goes.is_in_queue("T1.md").then_some(())).await;
    goes.touch("go");
    let (waited, submitted, left, _) = tokio::join!(
        ctl(&hive, &["wait", "T1"]),
        ctl(&hive, &["submit", "BOT-002", "x", "--wait"]),
        finish(waits.expect("hivectl can be started")),
        going.ended(),
    );
    waited.expect(3);
    submitted.expect(3);
    let left = left.expect(3);
    assert!(left.err.contains("BOT-002 is stopping; T1 waits for its next start\n"), "{left:?}");
    assert!(goes.is_in_queue("T1.md"));
}

/// A bot that stops as soon as its task `HOLD` is over.
async fn leaving(hive: &Hive) -> Agent {
    let agent = Agent::start(hive).await;
    hive.drop_task("HOLD.md", "hold");
    agent.api().until_is("HOLD", "running").await;
    ctl(hive, &["down", "--timeout", "0.1"]).await.expect(5);
    agent.api().until_status("it stops", |status| status["state"] == "stopping").await;
    agent
}

#[tokio::test]
async fn a_bot_that_is_stopping_finds_what_is_submitted_at_its_next_start() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = leaving(&hive).await;
    let told = "hivectl: BOT-002 is stopping; T1 waits for its next start\n";
    for _again in 0..2 {
        let ran = ctl(&hive, &["submit", "BOT-002", "hello", "--id", "T1"]).await.expect(0);
        assert_eq!((ran.out.as_str(), ran.err.as_str()), ("T1\n", told));
    }
    ctl(&hive, &["submit", "BOT-002", "other", "--id", "T1"]).await.expect(7);
    let of_many = ctl(&hive, &["submit", "BOT-002", "-f", "T2.md", "T3.md"]);
    for name in ["T2.md", "T3.md"] {
        std::fs::write(hive.root().join(name), "hello").expect("a file can be written");
    }
    let of_many = of_many.await.expect(0);
    assert_eq!(of_many.out, "T2\nT3\n");
    assert_eq!(of_many.err.matches("stopping").count(), 1, "{of_many:?}");
    // From another machine there is no queue to write into.
    let url = agent.record().url.clone();
    let mut remote = control(&hive, &["--url", &url, "submit", "BOT-002", "hello", "--id", "T4"]);
    let refused = finish(remote.env("HIVE_TOKEN", agent.token().trim()).spawn().expect("it starts")).await;
    assert!(refused.expect(7).err.contains("stopping"));

    let waits = control(&hive, &["wait", "T1", "T2", "T3"]).spawn().expect("hivectl can be started");
    hive.touch("go");
    agent.ended().await;
    let _again = Agent::start(&hive).await;
    finish(waits).await.expect(0);
    assert!(hive.response("T4").is_none());
    assert_eq!(hive.work_file("ran.txt").lines().filter(|id| *id == "T1").count(), 1);
}

#[tokio::test]
async fn from_another_machine_a_token_is_needed() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let url = agent.record().url.as_str();
    let remote = async |token: Option<&str>| {
        let mut command = control(&hive, &["--url", url, "status", "-o", "json"]);
        command.envs(token.map(|token| ("HIVE_TOKEN", token)));
        finish(command.spawn().expect("hivectl can be started")).await
    };
    remote(None).await.expect(8);
    remote(Some("wrong")).await.expect(8);
    std::fs::write(hive.root().join("wrong"), "d3Jvbmc").expect("a file can be written");
    for words in
        ["status BOT-002", "wait T1", "ask BOT-002 hello", "timeline -f", "submit BOT-002 x", "pause --all"]
    {
        let words: Vec<_> =
            ["--url", url, "--token-file", "wrong"].into_iter().chain(words.split(' ')).collect();
        ctl(&hive, &words).await.expect(8);
    }
    let status = remote(Some(agent.token().trim())).await.expect(0).json();
    assert_eq!(status[0]["bot_id"], "BOT-002");
    std::fs::write(hive.root().join("token"), agent.token()).expect("a file can be written");
    // The port of nobody.
    let gone = ctl(&hive, &["--url", "http://127.0.0.1:1", "--token-file", "token", "status"]).await;
    gone.expect(3);
}

#[tokio::test]
async fn from_another_machine_a_bot_is_directed_as_from_its_own() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    // No hive is around there.
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let there = |words: &str| {
        let words: Vec<_> = words.split(' ').collect();
        let mut command = control(&hive, &words);
        command.current_dir(elsewhere.path());
        command.env("HIVE_URL", &agent.record().url).env("HIVE_TOKEN", agent.token().trim());
        command.spawn().expect("hivectl can be started")
    };
    let run = async |words: &str| finish(there(words)).await;
    let mut follower = there("timeline -f -o ndjson");
    let mut lines = BufReader::new(follower.stdout.take().expect("a pipe")).lines();
    assert_eq!(next_entry(&mut lines).await["title"], "started");
    let submitted = run("submit BOT-002 hello --id T1 --wait -o json").await.expect(0).json();
    assert_eq!((&submitted["bot_id"], &submitted["status"]), (&json!("BOT-002"), &json!("completed")));
    while next_entry(&mut lines).await["status"] != "completed" {}
    interrupt(&follower);
    finish(follower).await.expect(130);
    assert_eq!(run("response T1").await.expect(0).out, "you said: hello");
    assert_eq!(run("submit BOT-002 hello --follow").await.expect(0).out, "you said: hello");
    assert_eq!(run("ask BOT-002 hello").await.expect(0).out, "you said: hello\n");
    run("submit BOT-002 fail --id T2 --wait").await.expect(1);
    for (exit, words) in [
        (1, "wait T1 BOT-002/T2"),
        (0, "show T1"),
        (0, "tasks BOT-002 --all"),
        (0, "timeline --since 1h"),
        (0, "pause --all"),
        (0, "submit BOT-002 hello --id T3"),
        (0, "prioritize T3 P0"),
        (0, "cancel T3"),
        (6, "wait T3"),
        (0, "resume BOT-002"),
        (0, "retry T1"),
        (0, "status BOT-002"),
        (4, "show T-NONE"),
        (4, "status BOT-999"),
        (7, "submit BOT-002 other --id T1"),
    ] {
        let ran = run(words).await;
        assert_eq!(ran.exit, exit, "hivectl {words}: {ran:?}");
    }
    agent.api().until_status("it is idle", |status| status["state"] == "idle").await;
    run("interrupt BOT-002").await.expect(7);
    run("stop BOT-002").await.expect(0);
}
