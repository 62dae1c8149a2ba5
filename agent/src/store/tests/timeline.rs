//! Pages of the timeline, what changed, and what is looked for (SPEC 8).

use hive_shared::api::TimelineQuery;
use hive_shared::step::Step;
use proptest::prelude::*;

use super::*;

fn ids(page: &Page) -> Vec<&str> {
    page.entries.iter().map(|entry| entry.entry_id.as_str()).collect()
}

#[test]
fn entries_are_paged_back_without_a_gap_or_a_repeat() {
    let mut bench = bench();
    for n in 0..25 {
        bench.put(&format!("T-{n:02}"), Source::File, Status::Queued, "");
    }
    // A change moves an entry's seq and not its place.
    bench.put("T-03", Source::File, Status::Completed, "");
    let reader = bench.reader();
    let mut query = TimelineQuery { limit: Some(10), ..TimelineQuery::default() };
    let mut all = Vec::new();
    loop {
        let Snapshot { page, last_seq, total_entries } = reader.snapshot(&query).unwrap();
        assert_eq!((last_seq, total_entries), (26, 25));
        all.splice(0..0, page.entries.iter().map(|entry| entry.entry_id.clone()));
        if !page.has_more {
            break;
        }
        query.before = page.before;
    }
    assert_eq!(all, (0..25).map(|n| format!("T-{n:02}")).collect::<Vec<_>>());
    query.before = Some("yesterday".into());
    assert!(matches!(reader.snapshot(&query), Err(StoreError::Cursor(_))));
}

#[test]
fn what_changed_comes_in_seq_order_in_its_latest_state() {
    let mut bench = bench();
    for id in ["A", "B", "C"] {
        bench.put(id, Source::File, Status::Queued, "");
    }
    bench.put("A", Source::File, Status::Completed, "");
    let reader = bench.reader();
    let query = TimelineQuery { after_seq: Some(1), ..TimelineQuery::default() };
    let page = reader.snapshot(&query).unwrap().page;
    assert_eq!(ids(&page), ["B", "C", "A"]);
    let changes = reader.changes(2, 4, 10).unwrap();
    let told: Vec<_> =
        changes.iter().map(|c| (c.entry.entry_id.as_str(), c.entry.seq, c.added_seq)).collect();
    assert_eq!(told, [("C", 3, 3), ("A", 4, 1)]);
    assert!(reader.changes(3, 3, 10).unwrap().is_empty());
}

#[test]
fn filters_and_words() {
    let mut bench = bench();
    bench.put("A", Source::File, Status::Failed, "the Parser broke: unexpected 'end'");
    bench.put("B", Source::Chat, Status::Completed, "how is the parser?");
    bench.put("C", Source::Control, Status::Completed, "paused");
    bench.put("C", Source::Control, Status::Completed, "not paused but stopped");
    let reader = bench.reader();
    let found = |query: TimelineQuery| -> Vec<String> {
        reader.snapshot(&query).unwrap().page.entries.into_iter().map(|entry| entry.entry_id).collect()
    };
    let all = TimelineQuery::default;
    assert_eq!(found(TimelineQuery { source: Some(Source::Chat), ..all() }), ["B"]);
    assert_eq!(found(TimelineQuery { kind: Some(Kind::Control), ..all() }), ["C"]);
    assert_eq!(found(TimelineQuery { status: Some(Status::Completed), ..all() }), ["B", "C"]);
    let words = |q: &str| found(TimelineQuery { q: Some(q.into()), ..all() });
    assert_eq!(words("parser"), ["A", "B"]);
    assert_eq!(words("parser broke"), ["A"]);
    assert_eq!(words("stopped"), ["C"]);
    // What is no word, or is syntax to the index, is looked for or not, and never an error.
    for q in ["\"", "NEAR(", "a* OR", "'; DROP TABLE entry; --", "…", "parser AND NOT x"] {
        let _ = words(q);
    }
    assert_eq!(words("…"), Vec::<String>::new());
    assert_eq!(found(TimelineQuery { q: Some("parser".into()), source: Some(Source::File), ..all() }), ["A"]);
    let stamps: Vec<Stamp> =
        reader.snapshot(&all()).unwrap().page.entries.into_iter().map(|entry| entry.timestamp).collect();
    assert_eq!(found(TimelineQuery { since: Some(stamps[1]), ..all() }), ["B", "C"]);
    assert_eq!(found(TimelineQuery { until: Some(stamps[1]), ..all() }), ["A"]);
    let later = Stamp::from_micros(stamps[2].as_micros() + 1);
    assert_eq!(found(TimelineQuery { since: Some(later), ..all() }), Vec::<String>::new());
}

#[test]
fn steps_come_with_entries_and_with_pages_that_ask_for_them() {
    let mut bench = bench();
    let thought = |content: &str| Step::Thought { content: content.to_owned() };
    let task = |steps: Vec<Step>| Entry {
        steps_truncated: !steps.is_empty(),
        steps,
        ..entry("A", Source::File, Status::Running, "")
    };
    bench.store.put_entry(task(vec![thought("hm")]), true).unwrap();
    bench.put("B", Source::Chat, Status::Completed, "");
    bench.store.put_entry(task(vec![thought("hm"), thought("so")]), false).unwrap();
    let reader = bench.reader();
    let asks = |steps| TimelineQuery { steps, ..TimelineQuery::default() };
    let page = |steps| reader.snapshot(&asks(steps)).unwrap().page.entries;
    let both = vec![thought("hm"), thought("so")];
    let with = page(true);
    assert_eq!((&with[0].steps, with[0].steps_truncated), (&both, true));
    assert_eq!((with[1].entry_id.as_str(), with[1].steps.len(), with[1].steps_truncated), ("B", 0, false));
    assert!(page(false).iter().all(|entry| entry.steps.is_empty() && !entry.steps_truncated));
    assert_eq!(reader.entry("A").unwrap().unwrap().steps, both);
    assert_eq!(reader.changes(0, 9, 9).unwrap().last().unwrap().entry.steps, both);
    // A new attempt begins them anew.
    bench.store.put_entry(task(Vec::new()), false).unwrap();
    assert!(bench.store.entry("A").unwrap().unwrap().steps.is_empty());
}

#[test]
fn long_entries_fill_a_page_and_none_is_left_out() {
    let mut bench = bench();
    let long = "x".repeat(1 << 20);
    let all: Vec<String> = (0..20).map(|n| format!("E-{n:02}")).collect();
    for id in &all {
        bench.put(id, Source::File, Status::Completed, &long);
    }
    let reader = bench.reader();
    let mut seen = Vec::new();
    let mut query = TimelineQuery { limit: Some(1_000), ..TimelineQuery::default() };
    loop {
        let page = reader.snapshot(&query).unwrap().page;
        assert!((1..=9).contains(&page.entries.len()), "{}", page.entries.len());
        seen.splice(0..0, ids(&page).into_iter().map(str::to_owned));
        query.before = page.before;
        if !page.has_more {
            break;
        }
    }
    assert_eq!(seen, all);
    let mut query = TimelineQuery { limit: Some(1_000), after_seq: Some(0), ..TimelineQuery::default() };
    let mut seen = Vec::new();
    loop {
        let page = reader.snapshot(&query).unwrap().page;
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        query.after_seq = page.entries.last().map(|entry| entry.seq);
        if !page.has_more {
            break;
        }
    }
    assert_eq!(seen, all);
}

#[test]
fn long_changes_are_read_a_few_at_a_time_and_at_least_one() {
    let mut bench = bench();
    for id in ["A", "B", "C"] {
        bench.put(id, Source::File, Status::Completed, &"x".repeat(50_000));
    }
    bench.put("D", Source::File, Status::Completed, &"x".repeat(1_000_000));
    let reader = bench.reader();
    let told = |after| -> Vec<u64> {
        reader.changes(after, 9, 100).unwrap().iter().map(|change| change.entry.seq).collect()
    };
    assert_eq!((told(0), told(2), told(3)), (vec![1, 2], vec![3, 4], vec![4]));
}

#[test]
fn any_words_can_be_looked_for_and_all_of_them_must_be_there() {
    let mut bench = bench();
    bench.put("A", Source::File, Status::Completed, "one two NEAR");
    let reader = bench.reader();
    let found = |q: &str| {
        let query = TimelineQuery { q: Some(q.to_owned()), ..TimelineQuery::default() };
        reader.snapshot(&query).unwrap().page.entries.len()
    };
    assert_eq!((found("\u{f71}"), found("two \u{f71}"), found("three \u{f71}")), (0, 1, 0));
    proptest!(|(q in "([a-z]{1,4}|[\"'*():^+-]|AND|OR|NOT|NEAR|\\PC| ){0,8}", cursor in any::<String>())| {
        // What the index takes for a part of a word, it decides; of these it is sure.
        let has_words = q.chars().any(|c| c.is_ascii_alphanumeric());
        prop_assert!(!has_words || found(&format!("two {q}")) == found(&q), "{q:?}");
        prop_assert_eq!(found(&format!("three {q}")), 0);
        let _ = reader.snapshot(&TimelineQuery { before: Some(cursor), ..TimelineQuery::default() });
    });
}

#[test]
fn a_clock_that_is_set_back_leaves_the_order() {
    let mut bench = bench();
    let far = Stamp::from_micros(Stamp::now().as_micros() + 3_600_000_000);
    let entry = |id: &str| entry(id, Source::File, Status::Queued, "");
    bench.store.put_entry_at(far, entry("A"), true).unwrap();
    bench.store.put_entry(entry("B"), true).unwrap();
    bench.store.put_entry(entry("A"), true).unwrap();
    bench.store.put_entry(entry("C"), true).unwrap();
    let stored = |id: &str| bench.store.entry(id).unwrap().unwrap();
    let [a, b, c] = ["A", "B", "C"].map(stored);
    assert_eq!(a.timestamp, far);
    assert!(a.timestamp < b.timestamp && b.timestamp < c.timestamp);
    assert!(b.updated_at >= b.timestamp && a.updated_at >= a.timestamp && b.seq < a.seq);
}

/// Each source with the kinds that it has.
const KINDS: [(Source, Kind); 4] = [
    (Source::File, Kind::Task),
    (Source::Chat, Kind::Prompt),
    (Source::Chat, Kind::Reply),
    (Source::Control, Kind::Control),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is asked for together, a page has what a look at every entry would find, in its order.
    #[test]
    fn a_page_is_what_a_look_at_every_entry_would_find(
        writes in prop::collection::vec(
            (0..20_usize, prop::sample::select(&KINDS[..]), prop::sample::select(Status::ALL), prop::bool::ANY),
            1..40,
        ),
        queries in prop::collection::vec(
            (
                (prop::option::of(prop::sample::select(Source::ALL)), prop::option::of(prop::sample::select(Kind::ALL))),
                prop::option::weighted(0.7, prop::sample::select(Status::ALL)),
                (prop::option::weighted(0.3, 0..45_u64), prop::option::weighted(0.3, 1..45_u64)),
                prop::option::weighted(0.3, Just("needle".to_owned())),
                (1..12_usize, prop::bool::ANY),
            ),
            20,
        ),
    ) {
        let mut bench = bench();
        let mut kind_of = std::collections::HashMap::new();
        for (n, (source, kind), status, is_needle) in writes {
            // An entry never changes its kind.
            let (source, kind) = *kind_of.entry(n).or_insert((source, kind));
            let content = if is_needle { "a needle" } else { "hay" };
            let entry = Entry { kind, ..entry(&format!("E-{n}"), source, status, content) };
            bench.store.put_entry(entry, true).unwrap();
        }
        let reader = bench.reader();
        let all = reader.snapshot(&TimelineQuery::default()).unwrap().page.entries;
        for ((source, kind), status, (before, after_seq), q, (limit, steps)) in queries {
            let query = TimelineQuery {
                source,
                kind,
                status,
                before: before.map(|key| format!("k{key}")),
                after_seq,
                q: q.clone(),
                limit: Some(limit),
                steps,
                ..TimelineQuery::default()
            };
            // Keys have no gaps.
            let keyed = (1_u64..).zip(&all);
            let mut wanted: Vec<&Entry> = keyed
                .filter(|(key, entry)| {
                    source.is_none_or(|source| entry.source == source)
                        && kind.is_none_or(|kind| entry.kind == kind)
                        && status.is_none_or(|status| entry.status == status)
                        && before.is_none_or(|before| *key < before)
                        && after_seq.is_none_or(|after| entry.seq > after)
                        && q.as_ref().is_none_or(|q| entry.content.contains(q.as_str()))
                })
                .map(|(_, entry)| entry)
                .collect();
            if after_seq.is_some() {
                wanted.sort_by_key(|entry| entry.seq);
            }
            let has_more = wanted.len() > limit;
            match after_seq {
                Some(_) => wanted.truncate(limit),
                None => drop(wanted.drain(..wanted.len().saturating_sub(limit))),
            }
            let page = reader.snapshot(&query).unwrap().page;
            prop_assert_eq!(page.entries.iter().collect::<Vec<_>>(), wanted, "{:?}", query);
            prop_assert_eq!(page.has_more, has_more, "{:?}", query);
        }
    }
}
