//! What the ledger says of items.

use rusqlite::params;

use super::*;

#[test]
fn an_item_is_read_back_as_it_was_written() {
    let mut bench = bench();
    let mut written = item("T");
    bench.store.put_item(&mut written).unwrap();
    assert_eq!(written.arrival, 1);
    assert_eq!(bench.store.item(&written.id).unwrap(), Some(written.clone()));
    written.status = Status::Completed;
    written.ended_at = Some(Stamp::from_micros(9));
    bench.store.put_item(&mut written).unwrap();
    assert_eq!(bench.store.unsettled().unwrap(), [written.clone()]);
    bench.store.settle(1, Some("T.2.md".into())).unwrap();
    assert!(bench.store.unsettled().unwrap().is_empty());
    // Whoever changes it after that does not know.
    bench
        .store
        .put_item(&mut Item { response_file: Some("T-BOT-1-response.md".into()), ..written.clone() })
        .unwrap();
    assert!(bench.store.unsettled().unwrap().is_empty());
    let there = bench.store.item(&written.id).unwrap().unwrap();
    assert_eq!((there.settled, there.response_file.as_deref()), (true, Some("T-BOT-1-response.md")));
    assert_eq!(bench.store.last_endings(5).unwrap(), [Status::Completed]);
    let mut next = item("U");
    bench.store.put_item(&mut next).unwrap();
    assert_eq!(next.arrival, 2);
}

#[test]
fn the_turns_of_a_session_are_those_that_ran_and_ended_the_latest_first() {
    let mut bench = bench();
    let mut put = |id: &str, source: Source, session: &str, ended: bool, attempts: u32| {
        let detail = Detail { session: Some(session.to_owned()), ..Detail::default() };
        let ended_at = ended.then(|| Stamp::from_micros(9));
        let mut turn = Item { source, detail, attempts, ended_at, ..item(id) };
        bench.store.put_item(&mut turn).unwrap();
    };
    put("A-1", Source::Chat, "a's \"words\"", true, 1);
    put("B-1", Source::Chat, "b", true, 1);
    put("A-2", Source::Chat, "a's \"words\"", true, 1);
    put("A-3", Source::Chat, "a's \"words\"", true, 0);
    put("A-4", Source::Chat, "a's \"words\"", false, 1);
    put("A-5", Source::File, "a's \"words\"", true, 1);
    put("A-6", Source::Chat, "a's \"words\"", true, 1);
    let turns = |session: &str, limit| -> Vec<String> {
        let ids = bench.store.turns_of(session, limit).unwrap();
        ids.iter().map(ToString::to_string).collect()
    };
    assert_eq!(turns("a's \"words\"", 10), ["A-6", "A-2", "A-1"]);
    assert_eq!(turns("a's \"words\"", 2), ["A-6", "A-2"]);
    assert_eq!(turns("b", 10), ["B-1"]);
    assert!(turns("c", 10).is_empty());
}

#[test]
fn the_turns_of_a_session_cost_the_same_in_a_long_ledger() {
    let bench = bench();
    let plan = format!("EXPLAIN QUERY PLAN {}", item::TURNS_OF);
    let detail: String = bench.store.db.query_row(&plan, params!["a", 1], |row| row.get("detail")).unwrap();
    assert!(detail.contains("SEARCH") && detail.contains("item_session"), "{detail}");
}

#[test]
fn what_has_not_ended_is_listed_with_the_most_urgent_first() {
    let mut bench = bench();
    let ended = Item { ended_at: Some(Stamp::from_micros(9)), status: Status::Failed, ..item("T-0") };
    let chat = Item { source: Source::Chat, ..item("CHAT-1") };
    for mut item in [ended, chat, item("T-1"), Item { priority: Priority::P0, ..item("T-2") }, item("T-3")] {
        bench.store.put_item(&mut item).unwrap();
    }
    bench.store.commit().unwrap();
    let reader = Reader::open(&bench.dir.path().join("B.db")).unwrap();
    let listed = |after: Option<&Item>, limit| {
        let (items, total) = reader.live_tasks(after, limit).unwrap();
        (items.iter().map(|item| item.id.to_string()).collect::<Vec<_>>(), total)
    };
    assert_eq!(listed(None, 9), (vec!["T-2".to_owned(), "T-1".to_owned(), "T-3".to_owned()], 3));
    let first = reader.item(&"T-2".parse().unwrap()).unwrap();
    assert_eq!(listed(first.as_ref(), 1), (vec!["T-1".to_owned()], 3));
}
