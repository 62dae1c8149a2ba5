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
    nest.inbox.as_ref().unwrap().rescan();
    assert_eq!(nest.until_scanned(), [InboxEvent::ScanDone { first: false, files: 2 }]);
}

#[test]
fn lost_events_are_made_up_for_by_a_scan() {
    let nest = Nest::prepare();
    // A watcher that tells nothing.
    let silent: Connect = Box::new(|_, _| Ok(Watch::deaf()));
    let nest = nest.start_with(Pace::default(), HashMap::new(), silent);
    nest.until_scanned();
    nest.old_file("a.md", "text");
    nest.inbox.as_ref().unwrap().mailbox.lost_events();
    let events = nest.until_scanned();
    assert_eq!(all_names(&events), ["a.md"]);
    assert!(events.contains(&InboxEvent::Controls));
    fs::remove_file(nest.path("a.md")).unwrap();
    nest.inbox.as_ref().unwrap().mailbox.lost_events();
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
            nest.inbox.as_ref().unwrap().mailbox.lost_events();
        }
    }
    nest.inbox.as_ref().unwrap().mailbox.lost_events();
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
    // The first word of the inbox is that control files are to be looked at: until we let it, it does nothing more.
    let (go, wait) = mpsc::channel::<()>();
    let (tx, rx) = mpsc::channel();
    let mut held = false;
    let inbox = start(nest.config(), parse, move |event| {
        let flow = if tx.send(event).is_ok() { Flow::Continue } else { Flow::Stop };
        if !std::mem::replace(&mut held, true) {
            wait.recv().unwrap();
        }
        flow
    });
    let nest = Nest { inbox: Some(inbox.unwrap()), events: rx, ..nest };
    assert_eq!(nest.next(), InboxEvent::Controls);
    fs::rename(nest.elsewhere("new"), nest.path("new.md")).unwrap();
    let notice = mailbox::Notice { name: "new.md".to_owned(), kind: mailbox::NoticeKind::Closed };
    nest.inbox.as_ref().unwrap().mailbox.notice(notice);
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
