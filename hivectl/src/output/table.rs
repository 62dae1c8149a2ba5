//! Tables for people: columns side by side without lines between them, and no wider than the terminal.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Color, ColumnConstraint, ContentArrangement, Row, Width};

use super::escape::{Place, escape};

/// Between two columns.
const GAP: u16 = 2;
/// The last column holds the words; where it would get less than this, all columns give way to each other.
const LAST_AT_LEAST: u16 = 8;

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

    fn on(self, cell: comfy_table::Cell) -> comfy_table::Cell {
        match self {
            Self::Green => cell.fg(Color::DarkGreen),
            Self::Yellow => cell.fg(Color::DarkYellow),
            Self::Red => cell.fg(Color::DarkRed),
            Self::Dim => cell.add_attribute(Attribute::Dim),
        }
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

    fn laid_out(&self, color: bool) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new(&self.text);
        match self.paint {
            Some(paint) if color => paint.on(cell),
            Some(_) | None => cell,
        }
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
    /// How wide each column is at least and at most.
    bounds: Vec<(u16, u16)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table of these columns.
    pub fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), bounds: vec![(0, u16::MAX); header.len()], rows: Vec::new() }
    }

    /// The same with columns of at least these widths, for rows that come one at a time.
    #[must_use]
    pub fn at_least(mut self, widths: &[u16]) -> Self {
        for (bounds, least) in self.bounds.iter_mut().zip(widths) {
            bounds.0 = *least;
        }
        self
    }

    /// The same with the column of this name no wider than that, whatever its cells hold.
    #[must_use]
    pub fn at_most(mut self, column: &str, width: u16) -> Self {
        for (bounds, _) in self.bounds.iter_mut().zip(&self.header).filter(|(_, name)| **name == column) {
            bounds.1 = width;
        }
        self
    }

    /// Adds a row, a cell for each column. Those that are missing at its end are empty.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The table as text, with the header, each line ending in a newline; `edge` is the width of the terminal, where
    /// there is one.
    pub fn render(&self, edge: Option<u16>, color: bool) -> String {
        let (table, _) = self.laid_out(edge, color);
        text(table.lines())
    }

    /// Takes the rows out as text, without the header. Rows that come later are as wide at least.
    pub fn take_rows(&mut self, edge: Option<u16>, color: bool) -> String {
        let (table, widths) = self.laid_out(edge, color);
        let text = text(table.lines().skip(1));
        for (bounds, width) in self.bounds.iter_mut().zip(widths) {
            bounds.0 = bounds.0.max(width);
        }
        self.rows.clear();
        text
    }

    /// The table and the widths of all columns but the last.
    fn laid_out(&self, edge: Option<u16>, color: bool) -> (comfy_table::Table, Vec<u16>) {
        let row = |cells: &mut dyn Iterator<Item = comfy_table::Cell>| {
            let mut row = Row::from(cells.collect::<Vec<_>>());
            row.max_height(1);
            row
        };
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING).force_no_tty();
        // A cell is cut where it reaches its column's edge, not at the last space before it: none holds this character.
        table.set_delimiter('\n');
        if color {
            table.enforce_styling().style_text_only();
        }
        let header = self.header.iter().map(|name| Cell::painted(name, Paint::Dim));
        table.set_header(row(&mut header.map(|cell| cell.laid_out(color))));
        table.add_rows(self.rows.iter().map(|cells| row(&mut cells.iter().map(|cell| cell.laid_out(color)))));

        let mut widths = table.column_max_content_widths();
        let _last = widths.pop();
        for (width, (least, most)) in widths.iter_mut().zip(&self.bounds) {
            *width = (*width).max(*least).min(*most);
        }
        let fixed = widths.iter().fold(0_u16, |sum, width| sum.saturating_add(width.saturating_add(GAP)));
        let fits = edge.is_none_or(|edge| fixed.saturating_add(LAST_AT_LEAST) <= edge);
        if let Some(edge) = edge {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(edge);
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            match widths.get(index) {
                Some(width) => {
                    column.set_padding((0, GAP));
                    let width = Width::Fixed(width.saturating_add(GAP));
                    column.set_constraint(if fits {
                        ColumnConstraint::Absolute(width)
                    } else {
                        ColumnConstraint::UpperBoundary(width)
                    });
                }
                None => {
                    column.set_padding((0, 0));
                }
            }
        }
        (table, widths)
    }
}

fn text(lines: impl Iterator<Item = String>) -> String {
    lines.fold(String::new(), |mut text, line| {
        text.push_str(line.trim_end());
        text.push('\n');
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["ID", "STATUS", "TITLE"]);
        table.row(vec!["TASK-1".into(), Cell::painted("failed", Paint::Red), "漢字 and\x1b[2J more".into()]);
        table.row(vec!["T".into(), "completed".into()]);
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
    fn a_terminal_has_an_edge() {
        let text = table().render(Some(27), false);
        assert_eq!(text.lines().nth(1), Some("TASK-1  failed     漢字 an…"));
        let narrow = table().render(Some(20), false);
        assert!(narrow.lines().count() == 3 && narrow.contains('…'), "{narrow}");
    }

    #[test]
    fn cells_stand_out_where_colours_are_welcome() {
        let text = table().render(Some(80), true);
        assert!(text.starts_with("\x1b[2mID\x1b[0m      \x1b[2mSTATUS\x1b[0m"), "{text:?}");
        assert!(!table().render(Some(80), false).contains('\x1b'));
    }

    #[test]
    fn a_column_may_be_bounded() {
        let mut table = Table::new(&["A", "B"]).at_most("A", 4);
        table.row(vec!["ab cdef".into(), "y".into()]);
        for edge in [None, Some(40)] {
            assert_eq!(table.render(edge, false), "A     B\nab …  y\n");
        }
    }

    #[test]
    fn rows_that_come_one_at_a_time_keep_their_widths() {
        let mut table = Table::new(&["A", "B"]).at_least(&[4]);
        table.row(vec!["x".into(), "y".into()]);
        assert_eq!(table.take_rows(None, false), "x     y\n");
        table.row(vec!["longer".into(), "y".into()]);
        assert_eq!(table.take_rows(None, false), "longer  y\n");
        table.row(vec!["x".into(), "y".into()]);
        assert_eq!(table.take_rows(None, false), "x       y\n");
        assert_eq!(table.take_rows(None, false), "");
    }
}
