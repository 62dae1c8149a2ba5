//! What an agent does on its way to an answer: its tool calls, its plan, its thoughts. A chat hears of them in frames as
//! they happen; an entry of the timeline keeps them as steps.

use serde::{Deserialize, Serialize};

/// One step of an entry of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Step {
    /// The agent thought, without doing anything in between.
    Thought {
        /// What.
        content: String,
    },
    /// The agent used a tool: how the call stands by now.
    ToolCall(ToolCall),
    /// The agent's plan: as it was told last.
    Plan {
        /// Its entries.
        entries: Vec<PlanEntry>,
    },
}

/// A call of a tool, as the agent tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolCall {
    /// Tells the calls of one turn apart.
    pub id: String,
    /// What it does, for people.
    pub title: String,
    /// `read`, `edit`, `execute` and the like.
    pub kind: String,
    /// `pending`, `in_progress`, `completed` or `failed`.
    pub status: String,
    /// The places that it is about.
    pub locations: Vec<Location>,
    /// What it changes.
    pub diffs: Vec<FileDiff>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The file.
    pub path: String,
    /// The line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

/// A change of a file's text, or the beginning of a long one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDiff {
    /// The file.
    pub path: String,
    /// What was there; none if the file is new.
    #[serde(default)]
    pub old_text: Option<String>,
    /// What is there instead.
    pub new_text: String,
}

/// An entry of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanEntry {
    /// What is to be done.
    pub content: String,
    /// How much it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// `pending`, `in_progress` or `completed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_look_as_they_did() {
        for old in [
            r#"{"type":"thought","content":"hm"}"#,
            r#"{"type":"tool_call","id":"1","title":"Edit a","kind":"edit","status":"completed","locations":[{"path":"/w/a","line":3},{"path":"/w/b"}],"diffs":[{"path":"/w/a","old_text":null,"new_text":"x"}]}"#,
            r#"{"type":"plan","entries":[{"content":"look","status":"pending"},{"content":"mend"}]}"#,
        ] {
            let step: Step = serde_json::from_str(old).unwrap();
            assert_eq!(serde_json::to_string(&step).unwrap(), old);
        }
    }

    #[test]
    fn of_a_call_that_is_told_in_few_words_the_rest_is_empty() {
        let call: ToolCall = serde_json::from_str(r#"{"title":"Read a"}"#).unwrap();
        assert_eq!(call, ToolCall { title: "Read a".into(), ..ToolCall::default() });
    }
}
