//! YAML front matter: the lines between `---` and `---` at the top of a document, as tasks (SPEC 3) and responses
//! (SPEC 4) have them.
//!
//! Scalars are read as the text that stands there (`001` stays `001`, a date stays a date), and written so that every
//! reader of YAML 1.1 or 1.2 gives back the text that went in.

mod read;
mod write;

pub(crate) use read::parse;
pub(crate) use write::emit;

/// A document, divided at its front matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split<'a> {
    /// It does not begin with a `---` line.
    None,
    /// It begins with one, and no second one closes it.
    Unclosed,
    /// It has front matter.
    Parts {
        /// What stands between the two lines.
        yaml: &'a str,
        /// The line of the document on which `yaml` begins, counted from 1.
        first_line: usize,
        /// All that follows the closing line, byte for byte.
        body: &'a str,
    },
}

/// Divides a document whose byte-order mark is gone already. Blank lines before the opening line are allowed.
pub(crate) fn split(text: &str) -> Split<'_> {
    let mut offset = 0;
    let mut opened: Option<(usize, usize)> = None;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let start = offset;
        offset += line.len();
        match opened {
            Some((first_line, from)) if is_boundary(line) => {
                return Split::Parts { yaml: &text[from..start], first_line, body: &text[offset..] };
            }
            Some(_) => {}
            None if is_boundary(line) => opened = Some((index + 2, offset)),
            None if line.trim().is_empty() => {}
            None => return Split::None,
        }
    }
    if opened.is_some() { Split::Unclosed } else { Split::None }
}

/// Whether a line is `---`, with nothing but white space after it.
pub(crate) fn is_boundary(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_begins_right_after_the_closing_line() {
        for (text, yaml, body) in [
            ("---\na: 1\n---\nbody\n", "a: 1\n", "body\n"),
            ("---\na: 1\n---\n\nbody", "a: 1\n", "\nbody"),
            ("---\r\na: 1\r\n--- \r\n\r\nbody\r\n", "a: 1\r\n", "\r\nbody\r\n"),
            ("\n \n---\n---\n---\n", "", "---\n"),
            ("---\na: |\n  ---\n---", "a: |\n  ---\n", ""),
        ] {
            let Split::Parts { yaml: found, body: rest, .. } = split(text) else { panic!("{text:?}") };
            assert_eq!((found, rest), (yaml, body), "{text:?}");
        }
        assert_eq!(split("---\nnever closed\n"), Split::Unclosed);
        for text in ["", "\n\n", "----\n---\n", " ---\n---\n", "text\n---\na: 1\n---\n", "--- a: 1\n---\n"] {
            assert_eq!(split(text), Split::None, "{text:?}");
        }
    }
}
