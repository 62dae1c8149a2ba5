//! Where text goes: stdout or stderr, and what each is good for.

use std::io::{self, Write};

use super::ink::Ink;

/// A stream, until its reader goes away.
pub(super) struct Stream {
    to: Box<dyn Write + Send>,
    pub(super) screen: Screen,
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
    pub(super) fn new(to: Box<dyn Write + Send>, screen: Screen) -> Self {
        let Screen { terminal, color, redraws } = screen;
        let screen = Screen { terminal, color: terminal && color, redraws: terminal && redraws };
        Self { to, screen, closed: false, at_row_start: true }
    }

    pub(super) fn write(&mut self, text: &str) -> io::Result<()> {
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
