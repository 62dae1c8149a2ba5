//! All that hivectl prints, and the only place that does: the result to stdout, the rest to stderr, each stream by its
//! own terminal (SPEC 10). A reader that goes away is no error: what follows is dropped, and the exit status stays.

pub mod answer;
pub mod cell;
pub mod escape;
pub mod ink;
pub mod json;
pub mod live;
pub mod markdown;
pub mod page;
mod printer;
pub mod progress;
pub mod raw;
mod rows;
pub mod said;
pub mod screen;
pub mod steps;
mod stream;
pub mod table;
pub mod text;
pub mod wrap;

pub use printer::Printer;
#[cfg(test)]
pub(crate) use printer::tests;

use ink::Ink;

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One array or object.
    Json,
    /// One object a line.
    Ndjson,
}

/// What the command line says about output.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// `-o`.
    pub format: Option<Format>,
    /// `-q`: no progress and no notices.
    pub quiet: bool,
    /// `-v`: more notices.
    pub verbose: bool,
}

/// What makes text readable, where it is welcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Colours.
    pub color: bool,
    /// Characters beyond ASCII.
    pub utf8: bool,
}

impl Style {
    /// What paints in it.
    pub fn ink(self) -> Ink {
        Ink { color: self.color }
    }
}

/// Whether the locale of this process has characters beyond ASCII.
pub fn has_utf8_locale() -> bool {
    screen::is_utf8(|name| std::env::var(name).ok())
}
