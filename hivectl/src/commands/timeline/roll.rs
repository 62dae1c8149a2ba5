//! Entries as rows for people.

use std::collections::{HashMap, HashSet};
use std::mem;

use hive_shared::api::Entry;
use hive_shared::ids::BotId;
use hive_shared::task::UNKNOWN_SENDER;
use hive_shared::time::Stamp;
use hive_shared::work::Kind;
use jiff::civil::Date;

use super::Args;
use crate::output::escape::{Place, escape};
use crate::output::ink::{Ink, Paint};
use crate::output::steps;
use crate::output::table::{Cell, Table};
use crate::output::text::{
    count, day_line, day_of, first_line, seconds, short_time, status_cell, time_of_day,
};
use crate::output::{Printer, Style};

/// The columns, with the widths that entries to come will need: an id that we made has 27 characters.
const COLUMNS: [(&str, u16); 8] =
    [("TIME", 8), ("BOT", 8), ("", 1), ("WHO", 7), ("STATUS", 9), ("TOOK", 6), ("ID", 27), ("WHAT", 0)];
/// Which of them is left out where all entries are of one bot.
const BOT_COLUMN: usize = 1;
/// What is left out first where the terminal is narrow.
const DISPENSABLE: [&str; 3] = ["TOOK", "WHO", "BOT"];
/// How far the whole text of an entry is set in.
const INSET: &str = "    ";
/// A title that is longer than this may be cut in its row.
const SHORT_TITLE: usize = 40;

/// How rows look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Whether they are of several bots.
    of_many: bool,
    /// Whether a line stands between two days, and times are those of the day alone.
    by_day: bool,
    /// Whether the whole text follows.
    full: bool,
    /// When somebody looks: what is of that day needs no date.
    now: Stamp,
    style: Style,
}

impl Look {
    pub(super) fn new(args: &Args, of_many: bool, now: Stamp, out: &Printer) -> Self {
        // Where the lines are sorted or searched by another program, each must stand for itself.
        let by_day = out.is_terminal();
        Self { of_many, by_day, full: args.full, now, style: out.style() }
    }
}

/// The rows, while they are gathered.
#[derive(Debug)]
pub(super) struct Roll {
    look: Look,
    table: Table,
    /// That of the row before the next one: where it changes, a line says so.
    day: Date,
    has_more: bool,
}

impl Roll {
    /// Rows that are all there are: what all of them leave empty is left out.
    pub(super) fn new(look: Look) -> Self {
        Self::with(look, Self::columns(look).0.optional(&["WHO", "TOOK"]))
    }

    /// Rows to which more are added, one at a time.
    pub(super) fn open(look: Look) -> Self {
        let (table, widths) = Self::columns(look);
        Self::with(look, table.at_least(&widths))
    }

    fn with(look: Look, table: Table) -> Self {
        Self { look, table, day: day_of(look.now), has_more: false }
    }

    fn columns(look: Look) -> (Table, Vec<u16>) {
        let mut columns = COLUMNS.to_vec();
        if !look.of_many {
            columns.remove(BOT_COLUMN);
        }
        let (names, widths): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        (Table::new(&names).at_most("WHO", 16).dispensable(&DISPENSABLE).last_at_least(16), widths)
    }

    /// Whether an entry has more to say than its row.
    pub(super) fn has_more(&self) -> bool {
        self.has_more
    }

    pub(super) fn table(&mut self) -> &mut Table {
        &mut self.table
    }

    pub(super) fn into_table(self) -> Table {
        self.table
    }

    /// Adds entries by the time at which they came, each reply right after its prompt.
    pub(super) fn add_all(&mut self, entries: &[Entry]) {
        let key = |entry: &Entry, id: &str| (entry.bot_id.clone(), id.to_owned());
        let mut replies: HashMap<(BotId, String), &Entry> = HashMap::new();
        let mut prompts = HashSet::new();
        for entry in entries {
            match entry.kind {
                Kind::Prompt => drop(prompts.insert(key(entry, &entry.entry_id))),
                Kind::Reply => drop(replies.insert(key(entry, item_id(entry)), entry)),
                Kind::Task | Kind::Control => {}
            }
        }
        for entry in entries {
            match entry.kind {
                Kind::Reply if prompts.contains(&key(entry, item_id(entry))) => {}
                Kind::Prompt => match replies.get(&key(entry, &entry.entry_id)) {
                    Some(reply) => {
                        self.add_prompt(entry, entry.timestamp);
                        self.add(reply, reply.timestamp);
                    }
                    None => self.add(entry, entry.timestamp),
                },
                Kind::Task | Kind::Reply | Kind::Control => self.add(entry, entry.timestamp),
            }
        }
    }

    /// Adds one entry, with the time that its row is to have.
    pub(super) fn add(&mut self, entry: &Entry, time: Stamp) {
        let status = match entry.kind {
            // What was done is done; there is nothing to it.
            Kind::Control => "".into(),
            Kind::Task | Kind::Prompt | Kind::Reply => status_cell(entry.status),
        };
        self.add_with(entry, time, status);
    }

    /// Adds a prompt whose reply tells how it ended.
    pub(super) fn add_prompt(&mut self, entry: &Entry, time: Stamp) {
        self.add_with(entry, time, "".into());
    }

    fn add_with(&mut self, entry: &Entry, time: Stamp, status: Cell) {
        let mut shown_time = short_time(time, self.look.now);
        if self.look.by_day {
            shown_time = time_of_day(time);
            let day = day_of(time);
            if mem::replace(&mut self.day, day) != day {
                let line = self.look.style.ink().dim(&day_line(day, self.look.style.utf8));
                self.table.text(format!("{line}\n"));
            }
        }
        let took = entry.duration_seconds.filter(|_| entry.kind != Kind::Prompt);
        let mut cells = vec![
            Cell::painted(shown_time, Paint::Dim),
            entry.bot_id.as_str().into(),
            Cell::painted(mark(entry.kind, self.look.style.utf8), Paint::Bold),
            who(entry).into(),
            status,
            took.map(seconds).unwrap_or_default().into(),
            shown_id(entry).into(),
            what(entry).into(),
        ];
        if !self.look.of_many {
            cells.remove(BOT_COLUMN);
        }
        self.table.row(cells);
        if self.look.full {
            self.table.text(whole_text(entry, self.look.style.ink()));
        } else {
            self.has_more |= entry.content_truncated || entry.content.trim().lines().nth(1).is_some();
        }
    }
}

fn mark(kind: Kind, utf8: bool) -> &'static str {
    match (kind, utf8) {
        (Kind::Task, true) => "▪",
        (Kind::Task, false) => "#",
        (Kind::Prompt, true) => "»",
        (Kind::Prompt, false) => ">",
        (Kind::Reply, true) => "└",
        (Kind::Reply, false) => "<",
        (Kind::Control, true) => "◦",
        (Kind::Control, false) => "*",
    }
}

/// The id that other commands take: of a reply that of its prompt, of a control act that of the task it is about.
fn shown_id(entry: &Entry) -> &str {
    match entry.kind {
        Kind::Task | Kind::Prompt | Kind::Reply => item_id(entry),
        Kind::Control => entry.task_id.as_ref().map_or("", |task| task.as_str()),
    }
}

/// The id of the task or prompt that an entry belongs to.
pub(super) fn item_id(entry: &Entry) -> &str {
    let prompt = entry.entry_id.strip_suffix("-reply").filter(|_| entry.kind == Kind::Reply);
    prompt.unwrap_or(&entry.entry_id)
}

fn who(entry: &Entry) -> &str {
    entry.sender.as_deref().filter(|who| *who != UNKNOWN_SENDER).unwrap_or_default()
}

fn what(entry: &Entry) -> String {
    // A prompt is what was asked, however it went: that is the reply's to tell.
    let error = entry.error.as_deref().filter(|_| entry.kind != Kind::Prompt);
    let said = error.unwrap_or_else(|| first_line(&entry.content));
    let title = entry.title.as_deref().unwrap_or_default();
    let head = match (title, notes(entry)) {
        (title, None) => title.to_owned(),
        ("", Some(notes)) => format!("({notes})"),
        (title, Some(notes)) => format!("{title} ({notes})"),
    };
    match (head.as_str(), said) {
        ("", said) => said.to_owned(),
        (head, "") => head.to_owned(),
        (head, said) => format!("{head}: {said}"),
    }
}

/// What else is worth a word.
fn notes(entry: &Entry) -> Option<String> {
    let files = (!entry.files_modified.is_empty()).then(|| count(entry.files_modified.len(), "file"));
    let gave_way = match entry.preemptions.unwrap_or(0) {
        0 => None,
        1 => Some("gave way once".to_owned()),
        times => Some(format!("gave way {times} times")),
    };
    let warnings = (!entry.warnings.is_empty()).then(|| count(entry.warnings.len(), "warning"));
    let notes: Vec<_> = [files, gave_way, warnings].into_iter().flatten().collect();
    (!notes.is_empty()).then(|| notes.join(", "))
}

/// All that an entry says, in lines below its row.
fn whole_text(entry: &Entry, ink: Ink) -> String {
    let mut lines = Vec::new();
    let mut named = |name: &str, text: &str, paint: Paint| {
        lines.push(ink.paint(paint, &format!("{name}: {}", escape(text, Place::Line))));
    };
    if let Some(title) = entry.title.as_deref().filter(|title| title.chars().count() > SHORT_TITLE) {
        named("title", title, Paint::Dim);
    }
    if let Some(error) = &entry.error {
        named("error", error, Paint::Red);
    }
    for warning in &entry.warnings {
        named("warning", warning, Paint::Yellow);
    }
    if !entry.files_modified.is_empty() {
        named("files", &entry.files_modified.join(", "), Paint::Dim);
    }
    lines.extend(steps::lines(&entry.steps, entry.steps_truncated).iter().map(|line| line.shown(ink.color)));
    lines.extend(escape(entry.content.trim_end(), Place::Block).lines().map(str::to_owned));
    if entry.content_truncated {
        let all = format!("… (cut; 'hivectl response {}' prints all of it)", item_id(entry));
        lines.push(ink.dim(&all));
    }
    lines.iter().map(|line| format!("{INSET}{line}").trim_end().to_owned() + "\n").collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn entry(json: &str) -> Entry {
        let mut value: serde_json::Value = serde_json::from_str(
            r#"{"seq":1,"entry_id":"TASK-1","bot_id":"BOT-1","timestamp":"2026-11-22T18:05:27Z",
                "updated_at":"2026-11-22T18:05:27Z","source":"file","kind":"task","status":"completed"}"#,
        )
        .unwrap();
        let more: serde_json::Value = serde_json::from_str(json).unwrap();
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    const STYLE: Style = Style { color: false, utf8: true };

    /// When the entries of these tests are looked at: the day of `entry`'s.
    pub(in super::super) fn now() -> Stamp {
        entry("{}").timestamp
    }

    fn look() -> Look {
        Look { of_many: false, by_day: true, full: false, now: now(), style: STYLE }
    }

    fn shown(look: Look, entries: &[Entry]) -> Vec<String> {
        let mut roll = Roll::new(look);
        roll.add_all(entries);
        roll.into_table().render(None, false).text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn an_entry_says_what_it_is_and_how_it_went() {
        assert_eq!(what(&entry(r#"{"title":"Mend it","content":"\n\nfirst\nsecond"}"#)), "Mend it: first");
        assert_eq!(what(&entry(r#"{"title":"Mend it","error":"exit status 3"}"#)), "Mend it: exit status 3");
        let prompt =
            r#"{"kind":"prompt","source":"chat","sender":"dave","content":"hi","error":"it was cancelled"}"#;
        assert_eq!(what(&entry(prompt)), "hi");
        assert_eq!(what(&entry(r#"{"kind":"control","source":"control","title":"paused"}"#)), "paused");
        let busy = r#"{"title":"Mend it","content":"done","files_modified":["a","b"],"preemptions":1}"#;
        assert_eq!(what(&entry(busy)), "Mend it (2 files, gave way once): done");
    }

    #[test]
    fn a_reply_stands_under_its_prompt_and_a_day_has_a_line() {
        let chat = |id: &str, kind: &str, at: &str, who: &str| {
            entry(&format!(
                r#"{{"entry_id":"{id}","source":"chat","kind":"{kind}","timestamp":"2020-01-02T12:00:0{at}Z",
                    "sender":"{who}","content":"words","duration_seconds":1.5}}"#
            ))
        };
        let control = entry(
            r#"{"entry_id":"CTL-3","source":"control","kind":"control","timestamp":"2020-01-02T12:00:02Z",
                "title":"preempted","task_id":"TASK-1","content":"for CHAT-1"}"#,
        );
        let lines = shown(
            look(),
            &[
                chat("CHAT-1", "prompt", "1", "dana"),
                control.clone(),
                chat("CHAT-1-reply", "reply", "3", "BOT-1"),
            ],
        );
        let cells = |line: &str| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
        // Which day that was depends on where on earth it is asked.
        assert_eq!(lines[1], day_line(day_of(control.timestamp), true));
        assert_eq!(cells(&lines[2]), "» dana CHAT-1 words");
        assert_eq!(cells(&lines[3]), "└ BOT-1 completed 1.5s CHAT-1 words");
        assert_eq!(cells(&lines[4]), "◦ TASK-1 preempted: for CHAT-1");
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn where_there_is_no_terminal_each_line_stands_for_itself_and_in_ascii() {
        let old = entry(r#"{"title":"Mend it","timestamp":"2020-01-02T12:00:00Z"}"#);
        let lines = shown(Look { by_day: false, style: Style { utf8: false, ..STYLE }, ..look() }, &[old]);
        assert!(
            lines.len() == 2 && lines[1].starts_with("2020-01-0") && lines[1].contains(" #  "),
            "{lines:?}"
        );
    }

    #[test]
    fn the_whole_text_of_an_entry_follows_where_it_is_asked_for() {
        let long = entry(
            r#"{"timestamp":"2020-01-02T12:00:00Z","title":"Mend it","content":"first\n\u001bsecond\n","error":"exit status 3","files_modified":["a"],
                "steps":[{"type":"tool_call","title":"Read a","kind":"read","status":"completed"}],
                "content_truncated":true}"#,
        );
        let lines = shown(Look { full: true, ..look() }, &[long]);
        assert_eq!(
            lines[3..],
            [
                "    error: exit status 3",
                "    files: a",
                "    → Read a (read): completed",
                "    first",
                "    \\x1bsecond",
                "    … (cut; 'hivectl response TASK-1' prints all of it)"
            ]
        );
    }
}
