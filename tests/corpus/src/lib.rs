//! A corpus: a directory of documents as people and programs write them, each beside what is read from it; and what chance
//! makes of them.
//!
//! What is read from `NAME.md` stands in `NAME.md.read`. `HIVE_RECORD_CORPUS=1` makes what is read now what is to be read:
//! to be looked at before it is kept.

mod change;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::test_runner::Config;

pub use change::Changed;

/// Set, it makes what is read now what is to be read.
const RECORD: &str = "HIVE_RECORD_CORPUS";
/// What follows the name of a document in that of its reading.
const READING: &str = ".read";
/// What proptest does unless it is told otherwise; see [`cases`].
const USUAL_CASES: u64 = 256;

/// Documents of one kind.
#[derive(Debug, Clone)]
pub struct Corpus {
    directory: PathBuf,
    documents: Vec<Document>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its file's name.
    pub name: String,
    /// What it says.
    pub bytes: Vec<u8>,
}

impl Corpus {
    /// The files of a directory whose names end so; `directory` is relative to `package`, the package's own directory.
    ///
    /// A file that is neither such a document nor the reading of one is one that nothing looks at: there must be none.
    pub fn read(package: &str, directory: &str, extension: &str) -> Self {
        let directory = Path::new(package).join(directory);
        let files = fs::read_dir(&directory).expect("the corpus is there");
        let mut names: Vec<String> = files
            .map(|file| {
                file.expect("the corpus can be listed").file_name().into_string().expect("a name is text")
            })
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        let ending = format!(".{extension}");
        for name in &names {
            let document = name.strip_suffix(READING).unwrap_or(name);
            assert!(
                document.ends_with(&ending) && names.iter().any(|it| it == document),
                "{name} is nothing that is read"
            );
        }
        names.retain(|name| name.ends_with(&ending));
        let documents = names.into_iter().map(|name| {
            let bytes = fs::read(directory.join(&name)).expect("a document can be read");
            Document { name, bytes }
        });
        Self { documents: documents.collect(), directory }
    }

    /// The documents, by name.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// Each line of each document as one of its own.
    #[must_use]
    pub fn lines(&self) -> Self {
        let lines = self.documents.iter().flat_map(|document| {
            let lines = document.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| Document { name: document.name.clone(), bytes: line.to_owned() })
        });
        Self { directory: self.directory.clone(), documents: lines.collect() }
    }

    /// Each document is read as it is recorded.
    pub fn check(&self, reading: impl Fn(&Document) -> String) {
        assert!(!self.documents.is_empty(), "{} has nothing", self.directory.display());
        for document in &self.documents {
            let read = reading(document);
            let recorded = self.directory.join(format!("{}{READING}", document.name));
            if std::env::var_os(RECORD).is_some() {
                fs::write(&recorded, &read).expect("a reading can be recorded");
            }
            assert_eq!(read, fs::read_to_string(&recorded).unwrap_or_default(), "{}", document.name);
        }
    }

    /// The same where each line is read by itself: below each stands, further in, what is read from it.
    pub fn check_lines(&self, reading: impl Fn(&str) -> String) {
        self.check(|document| {
            let text = std::str::from_utf8(&document.bytes).expect("lines are text");
            let mut read = String::new();
            for line in text.split('\n').filter(|line| !line.is_empty()) {
                let _infallible = writeln!(read, "{}", shown(line));
                for line in reading(line).lines() {
                    let _infallible = writeln!(read, "    {}", shown(line));
                }
            }
            read
        });
    }
}

/// So many cases, and in proportion more or fewer where `PROPTEST_CASES` asks for other than proptest's usual 256.
pub fn cases(usual: u32) -> Config {
    let default = Config::default();
    let cases = u64::from(usual) * u64::from(default.cases) / USUAL_CASES;
    Config { cases: u32::try_from(cases).unwrap_or(u32::MAX).max(1), ..default }
}

/// A line that could not be told apart from others, or from several, with its control characters escaped.
fn shown(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}
