//! Where text goes: stdout or stderr, and what each is good for.

use std::borrow::Cow;
use std::io::{self, Write};

use super::ink::Ink;

/// The marks that we print, and what stands for each, as wide, on a terminal without UTF-8.
const MARKS: [(char, char); 13] = [
    ('…', '.'),
    ('·', '-'),
    ('•', '*'),
    ('✓', '+'),
    ('✗', 'x'),
    ('▸', '>'),
    ('→', '>'),
    ('⋮', ':'),
    ('─', '-'),
    ('│', '|'),
    ('└', '\\'),
    ('▰', '#'),
    ('▱', '-'),
];

/// A stream, until its reader goes away.
pub(super) struct Stream {
    to: Box<dyn Write + Send>,
    pub(super) screen: Screen,
    /// Whether characters beyond ASCII are shown as what they are.
    utf8: bool,
    /// Whether its reader is gone.
    pub(super) closed: bool,
    /// Whether the next text begins a row.
    pub(super) at_row_start: bool,
}

/// What a stream is good for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    pub(super) terminal: bool,
    /// Whether colours are welcome.
    pub(super) color: bool,
    /// Whether lines may be drawn over each other.
    pub(super) redraws: bool,
}

impl Screen {
    pub(super) fn ink(self) -> Ink {
        Ink { color: self.color }
    }
}

impl Stream {
    pub(super) fn new(to: Box<dyn Write + Send>, screen: Screen, utf8: bool) -> Self {
        let Screen { terminal, color, redraws } = screen;
        let screen = Screen { terminal, color: terminal && color, redraws: terminal && redraws };
        Self { to, screen, utf8, closed: false, at_row_start: true }
    }

    pub(super) fn write(&mut self, text: &str) -> io::Result<()> {
        let is_plain = self.screen.terminal && !self.utf8;
        let text = if is_plain { in_ascii(text) } else { Cow::Borrowed(text) };
        self.write_bytes(text.as_bytes())
    }

    pub(super) fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.closed || bytes.is_empty() {
            return Ok(());
        }
        self.at_row_start = bytes.ends_with(b"\n");
        match self.to.write_all(bytes).and_then(|()| self.to.flush()) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.closed = true;
                if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
            }
        }
    }
}

/// A text with our marks in ASCII; a spinner is of Braille.
fn in_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let plain = |c| match c {
        '\u{2800}'..='\u{28ff}' => '*',
        other => MARKS.iter().find(|(mark, _)| *mark == other).map_or(other, |(_, plain)| *plain),
    };
    Cow::Owned(text.chars().map(plain).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::Paper;

    #[test]
    fn a_terminal_without_utf_8_gets_our_marks_in_ascii() {
        let shown = |terminal, utf8| {
            let paper = Paper::default();
            let screen = Screen { terminal, color: false, redraws: false };
            Stream::new(Box::new(paper.clone()), screen, utf8).write("⠹ ✓ 1s · ü…").unwrap();
            paper.text()
        };
        assert_eq!(shown(true, false), "* + 1s - ü.");
        for (terminal, utf8) in [(true, true), (false, false)] {
            assert_eq!(shown(terminal, utf8), "⠹ ✓ 1s · ü…");
        }
    }
}
