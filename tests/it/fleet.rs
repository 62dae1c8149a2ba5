//! SPEC 10: bots in the background, their logs, and what is wrong with them.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use hive_shared::api::BotRecord;
use hive_shared::client::read_record;
use hive_tests::{Agent, CTRL_C, DEADLINE, Hive, Ran, Terminal, binary, control, ctl, finish, interrupt};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use crate::scripts::AGENT;

/// The table of the bot that most tests have.
const TABLE: &str = "[bots.BOT-002]";

/// Who runs the bot now, if its record tells.
fn record(hive: &Hive) -> Option<BotRecord> {
    read_record(hive.paths(), hive.bot()).expect("a good record")
}

/// The fields of `/proc/PID/stat` from the state on.
fn stat(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    let (_, fields) = text.rsplit_once(") ").expect("a name in brackets");
    fields.split(' ').map(str::to_owned).collect()
}

fn spawn(hive: &Hive, arguments: &[&str]) -> Child {
    control(hive, arguments).spawn().expect("hivectl can be started")
}

#[tokio::test]
async fn up_and_down_are_a_round_trip() {
    let hive = Hive::echo(0, TABLE);
    let command = control(&hive, &["up"])
        .env("HIVE_TOKEN", "secret-of-another")
        .env("HIVE_DIR", hive.root())
        .spawn()
        .expect("hivectl can be started");
    let up = finish(command).await.expect(0);
    assert_eq!((up.out.as_str(), up.err.as_str()), ("BOT-002 is up (adapter echo)\n", ""));
    let pid = record(&hive).expect("it is up").pid;
    let environment = fs::read(format!("/proc/{pid}/environ")).expect("it is ours");
    let environment = String::from_utf8_lossy(&environment);
    assert!(!environment.contains("HIVE_TOKEN") && !environment.contains("HIVE_DIR"), "{environment}");

    assert_eq!(ctl(&hive, &["up", "BOT-002"]).await.expect(0).out, "BOT-002 was up already\n");
    let rows = ctl(&hive, &["up", "-o", "json"]).await.expect(0).json();
    assert_eq!((&rows[0]["bot_id"], &rows[0]["state"]), (&json!("BOT-002"), &json!("idle")));
    assert_eq!(record(&hive).expect("it is up").pid, pid);
    ctl(&hive, &["submit", "BOT-002", "hello", "--wait"]).await.expect(0);

    assert_eq!(ctl(&hive, &["down"]).await.expect(0).out, "BOT-002 is down\n");
    assert_eq!(record(&hive), None);
    hive.until("its process is gone", || hive.processes().is_empty().then_some(())).await;
    let again = ctl(&hive, &["down"]).await.expect(0);
    assert_eq!((again.out.as_str(), again.err.as_str()), ("", "hivectl: no bot of this hive is up\n"));
    assert_eq!(ctl(&hive, &["down", "BOT-002"]).await.expect(0).out, "BOT-002 was down already\n");
    let rows = ctl(&hive, &["down", "BOT-002", "-o", "json"]).await.expect(0).json();
    assert_eq!(rows[0]["state"], "down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_outlives_ctrl_c_and_the_terminal() {
    let hive = Hive::echo(0, TABLE);
    // Tests that run in the background ignore Ctrl-C, and so would what they start.
    let script = format!("{} up && exec env --default-signal=INT cat", binary("hivectl").display());
    let mut terminal = Terminal::start(&hive, "sh", &["-c", &script], &[]);
    terminal.shows("BOT-002 is up").await;
    let pid = record(&hive).expect("it is up").pid;
    // State, parent, group, session, terminal.
    let of = stat(pid);
    assert_eq!(
        (of[3].as_str(), of[4].as_str()),
        (pid.to_string().as_str(), "0"),
        "a session without a terminal"
    );
    hive.until("cat runs", || hive.processes().iter().any(|it| it.command == "cat").then_some(())).await;
    terminal.press(CTRL_C);
    assert!(!terminal.ended().await.success());
    drop(terminal);
    assert_eq!(ctl(&hive, &["up"]).await.expect(0).out, "BOT-002 was up already\n");
    assert_eq!(record(&hive).expect("it is up").pid, pid);
}

#[tokio::test]
async fn of_two_that_start_a_bot_at_once_both_see_it_up() {
    let hive = Hive::echo(0, TABLE);
    let ups = [(); 4].map(|()| spawn(&hive, &["up", "BOT-002"]));
    for up in ups {
        let ran = finish(up).await.expect(0);
        assert!(ran.out.starts_with("BOT-002 is up") || ran.out.starts_with("BOT-002 was up"), "{ran:?}");
    }
    hive.until("one process is left", || (hive.processes().len() == 1).then_some(())).await;
}

#[tokio::test]
async fn several_start_at_once_and_one_that_does_not_tells_why() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port();
    let hive = Hive::echo(
        0,
        &format!("[bots.BOT-002]\n[bots.BOT-003]\nlisten = {port}\n[bots.BOT-004]\nadaptor = \"echo\""),
    );
    let up = ctl(&hive, &["up"]).await.expect(1);
    assert_eq!(up.out, "BOT-002 is up (adapter echo)\n");
    let lines: Vec<_> = up.err.lines().collect();
    assert!(lines[0].starts_with("hivectl: BOT-003 does not start: 127.0.0.1:"), "{lines:?}");
    assert!(lines[0].contains("in use"), "{lines:?}");
    assert_eq!(lines[1], "hint: 'hivectl doctor BOT-003' looks for what is wrong");
    assert!(lines[2].contains("BOT-004 does not start") && lines[2].contains("'adaptor'"), "{lines:?}");
    let down = ctl(&hive, &["down"]).await.expect(0);
    assert_eq!(down.out, "BOT-002 is down\n");
}

#[tokio::test]
async fn what_up_needs_and_does_not_find_is_told() {
    let hive = Hive::echo(0, "");
    let none = ctl(&hive, &["up"]).await.expect(4);
    assert!(
        none.err.contains("no bot has a table in") && none.err.contains("hint: 'hivectl init --bot"),
        "{none:?}"
    );
    let typo = ctl(&hive, &["up", "BOT-020"]).await.expect(4);
    assert!(typo.err.contains("the bots here are BOT-002; 'hivectl init --bot NAME' adds one"), "{typo:?}");
    fs::write(hive.root().join("token"), "x").expect("a file can be written");
    for command in ["up", "down", "logs BOT-002", "doctor"] {
        let line = format!("{command} --url http://127.0.0.1:1 --token-file token");
        let ran = ctl(&hive, &line.split(' ').collect::<Vec<_>>()).await.expect(2);
        assert!(ran.err.contains("is for a hive on this machine") && ran.err.contains("\nhint: "), "{ran:?}");
    }
    // Alone, as one that was copied somewhere.
    let alone = hive.root().join("alone");
    fs::create_dir(&alone).expect("a directory can be made");
    let copied = std::process::Command::new("cp").arg(binary("hivectl")).arg(&alone).status();
    assert!(copied.expect("cp can be started").success());
    let ran = tokio::process::Command::new(alone.join("hivectl"))
        .args(["up", "BOT-002"])
        .env_clear()
        .env("HOME", hive.home())
        .current_dir(hive.root())
        .output()
        .await
        .expect("hivectl can be started");
    let err = String::from_utf8_lossy(&ran.stderr);
    assert!(
        ran.status.code() == Some(1) && err.contains("neither beside hivectl nor on PATH\nhint: "),
        "{err}"
    );
}

#[tokio::test]
async fn up_removes_the_stop_file() {
    let hive = Hive::echo(0, "");
    hive.control("STOP", "");
    let up = ctl(&hive, &["up", "BOT-002"]).await.expect(0);
    assert_eq!(up.err, "hivectl: BOT-002: its STOP file is removed\n");
    assert!(!hive.control_file("STOP").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn down_waits_for_the_turn_and_shows_what_it_waits_for() {
    let hive = Hive::exec(AGENT, TABLE);
    ctl(&hive, &["up"]).await.expect(0);
    ctl(&hive, &["submit", "BOT-002", "hold", "--id", "HOLD-1", "--title", "A long one"]).await.expect(0);
    hive.until("it runs", || hive.work_file("ran.txt").contains("HOLD-1").then_some(())).await;
    let mut terminal = Terminal::hivectl(&hive, &["down"]);
    terminal.shows(" of 30m00s  BOT-002 finishes HOLD-1 A long one").await;
    assert!(record(&hive).is_some());
    // A start waits for the end of the life before.
    let up = spawn(&hive, &["up"]);
    hive.touch("go");
    assert!(terminal.ended().await.success());
    terminal.shows("BOT-002 is down").await;
    assert_eq!(hive.response("HOLD-1").expect("it could finish").header.status.as_str(), "completed");
    assert_eq!(finish(up).await.expect(0).out, "BOT-002 is up (adapter exec)\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_the_end_can_be_given_up_and_the_end_be_hurried() {
    let hive = Hive::exec(AGENT, TABLE);
    ctl(&hive, &["up"]).await.expect(0);
    ctl(&hive, &["submit", "BOT-002", "hold", "--id", "HOLD-1"]).await.expect(0);
    hive.until("it runs", || hive.work_file("ran.txt").contains("HOLD-1").then_some(())).await;
    let late = ctl(&hive, &["down", "--timeout", "0.1"]).await.expect(5);
    assert!(
        late.err.contains("still finishes HOLD-1") && late.err.contains("down BOT-002 --now"),
        "{late:?}"
    );
    let mut detached = Terminal::hivectl(&hive, &["down"]);
    detached.shows("BOT-002 finishes HOLD-1").await;
    detached.press(CTRL_C);
    assert_eq!(detached.ended().await.code(), Some(130));
    let status = ctl(&hive, &["status", "-o", "json"]).await.expect(0).json();
    assert_eq!(status[0]["state"], "stopping", "it still goes");
    assert_eq!(ctl(&hive, &["down", "--now"]).await.expect(0).out, "BOT-002 is down\n");
    assert!(hive.is_in_queue("HOLD-1.md") && hive.response("HOLD-1").is_none());
    hive.until("all processes are gone", || hive.processes().is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_process_that_hangs_holds_nobody_up_and_is_named() {
    let hive = Hive::echo(0, TABLE);
    let agent = Agent::start(&hive).await;
    agent.signal(Signal::SIGSTOP);
    let kill = format!("'kill {}'", agent.pid());
    let (down, up, doctor) = tokio::join!(
        ctl(&hive, &["down", "--timeout", "0.2"]),
        ctl(&hive, &["up", "--timeout", "0.2"]),
        ctl(&hive, &["doctor"]),
    );
    assert!(down.expect(3).err.contains(&kill));
    assert!(up.expect(5).err.contains("BOT-002 is not ready after"));
    assert!(doctor.expect(1).out.contains(&format!("hint: {kill}")));
}

#[tokio::test]
async fn stop_says_what_becomes_of_the_work() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    hive.drop_task("HOLD-1.md", "hold");
    agent.api().until_is("HOLD-1", "running").await;
    let stopped = ctl(&hive, &["stop", "BOT-002"]).await.expect(0);
    assert_eq!(stopped.out, "BOT-002 stops; HOLD-1 goes back into the queue\n");
    assert!(agent.ended().await.status.success());
}

/// All that a log has, over the files that were rotated away.
fn log_lines(hive: &Hive) -> Vec<String> {
    let path = hive.paths().activity_log(hive.bot());
    let names =
        [".5", ".4", ".3", ".2", ".1", ""].map(|end| PathBuf::from(format!("{}{end}", path.display())));
    let text: String = names.iter().map(|name| fs::read_to_string(name).unwrap_or_default()).collect();
    text.lines().map(str::to_owned).collect()
}

/// Rotates the log, as the bot does when it is full.
fn rotate(hive: &Hive) {
    let path = hive.paths().activity_log(hive.bot());
    let numbered = |n: u32| format!("{}.{n}", path.display());
    for n in (1..5).rev() {
        let _ = fs::rename(numbered(n), numbered(n + 1));
    }
    fs::rename(&path, numbered(1)).expect("there is a log");
}

#[tokio::test]
async fn a_log_is_followed_over_files_that_are_rotated() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let mut follower = spawn(&hive, &["logs", "BOT-002", "-f", "-n", "1000", "-o", "ndjson"]);
    let mut lines = BufReader::new(follower.stdout.take().expect("a pipe")).lines();
    let mut seen = Vec::new();
    for n in 1..=8 {
        hive.drop_task(&format!("TASK-{n}.md"), "words");
        hive.answer(&format!("TASK-{n}")).await;
        if n % 2 == 0 {
            rotate(&hive);
        }
        let ended = format!("\"item\":\"TASK-{n}\",\"status\":\"completed\"");
        // Every second one is looked for only after the log was rotated twice.
        while n % 4 == 0 && !seen.last().is_some_and(|line: &String| line.contains(&ended)) {
            let line = tokio::time::timeout(DEADLINE, lines.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("after {seen:#?}\n{}", hive.state()));
            seen.push(line.expect("a pipe").expect("it goes on"));
        }
    }
    assert_eq!(seen, log_lines(&hive)[..seen.len()]);
    // What is rotated away is read back too.
    let all = ctl(&hive, &["logs", "BOT-002", "-n", "1000", "-o", "ndjson"]).await.expect(0);
    assert!(all.out.lines().count() >= seen.len() && all.out.starts_with(&seen.join("\n")), "{all:?}");
    interrupt(&follower);
    assert_eq!(finish(follower).await.exit, 130);
    drop(agent);
}

#[tokio::test]
async fn logs_are_for_people_and_for_programs_also_while_the_bot_is_down() {
    let hive = Hive::echo(0, "");
    let none = ctl(&hive, &["logs", "BOT-002"]).await.expect(4);
    assert_eq!(
        none.err,
        "hivectl: BOT-002 has no log yet: it never ran\nhint: 'hivectl up BOT-002' starts it\n"
    );
    ctl(&hive, &["logs", "BOT-7"]).await.expect(4);
    ctl(&hive, &["up", "BOT-002"]).await.expect(0);
    hive.drop_task("TASK-1.md", "words");
    hive.answer("TASK-1").await;
    ctl(&hive, &["down"]).await.expect(0);
    let words = ctl(&hive, &["logs", "BOT-002"]).await.expect(0);
    assert!(words.out.contains(" INFO  queued  task=TASK-1  file=TASK-1.md  priority=P2\n"), "{words:?}");
    let last = ctl(&hive, &["logs", "BOT-002", "-n", "1", "-o", "json"]).await.expect(0).json();
    assert_eq!((last.as_array().map(Vec::len), &last[0]["fields"]["message"]), (Some(1), &json!("stopped")));
    let none = ctl(&hive, &["logs", "BOT-002", "--since", "2100-01-01T00:00:00Z"]).await.expect(0);
    assert_eq!(
        (none.out.as_str(), none.err.as_str()),
        ("", "hivectl: BOT-002 has logged nothing since then\n")
    );
    ctl(&hive, &["logs", "BOT-002", "-f", "-o", "json"]).await.expect(2);
    let line = r#"{"timestamp":"2026-11-22T18:05:27Z","level":"ERROR","fields":{"message":"no room"}}"#;
    fs::write(hive.paths().error_log(hive.bot()), format!("{line}\n{{\"torn"))
        .expect("a file can be written");
    let errors = ctl(&hive, &["logs", "BOT-002", "--errors", "-o", "ndjson"]).await.expect(0);
    assert_eq!(errors.out, format!("{line}\n"));
}

/// What is not well, by bot and check.
fn faults(ran: &Ran) -> BTreeMap<(String, String), (String, String)> {
    let json = ran.json();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let findings = json.as_array().expect("an array").iter().filter(|finding| finding["level"] != "ok");
    let fault = |finding: &Value| {
        assert!(!text(finding, "hint").is_empty(), "{finding}");
        let level_and_message = (text(finding, "level"), text(finding, "message"));
        ((text(finding, "bot_id"), text(finding, "check")), level_and_message)
    };
    findings.map(fault).collect()
}

/// Less what the machine of the tests may lack.
async fn doctor(hive: &Hive, exit: i32) -> BTreeMap<(String, String), (String, String)> {
    let ran = ctl(hive, &["doctor", "-o", "json"]).await;
    let mut found = faults(&ran);
    let machine: Vec<_> =
        ["disk", "notifications", "git"].map(|check| (String::new(), check.to_owned())).into();
    let was = found.len();
    found.retain(|key, _| !machine.contains(key));
    assert!(ran.exit == exit || was != found.len(), "{ran:?}");
    found
}

#[tokio::test]
async fn a_doctor_finds_nothing_in_a_hive_that_is_well() {
    let hive = Hive::echo(0, TABLE);
    assert_eq!(doctor(&hive, 0).await, BTreeMap::new());
    ctl(&hive, &["up"]).await.expect(0);
    ctl(&hive, &["submit", "BOT-002", "hello", "--wait"]).await.expect(0);
    assert_eq!(doctor(&hive, 0).await, BTreeMap::new());
    let words = ctl(&hive, &["doctor", "-v"]).await;
    assert!(words.out.contains("\n  ok       process: it is up as process "), "{words:?}");
    ctl(&hive, &["down"]).await.expect(0);
    assert_eq!(doctor(&hive, 0).await, BTreeMap::new());
}

#[tokio::test]
async fn a_doctor_finds_what_is_wrong() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port();
    let tables = format!(
        "{TABLE}\n[bots.BOT-003]\nadapter = \"exec\"\ncommand = [\"no-such-agent\"]\nworkdir = \"nowhere\"\n\
         listen = {port}\n[bots.BOT-004]\nadaptor = \"echo\"\n[bots.BOT-005]\n"
    );
    let hive = Hive::echo(0, &tables);
    let mut killed = Agent::start(&hive).await;
    killed.kill9();
    hive.until("the lock is free", || hive.processes().is_empty().then_some(())).await;
    hive.drop_task("WAIT-1.md", "words");
    hive.drop_task("EMPTY-1.md", "");
    hive.control("STOP", "");
    let up = hive.of("BOT-005");
    let _agent = Agent::start(&up).await;
    up.control("PAUSE", "reason: lunch\n");
    up.drop_task("BAD-1.md", [0, 159, 146, 150]);
    up.until("it is rejected", || up.rejection("BAD-1.md")).await;
    let settings = hive.paths().settings();
    fs::write(&settings, fs::read_to_string(&settings).expect("settings") + "# newer\n").expect("settings");
    let torn = hive.paths().state().join("BOT-005.db.corrupt-20261127T050403Z");
    fs::write(&torn, "").expect("a file can be written");
    let responses = fs::Permissions::from_mode(0o755);
    fs::set_permissions(hive.paths().logs(), responses).expect("it is ours");

    let found = doctor(&hive, 1).await;
    let expected = [
        ("", "private", "warning", "others may look into"),
        ("BOT-002", "process", "warning", "which is gone"),
        ("BOT-002", "controls", "warning", "keeps it from starting"),
        ("BOT-002", "queue", "warning", "a task waits, and it is down"),
        ("BOT-002", "tasks", "warning", "EMPTY-1.md is empty"),
        ("BOT-003", "command", "error", "'no-such-agent' is not on PATH"),
        ("BOT-003", "workdir", "error", "nowhere is not there"),
        ("BOT-003", "port", "error", "is taken by another program"),
        ("BOT-004", "settings", "error", "the nearest known one is 'adapter'"),
        ("BOT-005", "controls", "warning", "it is paused (lunch)"),
        ("BOT-005", "ledger", "warning", "was damaged once"),
        ("BOT-005", "rejected", "warning", "BAD-1.md: "),
        ("BOT-005", "restart", "warning", "hive.toml was changed"),
    ];
    for (bot, check, level, message) in expected {
        let fault = found.get(&(bot.to_owned(), check.to_owned()));
        let fault = fault.unwrap_or_else(|| panic!("{bot} {check} is not in {found:#?}"));
        assert!(fault.0 == level && fault.1.contains(message), "{bot} {check}: {fault:?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    let words = ctl(&hive, &["doctor", "BOT-003"]).await.expect(1);
    assert!(
        words.out.contains("\n  error    command: 'no-such-agent' is not on PATH (")
            && words.out.contains("install"),
        "{words:?}"
    );
    assert!(!words.out.contains("BOT-002"), "{words:?}");
    // It looks, and changes nothing.
    assert!(hive.control_file("STOP").exists() && hive.is_in_queue("EMPTY-1.md"));
    assert_eq!(hive.paths().logs().metadata().expect("it is there").permissions().mode() & 0o777, 0o755);
}

#[tokio::test]
async fn a_new_hive_works_at_once_whatever_the_umask() {
    let hive = Hive::new("");
    let script = format!("umask 000; exec {} init new", binary("hivectl").display());
    let init = tokio::process::Command::new("sh")
        .args(["-c", &script])
        .env_clear()
        .env("HOME", hive.home())
        .current_dir(hive.root())
        .stdin(Stdio::null())
        .output()
        .await
        .expect("sh can be started");
    let out = String::from_utf8_lossy(&init.stdout);
    assert!(init.status.success(), "{init:?}");
    let in_new = |line: &str| {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        [words, vec!["--hive".into(), "new".into()]].concat()
    };
    let run = async |line: &str, exit: i32| {
        let arguments = in_new(line);
        ctl(&hive, &arguments.iter().map(String::as_str).collect::<Vec<_>>()).await.expect(exit)
    };
    // What it says comes next.
    assert!(out.contains("\n  cd ") && out.contains("\n  hivectl up BOT-001\n"), "{out}");
    run("up BOT-001", 0).await;
    run("submit BOT-001 hi --wait", 0).await;
    run("doctor", 0).await;
    run("down", 0).await;
    let added = run("init --bot BOT-002 --bot BOT-001 -o json", 0).await.json();
    assert_eq!((&added["created"], &added["bots"]), (&json!(false), &json!(["BOT-002"])));
    assert_eq!(run("up", 0).await.out.lines().count(), 2);
    run("down", 0).await;
}
