//! Where the locations of requests lead is looked up on a thread of its own: a file system that hangs holds that thread,
//! and what it cannot tell in time is not allowed unasked.

use std::sync::Arc;
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
}

struct Job {
    question: Arc<Question>,
    answer: oneshot::Sender<bool>,
}

impl Lookout {
    /// A lookout to which `is_listed` tells whether a request is on the list. It is also given a way to see whether
    /// anybody waits for that still.
    pub fn new(is_listed: impl Fn(&Question, &dyn Fn() -> bool) -> bool + Send + 'static) -> Self {
        let (jobs, queue) = channel::<Job>();
        std::thread::spawn(move || {
            for Job { question, answer } in queue {
                let is_awaited = || !answer.is_closed();
                if is_awaited() {
                    let listed = is_listed(&question, &is_awaited);
                    // Who waited may have given up.
                    let _ = answer.send(listed);
                }
            }
        });
        Self { jobs, patience: PATIENCE }
    }

    /// Looks whether a request is on the list, and calls `then` with that, from the runtime's threads: with no if it is
    /// not known in time.
    pub fn look(&self, runtime: &Handle, question: Arc<Question>, then: impl FnOnce(bool) + Send + 'static) {
        let (answer, is_listed) = oneshot::channel();
        let (title, patience) = (question.title.clone(), self.patience);
        // The thread ends with this lookout only.
        let _ = self.jobs.send(Job { question, answer });
        runtime.spawn(async move {
            let is_listed = timeout(patience, is_listed).await.unwrap_or_else(|_| {
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
        assert!(!look(&lookout, 2).await.unwrap(), "so does what comes after it");
        lookout.patience = Duration::from_secs(60);
        release.send(()).unwrap();
        assert!(look(&lookout, 3).await.unwrap(), "it goes on when it can");
        assert_eq!(looks.try_iter().collect::<Vec<_>>(), [1, 3], "what nobody waits for is not looked at");
    }
}
