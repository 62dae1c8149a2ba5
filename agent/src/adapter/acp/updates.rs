//! From an agent's `session/update`s to what a turn tells: text, thoughts, tool calls, plans, usage, files changed.
//!
//! Updates are read as loosely as they can be: agents leave out what the protocol asks for and add what it does not
//! know.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use hive_shared::chat::{Channel, TurnEvent};
use serde_json::{Map, Value, json};

use crate::turn::Turn;

/// How many tool calls of one run are remembered, for what later updates leave out.
const MAX_CALLS: usize = 1_000;

/// How many files of one run are named.
const MAX_FILES: usize = 10_000;

/// How much of a file's text a diff shows, in bytes.
const MAX_DIFF: usize = 16 * 1024;

/// How much beside the response one run may tell, in bytes: it is kept in memory for those who listen.
const MAX_TOLD: usize = 16 * 1024 * 1024;

/// What a run has told so far.
pub(super) struct Updates {
    workdir: PathBuf,
    calls: BTreeMap<u64, Call>,
    numbers: HashMap<String, u64>,
    last_number: u64,
    files: Vec<String>,
    tokens: Map<String, Value>,
    context: Map<String, Value>,
    told: usize,
}

/// A tool call, as the updates so far make it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Call {
    id: String,
    pub(super) title: Option<String>,
    pub(super) kind: Option<String>,
    status: Option<String>,
    locations: Vec<Value>,
    diffs: Vec<Value>,
}

impl Updates {
    pub(super) fn new(workdir: &Path) -> Self {
        Self {
            workdir: workdir.to_owned(),
            calls: BTreeMap::new(),
            numbers: HashMap::new(),
            last_number: 0,
            files: Vec::new(),
            tokens: Map::new(),
            context: Map::new(),
            told: 0,
        }
    }

    /// Takes in the `update` of a notification.
    pub(super) fn take(&mut self, update: &Value, turn: &Turn) {
        match update["sessionUpdate"].as_str().unwrap_or_default() {
            "agent_message_chunk" => {
                if let Some(text) = text_of(&update["content"]) {
                    turn.say(&text);
                }
            }
            "agent_thought_chunk" => {
                if let Some(content) = text_of(&update["content"]) {
                    let size = content.len();
                    self.tell(turn, TurnEvent::ResponseChunk { content, channel: Channel::Thought }, size);
                }
            }
            "tool_call" | "tool_call_update" => {
                self.tool_call(update, turn);
            }
            "plan" => {
                let entries = update["entries"].clone();
                let size = size_of(&entries);
                self.tell(turn, TurnEvent::Plan { entries }, size);
            }
            "usage_update" => {
                for (name, value) in ["used", "size", "cost"].map(|name| (name, &update[name])) {
                    if !value.is_null() {
                        self.context.insert(name.to_owned(), value.clone());
                    }
                }
            }
            other => tracing::trace!(update = other, "an update of a kind that is not known"),
        }
    }

    /// Takes in what is said of a tool call, also in a request for permission, and gives what is known of it now.
    pub(super) fn tool_call(&mut self, said: &Value, turn: &Turn) -> Call {
        let id = said["toolCallId"].as_str().unwrap_or_default().to_owned();
        let number = self.numbers.get(&id).copied().unwrap_or_else(|| {
            self.last_number += 1;
            self.numbers.insert(id.clone(), self.last_number);
            self.last_number
        });
        let known = self.calls.entry(number).or_insert_with(|| Call { id, ..Call::default() });
        let before = known.clone();
        known.merge(said);
        let call = known.clone();
        if call.has_changed_files() {
            for path in call.paths() {
                self.file(&path);
            }
        }
        if call != before {
            let call = call.to_json();
            let size = size_of(&call);
            self.tell(turn, TurnEvent::ToolCall { call }, size);
        }
        if self.calls.len() > MAX_CALLS
            && let Some((_, oldest)) = self.calls.pop_first()
        {
            self.numbers.remove(&oldest.id);
        }
        call
    }

    /// A file was changed.
    pub(super) fn file(&mut self, path: &str) {
        let name = self.name_of(path);
        if self.files.len() < MAX_FILES && !self.files.contains(&name) {
            self.files.push(name);
        }
    }

    /// Takes in what the answer to a prompt says of its cost.
    pub(super) fn cost(&mut self, usage: &Value) {
        for (name, value) in usage.as_object().into_iter().flatten().filter(|(_, value)| value.is_number()) {
            let name = snake_case(name);
            let so_far = self.tokens.get(&name).and_then(Value::as_u64);
            let sum = match (so_far, value.as_u64()) {
                (Some(so_far), Some(more)) => Value::from(so_far.saturating_add(more)),
                (Some(_) | None, _) => value.clone(),
            };
            self.tokens.insert(name, sum);
        }
    }

    /// The files that were changed, below the working directory where they lie in it.
    pub(super) fn files(&self) -> Vec<String> {
        self.files.clone()
    }

    /// What it cost, as far as the agent has said.
    pub(super) fn usage(&self) -> Option<Value> {
        let mut usage = self.tokens.clone();
        for (name, value) in &self.context {
            let name = match name.as_str() {
                "used" => "context_used",
                "size" => "context_size",
                other => other,
            };
            usage.insert(name.to_owned(), value.clone());
        }
        (!usage.is_empty()).then_some(Value::Object(usage))
    }

    fn tell(&mut self, turn: &Turn, event: TurnEvent, size: usize) {
        self.told += size;
        if self.told <= MAX_TOLD {
            turn.tell(event);
        }
    }

    fn name_of(&self, path: &str) -> String {
        let path = path.strip_prefix("file://").unwrap_or(path);
        match Path::new(path).strip_prefix(&self.workdir) {
            Ok(inner) => inner.to_string_lossy().into_owned(),
            Err(_) => path.strip_prefix("./").unwrap_or(path).to_owned(),
        }
    }
}

impl Call {
    fn merge(&mut self, said: &Value) {
        let text = |name: &str| said[name].as_str().filter(|it| !it.is_empty()).map(str::to_owned);
        self.title = text("title").or_else(|| self.title.take());
        self.kind = text("kind").or_else(|| self.kind.take());
        self.status = text("status").or_else(|| self.status.take());
        if let Some(locations) = said["locations"].as_array() {
            let places = locations.iter().filter(|it| it["path"].is_string());
            self.locations = places.map(|it| with_line(&it["path"], &it["line"])).collect();
        }
        if let Some(content) = said["content"].as_array() {
            let diffs = content.iter().filter(|it| it["type"] == "diff" && it["path"].is_string());
            let diffs: Vec<Value> = diffs.map(diff).collect();
            // An agent that shows a tool's output afterwards does not take its diff back.
            if !diffs.is_empty() {
                self.diffs = diffs;
            }
        }
    }

    /// Every place that it is about.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = Vec::new();
        for path in self.locations.iter().chain(&self.diffs).filter_map(|it| it["path"].as_str()) {
            if !paths.iter().any(|known| known == path) {
                paths.push(path.to_owned());
            }
        }
        paths
    }

    fn has_changed_files(&self) -> bool {
        let changes = matches!(self.kind.as_deref(), Some("edit" | "delete" | "move"));
        self.status.as_deref() == Some("completed") && (changes || !self.diffs.is_empty())
    }

    fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "title": self.title.as_deref().or(self.kind.as_deref()).unwrap_or("a tool"),
            "kind": self.kind.as_deref().unwrap_or("other"),
            "status": self.status.as_deref().unwrap_or("pending"),
            "locations": self.locations,
            "diffs": self.diffs,
        })
    }
}

fn with_line(path: &Value, line: &Value) -> Value {
    if line.is_null() { json!({"path": path}) } else { json!({"path": path, "line": line}) }
}

fn diff(content: &Value) -> Value {
    json!({
        "path": content["path"],
        "old_text": content["oldText"].as_str().map(cut),
        "new_text": cut(content["newText"].as_str().unwrap_or_default()),
    })
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_DIFF.min(text.len()));
    if end < text.len() { format!("{}…", &text[..end]) } else { text.to_owned() }
}

fn text_of(content: &Value) -> Option<String> {
    let text = match content["type"].as_str() {
        Some("resource_link") => &content["uri"],
        // Some leave the type out.
        _ => &content["text"],
    };
    text.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn size_of(value: &Value) -> usize {
    value.to_string().len()
}

fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_shared::ids::ItemId;

    fn told(updates: &[Value]) -> (Updates, Vec<Value>, String) {
        let turn = Turn::of_chat(ItemId::parse("CHAT-1").unwrap(), 10_000);
        let mut all = Updates::new(Path::new("/work"));
        for update in updates {
            all.take(update, &turn);
        }
        let frames = turn.frames_after(0, 100);
        let frames = frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect();
        (all, frames, turn.text().0)
    }

    #[test]
    fn text_and_thoughts_are_kept_apart() {
        let chunk = |kind: &str, text: &str| json!({"sessionUpdate": kind, "content": {"type": "text", "text": text}});
        let (_, frames, text) = told(&[
            chunk("agent_thought_chunk", "hm"),
            chunk("agent_message_chunk", "a"),
            chunk("user_message_chunk", "what was asked"),
            json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "image", "data": ""}}),
            json!({"sessionUpdate": "agent_message_chunk"}),
            json!({}),
            chunk("agent_message_chunk", "b"),
        ]);
        assert_eq!(text, "ab");
        assert_eq!((&frames[0]["channel"], &frames[0]["content"]), (&json!("thought"), &json!("hm")));
        assert_eq!(frames.len(), 3);
    }

    #[test]
    fn a_tool_call_is_merged_over_its_updates() {
        let (all, frames, _) = told(&[
            json!({"sessionUpdate": "tool_call", "toolCallId": "1", "title": "Edit a.txt", "kind": "edit",
                   "locations": [{"path": "/work/a.txt", "line": 3}]}),
            json!({"sessionUpdate": "tool_call_update", "toolCallId": "1", "status": "in_progress",
                   "content": [{"type": "diff", "path": "/work/a.txt", "oldText": null, "newText": "new"}]}),
            json!({"sessionUpdate": "tool_call_update", "toolCallId": "1", "status": "completed",
                   "content": [{"type": "content", "content": {"type": "text", "text": "done"}}]}),
            json!({"sessionUpdate": "tool_call_update", "toolCallId": "1", "status": "completed"}),
        ]);
        let call = &frames.last().unwrap()["call"];
        assert_eq!(frames.len(), 3, "what changes nothing is not told");
        assert_eq!((&call["title"], &call["status"]), (&json!("Edit a.txt"), &json!("completed")));
        assert_eq!(call["locations"], json!([{"path": "/work/a.txt", "line": 3}]));
        assert_eq!(call["diffs"], json!([{"path": "/work/a.txt", "old_text": null, "new_text": "new"}]));
        assert_eq!(all.files(), ["a.txt"]);
    }

    #[test]
    fn an_update_may_come_without_its_call_and_without_a_title() {
        let (_, frames, _) =
            told(&[json!({"sessionUpdate": "tool_call_update", "toolCallId": "x", "status": "failed"})]);
        assert_eq!(frames[0]["call"]["title"], "a tool");
    }

    #[test]
    fn only_what_was_done_to_files_counts() {
        let call = |id: &str, kind: &str, status: &str, path: &str| {
            json!({"sessionUpdate": "tool_call", "toolCallId": id, "kind": kind, "status": status,
                   "locations": [{"path": path}]})
        };
        let (all, _, _) = told(&[
            call("1", "read", "completed", "/work/read.txt"),
            call("2", "edit", "pending", "/work/asked.txt"),
            call("3", "edit", "failed", "/work/denied.txt"),
            call("4", "delete", "completed", "/work/sub/gone.txt"),
            call("5", "move", "completed", "/elsewhere/it.txt"),
            call("6", "edit", "completed", "./rel.txt"),
        ]);
        assert_eq!(all.files(), ["sub/gone.txt", "/elsewhere/it.txt", "rel.txt"]);
    }

    #[test]
    fn usage_adds_up_over_the_turns_of_a_response() {
        let (mut all, _, _) = told(&[json!({"sessionUpdate": "usage_update", "used": 10, "size": 100})]);
        all.cost(&json!({"inputTokens": 5, "outputTokens": 1, "_meta": {}}));
        all.cost(&json!({"inputTokens": 7}));
        assert_eq!(
            all.usage(),
            Some(json!({"input_tokens": 12, "output_tokens": 1, "context_used": 10, "context_size": 100}))
        );
        assert_eq!(told(&[]).0.usage(), None);
    }
}
