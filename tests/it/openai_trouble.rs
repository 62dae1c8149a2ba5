//! The openai adapter and what goes wrong: servers that fail or are none, keys, settings (SPEC 6).

use std::fs;
use std::path::Path;

use hive_tests::{Agent, Answer, Hive, ModelServer};
use serde_json::json;

use crate::openai::ask;

const KEY: &str = "sk-test-0123456789abcdef";

/// How an item ended: its status, its error code and its error.
async fn end_of(hive: &Hive, id: &str) -> (String, String, String) {
    let header = hive.answer(id).await.header;
    (header.status.to_string(), header.error_code.unwrap_or_default(), header.error.unwrap_or_default())
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
    let closed = Answer::status(429, "").header("Retry-After", "3600");
    server.script([closed]);
    hive.drop_task("TASK-2.md", "work");
    let (_, code, error) = end_of(&hive, "TASK-2").await;
    assert!(
        code == "model_unavailable" && error.ends_with("; it asks to be left alone for 1h00m"),
        "{error}"
    );
    assert_eq!(server.asked().len(), 4);
    hive.drop_task("TASK-3.md", "work");
    assert_eq!(hive.answer("TASK-3").await.text, "ok");
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
        Answer::stream().say("It stays.").finish("stop").hold(),
        Answer::stream().say("No reason.").raw("data: [DONE]\n\n"),
        Answer::stream().say("No tool.").delta(&json!({"tool_calls": [{"index": 0}]})).finish("tool_calls"),
        // It does not know two of the options, and says so one by one.
        Answer::status(400, r#"{"error":{"message":"'max_tokens': use 'max_completion_tokens'"}}"#),
        Answer::status(422, r#"{"detail":[{"loc":["body","stream_options"]}]}"#),
    ]);
    assert_eq!(ask(&mut chat, "CHAT-1", "x").await, "All at once.");
    assert_eq!(hive.answer("CHAT-1").await.header.usage, Some(usage));
    for (id, answer) in [
        ("CHAT-2", "No good-bye."),
        ("CHAT-3", "It stays."),
        ("CHAT-4", "No reason."),
        ("CHAT-5", "No tool."),
        ("CHAT-6", "ok"),
    ] {
        assert_eq!(ask(&mut chat, id, "x").await, answer);
    }
    let options = |asked: &hive_tests::Asked| {
        ["stream_options", "max_tokens", "max_completion_tokens"].map(|key| !asked.body[key].is_null())
    };
    let asked: Vec<_> = server.asked()[5..].iter().map(options).collect();
    assert_eq!(asked, [[true, true, false], [true, false, true], [false, false, true]]);
    // What it has learned it remembers.
    ask(&mut chat, "CHAT-7", "x").await;
    assert_eq!(options(&server.asked()[8]), [false, false, true]);
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
