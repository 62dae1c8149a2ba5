//! One thing in detail: lines of a name and what it is.

use std::fmt::Write;
use std::path::Path;

use super::escape::{Place, escape};
use super::table::{Cell, Paint};

/// How wide the column of the names is.
const NAMES: usize = 15;

/// The lines, while they are gathered.
#[derive(Debug)]
pub struct Page {
    text: String,
    color: bool,
}

impl Page {
    /// An empty page, with or without colours.
    pub fn new(color: bool) -> Self {
        Self { text: String::new(), color }
    }

    /// Adds a line. Without a name it goes on with the one before it.
    pub fn line(&mut self, name: &str, value: impl Into<Cell>) {
        let name = if name.is_empty() { String::new() } else { escape(&format!("{name}:"), Place::Line) };
        let gap = " ".repeat(NAMES.saturating_sub(name.chars().count()).max(usize::from(!name.is_empty())));
        let name = if self.color && !name.is_empty() { Paint::Dim.wrap(&name) } else { name };
        let _infallible = writeln!(self.text, "{name}{gap}{}", value.into().shown(self.color));
    }

    /// Adds a line, if there is something to say.
    pub fn some(&mut self, name: &str, value: Option<impl Into<Cell>>) {
        if let Some(value) = value {
            self.line(name, value);
        }
    }

    /// Adds an empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
    }

    /// Adds text of many lines; it ends in a newline then.
    pub fn block(&mut self, text: &str) {
        self.text.push_str(&escape(text, Place::Block));
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// All of it.
    pub fn finish(self) -> String {
        self.text
    }
}

/// A path as one would type it here: relative to the working directory, where that is near.
pub fn path(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    from(&here, path).display().to_string()
}

fn from(here: &Path, path: &Path) -> std::path::PathBuf {
    let above = here.ancestors().enumerate().find_map(|(steps, dir)| {
        // The root of the file system is above everything, and near nothing.
        let below = path.strip_prefix(dir).ok().filter(|_| dir.parent().is_some())?;
        let up: std::path::PathBuf = std::iter::repeat_n("..", steps).collect();
        Some(up.join(below))
    });
    above.unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_that_works_here() {
        let from = |here: &str, path: &str| from(Path::new(here), Path::new(path)).display().to_string();
        assert_eq!(from("/home/dana/it", "/home/dana/it/.deia/x.md"), ".deia/x.md");
        assert_eq!(from("/home/dana/it/src", "/home/dana/it/.deia/x.md"), "../.deia/x.md");
        assert_eq!(from("/tmp", "/home/dana/x.md"), "/home/dana/x.md");
    }

    #[test]
    fn names_stand_before_what_they_name() {
        let mut page = Page::new(false);
        page.line("id", "A-1");
        page.line("", "more\x1b");
        page.line("a very long name", "x");
        page.block("one\ntwo");
        assert_eq!(
            page.finish(),
            "id:            A-1\n               more\\x1b\na very long name: x\none\ntwo\n"
        );
    }
}
