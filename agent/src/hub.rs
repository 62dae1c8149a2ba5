//! What those who look may see: the latest status, live turns, and how far the timeline is visible.
//!
//! A change of the timeline is shown once it would survive: what ends an item only when its end is synced and its
//! response published (SPEC 12, (f)), and nothing that comes after such a change before it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use hive_shared::api::{Approval, BotStatus, FollowFrame};
use hive_shared::ids::ItemId;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::disk_state::DiskState;
use crate::store::Change;
use crate::tally::Tally;
use crate::turn::Turn;

/// How many changes are kept at hand for followers that keep up.
const RECENT_CHANGES: usize = 1_024;
/// And how many bytes of them.
const RECENT_BYTES: usize = 4 << 20;
/// How many bytes of them a follower is given at a time: one that does not read holds them.
const BYTES_AT_A_TIME: usize = 64 << 10;
/// How many finished chat turns are kept whole for clients that come back.
const RECENT_TURNS: usize = 32;
/// And how many bytes of them; the others are told from the record.
const RECENT_TURN_BYTES: usize = 8 << 20;

/// The status as it was published.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When that was.
    pub at: Instant,
    /// The status.
    pub status: BotStatus,
    /// What waits for a person's permission, the oldest first.
    pub approvals: Vec<Approval>,
    /// How many of the last items failed, of how many.
    pub recent_failures: (usize, usize),
    /// Whether what holds the slot uses no time: it waits for somebody.
    pub clock_stands: bool,
    /// What keeps the bot from its work, for people.
    pub troubles: Vec<String>,
}

/// A frame for followers, and the change that it shows.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The change's number.
    pub seq: u64,
    /// Its `entry_added` or `entry_updated` frame.
    pub frame: Utf8Bytes,
}

/// Shared between the driver, the outbox and the server.
pub struct Hub {
    status: watch::Sender<Option<Arc<Snapshot>>>,
    visible: watch::Sender<u64>,
    live: watch::Sender<u64>,
    timeline: Mutex<Recent>,
    turns: Mutex<Turns>,
    disk: DiskState,
    tally: Tally,
}

#[derive(Default)]
struct Recent {
    committed: u64,
    /// The last seq before each commit that waits to be durable.
    held: VecDeque<u64>,
    shown: VecDeque<Shown>,
    bytes: usize,
}

#[derive(Default)]
struct Turns {
    by_id: HashMap<ItemId, Arc<Turn>>,
    /// Those that are over, the oldest first, with their sizes.
    finished: VecDeque<(ItemId, usize)>,
}

impl Hub {
    /// A hub whose timeline is visible up to `seq`.
    pub fn new(seq: u64, disk: DiskState) -> Arc<Self> {
        let timeline = Mutex::new(Recent { committed: seq, ..Recent::default() });
        Arc::new(Self {
            status: watch::Sender::new(None),
            visible: watch::Sender::new(seq),
            live: watch::Sender::new(0),
            timeline,
            turns: Mutex::default(),
            disk,
            tally: Tally::default(),
        })
    }

    /// What is counted.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    // ---- the timeline ----------------------------------------------------------------------------------------

    /// A transaction with these changes was committed. If it `holds`, they become visible with [`Hub::release`].
    pub fn committed(&self, changes: Vec<Change>, holds: bool) {
        let mut recent = lock(&self.timeline);
        if holds {
            let before = recent.committed;
            recent.held.push_back(before);
        }
        for change in changes {
            recent.committed = change.entry.seq;
            let seq = change.entry.seq;
            let shown = Shown { seq, frame: frame_of(change, seq.saturating_sub(1)) };
            recent.bytes += shown.frame.len();
            recent.shown.push_back(shown);
            while recent.shown.len() > RECENT_CHANGES || recent.bytes > RECENT_BYTES {
                let Some(oldest) = recent.shown.pop_front() else { break };
                recent.bytes -= oldest.frame.len();
            }
        }
        self.show(recent);
    }

    /// The last seq that is committed.
    pub fn committed_seq(&self) -> u64 {
        lock(&self.timeline).committed
    }

    /// The oldest commit that was held is durable and its responses are published.
    pub fn release(&self) {
        let mut recent = lock(&self.timeline);
        recent.held.pop_front();
        self.show(recent);
    }

    fn show(&self, recent: MutexGuard<'_, Recent>) {
        let upto = recent.held.front().copied().unwrap_or(recent.committed);
        drop(recent);
        self.visible.send_if_modified(|visible| std::mem::replace(visible, (*visible).max(upto)) < upto);
    }

    /// The last seq that may be shown; changes when there is more.
    pub fn visible(&self) -> watch::Receiver<u64> {
        self.visible.subscribe()
    }

    /// The changes after `seq` that may be shown, the first of them if they are long; none if they are not all at hand
    /// and are to be read from the store.
    pub fn recent_after(&self, seq: u64) -> Option<Vec<Shown>> {
        let visible = *self.visible.borrow();
        let recent = lock(&self.timeline);
        let oldest = recent.shown.front().map_or(recent.committed + 1, |shown| shown.seq);
        if seq.saturating_add(1) < oldest {
            return None;
        }
        let from = recent.shown.partition_point(|shown| shown.seq <= seq);
        let mut bytes = 0;
        let first = recent.shown.range(from..).take_while(|shown| {
            let has_room = bytes < BYTES_AT_A_TIME;
            bytes += shown.frame.len();
            has_room && shown.seq <= visible
        });
        Some(first.cloned().collect())
    }

    // ---- turns -----------------------------------------------------------------------------------------------

    /// Keeps a turn for those who want to listen.
    pub fn add_turn(&self, turn: Arc<Turn>) {
        lock(&self.turns).by_id.insert(turn.id().clone(), turn);
        self.live.send_modify(|version| *version += 1);
    }

    /// The item is over: a task's turn is forgotten, a chat's kept for a while.
    pub fn end_turn(&self, id: &ItemId, keep: bool) {
        let mut turns = lock(&self.turns);
        if !keep {
            turns.by_id.remove(id);
            return;
        }
        let size = turns.by_id.get(id).map_or(0, |turn| turn.size());
        turns.finished.push_back((id.clone(), size));
        while turns.finished.len() > RECENT_TURNS
            || turns.finished.iter().map(|(_, size)| size).sum::<usize>() > RECENT_TURN_BYTES
        {
            let Some((oldest, _)) = turns.finished.pop_front() else { break };
            turns.by_id.remove(&oldest);
        }
    }

    /// The turn of an item, while it is kept.
    pub fn turn(&self, id: &ItemId) -> Option<Arc<Turn>> {
        lock(&self.turns).by_id.get(id).cloned()
    }

    /// Turns that are not over.
    pub fn live_turns(&self) -> Vec<Arc<Turn>> {
        lock(&self.turns).by_id.values().filter(|turn| !turn.is_complete()).cloned().collect()
    }

    /// Changes when there is another live turn.
    pub fn live_changes(&self) -> watch::Receiver<u64> {
        self.live.subscribe()
    }

    // ---- status ----------------------------------------------------------------------------------------------

    /// Whether the disk takes what is written.
    pub fn disk(&self) -> &DiskState {
        &self.disk
    }

    /// Publishes the status.
    pub fn set_status(&self, snapshot: Snapshot) {
        self.status.send_replace(Some(Arc::new(snapshot)));
    }

    /// The latest status; none before the driver began.
    pub fn status(&self) -> Option<Arc<Snapshot>> {
        self.status.borrow().clone()
    }
}

/// The frame that shows a change to a follower that was told what changed up to `seen`: an entry that was added after
/// that is new to it, however often it has changed since.
pub fn frame_of(change: Change, seen: u64) -> Utf8Bytes {
    let Change { entry, added_seq } = change;
    let frame = if added_seq > seen {
        FollowFrame::EntryAdded { entry }
    } else {
        FollowFrame::EntryUpdated { entry }
    };
    serde_json::to_string(&frame).expect("an entry has string keys only").into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(seq: u64) -> Change {
        let entry = serde_json::json!({
            "seq": seq, "entry_id": format!("CTL-{seq}"), "bot_id": "BOT-1", "timestamp": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z", "source": "control", "kind": "control", "status": "completed",
        });
        Change { entry: serde_json::from_value(entry).unwrap(), added_seq: seq }
    }

    fn shown(hub: &Hub, after: u64) -> Option<Vec<u64>> {
        hub.recent_after(after).map(|shown| shown.iter().map(|shown| shown.seq).collect())
    }

    #[test]
    fn nothing_after_an_end_is_visible_before_that_end_is_durable() {
        let hub = Hub::new(10, DiskState::default());
        hub.committed(vec![change(11)], false);
        assert_eq!(shown(&hub, 10), Some(vec![11]));
        hub.committed(vec![change(12), change(13)], true);
        hub.committed(vec![change(14)], false);
        hub.committed(vec![change(15)], true);
        assert_eq!((*hub.visible().borrow(), shown(&hub, 10)), (11, Some(vec![11])));
        hub.release();
        assert_eq!((*hub.visible().borrow(), shown(&hub, 11)), (14, Some(vec![12, 13, 14])));
        hub.release();
        assert_eq!(shown(&hub, 14), Some(vec![15]));
        assert_eq!(shown(&hub, 15), Some(vec![]));
    }

    #[test]
    fn an_entry_that_changed_before_it_was_told_is_added() {
        let changed = Change { added_seq: 4, ..change(7) };
        assert!(frame_of(changed.clone(), 3).contains("entry_added"));
        assert!(frame_of(changed, 4).contains("entry_updated"));
    }

    #[test]
    fn who_lags_too_far_is_sent_to_the_store() {
        let hub = Hub::new(0, DiskState::default());
        let many = RECENT_CHANGES as u64 + 10;
        hub.committed((1..=many).map(change).collect(), false);
        assert_eq!(shown(&hub, 0), None);
        assert_eq!(shown(&hub, 9), None);
        assert_eq!(shown(&hub, 10).unwrap().first(), Some(&11));
        assert_eq!(Hub::new(5, DiskState::default()).recent_after(4).map(|shown| shown.len()), None);
    }

    #[test]
    fn long_changes_are_given_a_few_at_a_time_and_all_in_the_end() {
        let hub = Hub::new(0, DiskState::default());
        let long = |seq| {
            let mut change = change(seq);
            change.entry.content = "x".repeat(BYTES_AT_A_TIME / 3);
            change
        };
        hub.committed((1..=8).map(long).collect(), false);
        assert_eq!(shown(&hub, 0), Some(vec![1, 2, 3]));
        assert_eq!(shown(&hub, 3), Some(vec![4, 5, 6]));
        assert_eq!(shown(&hub, 6), Some(vec![7, 8]));
    }

    #[test]
    fn finished_chat_turns_are_kept_for_a_while() {
        let hub = Hub::new(0, DiskState::default());
        let id = |n: usize| ItemId::parse(&format!("CHAT-{n}")).unwrap();
        for n in 0..=RECENT_TURNS {
            hub.add_turn(Turn::of_chat(id(n), 10));
            hub.end_turn(&id(n), true);
        }
        assert!(hub.turn(&id(0)).is_none());
        assert!(hub.turn(&id(1)).is_some());
    }
}
