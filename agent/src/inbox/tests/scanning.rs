//! Full scans, and what is known before.

use std::collections::HashSet;

use super::*;

fn fingerprint(nest: &Nest, name: &str) -> Fingerprint {
    match files::look(&nest.path(name)).unwrap() {
        files::Entry::File(look) => look.fingerprint,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_scan_tells_in_the_order_of_creation_then_name_and_in_batches() {
    let nest = Nest::prepare();
    // Created backwards, two at each time, and the last hundred just now.
    let count = 1_300;
    for i in 0..count {
        let (name, text) = (format!("{i:04}.md"), format!("{} text", (count - i) / 2));
        if i < 1_200 {
            nest.old_file(&name, &text);
        } else {
            fs::write(nest.path(&name), text).unwrap();
        }
    }
    let nest = nest.start(Pace::default(), HashMap::new());
    let events = nest.until_scanned();
    assert_eq!(events.last(), Some(&InboxEvent::ScanDone { first: true, files: count }));
    assert!(events.iter().all(|event| names(event).len() <= 500));
    let mut expected: Vec<_> = (0..count).map(|i| ((count - i) / 2, format!("{i:04}.md"))).collect();
    expected.sort();
    assert_eq!(all_names(&events), expected.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>());
}

#[test]
fn what_is_known_is_not_read_again_unless_it_changed() {
    let nest = Nest::prepare();
    nest.old_file("same.md", "same");
    nest.old_file("changed.md", "old");
    let mut known: HashMap<_, _> =
        ["same.md", "changed.md"].map(|name| (name.to_owned(), fingerprint(&nest, name))).into();
    known.insert("missing.md".to_owned(), known["same.md"]);
    nest.old_file("changed.md", "newer");
    let nest = nest.start(Pace::default(), known);
    let events = nest.until_scanned();
    assert_eq!(all_names(&events), ["changed.md"]);
    assert!(events.contains(&gone("missing.md")));
    nest.mailbox().rescan();
    assert_eq!(nest.until_scanned(), [InboxEvent::ScanDone { first: false, files: 2 }]);
}

#[test]
fn lost_events_are_made_up_for_by_a_scan() {
    let nest = Nest::prepare().start_deaf(HashMap::new());
    nest.until_scanned();
    nest.old_file("a.md", "text");
    nest.mailbox().lost_events();
    let events = nest.until_scanned();
    assert_eq!(all_names(&events), ["a.md"]);
    assert!(events.contains(&InboxEvent::Controls));
    fs::remove_file(nest.path("a.md")).unwrap();
    nest.mailbox().lost_events();
    assert!(nest.until_scanned().contains(&gone("a.md")));
}

#[test]
fn whatever_events_are_lost_each_file_is_told_once() {
    let nest = Nest::new();
    for i in 0..1_000 {
        if i % 3 == 0 {
            fs::rename(nest.elsewhere("moved"), nest.path(&format!("{i}.md"))).unwrap();
        } else {
            fs::write(nest.path(&format!("{i}.md")), "written").unwrap();
        }
        if i % 50 == 25 {
            nest.mailbox().lost_events();
        }
    }
    nest.mailbox().lost_events();
    let (mut told, mut scans_after) = (HashSet::new(), 0);
    while told.len() < 1_000 || scans_after == 0 {
        let event = nest.next();
        scans_after += usize::from(told.len() == 1_000 && matches!(event, InboxEvent::ScanDone { .. }));
        if let InboxEvent::Seen(files) = event {
            for file in files {
                let number: usize = file.name.trim_end_matches(".md").parse().unwrap();
                let expected = if number.is_multiple_of(3) { "moved" } else { "written" };
                assert_eq!(file.content, expected, "{}", file.name);
                assert!(told.insert(file.name.clone()), "{} is told twice", file.name);
            }
        }
    }
}

#[test]
fn a_dropped_file_overtakes_the_scan_and_is_told_once() {
    let nest = Nest::prepare();
    for i in 0..3_000 {
        nest.old_file(&format!("{i}.md"), "old");
    }
    let (nest, go) = nest.start_gated(Pace::default(), HashMap::new(), deaf(), |_| true);
    assert_eq!(nest.next(), InboxEvent::Controls);
    fs::rename(nest.elsewhere("new"), nest.path("new.md")).unwrap();
    nest.notice("new.md", NoticeKind::Closed);
    go.send(()).unwrap();
    let events = nest.until_scanned();
    let told = all_names(&events);
    assert_eq!(told.len(), 3_001);
    assert_eq!(told.first(), Some(&"new.md"));
}

#[test]
fn a_file_is_read_up_to_the_limit_only() {
    let nest = Nest::prepare();
    nest.old_file("long.md", &"x".repeat(3 << 20));
    let (tx, rx) = mpsc::channel();
    let config = nest.config();
    let measure = |bytes: &[u8], facts: &FileFacts<'_>| Parsed {
        created: facts.modified,
        content: (bytes.len(), facts.size),
    };
    let events = move |event| if tx.send(event).is_ok() { Flow::Continue } else { Flow::Stop };
    let _inbox = start(config, measure, events).unwrap();
    let seen =
        rx.iter().find_map(|event| if let InboxEvent::Seen(files) = event { Some(files) } else { None });
    assert_eq!(seen.unwrap()[0].content, ((1 << 20) + 1, 3 << 20));
}

/// A scan that waits in the midst of listing two hundred files, and the word on which it goes on.
fn in_the_midst(known: HashMap<String, Fingerprint>) -> (Nest, Sender<()>) {
    let nest = Nest::prepare();
    for i in 0..100 {
        nest.old_file(&format!("a{i}.md"), "a");
    }
    std::os::unix::fs::symlink("/", nest.path("link.md")).unwrap();
    for i in 0..100 {
        nest.old_file(&format!("b{i}.md"), "b");
    }
    let at_the_link = |event: &Event| matches!(event, InboxEvent::Symlink(_));
    let (nest, go) = nest.start_gated(Pace::default(), known, deaf(), at_the_link);
    nest.until(at_the_link);
    (nest, go)
}

#[test]
fn what_an_event_told_after_the_scan_listed_it_is_not_told_again() {
    let (nest, go) = in_the_midst(HashMap::new());
    for i in 0..100 {
        nest.notice(&format!("a{i}.md"), NoticeKind::Closed);
        nest.notice(&format!("b{i}.md"), NoticeKind::Closed);
    }
    go.send(()).unwrap();
    let events = nest.until_scanned();
    let mut told = all_names(&events);
    assert_eq!(told.len(), 200);
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 200);
}

#[test]
fn what_is_written_to_after_the_scan_listed_it_is_left_to_the_events() {
    let (nest, go) = in_the_midst(HashMap::new());
    for name in ["a0.md", "b0.md"] {
        nest.notice(name, NoticeKind::Writing);
    }
    go.send(()).unwrap();
    let events = nest.until_scanned();
    let told = all_names(&events);
    assert_eq!(told.len(), 198);
    assert!(!told.contains(&"a0.md") && !told.contains(&"b0.md"));
    nest.notice("a0.md", NoticeKind::Closed);
    assert_eq!(nest.next_seen("a0.md"), "a");
}

#[test]
fn a_directory_that_is_moved_away_in_the_midst_of_a_scan_is_lost_and_its_files_are_not_gone() {
    let known = Fingerprint::made_up(0, 0);
    let (nest, go) = in_the_midst(HashMap::from([("known.md".to_owned(), known)]));
    fs::rename(nest.tasks(), nest.dir.path().join("aside")).unwrap();
    go.send(()).unwrap();
    assert_eq!(nest.next(), InboxEvent::DirectoryLost);
    fs::create_dir(nest.tasks()).unwrap();
    nest.mailbox().rescan();
    let events = nest.until_scanned();
    assert_eq!(
        events,
        [
            InboxEvent::DirectoryBack,
            InboxEvent::Gone(vec!["known.md".to_owned(), "link.md".to_owned()]),
            InboxEvent::ScanDone { first: true, files: 0 }
        ]
    );
}

#[test]
fn an_event_of_a_file_whose_directory_was_moved_away_does_not_say_that_it_is_gone() {
    let nest = Nest::prepare();
    nest.old_file("a.md", "text");
    let nest = nest.start_deaf(HashMap::new());
    nest.until_scanned();
    fs::rename(nest.tasks(), nest.dir.path().join("aside")).unwrap();
    nest.notice("a.md", NoticeKind::Touched);
    nest.mailbox().rescan();
    assert_eq!(nest.next(), InboxEvent::DirectoryLost);
}

#[test]
fn what_is_removed_after_the_scan_read_it_is_not_told_any_more() {
    let nest = Nest::prepare();
    for i in 0..700 {
        nest.old_file(&format!("{i:03}.md"), "text");
    }
    let first_batch = |event: &Event| matches!(event, InboxEvent::Seen(_));
    let (nest, go) = nest.start_gated(Pace::default(), HashMap::new(), deaf(), first_batch);
    nest.until(first_batch);
    for name in ["001.md", "699.md"] {
        fs::remove_file(nest.path(name)).unwrap();
        nest.notice(name, NoticeKind::Removed);
    }
    go.send(()).unwrap();
    let events = nest.until_scanned();
    assert_eq!(events[0], InboxEvent::Gone(vec!["001.md".to_owned(), "699.md".to_owned()]));
    assert_eq!(all_names(&events).len(), 199);
}

#[test]
fn a_scan_does_not_wait_for_what_is_being_written() {
    let nest = Nest::prepare();
    fs::write(nest.path("fresh.md"), "half").unwrap();
    let nest = nest.start_deaf(HashMap::new());
    assert_eq!(nest.next(), InboxEvent::Controls);
    nest.notice("fresh.md", NoticeKind::Writing);
    assert_eq!(nest.until_scanned(), [InboxEvent::ScanDone { first: true, files: 1 }]);
}

#[test]
fn a_file_that_was_replaced_when_its_removal_is_told_of_is_gone_and_another_comes() {
    let nest = Nest::prepare();
    nest.old_file("a.md", "one");
    let nest = nest.start_deaf(HashMap::new());
    nest.until_scanned();
    fs::remove_file(nest.path("a.md")).unwrap();
    nest.old_file("a.md", "other");
    nest.notice("a.md", NoticeKind::Removed);
    assert_eq!(nest.next(), gone("a.md"));
    assert_eq!(nest.next_seen("a.md"), "other");
    // It is there as it was told: a removal before that is old news.
    nest.notice("a.md", NoticeKind::Removed);
    nest.mailbox().rescan();
    assert_eq!(nest.until_scanned(), [InboxEvent::ScanDone { first: false, files: 1 }]);
}
