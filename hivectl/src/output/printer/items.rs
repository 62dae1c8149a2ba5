//! Results that are things: tables for people, JSON for programs.

use serde::Serialize;

use super::Printer;
use crate::output::table::{Rendered, Table};
use crate::output::{Format, escape, json};

impl Printer {
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
}
