//! From an agent's `session/update`s to what a turn tells: text, thoughts, tool calls, plans, usage, files changed.
//!
//! Updates are read as loosely as they can be: agents leave out what the protocol asks for and add what it does not
//! know.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use hive_shared::chat::{Channel, TurnEvent};
use hive_shared::step::{FileDiff, Location, PlanEntry, ToolCall};
use serde_json::{Map, Value};

use crate::turn::Turn;
use crate::untrusted::cut;

/// How many tool calls of one run are remembered, for what later updates leave out.
const MAX_CALLS: usize = 1_000;

/// How much of them, in bytes.
const MAX_HELD: usize = 8 * 1024 * 1024;

/// How many places of one tool call are known, and how many diffs.
const MAX_PLACES: usize = 1_000;

/// How much the diffs of one tool call show, in bytes.
const MAX_DIFFS: usize = 1024 * 1024;

/// The longest path there is, in bytes.
const MAX_PATH: usize = 4 * 1024;

/// How much of an id or a title is kept, in bytes.
const MAX_TITLE: usize = 4 * 1024;

/// How much of a kind or a status.
const MAX_WORD: usize = 100;

/// How many numbers say what a run has cost.
const MAX_COSTS: usize = 50;

/// How much of one of them, in bytes.
const MAX_COST: usize = 1_000;

/// How many files of one run are named.
const MAX_FILES: usize = 10_000;

/// How much of a file's text a diff shows, in bytes.
const MAX_DIFF: usize = 16 * 1024;

/// How many entries a plan has at most.
const MAX_PLAN: usize = 1_000;

/// What a run has told so far.
pub(super) struct Updates {
    workdir: PathBuf,
    calls: BTreeMap<u64, Call>,
    numbers: HashMap<String, u64>,
    last_number: u64,
    files: Vec<String>,
    tokens: Map<String, Value>,
    context: Map<String, Value>,
    /// The bytes of all calls that are remembered, about.
    held: usize,
}

/// A tool call, as the updates so far make it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Call {
    id: String,
    pub(super) title: Option<String>,
    pub(super) kind: Option<String>,
    status: Option<String>,
    locations: Vec<Location>,
    diffs: Vec<FileDiff>,
    /// How many locations more there are, or what was said in their place that is none; and the same of diffs.
    more: [usize; 2],
    /// Its bytes, about.
    size: usize,
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
            held: 0,
        }
    }

    /// Takes in the `update` of a notification.
    pub(super) fn take(&mut self, update: &Value, turn: &Turn) {
        // Also what tells nothing new shows that it is alive.
        turn.heard();
        match update["sessionUpdate"].as_str().unwrap_or_default() {
            "agent_message_chunk" => {
                if let Some(text) = text_of(&update["content"]) {
                    turn.say(&text);
                }
            }
            "agent_thought_chunk" => {
                if let Some(content) = text_of(&update["content"]) {
                    turn.tell(TurnEvent::ResponseChunk { content, channel: Channel::Thought });
                }
            }
            "tool_call" | "tool_call_update" => {
                self.tool_call(update, turn);
            }
            "plan" => {
                let entries = update["entries"].as_array().into_iter().flatten();
                turn.tell(TurnEvent::Plan {
                    entries: entries.filter_map(plan_entry).take(MAX_PLAN).collect(),
                });
            }
            "usage_update" => {
                for (name, value) in ["used", "size", "cost"].map(|name| (name, &update[name])) {
                    if !value.is_null() && size_of(value) <= MAX_COST {
                        self.context.insert(name.to_owned(), value.clone());
                    }
                }
            }
            other => tracing::trace!(update = other, "an update of a kind that is not known"),
        }
    }

    /// Takes in what is said of a tool call, also in a request for permission, and gives what is known of it now.
    pub(super) fn tool_call(&mut self, said: &Value, turn: &Turn) -> Call {
        let id = cut(said["toolCallId"].as_str().unwrap_or_default(), MAX_TITLE);
        let number = self.numbers.get(&id).copied().unwrap_or_else(|| {
            self.last_number += 1;
            self.numbers.insert(id.clone(), self.last_number);
            self.last_number
        });
        let known = self.calls.entry(number).or_insert_with(|| Call { id, ..Call::default() });
        let before = known.clone();
        known.merge(said);
        let news = (*known != before).then(|| known.told());
        if let Some(news) = &news {
            known.size = size_of(news);
            self.held = (self.held + known.size).saturating_sub(before.size);
        }
        let call = known.clone();
        if call.has_changed_files() {
            for path in call.paths() {
                self.file(&path);
            }
        }
        if let Some(news) = news {
            turn.tell(TurnEvent::ToolCall { call: news });
        }
        while (self.calls.len() > MAX_CALLS || self.held > MAX_HELD)
            && let Some((_, oldest)) = self.calls.pop_first()
        {
            self.numbers.remove(&oldest.id);
            self.held = self.held.saturating_sub(oldest.size);
        }
        call
    }

    /// A file was changed.
    pub(super) fn file(&mut self, path: &str) {
        let name = self.name_of(path);
        // The working directory itself is no file.
        let is_news = !name.is_empty() && !self.files.contains(&name);
        if is_news && self.files.len() < MAX_FILES && name.len() <= MAX_PATH {
            self.files.push(name);
        }
    }

    /// Takes in what the answer to a prompt says of its cost.
    pub(super) fn cost(&mut self, usage: &Value) {
        for (name, value) in usage.as_object().into_iter().flatten().filter(|(_, value)| value.is_number()) {
            let name = snake_case(&cut(name, MAX_WORD));
            if self.tokens.len() >= MAX_COSTS && !self.tokens.contains_key(&name) {
                continue;
            }
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
        let text = |name: &str, most| said[name].as_str().filter(|it| !it.is_empty()).map(|it| cut(it, most));
        self.title = text("title", MAX_TITLE).or_else(|| self.title.take());
        self.kind = text("kind", MAX_WORD).or_else(|| self.kind.take());
        self.status = text("status", MAX_WORD).or_else(|| self.status.take());
        if let Some(locations) = said["locations"].as_array() {
            self.locations = locations.iter().filter_map(location).take(MAX_PLACES).collect();
            self.more[0] = locations.len() - self.locations.len();
        }
        if let Some(content) = said["content"].as_array() {
            let mut room = MAX_DIFFS;
            let all = content.iter().filter(|it| it["type"] == "diff");
            let known = all.clone().filter_map(diff).take(MAX_PLACES);
            let diffs: Vec<FileDiff> = known
                .map_while(|diff| {
                    room = room.checked_sub(size_of(&diff))?;
                    Some(diff)
                })
                .collect();
            let more = all.count() - diffs.len();
            // An agent that shows a tool's output afterwards does not take its diff back.
            if !diffs.is_empty() || more > 0 {
                self.more[1] = more;
                self.diffs = diffs;
            }
        }
    }

    /// How many places it is about that [`Self::paths`] does not name.
    pub(super) fn more_places(&self) -> usize {
        self.more.iter().sum()
    }

    /// The places that it is about.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = Vec::new();
        let of_diffs = self.diffs.iter().map(|diff| &diff.path);
        for path in self.locations.iter().map(|location| &location.path).chain(of_diffs) {
            if !paths.contains(path) {
                paths.push(path.clone());
            }
        }
        paths
    }

    fn has_changed_files(&self) -> bool {
        let changes = matches!(self.kind.as_deref(), Some("edit" | "delete" | "move"));
        self.status.as_deref() == Some("completed") && (changes || !self.diffs.is_empty())
    }

    fn told(&self) -> ToolCall {
        ToolCall {
            id: self.id.clone(),
            title: self.title.as_deref().or(self.kind.as_deref()).unwrap_or("a tool").to_owned(),
            kind: self.kind.as_deref().unwrap_or("other").to_owned(),
            status: self.status.as_deref().unwrap_or("pending").to_owned(),
            locations: self.locations.clone(),
            diffs: self.diffs.clone(),
        }
    }
}

/// The path that is named, if it can be one: not empty, and without the byte that no file's name has.
fn path_of(value: &Value) -> Option<String> {
    let can_be = |path: &&str| !path.trim().is_empty() && path.len() <= MAX_PATH && !path.contains('\0');
    value["path"].as_str().filter(can_be).map(str::to_owned)
}

fn location(value: &Value) -> Option<Location> {
    Some(Location { path: path_of(value)?, line: value["line"].as_u64() })
}

fn diff(content: &Value) -> Option<FileDiff> {
    Some(FileDiff {
        path: path_of(content)?,
        old_text: content["oldText"].as_str().map(|text| cut(text, MAX_DIFF)),
        new_text: cut(content["newText"].as_str().unwrap_or_default(), MAX_DIFF),
    })
}

fn plan_entry(value: &Value) -> Option<PlanEntry> {
    let word = |name: &str| value[name].as_str().map(|word| cut(word, MAX_WORD));
    let content = cut(value["content"].as_str()?, MAX_TITLE);
    Some(PlanEntry { content, priority: word("priority"), status: word("status") })
}

fn text_of(content: &Value) -> Option<String> {
    let text = match content["type"].as_str() {
        Some("resource_link") => &content["uri"],
        // Some leave the type out.
        _ => &content["text"],
    };
    text.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn size_of(value: &impl serde::Serialize) -> usize {
    serde_json::to_string(value).expect("its keys are strings").len()
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
mod tests;
