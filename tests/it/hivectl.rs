//! SPEC 10: hivectl as scripts use it, against the real daemon.

use std::collections::BTreeMap;
use std::process::Stdio;

use hive_tests::{Agent, Hive, binary, control, ctl, ctl_with, finish, interrupt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

use crate::scripts::AGENT;

/// Whether an object has these fields, at least.
#[track_caller]
fn has(value: &Value, fields: &str) {
    for field in fields.split(' ') {
        assert!(value.as_object().is_some_and(|object| object.contains_key(field)), "no {field}: {value:#}");
    }
}

#[tokio::test]
async fn json_has_the_names_of_the_api() {
    const TASK: &str = "task_id title priority status position from created limit_seconds interruptible depends_on \
        file attempts preemptions fields warnings";
    const STATUS: &str = "bot_id state paused paused_by mode adapter current suspended queue chat_clients approvals \
        last_activity counts health";
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let line = async |words: &str, format: &str| {
        let mut arguments: Vec<_> = words.split(' ').collect();
        arguments.extend(["-o", format]);
        ctl(&hive, &arguments).await.expect(0)
    };
    let one = async |words: &str| line(words, "json").await.json();
    has(&one("submit BOT-002 hello --id T1").await, &format!("bot_id {TASK}"));
    agent.api().until_is("T1", "completed").await;
    has(
        &one("submit BOT-002 hello --id T2 --wait").await,
        "task_id status success duration_seconds response_file",
    );
    has(&one("show T1").await, &format!("bot_id source started_at completed_at response {TASK}"));
    has(&one("response T1").await, "schema task_id bot_id source status success duration_seconds content");
    has(&one("retry T1").await, "task_id status retry_of");
    let asked = one("ask BOT-002 hi").await;
    assert_eq!((&asked["status"], &asked["response"]), (&json!("completed"), &json!("you said: hi")));
    has(&asked, "chat_id bot_id success duration_seconds files_modified");
    has(&one("pause BOT-002").await, STATUS);
    has(&one("submit BOT-002 hello --id T3").await, TASK);
    assert_eq!(one("prioritize T3 P0").await["priority"], "P0");
    assert_eq!(one("cancel T3").await["status"], "cancelled");
    has(&one("resume BOT-002").await, STATUS);

    // One array, or an object a line.
    for (words, fields) in [
        ("status", STATUS),
        ("tasks BOT-002 --all", TASK),
        ("timeline", "seq entry_id bot_id timestamp updated_at source kind status"),
        ("wait T1 T2", "task_id bot_id status success"),
    ] {
        let array = one(words).await;
        let items = array.as_array().unwrap_or_else(|| panic!("{words}: {array}"));
        assert!(!items.is_empty(), "{words}");
        for item in items {
            has(item, fields);
        }
        let lines = line(words, "ndjson").await.out;
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
        assert_eq!(lines.len(), items.len(), "{words}");
        for item in &lines {
            has(item, fields);
        }
    }
    let frames = line("ask BOT-002 hi", "ndjson").await.out;
    assert!(frames.lines().last().is_some_and(|frame| frame.contains("response_complete")), "{frames}");
    has(&one("stop BOT-002").await, STATUS);
}

#[tokio::test]
async fn documents_come_from_files_and_stdin_and_are_told_by_their_ids() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let document = |id: &str| format!("# Say it\n**Task ID:** {id}\n**Priority:** P1\n\nhello {id}\n");
    for id in ["F1", "F2"] {
        std::fs::write(hive.root().join(format!("{id}.txt")), document(id)).expect("a file can be written");
    }
    let files = ctl(&hive, &["submit", "BOT-002", "-f", "F1.txt", "F2.txt"]).await.expect(0);
    assert_eq!((files.out.as_str(), files.err.as_str()), ("F1\nF2\n", ""));
    let again = ctl(&hive, &["submit", "BOT-002", "-f", "F1.txt"]).await.expect(0);
    assert_eq!((again.out.as_str(), again.err.lines().count()), ("F1\n", 1), "{again:?}");
    let stdin = ctl_with(&hive, &["submit", "BOT-002", "-"], &document("S1")).await.expect(0);
    assert_eq!(stdin.out, "S1\n");
    let stdin = ctl_with(&hive, &["submit", "BOT-002", "-f", "-"], "just do it\nplease").await.expect(0);
    let task = agent.api().until_ended(stdin.out.trim()).await;
    assert_eq!(task["response"], "you said: just do it\nplease");
    let task = agent.api().until_ended("S1").await;
    assert_eq!((&task["priority"], &task["title"]), (&json!("P1"), &json!("Say it")));
    // The header's fields are not the agent's to read; what else is there is.
    assert!(task["response"].as_str().is_some_and(|text| text.ends_with("# Say it\n\nhello S1")), "{task:#}");
    ctl(&hive, &["submit", "BOT-002", "-f", "none.md"]).await.expect(2);
    ctl_with(&hive, &["submit", "BOT-002", "-"], "").await.expect(2);
}

#[tokio::test]
async fn an_answer_ends_its_line() {
    let hive = Hive::exec("cat; cat \"$0\" 2>/dev/null || true", "");
    let _agent = Agent::start(&hive).await;
    for (said, heard) in [("one", "one\n"), ("two\n", "two\n"), ("three\n\n", "three\n\n")] {
        let asked = ctl_with(&hive, &["ask", "BOT-002", "-"], said).await.expect(0);
        assert_eq!((asked.out.as_str(), asked.err.as_str()), (heard, ""));
    }
    let followed = ctl(&hive, &["submit", "BOT-002", "say this", "--follow"]).await.expect(0);
    assert_eq!(followed.out, "say this");
}

#[tokio::test]
async fn files_serve_while_the_bot_is_down() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    ctl(&hive, &["submit", "BOT-002", "hello", "--id", "T1", "--wait"]).await.expect(0);
    // The file is moved after the end is known.
    agent.api().until("T1 is archived", async || (!hive.is_in_queue("T1.md")).then_some(())).await;
    agent.terminate();
    agent.ended().await;

    let down = async |words: &str| {
        let ran = ctl(&hive, &words.split(' ').collect::<Vec<_>>()).await.expect(0);
        assert!(ran.err.contains("BOT-002 is down"), "{words}: {ran:?}");
        ran.out
    };
    assert_eq!(down("submit BOT-002 hello --id T2").await, "T2\n");
    assert_eq!(down("submit BOT-002 hello --id T2").await, "T2\n");
    assert!(hive.is_in_queue("T2.md"));
    let tasks: Value = serde_json::from_str(&down("tasks BOT-002 -o json").await).expect("JSON");
    assert_eq!((&tasks[0]["task_id"], &tasks[0]["status"]), (&json!("T2"), &json!("queued")));
    assert_eq!(down("response T1").await, "you said: hello");
    assert!(down("show T1").await.contains("you said: hello"));
    assert!(down("show T2").await.contains("queued"));
    let timeline = down("timeline -o ndjson").await;
    assert!(timeline.contains(r#""entry_id":"T1""#), "{timeline}");
    down("pause BOT-002 --reason later").await;
    assert!(hive.control_file("PAUSE").exists());
    let status = ctl(&hive, &["status", "-o", "json"]).await.expect(0).json();
    assert_eq!((&status[0]["state"], &status[0]["paused"]), (&json!("down"), &json!(true)));
    down("resume BOT-002").await;
    assert!(!hive.control_file("PAUSE").exists());
    down("pause BOT-002").await;

    let agent = Agent::start(&hive).await;
    agent.api().until_status("it is paused", |status| status["state"] == "paused").await;
    assert_eq!(agent.api().until_is("T2", "queued").await["attempts"], 0);
    let known = ctl(&hive, &["submit", "BOT-002", "hello", "--id", "T2"]).await.expect(0);
    assert_eq!(known.out, "T2\n");
    ctl(&hive, &["resume", "BOT-002"]).await.expect(0);
    ctl(&hive, &["wait", "T2"]).await.expect(0);
    assert_eq!(hive.answer("T2").await.text, "you said: hello");
}

/// The next line of `timeline -f -o ndjson`.
pub(crate) async fn next_entry(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = tokio::time::timeout(hive_tests::DEADLINE, lines.next_line()).await;
    let line = line.expect("a line comes in time").expect("it can be read").expect("it goes on");
    serde_json::from_str(&line).expect("an object a line")
}

#[tokio::test]
async fn a_followed_timeline_has_neither_gap_nor_repeat() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    ctl(&hive, &["submit", "BOT-002", "hello", "--id", "T1", "--wait"]).await.expect(0);
    let mut follower =
        control(&hive, &["timeline", "-f", "-o", "ndjson"]).spawn().expect("hivectl can be started");
    let mut lines = BufReader::new(follower.stdout.take().expect("a pipe")).lines();
    let mut seen: Vec<Value> = Vec::new();
    for (id, is_killed) in [("T2", true), ("T3", false), ("T4", false)] {
        ctl(&hive, &["submit", "BOT-002", "count", "--id", id]).await.expect(0);
        agent.api().until_is(id, "running").await;
        if is_killed {
            agent.kill9();
        } else {
            agent.terminate();
            agent.ended().await;
        }
        agent = Agent::start(&hive).await;
        while !seen.iter().any(|entry| entry["entry_id"] == id && entry["status"] == "completed") {
            seen.push(next_entry(&mut lines).await);
        }
    }
    let entries = agent.api().entries("limit=1000").await;
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    let mut last = 0;
    let key = |entry: &Value| entry["entry_id"].as_str().expect("an id").to_owned();
    let seq = |entry: &Value| entry["seq"].as_u64().expect("a number");
    // What was there at first comes by time, what follows by change.
    let first_change = seen.iter().position(|entry| entry["entry_id"] == "T2").expect("it was seen");
    for (index, entry) in seen.iter().enumerate() {
        assert!(index < first_change || seq(entry) > last, "{seen:#?}");
        last = last.max(seq(entry));
        newest.insert(key(entry), seq(entry));
    }
    for entry in entries.iter().filter(|entry| seq(entry) <= last) {
        assert_eq!(newest.get(&key(entry)), Some(&seq(entry)), "{entry:#}\nis not among\n{seen:#?}");
    }
    interrupt(&follower);
    assert_eq!(follower.wait().await.expect("it is ours").code(), Some(130));
}

#[tokio::test]
async fn an_interrupted_wait_leaves_the_work_alone() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let wait = ["submit", "BOT-002", "hold", "--id", "T1", "--wait"];
    let mut waiting = control(&hive, &wait).spawn().expect("hivectl can be started");
    let mut lines = BufReader::new(waiting.stdout.take().expect("a pipe")).lines();
    assert_eq!(lines.next_line().await.expect("it can be read").as_deref(), Some("T1"));
    agent.api().until_is("T1", "running").await;
    interrupt(&waiting);
    finish(waiting).await.expect(130);
    assert_eq!(agent.api().task("T1").await["status"], "running");
    hive.touch("go");
    ctl(&hive, &["wait", "T1"]).await.expect(0);

    // An ask is cancelled instead.
    std::fs::remove_file(hive.root().join("go")).expect("it is there");
    let asking = control(&hive, &["ask", "BOT-002", "hold", "-q"]).spawn().expect("hivectl can be started");
    agent.api().until_status("it works", |status| status["current"]["source"] == "chat").await;
    interrupt(&asking);
    let asked = finish(asking).await.expect(130);
    assert_eq!(asked.err, "");
    let status = agent.api().until_status("it is idle", |status| status["state"] == "idle").await;
    assert_eq!(status["counts"]["cancelled"], 1, "{status:#}");
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_error() {
    let hive = Hive::exec("head -c 300000 /dev/zero | tr '\\0' x", "");
    let agent = Agent::start(&hive).await;
    ctl(&hive, &["submit", "BOT-002", "hello", "--id", "T1", "--wait"]).await.expect(0);
    agent.api().post("pause", json!({})).await.ok();
    for _ in 0..20 {
        agent.api().submit(json!({"instruction": "x"})).await;
    }
    let hivectl = binary("hivectl");
    for (line, first) in [
        ("timeline -o json | head -1", "[\n"),
        ("timeline -o ndjson | head -c 1", "{"),
        ("timeline | head -c 4", "TIME"),
        ("tasks BOT-002 --all | head -c 1", "#"),
        ("response T1 | head -c 1", "x"),
        ("show T1 | head -c 3", "id:"),
        ("status --watch -o ndjson | head -c 1", "{"),
        ("timeline --follow | head -c 4", "TIME"),
        ("timeline --follow -o ndjson | head -c 1", "{"),
        ("help submit | head -c 4", "Hand"),
        ("completions bash | true", ""),
    ] {
        let mut shell = Command::new("bash");
        shell
            .args(["-c", &format!("set -o pipefail; '{}' {line}", hivectl.display())])
            .env("HIVE_DIR", hive.root())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let ran = finish(shell.spawn().expect("a shell")).await;
        assert_eq!((ran.exit, ran.out.as_str(), ran.err.as_str()), (0, first, ""), "{line}");
    }
}

#[tokio::test]
async fn every_command_has_help() {
    let hive = Hive::exec(AGENT, "");
    let help = ctl(&hive, &["--help"]).await.expect(0).out;
    let commands = help.lines().filter_map(|line| line.strip_prefix("  ")?.trim().split_once("  "));
    let commands: Vec<_> =
        commands.filter(|(name, _)| name.bytes().all(|b| b.is_ascii_lowercase())).collect();
    assert!(commands.len() > 15, "{help}");
    for (name, about) in commands.into_iter().filter(|(name, _)| *name != "help") {
        assert!(about.trim().len() > 10, "{name}");
        let help = ctl(&hive, &[name, "--help"]).await.expect(0).out;
        assert!(help.contains(&format!("Usage: hivectl {name}")), "{help}");
        assert_eq!(ctl(&hive, &["help", name]).await.expect(0).out, help);
    }
    // A script that lost its words must notice, and a person sees what there is.
    let alone = ctl(&hive, &[]).await.expect(2);
    assert!(alone.out.is_empty() && alone.err.contains("Tasks:\n  submit "), "{alone:?}");
    let version = ctl(&hive, &["--version"]).await.expect(0);
    assert!(version.out.starts_with("hivectl "), "{version:?}");
}
