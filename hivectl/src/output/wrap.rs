//! How wide text is on a terminal, and where it must break. Styled text keeps its control sequences, which take no
//! room.

use unicode_width::UnicodeWidthChar;

/// How far apart the stops are that a tab goes to.
const TAB: usize = 8;

/// The columns that a text takes, its control sequences not counted.
pub fn width(text: &str) -> usize {
    pieces(text).map(Piece::width).sum()
}

/// The text with spaces in place of its tabs, as a line that begins at the terminal's edge shows them.
pub fn without_tabs(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut column = 0;
    for piece in pieces(line) {
        if piece == Piece::Char('\t') {
            let spaces = TAB - column % TAB;
            text.extend(std::iter::repeat_n(' ', spaces));
            column += spaces;
        } else {
            piece.push_to(&mut text);
            column += piece.width();
        }
    }
    text
}

/// A line cut into rows of at most so many columns, wherever its edge is.
pub fn rows(line: &str, columns: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut column = 0;
    for piece in pieces(line) {
        if column > 0 && column + piece.width() > columns {
            rows.push(String::new());
            column = 0;
        }
        column += piece.width();
        if let Some(row) = rows.last_mut() {
            piece.push_to(row);
        }
    }
    rows
}

/// A line cut into rows of at most so many columns, between words where that is possible.
pub fn words(line: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut column = 0;
    for word in line.split_inclusive(' ') {
        let (bare, space) = word.split_at(word.trim_end_matches(' ').len());
        if column > 0 && column + width(bare) > columns {
            lines.push(String::new());
            column = 0;
        }
        for (index, part) in rows(bare, columns).iter().enumerate() {
            if index > 0 {
                lines.push(String::new());
                column = 0;
            }
            column += width(part);
            if let Some(line) = lines.last_mut() {
                line.push_str(part);
            }
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(space);
            column += space.len();
        }
    }
    lines.iter().map(|line| line.trim_end_matches(' ').to_owned()).collect()
}

/// A line cut off where its edge is, with a mark that it was.
pub fn cut(line: &str, columns: usize) -> String {
    if width(line) <= columns {
        return line.to_owned();
    }
    let mut text = String::new();
    let mut column = 0;
    let mut is_full = false;
    for piece in pieces(line) {
        let fits = column + piece.width() < columns;
        is_full |= !fits;
        match piece {
            // What ends a colour must not be cut.
            Piece::Control(_) => piece.push_to(&mut text),
            Piece::Char(_) if !is_full => {
                column += piece.width();
                piece.push_to(&mut text);
            }
            Piece::Char(_) => {}
        }
    }
    text.push('…');
    text
}

/// A character, or a control sequence of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Char(char),
    Control(&'a str),
}

impl Piece<'_> {
    fn width(self) -> usize {
        match self {
            Self::Char(c) => c.width().unwrap_or(0),
            Self::Control(_) => 0,
        }
    }

    fn push_to(self, text: &mut String) {
        match self {
            Self::Char(c) => text.push(c),
            Self::Control(sequence) => text.push_str(sequence),
        }
    }
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let length = match rest.strip_prefix("\x1b[") {
            Some(after) => after.find(|c: char| ('@'..='~').contains(&c)).map_or(rest.len(), |end| end + 3),
            None => first.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        rest = after;
        Some(if first == '\x1b' && length > 1 { Piece::Control(piece) } else { Piece::Char(first) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_room_and_wide_characters_take_two() {
        assert_eq!(width("\x1b[1;31mab\x1b[0m漢字"), 6);
        assert_eq!(width("e\u{301}"), 1);
    }

    #[test]
    fn a_line_is_cut_where_its_edge_is() {
        assert_eq!(rows("abcdef", 3), ["abc", "def"]);
        assert_eq!(rows("a漢字b", 3), ["a漢", "字b"]);
        assert_eq!(rows("\x1b[1mabcd\x1b[0m", 2), ["\x1b[1mab", "cd\x1b[0m"]);
        assert_eq!(rows("", 3), [""]);
        // A terminal may be narrower than a character.
        assert_eq!(rows("漢字", 1), ["漢", "字"]);
    }

    #[test]
    fn a_line_is_cut_between_words_if_they_are_not_too_long() {
        assert_eq!(words("one two  three", 8), ["one two", "three"]);
        assert_eq!(words("a abcdefgh b", 4), ["a", "abcd", "efgh", "b"]);
        assert_eq!(words("  in", 8), ["  in"]);
        assert_eq!(words("", 8), [""]);
    }

    #[test]
    fn what_is_cut_off_is_marked_and_its_colour_ends() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 5), "abcd…");
        assert_eq!(cut("\x1b[2mabcdef\x1b[0m", 4), "\x1b[2mabc\x1b[0m…");
        assert_eq!(cut("漢字漢字", 5), "漢字…");
    }

    #[test]
    fn tabs_go_to_their_stops() {
        assert_eq!(without_tabs("a\tb\t\tc"), "a       b               c");
    }
}
