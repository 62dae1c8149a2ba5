//! Connections to the database for those who look: few, so that many who look at once cost time and no memory, and so
//! that they leave the processor to those who are answered.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::store::{Reader, StoreError};

/// Connections to one database, of which so many are in use at a time; who comes when all are waits in line.
pub struct Readers {
    database: PathBuf,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Reader>>,
}

impl Readers {
    /// `most` connections at the most, each opened when it is first needed.
    pub fn new(database: PathBuf, most: usize) -> Arc<Self> {
        Arc::new(Self { database, turns: Arc::new(Semaphore::new(most)), idle: Mutex::default() })
    }

    /// Reads on a thread that may block. None if the work panicked.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Option<Result<T, StoreError>> {
        // The semaphore is never closed.
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok()?;
        let readers = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            // Its turn is over when it has read, which whoever has left does not hasten.
            let _turn = turn;
            let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let reader = match idle.filter(Reader::is_current) {
                Some(reader) => reader,
                None => Reader::open(&readers.database)?,
            };
            let result = work(&reader);
            if result.is_err() && !reader.is_current() {
                // What SQLite says then is about a file that is not the database any more.
                return Err(StoreError::Gone);
            }
            readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            result
        });
        done.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;
    use crate::store::{KeepTrying, Store};

    #[tokio::test]
    async fn no_more_than_so_many_read_at_a_time_and_all_have_their_turn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bot.db");
        drop(Store::open(&path, Box::new(|_| KeepTrying::No)).unwrap());
        let readers = Readers::new(path, 2);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let reads = (0..50).map(|_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            readers.read(move |reader| {
                most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                let read = reader.entry("NOBODY-1");
                now.fetch_sub(1, Ordering::Relaxed);
                read
            })
        });
        for read in join_all(reads).await {
            assert_eq!(read.unwrap().unwrap(), None);
        }
        assert!((1..=2).contains(&most.load(Ordering::Relaxed)), "{most:?} at a time");
        assert!(readers.idle.lock().unwrap().len() <= 2);
    }

    #[tokio::test]
    async fn who_leaves_before_it_is_answered_holds_its_turn_until_it_has_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bot.db");
        drop(Store::open(&path, Box::new(|_| KeepTrying::No)).unwrap());
        let readers = Readers::new(path, 1);
        let (reads, begun) = tokio::sync::oneshot::channel();
        let (go_on, told) = std::sync::mpsc::channel::<()>();
        let slow = tokio::spawn({
            let readers = Arc::clone(&readers);
            async move {
                let read = readers.read(move |_| {
                    let _ = reads.send(());
                    let _ = told.recv();
                    Ok(())
                });
                read.await
            }
        });
        begun.await.unwrap();
        slow.abort();
        assert!(slow.await.unwrap_err().is_cancelled());
        assert_eq!(readers.turns.available_permits(), 0);
        go_on.send(()).unwrap();
        assert_eq!(readers.read(|reader| reader.entry("NOBODY-1")).await.unwrap().unwrap(), None);
        assert_eq!(readers.idle.lock().unwrap().len(), 1);
    }
}
