//! Priorities as people write them (SPEC 3).

use crate::work::Priority;

/// Reads a priority: a leading `P0` to `P3` decides, else the first whole word that says one; `None` where nothing does.
pub fn read(text: &str) -> Option<Priority> {
    let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    if let Some(mark) = words.peek().and_then(|word| word.parse().ok()) {
        return Some(mark);
    }
    words.find_map(|word| match word.to_lowercase().as_str() {
        "critical" | "urgent" | "blocking" | "emergency" => Some(Priority::P0),
        "high" => Some(Priority::P1),
        "medium" | "normal" => Some(Priority::P2),
        "low" => Some(Priority::P3),
        _ => None,
    })
}

/// The priority that a file's name tells with `-P0-` to `-P3-`.
pub(super) fn in_file_name(name: &str) -> Option<Priority> {
    name.as_bytes().windows(4).find_map(|part| match part {
        [b'-', b'P' | b'p', digit @ b'0'..=b'3', b'-'] => {
            Some(Priority::from_index(usize::from(digit - b'0')))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_as_people_write_them() {
        for (text, expected) in [
            ("P0", Some(Priority::P0)),
            ("p3", Some(Priority::P3)),
            ("P2 - HIGH", Some(Priority::P2)),
            ("P1 (CRITICAL PATH)", Some(Priority::P1)),
            ("🔴 P0 — drop everything", Some(Priority::P0)),
            ("P1: high", Some(Priority::P1)),
            ("P1/P2", Some(Priority::P1)),
            ("CRITICAL", Some(Priority::P0)),
            ("Urgent!", Some(Priority::P0)),
            ("BLOCKING for release", Some(Priority::P0)),
            ("emergency", Some(Priority::P0)),
            ("HIGH (P0)", Some(Priority::P1)),
            ("high-priority", Some(Priority::P1)),
            ("Medium to high", Some(Priority::P2)),
            ("normal", Some(Priority::P2)),
            ("Low, not urgent", Some(Priority::P3)),
            ("highly desired", None),
            ("P10", None),
            ("P4", None),
            ("whenever", None),
            ("", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn priorities_in_file_names() {
        for (name, expected) in [
            ("2025-10-18-2115-BOT-001-BOT-002-P1-parser.md", Some(Priority::P1)),
            ("a-P0-P3-b.md", Some(Priority::P0)),
            ("a-P4-b.md", None),
            ("a-P1.md", None),
            ("P1-a.md", None),
            ("äöü-P3-ß.md", Some(Priority::P3)),
        ] {
            assert_eq!(in_file_name(name), expected, "{name}");
        }
    }
}
