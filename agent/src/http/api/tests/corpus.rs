//! Queries as people and programs ask them, each above how it is understood and what is found; and what chance makes of
//! them.

use std::fmt::Debug;
use std::sync::{LazyLock, Mutex};

use hive_corpus::{Corpus, cases};
use hive_shared::ids::BotId;
use hive_shared::time::Stamp;

use super::*;
use crate::http::follow::Since;
use crate::store::{KeepTrying, Reader, Store};

static CORPUS: LazyLock<Corpus> =
    LazyLock::new(|| Corpus::read(env!("CARGO_MANIFEST_DIR"), "src/http/api/tests/corpus", "queries"));

/// What means something to the reader.
const PIECES: &[&str] = &[
    "&",
    "=",
    "?",
    "%",
    "%00",
    "%22",
    "%27",
    "%C3%BC",
    "+",
    "*",
    "^",
    ":",
    "(",
    ")",
    "-",
    "q=",
    "before=k",
    "limit=",
    "after_seq=",
    "status=completed",
    "kind=reply",
    "since=2020-06-01T08:00:02Z",
    "steps=true",
    "AND",
    "OR",
    "NEAR(",
    "parser",
    "windows",
    "18446744073709551615",
];

/// A timeline that has been, and its reading side.
struct Past {
    _directory: tempfile::TempDir,
    reader: Mutex<Reader>,
}

static PAST: LazyLock<Past> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("BOT-1.db");
    let mut store = Store::open(&path, Box::new(|_| KeepTrying::No)).expect("a store can be made");
    let began: Stamp = "2020-06-01T08:00:00Z".parse().expect("a time");
    let past = [
        (Kind::Control, Status::Completed, "CTL-1", "hive-agent 0.1.0"),
        (Kind::Task, Status::Failed, "TASK-1", "The parser fails on windows line ends."),
        (Kind::Prompt, Status::Completed, "CHAT-1", "Grüße! Is the parser done? 日本 🐝"),
        (Kind::Reply, Status::Completed, "CHAT-1-reply", "The parser is; NEAR AND OR NOT are words."),
        (Kind::Task, Status::Completed, "TASK-2", "parser, parser, parser"),
    ];
    for (nth, (kind, status, id, content)) in (0_i64..).zip(past) {
        let bot = BotId::parse("BOT-1").expect("an id");
        let at = Stamp::from_micros(began.as_micros() + nth * 1_000_000);
        let mut entry = Entry::new(bot, id.to_owned(), kind.source(), kind, status, at);
        content.clone_into(&mut entry.content);
        entry.sender = (kind == Kind::Prompt).then(|| "dana".to_owned());
        store.restore_entry(entry).expect("an entry can be written");
    }
    store.commit().expect("it can be committed");
    let reader = Reader::open(&path).expect("it can be read");
    Past { _directory: directory, reader: Mutex::new(reader) }
});

/// How a query is understood, or why it is refused.
fn understood<T: DeserializeOwned>(query: &str) -> Result<T, String> {
    let uri: Uri =
        format!("http://localhost/?{query}").parse().map_err(|error| format!("no URI: {error}"))?;
    let Query(query) = Query::try_from_uri(&uri).map_err(|error| error.body_text())?;
    Ok(query)
}

/// What is found, by ids; or what who asks is told instead.
fn found(query: &TimelineQuery) -> Result<String, String> {
    let reader = PAST.reader.lock().expect("no test panics with it");
    let page = reader.snapshot(query).map_err(|error| Problem::from(error).message().to_owned())?.page;
    let ids: Vec<&str> = page.entries.iter().map(|entry| entry.entry_id.as_str()).collect();
    let more = if page.has_more { ", and more" } else { "" };
    Ok(format!("[{}]{more} before {:?}", ids.join(" "), page.before))
}

/// The query of a line such as `timeline?limit=2`, as it is answered.
fn answer(line: &str) -> Result<String, String> {
    fn told<T: Debug>(query: T) -> String {
        format!("{query:?}")
    }
    match line.split_once('?') {
        Some(("tasks", query)) => understood::<TasksQuery>(query).map(told),
        Some(("followers", query)) => understood::<Since>(query).map(told),
        Some((_, query)) => {
            let query: TimelineQuery = understood(query)?;
            let told = serde_json::to_string(&query).expect("it has string keys only");
            Ok(format!("{told}\n{}", found(&query)?))
        }
        None => Err("a line has a query".to_owned()),
    }
}

#[test]
fn each_is_answered_as_recorded() {
    CORPUS.check_lines(|line| answer(line).unwrap_or_else(|why| format!("refused: {why}")));
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// What became of a query is answered, or refused as the fault of who asks: the database has no part in it.
    #[test]
    fn changed_ones_are_answered_or_refused(changed in CORPUS.lines().changed(PIECES)) {
        let text = changed.text();
        let answered = answer(&text);
        prop_assert_eq!(&answer(&text), &answered);
        match answered {
            Ok(answer) => prop_assert!(!answer.is_empty()),
            Err(why) => prop_assert!(!why.is_empty() && !why.contains("database"), "{why}"),
        }
    }
}
