//! Colours and weights, where they are welcome.

/// How a text stands out on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// All is well.
    Green,
    /// Worth a look.
    Yellow,
    /// Went wrong, or needs somebody.
    Red,
    /// A name, such as a bot's.
    Cyan,
    /// Less important than the rest.
    Dim,
    /// More important than the rest.
    Bold,
}

impl Paint {
    /// The parameter of the control sequence that begins it.
    fn code(self) -> &'static str {
        match self {
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Red => "31",
            Self::Cyan => "36",
            Self::Dim => "2",
            Self::Bold => "1",
        }
    }
}

/// Writes text in colours, or leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ink {
    /// Whether colours and weights are welcome.
    pub color: bool,
}

impl Ink {
    /// The text as this paint shows it.
    pub fn paint(self, paint: Paint, text: &str) -> String {
        if self.color && !text.is_empty() {
            format!("\x1b[{}m{text}\x1b[0m", paint.code())
        } else {
            text.to_owned()
        }
    }

    /// What stands back.
    pub fn dim(self, text: &str) -> String {
        self.paint(Paint::Dim, text)
    }

    /// What stands out.
    pub fn bold(self, text: &str) -> String {
        self.paint(Paint::Bold, text)
    }

    /// All is well.
    pub fn green(self, text: &str) -> String {
        self.paint(Paint::Green, text)
    }

    /// Worth a look.
    pub fn yellow(self, text: &str) -> String {
        self.paint(Paint::Yellow, text)
    }

    /// Something went wrong.
    pub fn red(self, text: &str) -> String {
        self.paint(Paint::Red, text)
    }

    /// A name, such as a bot's.
    pub fn cyan(self, text: &str) -> String {
        self.paint(Paint::Cyan, text)
    }
}
