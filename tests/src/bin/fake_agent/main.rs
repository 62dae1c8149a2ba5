//! A coding agent of the suite's own that speaks ACP by raw lines of JSON, so that it can misbehave as real ones do.
//!
//! Words in a prompt say what it does: see `turn`. Flags say what it is like from its start:
//!
//! - `--mute` never answers the handshake, `--version-99` answers with another version, `--fails-to-start` ends at once;
//! - `--no-load` cannot load sessions, `--load-fails` cannot load the one it is asked for, `--late-replay` answers
//!   `session/load` before it replays;
//! - `--slow-new` opens a session only once there is a file `go`, `--login` wants a login for it;
//! - `--modes` has modes, `--lingers` stays when its input has ended, `--forgets` strikes what was cancelled from its
//!   memory.
//!
//! What it was asked stands in `agent.log` in its working directory, a line each; what its sessions remember in
//! `session-ID.json`.

mod turn;

use std::collections::HashMap;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use turn::{Memory, Turn};

fn main() -> ExitCode {
    let agent = Arc::new(Agent {
        flags: std::env::args().skip(1).collect(),
        waiting: Mutex::default(),
        turns: Mutex::default(),
        last_id: AtomicU64::new(0),
        out: Mutex::new(std::io::stdout()),
    });
    if agent.has("--fails-to-start") {
        complain("cannot read my configuration");
        return ExitCode::from(7);
    }
    log(&format!("started {}", std::process::id()));
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        if let Ok(message) = serde_json::from_str(&line) {
            agent.take(message);
        }
    }
    while agent.has("--lingers") {
        thread::sleep(Duration::from_secs(1));
    }
    ExitCode::SUCCESS
}

/// The agent, as its connection sees it.
pub(crate) struct Agent {
    flags: Vec<String>,
    /// Who waits for the client's answers, by the id of the request.
    waiting: Mutex<HashMap<u64, Sender<Value>>>,
    /// The turns that run, by session.
    turns: Mutex<HashMap<String, Arc<Turn>>>,
    last_id: AtomicU64,
    out: Mutex<std::io::Stdout>,
}

impl Agent {
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|it| it == flag)
    }

    fn take(self: &Arc<Self>, mut message: Value) {
        let id = message["id"].clone();
        let Some(method) = message["method"].as_str().map(str::to_owned) else {
            let waits = id.as_u64().and_then(|id| lock(&self.waiting).remove(&id));
            if let Some(waits) = waits {
                let _ = waits.send(message);
            }
            return;
        };
        let params = message["params"].take();
        let session = params["sessionId"].as_str().unwrap_or_default().to_owned();
        let text = params["prompt"][0]["text"].as_str().unwrap_or_default().to_owned();
        log(format!("{method} {session} {}", text.replace('\n', "|")).trim_end());
        match method.as_str() {
            "initialize" => self.shake_hands(&id, &params),
            "session/new" => self.open(&id),
            "session/load" => self.load(&id, &session),
            "session/set_mode" | "session/close" => self.answer(&id, &json!({})),
            "session/prompt" => {
                let turn = Arc::new(Turn::new(Arc::clone(self), &session));
                if lock(&self.turns).insert(session, Arc::clone(&turn)).is_some() {
                    log("TWO PROMPTS AT ONCE");
                }
                thread::spawn(move || turn.play(&id, &text));
            }
            "session/cancel" => {
                if let Some(turn) = lock(&self.turns).get(&session) {
                    turn.cancel();
                }
            }
            _ if id.is_null() => {}
            _ => self.refuse(&id, -32601, "Method not found", ""),
        }
    }

    fn shake_hands(&self, id: &Value, params: &Value) {
        if self.has("--mute") {
            return complain("still thinking about it");
        }
        let version = if self.has("--version-99") { json!(99) } else { params["protocolVersion"].clone() };
        let logins = json!([{"id": "key", "name": "An API key", "description": "set FAKE_KEY"}]);
        self.answer(
            id,
            &json!({
                "protocolVersion": version,
                "agentInfo": {"name": "fake", "title": "Fake Agent", "version": "1"},
                "agentCapabilities": {
                    "loadSession": !self.has("--no-load"),
                    "sessionCapabilities": {"close": {}},
                },
                "authMethods": if self.has("--login") { logins } else { json!([]) },
            }),
        );
    }

    fn open(&self, id: &Value) {
        if self.has("--login") {
            return self.refuse(id, -32000, "Authentication required", "no FAKE_KEY is set");
        }
        while self.has("--slow-new") && !Path::new("go").exists() {
            thread::sleep(Duration::from_millis(10));
        }
        let number = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let session = format!("S-{}-{number}", std::process::id());
        self.answer(id, &self.with_modes(json!({"sessionId": session})));
    }

    fn load(&self, id: &Value, session: &str) {
        if self.has("--load-fails") {
            return self.refuse(id, -32603, "Internal error", "no such session");
        }
        let is_late = self.has("--late-replay");
        if is_late {
            self.answer(id, &self.with_modes(json!({})));
        }
        for (kind, text) in [
            ("user_message_chunk", Memory::of(session).text("heard")),
            ("agent_message_chunk", "REPLAYED".to_owned()),
            ("agent_message_chunk", "REPLAYED".to_owned()),
        ] {
            thread::sleep(Duration::from_millis(if is_late { 100 } else { 0 }));
            let update = json!({"sessionUpdate": kind, "content": {"type": "text", "text": text}});
            self.update(session, &update);
        }
        if !is_late {
            self.answer(id, &self.with_modes(json!({})));
        }
    }

    fn with_modes(&self, mut answer: Value) -> Value {
        if self.has("--modes") {
            let modes = [("auto", "Auto"), ("careful", "Careful")];
            let modes: Vec<Value> = modes.iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
            answer["modes"] = json!({"currentModeId": "auto", "availableModes": modes});
        }
        answer
    }

    /// The turn of a session is over.
    pub(crate) fn ended(&self, session: &str) {
        lock(&self.turns).remove(session);
    }

    pub(crate) fn answer(&self, id: &Value, result: &Value) {
        self.write(&json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string());
    }

    pub(crate) fn refuse(&self, id: &Value, code: i64, message: &str, details: &str) {
        let error = json!({"code": code, "message": message, "data": {"details": details}});
        self.write(&json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string());
    }

    pub(crate) fn update(&self, session: &str, update: &Value) {
        self.notify("session/update", &json!({"sessionId": session, "update": update}));
    }

    pub(crate) fn notify(&self, method: &str, params: &Value) {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string());
    }

    /// Asks something of the client: the number of the request, and where its answer comes.
    pub(crate) fn ask(&self, method: &str, params: &Value) -> (u64, Receiver<Value>) {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = channel();
        lock(&self.waiting).insert(id, sender);
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        (id, receiver)
    }

    pub(crate) fn write(&self, line: &str) {
        let mut out = lock(&self.out);
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

/// Says something on stderr.
pub(crate) fn complain(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// Notes something for the tests to see.
pub(crate) fn log(line: &str) {
    let file = std::fs::OpenOptions::new().create(true).append(true).open("agent.log");
    let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
