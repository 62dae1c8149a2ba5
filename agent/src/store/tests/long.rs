//! A timeline costs the same however long it is (SPEC 8).

use std::time::Instant;

use hive_shared::api::TimelineQuery;
use rusqlite::{StatementStatus, params_from_iter};

use super::super::entries;
use super::*;

/// A ledger with so many entries, all but the first few of them tasks that completed. What is rare is at the far end.
fn long(entries: usize) -> Bench {
    let mut bench = bench();
    for n in 0..entries {
        let (source, status) = match n {
            3 => (Source::Chat, Status::Failed),
            0..10 => (Source::Control, Status::Blocked),
            _ => (Source::File, Status::Completed),
        };
        let words = if n == 5 { "a needle in the hay" } else { "nothing but hay" };
        bench.put(&format!("E-{n}"), source, status, words);
        if n % 1_000 == 0 {
            bench.store.commit().unwrap();
        }
    }
    bench.store.commit().unwrap();
    bench
}

fn queries(bench: &Bench) -> Vec<(&'static str, TimelineQuery)> {
    let ten = || TimelineQuery { limit: Some(10), ..TimelineQuery::default() };
    let seq = bench.store.seq();
    let middle = bench.store.entry(&format!("E-{}", seq / 2)).unwrap().unwrap().timestamp;
    let word = |q: &str| Some(q.to_owned());
    vec![
        ("the newest", ten()),
        ("older ones", TimelineQuery { before: Some(format!("k{}", seq / 2)), ..ten() }),
        ("what changed", TimelineQuery { after_seq: Some(seq - 20), ..ten() }),
        (
            "what changed of a kind and a status",
            TimelineQuery {
                after_seq: Some(seq - 20),
                kind: Some(Kind::Task),
                status: Some(Status::Completed),
                ..ten()
            },
        ),
        ("since a time", TimelineQuery { since: Some(middle), ..ten() }),
        ("until a time", TimelineQuery { until: Some(middle), ..ten() }),
        ("of a source", TimelineQuery { source: Some(Source::File), ..ten() }),
        ("of a rare source", TimelineQuery { source: Some(Source::Chat), ..ten() }),
        ("of a rare kind", TimelineQuery { kind: Some(Kind::Prompt), ..ten() }),
        ("of no entry's kind", TimelineQuery { kind: Some(Kind::Reply), ..ten() }),
        ("of a rare status", TimelineQuery { status: Some(Status::Failed), ..ten() }),
        (
            "of a source and its kind",
            TimelineQuery { source: Some(Source::File), kind: Some(Kind::Task), ..ten() },
        ),
        (
            "of a source and another's kind",
            TimelineQuery { source: Some(Source::File), kind: Some(Kind::Prompt), ..ten() },
        ),
        (
            "of a source and a status",
            TimelineQuery { source: Some(Source::File), status: Some(Status::Failed), ..ten() },
        ),
        (
            "of a source of several kinds and a status",
            TimelineQuery { source: Some(Source::Chat), status: Some(Status::Failed), ..ten() },
        ),
        (
            "of a status and older",
            TimelineQuery { status: Some(Status::Completed), before: Some("k9".into()), ..ten() },
        ),
        (
            "of a kind and a status",
            TimelineQuery { kind: Some(Kind::Task), status: Some(Status::Blocked), ..ten() },
        ),
        (
            "of all three",
            TimelineQuery {
                source: Some(Source::File),
                kind: Some(Kind::Task),
                status: Some(Status::Failed),
                ..ten()
            },
        ),
        ("with a common word", TimelineQuery { q: word("hay"), ..ten() }),
        ("with a rare word", TimelineQuery { q: word("needle"), ..ten() }),
        ("with a common and a rare word", TimelineQuery { q: word("hay needle"), ..ten() }),
        ("with no entry's word", TimelineQuery { q: word("haystack"), ..ten() }),
    ]
}

/// How many steps SQLite takes to find a page, and how often it sorts; nothing if it need not look.
fn cost(bench: &Bench, query: &TimelineQuery) -> Option<(i32, i32)> {
    let select = entries::select(&bench.store.db, query, 10).unwrap()?;
    let mut statement = bench.store.db.prepare(&select.sql).unwrap();
    let mut rows = statement.query(params_from_iter(select.values)).unwrap();
    while rows.next().unwrap().is_some() {}
    drop(rows);
    Some((statement.get_status(StatementStatus::VmStep), statement.get_status(StatementStatus::Sort)))
}

#[test]
fn a_page_costs_the_same_at_the_end_of_a_long_timeline() {
    let (short, long) = (long(300), long(3_000));
    let of_short = queries(&short);
    for ((what, query), (_, same)) in queries(&long).into_iter().zip(of_short) {
        let (cost_of_short, cost) = (cost(&short, &same), cost(&long, &query));
        let is_bounded = cost_of_short
            .zip(cost)
            .map(|((of_short, _), (steps, sorts))| of_short > 0 && steps <= 2 * of_short && sorts == 0);
        assert_ne!(is_bounded, Some(false), "{what}: {cost_of_short:?} steps and sorts become {cost:?}");
        assert_eq!(cost.is_none(), what == "of a source and another's kind", "{what}");
    }
}

/// The figures: `cargo test --release -p hive-agent --lib a_million -- --ignored --nocapture`.
#[test]
#[ignore = "it takes a minute or two, and prints figures"]
fn a_million_entries_cost_what_a_thousand_do() {
    for entries in [1_000, 1_000_000] {
        let bench = long(entries);
        let path = bench.dir.path().join("B.db");
        let timed = |what: &str, work: &dyn Fn()| {
            let begun = Instant::now();
            (0..20).for_each(|_| work());
            println!("{entries:>9} {what:<32} {:>9.1?}", begun.elapsed() / 20);
        };
        timed("open", &|| {
            let store = Store::open(&path, Box::new(|_| KeepTrying::No)).unwrap();
            store.counts().unwrap();
            store.last_endings(20).unwrap();
            store.unsettled().unwrap();
            store.waiting_controls().unwrap();
        });
        let reader = Reader::open(&path).unwrap();
        let seq = bench.store.seq();
        timed("what a follower is told", &|| drop(reader.changes(seq - 10, seq, 100).unwrap()));
        for (what, query) in queries(&bench) {
            timed(what, &|| drop(reader.snapshot(&query).unwrap()));
        }
    }
}
