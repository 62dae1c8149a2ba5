//! The cells of tables: a text, escaped, in its colour, and cut to what fits.

use comfy_table::{Attribute, Color};

use super::escape::{Place, escape};
use super::ink::{Ink, Paint};
use super::wrap::{cut, width};

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
            Some(paint) => Ink { color }.paint(paint, &self.text),
            None => self.text.clone(),
        }
    }

    /// How wide it is.
    pub(super) fn width(&self) -> usize {
        width(&self.text)
    }

    /// As much of it as fits, for a table.
    pub(super) fn laid_out(&self, width: usize, color: bool) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new(cut(&self.text, width));
        match self.paint {
            Some(paint) if color => painted(paint, cell),
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

/// The cell as the library that lays tables out paints it.
fn painted(paint: Paint, cell: comfy_table::Cell) -> comfy_table::Cell {
    match paint {
        Paint::Green => cell.fg(Color::DarkGreen),
        Paint::Yellow => cell.fg(Color::DarkYellow),
        Paint::Red => cell.fg(Color::DarkRed),
        Paint::Cyan => cell.fg(Color::DarkCyan),
        Paint::Dim => cell.add_attribute(Attribute::Dim),
        Paint::Bold => cell.add_attribute(Attribute::Bold),
    }
}
