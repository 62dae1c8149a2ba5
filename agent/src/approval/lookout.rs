//! Where the locations of requests lead is looked up on a thread of its own: a file system that hangs holds that thread,
//! and what it cannot tell in time is not allowed unasked. Until it has let go of the thread, nothing else waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::adapter::Question;

/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// The thread, as others see it.
pub struct Lookout {
    jobs: Sender<Job>,
    patience: Duration,
    /// How many looks were asked for.
    asked: AtomicU64,
    progress: Arc<Progress>,
}

/// How far the thread has come with the looks, by their numbers.
#[derive(Default)]
struct Progress {
    /// The last one that is done with.
    done: AtomicU64,
    /// The last one that was not done in time.
    late: AtomicU64,
}

impl Progress {
    /// Whether the thread is busy with what was not done in time.
    fn hangs(&self) -> bool {
        self.late.load(Ordering::Relaxed) > self.done.load(Ordering::Relaxed)
    }
}

struct Job {
    number: u64,
    question: Arc<Question>,
    answer: oneshot::Sender<bool>,
}

impl Lookout {
    /// A lookout to which `is_listed` tells whether a request is on the list. It is also given a way to see whether
    /// anybody waits for that still.
    pub fn new(is_listed: impl Fn(&Question, &dyn Fn() -> bool) -> bool + Send + 'static) -> Self {
        let (jobs, queue) = channel::<Job>();
        let progress = Arc::new(Progress::default());
        let own = Arc::clone(&progress);
        std::thread::spawn(move || {
            for Job { number, question, answer } in queue {
                let is_awaited = || !answer.is_closed();
                if is_awaited() {
                    let listed = is_listed(&question, &is_awaited);
                    // Who waited may have given up.
                    let _ = answer.send(listed);
                }
                own.done.store(number, Ordering::Relaxed);
            }
        });
        Self { jobs, patience: PATIENCE, asked: AtomicU64::new(0), progress }
    }

    /// Looks whether a request is on the list, and calls `then` with that, from the runtime's threads: with no if it is
    /// not known in time, and at once while an earlier look hangs.
    pub fn look(&self, runtime: &Handle, question: Arc<Question>, then: impl FnOnce(bool) + Send + 'static) {
        let (answer, is_listed) = oneshot::channel();
        let (title, patience) = (question.title.clone(), self.patience);
        if self.progress.hangs() {
            tracing::warn!(title, "where a request's locations lead is not known: an earlier look hangs");
            runtime.spawn(async move { then(false) });
            return;
        }
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let progress = Arc::clone(&self.progress);
        // The thread ends with this lookout only.
        let _ = self.jobs.send(Job { number, question, answer });
        runtime.spawn(async move {
            let is_listed = timeout(patience, is_listed).await.unwrap_or_else(|_| {
                progress.late.fetch_max(number, Ordering::Relaxed);
                tracing::warn!(title, ?patience, "where a request's locations lead was not known in time");
                Ok(false)
            });
            then(is_listed.unwrap_or(false));
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn question(key: u64) -> Arc<Question> {
        Arc::new(Question {
            key,
            title: String::new(),
            kind: None,
            locations: Vec::new(),
            more_locations: 0,
            options: Vec::new(),
        })
    }

    #[tokio::test]
    async fn what_hangs_is_not_allowed_and_holds_nobody() {
        let (release, hangs) = channel::<()>();
        let hangs = Mutex::new(hangs);
        let (looked, looks) = channel();
        let mut lookout = Lookout::new(move |question, is_awaited| {
            looked.send(question.key).unwrap();
            if question.key == 1 {
                hangs.lock().unwrap().recv().unwrap();
                assert!(!is_awaited());
            }
            true
        });
        let look = |lookout: &Lookout, key| {
            let (sender, receiver) = oneshot::channel();
            lookout.look(&Handle::current(), question(key), move |listed| sender.send(listed).unwrap());
            receiver
        };
        lookout.patience = Duration::from_millis(10);
        assert!(!look(&lookout, 1).await.unwrap(), "it hangs");
        lookout.patience = Duration::from_hours(1);
        assert!(!look(&lookout, 2).await.unwrap(), "what comes after it is told at once");
        release.send(()).unwrap();
        while lookout.progress.hangs() {
            tokio::task::yield_now().await;
        }
        assert!(look(&lookout, 3).await.unwrap(), "it goes on when it can");
        assert_eq!(looks.try_iter().collect::<Vec<_>>(), [1, 3], "what nobody waits for is not looked at");
    }
}
