//! Documents as people and programs write them, each beside what is read from it; and what chance makes of them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use hive_corpus::{Corpus, cases};
use proptest::prelude::*;

use super::*;

static CORPUS: LazyLock<Corpus> =
    LazyLock::new(|| Corpus::read(env!("CARGO_MANIFEST_DIR"), "src/task/tests/corpus", "md"));

/// What means something to the reader.
const PIECES: &[&str] = &[
    "---\n",
    "\n**Task ID:** ../etc/passwd\n",
    "&a *a !!binary ",
    "\"",
    "{",
    "}]",
    ": ",
    ",",
    "**",
    "# ",
    "P0",
    "null",
    "1e999",
];

fn reading_of(name: &str, bytes: &[u8]) -> String {
    let document = match read_as(name, bytes) {
        Ok(document) => document,
        Err(not_a_task) => return format!("no task: {not_a_task}\n"),
    };
    let mut text = String::new();
    let TaskDocument { id, title, priority, from, to, created, limit, .. } = &document;
    let _ = writeln!(text, "id {id}\ntitle {title:?}\npriority {priority}\nfrom {from:?}\nto {to:?}");
    let _ = writeln!(text, "created {created}\nlimit {limit:?}\ninterruptible {}", document.interruptible);
    for on in &document.depends_on {
        let _ = writeln!(text, "depends on {on}");
    }
    for (name, value) in &document.fields {
        let _ = writeln!(text, "field {name:?} {value:?}");
    }
    for warning in &document.warnings {
        let _ = writeln!(text, "warning {warning:?}");
    }
    let _ = writeln!(text, "instruction");
    for line in document.instruction.split_inclusive('\n') {
        let _ = writeln!(text, "| {line:?}");
    }
    text
}

#[test]
fn each_is_read_as_recorded() {
    CORPUS.check(|document| reading_of(&document.name, &document.bytes));
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// Whatever became of a document, it is refused, or read as a task that could be written down again.
    #[test]
    fn changed_ones_are_read_or_refused(changed in CORPUS.changed(PIECES)) {
        let bytes = changed.0;
        let Ok(document) = read_as("changed.md", &bytes) else { return Ok(()) };
        prop_assert_eq!(read_as("changed.md", &bytes), Ok(document.clone()));
        prop_assert!(!document.instruction.trim().is_empty() && !document.title.is_empty());
        prop_assert!(!document.title.contains('\n'));
        let again = NewTask {
            id: document.id.clone(),
            instruction: document.instruction.clone(),
            title: Some(document.title.clone()),
            priority: Some(document.priority),
            from: Some(document.from.clone()),
            to: BotId::parse("BOT-002").unwrap(),
            created: document.created,
            limit: document.limit,
            interruptible: Some(document.interruptible),
            depends_on: document.depends_on.clone(),
            retry_of: document.retry_of.clone(),
        };
        let read = read_as("again.md", write(&again).unwrap().as_bytes()).unwrap();
        prop_assert_eq!(&read.instruction, &document.instruction);
        prop_assert_eq!((&read.id, &read.title, read.priority), (&document.id, &document.title, document.priority));
        prop_assert_eq!((read.limit, &read.depends_on), (document.limit, &document.depends_on));
        prop_assert_eq!((read.created, &read.retry_of), (document.created, &document.retry_of));
        prop_assert_eq!(&read.from, &document.from);
    }
}
