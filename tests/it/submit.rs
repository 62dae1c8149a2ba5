//! SPEC 10: submitting many tasks, waiting for many, and leaving.

use std::process::Stdio;

use hive_tests::{Agent, Hive, Terminal, control, ctl, ctl_with, finish, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use crate::scripts::AGENT;

fn document(hive: &Hive, name: &str, text: impl AsRef<[u8]>) {
    let path = hive.root().join(name);
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory can be made");
    std::fs::write(path, text).expect("a file can be written");
}

#[tokio::test]
async fn a_pattern_stands_for_its_files_and_all_are_checked_before_the_first_is_submitted() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    for name in ["plan/b.md", "plan/a.md", "plan/c.txt"] {
        document(&hive, name, "hello");
    }
    document(&hive, "broken/a.md", "hello");
    document(&hive, "broken/b.md", b"\xff\xfe");
    document(&hive, "twins/a.md", "# One\n**Task ID:** TWIN\n\nhello\n");
    document(&hive, "twins/b.md", "# Two\n**Task ID:** TWIN\n\nhello\n");
    for (files, told) in [
        ("/nope", "there is no file /nope"),
        ("plan", "name the documents in it: 'plan/*.md'"),
        ("plan/*.rst", "no file matches plan/*.rst"),
        ("broken/*.md", "broken/b.md is no task"),
        ("twins/*.md", "twins/a.md and twins/b.md have the same id TWIN"),
        ("plan/a.md /nope", "there is no file /nope"),
    ] {
        let arguments: Vec<_> = "submit BOT-002 -f".split(' ').chain(files.split(' ')).collect();
        let ran = ctl(&hive, &arguments).await.expect(2);
        assert!(ran.err.contains(told) && ran.out.is_empty(), "{files}: {ran:?}");
    }
    ctl(&hive, &["submit", "BOT-002", "-f", "plan/*.md", "--id", "X"]).await.expect(2);
    assert_eq!(ctl(&hive, &["tasks", "BOT-002", "--all", "-o", "json"]).await.expect(0).json(), json!([]));

    let submitted =
        ctl(&hive, &["submit", "BOT-002", "-f", "plan/*.md", "--priority", "high"]).await.expect(0);
    assert_eq!((submitted.out.as_str(), submitted.err.as_str()), ("a\nb\n", ""));
    assert_eq!(agent.api().until_ended("b").await["priority"], "P1");
    let again =
        ctl(&hive, &["submit", "BOT-002", "-f", "plan/*.md", "plan/a.md", "--priority", "P1", "-o", "json"]);
    let again = again.await.expect(0);
    assert_eq!(again.json().as_array().map(Vec::len), Some(2), "{again:?}");
}

#[tokio::test]
async fn one_that_conflicts_does_not_keep_back_the_others() {
    let hive = Hive::exec(AGENT, "");
    let _agent = Agent::start(&hive).await;
    ctl(&hive, &["submit", "BOT-002", "other", "--id", "b"]).await.expect(0);
    for name in ["a.md", "b.md", "c.md"] {
        document(&hive, name, "hello");
    }
    let ran = ctl(&hive, &["submit", "BOT-002", "-f", "?.md"]).await.expect(7);
    assert_eq!(ran.out, "a\nc\n");
    assert!(ran.err.starts_with("hivectl: b.md: "), "{ran:?}");
    assert!(ran.err.contains("hivectl: 2 of 3 are submitted, all but b.md\n"), "{ran:?}");
    let waited = ctl(&hive, &["submit", "BOT-002", "-f", "?.md", "--wait", "-o", "json"]).await.expect(7);
    assert_eq!(waited.json().as_array().map(Vec::len), Some(2), "{waited:?}");
    assert!(waited.err.contains("\nhint: nothing is waited for"), "{waited:?}");
}

#[tokio::test]
async fn of_a_wait_for_many_each_line_comes_as_it_ends() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    ctl(&hive, &["submit", "BOT-002", "hello", "--id", "T-OLD", "--wait"]).await.expect(0);
    ctl(&hive, &["submit", "BOT-002", "hold", "--id", "T-FIRST"]).await.expect(0);
    ctl(&hive, &["submit", "BOT-002", "hold", "--id", "T-SECOND"]).await.expect(0);
    let line = ["wait", "T-SECOND", "T-FIRST", "T-OLD", "-o", "ndjson", "--timeout", "5m"];
    let mut waiting = control(&hive, &line).spawn().expect("hivectl can be started");
    let mut lines = BufReader::new(waiting.stdout.take().expect("a pipe")).lines();
    let mut next = async || {
        let line = lines.next_line().await.expect("it can be read").expect("it goes on");
        let detail: Value = serde_json::from_str(&line).expect("an object a line");
        (detail["task_id"].as_str().unwrap_or_default().to_owned(), detail["status"].clone())
    };
    assert_eq!(next().await, ("T-OLD".to_owned(), json!("completed")));
    hive.touch("go-T-FIRST");
    // The second is still held.
    assert_eq!(next().await, ("T-FIRST".to_owned(), json!("completed")));
    agent.api().until_is("T-SECOND", "running").await;
    let late = ctl(&hive, &["wait", "T-SECOND", "T-OLD", "-o", "ndjson", "--timeout", "1"]).await.expect(5);
    let statuses: Vec<_> = late.out.lines().map(|line| line.contains(r#""status":"running""#)).collect();
    assert_eq!(statuses, [false, true], "{late:?}");
    hive.touch("go-T-SECOND");
    assert_eq!(next().await, ("T-SECOND".to_owned(), json!("completed")));
    assert_eq!(waiting.wait().await.expect("it is ours").code(), Some(0));
}

/// Waits until a process hears a signal itself.
async fn hears(child: &Child, signal: Signal) {
    let status = format!("/proc/{}/status", child.id().expect("it runs"));
    let bit = 1u64 << (signal as i32 - 1);
    until(
        "it hears signals",
        async || status.clone(),
        async || {
            let text = std::fs::read_to_string(&status).expect("it runs");
            let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
            let caught = u64::from_str_radix(caught.trim(), 16).expect("a mask");
            (caught & bit != 0).then_some(())
        },
    )
    .await;
}

#[tokio::test]
async fn a_signal_ends_whatever_waits_or_follows() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    ctl(&hive, &["submit", "BOT-002", "hold", "--id", "T1"]).await.expect(0);
    agent.api().until_is("T1", "running").await;
    for (line, leaves) in [
        ("wait T1", true),
        ("wait T1 -o json", true),
        ("submit BOT-002 hold --id T1 --wait", true),
        ("submit BOT-002 hold --id T1 --follow", true),
        ("timeline --follow -o ndjson", false),
        ("timeline --follow", false),
        ("status --watch", false),
        // Nothing comes from that pipe.
        ("submit BOT-002 -", false),
        ("ask BOT-002 -", false),
    ] {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let words: Vec<_> = line.split(' ').collect();
            let mut child =
                control(&hive, &words).stdin(Stdio::piped()).spawn().expect("hivectl can be started");
            let stdin = child.stdin.take();
            hears(&child, Signal::SIGINT).await;
            hears(&child, Signal::SIGTERM).await;
            kill(Pid::from_raw(i32::try_from(child.id().expect("it runs")).expect("a number")), signal)
                .expect("it runs");
            let ran = finish(child).await;
            drop(stdin);
            assert_eq!(ran.exit, 130, "{line}: {ran:?}");
            assert_eq!(ran.err.contains("the work goes on"), leaves, "{line}: {ran:?}");
        }
    }
    assert_eq!(agent.api().task("T1").await["status"], "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_many_shows_how_many_are_done() {
    let hive = Hive::exec(AGENT, "");
    let _agent = Agent::start(&hive).await;
    for name in ["T1.md", "T2.md", "T3.md"] {
        document(&hive, name, "hold");
    }
    let mut terminal = Terminal::hivectl(&hive, &["submit", "BOT-002", "-f", "T?.md", "--wait"]);
    terminal.shows("0/3").await;
    terminal.shows(" of 30m00s  BOT-002: T1 is running").await;
    hive.touch("go-T1");
    terminal.shows("1/3").await;
    terminal.shows("BOT-002: T2 is running").await;
    hive.touch("go");
    assert_eq!(terminal.ended().await.code(), Some(0));
    let screen = terminal.screen();
    assert!(screen.contains("T3 of BOT-002 is completed") && !screen.contains("/3"), "{screen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_shows_the_place_in_the_queue_and_ctrl_c_leaves_the_work() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    ctl(&hive, &["submit", "BOT-002", "hold", "--id", "T1"]).await.expect(0);
    agent.api().until_is("T1", "running").await;
    let mut terminal = Terminal::hivectl(&hive, &["submit", "BOT-002", "hello", "--id", "T2", "--wait"]);
    terminal.shows("BOT-002: T2 is queued (place 1)").await;
    terminal.press(hive_tests::CTRL_C);
    assert_eq!(terminal.ended().await.code(), Some(130));
    terminal.shows("hivectl: no longer waiting; the work goes on").await;
    assert_eq!(agent.api().task("T2").await["status"], "queued");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_looks_nothing_is_drawn() {
    let hive = Hive::exec(AGENT, "");
    let _agent = Agent::start(&hive).await;
    ctl(&hive, &["submit", "BOT-002", "fail", "--id", "T1", "--wait"]).await.expect(1);
    for (arguments, environment, text) in [
        (&["submit", "BOT-002", "hello", "--wait"][..], ("CI", "true"), "is completed"),
        (&["submit", "BOT-002", "hello", "--wait"], ("TERM", "dumb"), "is completed"),
        (&["wait", "T1"], ("CI", "true"), "failed"),
        (&["wait", "T1"], ("NO_COLOR", "1"), "failed"),
        (&["tasks", "BOT-002", "--all"], ("NO_COLOR", "1"), "failed"),
        (&["help", "wait"], ("TERM", "dumb"), "Usage"),
        (&["help", "wait"], ("NO_COLOR", "1"), "Usage"),
        (&["show"], ("NO_COLOR", "1"), "hint"),
        (&[], ("NO_COLOR", "1"), "Tasks:"),
    ] {
        let mut terminal = Terminal::start(&hive, hive_tests::binary("hivectl"), arguments, &[environment]);
        terminal.ended().await;
        terminal.until(text, |_| terminal.sent().contains(text).then_some(())).await;
        assert!(!terminal.sent().contains('\x1b'), "{environment:?} {arguments:?}: {:?}", terminal.sent());
    }
    let coloured = Terminal::hivectl(&hive, &["wait", "T1"]);
    coloured.until("a colour", |_| coloured.sent().contains("\x1b[").then_some(())).await;
    let quiet = Terminal::hivectl(&hive, &["submit", "BOT-002", "hold", "--id", "T2", "--wait", "-q"]);
    quiet.shows("T2 of BOT-002 is ").await;
    hive.touch("go");
    quiet.shows("T2 of BOT-002 is completed").await;
    assert!(!quiet.sent().contains("30m00s"), "{}", quiet.sent());
}

#[tokio::test]
async fn stdin_is_read_once_and_a_document_on_it_has_its_own_id() {
    let hive = Hive::exec(AGENT, "");
    let _agent = Agent::start(&hive).await;
    let text = "---\nid: FROM-STDIN\n---\nhello\n";
    let ran =
        ctl_with(&hive, &["submit", "BOT-002", "-f", "-", "-", "--wait", "-o", "json"], text).await.expect(0);
    assert_eq!((&ran.json()["task_id"], &ran.json()["status"]), (&json!("FROM-STDIN"), &json!("completed")));
    let again = ctl_with(&hive, &["submit", "BOT-002", "-"], text).await.expect(0);
    assert_eq!(again.out, "FROM-STDIN\n");
}
