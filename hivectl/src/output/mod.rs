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
pub mod progress;
pub mod raw;
pub mod said;
pub mod screen;
pub mod steps;
pub mod table;
pub mod text;
pub mod wrap;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::error::{Exit, Failure};
use escape::{Place, escape};
use ink::Ink;
use progress::{Going, Progress, Standing};
use screen::Watched;
use table::{Rendered, Table};

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

/// Prints. Nothing it does fails: see [`Printer::finish`].
pub struct Printer {
    options: Options,
    out: Stream,
    err: Stream,
    progress: Progress,
    /// What is redrawn over and over, while it is.
    watched: Option<Watched>,
    /// Whether characters beyond ASCII are shown as what they are.
    utf8: bool,
    trouble: Option<String>,
}

struct Stream {
    to: Box<dyn Write + Send>,
    screen: Screen,
    closed: bool,
}

/// What a stream is good for.
#[derive(Debug, Clone, Copy)]
struct Screen {
    terminal: bool,
    /// Whether colours are welcome.
    color: bool,
    /// Whether lines may be drawn over each other.
    redraws: bool,
}

impl Printer {
    /// A printer to the process's own streams.
    pub fn new(options: &Options) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let redraws = !set("CI") && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let color = redraws && !set("NO_COLOR");
        let (out, err) = (io::stdout(), io::stderr());
        let (out_terminal, err_terminal) = (out.is_terminal(), err.is_terminal());
        Self {
            options: *options,
            out: Stream::new(Box::new(out), Screen { terminal: out_terminal, color, redraws }),
            err: Stream::new(Box::new(err), Screen { terminal: err_terminal, color, redraws }),
            progress: Progress::default(),
            watched: None,
            utf8: has_utf8_locale(),
            trouble: None,
        }
    }

    /// A printer for what is said before the command line is understood.
    pub fn plain() -> Self {
        Self::new(&Options::default())
    }

    /// A printer to anything else; `terminal` says whether both streams are to behave as on one.
    pub fn to(
        options: &Options,
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
        terminal: bool,
    ) -> Self {
        let screen = Screen { terminal, color: true, redraws: true };
        Self {
            options: *options,
            out: Stream::new(out, screen),
            err: Stream::new(err, screen),
            progress: Progress::default(),
            watched: None,
            utf8: true,
            trouble: None,
        }
    }

    /// The format in force.
    pub fn format(&self) -> Format {
        self.options.format.unwrap_or(Format::Table)
    }

    /// Whether more is to be told than usual.
    pub fn is_verbose(&self) -> bool {
        self.options.verbose
    }

    /// Whether a format was asked for.
    pub fn format_is_chosen(&self) -> bool {
        self.options.format.is_some()
    }

    /// Whether stdout is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.out.screen.terminal
    }

    /// Whether stdout may be redrawn.
    pub fn may_redraw(&self) -> bool {
        self.out.screen.redraws
    }

    /// Whether colours are welcome on stdout.
    pub fn may_color(&self) -> bool {
        self.out.screen.color
    }

    /// What paints text for stdout, where colours are welcome there.
    pub fn ink(&self) -> Ink {
        self.out.screen.ink()
    }

    /// What may be written to stdout to make it readable.
    pub fn style(&self) -> Style {
        Style { color: self.may_color(), utf8: self.utf8 }
    }

    /// How wide the terminal is, where stdout is one and knows.
    pub fn width(&self) -> Option<usize> {
        self.edge().map(usize::from)
    }

    /// Whether stdout is a terminal with room below the results for what goes on. See [`Printer::going`].
    pub fn shows_going(&self) -> bool {
        self.format() == Format::Table && self.may_redraw() && self.shows_progress()
    }

    /// Whether `-q` asks for the result alone.
    pub fn is_quiet(&self) -> bool {
        self.options.quiet
    }

    /// Whether the reader of stdout is gone, so that there is nothing left to say.
    pub fn is_closed(&self) -> bool {
        self.out.closed
    }

    /// Prints items: a table, one array, or one object a line.
    pub fn many<T: Serialize>(&mut self, items: &[T], table: impl FnOnce(&[T]) -> Table) {
        let _as_printed = self.print_many(items, table);
    }

    /// The same, but nothing where a table would be empty: `why` says so beside the result. Gives the table as it was
    /// printed, if it was one: cells of it may have been cut.
    pub fn listing<T: Serialize>(
        &mut self,
        items: &[T],
        table: impl FnOnce(&[T]) -> Table,
        why: impl FnOnce() -> String,
    ) -> Rendered {
        if items.is_empty() && self.format() == Format::Table {
            self.notice(&why());
            return Rendered::default();
        }
        self.print_many(items, table)
    }

    fn print_many<T: Serialize>(&mut self, items: &[T], table: impl FnOnce(&[T]) -> Table) -> Rendered {
        let terminal = self.out.screen.terminal;
        let of_json = |text| Rendered { text, ..Rendered::default() };
        let rendered = match self.format() {
            Format::Table => table(items).render(self.edge(), self.out.screen.color),
            Format::Json => of_json(json::pretty(&items, terminal)),
            Format::Ndjson => of_json(items.iter().map(|item| json::line(item, terminal)).collect()),
        };
        self.result(&rendered.text);
        rendered
    }

    /// Prints one thing: in words (with the newline that ends them, foreign text escaped by the caller), or one
    /// object.
    pub fn one<T: Serialize>(&mut self, item: &T, words: impl FnOnce(&T) -> String) {
        let text = match self.format() {
            Format::Table => words(item),
            Format::Json => json::pretty(item, self.out.screen.terminal),
            Format::Ndjson => json::line(item, self.out.screen.terminal),
        };
        self.result(&text);
    }

    /// Prints one of many objects that come one at a time: a line of JSON.
    pub fn json_line<T: Serialize>(&mut self, item: &T) {
        let line = json::line(item, self.out.screen.terminal);
        self.result(&line);
    }

    /// Prints a line of JSON that another program wrote, as it stands; on a terminal, what would deceive is escaped.
    pub fn foreign_json(&mut self, line: &str) {
        let text = if self.out.screen.terminal { escape::escape_json(line) } else { line.to_owned() };
        self.result(&(text + "\n"));
    }

    /// Prints a table to which more rows come one at a time.
    pub fn begin(&mut self, table: &mut Table) {
        let rendered = table.render(self.edge(), self.out.screen.color);
        // What was just printed is no longer among the rows, but is as wide.
        let _printed = table.take_rows(None, false);
        self.result(&rendered.text);
    }

    /// Prints the rows that a table has by now, above what goes on.
    pub fn rows(&mut self, table: &mut Table) {
        let rendered = table.take_rows(self.edge(), self.out.screen.color);
        let wrote = self.progress.beside(|| self.out.write(&rendered.text));
        self.note(wrote);
    }

    /// Shows what goes on in lines below the results, in place of those before; see [`Printer::shows_going`].
    pub fn going(&mut self, lines: &[Going]) {
        if self.shows_going() {
            self.progress.show_going(lines);
        }
    }

    /// Shows a table over the one before it, on a screen of its own, under a line that says what it is. What does not
    /// fit on the screen is left out there; all of it stays when the watching ends, with [`Printer::settle`].
    pub fn redraw(&mut self, head: &str, table: &Table) {
        let (color, size) = (self.out.screen.color, screen::size());
        let head = escape(head, Place::Line);
        let drawn = screen::draw(&head, table, size, color);
        let begin = if self.watched.is_none() { screen::ENTER } else { "" };
        self.watched = Some(Watched { last: table.render(self.edge(), color).text });
        let wrote = self.out.write(&format!("{begin}{drawn}"));
        self.note(wrote);
    }

    /// Prints foreign text as it stands; on a terminal, what would deceive is escaped.
    pub fn foreign(&mut self, text: &str) {
        if self.out.screen.terminal {
            let text = escape(text, Place::Block);
            self.result(&text);
        } else {
            self.result(text);
        }
    }

    /// Prints text of our own making to stdout.
    pub fn result(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Prints bytes as they stand, which no terminal should see, to stdout.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.settle();
        let wrote = self.out.write_bytes(bytes);
        self.note(wrote);
    }

    /// Says something beside the result, in a line of its own.
    pub fn notice(&mut self, text: &str) {
        if !self.options.quiet {
            self.say(&format!("hivectl: {text}"));
        }
    }

    /// The same, for `-v` alone.
    pub fn detail(&mut self, text: &str) {
        if self.options.verbose {
            self.notice(text);
        }
    }

    /// Shows how a wait goes: a line that the next one replaces. See [`Printer::shows_progress`].
    pub fn progress(&mut self, standing: &Standing) {
        if self.shows_progress() {
            self.progress.show(standing);
        }
    }

    /// Whether there is somebody who could see how a wait goes.
    pub fn shows_progress(&self) -> bool {
        !self.options.quiet && self.err.screen.redraws
    }

    /// Takes away what is there for a while: lines of progress, and the screen of a watch, whose last state stays.
    pub fn settle(&mut self) {
        self.progress.take_away();
        if let Some(Watched { last }) = self.watched.take() {
            let wrote = self.out.write(&format!("{}{last}", screen::LEAVE));
            self.note(wrote);
        }
    }

    /// Says how one sees more, to a person who looks at a table.
    pub fn hint(&mut self, text: &str) {
        if !self.options.quiet && self.out.screen.terminal && self.err.screen.terminal {
            let hint = self.err.screen.ink().dim(&format!("hint: {}", escape(text, Place::Line)));
            let wrote = self.progress.beside(|| self.err.write(&format!("{hint}\n")));
            self.note(wrote);
        }
    }

    /// Prints a text of our own making to stderr, where there is no result.
    pub fn instead(&mut self, text: &str) {
        let wrote = self.err.write(text);
        self.note(wrote);
    }

    /// Says why a command failed and how to mend it, and gives its exit status.
    pub fn failure(&mut self, failure: &Failure) -> Exit {
        self.settle();
        let ink = self.err.screen.ink();
        let (head, hint_head) = (ink.red("hivectl:"), ink.dim("hint:"));
        let hint = failure.hint.as_deref().map(|hint| format!("{hint_head} {}\n", escape(hint, Place::Line)));
        let message = escape(&failure.message, Place::Line);
        let text = format!("{head} {message}\n{}", hint.unwrap_or_default());
        let wrote = self.err.write(&text);
        self.note(wrote);
        failure.exit
    }

    /// Ends the printing: what could not be written, for another reason than a reader that went away, is a failure.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.settle();
        match self.trouble.take() {
            None => Ok(()),
            Some(trouble) => {
                Err(Failure::new(Exit::Failed, format!("the output cannot be written: {trouble}")))
            }
        }
    }

    fn say(&mut self, line: &str) {
        let wrote = self.progress.beside(|| self.err.write(&format!("{}\n", escape(line, Place::Line))));
        self.note(wrote);
    }

    fn note(&mut self, wrote: io::Result<()>) {
        if let Err(error) = wrote {
            self.trouble.get_or_insert_with(|| error.to_string());
        }
    }

    /// How wide the terminal is, where stdout is one.
    fn edge(&self) -> Option<u16> {
        let size = self.out.screen.terminal.then(screen::size).flatten();
        size.map(|(columns, _)| columns)
    }
}

/// Whether the locale of this process has characters beyond ASCII.
pub fn has_utf8_locale() -> bool {
    screen::is_utf8(|name| std::env::var(name).ok())
}

impl Screen {
    fn ink(self) -> Ink {
        Ink { color: self.color }
    }
}

impl Stream {
    fn new(to: Box<dyn Write + Send>, screen: Screen) -> Self {
        let Screen { terminal, color, redraws } = screen;
        let screen = Screen { terminal, color: terminal && color, redraws: terminal && redraws };
        Self { to, screen, closed: false }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.write_bytes(text.as_bytes())
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.closed || bytes.is_empty() {
            return Ok(());
        }
        match self.to.write_all(bytes).and_then(|()| self.to.flush()) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.closed = true;
                if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Something to print to, and to look at.
    #[derive(Clone, Default)]
    pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    pub(crate) fn printer(format: Option<Format>, terminal: bool) -> (Printer, Paper, Paper) {
        let (out, err) = (Paper::default(), Paper::default());
        let options = Options { format, ..Options::default() };
        let printer = Printer::to(&options, Box::new(out.clone()), Box::new(err.clone()), terminal);
        (printer, out, err)
    }

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_broken_pipe_is_silent_and_a_full_disk_is_not() {
        let broken = |kind| {
            let mut printer =
                Printer::to(&Options::default(), Box::new(Broken(kind)), Box::new(io::sink()), false);
            printer.result("x");
            printer.result("y");
            assert!(printer.is_closed());
            printer.finish()
        };
        assert_eq!(broken(io::ErrorKind::BrokenPipe), Ok(()));
        assert_eq!(broken(io::ErrorKind::StorageFull).unwrap_err().exit, Exit::Failed);
    }

    #[test]
    fn items_are_a_table_an_array_or_lines() {
        let show = |format| {
            let (mut printer, out, _) = printer(format, false);
            printer.many(&["a", "b"], |items| {
                let mut table = Table::new(&["WORD"]);
                for item in items {
                    table.row(vec![(*item).into()]);
                }
                table
            });
            out.text()
        };
        assert_eq!(show(None), "WORD\na\nb\n");
        assert_eq!(show(Some(Format::Json)), "[\n  \"a\",\n  \"b\"\n]\n");
        assert_eq!(show(Some(Format::Ndjson)), "\"a\"\n\"b\"\n");
    }

    #[test]
    fn foreign_text_is_verbatim_for_programs_and_escaped_for_people() {
        let (mut piped, out, _) = printer(None, false);
        piped.foreign("a\x1b[2J\r\n");
        assert_eq!(out.text(), "a\x1b[2J\r\n");
        let (mut shown, out, _) = printer(None, true);
        shown.foreign("a\x1b[2J\r\n");
        assert_eq!(out.text(), "a\\x1b[2J\n");
    }

    #[test]
    fn a_failure_is_a_line_and_a_hint() {
        let (mut printer, out, err) = printer(None, false);
        let exit = printer.failure(&Failure::new(Exit::NotFound, "no\x1b such\nbot").hint("look again"));
        assert_eq!((exit, out.text().as_str()), (Exit::NotFound, ""));
        assert_eq!(err.text(), "hivectl: no\\x1b such\\nbot\nhint: look again\n");
    }
}
