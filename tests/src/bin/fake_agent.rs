//! A coding agent of the suite's own that speaks ACP by raw lines of JSON, so that it can misbehave as real ones do.
//!
//! Words in a prompt say what it does; see [`Turn::play`]. Flags say what it is like from its start; see [`Manners`].
//! What it was asked stands in `agent.log` in its working directory, a line each; what its sessions remember in
//! `session-ID.json`.

use std::collections::HashMap;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// What the agent is like, by flags.
struct Manners {
    /// It never answers the handshake.
    is_mute: bool,
    /// It says whatever version, and not the one it was asked for.
    other_version: bool,
    /// It cannot load sessions.
    forgets: bool,
    /// It answers `session/load` with an error.
    fails_load: bool,
    /// It answers `session/load` before it replays.
    replays_late: bool,
    /// It wants a login.
    wants_login: bool,
    /// It has modes.
    has_modes: bool,
    /// It opens a session only once there is a file `go`.
    opens_slowly: bool,
}

fn main() -> ExitCode {
    let flags: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| flags.iter().any(|it| it == flag);
    let manners = Manners {
        is_mute: has("--mute"),
        other_version: has("--version-99"),
        forgets: has("--no-load"),
        fails_load: has("--load-fails"),
        replays_late: has("--late-replay"),
        wants_login: has("--login"),
        has_modes: has("--modes"),
        opens_slowly: has("--slow-new"),
    };
    if has("--fails-to-start") {
        eprintln!("cannot read my configuration");
        return ExitCode::from(7);
    }
    let agent = Arc::new(Agent {
        manners,
        waiting: Mutex::default(),
        turns: Mutex::default(),
        last_id: AtomicU64::new(0),
        out: Mutex::new(std::io::stdout()),
    });
    agent.log(&format!("started {}", std::process::id()));
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        if let Ok(message) = serde_json::from_str(&line) {
            agent.take(message);
        }
    }
    if has("--lingers") {
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    }
    ExitCode::SUCCESS
}

struct Agent {
    manners: Manners,
    /// Who waits for the client's answers, by the id of the request.
    waiting: Mutex<HashMap<u64, Sender<Value>>>,
    /// The turns that run, by session.
    turns: Mutex<HashMap<String, Arc<Turn>>>,
    last_id: AtomicU64,
    out: Mutex<std::io::Stdout>,
}

/// A prompt under way.
struct Turn {
    session: String,
    is_cancelled: AtomicBool,
    cancels: AtomicU64,
}

/// What a session remembers.
struct Memory(PathBuf);

impl Agent {
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
        let text = params["prompt"][0]["text"].as_str().unwrap_or_default().replace('\n', "|");
        self.log(format!("{method} {session} {text}").trim_end());
        match method.as_str() {
            "initialize" if self.manners.is_mute => eprintln!("still thinking about it"),
            "initialize" => {
                let version =
                    if self.manners.other_version { json!(99) } else { params["protocolVersion"].clone() };
                let logins = json!([{"id": "key", "name": "An API key", "description": "set FAKE_KEY"}]);
                self.answer(
                    &id,
                    json!({"protocolVersion": version,
                           "agentInfo": {"name": "fake", "title": "Fake Agent", "version": "1"},
                           "agentCapabilities": {"loadSession": !self.manners.forgets,
                                                 "sessionCapabilities": {"close": {}}},
                           "authMethods": if self.manners.wants_login { logins } else { json!([]) }}),
                );
            }
            "session/new" if self.manners.wants_login => {
                self.refuse(&id, -32000, "Authentication required", json!({"details": "no FAKE_KEY is set"}));
            }
            "session/new" => {
                if self.manners.opens_slowly {
                    while !Path::new("go").exists() {
                        thread::sleep(Duration::from_millis(10));
                    }
                }
                let number = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
                let session = format!("S-{}-{number}", std::process::id());
                self.answer(&id, self.with_modes(json!({"sessionId": session})));
            }
            "session/load" if self.manners.fails_load => {
                self.refuse(&id, -32603, "Internal error", json!({"details": "no such session"}));
            }
            "session/load" => self.load(&id, &session),
            "session/set_mode" | "session/close" => self.answer(&id, json!({})),
            "session/prompt" => {
                let turn = Arc::new(Turn {
                    session: session.clone(),
                    is_cancelled: AtomicBool::new(false),
                    cancels: AtomicU64::new(0),
                });
                if lock(&self.turns).insert(session, Arc::clone(&turn)).is_some() {
                    self.log("TWO PROMPTS AT ONCE");
                }
                let agent = Arc::clone(self);
                let words = params["prompt"][0]["text"].as_str().unwrap_or_default().to_owned();
                thread::spawn(move || turn.play(&agent, &id, &words));
            }
            "session/cancel" => {
                if let Some(turn) = lock(&self.turns).get(&session) {
                    turn.cancels.fetch_add(1, Ordering::Relaxed);
                    turn.is_cancelled.store(true, Ordering::Relaxed);
                }
            }
            _ if id.is_null() => {}
            _ => self.refuse(&id, -32601, "Method not found", Value::Null),
        }
    }

    fn load(&self, id: &Value, session: &str) {
        let memory = Memory::of(session);
        let replay = |pause: u64| {
            for (kind, text) in [
                ("user_message_chunk", memory.text("heard")),
                ("agent_message_chunk", "REPLAYED".to_owned()),
                ("agent_message_chunk", "REPLAYED".to_owned()),
            ] {
                thread::sleep(Duration::from_millis(pause));
                self.update(
                    session,
                    json!({"sessionUpdate": kind, "content": {"type": "text", "text": text}}),
                );
            }
        };
        if self.manners.replays_late {
            self.answer(id, self.with_modes(json!({})));
            replay(100);
        } else {
            replay(0);
            self.answer(id, self.with_modes(json!({})));
        }
    }

    fn with_modes(&self, mut answer: Value) -> Value {
        if self.manners.has_modes {
            answer["modes"] = json!({"currentModeId": "auto", "availableModes": [
                {"id": "auto", "name": "Auto"}, {"id": "careful", "name": "Careful"}]});
        }
        answer
    }

    fn answer(&self, id: &Value, result: Value) {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
    }

    fn refuse(&self, id: &Value, code: i64, message: &str, data: Value) {
        self.send(&json!({"jsonrpc": "2.0", "id": id,
                          "error": {"code": code, "message": message, "data": data}}));
    }

    fn update(&self, session: &str, update: Value) {
        self.notify("session/update", json!({"sessionId": session, "update": update}));
    }

    fn notify(&self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Asks something of the client: the number of the request, and where its answer comes.
    fn ask(&self, method: &str, params: Value) -> (u64, std::sync::mpsc::Receiver<Value>) {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = channel();
        lock(&self.waiting).insert(id, sender);
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        (id, receiver)
    }

    fn send(&self, message: &Value) {
        self.write(&message.to_string());
    }

    fn write(&self, line: &str) {
        let mut out = lock(&self.out);
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }

    fn log(&self, line: &str) {
        let file = std::fs::OpenOptions::new().create(true).append(true).open("agent.log");
        let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    }
}

impl Memory {
    fn of(session: &str) -> Self {
        Self(Path::new(&format!("session-{session}.json")).to_owned())
    }

    fn read(&self) -> Value {
        std::fs::read_to_string(&self.0)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }

    fn text(&self, name: &str) -> String {
        self.read()[name].as_str().unwrap_or_default().to_owned()
    }

    fn put(&self, name: &str, value: impl Into<Value>) {
        let mut all = self.read();
        all[name] = value.into();
        // In one step: it may be killed at any time.
        let new = self.0.with_extension("new");
        let _ = std::fs::write(&new, all.to_string()).and_then(|()| std::fs::rename(&new, &self.0));
    }
}

impl Turn {
    /// Does what the words say; words that ask to go on are about what the session was told before.
    ///
    /// - `count` counts to 60, a number a line, in a second or two, and goes on where it was;
    /// - `hold` says `begun` and waits for a file `go`, as do the words after it here;
    /// - `deaf` does not mind being cancelled; `hard-of-hearing` minds the second time only; `polite` answers a cancel
    ///   with `end_turn`; `chatty` talks on after its answer to one; `tool` starts a process in a session of its own;
    /// - `die` ends in the middle; `ask`, `ask-twice`, `ask-withdraw` want permission; the rest stands below.
    fn play(&self, agent: &Arc<Agent>, id: &Value, words: &str) {
        let memory = Memory::of(&self.session);
        let goes_on =
            words.contains("Go on with it now where you left off") && !words.contains("The task is:");
        let script = if goes_on { memory.text("heard") } else { words.to_owned() };
        memory.put("heard", script.as_str());
        let has = |word: &str| script.split_whitespace().any(|it| it == word);
        let say = |text: &str| self.tell(agent, "agent_message_chunk", text);
        let mut stop_reason = "end_turn";
        let mut usage = Value::Null;

        if has("count") {
            let mut n = memory.read()["count"].as_u64().unwrap_or(0);
            while n < 60 && !self.is_over(&has) {
                n += 1;
                say(&format!("{n}\n"));
                memory.put("count", n);
                thread::sleep(Duration::from_millis(25));
            }
        }
        if has("tool") {
            // An agent has to ask its model before it starts a tool.
            say("starting a tool\n");
            thread::sleep(Duration::from_millis(200));
            let _ = Command::new("setsid").args(["sleep", "1000"]).spawn();
            let _ = Command::new("sh").args(["-c", "sleep 1001; true"]).spawn();
            say("started\n");
        }
        if ["hold", "deaf", "hard-of-hearing", "polite", "chatty", "tool"].iter().any(|word| has(word)) {
            say("begun\n");
            while !Path::new("go").exists() && !self.is_over(&has) {
                thread::sleep(Duration::from_millis(10));
            }
            if !self.is_over(&has) {
                say("done\n");
            }
        }
        if has("die") {
            say("some\n");
            eprintln!("boom: the heap is on fire");
            std::process::exit(3);
        }
        if has("die-once") && !Path::new("died").exists() {
            let _ = std::fs::write("died", "");
            std::process::exit(3);
        }
        if has("noise") {
            agent.write("npm warn something or other");
            agent.write("{\"level\":\"info\",\"msg\":\"not for you\"}");
            agent.write("{ broken");
            agent.notify("_vendor/thing", json!({"x": 1}));
            self.update(agent, json!({"sessionUpdate": "session_info_update", "title": "T"}));
            self.update(agent, json!({"sessionUpdate": "future_thing", "content": [1]}));
            self.update(
                agent,
                json!({"sessionUpdate": "tool_call_update", "toolCallId": "x", "status": "completed"}),
            );
            for method in ["_vendor/ask", "terminal/create"] {
                let (_, answer) = agent.ask(method, json!({"sessionId": self.session, "command": "true"}));
                say(&format!("{method}: {}\n", answer.recv().unwrap_or_default()["error"]["code"]));
            }
        }
        if has("huge") {
            self.tell(agent, "agent_message_chunk", &"x".repeat(20 << 20));
            say("small\n");
        }
        if has("flood") {
            for _ in 0..2_000 {
                eprintln!("{}", "flood ".repeat(800));
            }
            say("flooded\n");
        }
        if has("think") {
            self.tell(agent, "agent_thought_chunk", "hm");
            self.update(
                agent,
                json!({"sessionUpdate": "plan", "entries": [{"content": "first", "status": "pending"}]}),
            );
            self.update(agent, json!({"sessionUpdate": "usage_update", "used": 10, "size": 100}));
            usage = json!({"inputTokens": 5, "outputTokens": 2, "totalTokens": 7});
            say("thought\n");
        }
        if has("edit") {
            let path = std::env::current_dir().unwrap_or_default().join("edited.txt");
            let call = |update: Value| {
                let mut update = update;
                update["toolCallId"] = json!("call-1");
                self.update(agent, update);
            };
            call(
                json!({"sessionUpdate": "tool_call", "title": "Edit edited.txt", "kind": "edit", "status": "pending",
                        "locations": [{"path": path, "line": 1}]}),
            );
            let _ = std::fs::write(&path, "new");
            call(json!({"sessionUpdate": "tool_call_update", "status": "completed",
                        "content": [{"type": "diff", "path": path, "oldText": null, "newText": "new"}]}));
            say("edited\n");
        }
        if has("write-file") {
            for path in ["written.txt", "../outside.txt"] {
                let path = std::env::current_dir().unwrap_or_default().join(path);
                let params = json!({"sessionId": self.session, "path": path, "content": "by the client"});
                let (_, answer) = agent.ask("fs/write_text_file", params);
                let answer = answer.recv().unwrap_or_default();
                say(if answer["error"].is_null() { "written\n" } else { "refused\n" });
            }
        }
        if has("ask") || has("ask-twice") {
            let answers: Vec<_> =
                (1..=if has("ask") { 1 } else { 2 }).map(|n| self.permission(agent, n).1).collect();
            for answer in answers {
                let outcome = answer.recv().unwrap_or_default()["result"]["outcome"].clone();
                agent.log(&format!("outcome {outcome}"));
                let word = outcome["optionId"].as_str().or(outcome["outcome"].as_str()).unwrap_or_default();
                say(&format!("{word}\n"));
                if word == "no" && has("gives-up") {
                    stop_reason = "cancelled";
                }
            }
        }
        if has("ask-withdraw") {
            let (request, answer) = self.permission(agent, 1);
            agent.notify("$/cancel_request", json!({"requestId": request}));
            let code = answer.recv().unwrap_or_default()["error"]["code"].clone();
            say(&format!("withdrawn: {code}\n"));
        }
        for (word, reason) in
            [("refuse", "refusal"), ("too-long", "max_tokens"), ("too-often", "max_turn_requests")]
        {
            if has(word) {
                stop_reason = reason;
            }
        }
        if !script.split_whitespace().any(|word| WORDS.contains(&word)) {
            say(&format!("you said: {words}"));
        }

        lock(&agent.turns).remove(&self.session);
        if has("fail") {
            agent.refuse(id, -32603, "Internal error", json!({"details": "the model is down"}));
            return;
        }
        if self.is_cancelled.load(Ordering::Relaxed) && !has("polite") {
            stop_reason = "cancelled";
        }
        agent.answer(id, json!({"stopReason": stop_reason, "usage": usage}));
        if has("chatty") {
            say("late\n");
            let (_, answer) = self.permission(agent, 9);
            let outcome = answer.recv().unwrap_or_default()["result"]["outcome"].clone();
            agent.log(&format!("late outcome {outcome}"));
        }
        if has("trace") {
            eprintln!("Error: teardown\n    at foo (bar.js:1:2)");
        }
    }

    fn is_over(&self, has: &impl Fn(&str) -> bool) -> bool {
        let enough = if has("hard-of-hearing") { 2 } else { 1 };
        !has("deaf") && self.cancels.load(Ordering::Relaxed) >= enough
    }

    fn permission(&self, agent: &Agent, number: u64) -> (u64, std::sync::mpsc::Receiver<Value>) {
        agent.ask(
            "session/request_permission",
            json!({"sessionId": self.session,
                   "toolCall": {"toolCallId": format!("ask-{number}"), "title": format!("Run tool {number}"), "kind": "execute"},
                   "options": [{"optionId": "yes", "name": "Allow", "kind": "allow_once"},
                               {"optionId": "no", "name": "Reject", "kind": "reject_once"}]}),
        )
    }

    fn tell(&self, agent: &Agent, kind: &str, text: &str) {
        self.update(agent, json!({"sessionUpdate": kind, "content": {"type": "text", "text": text}}));
    }

    fn update(&self, agent: &Agent, update: Value) {
        agent.update(&self.session, update);
    }
}

/// The words that say something.
const WORDS: [&str; 24] = [
    "count",
    "hold",
    "deaf",
    "hard-of-hearing",
    "polite",
    "chatty",
    "tool",
    "die",
    "noise",
    "huge",
    "flood",
    "think",
    "edit",
    "write-file",
    "ask",
    "ask-twice",
    "ask-withdraw",
    "refuse",
    "too-long",
    "too-often",
    "fail",
    "gives-up",
    "trace",
    "die-once",
];

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
