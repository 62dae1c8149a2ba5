//! When a request is tried again.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// No pause of our own is longer.
const LONGEST: Duration = Duration::from_secs(60);

/// A server that wishes for more is not waited for: nobody would know why nothing happens.
pub(super) const LONGEST_WISH: Duration = Duration::from_secs(10 * 60);

/// The tries of one request.
#[derive(Debug)]
pub(super) struct Tries {
    /// How many have failed.
    pub(super) failed: u32,
    most: u32,
    first: Duration,
}

impl Tries {
    /// One try, and `retries` more, the first after about `first`.
    pub(super) fn new(retries: u32, first: Duration) -> Self {
        Self { failed: 0, most: retries, first }
    }

    /// A try failed: how long to wait before the next, if there is to be one. `wish` is the server's own, and `random`
    /// is between 0 and 1: so that many clients do not come back at the same moment.
    pub(super) fn fail(&mut self, wish: Option<Duration>, random: f64) -> Option<Duration> {
        let doublings = self.failed.min(16);
        self.failed += 1;
        if self.failed > self.most || wish.is_some_and(|wish| wish > LONGEST_WISH) {
            return None;
        }
        let longest = self.first.saturating_mul(1 << doublings).min(LONGEST);
        let pause = longest.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0);
        Some(wish.map_or(pause, |wish| wish.max(pause)))
    }
}

/// How long a server wishes to be left alone: `Retry-After` is a number of seconds or a date.
pub(super) fn wish(retry_after: &str, now: SystemTime) -> Option<Duration> {
    let text = retry_after.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let now = Timestamp::try_from(now).ok()?;
    // A date that has passed is no wish to wait.
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_up_to_a_bound_and_come_to_an_end() {
        let mut tries = Tries::new(9, SECOND);
        let pauses: Vec<_> = std::iter::from_fn(|| tries.fail(None, 1.0)).map(|p| p.as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(Tries::new(0, SECOND).fail(None, 0.5), None);
    }

    #[test]
    fn the_servers_wish_is_honoured_unless_it_is_too_much() {
        let mut tries = Tries::new(5, SECOND);
        assert_eq!(tries.fail(Some(Duration::from_secs(90)), 0.0), Some(Duration::from_secs(90)));
        assert_eq!(tries.fail(Some(Duration::ZERO), 0.0), Some(SECOND));
        assert_eq!(tries.fail(Some(Duration::from_secs(3_600)), 0.0), None);
    }

    #[test]
    fn wishes_are_seconds_or_dates() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_480);
        for (text, seconds) in [
            ("7", Some(7.0)),
            (" 0.25 ", Some(0.25)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30.0)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0.0)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(wish(text, now).map(|wish| wish.as_secs_f64()), seconds, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_pause_is_within_its_bounds(failed in 0_u32..100, first_ms in 0_u64..100_000, random in 0.0..1.0_f64) {
            let mut tries = Tries { failed, most: 200, first: Duration::from_millis(first_ms) };
            let pause = tries.fail(None, random).unwrap();
            prop_assert!(pause <= LONGEST);
            prop_assert!(pause >= Duration::from_millis(first_ms).min(LONGEST) / 2);
        }
    }
}
