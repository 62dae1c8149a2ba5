//! Tables for people: columns side by side, the last one cut at the edge of the terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::escape::{Place, escape};

/// Between two columns.
const GAP: &str = "  ";

/// How a cell stands out on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// All is well.
    Green,
    /// Worth a look.
    Yellow,
    /// Needs somebody.
    Red,
    /// Less important than the rest.
    Dim,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Red => "31",
            Self::Dim => "2",
        }
    }

    /// The text in this colour.
    pub fn wrap(self, text: &str) -> String {
        format!("\x1b[{}m{text}\x1b[0m", self.code())
    }
}

/// One cell. Foreign text in it is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    paint: Option<Paint>,
}

impl Cell {
    /// A cell that stands out.
    pub fn painted(text: impl AsRef<str>, paint: Paint) -> Self {
        Self { paint: Some(paint), ..Self::from(text.as_ref()) }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self { text: escape(text, Place::Line), paint: None }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

/// Rows under a header.
#[derive(Debug, Clone)]
pub struct Table {
    header: Vec<&'static str>,
    widths: Vec<usize>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table of these columns.
    pub fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), widths: header.iter().map(|h| h.width()).collect(), rows: Vec::new() }
    }

    /// The same with columns of at least these widths, for rows that come one at a time.
    #[must_use]
    pub fn at_least(mut self, widths: &[usize]) -> Self {
        for (width, least) in self.widths.iter_mut().zip(widths) {
            *width = (*width).max(*least);
        }
        self
    }

    /// Adds a row, a cell for each column.
    pub fn row(&mut self, cells: Vec<Cell>) {
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = (*width).max(cell.text.width());
        }
        self.rows.push(cells);
    }

    /// The table as text, with the header, each line ending in a newline.
    pub fn render(&self, edge: Option<usize>, color: bool) -> String {
        let header = self.header.iter().map(|h| Cell::painted(h, Paint::Dim)).collect();
        std::iter::once(&header).chain(&self.rows).map(|row| self.line(row, edge, color)).collect()
    }

    /// Drops the rows; the widths stay.
    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// Takes the rows out as text, without the header; the widths stay.
    pub fn take_rows(&mut self, edge: Option<usize>, color: bool) -> String {
        let rows = std::mem::take(&mut self.rows);
        rows.iter().map(|row| self.line(row, edge, color)).collect()
    }

    fn line(&self, row: &[Cell], edge: Option<usize>, color: bool) -> String {
        let mut line = String::new();
        let mut column = 0;
        let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
        for (i, (cell, width)) in row.iter().zip(&self.widths).enumerate().take(last + 1) {
            let room = edge.map_or(usize::MAX, |edge| edge.saturating_sub(column));
            let text = cut(&cell.text, room);
            let pad = if i == last { 0 } else { width.saturating_sub(text.width()) };
            match cell.paint {
                Some(paint) if color => line.push_str(&paint.wrap(&text)),
                Some(_) | None => line.push_str(&text),
            }
            column += width + GAP.len();
            if i != last && edge.is_none_or(|edge| column < edge) {
                line.extend(std::iter::repeat_n(' ', pad));
                line.push_str(GAP);
            } else {
                break;
            }
        }
        line.push('\n');
        line
    }
}

/// The text in at most `room` columns; what is cut ends in `…`.
pub fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used >= room {
            break;
        }
        shown.push(c);
    }
    if room > 0 {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["ID", "STATUS", "TITLE"]);
        table.row(vec!["TASK-1".into(), Cell::painted("failed", Paint::Red), "漢字 and\x1b[2J more".into()]);
        table.row(vec!["T".into(), "completed".into(), "".into()]);
        table
    }

    #[test]
    fn columns_stand_under_each_other() {
        assert_eq!(
            table().render(None, false),
            "ID      STATUS     TITLE\n\
             TASK-1  failed     漢字 and\\x1b[2J more\n\
             T       completed\n"
        );
    }

    #[test]
    fn a_terminal_has_an_edge_and_colours() {
        let text = table().render(Some(26), true);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "TASK-1  \x1b[31mfailed\x1b[0m     漢字 a…");
        assert_eq!(cut("漢字", 3), "漢…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn rows_that_come_one_at_a_time_keep_their_widths() {
        let mut table = Table::new(&["A", "B"]).at_least(&[4]);
        table.row(vec!["x".into(), "y".into()]);
        assert_eq!(table.take_rows(None, false), "x     y\n");
        table.row(vec!["longer".into(), "y".into()]);
        assert_eq!(table.take_rows(None, false), "longer  y\n");
        assert_eq!(table.take_rows(None, false), "");
    }
}
