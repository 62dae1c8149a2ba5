//! Tables for people: columns side by side without lines between them, and no wider than the terminal. Where it is
//! narrow, columns are left out and cells are cut, and the table says that they were.

use comfy_table::presets::NOTHING;
use comfy_table::{ColumnConstraint, ContentArrangement, Width};

pub use super::cell::Cell;
pub use super::ink::Paint;
use super::wrap::width;

/// Between two columns.
const GAP: usize = 2;
/// The last column holds the words: before it gets less than this, columns are left out and give way.
const LAST_AT_LEAST: usize = 8;
/// No column is cut to less than this.
const NARROWEST: usize = 4;
/// Where there is no edge, as in a pipe, no column is wider: a cell may hold all that an agent said.
const WIDEST: usize = 200;

/// Rows under a header.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    /// The columns that are left out where all do not fit, the first of them first.
    dispensable: Vec<&'static str>,
    last_at_least: usize,
    /// Whether rows come one at a time, so that they must stand under each other whatever is in them.
    is_open: bool,
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Column {
    name: &'static str,
    /// How wide it is at least and at most.
    bounds: (usize, usize),
    /// How narrow it may get where all columns do not fit.
    gives_way_to: Option<usize>,
    /// Whether it is left out while all its cells are empty.
    is_optional: bool,
}

#[derive(Debug, Clone)]
enum Row {
    Cells(Vec<Cell>),
    /// Lines of their own among the rows, as they stand.
    Text(String),
}

/// A table as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The lines, each of which ends in a newline.
    pub text: String,
    /// Whether any cell was cut.
    pub cut: bool,
    /// The columns for which there was no room.
    pub left_out: Vec<&'static str>,
}

impl Table {
    /// A table of these columns.
    pub fn new(header: &[&'static str]) -> Self {
        let column = |name: &&'static str| Column {
            name,
            bounds: (0, usize::MAX),
            gives_way_to: None,
            is_optional: false,
        };
        Self {
            columns: header.iter().map(column).collect(),
            dispensable: Vec::new(),
            last_at_least: LAST_AT_LEAST,
            is_open: false,
            rows: Vec::new(),
        }
    }

    /// The same with columns of at least these widths, for rows that come one at a time.
    #[must_use]
    pub fn at_least(mut self, widths: &[u16]) -> Self {
        for (column, least) in self.columns.iter_mut().zip(widths) {
            column.bounds.0 = usize::from(*least);
        }
        self.is_open = true;
        self
    }

    /// The same with the column of this name no wider than that, whatever its cells hold.
    #[must_use]
    pub fn at_most(mut self, column: &str, width: usize) -> Self {
        self.named(column).for_each(|column| column.bounds.1 = width);
        self
    }

    /// The same with a column that may be cut down to this width before others are left out.
    #[must_use]
    pub fn gives_way(mut self, column: &str, to: usize) -> Self {
        self.named(column).for_each(|column| column.gives_way_to = Some(to));
        self
    }

    /// The same with a last column that is wide enough for this before others are left out.
    #[must_use]
    pub fn last_at_least(mut self, width: usize) -> Self {
        self.last_at_least = width;
        self
    }

    /// The same with columns that are left out where all do not fit, the first of them first.
    #[must_use]
    pub fn dispensable(mut self, columns: &[&'static str]) -> Self {
        self.dispensable = columns.to_vec();
        self
    }

    /// The same with columns that are left out while all their cells are empty.
    #[must_use]
    pub fn optional(mut self, columns: &[&str]) -> Self {
        for name in columns {
            self.named(name).for_each(|column| column.is_optional = true);
        }
        self
    }

    fn named(&mut self, name: &str) -> impl Iterator<Item = &mut Column> {
        self.columns.iter_mut().filter(move |column| column.name == name)
    }

    /// Adds a row, a cell for each column. Those that are missing at its end are empty.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(Row::Cells(cells));
    }

    /// Adds lines of their own, which are printed as they stand. The caller has escaped and painted them.
    pub fn text(&mut self, lines: impl Into<String>) {
        self.rows.push(Row::Text(lines.into()));
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Keeps the first rows alone.
    pub fn truncate(&mut self, rows: usize) {
        self.rows.truncate(rows);
    }

    /// The table as text, with the header; `edge` is the width of the terminal, where there is one.
    pub fn render(&self, edge: Option<u16>, color: bool) -> Rendered {
        let layout = self.lay_out(edge);
        let header: Vec<_> =
            self.columns.iter().map(|column| Cell::painted(column.name, Paint::Dim)).collect();
        let text = layout.lines([header.as_slice()], color) + &self.lines(&layout, color);
        Rendered { text, cut: layout.cut, left_out: layout.left_out }
    }

    /// Takes the rows out as text, without the header. Rows that come later are as wide at least.
    pub fn take_rows(&mut self, edge: Option<u16>, color: bool) -> Rendered {
        let layout = self.lay_out(edge);
        let text = self.lines(&layout, color);
        if let Some((_last, others)) = layout.columns.split_last() {
            for (index, width) in others {
                let (least, most) = &mut self.columns[*index].bounds;
                *least = (*least).max(*width).min(*most);
            }
        }
        self.rows.clear();
        Rendered { text, cut: layout.cut, left_out: layout.left_out }
    }

    fn lines(&self, layout: &Layout, color: bool) -> String {
        let is_cells = |row: &Row| matches!(row, Row::Cells(_));
        let runs = self.rows.chunk_by(|row, next| is_cells(row) && is_cells(next)).map(|run| match run {
            [Row::Text(text)] => text.clone(),
            rows => layout.lines(rows.iter().filter_map(Row::cells), color),
        });
        runs.collect()
    }

    fn lay_out(&self, edge: Option<u16>) -> Layout {
        let wide: Vec<_> = (0..self.columns.len()).map(|index| self.widest(index)).collect();
        let mut shown: Vec<Room> = Vec::new();
        for (index, (column, wide)) in self.columns.iter().zip(&wide).enumerate() {
            if *wide == 0 && column.is_optional {
                continue;
            }
            let (least, most) = column.bounds;
            let most = if edge.is_none() { most.min(WIDEST) } else { most };
            let width = (*wide).max(width(column.name)).max(least).min(most);
            shown.push(Room { index, width, floor: column.gives_way_to.map_or(width, |to| to.min(width)) });
        }
        if let Some(last) = shown.last_mut() {
            if self.is_open {
                last.width = last.width.max(edge.map_or(0, usize::from));
            }
            last.floor = self.last_at_least.min(last.width);
        }
        let mut left_out = Vec::new();
        if let Some(edge) = edge.map(usize::from) {
            let mut dispensable = self.dispensable.iter();
            while total(shown.iter().map(|room| room.floor)) > edge
                && let Some(name) = dispensable.next()
            {
                if let Some(at) = shown.iter().position(|room| self.columns[room.index].name == *name) {
                    shown.remove(at);
                    left_out.push(*name);
                }
            }
            if total(shown.iter().map(|room| room.floor)) > edge {
                for room in &mut shown {
                    room.floor = room.floor.min(NARROWEST);
                }
            }
            while total(shown.iter().map(|room| room.width)) > edge {
                let wider = shown.iter_mut().filter(|room| room.width > room.floor);
                let Some(widest) = wider.max_by_key(|room| room.width) else { break };
                widest.width -= 1;
            }
        }
        let cut = shown.iter().any(|room| wide[room.index] > room.width);
        Layout { columns: shown.iter().map(|room| (room.index, room.width)).collect(), left_out, cut }
    }

    /// How wide the cells of a column are.
    fn widest(&self, column: usize) -> usize {
        let widths = self.rows.iter().map(|row| match row {
            Row::Cells(cells) => cells.get(column).map_or(0, Cell::width),
            Row::Text(_) => 0,
        });
        widths.max().unwrap_or(0)
    }
}

/// What a column gets.
struct Room {
    index: usize,
    width: usize,
    floor: usize,
}

struct Layout {
    /// The columns that are shown, by their place, and their widths.
    columns: Vec<(usize, usize)>,
    left_out: Vec<&'static str>,
    cut: bool,
}

/// How wide columns are together.
fn total(widths: impl ExactSizeIterator<Item = usize>) -> usize {
    let gaps = GAP * widths.len().saturating_sub(1);
    gaps + widths.sum::<usize>()
}

impl Row {
    fn cells(&self) -> Option<&[Cell]> {
        match self {
            Self::Cells(cells) => Some(cells),
            Self::Text(_) => None,
        }
    }
}

impl Layout {
    /// Rows of cells under each other, in lines that end in a newline.
    fn lines<'a>(&self, rows: impl IntoIterator<Item = &'a [Cell]>, color: bool) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING).force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
        if color {
            table.enforce_styling().style_text_only();
        }
        for cells in rows {
            let shown = self.columns.iter().map(|(index, width)| match cells.get(*index) {
                Some(cell) => cell.laid_out(*width, color),
                None => comfy_table::Cell::new(""),
            });
            table.add_row(shown.collect::<Vec<_>>());
        }
        let last = self.columns.len().saturating_sub(1);
        for (place, (column, (_, width))) in table.column_iter_mut().zip(&self.columns).enumerate() {
            let gap = if place == last { 0 } else { GAP };
            let padding = u16::try_from(gap).unwrap_or(0);
            let width = u16::try_from(width + gap).unwrap_or(u16::MAX);
            column.set_padding((0, padding)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        }
        table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
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
        let rendered = table().render(None, false);
        assert_eq!(
            rendered.text,
            "ID      STATUS     TITLE\n\
             TASK-1  failed     漢字 and\\x1b[2J more\n\
             T       completed\n"
        );
        assert!(!rendered.cut);
    }

    #[test]
    fn a_terminal_has_an_edge() {
        let rendered = table().render(Some(27), false);
        assert_eq!(rendered.text.lines().nth(1), Some("TASK-1  failed     漢字 an…"));
        assert!(rendered.cut);
        let narrow = table().render(Some(20), false).text;
        assert!(narrow.lines().count() == 3 && narrow.contains('…'), "{narrow}");
        assert!(narrow.lines().all(|line| width(line) <= 20), "{narrow}");
    }

    #[test]
    fn cells_stand_out_where_colours_are_welcome() {
        let text = table().render(Some(80), true).text;
        assert!(text.starts_with("\x1b[2mID\x1b[0m      \x1b[2mSTATUS\x1b[0m"), "{text:?}");
        assert!(!table().render(Some(80), false).text.contains('\x1b'));
    }

    #[test]
    fn a_column_may_be_bounded() {
        let mut table = Table::new(&["A", "B"]).at_most("A", 4);
        table.row(vec!["ab cdef".into(), "y".into()]);
        for edge in [None, Some(40)] {
            assert_eq!(table.render(edge, false).text, "A     B\nab …  y\n");
        }
    }

    #[test]
    fn without_an_edge_a_cell_is_bounded_all_the_same() {
        let mut table = Table::new(&["A", "B"]);
        table.row(vec!["x".repeat(5_000).into(), "y".repeat(5_000).into()]);
        let rendered = table.render(None, false);
        let line = rendered.text.lines().nth(1).unwrap();
        assert!(rendered.cut && line.ends_with("y…"), "{line}");
        assert_eq!(width(line), WIDEST + GAP + WIDEST);
    }

    #[test]
    fn rows_that_come_one_at_a_time_keep_their_widths() {
        let mut table = Table::new(&["A", "B"]).at_least(&[4]);
        let mut next = |a: &str| {
            table.row(vec![a.into(), "y".into()]);
            table.take_rows(None, false).text
        };
        assert_eq!(next("x"), "x     y\n");
        assert_eq!(next("longer"), "longer  y\n");
        assert_eq!(next("x"), "x       y\n");
        assert_eq!(table.take_rows(None, false).text, "");
    }

    #[test]
    fn rows_that_come_one_at_a_time_stand_under_each_other_where_it_is_narrow() {
        let mut table = Table::new(&["ID", "WHAT"]).at_least(&[12]);
        let mut next = |what: &str| {
            table.row(vec!["TASK-1234567".into(), what.into()]);
            table.take_rows(Some(16), false).text
        };
        assert_eq!((next("some words"), next("ok")), ("TASK-1…  some w…\n".into(), "TASK-1…  ok\n".into()));
    }

    #[test]
    fn where_it_is_narrow_columns_give_way_and_are_left_out_before_words_are_lost() {
        let mut table = Table::new(&["BOT", "NOW", "LAST", "HEALTH"])
            .gives_way("NOW", 6)
            .dispensable(&["LAST"])
            .last_at_least(12);
        table.row(vec!["BOT-1".into(), "mend the login".into(), "1s ago".into(), "all is very well".into()]);
        let shown = |edge| {
            let Rendered { text, cut, left_out } = table.render(Some(edge), false);
            (text.lines().nth(1).unwrap().to_owned(), cut, left_out)
        };
        assert_eq!(shown(60), ("BOT-1  mend the login  1s ago  all is very well".into(), false, vec![]));
        assert_eq!(shown(40), ("BOT-1  mend the l…  1s ago  all is very…".into(), true, vec![]));
        assert_eq!(shown(34), ("BOT-1  mend the log…  all is very…".into(), true, vec!["LAST"]));
    }

    #[test]
    fn a_column_that_is_empty_may_be_left_out() {
        let mut table = Table::new(&["A", "B", "C"]).optional(&["B"]);
        table.row(vec!["1".into(), "".into(), "3".into()]);
        assert_eq!(table.render(None, false).text, "A  C\n1  3\n");
        table.row(vec!["1".into(), "2".into(), "3".into()]);
        assert_eq!(table.render(None, false).text, "A  B  C\n1     3\n1  2  3\n");
    }

    #[test]
    fn lines_of_their_own_stand_among_the_rows() {
        let mut table = Table::new(&["A", "B"]);
        table.text("-- a day --\n");
        table.row(vec!["1".into(), "2".into()]);
        assert_eq!(table.render(None, false).text, "A  B\n-- a day --\n1  2\n");
    }
}
