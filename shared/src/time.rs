//! Points in time as a hive writes them, and durations as people write them.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, written as RFC 3339 UTC with six digits of fraction (SPEC 4), so that stamps sort as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(Timestamp);

impl Stamp {
    /// The machine's present time, to the microsecond.
    pub fn now() -> Self {
        Self::from(Timestamp::now())
    }

    /// From microseconds since the Unix epoch; a number beyond the calendar becomes its nearest end.
    pub fn from_micros(micros: i64) -> Self {
        Timestamp::from_microsecond(micros)
            .map_or_else(|_| Self(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX }), Self)
    }

    /// Microseconds since the Unix epoch.
    pub fn as_micros(self) -> i64 {
        self.0.as_microsecond()
    }

    /// The time that passed from `earlier` to this, or zero if the clock was set back between them.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(
            u64::try_from(self.as_micros().saturating_sub(earlier.as_micros())).unwrap_or(0),
        )
    }

    /// The same as jiff's type.
    pub fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for Stamp {
    fn from(t: Timestamp) -> Self {
        Self::from_micros(t.as_microsecond())
    }
}

impl From<std::time::SystemTime> for Stamp {
    fn from(t: std::time::SystemTime) -> Self {
        Timestamp::try_from(t).map_or_else(|_| Self::from_micros(0), Self::from)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.0)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Stamp {
    type Err = jiff::Error;
    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<Timestamp>().map(Self::from)
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no duration: write seconds (300) or units (90s, 10m, 1h30m, 2d)")]
pub struct DurationError(pub String);

/// The longest time limit that a task or a prompt may have: a year.
pub const LONGEST_LIMIT: Duration = Duration::from_hours(365 * 24);

/// A time limit from a number of seconds, as programs write it; none if that is not above zero, or beyond
/// [`LONGEST_LIMIT`].
pub fn limit_from_secs(secs: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(secs).ok().filter(|limit| !limit.is_zero() && *limit <= LONGEST_LIMIT)
}

/// What nobody means: ten thousand years.
const LONGEST_SECS: f64 = 10_000.0 * 366.0 * 86_400.0;

/// Reads a duration as people write it: `300`, `300 seconds`, `0.5`, `10m`, `1h 30m`, `2 days`, `250ms`.
///
/// A bare number is seconds. Negative and unimaginably long ones (over 10,000 years) are refused.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let fail = || DurationError(text.trim().to_owned());
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(fail());
    }
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| fail())?;
        rest = rest[digits..].trim_start();
        let word = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match rest[..word].to_ascii_lowercase().as_str() {
            "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "ms" | "millisecond" | "milliseconds" => 0.001,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
            "d" | "day" | "days" => 86_400.0,
            "w" | "week" | "weeks" => 604_800.0,
            _ => return Err(fail()),
        };
        total += number * unit;
        rest = rest[word..].trim_start_matches([' ', ',', '\t']);
    }
    if total > LONGEST_SECS {
        return Err(fail());
    }
    Duration::try_from_secs_f64(total).map_err(|_| fail())
}

/// A duration in few characters for people: `850ms`, `4.2s`, `3m10s`, `2h05m`, `3d4h`.
pub fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let secs = duration.as_secs();
    match secs {
        0 => format!("{millis}ms"),
        1..=9 => format!("{}.{}s", secs, duration.subsec_millis() / 100),
        10..=59 => format!("{secs}s"),
        60..=3_599 => format!("{}m{:02}s", secs / 60, secs % 60),
        3_600..=86_399 => format!("{}h{:02}m", secs / 3_600, secs / 60 % 60),
        _ => format!("{}d{}h", secs / 86_400, secs / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_have_six_digits_and_sort_as_text() {
        let stamp: Stamp = "2026-11-22T18:05:27Z".parse().unwrap();
        assert_eq!(stamp.to_string(), "2026-11-22T18:05:27.000000Z");
        let later = Stamp::from_micros(stamp.as_micros() + 1);
        assert_eq!(later.to_string(), "2026-11-22T18:05:27.000001Z");
        assert!(stamp.to_string() < later.to_string());
        assert_eq!(stamp.since(later), Duration::ZERO);
        assert_eq!(serde_json::from_str::<Stamp>("\"2026-11-22T18:05:27.000001Z\"").unwrap(), later);
    }

    #[test]
    fn durations_as_people_write_them() {
        for (text, millis) in [
            ("300", 300_000),
            ("300 seconds", 300_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("1 hour, 5 min", 3_900_000),
            ("0.5", 500),
            ("250ms", 250),
            ("2d", 172_800_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "soon", "-5", "5 parsecs", "1e9", "999999999999d", "."] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_shown_briefly() {
        let shown: Vec<_> = [850, 4_250, 59_000, 190_000, 7_500_000, 273_600_000]
            .map(|ms| show_duration(Duration::from_millis(ms)))
            .into();
        assert_eq!(shown, ["850ms", "4.2s", "59s", "3m10s", "2h05m", "3d4h"]);
    }
}
