//! What the outbox does when its ledger, or its disk, is of no help.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::queue::UNSYNCED_COMMITS;
use super::worker::{Moved, or_leave};
use super::*;
use crate::disk_state::DiskState;
use crate::store::{KeepTrying, Store};

/// An outbox whose ledger's file is taken away.
struct Subject {
    dir: tempfile::TempDir,
    hive: Hive,
    _store: Store,
    outbox: Outbox,
    notes: Receiver<Note>,
}

fn bot() -> BotId {
    BotId::parse("BOT-1").unwrap()
}

fn subject() -> Subject {
    let dir = tempfile::tempdir().unwrap();
    let hive = Hive::at(dir.path().to_owned());
    hive.create(Some(&bot())).unwrap();
    let database = hive.database(&bot());
    let store = Store::open(&database, Box::new(|_| KeepTrying::No)).unwrap();
    let hub = Hub::new(store.seq(), DiskState::default());
    let (tell, notes) = channel();
    let witness = Witness::new(&hive, &bot(), store.epoch());
    let told = move |note| drop(tell.send(note));
    let outbox =
        Outbox::start(hive.clone(), bot(), hub, &store.log_path(), &database, witness, told).unwrap();
    for name in ["BOT-1.db", "BOT-1.db-wal", "BOT-1.db-shm"] {
        std::fs::remove_file(hive.state().join(name)).unwrap();
    }
    Subject { dir, hive, _store: store, outbox, notes }
}

fn send(outbox: &Outbox, id: &str) {
    let id = ItemId::parse(id).unwrap();
    let document: Document = format!("the answer of {id}").into();
    let response = Some((Hive::response_name(&id), document));
    outbox.send(Batch { jobs: vec![Job { arrival: 1, id, response, file: None, complete: None }] });
}

impl Subject {
    /// Waits until the outbox has missed the ledger.
    fn misses(&self) -> SyncSender<()> {
        match self.notes.recv_timeout(Duration::from_secs(20)) {
            Ok(Note::LedgerGone(put_back)) => put_back,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_ends_while_the_ledger_is_gone_has_its_response_when_the_bot_stops() {
    let subject = subject();
    send(&subject.outbox, "A-1");
    let _never = subject.misses();
    // Nobody has come to these.
    send(&subject.outbox, "A-2");
    send(&subject.outbox, "A-3");
    let Subject { dir: _dir, hive, outbox, notes, .. } = subject;
    outbox.close();
    let names = ["A-1", "A-2", "A-3"].map(|id| format!("{id}-response.md"));
    let missing: Vec<_> = names.iter().filter(|name| !hive.responses().join(name).exists()).collect();
    assert_eq!(missing, [""; 0]);
    assert!(notes.try_iter().all(|note| matches!(note, Note::LedgerGone(_))), "nothing is at rest");
}

#[test]
fn whoever_hands_over_is_not_kept_by_what_gets_nowhere() {
    let subject = subject();
    send(&subject.outbox, "A-0");
    let _never = subject.misses();
    let (done, handed_over) = channel();
    std::thread::scope(|scope| {
        let outbox = &subject.outbox;
        scope.spawn(move || {
            (0..2 * UNSYNCED_COMMITS).for_each(|number| send(outbox, &format!("A-{number}")));
            done.send(())
        });
        let result = handed_over.recv_timeout(Duration::from_secs(20));
        // It would wait for ever.
        outbox.queue.change(|queue| queue.stuck = true);
        result.unwrap();
    });
}

#[test]
fn another_database_in_the_ledgers_place_is_not_taken_for_it() {
    let subject = subject();
    // It is there before the ledger is missed.
    let database = subject.hive.database(&bot());
    let other = Store::open(&database, Box::new(|_| KeepTrying::No)).unwrap();
    send(&subject.outbox, "A-1");
    let _never = subject.misses();
    let Subject { dir: _dir, hive, outbox, notes, .. } = subject;
    outbox.close();
    drop(other);
    assert!(hive.responses().join("A-1-response.md").exists());
    assert!(notes.try_iter().all(|note| matches!(note, Note::LedgerGone(_))), "nothing is at rest in it");
}

#[test]
fn one_file_that_cannot_be_moved_is_left_and_a_directory_that_takes_nothing_is_trouble() {
    let dir = tempfile::tempdir().unwrap();
    let (file, archive) = (dir.path().join("T-1.md"), dir.path().join("archive"));
    let refused = |error: i32| {
        or_leave(Err(io::Error::from_raw_os_error(error)), &bot(), &file, &archive)
            .map(|moved| matches!(moved, Moved::Not))
            .map_err(|error| error.raw_os_error())
    };
    std::fs::create_dir(&archive).unwrap();
    for about_the_file in [nix::libc::EPERM, nix::libc::ELOOP] {
        assert_eq!(refused(about_the_file), Ok(true));
    }
    assert_eq!(refused(nix::libc::ENOSPC), Err(Some(nix::libc::ENOSPC)));
    // As it is where no file can be made in it.
    std::fs::remove_dir(&archive).unwrap();
    std::fs::write(&archive, "").unwrap();
    assert_eq!(refused(nix::libc::EPERM), Err(Some(nix::libc::EPERM)));
}
