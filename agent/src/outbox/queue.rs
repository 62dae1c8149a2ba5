//! How far the driver may run ahead of the disk.

use std::sync::{Condvar, Mutex, PoisonError};

/// How many commits may wait to be durable before the driver has to wait too, as long as the disk takes anything.
pub(super) const UNSYNCED_COMMITS: usize = 256;

/// Commits on their way to be durable.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<QueueState>,
    moved: Condvar,
}

#[derive(Default)]
pub(super) struct QueueState {
    pub(super) commits: usize,
    /// Nothing gets on.
    pub(super) stuck: bool,
}

impl Queue {
    /// One more, once there is room for it or waiting for room would be in vain.
    pub(super) fn enter(&self) {
        let full = |state: &mut QueueState| state.commits >= UNSYNCED_COMMITS && !state.stuck;
        let mut state = self
            .moved
            .wait_while(self.state.lock().unwrap_or_else(PoisonError::into_inner), full)
            .unwrap_or_else(PoisonError::into_inner);
        state.commits += 1;
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut QueueState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.notify_all();
    }
}
