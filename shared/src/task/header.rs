//! The header of a task document, whatever its form: names and values, and which of them were read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value};

use super::MAX_FRONT_MATTER_BYTES;
use super::warnings::{Warnings, shown};

/// A document whose form is understood and whose fields are not yet.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// The fields.
    pub(super) header: Header,
    /// The text that the instruction is taken from; the spans of the fields lie in it.
    pub(super) body: Cow<'a, str>,
}

impl Draft<'_> {
    /// The body less the lines that were read as fields.
    pub(super) fn instruction(&self) -> String {
        let mut rest = String::with_capacity(self.body.len());
        let mut end = 0;
        for span in self.header.entries.iter().filter(|e| e.is_read).filter_map(|e| e.span.clone()) {
            rest.push_str(&self.body[end..span.start]);
            end = span.end;
        }
        rest.push_str(&self.body[end..]);
        rest
    }
}

/// The fields of a document in the order in which they stand there.
#[derive(Debug, Default)]
pub(super) struct Header {
    entries: Vec<Entry>,
    /// Whether a field named `id` is the task's id: in front matter and JSON it is (SPEC 3).
    pub(super) is_data: bool,
}

/// A field of the header.
#[derive(Debug)]
struct Entry {
    name: String,
    key: String,
    value: FieldValue,
    /// The line in the body that it stands on; `None` where the header is not part of the body.
    span: Option<Range<usize>>,
    is_read: bool,
}

/// What a field says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FieldValue {
    /// Text, trimmed and never empty.
    Text(String),
    /// A list that the document's own format marks as one.
    List(Vec<String>),
}

impl FieldValue {
    /// The value in one text.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::List(items) => items.join(", ").into(),
        }
    }

    fn of(value: Value) -> Option<Self> {
        match value {
            Value::Array(items) => Some(Self::List(items.into_iter().filter_map(scalar).collect())),
            other => scalar(other).map(Self::Text),
        }
    }
}

/// A JSON value as text; nothing for null and for blank text.
fn scalar(value: Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.trim().to_owned(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

/// One field, found by [`Header::find`].
#[derive(Debug, Clone)]
pub(super) struct Found {
    index: usize,
    /// Its name as written.
    pub(super) name: String,
    /// What it says.
    pub(super) value: FieldValue,
}

impl Header {
    /// The header of front matter or JSON. Fields without a value are left out.
    pub(super) fn from_map(fields: Map<String, Value>) -> Self {
        let mut header = Self { is_data: true, ..Self::default() };
        for (name, value) in fields {
            if let Some(value) = FieldValue::of(value) {
                header.push(name, value, None);
            }
        }
        header
    }

    /// Adds a field that stands on the line `span` of the body. Lines are added in their order.
    pub(super) fn push(&mut self, name: String, value: FieldValue, span: Option<Range<usize>>) {
        let key = normal(&name);
        self.entries.push(Entry { name, key, value, span, is_read: false });
    }

    /// The fields that have one of these names, by the order of the names, then of the document.
    pub(super) fn find(&self, names: &[&str]) -> Vec<Found> {
        let found = |(index, entry): (usize, &Entry)| Found {
            index,
            name: entry.name.clone(),
            value: entry.value.clone(),
        };
        let numbered = || self.entries.iter().enumerate();
        names
            .iter()
            .flat_map(|name| numbered().filter(move |(_, entry)| entry.key == *name).map(found))
            .collect()
    }

    /// Notes that a field was read: it is none of the unknown ones, and its line is not part of the instruction.
    pub(super) fn mark_read(&mut self, found: &Found) {
        self.entries[found.index].is_read = true;
    }

    /// The first field that has one of these names, read. Others that say the same are read with it; those that say
    /// something else are left, with a warning.
    pub(super) fn take(&mut self, names: &[&str], warnings: &mut Warnings) -> Option<Found> {
        let mut found = self.find(names).into_iter();
        let first = found.next()?;
        self.mark_read(&first);
        let first_text = shown(&first.value.text());
        for other in found {
            if other.value == first.value {
                self.mark_read(&other);
            } else {
                warnings.push(format!(
                    "{} {} is left aside: {} {first_text} counts",
                    shown(&other.name),
                    shown(&other.value.text()),
                    shown(&first.name),
                ));
            }
        }
        Some(first)
    }

    /// What was not read, by name; values of one name are joined.
    pub(super) fn unread(self, warnings: &mut Warnings) -> BTreeMap<String, String> {
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        let mut size = 0;
        for entry in self.entries.into_iter().filter(|entry| !entry.is_read) {
            let text = entry.value.text();
            size += entry.name.len() + text.len();
            if size > MAX_FRONT_MATTER_BYTES {
                warnings.push(format!(
                    "{} and what follows it is too long to be kept as fields",
                    shown(&entry.name)
                ));
                break;
            }
            let value = fields.entry(entry.name).or_default();
            if !value.is_empty() {
                value.push_str("; ");
            }
            value.push_str(&text);
        }
        fields
    }
}

/// A name as it is compared (SPEC 3): without case, and with `_`, `-` and space as one.
pub(crate) fn normal(name: &str) -> String {
    let words: Vec<_> =
        name.split(|c: char| matches!(c, '_' | '-') || c.is_whitespace()).filter(|w| !w.is_empty()).collect();
    words.join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_loosely() {
        for name in ["Task ID", "task_id", "TASK-ID", " task  id "] {
            assert_eq!(normal(name), "task id");
        }
        assert_ne!(normal("taskid"), "task id");
    }
}
