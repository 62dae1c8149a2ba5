//! The cells of tables: a text, escaped, in its colour, and cut to what fits.

use comfy_table::{Attribute, Color};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::escape::{Place, escape};

/// Stands where text was cut.
const CUT: char = '…';

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
    /// More important than the rest.
    Bold,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Red => "31",
            Self::Dim => "2",
            Self::Bold => "1",
        }
    }

    fn on(self, cell: comfy_table::Cell) -> comfy_table::Cell {
        match self {
            Self::Green => cell.fg(Color::DarkGreen),
            Self::Yellow => cell.fg(Color::DarkYellow),
            Self::Red => cell.fg(Color::DarkRed),
            Self::Dim => cell.add_attribute(Attribute::Dim),
            Self::Bold => cell.add_attribute(Attribute::Bold),
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

    /// The text as it is shown, in its colour where colours are welcome.
    pub fn shown(&self, color: bool) -> String {
        match self.paint {
            Some(paint) if color && !self.text.is_empty() => paint.wrap(&self.text),
            Some(_) | None => self.text.clone(),
        }
    }

    /// How wide it is.
    pub(super) fn width(&self) -> usize {
        self.text.width()
    }

    /// As much of it as fits, for a table.
    pub(super) fn laid_out(&self, width: usize, color: bool) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new(cut(&self.text, width));
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

/// The text, or as much of it as fits with a mark that there is more.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let fits = text.chars().take_while(|c| {
        let left = room.checked_sub(c.width().unwrap_or(0));
        room = left.unwrap_or(0);
        left.is_some()
    });
    let mut shown: String = fits.collect();
    shown.push(CUT);
    shown
}

/// The end of a text, as much of it as fits with a mark that there is more.
pub fn cut_front(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        let Some(left) = room.checked_sub(c.width().unwrap_or(0)) else { break };
        (room, from) = (left, at);
    }
    format!("{CUT}{}", &text[from..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_either_end() {
        assert_eq!((cut("漢字漢字", 6).as_str(), cut("ab", 2).as_str()), ("漢字…", "ab"));
        assert_eq!((cut_front("漢字漢字", 6).as_str(), cut_front("abcd", 3).as_str()), ("…漢字", "…cd"));
    }
}
