//! Task documents (SPEC 3): the files that people and programs drop into a bot's queue.
//!
//! [`read`] understands the four forms that occur, and is lenient: what it has to guess or leave is a warning on the
//! task. [`write()`] writes the one form that hivectl and the API use.

mod dates;
mod depends;
mod fields;
mod header;
mod json;
mod markdown;
mod priority;
mod warnings;
mod write;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

pub(crate) use header::normal as normal_name;
pub(crate) use markdown::{bold_field, unwrapped};
pub use priority::read as read_priority;
pub use write::{NewTask, write};

use crate::digest::digest;
use crate::front_matter::{self, Split};
use crate::ids::{BotId, ItemId};
use crate::time::Stamp;
use crate::work::Priority;
use header::{Draft, Header};
use warnings::Warnings;

/// The most bytes a task document may have.
pub const MAX_TASK_BYTES: usize = 1 << 20;
/// The most bytes front matter may have; the other kinds of header keep to it too.
pub const MAX_FRONT_MATTER_BYTES: usize = 64 << 10;

/// Who asked, where a document does not say.
pub const UNKNOWN_SENDER: &str = "unknown";

/// A task as its document describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDocument {
    /// Its id; the file's stem unless the header names one.
    pub id: ItemId,
    /// One line for people.
    pub title: String,
    /// How soon it runs.
    pub priority: Priority,
    /// Who asked, or [`UNKNOWN_SENDER`].
    pub from: String,
    /// Whom the document addresses, as it says it; `None` where it leaves that to the directory.
    pub to: Option<String>,
    /// When it was written.
    pub created: Stamp,
    /// The time it may use in the slot; `None` leaves it to the settings.
    pub limit: Option<Duration>,
    /// Whether chat may preempt it.
    pub interruptible: bool,
    /// Tasks of the same bot that must complete first.
    pub depends_on: Vec<ItemId>,
    /// The task that it repeats.
    pub retry_of: Option<ItemId>,
    /// Header fields that mean nothing to the hive, or that could not be read.
    pub fields: BTreeMap<String, String>,
    /// What the adapter is handed.
    pub instruction: String,
    /// What had to be guessed or left.
    pub warnings: Vec<String>,
}

impl TaskDocument {
    /// SHA-256, in hexadecimal, of what makes two submissions the same (SPEC 9, POST tasks): instruction, title,
    /// priority, sender, time limit, interruptible and dependencies. Id, times and warnings do not count.
    pub fn digest(&self) -> String {
        let content = serde_json::json!([
            self.instruction,
            self.title,
            self.priority,
            self.from,
            self.limit.map(|limit| [limit.as_secs(), u64::from(limit.subsec_nanos())]),
            self.interruptible,
            self.depends_on,
        ]);
        digest(&content)
    }
}

/// What a reader of task documents knows besides the bytes.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The file's name, without its directory.
    pub file_name: &'a str,
    /// When the file was last modified.
    pub modified: Stamp,
    /// The bot in whose directory it lies.
    pub bot: &'a BotId,
    /// The bots of this hive, which are no tasks to depend on.
    pub bots: &'a [BotId],
    /// The machine's zone, for times that name none.
    pub zone: &'a TimeZone,
}

/// Why a file is not a task. The text goes into the file's `.reason.txt`, and says how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotATask {
    /// There is nothing but white space. Perhaps someone is still writing it.
    #[error("the file is empty: write into it what the bot is to do")]
    Empty,
    /// There is a header, and nothing else.
    #[error("there is no instruction: write below the header what the bot is to do")]
    NoInstruction,
    /// It is larger than [`MAX_TASK_BYTES`].
    #[error(
        "it has {0} bytes, and a task has at most {MAX_TASK_BYTES}: put the bulk into a file of its own and name that \
         file in the task"
    )]
    TooLarge(usize),
    /// It is not UTF-8.
    #[error("it is not UTF-8 text (the first bad byte is at offset {0}): save it as UTF-8")]
    NotUtf8(usize),
    /// Front matter begins and does not end.
    #[error(
        "it begins with a '---' line as YAML front matter does, and no second '---' line closes it: add that line below \
         the fields, or begin the text with something else"
    )]
    FrontMatterUnclosed,
    /// The front matter is larger than [`MAX_FRONT_MATTER_BYTES`].
    #[error(
        "its front matter has {0} bytes, and may have at most {MAX_FRONT_MATTER_BYTES}: move the text below the second \
         '---' line"
    )]
    FrontMatterTooLong(usize),
    /// The front matter is not a YAML mapping.
    #[error(
        "its front matter cannot be read, line {line}: {problem}. Write 'name: value' lines between the two '---' lines, \
         with values that hold ': ' or begin with a special character in quotes"
    )]
    FrontMatter {
        /// The line of the document, counted from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// It begins as a JSON object and is none.
    #[error(
        "it begins like a JSON object and is none: {0}. Mend the JSON, or put a line of text or '---' front matter before \
         it if it is meant as text"
    )]
    Json(String),
    /// The JSON object says nothing to do.
    #[error("the JSON object has no usable \"command\": give it one, a text that says what the bot is to do")]
    NoCommand,
    /// Neither header nor file name can be made an id.
    #[error(
        "no id can be made of {0:?}: name the file with letters, digits, '.', '_' or '-', or add a 'Task ID' to its header"
    )]
    NoId(String),
}

/// Reads a document of any of the four forms. Takes time in proportion to its size, and never panics.
pub fn read(bytes: &[u8], reading: &Reading<'_>) -> Result<TaskDocument, NotATask> {
    if bytes.len() > MAX_TASK_BYTES {
        return Err(NotATask::TooLarge(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| NotATask::NotUtf8(error.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if is_blank(text) {
        return Err(NotATask::Empty);
    }
    let mut warnings = Warnings::default();
    let draft = match front_matter::split(text) {
        Split::Parts { yaml, first_line, body } => front_matter_draft(yaml, first_line, body, &mut warnings)?,
        Split::Unclosed => return Err(NotATask::FrontMatterUnclosed),
        Split::None => match json::draft(text)? {
            Some(draft) => draft,
            None => markdown::draft(text, &mut warnings),
        },
    };
    fields::document(draft, reading, warnings)
}

fn front_matter_draft<'a>(
    yaml: &str,
    first_line: usize,
    body: &'a str,
    warnings: &mut Warnings,
) -> Result<Draft<'a>, NotATask> {
    if yaml.len() > MAX_FRONT_MATTER_BYTES {
        return Err(NotATask::FrontMatterTooLong(yaml.len()));
    }
    let parsed = front_matter::parse(yaml, first_line)
        .map_err(|error| NotATask::FrontMatter { line: error.line, problem: error.problem })?;
    for name in parsed.repeated {
        warnings.push(format!("{} comes more than once; the first one counts", warnings::shown(&name)));
    }
    Ok(Draft { header: Header::from_map(parsed.fields), body: body.into() })
}

/// Whether a text holds nothing to do.
fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

#[cfg(test)]
mod tests;
