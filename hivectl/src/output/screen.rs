//! The terminal as a screen: how large it is, and a table that is drawn over itself on a screen of its own, so that
//! what was there before comes back.

use super::table::Table;

/// Takes the other screen and hides the cursor.
pub(super) const ENTER: &str = "\x1b[?1049h\x1b[?25l";
/// Shows the cursor and gives the screen back.
pub(super) const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// What is drawn between these two appears at once, on terminals that know them.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";
/// To the top left.
const HOME: &str = "\x1b[H";
/// What is left of the line before it.
const END_OF_LINE: &str = "\x1b[K";
/// What is left of the screen before it.
const END_OF_SCREEN: &str = "\x1b[J";
/// The lines around the rows of a table: what it is, an empty one, and its header.
const AROUND: usize = 3;

/// What is being watched.
pub(super) struct Watched {
    /// As it was last, all of it.
    pub(super) last: String,
}

/// The columns and rows of the terminal. Those of programs often do not know.
pub(super) fn ask_size() -> Option<(u16, u16)> {
    crossterm::terminal::size().ok().filter(|(columns, rows)| *columns > 0 && *rows > 0)
}

/// Whether the locale is one of UTF-8: the first of these variables that says anything decides.
pub(super) fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"].iter();
    let locale = names.filter_map(|name| variable(name)).find(|value| !value.is_empty()).unwrap_or_default();
    let locale = locale.to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// The control sequences that draw a table under a line, over what is there. What the screen has no room for is counted.
pub(super) fn draw(head: &str, table: &Table, size: Option<(u16, u16)>, color: bool) -> String {
    let (columns, rows) = size.unzip();
    let room = rows.map_or(usize::MAX, |rows| usize::from(rows).saturating_sub(AROUND).max(1));
    let mut shown = table.clone();
    if shown.len() > room {
        let hidden = shown.len() - (room - 1);
        shown.truncate(room - 1);
        shown.text(format!("… and {hidden} more: this screen is too low\n"));
    }
    let rendered = shown.render(columns, color);
    let left_out = match rendered.left_out.as_slice() {
        [] => String::new(),
        names => format!("   (too narrow for {})", names.join(", ")),
    };
    let head = super::table::cut(&format!("{head}{left_out}"), columns.map_or(usize::MAX, usize::from));
    let mut text = format!("{head}\n\n{}", rendered.text).replace('\n', &format!("{END_OF_LINE}\r\n"));
    // A line end below the last line would scroll the screen.
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    format!("{BEGIN}{HOME}{text}{END_OF_SCREEN}{END}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_says_what_can_be_shown() {
        let utf8 = |set: &[(&str, &str)]| {
            is_utf8(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert!(utf8(&[("LANG", "C.UTF-8")]));
        assert!(utf8(&[("LC_ALL", ""), ("LC_CTYPE", "de_DE.utf8"), ("LANG", "C")]));
        assert!(!utf8(&[("LC_ALL", "C"), ("LANG", "C.UTF-8")]));
        assert!(!utf8(&[]));
    }

    #[test]
    fn what_a_screen_has_no_room_for_is_counted() {
        let mut table = Table::new(&["BOT", "STATE"]).dispensable(&["STATE"]);
        for n in 0..6 {
            table.row(vec![format!("BOT-{n}").into(), "working".into()]);
        }
        let drawn = |size| draw("the hive", &table, Some(size), false).replace(END_OF_LINE, "");
        assert_eq!(drawn((80, 9)).matches("BOT-").count(), 6);
        let low = drawn((80, 7));
        assert_eq!(low.matches("BOT-").count(), 3, "{low}");
        assert!(low.contains("… and 3 more") && low.matches("\r\n").count() == 6, "{low}");
        let narrow = drawn((11, 9));
        assert!(narrow.starts_with("\x1b[?2026h\x1b[Hthe hive  …\r\n\r\nBOT\r\n"), "{narrow:?}");
    }
}
