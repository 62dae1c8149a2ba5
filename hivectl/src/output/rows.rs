//! The rows of a terminal that are drawn over and over, below all else.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use console::{Term, measure_text_width};
use indicatif::TermLike;

use super::live::CLEAR_BELOW;
use super::raw::rewraps;

/// Where indicatif draws. It fills each row up, so that the terminal begins the next one by itself, and leaves the
/// cursor behind the last. A key that the terminal shows, such as `^C`, would begin a row there, and be cleared in its
/// place; and a terminal that becomes narrower would wrap all rows anew as one long line. Here rows end where their text
/// does, and the cursor waits at the beginning of the last one.
#[derive(Debug)]
pub(super) struct Rows {
    terminal: Term,
    rewraps: bool,
    drawing: Mutex<Drawing>,
}

/// What stands there, or comes to stand there.
#[derive(Debug, Default)]
struct Drawing {
    /// The columns that each row takes.
    widths: Vec<usize>,
    /// Whether all of it is drawn: what is written next is another one.
    is_whole: bool,
}

impl Drawing {
    /// How many rows up the first row begins, of `count` above the last, now that the terminal has these columns.
    fn height_above(&self, count: usize, columns: usize) -> usize {
        let above = self.widths.iter().rev().skip(1).take(count);
        above.map(|width| width.div_ceil(columns.max(1)).max(1)).sum()
    }
}

impl Rows {
    pub(super) fn of_stderr() -> Self {
        Self { terminal: Term::buffered_stderr(), rewraps: rewraps(), drawing: Mutex::default() }
    }

    fn drawing(&self) -> MutexGuard<'_, Drawing> {
        self.drawing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TermLike for Rows {
    fn width(&self) -> u16 {
        self.terminal.size().1
    }

    fn height(&self) -> u16 {
        self.terminal.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        let mut drawing = self.drawing();
        let mut up = n;
        // A drawing begins with the way to the top of the one before.
        if std::mem::take(&mut drawing.is_whole) {
            if self.rewraps {
                up = drawing.height_above(n, self.width().into());
            }
            drawing.widths.clear();
        }
        self.terminal.move_cursor_up(up)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.terminal.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.terminal.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.terminal.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.terminal.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let text = text.trim_end();
        // What fills a row up.
        if text.is_empty() {
            return Ok(());
        }
        let mut drawing = self.drawing();
        if !drawing.widths.is_empty() {
            self.terminal.write_str("\r\n")?;
        }
        drawing.widths.push(measure_text_width(text));
        self.terminal.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.terminal.write_str(CLEAR_BELOW)
    }

    fn flush(&self) -> io::Result<()> {
        self.drawing().is_whole = true;
        self.terminal.write_str("\r")?;
        self.terminal.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrower_terminal_has_more_rows() {
        let drawing = Drawing { widths: vec![90, 10, 80], is_whole: true };
        let up = |columns| drawing.height_above(2, columns);
        assert_eq!((up(100), up(60), up(9), up(0)), (2, 3, 12, 100));
        assert_eq!(Drawing::default().height_above(0, 60), 0);
    }
}
