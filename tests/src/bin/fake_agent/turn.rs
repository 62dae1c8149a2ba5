//! What the agent does with a prompt.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Agent, complain, log};

/// Something that a word stands for.
type Act = fn(&Turn, &Script);

/// Each does what it says, in this order; other words are said back.
const WORDS: [(&str, Act); 24] = [
    ("count", Turn::count),
    ("tool", Turn::tool),
    ("hold", Turn::hold),
    // It does not mind being cancelled.
    ("deaf", Turn::hold),
    // It minds the second time only.
    ("hard-of-hearing", Turn::hold),
    // It answers a cancel with `end_turn`.
    ("polite", Turn::hold),
    // It talks on after its answer to a cancel.
    ("chatty", Turn::hold),
    ("die", Turn::die),
    ("noise", Turn::noise),
    ("huge", Turn::huge),
    ("flood", Turn::flood),
    ("think", Turn::think),
    ("edit", Turn::edit),
    ("use-tools", Turn::use_tools),
    ("write-file", Turn::write_file),
    ("ask", Turn::ask_once),
    ("ask-twice", Turn::ask_twice),
    ("ask-withdraw", Turn::ask_and_withdraw),
    ("ask-nothing", Turn::ask_nothing),
    ("ask-allow", Turn::ask_to_allow),
    ("ask-much", Turn::ask_much),
    ("ask-many", Turn::ask_many),
    ("ask-read", Turn::ask_read),
    ("ask-deep", Turn::ask_deep),
];

/// How a turn ends, by a word: with this stop reason.
const REASONS: [(&str, &str); 3] =
    [("refuse", "refusal"), ("too-long", "max_tokens"), ("too-often", "max_turn_requests")];

/// A prompt under way.
pub(crate) struct Turn {
    agent: Arc<Agent>,
    session: String,
    cancels: AtomicU64,
}

/// What it is about; words that ask to go on are about what the session was told before.
struct Script(String);

/// What a session remembers.
pub(crate) struct Memory(PathBuf);

impl Script {
    fn has(&self, word: &str) -> bool {
        self.0.split_whitespace().any(|it| it == word)
    }
}

impl Memory {
    pub(crate) fn of(session: &str) -> Self {
        Self(Path::new(&format!("session-{session}.json")).to_owned())
    }

    fn read(&self) -> Value {
        let text = std::fs::read_to_string(&self.0).ok();
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    pub(crate) fn text(&self, name: &str) -> String {
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
    pub(crate) fn new(agent: Arc<Agent>, session: &str) -> Self {
        Self { agent, session: session.to_owned(), cancels: AtomicU64::new(0) }
    }

    pub(crate) fn cancel(&self) {
        self.cancels.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn play(&self, id: &Value, words: &str) {
        let memory = Memory::of(&self.session);
        let task = words.split_once("The task is:\n\n").map(|(_, task)| task);
        // It knows the task by what it was told first; one that has forgotten, by what it is told again.
        let remembered = task.map(|_| memory.text("heard")).filter(|heard| !heard.is_empty());
        let script = Script(remembered.unwrap_or_else(|| task.unwrap_or(words).to_owned()));
        memory.put("heard", script.0.as_str());
        for (_, act) in WORDS.iter().filter(|(word, _)| script.has(word)) {
            act(self, &script);
        }
        let reason = REASONS.iter().find(|(word, _)| script.has(word)).map(|(_, reason)| *reason);
        if !WORDS.iter().any(|(word, _)| script.has(word)) && reason.is_none() && !script.has("fail") {
            self.say(&format!("you said: {words}"));
        }

        self.agent.ended(&self.session);
        let was_cancelled = self.cancels.load(Ordering::Relaxed) > 0 && !script.has("polite");
        if was_cancelled && self.agent.has("--forgets") {
            memory.put("heard", "");
        }
        let gave_up = script.has("gives-up");
        if script.has("fail") {
            self.agent.refuse(id, -32603, "Internal error", "the model is down");
        } else {
            let usage = json!({"inputTokens": 5, "outputTokens": 2, "totalTokens": 7});
            let reason = if was_cancelled || gave_up { "cancelled" } else { reason.unwrap_or("end_turn") };
            self.agent.answer(id, &json!({"stopReason": reason, "usage": usage}));
        }
        if script.has("chatty") {
            self.say("late\n");
            let outcome = outcome(&self.permission(9).1);
            log(&format!("late outcome {outcome}"));
        }
        if script.has("trace") {
            complain("Error: teardown\n    at foo (bar.js:1:2)");
        }
    }

    /// Counts to 60, a number a line, in a second or two, and goes on where it was.
    fn count(&self, script: &Script) {
        let memory = Memory::of(&self.session);
        let mut n = memory.read()["count"].as_u64().unwrap_or(0);
        while n < 60 && !self.is_over(script) {
            n += 1;
            self.say(&format!("{n}\n"));
            memory.put("count", n);
            thread::sleep(Duration::from_millis(25));
        }
    }

    /// Leaves two tools running, one of them in a session of its own, and holds.
    fn tool(&self, script: &Script) {
        // An agent has to ask its model before it starts a tool.
        thread::sleep(Duration::from_millis(200));
        let mut detached = Command::new("setsid").args(["sleep", "1000"]).spawn();
        let mut shell = Command::new("sh").args(["-c", "sleep 1001; true"]).spawn();
        self.hold(script);
        for tool in [&mut detached, &mut shell].into_iter().flatten() {
            // It is left running, and looked at only.
            let _ = tool.try_wait();
        }
    }

    /// Says `begun`, waits for a file `go`, and says `done`.
    fn hold(&self, script: &Script) {
        self.say("begun\n");
        while !Path::new("go").exists() && !self.is_over(script) {
            thread::sleep(Duration::from_millis(10));
        }
        if !self.is_over(script) {
            self.say("done\n");
        }
    }

    fn die(&self, _: &Script) {
        self.say("some\n");
        complain("boom: the heap is on fire");
        // The way a process ends that crashes: nothing is answered.
        #[allow(clippy::exit)]
        std::process::exit(3);
    }

    /// What is no message, what nobody knows, and requests that are not offered.
    fn noise(&self, _: &Script) {
        for line in
            ["npm warn something or other", "{\"level\":\"info\",\"msg\":\"not for you\"}", "{ broken"]
        {
            self.agent.write(line);
        }
        self.agent.notify("_vendor/thing", &json!({"x": 1}));
        self.update(&json!({"sessionUpdate": "session_info_update", "title": "T"}));
        self.update(&json!({"sessionUpdate": "future_thing", "content": [1]}));
        self.update(&json!({"sessionUpdate": "tool_call_update", "toolCallId": "x", "status": "completed"}));
        for method in ["_vendor/ask", "terminal/create"] {
            let (_, answer) = self.agent.ask(method, &json!({"sessionId": self.session, "command": "true"}));
            self.say(&format!("{method}: {}\n", answer.recv().unwrap_or_default()["error"]["code"]));
        }
    }

    /// An update beyond all bounds, and one within.
    fn huge(&self, _: &Script) {
        self.say(&"x".repeat(20 << 20));
        self.say("small\n");
    }

    fn flood(&self, _: &Script) {
        for _ in 0..2_000 {
            complain(&"flood ".repeat(800));
        }
        self.say("flooded\n");
    }

    fn think(&self, _: &Script) {
        self.tell("agent_thought_chunk", "hm");
        let entries = json!([{"content": "first", "status": "pending"}]);
        self.update(&json!({"sessionUpdate": "plan", "entries": entries}));
        self.update(&json!({"sessionUpdate": "usage_update", "used": 10, "size": 100}));
        self.say("thought\n");
    }

    fn edit(&self, _: &Script) {
        let path = here("edited.txt");
        self.update(&json!({
            "sessionUpdate": "tool_call", "toolCallId": "call-1", "title": "Edit edited.txt", "kind": "edit",
            "status": "pending", "locations": [{"path": path, "line": 1}],
        }));
        let _ = std::fs::write(&path, "new");
        self.update(&json!({
            "sessionUpdate": "tool_call_update", "toolCallId": "call-1", "status": "completed",
            "content": [{"type": "diff", "path": path, "oldText": null, "newText": "new"}],
        }));
        self.say("edited\n");
    }

    /// Thinks, has a plan and takes up a tool, which tells nothing new of itself until there is a file `go`.
    fn use_tools(&self, script: &Script) {
        let plan = |status: &str| {
            let entries = json!([{"content": "mend it", "priority": "high", "status": status}]);
            self.update(&json!({"sessionUpdate": "plan", "entries": entries}));
        };
        let tool = |kind: &str, status: &str| {
            self.update(&json!({
                "sessionUpdate": kind, "toolCallId": "work-1", "title": "Mend the pump", "kind": "edit",
                "status": status, "locations": [{"path": here("pump.txt"), "line": 7}],
            }));
        };
        self.tell("agent_thought_chunk", "it ");
        self.tell("agent_thought_chunk", "leaks");
        plan("in_progress");
        tool("tool_call", "in_progress");
        while !Path::new("go").exists() && !self.is_over(script) {
            thread::sleep(Duration::from_millis(10));
            tool("tool_call_update", "in_progress");
        }
        if !self.is_over(script) {
            tool("tool_call_update", "completed");
            plan("completed");
            self.say("mended\n");
        }
    }

    /// Has the client write a file inside the working directory, and one outside.
    fn write_file(&self, _: &Script) {
        for path in ["written.txt", "../outside.txt"] {
            let params = json!({"sessionId": self.session, "path": here(path), "content": "by the client"});
            let (_, answer) = self.agent.ask("fs/write_text_file", &params);
            let is_refused = !answer.recv().unwrap_or_default()["error"].is_null();
            self.say(if is_refused { "refused\n" } else { "written\n" });
        }
    }

    fn ask_once(&self, _: &Script) {
        self.say_outcome(&self.permission(1).1);
    }

    /// Asks two things at once.
    fn ask_twice(&self, _: &Script) {
        let answers = [1, 2].map(|number| self.permission(number).1);
        for answer in answers {
            self.say_outcome(&answer);
        }
    }

    fn ask_and_withdraw(&self, _: &Script) {
        let (request, answer) = self.permission(1);
        self.agent.notify("$/cancel_request", &json!({"requestId": request}));
        let code = answer.recv().unwrap_or_default()["error"]["code"].clone();
        self.say(&format!("withdrawn: {code}\n"));
    }

    /// Asks, and leaves no choice.
    fn ask_nothing(&self, _: &Script) {
        let call = json!({"toolCallId": "ask-1", "title": "Whatever"});
        self.say_outcome(&self.permission_for(&call, &json!([])).1);
    }

    /// Asks, and leaves no way to say no.
    fn ask_to_allow(&self, _: &Script) {
        let call = json!({"toolCallId": "ask-1", "title": "Whatever"});
        let options = json!([{"optionId": "yes", "name": "Allow", "kind": "allow_once"},
                             {"optionId": "never", "name": "Never", "kind": "reject_always"}]);
        self.say_outcome(&self.permission_for(&call, &options).1);
    }

    /// Asks something whose words are beyond all bounds.
    fn ask_much(&self, _: &Script) {
        let long = "\u{1b}[2J".repeat(1 << 15);
        let call = json!({"toolCallId": long, "title": long, "kind": long,
                          "locations": vec![json!({"path": "a/b".repeat(200)}); 3_000]});
        let mut options = vec![json!({"optionId": "yes", "name": long, "kind": "allow_once"})];
        options.extend(vec![json!({"optionId": long, "name": "x", "kind": long}); 3]);
        self.say_outcome(&self.permission_for(&call, &json!(options)).1);
    }

    /// Asks more at once than anyone can read.
    fn ask_many(&self, _: &Script) {
        let answers: Vec<_> = (0..300).map(|number| self.permission(number).1).collect();
        // The last ones first: of those nobody is asked.
        let outcomes = answers.iter().rev().map(outcome);
        let denied = outcomes.filter(|outcome| outcome["optionId"] != "yes").count();
        self.say(&format!("{denied} denied\n"));
    }

    fn ask_read(&self, _: &Script) {
        self.ask_to_read(&[json!({"path": here("pump.txt")})]);
    }

    /// Asks to read a thousand places that take long to find: by way of links to a path that goes to and fro.
    fn ask_deep(&self, _: &Script) {
        let _ = std::fs::create_dir("deep");
        let _ = std::os::unix::fs::symlink("deep/../".repeat(500) + "deep/..", "link");
        let place = |n: usize| json!({"path": format!("{}deep/{n}", "link/".repeat(38))});
        self.ask_to_read(&(0..1_000).map(place).collect::<Vec<_>>());
    }

    fn ask_to_read(&self, places: &[Value]) {
        let call = json!({"toolCallId": "ask-1", "title": "Read it", "kind": "read", "locations": places});
        let options = json!([{"optionId": "yes", "name": "Allow", "kind": "allow_once"}]);
        self.say_outcome(&self.permission_for(&call, &options).1);
    }

    fn say_outcome(&self, answer: &Receiver<Value>) {
        let outcome = outcome(answer);
        let word = outcome["optionId"].as_str().or(outcome["outcome"].as_str()).unwrap_or_default();
        self.say(&format!("{word}\n"));
    }

    fn permission(&self, number: u64) -> (u64, Receiver<Value>) {
        let call = json!({"toolCallId": format!("ask-{number}"), "title": format!("Run tool {number}"),
                          "kind": "execute"});
        let options = json!([{"optionId": "yes", "name": "Allow", "kind": "allow_once"},
                             {"optionId": "no", "name": "Reject", "kind": "reject_once"}]);
        self.permission_for(&call, &options)
    }

    fn permission_for(&self, call: &Value, options: &Value) -> (u64, Receiver<Value>) {
        self.agent.ask(
            "session/request_permission",
            &json!({"sessionId": self.session, "toolCall": call, "options": options}),
        )
    }

    fn is_over(&self, script: &Script) -> bool {
        let enough = if script.has("hard-of-hearing") { 2 } else { 1 };
        !script.has("deaf") && self.cancels.load(Ordering::Relaxed) >= enough
    }

    fn say(&self, text: &str) {
        self.tell("agent_message_chunk", text);
    }

    fn tell(&self, kind: &str, text: &str) {
        self.update(&json!({"sessionUpdate": kind, "content": {"type": "text", "text": text}}));
    }

    fn update(&self, update: &Value) {
        self.agent.update(&self.session, update);
    }
}

fn outcome(answer: &Receiver<Value>) -> Value {
    let outcome = answer.recv().unwrap_or_default()["result"]["outcome"].clone();
    log(&format!("outcome {outcome}"));
    outcome
}

fn here(path: &str) -> PathBuf {
    std::env::current_dir().unwrap_or_default().join(path)
}
