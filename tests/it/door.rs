//! Who may come in, and what strangers, broken requests and careless permissions cannot do (SPEC 2, 6, 9 and 11).

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use futures::{SinkExt as _, StreamExt as _};
use hive_tests::{Agent, ChatSocket, DEADLINE, Hive, upgrade};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// All paths of SPEC 9 for which a token is needed.
const ROUTES: [(&str, &str); 19] = [
    ("GET", "/metrics"),
    ("GET", "/api/bot/BOT-002/status"),
    ("POST", "/api/bot/BOT-002/pause"),
    ("POST", "/api/bot/BOT-002/resume"),
    ("POST", "/api/bot/BOT-002/interrupt"),
    ("POST", "/api/bot/BOT-002/stop"),
    ("GET", "/api/bot/BOT-002/tasks"),
    ("POST", "/api/bot/BOT-002/tasks"),
    ("GET", "/api/bot/BOT-002/tasks/TASK-1"),
    ("DELETE", "/api/bot/BOT-002/tasks/TASK-1"),
    ("POST", "/api/bot/BOT-002/tasks/TASK-1/retry"),
    ("POST", "/api/bot/BOT-002/tasks/TASK-1/priority"),
    ("GET", "/api/bot/BOT-002/responses/TASK-1"),
    ("GET", "/api/bot/BOT-002/timeline"),
    ("GET", "/api/bot/BOT-002/approvals"),
    ("POST", "/api/bot/BOT-002/approvals/1"),
    ("GET", "/ws/bot/BOT-002/timeline"),
    ("GET", "/ws/bot/BOT-002/prompt"),
    ("GET", "/no/such/path"),
];

const SOCKETS: [&str; 2] = ["/ws/bot/BOT-002/timeline", "/ws/bot/BOT-002/prompt"];

/// What came back over a connection of its own.
#[derive(Debug)]
struct Answer {
    status: u16,
    json: Value,
}

impl Answer {
    fn code(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or("(no error)")
    }
}

/// Sends a request as it stands, which no client library would. None if the bot hangs up without an answer.
fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.extend(["Host: ", address, "\r\n"]);
    }
    if path.starts_with("/ws/") {
        request += "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    }
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    let mut stream = TcpStream::connect(address).expect("the bot listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time limit");
    // Whoever is turned away may find the door closed before all was said.
    let _ = stream.write_all(&[request.as_bytes(), b"\r\n", body].concat());
    receive(&mut stream)
}

fn receive(stream: &mut TcpStream) -> Option<Answer> {
    let mut text = Vec::new();
    let mut byte = [0_u8; 1];
    while !text.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => text.push(byte[0]),
            Ok(_) => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("no answer: {error}"),
        }
    }
    let head = String::from_utf8(text).expect("text").to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).expect("a body");
    Some(Answer { status, json: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}

/// A request that is answered.
fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let body: &[u8] = if method == "POST" { b"{}" } else { b"" };
    send(address, method, path, headers, body).expect("an answer")
}

/// Nothing has happened: the bot has no work, is not paused, and does not stop.
async fn is_untouched(agent: &Agent) {
    let status = agent.api().status().await;
    assert_eq!((&status["state"], &status["paused"]), (&json!("idle"), &json!(false)));
    assert_eq!(status["chat_clients"], 0);
    assert_eq!(agent.api().get("tasks?all=true").await.ok()["total"], 0);
    assert_eq!(agent.hive().names_in(&agent.hive().paths().controls()), [""; 0]);
    let entries = agent.api().entries("").await;
    assert_eq!(entries.len(), 1, "only the start: {entries:#?}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

#[tokio::test]
async fn every_path_but_health_wants_the_token() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let (address, token) = (agent.address(), agent.token());
    let short = format!("Bearer {}", &token[..token.len() - 1]);
    let long = format!("Bearer {token}A");
    let basic = format!("Basic {token}");
    let cookie = format!("token={token}");
    let attempts: [&[(&str, &str)]; 10] = [
        &[],
        &[("Authorization", "Bearer ")],
        &[("Authorization", "Bearer wrong")],
        &[("Authorization", &short)],
        &[("Authorization", &long)],
        &[("Authorization", &basic)],
        &[("Authorization", &token)],
        &[("Cookie", &cookie)],
        &[("Sec-WebSocket-Protocol", "hive.v1")],
        &[("Sec-WebSocket-Protocol", "hive.v1, hive.bearer.wrong")],
    ];
    for (method, path) in ROUTES {
        for headers in attempts {
            let answer = ask(address, method, path, headers);
            assert_eq!((answer.status, answer.code()), (401, "unauthorized"), "{method} {path} {headers:?}");
        }
        let in_the_url = ask(address, method, &format!("{path}?token={token}&access_token={token}"), &[]);
        assert_eq!(in_the_url.status, 401, "{method} {path}");
    }
    let health = ask(address, "GET", "/health", &[]);
    assert_eq!((health.status, &health.json["status"]), (200, &json!("ok")));
    assert_eq!((&health.json["bot_id"], &health.json["protocol"]), (&json!("BOT-002"), &json!(1)));
    is_untouched(&agent).await;
}

#[tokio::test]
async fn a_foreign_host_is_misdirected_whatever_its_token() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let authorization = format!("Bearer {}", agent.token());
    let foreign =
        ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.1.2.3", "", "[::1", "a b"];
    for (method, path) in ROUTES.into_iter().chain([("GET", "/health")]) {
        for host in foreign {
            let answer =
                ask(agent.address(), method, path, &[("Host", host), ("Authorization", &authorization)]);
            assert_eq!((answer.status, answer.code()), (421, "host"), "{method} {path} {host}");
        }
    }
    let twice = [("Host", "localhost"), ("Host", "evil.example"), ("Authorization", &authorization)];
    assert!([400, 421].contains(&ask(agent.address(), "GET", "/health", &twice).status));
    for own in ["localhost", "LocalHost:1", "127.0.0.1", "[::1]:80"] {
        let headers = [("Host", own), ("Authorization", authorization.as_str())];
        assert_eq!(ask(agent.address(), "GET", "/api/bot/BOT-002/status", &headers).status, 200, "{own}");
    }
    is_untouched(&agent).await;
}

#[tokio::test]
async fn a_foreign_origin_is_forbidden_whatever_its_token() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let authorization = format!("Bearer {}", agent.token());
    let foreign = [
        "https://evil.example",
        "null",
        "file://",
        "http://localhost",
        "http://localhost:1",
        "http://127.0.0.1.evil",
    ];
    for (method, path) in ROUTES.into_iter().chain([("GET", "/health")]) {
        for origin in foreign {
            let headers = [("Origin", origin), ("Authorization", authorization.as_str())];
            let answer = ask(agent.address(), method, path, &headers);
            assert_eq!((answer.status, answer.code()), (403, "origin"), "{method} {path} {origin}");
        }
    }
    is_untouched(&agent).await;
    let port = agent.address().rsplit_once(':').unwrap().1;
    for own in [format!("http://127.0.0.1:{port}"), format!("http://localhost:{port}")] {
        let headers = [("Origin", own.as_str()), ("Authorization", &authorization)];
        assert_eq!(ask(agent.address(), "GET", "/api/bot/BOT-002/status", &headers).status, 200, "{own}");
        for path in SOCKETS {
            assert_eq!(ask(agent.address(), "GET", path, &headers).status, 101, "{path} {own}");
        }
    }
}

#[tokio::test]
async fn hosts_and_origins_that_the_settings_allow_are_let_in() {
    let hive =
        Hive::echo(0, "allowed_hosts = [\"board.example\"]\nallowed_origins = [\"https://board.example\"]");
    let agent = Agent::start(&hive).await;
    let authorization = format!("Bearer {}", agent.token());
    let headers = [
        ("Host", "board.example"),
        ("Origin", "https://board.example"),
        ("Authorization", authorization.as_str()),
    ];
    assert_eq!(ask(agent.address(), "GET", "/api/bot/BOT-002/status", &headers).status, 200);
    assert_eq!(ask(agent.address(), "GET", "/api/bot/BOT-002/status", &headers[..2]).status, 401);
    let other = [("Host", "evil.example"), headers[2]];
    assert_eq!(ask(agent.address(), "GET", "/api/bot/BOT-002/status", &other).status, 421);
}

#[tokio::test]
async fn a_browser_brings_the_token_as_a_sub_protocol() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let offered = format!("hive.v1, hive.bearer.{}", agent.token());
    for path in SOCKETS {
        let opened = upgrade(agent.address(), path, &[("Sec-WebSocket-Protocol", &offered)]).await;
        let (socket, picked) = opened.expect("it is let in");
        assert_eq!(picked.as_deref(), Some("hive.v1"), "{path}");
        if path.ends_with("prompt") {
            let mut chat = ChatSocket::on(socket).await;
            chat.prompt("CHAT-1", "hello").await;
            assert_eq!(chat.turn("CHAT-1").await.text(), "hello");
        }
    }
}

#[tokio::test]
async fn the_token_is_nowhere_but_in_its_file() {
    let hive = Hive::exec("cat; env; cat /proc/$PPID/cmdline", "");
    let mut agent = Agent::start_with(&hive, &["-vv"]).await;
    let (address, token) = (agent.address().to_owned(), agent.token());
    assert!(token.len() >= 32 && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    let authorization = format!("Bearer {token}");
    hive.drop_task("TASK-1.md", "words");
    agent.api().until_ended("TASK-1").await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    chat.turn("CHAT-1").await;
    // Those who are turned away may have a good token.
    for (method, path) in ROUTES {
        if !path.ends_with("stop") && !path.ends_with("pause") {
            ask(
                &address,
                method,
                path,
                &[("Authorization", &authorization), ("Origin", "https://evil.example")],
            );
            ask(&address, method, path, &[("Authorization", &authorization), ("Host", "evil.example")]);
            ask(&address, method, &format!("{path}?token={token}"), &[]);
            ask(&address, method, &format!("{path}?token={token}"), &[("Authorization", &authorization)]);
        }
    }
    agent.terminate();
    let exit = agent.ended().await;
    assert!(exit.stderr.contains("turned away"), "it says whom: {}", exit.stderr);
    let holders = files_with(hive.root(), token.as_bytes());
    assert_eq!(holders, [hive.paths().token(hive.bot()).display().to_string()]);
    // It is the same in the next life.
    assert_eq!(Agent::start(&hive).await.token(), token);
}

fn files_with(directory: &Path, wanted: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for path in fs::read_dir(directory).expect("a directory").flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(files_with(&path, wanted));
        } else if fs::read(&path).unwrap_or_default().windows(wanted.len()).any(|window| window == wanted) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn the_bot_record_says_who_runs_and_has_no_secret() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let text = fs::read_to_string(hive.paths().bot_record(hive.bot())).unwrap();
    assert!(!text.contains(&agent.token()));
    let record: Value = serde_json::from_str(&text).unwrap();
    let mut names: Vec<_> = record.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["adapter", "bot_id", "host", "mode", "pid", "protocol", "started_at", "url", "version"]
    );
    assert!(record["url"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{record}");
}

#[tokio::test]
async fn what_is_private_is_closed_to_others_and_to_git() {
    let hive = Hive::echo(0, "");
    let mut agent = Agent::start(&hive).await;
    let token = hive.paths().token(hive.bot());
    let (bots, state) = (token.parent().unwrap(), hive.paths().database(hive.bot()));
    let state = state.parent().unwrap();
    assert_eq!((mode(&token), mode(state)), (0o600, 0o700));
    let logs = hive.paths().activity_log(hive.bot());
    for directory in [bots, state, logs.parent().unwrap()] {
        let ignored = fs::read_to_string(directory.join(".gitignore")).unwrap();
        assert_eq!(ignored.trim(), "*", "{}", directory.display());
    }
    // A token that others may have read is none any more.
    agent.terminate();
    agent.ended().await;
    let known = agent.token();
    let again = Agent::start(&hive).await;
    assert_eq!(again.token(), known, "what nobody else could read stays");
    drop(again);
    fs::set_permissions(&token, Permissions::from_mode(0o644)).unwrap();
    let agent = Agent::start(&hive).await;
    assert_eq!(mode(&token), 0o600);
    assert_ne!(agent.token(), known);
    assert!(agent.stderr().contains("a new one is made"), "{}", agent.stderr());
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_too_large() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let authorization = format!("Bearer {}", agent.token());
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    let large = json!({"instruction": "x".repeat(4 << 20)}).to_string();
    for path in ["tasks", "pause", "stop"] {
        let path = format!("/api/bot/BOT-002/{path}");
        let answer = send(agent.address(), "POST", &path, &headers, large.as_bytes()).expect("an answer");
        assert_eq!((answer.status, answer.code()), (413, "too_large"), "{path}");
    }
    // A document may have no more than 1 MiB, however it comes.
    let reply = agent.api().post("tasks", json!({"instruction": "x".repeat((1 << 20) + 1)})).await;
    assert_eq!((reply.status, reply.code()), (400, "bad_request"));
    assert!(reply.text.contains("1048576") || reply.text.contains("1 MiB"), "{reply:?}");
    let header = "x".repeat(2 << 20);
    let answer = send(agent.address(), "GET", "/health", &[("X-Large", &header)], b"");
    assert!(answer.is_none_or(|answer| answer.status == 431));
    is_untouched(&agent).await;
}

#[tokio::test]
async fn a_frame_beyond_the_bound_closes_the_socket_and_nothing_else() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let authorization = format!("Bearer {}", agent.token());
    let mut other = agent.chat().await;
    for path in SOCKETS {
        let opened = upgrade(agent.address(), path, &[("Authorization", &authorization)]).await;
        let (mut socket, _) = opened.expect("it is let in");
        let text = json!({"type": "prompt", "id": "BIG-1", "user": "dave", "message": "x".repeat(2 << 20)});
        // The bot may have hung up before it got all of it.
        let _ = socket.send(Message::text(text.to_string())).await;
        while let Some(Ok(_)) = socket.next().await {}
    }
    other.prompt("CHAT-1", "still there").await;
    assert_eq!(other.turn("CHAT-1").await.text(), "still there");
    assert_eq!(agent.api().task("BIG-1").await, Value::Null);
}

#[tokio::test]
async fn an_id_that_is_none_never_becomes_part_of_a_path() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    fs::write(hive.root().join("secret-response.md"), "---\ntask_id: S\n---\nsecret").unwrap();
    let authorization = format!("Bearer {}", agent.token());
    let headers = [("Authorization", authorization.as_str())];
    let long = "x".repeat(129);
    let bad = [
        "..%2F..%2F..%2Fsecret",
        "%2e%2e",
        "..%5C..",
        "a%2Fb",
        "a%00b",
        "%00",
        "%C3%A4",
        "%FF",
        "a%20b",
        "a..b",
        "a.lock",
        "A.LOCK",
        "a.",
        ".a",
        "-a",
        "_a",
        "%E2%80%AE",
        &long,
    ];
    for id in bad {
        for (method, path) in [
            ("GET", format!("tasks/{id}")),
            ("DELETE", format!("tasks/{id}")),
            ("POST", format!("tasks/{id}/retry")),
            ("POST", format!("tasks/{id}/priority")),
            ("GET", format!("responses/{id}")),
        ] {
            let answer = ask(agent.address(), method, &format!("/api/bot/BOT-002/{path}"), &headers);
            assert_eq!((answer.status, answer.code()), (400, "bad_request"), "{method} {path}");
        }
        for path in [
            format!("/api/bot/{id}/status"),
            format!("/ws/bot/{id}/timeline"),
            format!("/ws/bot/{id}/prompt"),
        ] {
            let answer = ask(agent.address(), "GET", &path, &headers);
            assert!([400, 404].contains(&answer.status), "{path}: {answer:?}");
            assert!(["bad_request", "not_found"].contains(&answer.code()), "{path}: {answer:?}");
        }
    }
    for path in
        ["/api/bot/BOT-002/responses/../../../secret", "/api/bot/BOT-002/../BOT-002/status", "//health"]
    {
        let answer = ask(agent.address(), "GET", path, &headers);
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{path}");
    }
    let unknown = ask(agent.address(), "GET", "/api/bot/BOT-002/tasks/NOBODY-1", &headers);
    assert_eq!((unknown.status, unknown.code()), (404, "not_found"));
    is_untouched(&agent).await;
}

#[tokio::test]
async fn what_the_api_does_not_have_is_a_clear_error() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let authorization = format!("Bearer {}", agent.token());
    let headers = [("Authorization", authorization.as_str())];
    for path in [
        "/",
        "/api",
        "/api/bot/BOT-002",
        "/api/bot/BOT-002/nothing",
        "/api/bot/BOT-009/status",
        "/ws/bot/BOT-002",
    ] {
        let answer = ask(agent.address(), "GET", path, &headers);
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{path}");
    }
    for (method, path) in
        [("POST", "/health"), ("PUT", "/api/bot/BOT-002/tasks"), ("GET", "/api/bot/BOT-002/pause")]
    {
        let answer = ask(agent.address(), method, path, &headers);
        assert_eq!((answer.status, answer.code()), (405, "bad_request"), "{method} {path}");
    }
    let api = agent.api();
    for path in [
        "timeline?limit=many",
        "timeline?status=odd",
        "timeline?after_seq=-1",
        "timeline?before=x",
        "timeline?nothing=1",
        "tasks?all=perhaps",
        "tasks?after=../x",
    ] {
        let reply = api.get(path).await;
        assert_eq!((reply.status, reply.code()), (400, "bad_request"), "{path}");
    }
    for body in ["", "{", "[]", "null", "{\"scope\": \"sideways\"}", "{\"unknown\": 1}", "\u{0}"] {
        let reply = api.request(reqwest::Method::POST, "tasks", Some(body.to_owned())).await;
        assert_eq!((reply.status, reply.code()), (400, "bad_request"), "{body}");
        if !body.is_empty() {
            let reply = api.request(reqwest::Method::POST, "pause", Some(body.to_owned())).await;
            assert_eq!((reply.status, reply.code()), (400, "bad_request"), "{body}");
        }
    }
    // A socket's path without the wish for a socket.
    for path in SOCKETS {
        let reply = api.get(path).await;
        assert_eq!((reply.status, reply.code()), (400, "bad_request"), "{path}");
    }
    is_untouched(&agent).await;
}

#[tokio::test]
async fn what_others_may_write_is_not_obeyed() {
    let hive = Hive::echo(0, "");
    hive.drop_task("TASK-1.md", "words");
    let paths = hive.paths();
    for (path, writable, good) in [
        (hive.tasks(), 0o777, 0o755),
        (paths.settings(), 0o666, 0o644),
        (paths.bots(), 0o777, 0o700),
        (paths.controls(), 0o777, 0o755),
    ] {
        fs::set_permissions(&path, Permissions::from_mode(writable)).unwrap();
        let exit = Agent::run(&hive, &[]).await;
        assert_eq!(exit.status.code(), Some(1), "{}", exit.stderr);
        let mend = format!("{}'", path.display());
        assert!(exit.stderr.contains("'chmod ") && exit.stderr.contains(&mend), "{}", exit.stderr);
        assert!(hive.is_in_queue("TASK-1.md") && hive.response("TASK-1").is_none());
        fs::set_permissions(&path, Permissions::from_mode(good)).unwrap();
    }
    // That the group may write is told and borne.
    fs::set_permissions(hive.tasks(), Permissions::from_mode(0o775)).unwrap();
    let agent = Agent::start(&hive).await;
    hive.answer("TASK-1").await;
    assert!(agent.stderr().contains("chmod g-w"), "{}", agent.stderr());
}

#[tokio::test]
async fn a_command_gets_no_token_of_the_daemons_environment() {
    let hive = Hive::exec("env", "");
    let secrets = [("HIVE_TOKEN", "s3cret-one"), ("HIVE_TOKEN_FILE", "/s3cret-two"), ("COLOUR", "blue")];
    let mut agent = Agent::spawn_in(&hive, &[], &secrets);
    agent.ready().await;
    assert_ne!(agent.token(), "s3cret-one");
    hive.drop_task("ENV-1.md", "show");
    let text = hive.answer("ENV-1").await.text;
    assert!(text.contains("COLOUR=blue") && !text.contains("s3cret") && !text.contains("TOKEN"), "{text}");
}

#[tokio::test]
async fn beyond_loopback_it_does_not_listen_unless_it_is_insisted_on() {
    let hive = Hive::echo(0, "");
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let exit = Agent::run(&hive, &["--listen", address]).await;
        assert_eq!(exit.status.code(), Some(1), "{address}");
        assert!(exit.stderr.contains("--insecure"), "{}", exit.stderr);
        assert!(!hive.paths().bot_record(hive.bot()).exists());
        assert!(!hive.paths().token(hive.bot()).exists(), "it was not to start");
    }
    let agent = Agent::spawn(&hive, &["--listen", "0.0.0.0:0", "--insecure"]);
    let record = hive.paths().bot_record(hive.bot());
    let url = hive.until("it is ready", || {
        let record: Value = serde_json::from_slice(&fs::read(&record).ok()?).ok()?;
        Some(record["url"].as_str()?.to_owned())
    });
    let port = url.await.rsplit_once(':').unwrap().1.to_owned();
    let (address, authorization) = (format!("127.0.0.1:{port}"), format!("Bearer {}", agent.token()));
    let answer = ask(&address, "GET", "/api/bot/BOT-002/status", &[("Authorization", &authorization)]);
    assert_eq!(answer.status, 200);
    assert!(agent.stderr().contains("without encryption"), "{}", agent.stderr());
}
