//! What is counted of this life of the bot, for `/metrics`: each number begins at zero when the daemon starts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the buckets of a [`Histogram`], in seconds.
pub const BUCKETS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// The counters of one life.
#[derive(Debug, Default)]
pub struct Tally {
    /// From a prompt's arrival to the first words of its answer.
    pub first_words: Histogram,
    /// How often a task gave way to chat.
    pub preemptions: AtomicU64,
    /// Chat clients that are connected.
    pub chat_clients: AtomicUsize,
    /// Followers of the timeline that are connected.
    pub followers: AtomicUsize,
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

impl Tally {
    /// A request was turned away at the door, for the reason with this code.
    pub fn refuse(&self, code: &'static str) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }

    /// How many requests were turned away, by code.
    pub fn refused(&self) -> BTreeMap<&'static str, u64> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Somebody who counts as long as this lives.
#[derive(Debug)]
pub struct Present<'a>(&'a AtomicUsize);

impl<'a> Present<'a> {
    /// Counts one more.
    pub fn in_(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long things took.
#[derive(Debug, Default)]
pub struct Histogram {
    /// How many took at most as long as the bound of the bucket, and longer than that of the one before.
    counts: [AtomicU64; BUCKETS.len()],
    longer: AtomicU64,
    micros: AtomicU64,
}

impl Histogram {
    /// One more.
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.iter().position(|bound| seconds <= *bound);
        bucket.map_or(&self.longer, |bucket| &self.counts[bucket]).fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many took at most as long as each of [`BUCKETS`], then how many there were, and the seconds they took together.
    pub fn cumulative(&self) -> ([u64; BUCKETS.len()], u64, f64) {
        let mut sum = 0;
        let upto = self.counts.each_ref().map(|count| {
            sum += count.load(Ordering::Relaxed);
            sum
        });
        let all = sum + self.longer.load(Ordering::Relaxed);
        (upto, all, Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_each_in_its_bucket_and_all_above() {
        let histogram = Histogram::default();
        for millis in [1, 2, 700, 61_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let (upto, all, seconds) = histogram.cumulative();
        assert_eq!(upto, [1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3]);
        assert_eq!((all, seconds), (4, 61.703));
    }

    #[test]
    fn who_is_present_counts_until_it_leaves() {
        let count = AtomicUsize::new(0);
        let (one, two) = (Present::in_(&count), Present::in_(&count));
        assert_eq!(count.load(Ordering::Relaxed), 2);
        drop((one, two));
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }
}
