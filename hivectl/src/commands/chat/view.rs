//! The rows below what stays: the part of the answer that grows, what goes on, and the line that is typed.

use super::command::{COMMANDS, candidates};
use super::editor::Editor;
use crate::output::escape::{Place, escape};
use crate::output::ink::Ink;
use crate::output::live::Region;
use crate::output::wrap::{cut, rows, width};

/// What the rows show.
pub(super) struct View<'a> {
    pub(super) editor: &'a Editor,
    /// The part of the answer that is not finished.
    pub(super) growing: Vec<String>,
    /// The prompts that wait.
    pub(super) queued: Vec<String>,
    /// What goes on.
    pub(super) status: Option<String>,
    pub(super) ink: Ink,
    /// The terminal's size.
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl View<'_> {
    /// The rows, no more and no wider than the terminal has room for. The line that is typed comes first, what goes on
    /// next, and the answer gets what is left.
    pub(super) fn region(self) -> Region {
        let edge = self.columns.saturating_sub(1).max(1);
        let mut room = self.rows.saturating_sub(1).max(1);
        let (input, cursor) = self.input(edge, (self.rows / 3).clamp(1, 10).min(room));
        room -= input.len();
        let take = |lines: Vec<String>, room: &mut usize| -> Vec<String> {
            let first = lines.len().saturating_sub(*room);
            *room -= lines.len() - first;
            lines.into_iter().skip(first).map(|line| cut(&line, edge)).collect()
        };
        let status = take(self.status.iter().map(|line| self.ink.dim(line)).collect(), &mut room);
        let help = take(self.help().into_iter().collect(), &mut room);
        let queued = take(self.queued, &mut room);
        let growing: Vec<_> = self.growing.iter().flat_map(|line| rows(line, edge)).collect();
        let is_cut = growing.len() > room;
        let mut all = take(growing, &mut room);
        if let (true, Some(first)) = (is_cut, all.first_mut()) {
            *first = self.ink.dim("⋮");
        }
        all.extend(queued);
        all.extend(status);
        let cursor = (all.len() + cursor.0, cursor.1);
        all.extend(input);
        all.extend(help);
        Region { rows: all, cursor }
    }

    /// The line that is typed, and where the cursor is in it.
    fn input(&self, edge: usize, most: usize) -> (Vec<String>, (usize, usize)) {
        let (mark, text, at, is_text) = match self.editor.search() {
            Some((search, found)) => {
                let mark = format!("(search) {}: ", escape(&search.term, Place::Line));
                let column = width(&mark).saturating_sub(2);
                let line = cut(
                    &format!("{}{}", self.ink.cyan(&mark), escape(found.unwrap_or_default(), Place::Line)),
                    edge,
                );
                return (vec![line], (0, column.min(edge)));
            }
            None => (self.ink.cyan(">"), self.editor.text(), self.editor.cursor(), true),
        };
        let (lines, cursor) = layout(text, at, edge.saturating_sub(2).max(1));
        let first = (cursor.0 + 1).saturating_sub(most);
        let shown = lines.into_iter().enumerate().skip(first).take(most).map(|(index, line)| {
            let mark = if index == 0 && is_text { mark.as_str() } else { " " };
            if line.is_empty() { mark.to_owned() } else { format!("{mark} {line}") }
        });
        (shown.collect(), (cursor.0 - first, (cursor.1 + 2).min(edge)))
    }

    /// What a command that is being typed may become.
    fn help(&self) -> Option<String> {
        let line = self.editor.text();
        let found = candidates(line);
        let text = match found.as_slice() {
            [] => return None,
            [name] => {
                let about = COMMANDS.iter().find(|about| about.name == *name)?;
                let takes = if about.takes.is_empty() { String::new() } else { format!(" {}", about.takes) };
                format!("  {}{takes}  {}", about.name, about.does)
            }
            several => format!("  {}", several.join("  ")),
        };
        Some(self.ink.dim(&text))
    }
}

/// A text in rows of at most so many columns, and the row and column of the cursor, which is before that byte.
fn layout(text: &str, cursor: usize, columns: usize) -> (Vec<String>, (usize, usize)) {
    let mut lines = vec![String::new()];
    let mut column = 0;
    let mut place = (0, 0);
    for (at, c) in text.char_indices() {
        let shown = match c {
            '\n' => String::new(),
            '\t' => "    ".to_owned(),
            c => escape(c.encode_utf8(&mut [0; 4]), Place::Line),
        };
        let wide = width(&shown);
        if c != '\n' && column > 0 && column + wide > columns {
            lines.push(String::new());
            column = 0;
        }
        if at == cursor {
            place = (lines.len() - 1, column);
        }
        if c == '\n' {
            lines.push(String::new());
            column = 0;
            continue;
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(&shown);
        }
        column += wide;
    }
    if cursor >= text.len() {
        place = (lines.len() - 1, column);
    }
    (lines, place)
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::super::history::History;
    use super::*;

    fn typed(text: &str) -> Editor {
        let mut editor = Editor::new(History::of(&["an old line"]));
        editor.paste(text);
        editor
    }

    fn view(editor: &Editor, columns: usize, rows: usize) -> View<'_> {
        let lines = |count: usize, name: &str| (1..=count).map(|n| format!("{name} {n}")).collect();
        View {
            editor,
            growing: lines(30, "answer"),
            queued: lines(2, "queued"),
            status: Some("working".into()),
            ink: Ink { color: false },
            columns,
            rows,
        }
    }

    #[test]
    fn the_answer_has_what_room_is_left() {
        let region = view(&typed("hi"), 40, 10).region();
        assert_eq!(
            region.rows,
            [
                "⋮",
                "answer 27",
                "answer 28",
                "answer 29",
                "answer 30",
                "queued 1",
                "queued 2",
                "working",
                "> hi"
            ]
        );
        assert_eq!(region.cursor, (8, 4));
    }

    #[test]
    fn however_small_the_terminal_the_line_that_is_typed_is_there() {
        let editor = typed("漢字 and a line that is longer than this\nand\tmore \u{1b}[2J");
        for columns in 1..50 {
            for rows in 1..12 {
                let region = view(&editor, columns, rows).region();
                assert!(region.rows.len() <= rows.saturating_sub(1).max(1), "{columns}x{rows}: {region:?}");
                assert!(region.cursor.0 < region.rows.len(), "{columns}x{rows}: {region:?}");
                if columns > 10 {
                    assert!(
                        region.rows.iter().all(|row| width(row) < columns),
                        "{columns}x{rows}: {region:?}"
                    );
                    assert!(region.cursor.1 < columns, "{columns}x{rows}: {region:?}");
                }
            }
        }
    }

    #[test]
    fn a_line_is_wrapped_and_the_cursor_with_it() {
        assert_eq!(layout("abcd", 4, 3), (vec!["abc".into(), "d".into()], (1, 1)));
        assert_eq!(layout("abc", 3, 3), (vec!["abc".into()], (0, 3)));
        assert_eq!(layout("abcd", 3, 3).1, (1, 0));
        assert_eq!(layout("a\n\nb", 2, 9), (vec!["a".into(), String::new(), "b".into()], (1, 0)));
        assert_eq!(layout("", 0, 9), (vec![String::new()], (0, 0)));
    }

    #[test]
    fn a_command_and_a_search_explain_themselves() {
        let row = |editor: &Editor| view(editor, 60, 10).region().rows.last().cloned().unwrap();
        assert_eq!(row(&typed("/pau")), "  /pause [REASON]  let nothing new start");
        assert_eq!(row(&typed("/s")), "  /status  /session");
        assert_eq!(row(&typed("//s")), "> //s");
        let mut editor = typed("");
        for c in "\x12old".chars() {
            let (code, modifiers) =
                if c == '\x12' { ('r', KeyModifiers::CONTROL) } else { (c, KeyModifiers::NONE) };
            let _edited = editor.press(KeyEvent::new(KeyCode::Char(code), modifiers));
        }
        assert_eq!(row(&editor), "(search) old: an old line");
    }
}
