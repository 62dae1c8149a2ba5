//! The JSON form: the whole body is one object.

use serde_json::{Map, Value};

use super::header::{Draft, Header};
use super::{NotATask, is_blank};

/// Reads a JSON object; `None` for a text that is not meant as one.
///
/// The instruction is its `command`; or its `instruction`, as the API calls it.
pub(super) fn draft(text: &str) -> Result<Option<Draft<'static>>, NotATask> {
    if !looks_like_object(text) {
        return Ok(None);
    }
    let mut fields: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| NotATask::Json(error.to_string()))?;
    for name in ["command", "instruction"] {
        if fields.get(name).is_some_and(|value| value.as_str().is_some_and(|text| !is_blank(text))) {
            let Some(Value::String(command)) = fields.shift_remove(name) else { break };
            return Ok(Some(Draft { header: Header::from_map(fields), body: command.into() }));
        }
    }
    Err(NotATask::NoCommand)
}

/// Whether a text is meant as an object: a brace, and then what an object begins with, be it well written or not.
///
/// `{{ template }}` or `{note to self} …` is text.
fn looks_like_object(text: &str) -> bool {
    let Some(inner) = text.trim_start().strip_prefix('{') else { return false };
    let inner = inner.trim();
    let ends_as_one = inner.ends_with('}');
    let begins_as_member = || {
        let word = inner.trim_start_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-'));
        word.len() < inner.len() && word.trim_start().starts_with(':')
    };
    inner.is_empty()
        || inner == "}"
        || inner.starts_with('"')
        || (ends_as_one && (inner.starts_with('\'') || begins_as_member()))
}
