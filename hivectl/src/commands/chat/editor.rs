//! The line that is being typed: keys in, what they mean out.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use reedline::LineBuffer;

use super::command::{candidates, common_prefix};
use super::history::History;

/// How many steps back there are.
const MOST_UNDO: usize = 100;
/// A text of more bytes than this has none.
const LONGEST_UNDO: usize = 64 * 1024;

/// What a key came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(super) enum Pressed {
    /// The line, or nothing, is other than before.
    Edited,
    /// The line is to be said.
    Said(String),
    /// Ctrl-C where there is nothing to clear.
    Cancel,
    /// Ctrl-D where there is nothing to delete.
    Leave,
    /// Ctrl-L.
    ClearScreen,
    /// Ctrl-Z.
    Suspend,
    /// Alt and a character that means nothing to the line.
    Alt(char),
}

/// A line, or several, with the cursor in it.
pub(super) struct Editor {
    buffer: LineBuffer,
    history: History,
    /// The entry of the history that is shown, and what was typed before.
    past: Option<(usize, String)>,
    search: Option<Search>,
    /// What was cut last.
    cut: String,
    undo: Vec<(String, usize)>,
}

/// A search through the history, backwards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Search {
    /// What is looked for.
    pub(super) term: String,
    /// The entry found.
    found: Option<usize>,
}

impl Editor {
    pub(super) fn new(history: History) -> Self {
        Self {
            buffer: LineBuffer::new(),
            history,
            past: None,
            search: None,
            cut: String::new(),
            undo: Vec::new(),
        }
    }

    /// What is typed.
    pub(super) fn text(&self) -> &str {
        self.buffer.get_buffer()
    }

    /// Where the cursor is, in bytes.
    pub(super) fn cursor(&self) -> usize {
        self.buffer.insertion_point()
    }

    /// The search that goes on, and what it found.
    pub(super) fn search(&self) -> Option<(&Search, Option<&str>)> {
        let search = self.search.as_ref()?;
        Some((search, search.found.and_then(|at| self.history.get(at))))
    }

    /// Takes what was pasted.
    pub(super) fn paste(&mut self, text: &str) {
        self.search = None;
        self.edit(|buffer| buffer.insert_str(&text.replace("\r\n", "\n").replace('\r', "\n")));
    }

    /// Takes a key.
    pub(super) fn press(&mut self, key: KeyEvent) -> Pressed {
        if key.kind == KeyEventKind::Release {
            return Pressed::Edited;
        }
        if self.search.is_some() && self.press_in_search(key) {
            return Pressed::Edited;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Enter if alt || control || key.modifiers.contains(KeyModifiers::SHIFT) => {
                self.insert("\n");
            }
            KeyCode::Enter => return self.enter(),
            KeyCode::Char(c) if control => return self.control(c),
            KeyCode::Char(c) if alt => return self.alt(c),
            KeyCode::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Tab => self.complete(),
            KeyCode::Backspace if alt || control => self.cut_to(word_left(self.text(), self.cursor())),
            KeyCode::Backspace => self.edit(LineBuffer::delete_left_grapheme),
            KeyCode::Delete if alt || control => self.cut_to(word_right(self.text(), self.cursor())),
            KeyCode::Delete => self.edit(LineBuffer::delete_right_grapheme),
            KeyCode::Left if alt || control => self.go(word_left(self.text(), self.cursor())),
            KeyCode::Right if alt || control => self.go(word_right(self.text(), self.cursor())),
            KeyCode::Left => self.buffer.move_left(),
            KeyCode::Right => self.buffer.move_right(),
            KeyCode::Home => self.buffer.move_to_line_start(),
            KeyCode::End => self.buffer.move_to_line_end(),
            KeyCode::Up => self.up(),
            KeyCode::Down => self.down(),
            // Every other key means nothing here; the type is crossterm's.
            _ => {}
        }
        Pressed::Edited
    }

    fn control(&mut self, c: char) -> Pressed {
        match c {
            'c' if self.text().is_empty() => return Pressed::Cancel,
            'c' => self.replace(""),
            'd' if self.text().is_empty() => return Pressed::Leave,
            'd' => self.edit(LineBuffer::delete_right_grapheme),
            'l' => return Pressed::ClearScreen,
            'z' => return Pressed::Suspend,
            'j' => self.insert("\n"),
            'a' => self.buffer.move_to_line_start(),
            'e' => self.buffer.move_to_line_end(),
            'b' => self.buffer.move_left(),
            'f' => self.buffer.move_right(),
            'h' => self.edit(LineBuffer::delete_left_grapheme),
            'p' => self.up(),
            'n' => self.down(),
            't' => self.edit(LineBuffer::swap_graphemes),
            'u' => self.cut_to(self.buffer.line_start_index()),
            'k' => self.cut_to(self.buffer.find_current_line_end()),
            'w' => self.cut_to(space_left(self.text(), self.cursor())),
            'y' => self.insert(&self.cut.clone()),
            'r' => self.search = Some(Search::default()),
            // A terminal sends the same for Ctrl-_ and Ctrl-7.
            '_' | '7' => self.undo(),
            _ => {}
        }
        Pressed::Edited
    }

    fn alt(&mut self, c: char) -> Pressed {
        match c {
            'b' => self.go(word_left(self.text(), self.cursor())),
            'f' => self.go(word_right(self.text(), self.cursor())),
            'd' => self.cut_to(word_right(self.text(), self.cursor())),
            _ => return Pressed::Alt(c),
        }
        Pressed::Edited
    }

    /// Enter says the line, unless its end says that it goes on.
    fn enter(&mut self) -> Pressed {
        let text = self.text();
        if self.cursor() == text.len() && text.ends_with('\\') {
            self.edit(|buffer| {
                buffer.delete_left_grapheme();
                buffer.insert_newline();
            });
            return Pressed::Edited;
        }
        if text.trim().is_empty() {
            self.replace("");
            return Pressed::Edited;
        }
        let text = text.to_owned();
        self.history.add(&text);
        self.replace("");
        self.undo.clear();
        Pressed::Said(text)
    }

    /// Why the history cannot be kept, the first time that it is asked after that was found out.
    pub(super) fn trouble(&mut self) -> Option<String> {
        self.history.trouble()
    }

    fn insert(&mut self, text: &str) {
        self.edit(|buffer| buffer.insert_str(text));
    }

    fn replace(&mut self, text: &str) {
        self.past = None;
        self.edit(|buffer| buffer.set_buffer(text.to_owned()));
    }

    fn edit(&mut self, change: impl FnOnce(&mut LineBuffer)) {
        if self.text().len() > LONGEST_UNDO {
            self.undo.clear();
            return change(&mut self.buffer);
        }
        let before = (self.text().to_owned(), self.cursor());
        change(&mut self.buffer);
        if before.0 != self.text() {
            if self.undo.len() == MOST_UNDO {
                self.undo.remove(0);
            }
            self.undo.push(before);
        }
    }

    fn undo(&mut self) {
        if let Some((text, cursor)) = self.undo.pop() {
            self.buffer.set_buffer(text);
            self.buffer.set_insertion_point(cursor);
        }
    }

    fn go(&mut self, to: usize) {
        self.buffer.set_insertion_point(to);
    }

    /// Cuts what is between the cursor and there.
    fn cut_to(&mut self, to: usize) {
        let from = self.cursor();
        let range = from.min(to)..from.max(to);
        if !range.is_empty() {
            self.cut = self.text()[range.clone()].to_owned();
            self.edit(|buffer| {
                buffer.replace_range(range.clone(), "");
                buffer.set_insertion_point(range.start);
            });
        }
    }

    fn complete(&mut self) {
        let found = candidates(self.text());
        if let Some(prefix) = common_prefix(&found) {
            let end = if found.len() == 1 { " " } else { "" };
            self.replace(&format!("{prefix}{end}"));
        }
    }

    fn up(&mut self) {
        if !self.buffer.is_cursor_at_first_line() {
            return self.buffer.move_line_up();
        }
        let before = self.past.as_ref().map_or(self.history.len(), |(at, _)| *at);
        if before > 0 {
            let typed = self.past.take().map_or_else(|| self.text().to_owned(), |(_, typed)| typed);
            self.show_past(before - 1, typed);
        }
    }

    fn down(&mut self) {
        if !self.buffer.is_cursor_at_last_line() {
            return self.buffer.move_line_down();
        }
        if let Some((at, typed)) = self.past.take() {
            if at + 1 < self.history.len() {
                self.show_past(at + 1, typed);
            } else {
                self.buffer.set_buffer(typed);
            }
        }
    }

    fn show_past(&mut self, at: usize, typed: String) {
        if let Some(entry) = self.history.get(at) {
            self.buffer.set_buffer(entry.to_owned());
            self.past = Some((at, typed));
        }
    }

    /// Whether the key was for the search; any other takes what was found, and does what it does.
    fn press_in_search(&mut self, key: KeyEvent) -> bool {
        let Some(search) = &mut self.search else { return false };
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'g') if control => self.search = None,
            KeyCode::Esc => self.search = None,
            KeyCode::Char('r') if control => {
                let before = search.found.unwrap_or(self.history.len());
                if let Some(found) = self.history.find(&search.term, before) {
                    search.found = Some(found);
                }
            }
            KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => {
                search.term.push(c);
                let before = search.found.map_or(self.history.len(), |found| found + 1);
                search.found = self.history.find(&search.term, before);
            }
            KeyCode::Backspace => {
                search.term.pop();
                search.found = self.history.find(&search.term, self.history.len());
            }
            KeyCode::Enter => self.take_found(),
            _ => {
                self.take_found();
                return false;
            }
        }
        true
    }

    fn take_found(&mut self) {
        let found = self.search.take().and_then(|search| search.found);
        if let Some(text) = found.and_then(|at| self.history.get(at)).map(str::to_owned) {
            self.replace(&text);
        }
    }
}

/// Where the word begins that the cursor is behind or in.
fn word_left(text: &str, from: usize) -> usize {
    let before = text[..from].trim_end_matches(|c: char| !c.is_alphanumeric());
    before.trim_end_matches(char::is_alphanumeric).len()
}

/// Where the word ends that the cursor is before or in.
fn word_right(text: &str, from: usize) -> usize {
    let after = text[from..].trim_start_matches(|c: char| !c.is_alphanumeric());
    text.len() - after.trim_start_matches(char::is_alphanumeric).len()
}

/// The same to the left, where only space parts words.
fn space_left(text: &str, from: usize) -> usize {
    text[..from].trim_end().trim_end_matches(|c: char| !c.is_whitespace()).len()
}

#[cfg(test)]
mod tests;
