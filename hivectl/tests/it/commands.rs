//! The program itself: what it prints where, and its exit status.

use std::process::Output;

use hive_shared::ids::BotId;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::fake::{Fake, Home, Step, detail, entry, files_in, page, snapshot};

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn exit(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

fn interrupt(child: &tokio::process::Child) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
}

fn ended(bot: &BotId, id: &'static str, status: &'static str) -> Vec<Step> {
    let route: &'static str = Box::leak(format!("GET /tasks/{id}").into_boxed_str());
    vec![
        Step::Say(snapshot(bot, "E1", &[])),
        Step::Answer(route, 200, detail(bot, id, status)),
        Step::Say(json!({"type": "entry_updated", "entry": entry(bot, id, 7, status)})),
        Step::Hold,
    ]
}

fn status(fake: &Fake) -> Value {
    json!({"bot_id": fake.bot, "state": "idle", "paused": false, "paused_by": [], "mode": "hybrid", "adapter": "echo",
        "current": null, "suspended": null, "queue": {"P0": 0, "P1": 0, "P2": 0, "P3": 0, "chat": 0, "blocked": 0},
        "chat_clients": 0, "approvals": 0, "last_activity": "2026-11-22T18:05:27.000000Z",
        "counts": {"completed": 0, "failed": 0, "cancelled": 0, "timed_out": 0, "incomplete": 0},
        "health": {"status": "healthy", "reasons": []}})
}

#[tokio::test]
async fn init_makes_a_hive_once() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home { hive: hive_shared::paths::Hive::at(dir.path()), dir };
    let none = home.run(&["status"]).await;
    assert_eq!((exit(&none), out(&none).as_str()), (4, ""));
    assert!(
        err(&none).starts_with("hivectl: no hive here") && err(&none).contains("\nhint: "),
        "{}",
        err(&none)
    );
    assert_eq!(exit(&home.run(&["init"]).await), 0);
    std::fs::write(home.hive.settings(), "# mine\n").unwrap();
    let again = home.run(&["init", "-o", "json"]).await;
    assert_eq!((exit(&again), &json_of(&again)["created"]), (0, &json!(false)));
    assert_eq!(std::fs::read_to_string(home.hive.settings()).unwrap(), "# mine\n");
}

#[tokio::test]
async fn submit_prints_the_id_and_waits_by_the_timeline() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    fake.answer("POST /tasks", 201, detail(&fake.bot, "A-1", "queued"));
    fake.answer("GET /tasks/A-1", 200, detail(&fake.bot, "A-1", "queued"));
    let plain = home.run(&["submit", "BOT-1", "Mend it", "--priority", "p0", "--limit", "10m"]).await;
    assert_eq!((exit(&plain), out(&plain).as_str(), err(&plain).as_str()), (0, "A-1\n", ""));
    let body = r#"POST /tasks {"instruction":"Mend it","priority":"P0","timeout_seconds":600.0,"id":"TASK-"#;
    fake.wait_for(body).await;

    for (end, code) in [("completed", 0), ("failed", 1), ("cancelled", 6), ("timed_out", 1)] {
        fake.answer("GET /tasks/A-1", 200, detail(&fake.bot, "A-1", "queued"));
        fake.script(ended(&fake.bot, "A-1", end));
        let waited = home.run(&["submit", "BOT-1", "Mend it", "--wait", "-o", "json"]).await;
        assert_eq!((exit(&waited), json_of(&waited)["status"].as_str()), (code, Some(end)));
    }
}

/// The bot may have taken the task before it went: it is the same one by its id, and there is one of it.
#[tokio::test]
async fn what_a_bot_that_goes_may_have_taken_is_not_submitted_under_another_id() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    let refusal = json!({"error": {"code": "stopping", "message": "the bot is stopping"}});
    fake.answer("POST /tasks", 503, refusal);
    let submitted = home.run(&["submit", "BOT-1", "Mend it"]).await;
    assert_eq!(exit(&submitted), 0, "{submitted:?}");
    let id = out(&submitted).trim_end().to_owned();
    fake.wait_for(&format!(r#"POST /tasks {{"instruction":"Mend it","id":"{id}"}}"#)).await;
    assert_eq!(files_in(&home.hive.tasks(&fake.bot)), [format!("{id}.md")]);
}

#[tokio::test]
async fn submit_reads_documents_and_hears_of_conflicts() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    fake.answer("POST /tasks", 200, detail(&fake.bot, "DOC-7", "completed"));
    let document = "---\ntask_id: DOC-7\npriority: high\ntimeout: 90s\n---\nDo it.\n";
    std::fs::write(home.dir.path().join("any.md"), document).unwrap();
    let known = home.run(&["submit", "BOT-1", "-f", "any.md"]).await;
    assert_eq!((exit(&known), out(&known).as_str()), (0, "DOC-7\n"));
    assert!(err(&known).contains("was submitted before"));
    fake.wait_for(r#""instruction":"Do it.\n""#).await;
    fake.wait_for(r#""priority":"P1","timeout_seconds":90.0,"id":"DOC-7""#).await;

    fake.answer("POST /tasks", 409, json!({"error": {"code": "conflict", "message": "DOC-7 is in use"}}));
    let conflict = home.run(&["submit", "BOT-1", "x", "--id", "DOC-7"]).await;
    assert_eq!((exit(&conflict), out(&conflict).as_str()), (7, ""));
    assert!(err(&conflict).starts_with("hivectl: DOC-7 is in use\nhint: "));
    assert_eq!(exit(&home.run(&["submit", "BOT-1"]).await), 2);
    assert_eq!(exit(&home.run(&["submit", "BOT-1", "x", "--timeout", "1s"]).await), 2);
    assert_eq!(exit(&home.run(&["submit", "BOT-9", "x"]).await), 4);
}

#[tokio::test]
async fn follow_streams_what_the_agent_says_and_the_rest_of_it() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    fake.answer("POST /tasks", 201, detail(&fake.bot, "A-1", "queued"));
    fake.answer("GET /tasks/A-1", 200, detail(&fake.bot, "A-1", "queued"));
    fake.script(vec![
        Step::Say(snapshot(&fake.bot, "E1", &[])),
        Step::Say(json!({"type": "entry_chunk", "entry_id": "A-1", "offset": 0, "content": "all "})),
        Step::Say(json!({"type": "entry_chunk", "entry_id": "OTHER", "offset": 0, "content": "no"})),
        Step::Answer("GET /tasks/A-1", 200, detail(&fake.bot, "A-1", "completed")),
        Step::Say(json!({"type": "entry_updated", "entry": entry(&fake.bot, "A-1", 7, "completed")})),
        Step::Hold,
    ]);
    let followed = home.run(&["submit", "BOT-1", "Mend it", "--follow"]).await;
    assert_eq!((exit(&followed), out(&followed).as_str()), (0, "all of it\n"));
    assert_eq!(err(&followed), "hivectl: following A-1\n");
}

#[tokio::test]
async fn wait_fails_for_what_had_failed_before_and_folds_many() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    for (id, end) in [("A", "completed"), ("B", "cancelled"), ("C", "failed"), ("D", "running")] {
        fake.answer(&format!("GET /tasks/{id}"), 200, detail(&fake.bot, id, end));
    }
    for (ids, code) in [(&["A"][..], 0), (&["B", "A"], 6), (&["A", "C", "B"], 1)] {
        let waited = home.run(&[&["wait", "-o", "json"], ids].concat()).await;
        assert_eq!((exit(&waited), json_of(&waited).as_array().unwrap().len()), (code, ids.len()));
    }
    fake.script(vec![Step::Say(snapshot(&fake.bot, "E1", &[])), Step::Hold]);
    let late = home.run(&["wait", "D", "A", "--timeout", "100ms", "-o", "json"]).await;
    assert_eq!((exit(&late), &json_of(&late)[0]["status"]), (5, &json!("running")));
    assert!(err(&late).contains("the work goes on"));
    assert_eq!(exit(&home.run(&["wait", "NONE"]).await), 4);
}

#[tokio::test]
async fn an_interrupted_wait_detaches() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    fake.answer("GET /tasks/A", 200, detail(&fake.bot, "A", "running"));
    fake.script(vec![Step::Say(snapshot(&fake.bot, "E1", &[])), Step::Hold]);
    let child = home.command(&["wait", "A"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    fake.wait_for("GET /ws/").await;
    interrupt(&child);
    assert_eq!(exit(&child.wait_with_output().await.unwrap()), 130);
    assert!(!fake.seen().iter().any(|seen| seen.starts_with("DELETE")));
}

#[tokio::test]
async fn an_id_of_two_bots_must_be_told_apart() {
    let home = Home::new();
    let (one, two) = (home.start("BOT-1").await, home.start("BOT-2").await);
    one.answer("GET /tasks/A", 200, detail(&one.bot, "A", "completed"));
    two.answer("GET /tasks/A", 200, detail(&two.bot, "A", "failed"));
    let both = home.run(&["show", "A"]).await;
    assert_eq!(exit(&both), 2);
    assert!(err(&both).contains("hint: write BOT-1/A or BOT-2/A"), "{}", err(&both));
    let named = home.run(&["show", "BOT-2/A", "-o", "json"]).await;
    assert_eq!((exit(&named), &json_of(&named)["bot_id"]), (0, &json!("BOT-2")));
    assert_eq!(exit(&home.run(&["show", "BOT-2/B"]).await), 4);
}

#[tokio::test]
async fn status_tells_who_is_down() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    fake.answer("GET /status", 200, status(&fake));
    home.hive.create(Some(&BotId::parse("BOT-2").unwrap())).unwrap();
    let all = home.run(&["status", "-o", "json"]).await;
    assert_eq!((exit(&all), &json_of(&all)[0]), (0, &status_with_absent(&fake)));
    assert_eq!(json_of(&all)[1]["state"], "down");
    let named = home.run(&["status", "BOT-2"]).await;
    assert_eq!((exit(&named), out(&named).lines().last()), (3, Some("BOT-2  down")));
    assert_eq!(exit(&home.run(&["status", "BOT-1"]).await), 0);
    let lines = home.run(&["status", "-o", "ndjson"]).await;
    assert_eq!(out(&lines).lines().count(), 2);
}

/// What the types add to what the bot said.
fn status_with_absent(fake: &Fake) -> Value {
    let mut status = status(fake);
    status["pause_scope"] = Value::Null;
    status["pause_reason"] = Value::Null;
    status
}

#[tokio::test]
async fn a_bot_that_is_down_is_served_from_its_files() {
    let home = Home::new();
    home.hive.create(Some(&BotId::parse("BOT-2").unwrap())).unwrap();
    let tasks = home.hive.all_tasks().join("BOT-2");
    let submitted = home.run(&["submit", "BOT-2", "Mend it", "--id", "A-1"]).await;
    assert_eq!((exit(&submitted), out(&submitted).as_str()), (0, "A-1\n"));
    assert!(err(&submitted).contains("BOT-2 is down"));
    assert_eq!(files_in(&tasks), ["A-1.md"]);
    assert_eq!(exit(&home.run(&["submit", "BOT-2", "Mend it", "--id", "A-1"]).await), 0);
    assert_eq!(exit(&home.run(&["submit", "BOT-2", "Other", "--id", "A-1"]).await), 7);
    let listed = home.run(&["tasks", "BOT-2", "-o", "json"]).await;
    assert_eq!((json_of(&listed)[0]["task_id"].as_str(), exit(&listed)), (Some("A-1"), 0));
    assert_eq!(json_of(&home.run(&["timeline", "BOT-2", "-o", "json"]).await)[0]["status"], "queued");
    assert_eq!(json_of(&home.run(&["show", "A-1", "-o", "json"]).await)["status"], "queued");
    assert_eq!(exit(&home.run(&["response", "A-1"]).await), 4);
    for refused in
        [&["ask", "BOT-2", "hi"][..], &["cancel", "A-1"], &["stop", "BOT-2"], &["interrupt", "BOT-2"]]
    {
        assert_eq!(exit(&home.run(refused).await), 3, "{refused:?}");
    }

    assert_eq!(exit(&home.run(&["pause", "BOT-2", "--tasks", "--reason", "a move"]).await), 0);
    let control = std::fs::read_to_string(home.hive.controls().join("BOT-2-PAUSE")).unwrap();
    assert_eq!(control, "scope: tasks\nreason: a move\n");
    assert_eq!(json_of(&home.run(&["status", "-o", "json"]).await)[0]["paused"], true);
    assert_eq!(exit(&home.run(&["resume", "--all"]).await), 0);
    assert!(files_in(&home.hive.controls()).is_empty());
}

#[tokio::test]
async fn a_timeline_of_several_bots_is_one() {
    let home = Home::new();
    let (one, two) = (home.start("BOT-1").await, home.start("BOT-2").await);
    let mut early = entry(&two.bot, "EARLY", 4, "completed");
    early["timestamp"] = "2026-11-22T10:00:00.000000Z".into();
    let mut late = entry(&one.bot, "LATE", 3, "completed");
    late["title"] = "A\u{202e}title".into();
    one.answer("GET /timeline", 200, page(&one.bot, &[late]));
    two.answer("GET /timeline", 200, page(&two.bot, &[early]));
    let shown = home.run(&["timeline", "-n", "5", "--source", "file", "--grep", "a b"]).await;
    assert_eq!(exit(&shown), 0);
    let text = out(&shown);
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[1].contains("EARLY") && lines[2].contains("  A\\u{202e}title"), "{text}");
    one.wait_for("GET /timeline?source=file&q=a+b&limit=5").await;

    one.script(vec![
        Step::Say(snapshot(&one.bot, "E1", &[])),
        Step::Say(json!({"type": "entry_added", "entry": entry(&one.bot, "NEW", 9, "running")})),
        Step::Say(json!({"type": "entry_added", "entry": entry(&one.bot, "NEW", 9, "running")})),
        Step::Say(json!({"type": "entry_updated", "entry": entry(&one.bot, "NEW", 10, "completed")})),
        Step::Hold,
    ]);
    let mut child = home
        .command(&["timeline", "BOT-1", "-f", "-o", "ndjson"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seqs = Vec::new();
    for _ in 0..3 {
        let line: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
        seqs.push(line["seq"].as_u64().unwrap());
    }
    assert_eq!(seqs, [3, 9, 10]);
    one.wait_for("GET /ws/bot/BOT-1/timeline?after_seq=3&epoch=E1").await;
    assert_eq!(exit(&home.run(&["timeline", "-f", "-o", "json"]).await), 2);
}

fn spoken(end: &str) -> Vec<Step> {
    let frame = |n: u64, mut frame: Value| {
        frame["n"] = n.into();
        frame["id"] = "$ID".into();
        Step::Say(frame)
    };
    vec![
        Step::Say(
            json!({"type": "hello", "bot_id": "BOT-1", "mode": "hybrid", "adapter": "echo", "version": "0.1.0",
            "protocol": 1}),
        ),
        Step::Hear,
        frame(1, json!({"type": "accepted", "state": "queued", "position": 1, "reason": "preempting"})),
        frame(2, json!({"type": "response_chunk", "content": "The ans", "channel": "text"})),
        frame(3, json!({"type": "response_chunk", "content": "wer\u{1b}.", "channel": "text"})),
        frame(
            4,
            json!({"type": "response_complete", "status": end, "success": end == "completed",
            "duration_seconds": 0.5, "files_modified": [], "usage": null, "error": null, "error_code": null,
            "response_file": "CHAT-1-response.md"}),
        ),
        Step::Hold,
    ]
}

#[tokio::test]
async fn ask_prints_the_answer_alone_and_ends_as_it_did() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    for (end, code) in [("completed", 0), ("failed", 1), ("cancelled", 6), ("incomplete", 1)] {
        fake.script(spoken(end));
        let asked = home.run(&["ask", "BOT-1", "What?", "--session", "s"]).await;
        assert_eq!((exit(&asked), out(&asked).as_str()), (code, "The answer\u{1b}.\n"));
        assert!(err(&asked).contains("the running task is giving way"), "{}", err(&asked));
    }
    fake.wait_for(r#""message":"What?","user":"dave""#).await;
    fake.script(spoken("completed"));
    let asked = json_of(&home.run(&["ask", "BOT-1", "What?", "-o", "json"]).await);
    assert_eq!((&asked["response"], &asked["status"]), (&json!("The answer\u{1b}."), &json!("completed")));
}

#[tokio::test]
async fn what_a_bot_refuses_to_hear_is_a_conflict() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    let refused = json!({"type": "error", "id": "$ID", "code": "busy", "message": "it is busy"});
    fake.script(vec![Step::Hear, Step::Say(refused), Step::Hold]);
    let busy = home.run(&["ask", "BOT-1", "What?", "--when-busy", "reject"]).await;
    assert_eq!(
        (exit(&busy), err(&busy).as_str()),
        (7, "hivectl: it is busy\nhint: without '--when-busy reject' it waits its turn\n")
    );
    fake.answer("GET /prompt", 404, json!({"error": {"code": "mode", "message": "it takes no chat"}}));
    let mode = home.run(&["ask", "BOT-1", "What?"]).await;
    assert_eq!(exit(&mode), 7);
    assert!(err(&mode).contains("cli-only"), "{}", err(&mode));
}

#[tokio::test]
async fn an_interrupted_ask_cancels() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    let mut steps = spoken("cancelled");
    steps.insert(2, Step::Hear);
    fake.script(steps);
    let child =
        home.command(&["ask", "BOT-1", "What?"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    fake.wait_for(r#"frame {"type":"prompt""#).await;
    interrupt(&child);
    assert_eq!(exit(&child.wait_with_output().await.unwrap()), 130);
    fake.wait_for(r#"frame {"type":"cancel""#).await;
}

#[tokio::test]
async fn chat_answers_line_by_line_and_leaves_at_the_end() {
    use tokio::io::AsyncWriteExt;
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    fake.answer("GET /status", 200, status(&fake));
    fake.script(spoken("completed"));
    let mut command = home.command(&["chat", "BOT-1", "--new"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"What?\n/status\n").await.unwrap();
    let ended = child.wait_with_output().await.unwrap();
    assert_eq!((exit(&ended), out(&ended).as_str()), (0, "The answer\u{1b}.\nidle; nothing waits\n"));
    fake.wait_for(r#""session":"session-"#).await;
}

#[tokio::test]
async fn the_worst_answer_is_the_exit_status_of_a_chat() {
    use tokio::io::AsyncWriteExt;
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    fake.answer("GET /status", 200, status(&fake));
    let chat = async |lines: &[u8], ends: &[&str]| {
        let mut steps = Vec::new();
        for (index, end) in ends.iter().enumerate() {
            // Only the first one greets, only the last one holds the connection.
            steps.extend(spoken(end).into_iter().skip(usize::from(index > 0)));
            steps.truncate(steps.len() - usize::from(index + 1 < ends.len()));
        }
        fake.script(steps);
        let mut command = home.command(&["chat", "BOT-1"]);
        let piped = std::process::Stdio::piped;
        command.stdin(piped()).stdout(piped()).stderr(piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines).await.unwrap();
        child.wait_with_output().await.unwrap()
    };
    assert_eq!(exit(&chat(b"one\ntwo\n", &["completed", "cancelled"]).await), 6);
    assert_eq!(exit(&chat(b"one\ntwo\n", &["failed", "completed"]).await), 1);
    let wrong = chat(b"one\n/nonsense\n", &["completed"]).await;
    assert_eq!(exit(&wrong), 2);
    assert!(err(&wrong).contains("there is no /nonsense"), "{}", err(&wrong));
    // What is no text does not end the input.
    let wrong = chat(b"one\n\xff\ntwo\n", &["completed", "completed"]).await;
    assert_eq!((exit(&wrong), out(&wrong).lines().count()), (2, 2), "{wrong:?}");
    assert!(err(&wrong).contains("line 2 is not UTF-8"), "{}", err(&wrong));
}

#[tokio::test]
async fn a_chat_for_programs_is_a_frame_a_line() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    fake.answer("GET /status", 200, status(&fake));
    fake.script(spoken("completed"));
    let chat = async |format: &str| {
        use tokio::io::AsyncWriteExt;
        let mut command = home.command(&["chat", "BOT-1", "-o", format]);
        command.env_remove("USER");
        let piped = std::process::Stdio::piped;
        command.stdin(piped()).stdout(piped()).stderr(piped());
        let mut child = command.spawn().unwrap();
        let _refused = child.stdin.take().unwrap().write_all(b"What?\n/status\n").await;
        child.wait_with_output().await.unwrap()
    };
    let ended = chat("ndjson").await;
    let frames: Vec<Value> = out(&ended).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<_> = frames.iter().map(|frame| frame["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["accepted", "response_chunk", "response_chunk", "response_complete"]);
    assert!(err(&ended).contains("idle; nothing waits"), "{}", err(&ended));
    // Who is not named is known by the system.
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name;
    fake.wait_for(&format!(r#""message":"What?","user":"{user}""#)).await;
    assert_eq!(exit(&chat("json").await), 2);
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_error() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    let many: Vec<_> = (1..2_000).map(|seq| entry(&fake.bot, "A", seq, "completed")).collect();
    fake.answer("GET /timeline", 200, page(&fake.bot, &many));
    let mut command = home.command(&["timeline", "-n", "5000"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).await.unwrap();
    drop(stdout);
    let ended = child.wait_with_output().await.unwrap();
    assert_eq!((exit(&ended), err(&ended).as_str()), (0, ""));
}

#[tokio::test]
async fn pause_of_many_goes_on_where_one_fails() {
    let home = Home::new();
    let (one, two) = (home.start("BOT-1").await, home.start("BOT-2").await);
    let mut paused = status(&one);
    paused["paused"] = true.into();
    paused["state"] = "paused".into();
    one.answer("POST /pause", 200, paused);
    two.answer("POST /pause", 503, json!({"error": {"code": "stopping", "message": "it is stopping"}}));
    let done = home.run(&["pause", "BOT-1", "BOT-2", "--now"]).await;
    assert_eq!((exit(&done), out(&done).as_str()), (7, "BOT-1 is paused\n"));
    let hint = "hint: 'hivectl up' waits until it is gone, and starts it anew\n";
    assert_eq!(err(&done), format!("hivectl: BOT-2: it is stopping\n{hint}"));
    one.wait_for(r#"POST /pause {"now":true,"scope":"all"}"#).await;
}

#[tokio::test]
async fn a_bot_elsewhere_is_reached_by_its_url_and_a_token() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    fake.answer("GET /status", 200, status(&fake));
    let record: Value =
        serde_json::from_slice(&std::fs::read(home.hive.bot_record(&fake.bot)).unwrap()).unwrap();
    let url = record["url"].as_str().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let run = async |token: &str, args: &[&str]| {
        home.command(args)
            .current_dir(elsewhere.path())
            .env("HIVE_URL", url)
            .env("HIVE_TOKEN", token)
            .output()
            .await
            .unwrap()
    };
    assert_eq!(exit(&run("c2VjcmV0", &["status", "-o", "json"]).await), 0);
    assert_eq!(exit(&run("wrong", &["status"]).await), 8);
    assert_eq!(exit(&run("c2VjcmV0", &["status", "BOT-7"]).await), 4);
    assert_eq!(exit(&run("", &["status"]).await), 8);
}

#[tokio::test]
async fn a_file_that_was_dropped_this_moment_can_be_waited_for() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    std::fs::write(home.hive.tasks(&fake.bot).join("A-1.md"), "Mend it.\n").unwrap();
    fake.script(ended(&fake.bot, "A-1", "completed"));
    let waited = home.run(&["wait", "A-1", "-o", "json"]).await;
    assert_eq!((exit(&waited), &json_of(&waited)[0]["status"]), (0, &json!("completed")));
}

#[tokio::test]
async fn a_wait_goes_on_over_a_restart_of_its_bot() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    fake.answer("GET /tasks/A-1", 200, detail(&fake.bot, "A-1", "running"));
    fake.script(vec![Step::Say(snapshot(&fake.bot, "E1", &[])), Step::Hold]);
    let child = home.command(&["wait", "A-1"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    fake.wait_for("GET /ws/").await;
    fake.kill().await;
    let again = home.start("BOT-1").await;
    again.answer("GET /tasks/A-1", 200, detail(&again.bot, "A-1", "running"));
    again.script(ended(&again.bot, "A-1", "failed"));
    assert_eq!(exit(&child.wait_with_output().await.unwrap()), 1);
    again.wait_for("GET /ws/bot/BOT-1/timeline?after_seq=0&epoch=E1").await;
}

#[tokio::test]
async fn a_wait_asks_again_where_its_bot_cannot_tell() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    fake.answer("GET /tasks/A-1", 200, detail(&fake.bot, "A-1", "running"));
    let trouble = json!({"error": {"code": "unavailable", "message": "the ledger is made anew; try again"}});
    let mut steps = ended(&fake.bot, "A-1", "completed");
    steps[1] = Step::Answer("GET /tasks/A-1", 503, trouble);
    fake.script(steps);
    let child = home.command(&["wait", "A-1"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    // Once to find it, once to begin, once as it has ended, and once more.
    fake.wait_for_more("GET /tasks/A-1", 3).await;
    fake.answer("GET /tasks/A-1", 200, detail(&fake.bot, "A-1", "completed"));
    assert_eq!(exit(&child.wait_with_output().await.unwrap()), 0);
}

#[tokio::test]
async fn who_cancels_is_let_go_though_the_bot_says_nothing_more() {
    use tokio::io::AsyncWriteExt;
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    fake.answer("GET /status", 200, status(&fake));
    for args in [&["ask", "BOT-1", "What?"][..], &["chat", "BOT-1"]] {
        fake.script(spoken("cancelled").into_iter().take(3).chain([Step::Hold]).collect());
        let heard = fake.seen().iter().filter(|seen| seen.contains(r#"{"type":"prompt""#)).count();
        let mut command = home.command(args);
        let piped = std::process::Stdio::piped;
        let mut child = command.stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let _not_read = stdin.write_all(b"What?\n").await;
        fake.wait_for_more(r#"{"type":"prompt""#, heard).await;
        interrupt(&child);
        let left = tokio::time::timeout(std::time::Duration::from_secs(20), child.wait_with_output());
        let left = left.await.expect("it leaves by itself").unwrap();
        assert_eq!(exit(&left), 130, "{left:?}");
        assert!(err(&left).contains("has not ended it yet"), "{left:?}");
    }
}
