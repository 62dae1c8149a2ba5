//! How long a lost connection waits before it is tried again.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// The pause before the next attempt: nothing at first, then doubling. It survives a caller that gives up waiting
/// and comes back.
#[derive(Debug)]
pub(super) struct Backoff {
    pause: Duration,
    until: Option<Instant>,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { pause: FIRST, until: None }
    }

    /// Waits for what is left of the pause.
    pub(super) async fn wait(&self) {
        if let Some(until) = self.until {
            sleep_until(until).await;
        }
    }

    /// An attempt failed, or came to nothing.
    pub(super) fn failed(&mut self) {
        self.until = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST);
    }

    /// An attempt was of use.
    pub(super) fn succeeded(&mut self) {
        *self = Self::new();
    }
}
