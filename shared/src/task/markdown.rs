//! The bold header, and plain text, which is a document whose bold header is empty.

use super::MAX_FRONT_MATTER_BYTES;
use super::header::{Draft, FieldValue, Header, normal};
use super::warnings::{Warnings, shown};

/// Reads the header at the top of a Markdown document.
///
/// It is a `# ` title, if there is one, and bold fields, until the first `---`, heading or other text. `To:` and `From:`
/// right under the title count unbolded too. The body is the whole document.
pub(super) fn draft<'a>(text: &'a str, warnings: &mut Warnings) -> Draft<'a> {
    let mut header = Header::default();
    let mut seen_title = false;
    let mut plain_allowed = false;
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        let start = end;
        end += line.len();
        let content = line.trim();
        if content.is_empty() {
            continue;
        }
        if end > MAX_FRONT_MATTER_BYTES {
            break;
        }
        if let Some((name, value)) = bold_field(line) {
            plain_allowed = false;
            seen_title = true;
            push(&mut header, name, value, start..end, warnings);
        } else if !seen_title && line.starts_with("# ") {
            seen_title = true;
            plain_allowed = true;
        } else if let Some((name, value)) = plain_field(content).filter(|_| plain_allowed) {
            push(&mut header, name, value, start..end, warnings);
        } else {
            break;
        }
    }
    Draft { header, body: text.into() }
}

fn push(header: &mut Header, name: &str, value: &str, span: std::ops::Range<usize>, warnings: &mut Warnings) {
    let value = unwrapped(value);
    if value.is_empty() {
        warnings.push(format!("{} has no value on its line", shown(name)));
    } else {
        header.push(name.to_owned(), FieldValue::Text(value.to_owned()), Some(span));
    }
}

/// Reads `**Name:** value` or `**Name**: value`. The name holds no emphasis, and the line is not indented as code is.
pub(crate) fn bold_field(line: &str) -> Option<(&str, &str)> {
    let content = line.trim_start_matches(' ');
    if line.len() - content.len() > 3 {
        return None;
    }
    let (bold, rest) = content.strip_prefix("**")?.split_once("**")?;
    let (name, value) = match bold.trim_end().strip_suffix(':') {
        Some(name) => (name, rest),
        None => (bold, rest.trim_start().strip_prefix(':')?),
    };
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().count() <= 64 && !name.contains(['*', '\n']);
    is_name.then(|| (name, value.trim()))
}

/// Reads `To: value` or `From: value`.
fn plain_field(content: &str) -> Option<(&str, &str)> {
    let (name, value) = content.split_once(':')?;
    matches!(normal(name).as_str(), "to" | "from").then(|| (name.trim(), value.trim()))
}

/// A value without the Markdown around the whole of it: `` `BOT-002` `` and `**BOT-002**` are BOT-002.
pub(crate) fn unwrapped(value: &str) -> &str {
    let mut value = value.trim();
    for mark in ["**", "*", "`"] {
        let inner = value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
        if let Some(inner) = inner.filter(|inner| !inner.contains(mark)) {
            value = inner.trim();
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bold_fields() {
        for (line, expected) in [
            ("**Task ID:** TASK-1\n", Some(("Task ID", "TASK-1"))),
            ("**Task ID**: TASK-1  \r\n", Some(("Task ID", "TASK-1"))),
            ("  **Task ID** : TASK-1", Some(("Task ID", "TASK-1"))),
            ("**Goal:**", Some(("Goal", ""))),
            ("**Note:** see **this**", Some(("Note", "see **this**"))),
            ("**bold** text: more", None),
            ("**Task ID: TASK-1**", None),
            ("    **Task ID:** TASK-1", None),
            ("- **Task ID:** TASK-1", None),
            ("**:** x", None),
            ("****: x", None),
        ] {
            assert_eq!(bold_field(line), expected, "{line:?}");
        }
    }

    #[test]
    fn markup_around_a_value() {
        for (value, expected) in [
            ("`BOT-002`", "BOT-002"),
            (" **`x`** ", "x"),
            ("**a** and **b**", "**a** and **b**"),
            ("*", "*"),
            ("``", ""),
        ] {
            assert_eq!(unwrapped(value), expected);
        }
    }
}
