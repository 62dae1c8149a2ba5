//! The lower rows of a terminal that are drawn anew as things change, below text that stays. Nothing is ever asked of
//! the terminal, so that a slow line delays nobody who types: all moves are from where the cursor was left.

use std::fmt::Write as _;

use super::wrap::width;

/// Lets the terminal show a frame as a whole. Those that do not know it ignore it.
const BEGIN: &str = "\x1b[?2026h\x1b[?25l";
const END: &str = "\x1b[?25h\x1b[?2026l";
/// To the next row without its being wrapped by the terminal.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";
/// Clears all from the beginning of this row on. Where the terminal is at its first cell, tmux would keep a copy of what
/// is cleared, so it is not done from there.
pub(super) const CLEAR_BELOW: &str = "\r\x1b[C\x1b[J\r\x1b[K";

/// What the live rows show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Region {
    /// None is wider than the terminal.
    pub rows: Vec<String>,
    /// The row and the column of the cursor, from 0.
    pub cursor: (usize, usize),
}

/// The live rows as they stand on the terminal.
#[derive(Debug, Default)]
pub struct Live {
    /// The columns that each row takes.
    drawn: Vec<usize>,
    cursor: (usize, usize),
    shown: Option<Region>,
}

impl Live {
    /// What to write to the terminal so that these lines stand above the region, for good, and the region below them.
    /// The lines may be wider than the terminal.
    pub fn frame(&mut self, above: &[String], region: &Region) -> String {
        if above.is_empty() && self.shown.as_ref() == Some(region) {
            return String::new();
        }
        let mut frame = BEGIN.to_owned();
        frame.push_str(&self.to_the_top());
        for line in above {
            frame.push_str(line);
            frame.push_str("\r\n");
        }
        frame.push_str(NO_WRAP);
        frame.push_str(&region.rows.join("\r\n"));
        frame.push_str(WRAP);
        let (row, column) = region.cursor;
        let below = region.rows.len().saturating_sub(row + 1);
        if below > 0 {
            let _infallible = write!(frame, "\x1b[{below}A");
        }
        let _infallible = write!(frame, "\x1b[{}G", column + 1);
        frame.push_str(END);
        self.drawn = region.rows.iter().map(|row| width(row)).collect();
        self.cursor = region.cursor;
        self.shown = Some(region.clone());
        frame
    }

    /// What to write so that the region is gone and these lines are there instead.
    pub fn leave(&mut self, above: &[String]) -> String {
        let mut text = self.to_the_top();
        for line in above {
            text.push_str(line);
            text.push_str("\r\n");
        }
        *self = Self::default();
        text
    }

    /// What to write so that the region is all there is on the screen.
    pub fn clear_screen(&mut self) -> String {
        *self = Self::default();
        "\x1b[H\x1b[2J".to_owned()
    }

    /// The terminal has other columns now. Where it wraps what it showed by then, rows became several.
    pub fn resized(&mut self, columns: usize, rewraps: bool) {
        self.shown = None;
        if !rewraps || columns == 0 {
            return;
        }
        let rows_of = |width: &usize| width.div_ceil(columns).max(1);
        let (row, column) = self.cursor;
        let above: usize = self.drawn.iter().take(row).map(rows_of).sum();
        self.cursor = (above + column / columns, column % columns);
        let total = self.drawn.iter().map(rows_of).sum();
        self.drawn = vec![0; total];
    }

    fn to_the_top(&self) -> String {
        if self.drawn.is_empty() {
            return String::new();
        }
        let up = if self.cursor.0 > 0 { format!("\x1b[{}A", self.cursor.0) } else { String::new() };
        up + CLEAR_BELOW
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;

    struct Screen(vt100::Parser);

    impl Screen {
        fn new(rows: u16, columns: u16) -> Self {
            let size = |lines| NonZeroU16::new(lines).unwrap();
            Self(vt100::Parser::new(size(rows), size(columns), 1000))
        }

        fn write(&mut self, text: &str) {
            self.0.process(text.as_bytes());
        }

        fn scrollback(&mut self) -> usize {
            self.0.screen_mut().scrollback_len()
        }

        /// All that it shows, with what went off at its top.
        fn text(&mut self) -> Vec<String> {
            let screen = self.0.screen_mut();
            let columns = screen.size().1.get();
            let mut rows = Vec::new();
            for back in (1..=screen.scrollback_len()).rev() {
                screen.set_scrollback(back);
                rows.extend(screen.rows(0, columns).next());
            }
            screen.set_scrollback(0);
            rows.extend(screen.rows(0, columns));
            while rows.last().is_some_and(String::is_empty) {
                rows.pop();
            }
            rows
        }
    }

    fn region(rows: &[&str], cursor: (usize, usize)) -> Region {
        Region { rows: rows.iter().map(|&row| row.to_owned()).collect(), cursor }
    }

    fn lines(from: usize, to: usize) -> Vec<String> {
        (from..to).map(|n| format!("line {n}")).collect()
    }

    #[test]
    fn what_is_above_stays_and_the_region_moves_down() {
        let mut screen = Screen::new(6, 20);
        let mut live = Live::default();
        let mut expected = Vec::new();
        for n in 0..20 {
            // A region that grows and shrinks, with the cursor now here, now there.
            let rows: Vec<String> = (0..=n % 4).map(|row| format!("row {row} of {n}")).collect();
            let cursor = (n % rows.len(), n % 7);
            let frame = live.frame(&lines(n, n + 1), &Region { rows: rows.clone(), cursor });
            screen.write(&frame);
            expected.push(format!("line {n}"));
            let shown: Vec<String> = expected.iter().chain(&rows).cloned().collect();
            assert_eq!(screen.text(), shown, "frame {n}");
            let (row, column) = screen.0.screen().cursor_position();
            assert_eq!(usize::from(column), cursor.1);
            let off = screen.scrollback();
            assert_eq!(usize::from(row), shown.len() - rows.len() + cursor.0 - off);
        }
        let farewell = live.leave(&["bye".into()]);
        screen.write(&farewell);
        expected.push("bye".into());
        assert_eq!(screen.text(), expected);
    }

    #[test]
    fn lines_wider_than_the_terminal_are_whole() {
        let mut screen = Screen::new(5, 10);
        let mut live = Live::default();
        screen.write(&live.frame(&[], &region(&["> abc"], (0, 5))));
        screen.write(&live.frame(&["0123456789".repeat(3), "x".into()], &region(&["> abc"], (0, 5))));
        screen.write(&live.frame(&["漢字".repeat(4)], &region(&["> abc"], (0, 5))));
        assert_eq!(screen.text().concat(), format!("{}x{}> abc", "0123456789".repeat(3), "漢字".repeat(4)));
    }

    #[test]
    fn a_frame_that_changes_nothing_is_none() {
        let mut live = Live::default();
        assert_ne!(live.frame(&[], &region(&["> "], (0, 2))), "");
        assert_eq!(live.frame(&[], &region(&["> "], (0, 2))), "");
        live.resized(80, true);
        assert_ne!(live.frame(&[], &region(&["> "], (0, 2))), "");
    }

    #[test]
    fn a_narrower_terminal_that_wraps_again_is_cleared_as_a_whole() {
        let mut screen = Screen::new(8, 20);
        let mut live = Live::default();
        screen.write(&live.frame(&["kept".into()], &region(&["0123456789abcdef", "> abcdefghijk"], (1, 13))));
        // What such a terminal shows after it became 10 columns wide.
        let mut narrow = Screen::new(8, 10);
        narrow.write("kept\r\n0123456789\r\nabcdef\r\n> abcdefgh\r\nijk");
        live.resized(10, true);
        narrow.write(&live.frame(&[], &region(&["> abc"], (0, 5))));
        assert_eq!(narrow.text(), ["kept", "> abc"]);
    }
}
