//! What the inbox's thread is told between two looks: by the watcher, by the driver. It holds a bounded number of
//! names; past that it says that events were lost, and a full scan finds out.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The most notices that are kept; a full scan is cheaper than working through more.
const MOST_NOTICES: usize = 16_384;

/// The most notices handed over at once, so that a flood of files does not hold up the rest of the mail.
const A_HANDFUL: usize = 256;

/// Something happened to a file in the task directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    /// Its name there.
    pub(super) name: String,
    /// What the watcher said.
    pub(super) kind: NoticeKind,
}

/// What happened to a file. All but the last are hints: the truth is what is there when one looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoticeKind {
    /// It was closed after writing, or renamed in.
    Closed,
    /// It was created or modified.
    Writing,
    /// Something else about it changed, such as its permissions.
    Touched,
    /// It was deleted or moved away.
    Removed,
    /// Its name is not UTF-8; what is given is the nearest text.
    NotUtf8,
}

/// The mail since the last time.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says that something came, whatever else came")]
pub(super) struct Mail {
    /// Files, in the order of the events.
    pub(super) notices: Vec<Notice>,
    /// A control file of this bot came, went or changed.
    pub(super) controls: bool,
    /// One of the watched directories itself came, went or changed.
    pub(super) structure: bool,
    /// More happened than could be told.
    pub(super) lost_events: bool,
    /// The driver asks for a full scan.
    pub(super) rescan: bool,
    /// The watcher works no more, and why.
    pub(super) watcher_failed: Option<String>,
    /// The thread is to end.
    pub(super) stop: bool,
}

/// Until when to wait for mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// There is work: do not wait.
    Now,
    /// Something is due then.
    Time(Instant),
    /// Nothing is pending.
    Mail,
}

/// The letter box between the inbox's thread and everyone else.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    notices: VecDeque<Notice>,
    rest: Mail,
}

impl Mailbox {
    /// A file was noticed. Notices that add nothing to the one before are dropped.
    pub(super) fn notice(&self, notice: Notice) {
        self.put(|state| {
            if state.rest.lost_events {
                return;
            }
            if let Some(last) = state.notices.back_mut().filter(|last| last.name == notice.name) {
                let repeats = last.kind == notice.kind;
                let finishes = last.kind == NoticeKind::Writing && notice.kind == NoticeKind::Closed;
                if repeats || finishes {
                    last.kind = notice.kind;
                    return;
                }
            }
            if state.notices.len() < MOST_NOTICES {
                state.notices.push_back(notice);
            } else {
                state.notices = VecDeque::new();
                state.rest.lost_events = true;
            }
        });
    }

    /// A control file changed.
    pub(super) fn controls(&self) {
        self.put(|state| state.rest.controls = true);
    }

    /// A watched directory itself changed.
    pub(super) fn structure(&self) {
        self.put(|state| state.rest.structure = true);
    }

    /// The kernel dropped events.
    pub(super) fn lost_events(&self) {
        self.put(|state| {
            state.notices = VecDeque::new();
            state.rest.lost_events = true;
        });
    }

    /// The watcher works no more.
    pub(super) fn watcher_failed(&self, why: String) {
        self.put(|state| state.rest.watcher_failed = Some(why));
    }

    /// Look at everything.
    pub(super) fn rescan(&self) {
        self.put(|state| state.rest.rescan = true);
    }

    /// End.
    pub(super) fn stop(&self) {
        self.put(|state| state.rest.stop = true);
    }

    fn put(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.arrived.notify_one();
    }

    /// Waits for mail and takes it; comes back without any when the time is up.
    pub(super) fn take(&self, until: Until) -> Mail {
        let mut state = self.lock();
        while state.is_empty() {
            state = match until {
                Until::Now => break,
                Until::Mail => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Until::Time(time) => {
                    let left = time.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        let mut mail = std::mem::take(&mut state.rest);
        let handful = state.notices.len().min(A_HANDFUL);
        mail.notices.extend(state.notices.drain(..handful));
        if state.notices.is_empty() {
            // The room that a flood needed is given back.
            state.notices.shrink_to(A_HANDFUL);
        }
        mail
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_empty(&self) -> bool {
        let Mail { notices: _, controls, structure, lost_events, rescan, watcher_failed, stop } = &self.rest;
        self.notices.is_empty()
            && !(*controls || *structure || *lost_events || *rescan || *stop)
            && watcher_failed.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(name: &str, kind: NoticeKind) -> Notice {
        Notice { name: name.to_owned(), kind }
    }

    #[test]
    fn the_events_of_one_write_are_one_notice_and_order_is_kept() {
        use NoticeKind::{Closed, Removed, Writing};
        let mailbox = Mailbox::default();
        for kind in [Writing, Writing, Closed, Closed, Removed, Writing] {
            mailbox.notice(notice("a", kind));
        }
        mailbox.notice(notice("b", Writing));
        mailbox.notice(notice("a", Closed));
        let taken = mailbox.take(Until::Mail).notices;
        let expected = [("a", Closed), ("a", Removed), ("a", Writing), ("b", Writing), ("a", Closed)];
        assert_eq!(taken, expected.map(|(name, kind)| notice(name, kind)));
        assert!(mailbox.take(Until::Now).notices.is_empty());
    }

    #[test]
    fn a_flood_is_bounded_says_so_and_does_not_hold_up_other_mail() {
        let mailbox = Mailbox::default();
        for i in 0..MOST_NOTICES {
            mailbox.notice(notice(&i.to_string(), NoticeKind::Closed));
        }
        mailbox.controls();
        let mail = mailbox.take(Until::Mail);
        assert!(mail.controls && !mail.lost_events);
        assert_eq!(mail.notices.len(), A_HANDFUL);
        for i in 0..=A_HANDFUL {
            mailbox.notice(notice(&format!("x{i}"), NoticeKind::Closed));
        }
        mailbox.notice(notice("dropped", NoticeKind::Closed));
        let mail = mailbox.take(Until::Mail);
        assert!(mail.lost_events && mail.notices.is_empty());
        mailbox.notice(notice("y", NoticeKind::Closed));
        assert_eq!(mailbox.take(Until::Mail).notices.len(), 1);
    }
}
