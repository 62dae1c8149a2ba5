//! The log lines of requests that are turned away: a few of each kind, then a number, so that a stranger cannot fill the
//! log.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many of a kind are logged one by one within [`PERIOD`].
const TOLD: u32 = 5;
/// How long the others are only counted.
const PERIOD: Duration = Duration::from_secs(60);

/// What was logged lately.
#[derive(Debug, Default)]
pub struct Refusals {
    by_code: HashMap<&'static str, Lately>,
}

#[derive(Debug)]
struct Lately {
    since: Instant,
    told: u32,
    untold: u64,
}

/// Whether to log a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Log {
    /// Yes, with how many before it were not.
    Say {
        /// How many of its kind were not logged since the last one that was.
        untold: u64,
        /// More of its kind are only counted for a while.
        is_last: bool,
    },
    /// It is only counted.
    Count,
}

impl Refusals {
    /// One more, at this time.
    pub(super) fn note(&mut self, now: Instant, code: &'static str) -> Log {
        let lately = self.by_code.entry(code).or_insert(Lately { since: now, told: 0, untold: 0 });
        if now.saturating_duration_since(lately.since) >= PERIOD {
            lately.since = now;
            lately.told = 0;
        }
        if lately.told == TOLD {
            lately.untold += 1;
            return Log::Count;
        }
        lately.told += 1;
        Log::Say { untold: std::mem::take(&mut lately.untold), is_last: lately.told == TOLD }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_told_and_the_others_counted_until_the_period_is_over() {
        let mut refusals = Refusals::default();
        let begin = Instant::now();
        let say = |untold, is_last| Log::Say { untold, is_last };
        for n in 1..=TOLD {
            assert_eq!(refusals.note(begin, "host"), say(0, n == TOLD));
        }
        for _ in 0..100 {
            assert_eq!(refusals.note(begin + PERIOD / 2, "host"), Log::Count);
        }
        assert_eq!(refusals.note(begin, "origin"), say(0, false), "each kind has its own");
        assert_eq!(refusals.note(begin + PERIOD, "host"), say(100, false));
        assert_eq!(refusals.note(begin + PERIOD, "host"), say(0, false));
    }
}
