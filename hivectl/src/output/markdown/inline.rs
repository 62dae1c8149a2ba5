//! What is within a line: emphasis, code and links. A mark that has no partner is text: `2 * 3 * 4` and `*.rs` stay as
//! they are.

use termimad::minimad::Compound;

/// How a piece of text stands out.
#[derive(Debug, Clone, Copy, Default)]
struct Style {
    bold: bool,
    italic: bool,
    strikeout: bool,
}

/// The pieces of a line.
pub(super) fn parse(text: &str) -> Vec<Compound<'_>> {
    let mut pieces = Pieces(Vec::new());
    pieces.parse(text, Style::default(), 0);
    pieces.0
}

/// Text as it stands.
pub(super) fn plain(text: &str) -> Compound<'_> {
    Compound::raw_str(text)
}

/// How deep emphasis may be within emphasis.
const DEEPEST: usize = 8;

struct Pieces<'a>(Vec<Compound<'a>>);

impl<'a> Pieces<'a> {
    fn parse(&mut self, text: &'a str, style: Style, depth: usize) {
        let bytes = text.as_bytes();
        let (mut start, mut at) = (0, 0);
        // Marks of which it is known that no partner follows.
        let mut alone: Vec<(u8, usize)> = Vec::new();
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'\\' if bytes.get(at + 1).is_some_and(u8::is_ascii_punctuation) => {
                    self.push(&text[start..at], style);
                    start = at + 1;
                    at += 2;
                }
                b'`' => {
                    let length = run(bytes, at);
                    let end = if alone.contains(&(b'`', length)) {
                        None
                    } else {
                        code_end(bytes, at + length, length)
                    };
                    if let Some(end) = end {
                        self.push(&text[start..at], style);
                        self.code(&text[at + length..end]);
                        at = end + length;
                        start = at;
                    } else {
                        alone.push((b'`', length));
                        at += length;
                    }
                }
                b'[' => match link(text, at) {
                    Some(link) => {
                        self.push(&text[start..at], style);
                        self.link(&link, style, depth);
                        at = link.end;
                        start = at;
                    }
                    None => at += 1,
                },
                b'*' | b'_' | b'~' => {
                    let length = run(bytes, at);
                    let marks = length.min(3);
                    let may_open = (byte != b'~' || length == 2)
                        && length <= 3
                        && opens(text, at, length)
                        && depth < DEEPEST
                        && !alone.contains(&(byte, marks));
                    let end = if may_open { partner(text, at + length, byte, marks) } else { None };
                    if let Some(end) = end {
                        self.push(&text[start..at], style);
                        let inner = Style {
                            bold: style.bold || byte != b'~' && marks >= 2,
                            italic: style.italic || byte != b'~' && marks != 2,
                            strikeout: style.strikeout || byte == b'~',
                        };
                        self.parse(&text[at + length..end], inner, depth + 1);
                        at = end + marks;
                        start = at;
                    } else {
                        if may_open {
                            alone.push((byte, marks));
                        }
                        at += length;
                    }
                }
                _ => at += 1,
            }
        }
        self.push(&text[start..], style);
    }

    fn push(&mut self, text: &'a str, style: Style) {
        if !text.is_empty() {
            let Style { bold, italic, strikeout } = style;
            self.0.push(Compound { src: text, bold, italic, code: false, strikeout });
        }
    }

    /// A space at both ends is there to keep a mark off, not to be shown.
    fn code(&mut self, code: &'a str) {
        let inner = code.strip_prefix(' ').and_then(|code| code.strip_suffix(' '));
        let code = inner.filter(|inner| !inner.trim().is_empty()).unwrap_or(code);
        self.0.push(Compound { src: code, bold: false, italic: false, code: true, strikeout: false });
    }

    /// A terminal shows where a link leads, as nobody can ask it.
    fn link(&mut self, link: &Link<'a>, style: Style, depth: usize) {
        if link.text != link.to && !link.text.is_empty() && depth < DEEPEST {
            self.parse(link.text, style, depth + 1);
            self.push(" (", style);
            self.push(link.to, style);
            self.push(")", style);
        } else {
            self.push(link.to, style);
        }
    }
}

/// `[text](to)`.
struct Link<'a> {
    text: &'a str,
    to: &'a str,
    /// Where it ends.
    end: usize,
}

fn link(text: &str, at: usize) -> Option<Link<'_>> {
    let rest = &text[at + 1..];
    let close = rest.find([']', '['])?;
    let after = rest[close..].strip_prefix("](")?;
    let length = after.find([')', ' ', '(']).filter(|end| *end > 0 && after[*end..].starts_with(')'))?;
    Some(Link { text: &rest[..close], to: &after[..length], end: at + 1 + close + 2 + length + 1 })
}

/// How many of the same mark there are.
fn run(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().take_while(|byte| **byte == bytes[at]).count()
}

/// Where the run of exactly so many backticks is that ends code.
fn code_end(bytes: &[u8], from: usize, length: usize) -> Option<usize> {
    let mut at = from;
    while at < bytes.len() {
        if bytes[at] == b'`' {
            let found = run(bytes, at);
            if found == length {
                return Some(at);
            }
            at += found;
        } else {
            at += 1;
        }
    }
    None
}

/// Whether emphasis may begin with these marks: something follows at once, and a word does not go on over them.
fn opens(text: &str, at: usize, length: usize) -> bool {
    let before = text[..at].chars().next_back();
    let after = text[at + length..].chars().next();
    let alnum = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mid = alnum(before) && (text.as_bytes()[at] == b'_' || !alnum(after));
    after.is_some_and(|c| !c.is_whitespace()) && !mid
}

/// Whether emphasis may end with these marks.
fn closes(text: &str, at: usize, length: usize) -> bool {
    let before = text[..at].chars().next_back();
    let after = text[at + length..].chars().next();
    let alnum = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mid = alnum(after) && (text.as_bytes()[at] == b'_' || !alnum(before));
    before.is_some_and(|c| !c.is_whitespace()) && !mid
}

/// Where the marks begin that end what so many marks began.
fn partner(text: &str, from: usize, mark: u8, marks: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'`' => {
                let length = run(bytes, at);
                at = code_end(bytes, at + length, length).unwrap_or(at) + length;
            }
            byte if byte == mark => {
                let length = run(bytes, at);
                let fits = length == marks || length == 3;
                if fits && at > from && closes(text, at, length) {
                    return Some(at + length - marks);
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces in short: `b:` bold, `i:` italic, `c:` code, `s:` struck out.
    fn pieces(text: &str) -> Vec<String> {
        parse(text)
            .iter()
            .map(|piece| {
                let flags =
                    [(piece.bold, 'b'), (piece.italic, 'i'), (piece.code, 'c'), (piece.strikeout, 's')];
                let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag).collect();
                if flags.is_empty() { piece.src.to_owned() } else { format!("{flags}:{}", piece.src) }
            })
            .collect()
    }

    #[test]
    fn emphasis_is_what_is_between_marks() {
        assert_eq!(pieces("a **b** c"), ["a ", "b:b", " c"]);
        assert_eq!(pieces("*a* _b_ __c__ ***d***"), ["i:a", " ", "i:b", " ", "b:c", " ", "bi:d"]);
        assert_eq!(pieces("**a *b* c**"), ["b:a ", "bi:b", "b: c"]);
        assert_eq!(pieces("**a *b***"), ["b:a ", "bi:b"]);
        assert_eq!(pieces("*a **b** c*"), ["i:a ", "bi:b", "i: c"]);
        assert_eq!(pieces("~~gone~~ now"), ["s:gone", " now"]);
        assert_eq!(pieces("un*frigging*believable"), ["un", "i:frigging", "believable"]);
    }

    #[test]
    fn a_mark_without_a_partner_is_text() {
        for text in [
            "2 * 3 * 4",
            "*.rs and *.md",
            "a ** b",
            "snake_case_name and _private",
            "**bold",
            "5 * (3 ~ 4) ~~ x",
            "`open",
            "``a`",
            "[a] (b) [c](d e) [e]()",
            "****",
            "__",
            "a\\b",
        ] {
            assert_eq!(parse(text).iter().map(|piece| piece.src).collect::<String>(), text);
            assert!(parse(text).iter().all(|p| !(p.bold || p.italic || p.code || p.strikeout)), "{text}");
        }
    }

    #[test]
    fn code_is_verbatim() {
        assert_eq!(pieces("run `**x** \\ _y_` now"), ["run ", "c:**x** \\ _y_", " now"]);
        assert_eq!(pieces("`` a ` b ``"), ["c:a ` b"]);
        assert_eq!(pieces("*a `*` b*"), ["i:a ", "c:*", "i: b"]);
    }

    #[test]
    fn a_backslash_takes_a_marks_meaning() {
        assert_eq!(pieces("\\*a\\*").concat(), "*a*");
        assert_eq!(pieces("C:\\dir"), ["C:\\dir"]);
    }

    #[test]
    fn a_link_tells_where_it_leads() {
        assert_eq!(
            pieces("see [the **docs**](http://x/y)."),
            ["see ", "the ", "b:docs", " (", "http://x/y", ")", "."]
        );
        assert_eq!(pieces("[http://x](http://x)"), ["http://x"]);
    }
}
