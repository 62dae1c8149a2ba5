//! Foreign text on a terminal: what would move the cursor, change colours, hide or reorder text is shown escaped.

use std::fmt::Write;

/// Where a text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Within a line, such as a cell of a table: newlines and tabs are escaped too.
    Line,
    /// Over several lines, such as an answer: newlines and tabs stay.
    Block,
}

/// The text with control and bidirectional characters escaped: `\x1b`, `\u{202e}`, `\n`.
pub fn escape(text: &str, place: Place) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, place) {
            ('\n' | '\t', Place::Block) => shown.push(c),
            ('\r', Place::Block) if chars.peek() == Some(&'\n') => {}
            _ => push(&mut shown, c),
        }
    }
    shown
}

/// JSON text with the same characters as `\u` escapes, which any reader of JSON takes for the same.
pub fn escape_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        // The line ends between values of our own making are the only ones there are.
        if c != '\n' && is_dangerous(c) {
            let _infallible = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

fn push(shown: &mut String, c: char) {
    match c {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        c if is_dangerous(c) && c.is_ascii() => {
            let _infallible = write!(shown, "\\x{:02x}", u32::from(c));
        }
        c if is_dangerous(c) => {
            let _infallible = write!(shown, "\\u{{{:x}}}", u32::from(c));
        }
        c => shown.push(c),
    }
}

/// Control characters, the marks that set the direction of text, and what ends lines without being a newline. All of
/// them are in the basic plane.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_deceive_is_shown_escaped() {
        assert_eq!(escape("a\x1b[31mb\u{9b}c\x07\x7f", Place::Block), "a\\x1b[31mb\\u{9b}c\\x07\\x7f");
        assert_eq!(escape("\u{202e}evil\u{2066}\u{200f}", Place::Line), "\\u{202e}evil\\u{2066}\\u{200f}");
        assert_eq!(escape("one\ttwo\r\nthree\n", Place::Block), "one\ttwo\nthree\n");
        assert_eq!(escape("a\rb", Place::Block), "a\\rb");
        assert_eq!(escape("one\ttwo\r\n", Place::Line), "one\\ttwo\\r\\n");
        assert_eq!(escape("grüße 漢字 👩‍🚀 עברית", Place::Line), "grüße 漢字 👩‍🚀 עברית");
    }

    #[test]
    fn escaped_json_means_the_same() {
        let value = serde_json::json!({"t": "\u{202e}a\x1b\u{9b}\n\u{7f}"});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let shown = escape_json(&text);
        assert!(shown.chars().all(|c| c == '\n' || !is_dangerous(c)));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
