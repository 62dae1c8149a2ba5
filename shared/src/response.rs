//! Response documents (SPEC 4): YAML front matter, then the text as the agent gave it.

mod answers;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use answers::{Answers, MAX_HEAD_BYTES, answers};

use crate::front_matter::{self, Split};
use crate::ids::{BotId, ItemId};
use crate::time::Stamp;
use crate::work::{Priority, Source, Status};

/// The version of the format that [`write()`] writes.
pub const SCHEMA: u32 = 1;

/// What a response document says before its text. Absent fields are not written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResponseHeader {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The file task that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<ItemId>,
    /// The chat prompt that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<ItemId>,
    /// The bot that did it.
    pub bot_id: BotId,
    /// Whether it was a file task or a chat prompt.
    pub source: Source,
    /// Who asked for the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Who prompted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The chat session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What the person said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The task's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The task's priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// When the response was made.
    pub timestamp: Stamp,
    /// How it ended.
    pub status: Status,
    /// Whether it ended `completed`.
    pub success: bool,
    /// When it first held the slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Stamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Stamp>,
    /// The seconds it spent in the slot, written to the microsecond.
    pub duration_seconds: f64,
    /// How often it was started, stops and preemptions not counted.
    pub attempts: u32,
    /// How often chat made it give way.
    pub preemptions: u32,
    /// What changed in the working directory.
    #[serde(default)]
    pub files_modified: Vec<String>,
    /// What the agent said that it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Value>,
    /// Why it did not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The task that this one repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<ItemId>,
}

/// Why a text is no response document of ours.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// It has no front matter, or only the beginning of one.
    #[error("the response has no front matter")]
    NoFrontMatter,
    /// The front matter does not say what a response says.
    #[error("the front matter of the response cannot be read")]
    FrontMatter(#[source] Box<serde_saphyr::Error>),
    /// It was written by a later version of the hive.
    #[error("the response has schema {0}, and {SCHEMA} is the latest one known here")]
    Schema(u32),
}

/// Writes a response document. The text follows the front matter byte for byte.
pub fn write(header: &ResponseHeader, text: &str) -> String {
    let rounded =
        ResponseHeader { duration_seconds: to_the_microsecond(header.duration_seconds), ..header.clone() };
    let fields = serde_json::to_value(rounded).expect("a header has text for keys and plain data for values");
    let mut document = match &fields {
        Value::Object(fields) => front_matter::emit(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => String::new(),
    };
    document.push_str(text);
    document
}

/// Reads what [`write()`] wrote: the header, and the text byte for byte.
pub fn read(document: &str) -> Result<(ResponseHeader, &str), ResponseError> {
    let Split::Parts { yaml, body, .. } = front_matter::split(document) else {
        return Err(ResponseError::NoFrontMatter);
    };
    // We write no aliases; with them a few lines could stand for gigabytes.
    let options = serde_saphyr::options! { budget: serde_saphyr::budget! { max_aliases: 0 } };
    let header: ResponseHeader = serde_saphyr::from_str_with_options(yaml, options)
        .map_err(|error| ResponseError::FrontMatter(Box::new(error)))?;
    if header.schema > SCHEMA { Err(ResponseError::Schema(header.schema)) } else { Ok((header, body)) }
}

/// What is no number of seconds is written as zero.
fn to_the_microsecond(seconds: f64) -> f64 {
    if seconds.is_finite() { (seconds * 1e6).round() / 1e6 } else { 0.0 }
}

#[cfg(test)]
mod tests;
