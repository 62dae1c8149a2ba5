//! The directories themselves: control files, and what happens when there is no watcher or no directory.

use std::sync::mpsc::RecvTimeoutError;

use super::super::watch::WatchError;

use super::*;

fn unavailable() -> WatchError {
    WatchError::Unavailable(notify::Error::generic("too many open files"))
}

#[test]
fn control_files_of_this_bot_are_told_and_those_of_others_are_not() {
    let nest = Nest::new();
    let controls = nest.dir.path().join("controls");
    fs::write(controls.join("BOT-2-PAUSE"), "").unwrap();
    assert_eq!(nest.before_a_new_drop(), []);
    fs::write(controls.join("BOT-1-PAUSE"), "scope: tasks\n").unwrap();
    assert_eq!(nest.next(), InboxEvent::Controls);
    fs::remove_file(controls.join("BOT-1-PAUSE")).unwrap();
    assert_eq!(nest.next(), InboxEvent::Controls);
}

#[test]
fn without_a_task_directory_control_files_are_all() {
    let nest = Nest::prepare();
    let (tx, rx) = mpsc::channel();
    let config = InboxConfig { tasks_dir: None, ..nest.config() };
    let events = move |event: Event| if tx.send(event).is_ok() { Flow::Continue } else { Flow::Stop };
    let inbox = start(config, parse, events).unwrap();
    assert_eq!(rx.recv_timeout(PATIENCE), Ok(InboxEvent::Controls));
    fs::write(nest.path("a.md"), "text").unwrap();
    fs::write(nest.dir.path().join("controls/BOT-1-STOP"), "").unwrap();
    assert_eq!(rx.recv_timeout(PATIENCE), Ok(InboxEvent::Controls));
    inbox.stop();
    while let Ok(event) = rx.recv_timeout(PATIENCE) {
        assert_eq!(event, InboxEvent::Controls);
    }
}

#[test]
fn without_notifications_it_scans_says_so_and_gets_them_back() {
    let nest = Nest::prepare();
    let (allow, allowed) = mpsc::channel::<()>();
    let connect: Connect =
        Box::new(
            move |places, mailbox| {
                if allowed.try_recv().is_ok() { Watch::start(places, mailbox) } else { Err(unavailable()) }
            },
        );
    let nest = nest.start_with(brisk(), HashMap::new(), connect);
    assert!(matches!(nest.next(), InboxEvent::Degraded(why) if why.contains("too many open files")));
    fs::write(nest.path("a.md"), "text").unwrap();
    nest.until(|event| names(event) == ["a.md"]);
    fs::remove_file(nest.path("a.md")).unwrap();
    let events = nest.until(|event| *event == gone("a.md"));
    assert!(!events.iter().any(|event| matches!(event, InboxEvent::Degraded(_) | InboxEvent::Restored)));
    allow.send(()).unwrap();
    nest.until(|event| *event == InboxEvent::Restored);
    nest.until_scanned();
    assert_eq!(nest.the_rest(), []);
}

#[test]
fn a_watcher_that_fails_is_replaced() {
    let nest = Nest::with(brisk());
    nest.mailbox().watcher_failed("broken".to_owned());
    assert!(matches!(nest.next(), InboxEvent::Degraded(why) if why.contains("broken")));
    nest.until(|event| *event == InboxEvent::Restored);
    nest.until_scanned();
    fs::write(nest.path("a.md"), "text").unwrap();
    assert_eq!(nest.next_seen("a.md"), "text");
}

#[test]
fn a_directory_that_is_removed_and_made_again_is_watched_again() {
    let nest = Nest::new();
    for round in ["first", "second"] {
        fs::remove_dir_all(nest.tasks()).unwrap();
        nest.until(|event| *event == InboxEvent::DirectoryLost);
        fs::create_dir(nest.tasks()).unwrap();
        nest.until(|event| *event == InboxEvent::DirectoryBack);
        nest.until_scanned();
        fs::write(nest.path("a.md"), round).unwrap();
        let events = nest.until(|event| names(event) == ["a.md"]);
        assert!(!events.iter().any(|event| matches!(event, InboxEvent::Degraded(_))), "{events:?}");
    }
}

#[test]
fn files_of_a_directory_that_is_moved_away_are_not_told_gone_until_there_is_another() {
    let nest = Nest::new();
    fs::rename(nest.elsewhere("text"), nest.path("a.md")).unwrap();
    assert_eq!(nest.next_seen("a.md"), "text");
    let aside = nest.dir.path().join("aside");
    fs::rename(nest.tasks(), &aside).unwrap();
    let events = nest.until(|event| *event == InboxEvent::DirectoryLost);
    assert!(!events.contains(&gone("a.md")));
    fs::rename(&aside, nest.tasks()).unwrap();
    let events = nest.until_scanned();
    assert!(events.contains(&InboxEvent::DirectoryBack) && all_names(&events).is_empty(), "{events:?}");
    fs::rename(nest.tasks(), &aside).unwrap();
    fs::create_dir(nest.tasks()).unwrap();
    nest.until(|event| *event == gone("a.md"));
}

#[test]
fn the_directory_may_be_lost_with_all_around_it() {
    let nest = Nest::with(brisk());
    fs::remove_dir_all(nest.dir.path().join("tasks")).unwrap();
    nest.until(|event| *event == InboxEvent::DirectoryLost);
    fs::create_dir_all(nest.tasks()).unwrap();
    nest.until(|event| *event == InboxEvent::DirectoryBack);
    nest.until_scanned();
    fs::write(nest.path("a.md"), "text").unwrap();
    nest.until(|event| names(event) == ["a.md"]);
}

#[test]
fn a_control_directory_that_is_made_later_is_watched() {
    let nest = Nest::new();
    let controls = nest.dir.path().join("controls");
    fs::remove_dir(&controls).unwrap();
    nest.until_scanned();
    fs::create_dir(&controls).unwrap();
    nest.until_scanned();
    while nest.events.try_recv().is_ok() {}
    fs::write(controls.join("BOT-1-PAUSE"), "").unwrap();
    nest.until(|event| *event == InboxEvent::Controls);
}

#[test]
fn it_ends_when_it_is_stopped_or_nobody_listens() {
    let mut nest = Nest::new();
    drop(nest.inbox.take());
    assert_eq!(nest.events.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));

    let (tx, rx) = mpsc::channel::<()>();
    let inbox = start(nest.config(), parse, move |_: Event| {
        let _ = &tx;
        Flow::Stop
    });
    assert_eq!(rx.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    drop(inbox);
}
