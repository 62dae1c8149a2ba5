//! JSON for programs. On a terminal, what would deceive a person is escaped, which changes nothing for a program.

use serde::Serialize;

use super::escape::escape_json;

/// One value over several lines, ending in a newline.
pub fn pretty<T: Serialize>(value: &T, terminal: bool) -> String {
    finish(serde_json::to_string_pretty(value).expect("what is printed has string keys only"), terminal)
}

/// One value in a line, ending in a newline.
pub fn line<T: Serialize>(value: &T, terminal: bool) -> String {
    finish(serde_json::to_string(value).expect("what is printed has string keys only"), terminal)
}

fn finish(mut json: String, terminal: bool) -> String {
    json.push('\n');
    if terminal { escape_json(&json) } else { json }
}
