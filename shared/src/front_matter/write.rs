//! From data to YAML, in the subset that readers of YAML 1.1 and of 1.2 understand alike.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Writes the fields between two `---` lines, each on its own line (or lines, for lists and longer texts).
///
/// Strings stay strings for every reader: what looks like a number, a date or a truth value is quoted, and so is what
/// holds characters that YAML does not allow. No line but the first and the last looks like `---`.
pub(crate) fn emit(fields: &Map<String, Value>) -> String {
    let mut out = String::from("---\n");
    for (name, value) in fields {
        out.push_str(name);
        out.push(':');
        match value {
            Value::String(text) if is_plain(text) => push_all(&mut out, &[" ", text]),
            Value::String(text) if is_block(text) => push_block(&mut out, text),
            Value::Array(items) if !items.is_empty() => {
                for item in items {
                    out.push_str("\n- ");
                    match item {
                        Value::String(text) if is_plain(text) => out.push_str(text),
                        other => push_flow(&mut out, other),
                    }
                }
            }
            other => {
                out.push(' ');
                push_flow(&mut out, other);
            }
        }
        out.push('\n');
    }
    out.push_str("---\n");
    out
}

fn push_all(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
}

/// Whether a text may stand without quotes: it begins with a letter, holds nothing that YAML gives a meaning, and is no
/// word for something other than itself.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 12] =
        ["y", "yes", "n", "no", "true", "false", "on", "off", "null", "nan", "inf", "infinity"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " _-./()@+,".contains(c))
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether a text of several lines may stand as a literal block (`|-`), which people can read.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with(char::is_whitespace)
        && !text.ends_with(char::is_whitespace)
        && text.chars().all(|c| c == '\n' || is_printable(c))
        && text.split('\n').all(|line| {
            let content = line.trim();
            (line.is_empty() || !content.is_empty()) && !matches!(content, "---" | "...")
        })
}

fn push_block(out: &mut String, text: &str) {
    out.push_str(" |-");
    for line in text.split('\n') {
        push_all(out, &[if line.is_empty() { "\n" } else { "\n  " }, line]);
    }
}

/// JSON with a space after colons and commas, which is YAML too once all strings are quoted by its rules.
fn push_flow(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => push_all(out, &[if *truth { "true" } else { "false" }]),
        Value::Number(number) => push_number(out, number),
        Value::String(text) => push_quoted(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                push_flow(out, item);
            }
            out.push(']');
        }
        Value::Object(entries) => {
            out.push('{');
            for (index, (name, item)) in entries.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                push_quoted(out, name);
                out.push_str(": ");
                push_flow(out, item);
            }
            out.push('}');
        }
    }
}

/// A fraction is written without an exponent and with a point: `1e-6` is a string for readers of YAML 1.1.
fn push_number(out: &mut String, number: &serde_json::Number) {
    match number.as_f64().filter(|_| number.is_f64()) {
        None => out.push_str(&number.to_string()),
        Some(fraction) => {
            let text = fraction.to_string();
            push_all(out, &[&text, if text.contains('.') { "" } else { ".0" }]);
        }
    }
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            c => {
                // A String takes whatever is written to it.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
    }
    out.push('"');
}

/// Whether a character may stand unescaped on a line: YAML forbids some, and takes others for line ends.
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::front_matter::{Split, parse, split};

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(fields) = value else { panic!("an object is wanted") };
        fields
    }

    #[test]
    fn what_it_looks_like() {
        let fields = map(json!({
            "task_id": "TASK-1", "date": "2025-10-18", "number": "12", "truth": "Yes", "colon": "a: b", "n": 3,
            "cost": 0.000_001, "whole": 2.0, "success": true, "none": [], "files": ["src/a.rs", "b: c", "7"],
            "usage": {"tokens": 5, "by": [1, "x\u{85}"]}, "prompt": "first\n\n  second\n# third", "odd": "a\r\n---\n\u{feff}",
        }));
        let expected = "---\ntask_id: TASK-1\ndate: \"2025-10-18\"\nnumber: \"12\"\ntruth: \"Yes\"\ncolon: \"a: b\"\nn: 3\n\
            cost: 0.000001\nwhole: 2.0\nsuccess: true\nnone: []\nfiles:\n- src/a.rs\n- \"b: c\"\n- \"7\"\n\
            usage: {\"tokens\": 5, \"by\": [1, \"x\\u0085\"]}\nprompt: |-\n  first\n\n    second\n  # third\n\
            odd: \"a\\r\\n---\\n\\ufeff\"\n---\n";
        assert_eq!(emit(&fields), expected);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>(), lines in "([ -~]{0,6}\n){0,5}[ -~]{0,6}", items in prop::collection::vec(any::<String>(), 0..4)) {
            let fields = map(json!({"text": text, "lines": lines, "items": items}));
            let document = emit(&fields);
            let Split::Parts { yaml, first_line, body } = split(&document) else { panic!("{document}") };
            prop_assert_eq!(body, "");
            prop_assert_eq!(parse(yaml, first_line).unwrap().fields, fields);
        }
    }
}
