//! Whom an existing response document answers (SPEC 2): ours, and those of hives that were there before.

use crate::front_matter;
use crate::task::{bold_field, normal_name, unwrapped};

/// As much of a document as is looked at.
pub const MAX_HEAD_BYTES: usize = 64 << 10;
/// The most names that are kept of one document; an honest one has one or two.
const MAX_NAMES: usize = 16;

/// What the head of a response document says about the task that it answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// The ids or stems of files that its front matter, or a `Task ID:` or `Task:` line in its header, names.
    pub names: Vec<String>,
    /// The bot that gave it.
    pub bot_id: Option<String>,
    /// Whether the task had failed, if it says.
    pub failed: Option<bool>,
}

/// Reads the head of a response document of any age: front matter, or a header of plain or bold `Name: value` lines.
///
/// `head` may be cut anywhere; what is beyond [`MAX_HEAD_BYTES`] is not looked at. The header ends at the first `---`,
/// heading (but for the title) or other text.
pub fn answers(head: &str) -> Answers {
    let head = head.strip_prefix('\u{feff}').unwrap_or(head);
    let mut answers = Answers::default();
    let mut success = None;
    let mut status = None;
    let mut lines = head.lines().skip_while(|line| line.trim().is_empty()).peekable();
    let has_front_matter = lines.next_if(|line| front_matter::is_boundary(line)).is_some();
    if !has_front_matter {
        // The title.
        lines.next_if(|line| line.starts_with('#'));
    }
    for (name, value) in header_fields(lines, has_front_matter) {
        match normal_name(name).as_str() {
            "id" if has_front_matter => answers.add_names(value),
            "task id" | "task" | "task file" => answers.add_names(value),
            "bot id" | "bot" => answers.bot_id = answers.bot_id.take().or_else(|| first_word(value)),
            "success" => success = success.or_else(|| says_failed(value)),
            "status" => status = status.or_else(|| says_failed(value)),
            _ => {}
        }
    }
    answers.failed = success.or(status);
    answers
}

impl Answers {
    /// `TASK-7`, `TASK-7 (parser)`, `tasks/BOT-002/2025-10-18-2115-foo.md`, `[foo.md](foo.md)`.
    fn add_names(&mut self, value: &str) {
        let value = value
            .split_once("](")
            .map_or(value, |(text, _)| text)
            .trim_start_matches('[')
            .trim_end_matches(']');
        let first = value.split_whitespace().next().unwrap_or_default().trim_end_matches([',', ';', ':']);
        // The first word alone is a name if it looks like one: "Build the parser" names no task `Build`.
        let is_name = first.contains(|c: char| c.is_ascii_digit());
        for name in [Some(value), is_name.then_some(first)].into_iter().flatten() {
            let name = name.rsplit('/').next().unwrap_or(name);
            let name = name.strip_suffix(".md").unwrap_or(name).trim();
            let is_new = !name.is_empty() && !self.names.iter().any(|known| known == name);
            if is_new && self.names.len() < MAX_NAMES {
                self.names.push(name.to_owned());
            }
        }
    }
}

/// The `name: value` lines of front matter or of a header. Values are without quotes and markup.
///
/// Front matter is looked through line by line, not read as YAML: a prompt may be longer than the head.
fn header_fields<'a>(
    lines: impl Iterator<Item = &'a str>,
    has_front_matter: bool,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut size = 0;
    lines
        .take_while(move |line| {
            size += line.len() + 1;
            size <= MAX_HEAD_BYTES && !front_matter::is_boundary(line)
        })
        .map(move |line| if has_front_matter { yaml_field(line) } else { header_field(line) })
        .map_while(|line| match line {
            Line::Field(name, value) => Some(Some((name, value))),
            Line::Skipped => Some(None),
            Line::Text => None,
        })
        .flatten()
}

/// What a line of a header is.
enum Line<'a> {
    Field(&'a str, &'a str),
    /// It belongs to the header and says nothing to us.
    Skipped,
    /// The header ended before it.
    Text,
}

/// A scalar at the top level of a YAML mapping.
fn yaml_field(line: &str) -> Line<'_> {
    let field = line.split_once(':').filter(|(name, value)| {
        !name.starts_with([' ', '\t', '-', '#']) && (value.is_empty() || value.starts_with([' ', '\t']))
    });
    let Some((name, value)) = field else { return Line::Skipped };
    let value = value.trim();
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].split(quote).next().unwrap_or_default(),
        Some(_) | None => value.split(" #").next().unwrap_or_default(),
    };
    Line::Field(name.trim(), value.trim())
}

fn header_field(line: &str) -> Line<'_> {
    let content = line.trim();
    let content = content.strip_prefix("- ").or_else(|| content.strip_prefix("* ")).unwrap_or(content);
    if content.is_empty() {
        return Line::Skipped;
    }
    if let Some((name, value)) = bold_field(content) {
        return Line::Field(name, unwrapped(value));
    }
    let is_name = |name: &str| {
        name.chars().next().is_some_and(char::is_alphabetic)
            && name.len() <= 40
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-'))
    };
    match content.split_once(':').filter(|(name, _)| is_name(name)) {
        Some((name, value)) => Line::Field(name, unwrapped(value)),
        None => Line::Text,
    }
}

fn first_word(value: &str) -> Option<String> {
    value.split_whitespace().next().map(str::to_owned)
}

/// Whether a status says that the task failed: by its first word that tells.
fn says_failed(value: &str) -> Option<bool> {
    let lower = value.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric() && !matches!(c, '✅' | '❌')).find_map(|word| match word {
        "true" | "yes" | "ok" | "success" | "successful" | "succeeded" | "complete" | "completed"
        | "done" | "passed" | "✅" => Some(false),
        "false" | "no" | "not" | "fail" | "failed" | "failure" | "error" | "cancelled" | "canceled"
        | "timed" | "timeout" | "incomplete" | "blocked" | "aborted" | "partial" | "❌" => Some(true),
        _ => None,
    })
}
