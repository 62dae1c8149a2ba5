//! One who follows the timeline from the first life of the bot to the last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use hive_shared::api::Entry;
use hive_shared::client::{Client, Followed, Follower};
use tokio::task::JoinHandle;

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) seq: u64,
    pub(super) entries: BTreeMap<String, Entry>,
}

/// Follows on, in a task of its own.
#[derive(Debug)]
pub(super) struct Onlooker {
    known: Arc<Mutex<Known>>,
    task: JoinHandle<()>,
}

impl Onlooker {
    /// Begins with a bot that is up and has done next to nothing yet.
    pub(super) fn of(client: Client) -> Self {
        let known = Arc::new(Mutex::new(Known::default()));
        let task = tokio::spawn(follow(Follower::new(client, None), Arc::clone(&known)));
        Self { known, task }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("who follows does not panic with it in hand")
    }

    /// That it goes on: a fault that it found ends it.
    pub(super) async fn is_content(&mut self) {
        if self.task.is_finished() {
            (&mut self.task).await.expect("it found no fault");
        }
    }
}

impl Drop for Onlooker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(mut follower: Follower, known: Arc<Mutex<Known>>) {
    loop {
        let told = follower.next().await.expect("what a new connection mends");
        let mut known = known.lock().expect("who looks does not panic with it in hand");
        match told {
            Followed::Connected | Followed::Disconnected(_) | Followed::Chunk { .. } => {}
            Followed::Restarted => panic!("another timeline"),
            Followed::Entry(entry) => {
                let (seq, last) = (entry.seq, known.seq);
                if seq <= last {
                    drop(known);
                    panic!("told after {last}: {entry:?}");
                }
                known.seq = seq;
                known.entries.insert(entry.entry_id.clone(), *entry);
            }
        }
    }
}
