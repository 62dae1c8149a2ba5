//! The openai adapter against a scripted server: what it sends, what it makes of what comes back (SPEC 6).

use std::fs;
use std::path::Path;

use hive_tests::{Agent, Answer, ChatSocket, Hive, ModelServer};
use serde_json::json;

const KEY: &str = "sk-test-0123456789abcdef";

/// Asks, and gives the answer.
async fn ask(chat: &mut ChatSocket, id: &str, message: &str) -> String {
    chat.prompt(id, message).await;
    let turn = chat.turn(id).await;
    assert_eq!(turn.complete()["status"], "completed", "{turn:#?}");
    turn.text()
}

/// How an item ended: its status, its error code and its error.
async fn end_of(hive: &Hive, id: &str) -> (String, String, String) {
    let header = hive.answer(id).await.header;
    (header.status.to_string(), header.error_code.unwrap_or_default(), header.error.unwrap_or_default())
}

#[tokio::test]
async fn an_answer_is_streamed_and_its_cost_recorded() {
    let server = ModelServer::start().await;
    let thought = json!({"reasoning_content": "Hm."});
    server.script([Answer::stream()
        .raw(": a comment\r\n\r\n")
        .delta(&json!({"role": "assistant", "content": null}))
        .delta(&thought)
        .say("Hello ")
        .hold()
        .say("there.")
        .whole()]);
    let hive = Hive::openai(&server, "", "system_prompt = \"Be kind.\"\ntemperature = 0.5\nmax_tokens = 99");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    assert_eq!(chat.hello["adapter"], "openai");
    chat.prompt("CHAT-1", "Who is there?").await;
    let first = chat.next_of("CHAT-1", "response_chunk").await;
    assert_eq!((&first["channel"], &first["content"]), (&json!("thought"), &json!("Hm.")));
    // It is seen before the server has said more.
    let second = chat.next_of("CHAT-1", "response_chunk").await;
    assert_eq!((&second["channel"], &second["content"]), (&json!("text"), &json!("Hello ")));
    server.go_on();
    let complete = chat.next_of("CHAT-1", "response_complete").await;
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12});
    assert_eq!((&complete["status"], &complete["usage"]), (&json!("completed"), &usage));

    let asked = server.until_asked(1).await;
    assert!(asked.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{}", asked.head);
    assert!(!asked.head.to_lowercase().contains("authorization"), "{}", asked.head);
    let body = json!({
        "model": "test-model", "stream": true, "stream_options": {"include_usage": true},
        "temperature": 0.5, "max_tokens": 99,
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Who is there?"}],
    });
    assert_eq!(asked.body, body);
    let response = hive.answer("CHAT-1").await;
    assert_eq!((response.text.as_str(), response.header.usage), ("Hello there.", Some(usage)));
}

#[tokio::test]
async fn a_session_is_a_conversation_and_a_kill_does_not_end_it() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "");
    let mut agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    server.script([Answer::words("One."), Answer::words("Other."), Answer::words("Two.")]);
    assert_eq!(ask(&mut chat, "CHAT-1", "one?").await, "One.");
    chat.prompt_with("CHAT-2", "other?", json!({"session": "elsewhere"})).await;
    assert_eq!(chat.turn("CHAT-2").await.text(), "Other.");
    hive.drop_task("TASK-1.md", "a task of its own");
    assert_eq!(hive.answer("TASK-1").await.text, "Two.");
    assert_eq!(server.until_asked(2).await.messages(), ["user: other?"]);
    assert_eq!(server.until_asked(3).await.messages(), ["user: a task of its own"]);

    // A turn that is cut counts with what was seen of it; one that failed before it said anything does not.
    server.script([Answer::status(400, "no"), Answer::status(400, "no")]);
    chat.prompt("CHAT-3", "refused?").await;
    assert_eq!(chat.turn("CHAT-3").await.complete()["status"], "failed");
    server.script([Answer::stream().say("Thr").hold()]);
    chat.prompt("CHAT-4", "three?").await;
    chat.next_of("CHAT-4", "response_chunk").await;
    chat.send(json!({"type": "cancel", "id": "CHAT-4"})).await;
    chat.next_of("CHAT-4", "response_complete").await;

    agent.kill9();
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    assert_eq!(ask(&mut chat, "CHAT-5", "four?").await, "ok");
    let expected = [
        "user: one?",
        "assistant: One.",
        "user: three?",
        "assistant: Thr\n\n[The rest of this answer is missing.]",
        "user: four?",
    ];
    assert_eq!(server.asked().last().unwrap().messages(), expected);
}

#[tokio::test]
async fn a_turn_that_a_kill_cut_is_part_of_the_conversation() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "");
    let mut agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    server.script([Answer::stream().say("A part ").say("of it").hold()]);
    chat.prompt("CHAT-1", "tell me").await;
    chat.next_of("CHAT-1", "response_chunk").await;
    // What was said is on the record about every half second.
    agent
        .api()
        .until_status("it has run for a while", |status| {
            status["current"]["elapsed_seconds"].as_f64().is_some_and(|elapsed| elapsed > 1.2)
        })
        .await;
    agent.kill9();
    server.until_left(1).await;
    let agent = Agent::start(&hive).await;
    let response = hive.answer("CHAT-1").await;
    assert_eq!((response.header.status.as_str(), response.text.as_str()), ("incomplete", "A part of it"));
    let mut chat = agent.chat().await;
    ask(&mut chat, "CHAT-2", "go on").await;
    let expected =
        ["user: tell me", "assistant: A part of it\n\n[The rest of this answer is missing.]", "user: go on"];
    assert_eq!(server.until_asked(2).await.messages(), expected);
}

#[tokio::test]
async fn the_oldest_exchanges_are_left_out_beyond_the_budget() {
    let server = ModelServer::start().await;
    // 100 bytes.
    let hive = Hive::openai(&server, "", "context_tokens = 25\nsystem_prompt = \"Be brief.\"");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    for n in 1..=4 {
        ask(&mut chat, &format!("CHAT-{n}"), &format!("{n}")).await;
    }
    let newest = ["system: Be brief.", "user: 3", "assistant: ok", "user: 4"];
    assert_eq!(server.until_asked(4).await.messages(), newest);
    let long = "x".repeat(1_000);
    ask(&mut chat, "CHAT-5", &long).await;
    assert_eq!(
        server.until_asked(5).await.messages(),
        ["system: Be brief.".to_owned(), format!("user: {long}")]
    );
    assert!(agent.stderr().contains("the oldest exchanges of the session do not fit"), "{}", agent.stderr());
}

#[tokio::test]
async fn a_preempted_task_goes_on_where_it_was_and_both_parts_are_one_response() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "");
    let agent = Agent::start(&hive).await;
    server.script([
        Answer::stream().say("The first half, ").hold(),
        Answer::words("An answer."),
        Answer::stream().say("the second ").say("half.").whole(),
    ]);
    let mut follow = agent.follow("").await;
    hive.drop_task("LONG-1.md", "Write much.");
    follow.next_that(|frame| frame["type"] == "entry_chunk" && frame["entry_id"] == "LONG-1").await;
    let mut chat = agent.chat().await;
    assert_eq!(ask(&mut chat, "CHAT-1", "How far are you?").await, "An answer.");
    // The stream was left, not read on in the background.
    server.until_left(1).await;
    let response = hive.answer("LONG-1").await;
    assert_eq!(response.header.status.as_str(), "completed");
    assert_eq!((response.header.preemptions, response.header.attempts), (1, 1));
    assert_eq!(server.until_asked(2).await.messages(), ["user: How far are you?"]);
    let resumed = server.until_asked(3).await.messages();
    assert_eq!(response.text, "The first half, the second half.");
    assert_eq!(resumed[..2], ["user: Write much.", "assistant: The first half, "]);
    assert!(resumed[2].starts_with("user: You were interrupted") && resumed.len() == 3, "{resumed:?}");
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12});
    assert_eq!(response.header.usage, Some(usage));
}

#[tokio::test]
async fn a_task_may_start_over_instead() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "on_preempt = \"restart\"", "");
    let agent = Agent::start(&hive).await;
    server.script([Answer::stream().say("half ").hold(), Answer::words("Yes."), Answer::words("All of it.")]);
    hive.drop_task("LONG-1.md", "Write much.");
    server.until_asked(1).await;
    let mut chat = agent.chat().await;
    assert_eq!(ask(&mut chat, "CHAT-1", "Are you there?").await, "Yes.");
    assert_eq!(hive.answer("LONG-1").await.text, "All of it.");
    assert_eq!(server.until_asked(3).await.messages(), ["user: Write much."]);
}

#[tokio::test]
async fn a_cancel_a_limit_and_a_stop_close_the_connection_at_once() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "");
    let mut agent = Agent::start(&hive).await;
    let held = || Answer::stream().say("So far ").hold();
    server.script([held(), held(), held()]);
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "talk").await;
    chat.next_of("CHAT-1", "response_chunk").await;
    chat.send(json!({"type": "cancel", "id": "CHAT-1"})).await;
    let complete = chat.next_of("CHAT-1", "response_complete").await;
    assert_eq!((&complete["status"], &complete["error_code"]), (&json!("cancelled"), &json!("cancelled")));
    assert_eq!(hive.answer("CHAT-1").await.text, "So far ");
    server.until_left(1).await;

    chat.prompt_with("CHAT-2", "talk", json!({"timeout_seconds": 0.3})).await;
    assert_eq!(chat.next_of("CHAT-2", "response_complete").await["status"], "timed_out");
    server.until_left(2).await;

    hive.drop_task("TASK-1.md", "work");
    server.until_asked(3).await;
    agent.terminate();
    assert!(agent.ended().await.status.success());
    server.until_left(3).await;
    assert!(hive.is_in_queue("TASK-1.md"));
    let _agent = Agent::start(&hive).await;
    assert_eq!(hive.answer("TASK-1").await.text, "ok");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_the_person_is_told() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "");
    let agent = Agent::start(&hive).await;
    server.script([
        Answer::status(429, r#"{"error":{"message":"slow down"}}"#).header("Retry-After", "1"),
        Answer::status(503, "down"),
        Answer::stream().cut(),
        Answer::words("At last."),
    ]);
    let mut chat = agent.chat().await;
    let begun = std::time::Instant::now();
    chat.prompt("CHAT-1", "hello").await;
    let turn = chat.turn("CHAT-1").await;
    assert!(begun.elapsed().as_secs_f64() >= 1.0, "Retry-After was not honoured");
    assert_eq!(turn.text(), "At last.");
    let notices: Vec<&str> = turn
        .frames
        .iter()
        .filter(|frame| frame["type"] == "notice" && frame["code"] == "retrying")
        .map(|frame| frame["message"].as_str().unwrap())
        .collect();
    assert_eq!(notices.len(), 3, "{notices:?}");
    assert!(notices[0].contains("slow down; asking again in 1.0s (1 of 4)"), "{notices:?}");
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn tries_come_to_an_end_and_the_bot_goes_on() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "max_retries = 2");
    let _agent = Agent::start(&hive).await;
    server.script(std::iter::repeat_n(Answer::status(500, "{\"error\":\"it\\u001b[31m broke\"}"), 3));
    hive.drop_task("TASK-1.md", "work");
    let (status, code, error) = end_of(&hive, "TASK-1").await;
    assert_eq!((status.as_str(), code.as_str()), ("failed", "model_unavailable"));
    assert!(error.contains("HTTP 500") && error.ends_with("it\\u{1b}[31m broke; 3 tries"), "{error}");
    hive.drop_task("TASK-2.md", "work");
    assert_eq!(hive.answer("TASK-2").await.text, "ok");
}

#[tokio::test]
async fn a_run_that_waits_to_try_again_obeys() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "retry_delay = \"1h\"");
    let agent = Agent::start(&hive).await;
    server.script([Answer::status(503, "down"), Answer::words("Here."), Answer::words("Done.")]);
    hive.drop_task("TASK-1.md", "work");
    server.until_asked(1).await;
    let mut chat = agent.chat().await;
    assert_eq!(ask(&mut chat, "CHAT-1", "hello").await, "Here.");
    assert_eq!(hive.answer("TASK-1").await.text, "Done.");
    server.script([Answer::status(503, "down")]);
    chat.prompt("CHAT-2", "hello").await;
    chat.next_of("CHAT-2", "notice").await;
    chat.send(json!({"type": "cancel", "id": "CHAT-2"})).await;
    assert_eq!(chat.next_of("CHAT-2", "response_complete").await["status"], "cancelled");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_gone_on_with() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "max_retries = 1");
    let _agent = Agent::start(&hive).await;
    server.script([Answer::stream().say("One, ").cut(), Answer::stream().say("two.").whole()]);
    hive.drop_task("TASK-1.md", "count");
    assert_eq!(hive.answer("TASK-1").await.text, "One, two.");
    assert_eq!(server.until_asked(2).await.messages()[1], "assistant: One, ");

    // Without an end there is no telling whether it was one.
    server.script([Answer::stream().say("three, "), Answer::stream().say("four").cut()]);
    hive.drop_task("TASK-2.md", "count");
    let (status, code, error) = end_of(&hive, "TASK-2").await;
    assert_eq!((status.as_str(), code.as_str()), ("failed", "model_unavailable"));
    assert!(error.contains("broke off"), "{error}");
    assert_eq!(hive.answer("TASK-2").await.text, "three, four");
}

#[tokio::test]
async fn a_key_goes_to_the_server_and_nowhere_else() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "api_key_env = \"TEST_KEY\"");
    let mut agent = Agent::spawn_in(&hive, &["-vv"], &[("TEST_KEY", KEY)]);
    agent.ready().await;
    let echoed = format!("{{\"error\":{{\"message\":\"you sent Bearer {KEY}\"}}}}");
    server.script([401, 403, 400, 400].map(|status| Answer::status(status, &echoed)));
    server.script([Answer::status(503, &echoed), Answer::stream().event(&json!({"error": echoed}))]);
    hive.drop_task("KEY-1.md", "work");
    let (status, code, error) = end_of(&hive, "KEY-1").await;
    assert_eq!((status.as_str(), code.as_str()), ("failed", "model_unauthorized"));
    assert!(error.contains("does not accept the key from the variable TEST_KEY"), "{error}");
    for (id, expected, part) in [
        ("KEY-2", "model_unauthorized", "the key from the variable TEST_KEY"),
        ("KEY-3", "model_refused", "you sent Bearer ***"),
        ("KEY-4", "model_refused", "you sent Bearer ***"),
    ] {
        hive.drop_task(&format!("{id}.md"), "work");
        let (_, code, error) = end_of(&hive, id).await;
        assert_eq!(code, expected);
        assert!(error.contains(part), "{error}");
    }
    hive.drop_task("KEY-5.md", "work");
    assert_eq!(hive.answer("KEY-5").await.text, "ok");
    let sent = format!("authorization: Bearer {KEY}\r\n");
    assert!(server.asked().iter().all(|asked| asked.head.contains(&sent)));
    let everything = agent.state().await;
    assert!(!everything.contains(KEY), "{everything}");
    agent.terminate();
    agent.ended().await;
    let found = files_with(hive.root(), KEY);
    assert_eq!(found, Vec::<String>::new());
}

/// The files below a directory that hold a text.
fn files_with(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in fs::read_dir(directory).expect("a directory of the hive").flatten().map(|entry| entry.path())
    {
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if fs::read(&path)
            .expect("a file of the hive")
            .windows(text.len())
            .any(|window| window == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn a_key_may_be_in_a_file_and_be_changed_while_the_bot_runs() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "api_key_file = \"key\"");
    let exit = Agent::run(&hive, &[]).await;
    assert!(!exit.status.success() && exit.stderr.contains("the key's file"), "{exit:?}");
    let write = |key: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = hive.root().join("key");
        fs::write(&path, format!("{key}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("sk-first", 0o622);
    let exit = Agent::run(&hive, &[]).await;
    assert!(!exit.status.success() && exit.stderr.contains("chmod"), "{exit:?}");
    write("sk-first", 0o600);
    let _agent = Agent::start(&hive).await;
    for (id, key) in [("TASK-1", "sk-first"), ("TASK-2", "sk-second")] {
        write(key, 0o600);
        hive.drop_task(&format!("{id}.md"), "work");
        assert_eq!(hive.answer(id).await.text, "ok");
        let head = server.asked().last().unwrap().head.clone();
        assert!(head.contains(&format!("Bearer {key}\r\n")), "{head}");
    }
    fs::remove_file(hive.root().join("key")).unwrap();
    hive.drop_task("TASK-3.md", "work");
    let (_, code, error) = end_of(&hive, "TASK-3").await;
    assert!(code == "adapter_unavailable" && error.contains("No such file"), "{code}: {error}");
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_the_start() {
    for (openai, environment, part) in [
        ("model = 'm'", None, "needs the server's address"),
        ("base_url = 'http://h/v1'", None, "needs the model's name"),
        ("base_url = 'h:1/v1'\nmodel = 'm'", None, "it must begin with http"),
        (
            "base_url = 'http://127.0.0.1/v1'\nmodel = 'm'\napi_key_env = 'TEST_KEY'",
            None,
            "TEST_KEY, which is not set",
        ),
        (
            "base_url = 'http://example.org/v1'\nmodel = 'm'\napi_key_env = 'TEST_KEY'",
            Some(KEY),
            "would travel unencrypted",
        ),
    ] {
        let hive = Hive::new(&format!("adapter = 'openai'\n[defaults.openai]\n{openai}"));
        let environment: Vec<_> = environment.map(|key| ("TEST_KEY", key)).into_iter().collect();
        let exit = Agent::spawn_in(&hive, &[], &environment).ended().await;
        assert!(!exit.status.success() && exit.stderr.contains(part), "{openai}: {}", exit.stderr);
        assert!(!exit.stderr.contains(KEY), "{}", exit.stderr);
    }
}

#[tokio::test]
async fn a_server_may_answer_otherwise_than_it_was_asked_to() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "max_tokens = 9");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    let usage = json!({"total_tokens": 3});
    let whole = json!({"choices": [{"message": {"content": "All at once."}, "finish_reason": "stop"}], "usage": usage});
    server.script([
        Answer::document(&whole),
        // No good-bye, and no reason for the end.
        Answer::stream().say("No good-bye.").finish("stop"),
        Answer::stream().say("No reason.").raw("data: [DONE]\n\n"),
        Answer::stream().say("No tool.").delta(&json!({"tool_calls": [{"index": 0}]})).finish("tool_calls"),
        // It does not know two of the options, and says so one by one.
        Answer::status(400, r#"{"error":{"message":"'max_tokens': use 'max_completion_tokens'"}}"#),
        Answer::status(422, r#"{"detail":[{"loc":["body","stream_options"]}]}"#),
    ]);
    assert_eq!(ask(&mut chat, "CHAT-1", "x").await, "All at once.");
    assert_eq!(hive.answer("CHAT-1").await.header.usage, Some(usage));
    for (id, answer) in
        [("CHAT-2", "No good-bye."), ("CHAT-3", "No reason."), ("CHAT-4", "No tool."), ("CHAT-5", "ok")]
    {
        assert_eq!(ask(&mut chat, id, "x").await, answer);
    }
    let options = |asked: &hive_tests::Asked| {
        ["stream_options", "max_tokens", "max_completion_tokens"].map(|key| !asked.body[key].is_null())
    };
    let asked: Vec<_> = server.asked()[4..].iter().map(options).collect();
    assert_eq!(asked, [[true, true, false], [true, false, true], [false, false, true]]);
    // What it has learned it remembers.
    ask(&mut chat, "CHAT-6", "x").await;
    assert_eq!(options(&server.asked()[7]), [false, false, true]);
}

#[tokio::test]
async fn what_is_no_good_answer_fails_with_its_reason() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "max_retries = 0\nstall_timeout = \"300ms\"");
    let _agent = Agent::start(&hive).await;
    let cases = [
        (Answer::stream().say("cut").finish("length"), "model_length", "bound of tokens", "cut"),
        (Answer::stream().finish("content_filter"), "model_filtered", "content filter", ""),
        (Answer::stream().finish("tool_calls"), "model_answer", "asked for a tool", ""),
        (
            Answer::status(200, "<html>Welcome</html>"),
            "model_answer",
            "nothing of one in it (text/plain)",
            "",
        ),
        (Answer::stream().say("a").raw("data: {broken\n\n"), "model_answer", "it sent {broken", "a"),
        (Answer::status(200, "{\"hello\": 1}"), "model_answer", "it sent {\"hello\": 1}", ""),
        (Answer::status(200, ""), "model_unavailable", "broke off", ""),
        (Answer::stream().say("a").hold(), "model_unavailable", "has sent nothing for", "a"),
        (
            Answer::stream().say("a").event(&json!({"error": {"message": "oops"}})),
            "model_refused",
            "oops",
            "a",
        ),
        (
            Answer::status(404, r#"{"error":{"message":"no such model"}}"#),
            "model_refused",
            "is there a model 'test-model'",
            "",
        ),
        (
            Answer::status(307, "").header("Location", "https://elsewhere.example/v1"),
            "model_refused",
            "redirects to https://elsewhere.example/v1, which is not followed",
            "",
        ),
        (Answer::status(401, "{}"), "model_unauthorized", "wants a key: set openai.api_key_env", ""),
    ];
    for (n, (answer, code, part, text)) in cases.into_iter().enumerate() {
        server.script([answer]);
        let id = format!("BAD-{n}");
        hive.drop_task(&format!("{id}.md"), "work");
        let end = end_of(&hive, &id).await;
        assert_eq!((end.0.as_str(), end.1.as_str()), ("failed", code), "{end:?}");
        assert!(end.2.contains(part), "{end:?}");
        assert_eq!(hive.answer(&id).await.text, text);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "", "max_retries = 1");
    let url = server.base_url();
    drop(server);
    let _agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "work");
    let (status, code, error) = end_of(&hive, "TASK-1").await;
    assert_eq!((status.as_str(), code.as_str()), ("failed", "model_unavailable"));
    assert!(
        error.contains(&url) && error.contains("Connection refused") && error.ends_with("; 2 tries"),
        "{error}"
    );
}

#[tokio::test]
async fn a_flood_is_bounded() {
    let server = ModelServer::start().await;
    let hive = Hive::openai(&server, "max_output = \"1KiB\"", "");
    let _agent = Agent::start(&hive).await;
    let flood = (0..100).fold(Answer::stream(), |answer, _| answer.say(&"x".repeat(1_000)));
    server.script([flood.whole(), Answer::stream().raw(&format!("data: {}", "x".repeat(5 << 20)))]);
    hive.drop_task("FLOOD-1.md", "work");
    let response = hive.answer("FLOOD-1").await;
    assert_eq!(response.header.status.as_str(), "completed");
    assert!(response.text.len() < 1_200 && response.text.contains("is cut at"), "{}", response.text);
    hive.drop_task("FLOOD-2.md", "work");
    let (_, code, error) = end_of(&hive, "FLOOD-2").await;
    assert!(code == "model_answer" && error.contains("an event has no end"), "{code}: {error}");
}

#[tokio::test]
async fn a_server_without_encryption_behind_https_is_told() {
    let server = ModelServer::start().await;
    let hive = Hive::new(&format!(
        "adapter = \"openai\"\n[defaults.openai]\nbase_url = \"{}\"\nmodel = \"m\"\nmax_retries = 0",
        server.base_url().replace("http://", "https://")
    ));
    let _agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "work");
    let (status, code, error) = end_of(&hive, "TASK-1").await;
    assert_eq!((status.as_str(), code.as_str()), ("failed", "model_unavailable"));
    assert!(error.contains("https://") && error.contains("no encrypted connection"), "{error}");
}
