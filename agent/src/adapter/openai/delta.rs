//! What one piece of a chat completion says, of a stream or whole. Servers differ in much: what is not understood is
//! not looked at.

use serde_json::Value;

/// One piece.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Delta {
    /// More of the answer.
    pub(super) text: String,
    /// More of what the model thinks.
    pub(super) thought: String,
    /// Whether the model asks for a tool.
    pub(super) wants_tool: bool,
    /// Why the answer ends here.
    pub(super) finish: Option<String>,
    /// What the request has cost so far.
    pub(super) usage: Option<Value>,
}

/// What a piece may be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// Part of an answer.
    Delta(Delta),
    /// Something went wrong in the middle; the server's object.
    Error(Value),
    /// An object that has nothing to do with an answer.
    Other,
}

/// Reads a piece; none if it is no JSON object.
pub(super) fn read(json: &str) -> Option<Piece> {
    let Ok(Value::Object(object)) = serde_json::from_str(json) else { return None };
    if let Some(error) = object.get("error").filter(|error| !error.is_null()) {
        return Some(Piece::Error(error.clone()));
    }
    let usage = object.get("usage").filter(|usage| usage.is_object()).cloned();
    let Some(choices) = object.get("choices").and_then(Value::as_array) else {
        return Some(
            usage
                .map_or(Piece::Other, |usage| Piece::Delta(Delta { usage: Some(usage), ..Delta::default() })),
        );
    };
    // One answer was asked for.
    let choice = choices.first().unwrap_or(&Value::Null);
    let said = ["delta", "message"].iter().map(|key| &choice[*key]).find(|said| said.is_object());
    let said = said.unwrap_or(&Value::Null);
    let mut delta = Delta { usage, ..Delta::default() };
    read_content(&said["content"], &mut delta);
    for key in ["refusal", "text"] {
        delta.text.push_str(said[key].as_str().unwrap_or_default());
    }
    let thoughts = ["reasoning_content", "reasoning"].map(|key| said[key].as_str().unwrap_or_default());
    delta.thought.push_str(thoughts.into_iter().find(|thought| !thought.is_empty()).unwrap_or_default());
    let is_given = |key: &str| match &said[key] {
        Value::Array(calls) => !calls.is_empty(),
        Value::Object(_) => true,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    delta.wants_tool = is_given("tool_calls") || is_given("function_call");
    delta.finish = choice["finish_reason"].as_str().filter(|reason| !reason.is_empty()).map(str::to_owned);
    Some(Piece::Delta(delta))
}

/// Content is a text, or a list of parts.
fn read_content(content: &Value, delta: &mut Delta) {
    match content {
        Value::String(text) => delta.text.push_str(text),
        Value::Array(parts) => {
            for part in parts {
                match &part["thinking"] {
                    Value::Null => delta.text.push_str(part["text"].as_str().unwrap_or_default()),
                    Value::String(thought) => delta.thought.push_str(thought),
                    Value::Array(thoughts) => {
                        delta.thought.extend(thoughts.iter().filter_map(|thought| thought["text"].as_str()));
                    }
                    Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
    }
}

/// The costs of two requests as one: numbers are added, at any depth.
pub(super) fn add_usage(sum: Value, more: Value) -> Value {
    match (sum, more) {
        (Value::Object(mut sum), Value::Object(more)) => {
            for (key, more) in more {
                let both = match sum.remove(&key) {
                    Some(known) => add_usage(known, more),
                    None => more,
                };
                sum.insert(key, both);
            }
            Value::Object(sum)
        }
        (Value::Number(sum), Value::Number(more)) => match (sum.as_u64(), more.as_u64()) {
            (Some(sum), Some(more)) => sum.saturating_add(more).into(),
            (Some(_) | None, _) => {
                (sum.as_f64().unwrap_or_default() + more.as_f64().unwrap_or_default()).into()
            }
        },
        (sum, Value::Null) => sum,
        (_, more) => more,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn delta(json: &Value) -> Delta {
        match read(&json.to_string()) {
            Some(Piece::Delta(delta)) => delta,
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn what_servers_send_is_understood() {
        let streamed =
            |delta: Value| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
        let text = |text: &str| Delta { text: text.into(), ..Delta::default() };
        let thought = |text: &str| Delta { thought: text.into(), ..Delta::default() };
        assert_eq!(delta(&streamed(json!({"role": "assistant", "content": null}))), Delta::default());
        assert_eq!(delta(&streamed(json!({"content": "hi"}))), text("hi"));
        assert_eq!(delta(&streamed(json!({"refusal": "no", "content": null}))), text("no"));
        assert_eq!(delta(&streamed(json!({"content": [{"type": "text", "text": "a"}]}))), text("a"));
        assert_eq!(delta(&streamed(json!({"reasoning_content": "hm"}))), thought("hm"));
        // Some servers say it twice.
        assert_eq!(delta(&streamed(json!({"reasoning": "hm", "reasoning_content": "hm"}))), thought("hm"));
        let parts = json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]});
        assert_eq!(delta(&streamed(parts)), thought("hm"));
        assert!(delta(&streamed(json!({"tool_calls": [{"index": 0}]}))).wants_tool);
        assert!(!delta(&streamed(json!({"tool_calls": []}))).wants_tool);

        let whole = json!({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
                           "usage": {"total_tokens": 3}});
        let expected =
            Delta { finish: Some("stop".into()), usage: Some(json!({"total_tokens": 3})), ..text("hi") };
        assert_eq!(delta(&whole), expected);
        assert_eq!(delta(&json!({"choices": [], "usage": {"a": 1}})).usage, Some(json!({"a": 1})));
    }

    #[test]
    fn errors_and_other_things_are_told_apart() {
        assert_eq!(read(r#"{"error": {"message": "x"}}"#), Some(Piece::Error(json!({"message": "x"}))));
        assert_eq!(read(r#"{"type": "ping"}"#), Some(Piece::Other));
        assert!(matches!(read(r#"{"error": null, "choices": []}"#), Some(Piece::Delta(_))));
        for garbage in ["", "[]", "7", "{", "data", "null"] {
            assert_eq!(read(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn costs_add_up() {
        let one = json!({"prompt_tokens": 3, "details": {"cached": 1}, "cost": 0.5, "x": null, "tier": "a"});
        let two = json!({"prompt_tokens": 4, "details": {"cached": 2, "audio": 0}, "cost": 1, "tier": "b"});
        let both = json!({"prompt_tokens": 7, "details": {"cached": 3, "audio": 0}, "cost": 1.5, "x": null, "tier": "b"});
        assert_eq!(add_usage(one, two), both);
    }
}
