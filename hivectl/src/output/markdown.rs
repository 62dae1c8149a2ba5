//! Markdown as it streams, for a terminal: whole lines are rendered once and stay, what still grows is rendered as far
//! as it is known. Foreign text is escaped before anything else, so that no control sequence of it gets through.

mod inline;

use termimad::crossterm::style::{Attribute, Color};
use termimad::minimad::{Alignment, Composite, CompositeStyle, Line, TableRow, TableRule, Text};
use termimad::{CompoundStyle, FmtText, LineStyle, MadSkin, StyledChar};

use super::escape::{Place, escape};
use super::ink::Ink;
use super::wrap::without_tabs;

/// A line longer than this many bytes is shown as several: what grows is rendered again and again.
const LONGEST_LINE: usize = 4096;
/// A table of more rows than this is shown in parts.
const LONGEST_TABLE: usize = 500;
/// How wide the lines are that set code off.
const RULE: usize = 40;
/// A terminal narrower than this is taken for as wide.
const NARROWEST: usize = 12;

/// A text that comes in pieces. However it is cut into them, its finished lines are the same.
#[derive(Debug)]
pub struct Markdown {
    ink: Ink,
    columns: usize,
    skin: MadSkin,
    /// What came of the line that is not finished yet.
    pending: String,
    block: Block,
}

/// What the line before was part of.
#[derive(Debug, Clone, Default)]
enum Block {
    #[default]
    None,
    /// Code, up to a line of this character, at least so many of them.
    Fence { mark: char, length: usize },
    /// Rows, which are laid out together.
    Table(Vec<String>),
}

impl Markdown {
    /// A text to be shown in so many columns.
    pub fn new(ink: Ink, columns: usize) -> Self {
        let columns = columns.max(NARROWEST);
        Self { ink, columns, skin: skin(ink), pending: String::new(), block: Block::None }
    }

    /// What follows is shown in so many columns.
    pub fn resize(&mut self, columns: usize) {
        self.columns = columns.max(NARROWEST);
    }

    /// Takes more of the text, and gives the lines that are finished by it. Lines of code may be wider than the
    /// terminal.
    pub fn push(&mut self, text: &str) -> Vec<String> {
        let mut finished = Vec::new();
        for part in text.split_inclusive('\n') {
            self.pending.push_str(part);
            while self.pending.len() > LONGEST_LINE && self.first_line_len() > LONGEST_LINE {
                let rest = self.pending.split_off(break_of(&self.pending));
                let line = std::mem::replace(&mut self.pending, rest);
                self.line(&line, &mut finished);
            }
            if let Some(line) = self.pending.strip_suffix('\n').map(str::to_owned) {
                self.pending.clear();
                self.line(&line, &mut finished);
            }
        }
        finished
    }

    /// The text is over, or something else comes between: gives the rest of it.
    pub fn finish(&mut self) -> Vec<String> {
        let mut finished = Vec::new();
        let line = std::mem::take(&mut self.pending);
        if !line.is_empty() {
            self.line(&line, &mut finished);
        }
        match std::mem::take(&mut self.block) {
            Block::None => {}
            Block::Fence { .. } => finished.push(self.rule("")),
            Block::Table(rows) => self.table(&rows, &mut finished),
        }
        finished
    }

    /// Whether there is anything that is not finished.
    pub fn is_growing(&self) -> bool {
        !self.pending.is_empty() || matches!(self.block, Block::Table(_))
    }

    /// How the part looks that is not finished yet.
    pub fn growing(&self) -> Vec<String> {
        if !self.is_growing() {
            return Vec::new();
        }
        let mut rest = Self {
            ink: self.ink,
            columns: self.columns,
            skin: self.skin.clone(),
            pending: String::new(),
            block: self.block.clone(),
        };
        let mut lines = Vec::new();
        // An end of a fence is told from code once the line is whole.
        if !self.pending.is_empty() {
            rest.line(&self.pending, &mut lines);
        }
        if let Block::Table(rows) = std::mem::take(&mut rest.block) {
            rest.table(&rows, &mut lines);
        }
        lines
    }

    fn first_line_len(&self) -> usize {
        self.pending.find('\n').unwrap_or(self.pending.len())
    }

    /// Takes a line without its end.
    fn line(&mut self, line: &str, finished: &mut Vec<String>) {
        let line = without_tabs(&escape(line.strip_suffix('\r').unwrap_or(line), Place::Block));
        if let Block::Fence { mark, length } = self.block {
            match fence(&line) {
                Some((found, count, "")) if found == mark && count >= length => {
                    self.block = Block::None;
                    finished.push(self.rule(""));
                }
                Some(_) | None => finished.push(self.code(&line)),
            }
            return;
        }
        if line.trim_start().starts_with('|') {
            match &mut self.block {
                Block::Table(rows) if rows.len() < LONGEST_TABLE => return rows.push(line),
                Block::Table(_) | Block::Fence { .. } | Block::None => {}
            }
            self.end_table(finished);
            self.block = Block::Table(vec![line]);
            return;
        }
        self.end_table(finished);
        if let Some((mark, length, about)) = fence(&line) {
            finished.push(self.rule(about));
            self.block = Block::Fence { mark, length };
            return;
        }
        self.text(&line, finished);
    }

    fn end_table(&mut self, finished: &mut Vec<String>) {
        if let Block::Table(rows) = std::mem::take(&mut self.block) {
            self.table(&rows, finished);
        }
    }

    /// A line that is neither code nor part of a table.
    fn text(&self, line: &str, finished: &mut Vec<String>) {
        if is_rule(line) {
            return finished.push(self.ink.dim(&"─".repeat(self.columns.min(RULE))));
        }
        let (style, indent, rest) = self.style_of(line);
        let mut compounds = inline::parse(rest);
        if indent > 0 && style == CompositeStyle::Paragraph {
            // What is set in by spaces may not be a paragraph of its own, such as the rest of a list's item.
            compounds.insert(0, inline::plain(&line[..indent]));
        }
        self.render(vec![Line::Normal(Composite { style, compounds })], finished);
    }

    /// What kind of line it is, how many bytes it is set in, and what is behind its mark.
    fn style_of<'a>(&self, line: &'a str) -> (CompositeStyle, usize, &'a str) {
        let text = line.trim_start_matches(' ');
        let indent = line.len() - text.len();
        // However deep a list is, there must be room for its words.
        let depth = u8::try_from(indent.min(self.columns / 3)).unwrap_or(u8::MAX);
        let hashes = text.len() - text.trim_start_matches('#').len();
        if let (1..=6, Some(title)) = (hashes, text[hashes..].strip_prefix(' ')) {
            let level = u8::try_from(hashes).unwrap_or(1);
            return (CompositeStyle::Header(level), indent, title.trim());
        }
        if let Some(item) = ["- ", "* ", "+ "].iter().find_map(|mark| text.strip_prefix(mark)) {
            return (CompositeStyle::ListItem(depth), indent, item);
        }
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if let (1..=6, Some(item)) = (digits, text[digits..].strip_prefix(". ")) {
            let index = text[..digits].parse().unwrap_or(1);
            return (CompositeStyle::OrderedListItem { level: depth, index }, indent, item);
        }
        if let Some(quote) = text.strip_prefix('>') {
            return (CompositeStyle::Quote, indent, quote.strip_prefix(' ').unwrap_or(quote));
        }
        (CompositeStyle::Paragraph, indent, text)
    }

    /// Rows that begin with a bar are a table if the second one rules its head off.
    fn table(&self, rows: &[String], finished: &mut Vec<String>) {
        let Some(mut aligned) = rows.get(1).and_then(|row| alignments(row)) else {
            for row in rows {
                self.text(row, finished);
            }
            return;
        };
        let widest = rows.iter().map(|row| cells(row).len()).max().unwrap_or(0);
        // A table whose columns would be too narrow for words is easier to read as it was written.
        if widest * 7 > self.columns {
            for row in rows {
                finished.extend(super::wrap::rows(row, self.columns));
            }
            return;
        }
        aligned.resize(widest, Alignment::Unspecified);
        let rule = || Line::TableRule(TableRule { cells: aligned.clone() });
        let mut lines = vec![rule()];
        for (index, row) in rows.iter().enumerate() {
            if index == 1 {
                lines.push(rule());
                continue;
            }
            let mut cells: Vec<_> = cells(row).into_iter().map(|text| cell(text, index == 0)).collect();
            cells.resize_with(widest, || cell("", false));
            lines.push(Line::TableRow(TableRow { cells }));
        }
        lines.push(rule());
        self.render(lines, finished);
    }

    fn render(&self, lines: Vec<Line<'_>>, finished: &mut Vec<String>) {
        let text = FmtText::from_text(&self.skin, Text { lines }, Some(self.columns)).to_string();
        // Where a line was wrapped there may be a space left.
        finished.extend(text.lines().map(|line| line.trim_end_matches(' ').to_owned()));
    }

    /// A line that sets code off from what is around it.
    fn rule(&self, about: &str) -> String {
        let about = if about.is_empty() { String::new() } else { format!("── {about} ") };
        let rest = self.columns.min(RULE).saturating_sub(super::wrap::width(&about));
        let rule = about + &"─".repeat(rest.max(2));
        self.ink.dim(&super::wrap::cut(&rule, self.columns))
    }

    fn code(&self, line: &str) -> String {
        self.ink.cyan(line)
    }
}

/// Where a line that is too long is broken: behind a space, if there is one.
fn break_of(line: &str) -> usize {
    let most = line.floor_char_boundary(LONGEST_LINE);
    line[..most].rfind(' ').map_or(most, |space| space + 1)
}

/// The character of a line that begins or ends code, how many of them it has, and what it says about the code.
fn fence(line: &str) -> Option<(char, usize, &str)> {
    let line = line.trim();
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let about = line.trim_start_matches(mark);
    let length = line.len() - about.len();
    (length >= 3 && !about.contains(mark)).then_some((mark, length, about.trim()))
}

fn is_rule(line: &str) -> bool {
    ['-', '*', '_'].iter().any(|mark| {
        let marks = line.chars().filter(|c| c == mark).count();
        marks >= 3 && line.chars().all(|c| c == *mark || c == ' ')
    })
}

/// The cells between the bars of a row. A bar behind a backslash, or in code, is part of a cell.
fn cells(row: &str) -> Vec<&str> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let mut cells = Vec::new();
    let (mut start, mut in_code, mut is_escaped) = (0, false, false);
    for (at, c) in row.char_indices() {
        match c {
            '|' if !in_code && !is_escaped => {
                cells.push(row[start..at].trim());
                start = at + 1;
            }
            '`' if !is_escaped => in_code = !in_code,
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    let rest = row[start..].trim();
    if !rest.is_empty() {
        cells.push(rest);
    }
    cells
}

/// A cell with room at its sides.
fn cell(text: &str, is_head: bool) -> Composite<'_> {
    let mut compounds = vec![inline::plain(" ")];
    compounds.extend(inline::parse(text));
    compounds.push(inline::plain(" "));
    for compound in &mut compounds {
        compound.bold |= is_head && !compound.code;
    }
    Composite { style: CompositeStyle::Paragraph, compounds }
}

/// How the columns are aligned, if that is what the row tells.
fn alignments(row: &str) -> Option<Vec<Alignment>> {
    let cells = cells(row);
    let aligned = |cell: &&str| {
        let dashes = cell.strip_prefix(':').unwrap_or(cell);
        let dashes = dashes.strip_suffix(':').unwrap_or(dashes);
        let is_rule = !dashes.is_empty() && dashes.chars().all(|c| c == '-');
        is_rule.then_some(match (cell.starts_with(':'), cell.ends_with(':')) {
            (true, true) => Alignment::Center,
            (false, true) => Alignment::Right,
            (true, false) => Alignment::Left,
            (false, false) => Alignment::Unspecified,
        })
    };
    if cells.is_empty() { None } else { cells.iter().map(aligned).collect() }
}

/// Colours that can be read on dark and on light terminals.
fn skin(ink: Ink) -> MadSkin {
    let mut skin = MadSkin::no_style();
    skin.quote_mark = StyledChar::nude('│');
    for header in &mut skin.headers {
        header.align = Alignment::Left;
    }
    if !ink.color {
        return skin;
    }
    let dim = || CompoundStyle::with_attr(Attribute::Dim);
    skin.bold = CompoundStyle::with_attr(Attribute::Bold);
    skin.italic = CompoundStyle::with_attr(Attribute::Italic);
    skin.strikeout = CompoundStyle::with_attr(Attribute::CrossedOut);
    skin.inline_code = CompoundStyle::with_fg(Color::DarkCyan);
    skin.bullet = StyledChar::new(dim(), '•');
    skin.quote_mark = StyledChar::new(dim(), '│');
    skin.table = LineStyle::from(dim());
    for (level, header) in skin.headers.iter_mut().enumerate() {
        header.add_attr(Attribute::Bold);
        if level < 2 {
            header.add_attr(Attribute::Underlined);
        }
    }
    skin
}

#[cfg(test)]
mod tests;
