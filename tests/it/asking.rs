//! SPEC 7: a request for permission in `hivectl chat`, from a bot that says what the test has it say.

use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use futures::{SinkExt as _, StreamExt as _};
use hive_tests::{ALT_ENTER, ENTER, Hive, Terminal, until};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

/// A bot whose agent asks for permission at every prompt, and then tells what it was answered.
struct Asking {
    heard: Arc<Mutex<Vec<Value>>>,
    server: tokio::task::JoinHandle<()>,
    /// What says that somebody runs it.
    _lock: std::fs::File,
}

impl Asking {
    async fn start(hive: &Hive) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let record = json!({"bot_id": "BOT-002", "url": url, "host": "here", "pid": 1, "mode": "hybrid",
            "adapter": "fake", "started_at": "2026-11-22T18:05:27Z", "version": "0.1.0", "protocol": 1});
        let token = hive.paths().token(hive.bot());
        std::fs::write(&token, "c2VjcmV0").expect("a file can be written");
        std::fs::set_permissions(&token, PermissionsExt::from_mode(0o600)).expect("it is ours");
        std::fs::write(hive.paths().bot_record(hive.bot()), record.to_string())
            .expect("a file can be written");
        let lock = std::fs::File::create(hive.paths().lock(hive.bot())).expect("a file can be made");
        lock.try_lock().expect("nobody else runs it");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&told)));
            }
        });
        Self { heard, server, _lock: lock }
    }

    /// The next frame of this kind that the client sent.
    async fn hears(&self, kind: &str) -> Value {
        let heard = || self.heard.lock().expect("nobody panics while holding it").clone();
        until(
            kind,
            async || format!("{:#?}", heard()),
            async || heard().into_iter().find(|frame| frame["type"] == kind),
        )
        .await
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: TcpStream, heard: Arc<Mutex<Vec<Value>>>) {
    let mut request = [0; 2048];
    let length = stream.peek(&mut request).await.unwrap_or(0);
    let asked = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = asked.split(' ').nth(1).unwrap_or_default();
    if path.ends_with("/prompt") {
        return chat(stream, heard).await;
    }
    let body = if path == "/health" {
        json!({"status": "ok", "bot_id": "BOT-002", "version": "0.1.0", "protocol": 1})
    } else {
        json!({"bot_id": "BOT-002", "state": "idle", "paused": false, "paused_by": [], "mode": "hybrid",
            "adapter": "fake", "current": null, "suspended": null,
            "queue": {"P0": 0, "P1": 0, "P2": 0, "P3": 0, "chat": 0, "blocked": 0}, "chat_clients": 0, "approvals": 0,
            "last_activity": "2026-11-22T18:05:27.000000Z",
            "counts": {"completed": 0, "failed": 0, "cancelled": 0, "timed_out": 0, "incomplete": 0},
            "health": {"status": "healthy", "reasons": []}})
    };
    let body = body.to_string();
    let reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut request = vec![0; length];
    let _ = stream.read_exact(&mut request).await;
    // Whoever asked may have gone.
    let _ = stream.write_all(reply.as_bytes()).await;
}

async fn chat(stream: TcpStream, heard: Arc<Mutex<Vec<Value>>>) {
    let Ok(mut socket) = accept_async(stream).await else { return };
    let hello = json!({"type": "hello", "bot_id": "BOT-002", "mode": "hybrid", "adapter": "fake",
        "version": "0.1.0", "protocol": 1});
    let _ = socket.send(Message::text(hello.to_string())).await;
    let (mut turn, mut n) = (String::new(), 0);
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text).expect("frames are JSON");
        let mut says = Vec::new();
        match frame["type"].as_str() {
            Some("prompt") => {
                frame["id"].as_str().unwrap_or_default().clone_into(&mut turn);
                n = 0;
                says.push(json!({"type": "accepted", "state": "started"}));
                says.push(json!({"type": "response_start"}));
                says.push(json!({"type": "tool_call", "call": {"title": "Edit main.rs", "kind": "edit"}}));
                says.push(json!({"type": "approval_request", "approval_id": "AP-1", "title": "edit main.rs",
                    "options": [{"id": "yes", "kind": "allow_once", "name": "Allow"},
                        {"id": "no", "kind": "reject_once", "name": "Reject"}],
                    "deadline": "2999-01-01T00:00:00Z"}));
            }
            Some("approve") => {
                let answer = format!("answered: {}", frame["option"].as_str().unwrap_or_default());
                says.push(
                    json!({"type": "notice", "code": "approval", "message": "edit main.rs: told (once)"}),
                );
                says.push(json!({"type": "response_chunk", "content": answer, "channel": "text"}));
                says.push(json!({"type": "response_complete", "status": "completed", "success": true,
                    "duration_seconds": 0.1, "files_modified": ["main.rs"], "usage": null, "error": null,
                    "error_code": null, "response_file": null}));
            }
            _ => {}
        }
        heard.lock().expect("nobody panics while holding it").push(frame);
        for mut say in says {
            n += 1;
            say["id"] = turn.clone().into();
            say["n"] = n.into();
            let _ = socket.send(Message::text(say.to_string())).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_permission_is_answered_by_a_key_or_a_command() {
    for (line, option) in [("1", "yes"), ("r", "no"), ("/approve", "yes"), ("/deny AP-1", "no")] {
        let hive = Hive::new("");
        let bot = Asking::start(&hive).await;
        let terminal = Terminal::hivectl(&hive, &["chat", "BOT-002"]);
        terminal.shows("/help tells the rest").await;
        terminal.enter("mend it");
        terminal.shows("→ Edit main.rs (edit)\n? BOT-002 asks: edit main.rs (AP-1, ").await;
        terminal.shows("\n  1  Allow\n  2  Reject\n").await;
        terminal.shows("1-2 or a/r and Enter, or Alt-Y/N at once, answers: edit main.rs").await;
        // A number that is no option is none, and no prompt either.
        terminal.enter("3");
        terminal.shows("· 3 is none of the options 1-2 of AP-1").await;
        // What is no answer is a prompt like any other.
        terminal.press("1");
        terminal.press(ALT_ENTER);
        terminal.press("\x15\x7f\x7f");
        terminal.press(line);
        terminal.press(ENTER);
        terminal.shows(&format!("answered: {option}\n✓ 100ms · changed main.rs")).await;
        let approved = bot.hears("approve").await;
        assert_eq!((&approved["approval_id"], &approved["option"]), (&json!("AP-1"), &json!(option)));
        let shown = terminal.history();
        assert!(shown.matches("edit main.rs: told (once)").count() == 1, "{shown}");
        assert!(!shown.contains("· Allow: ") && !shown.contains("· Reject: "), "{shown}");
        let prompts = bot.heard.lock().expect("nobody panics while holding it");
        assert_eq!(prompts.iter().filter(|frame| frame["type"] == "prompt").count(), 1, "{prompts:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_alt_answers_at_once_and_leaves_the_line_as_it_is() {
    for (key, option) in [("\x1by", "yes"), ("\x1bn", "no"), ("\x1b2", "no")] {
        let hive = Hive::new("");
        let bot = Asking::start(&hive).await;
        let terminal = Terminal::hivectl(&hive, &["chat", "BOT-002"]);
        terminal.shows("/help tells the rest").await;
        terminal.enter("mend it");
        terminal.shows("Alt-Y/N at once").await;
        terminal.press("and then");
        terminal.press(key);
        terminal.shows(&format!("answered: {option}\n✓ 100ms · changed main.rs")).await;
        terminal.shows("> and then").await;
        assert_eq!(bot.hears("approve").await["option"], json!(option));
    }
}
