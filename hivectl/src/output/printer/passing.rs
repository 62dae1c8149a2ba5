//! What is on a terminal for a while: how a wait goes, what goes on, and what is watched.

use super::Printer;
use crate::output::Format;
use crate::output::escape::{Place, escape};
use crate::output::progress::{Going, Standing};
use crate::output::screen::{self, Watched};
use crate::output::table::Table;

/// To the beginning of the row, which is then empty.
const CLEAR_ROW: &str = "\r\x1b[K";

impl Printer {
    /// Whether stdout is a terminal with room below the results for what goes on. See [`Printer::going`].
    pub fn shows_going(&self) -> bool {
        self.format() == Format::Table && self.may_redraw() && self.shows_progress()
    }

    /// Shows what goes on in lines below the results, in place of those before; see [`Printer::shows_going`].
    pub fn going(&mut self, lines: &[Going]) {
        if self.shows_going() {
            self.progress.show_going(lines);
        }
    }

    /// Shows a table over the one before it, on a screen of its own, under a line that says what it is. What does not
    /// fit on the screen is left out there; all of it stays when the watching ends, with [`Printer::settle`].
    pub fn redraw(&mut self, head: &str, table: &Table) {
        let (color, size) = (self.out.screen.color, screen::size());
        let head = escape(head, Place::Line);
        let drawn = screen::draw(&head, table, size, color);
        let begin = if self.watched.is_none() { screen::ENTER } else { "" };
        self.watched = Some(Watched { last: table.render(self.edge(), color).text });
        let wrote = self.out.write(&format!("{begin}{drawn}"));
        self.note(wrote);
    }

    /// Shows how a wait goes: a line that the next one replaces. See [`Printer::shows_progress`].
    pub fn progress(&mut self, standing: &Standing) {
        if self.shows_progress() {
            self.progress.show(standing);
        }
    }

    /// Whether there is somebody who could see how a wait goes.
    pub fn shows_progress(&self) -> bool {
        !self.options.quiet && self.err.screen.redraws
    }

    /// Takes away what is there for a while: lines of progress, and the screen of a watch, whose last state stays.
    pub fn settle(&mut self) {
        self.progress.take_away();
        if let Some(Watched { last }) = self.watched.take() {
            let wrote = self.out.write(&format!("{}{last}", screen::LEAVE));
            self.note(wrote);
        }
    }

    /// Gives the terminal back to a person who leaves: at the beginning of a row. The terminal itself may have shown the
    /// key by which they do.
    pub fn part(&mut self) {
        self.settle();
        let text = match (self.out.screen.terminal, self.out.at_row_start) {
            (true, false) => "\n",
            (_, true) if self.err.screen.redraws => CLEAR_ROW,
            (_, _) => "",
        };
        let wrote = self.err.write(text);
        self.note(wrote);
    }
}
