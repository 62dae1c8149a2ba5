//! Documents as people and programs write them, each beside what is read from it; and what chance makes of them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// Set, it makes what is read now what is to be read: to be looked at before it is kept.
const RECORD: &str = "HIVE_RECORD_CORPUS";

/// The documents, by name.
fn corpus() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/task/tests/corpus");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut documents: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
    documents.sort();
    documents
}

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
    let documents = corpus();
    assert!(documents.len() > 15, "{documents:?}");
    for path in documents {
        let name = path.file_name().unwrap().to_str().unwrap();
        let read = reading_of(name, &fs::read(&path).unwrap());
        let recorded = path.with_extension("md.read");
        if std::env::var_os(RECORD).is_some() {
            fs::write(&recorded, &read).unwrap();
        }
        assert_eq!(read, fs::read_to_string(&recorded).unwrap_or_default(), "{name}");
    }
}

/// Something done to a document. Places are taken modulo its length.
#[derive(Debug, Clone)]
enum Change {
    Remove(Index, usize),
    Repeat(Index, usize),
    Put(Index, Vec<u8>),
    /// A piece of another one of the corpus.
    Graft(Index, Index, Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        Just(b"---\n".to_vec()),
        Just(b"\n**Task ID:** ../etc/passwd\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\xff\xfe".to_vec()),
        Just(b"&a *a !!binary ".to_vec()),
        Just(b"\"".to_vec()),
        "[:{}\\[\\],*#-]{1,4}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 1..4),
    ];
    let place = any::<Index>;
    prop_oneof![
        (place(), 0_usize..40).prop_map(|(at, bytes)| Change::Remove(at, bytes)),
        (place(), 0_usize..40).prop_map(|(at, bytes)| Change::Repeat(at, bytes)),
        (place(), piece).prop_map(|(at, piece)| Change::Put(at, piece)),
        (place(), place(), place(), 0_usize..80)
            .prop_map(|(at, other, from, bytes)| Change::Graft(at, other, from, bytes)),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change], corpus: &[Vec<u8>]) -> Vec<u8> {
    for change in changes {
        let place = |at: &Index| at.index(bytes.len() + 1);
        let end = |at: usize, length: usize| (at + length).min(bytes.len());
        match change {
            Change::Remove(at, length) => drop(bytes.drain(place(at)..end(place(at), *length))),
            Change::Repeat(at, length) => {
                let piece = bytes[place(at)..end(place(at), *length)].to_vec();
                let at = place(at);
                bytes.splice(at..at, piece);
            }
            Change::Put(at, piece) => {
                let at = place(at);
                bytes.splice(at..at, piece.iter().copied());
            }
            Change::Graft(at, other, from, length) => {
                let other = &corpus[other.index(corpus.len())];
                let from = from.index(other.len() + 1);
                let at = place(at);
                let piece = &other[from..(from + length).min(other.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever became of a document, it is refused, or read as a task that could be written down again.
    #[test]
    fn changed_ones_are_read_or_refused(which in any::<Index>(), changes in prop::collection::vec(change(), 1..8)) {
        let corpus: Vec<Vec<u8>> = corpus().iter().map(|path| fs::read(path).unwrap()).collect();
        let bytes = changed(corpus[which.index(corpus.len())].clone(), &changes, &corpus);
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
