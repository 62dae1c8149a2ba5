//! Times, durations and words as tables show them.

use std::time::Duration;

use hive_shared::api::{Health, HealthLevel};
use hive_shared::time::{Stamp, show_duration};
use hive_shared::work::Status;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::table::{Cell, Paint};

/// A point in time in the machine's zone, to the second.
pub fn local_time(stamp: Stamp) -> String {
    stamp.timestamp().to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The same in less room: of today the time of day, of other days no seconds.
pub fn short_time(stamp: Stamp, now: Stamp) -> String {
    let local = |stamp: Stamp| stamp.timestamp().to_zoned(TimeZone::system());
    let (then, now) = (local(stamp), local(now));
    let format = if then.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    then.strftime(format).to_string()
}

/// How long ago something was.
pub fn ago(then: Stamp, now: Stamp) -> String {
    let passed = now.since(then);
    match passed.as_secs() {
        0 => "now".to_owned(),
        secs @ 1..60 => format!("{secs}s ago"),
        _ => format!("{} ago", show_duration(passed)),
    }
}

/// The time of day in the machine's zone, to the second.
pub fn time_of_day(stamp: Stamp) -> String {
    stamp.timestamp().to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
}

/// The day in the machine's zone.
pub fn day_of(stamp: Stamp) -> Date {
    stamp.timestamp().to_zoned(TimeZone::system()).date()
}

/// A line between the entries of two days.
pub fn day_line(day: Date, utf8: bool) -> String {
    let rule = if utf8 { "──" } else { "--" };
    format!("{rule} {} {rule}", day.strftime("%A, %-d %B %Y"))
}

/// How much of a limit is used, in five cells.
pub fn bar(used: f64, limit: f64, utf8: bool) -> String {
    const CELLS: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
    let (full, empty) = if utf8 { ("▰", "▱") } else { ("#", ".") };
    let share = if limit > 0.0 { (used / limit).clamp(0.0, 1.0) } else { 0.0 };
    let filled = CELLS.iter().filter(|cell| share >= **cell).count();
    full.repeat(filled) + &empty.repeat(CELLS.len() - filled)
}

/// How a time stands to its limit: near its end it stands out.
pub fn limit_paint(used: f64, limit: f64) -> Option<Paint> {
    if used >= limit * 0.95 { Some(Paint::Red) } else { (used >= limit * 0.8).then_some(Paint::Yellow) }
}

/// `1 task`, `3 tasks`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A number of seconds as a duration; what is no duration at all is shown as it is.
pub fn seconds(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| seconds.to_string(), show_duration)
}

/// A number of seconds to reckon with; what is no duration is one without end.
pub fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// The status of an item, in its colour.
pub fn status_cell(status: Status) -> Cell {
    match status {
        Status::Completed => Cell::painted(status.as_str(), Paint::Green),
        Status::Failed | Status::TimedOut => Cell::painted(status.as_str(), Paint::Red),
        Status::Incomplete | Status::Cancelled | Status::Blocked => {
            Cell::painted(status.as_str(), Paint::Yellow)
        }
        Status::Queued | Status::Running | Status::Suspended => status.as_str().into(),
    }
}

/// The health of a bot with its reasons, in its colour.
pub fn health_cell(health: &Health) -> Cell {
    let (word, paint) = match health.status {
        HealthLevel::Healthy => ("healthy", Paint::Green),
        HealthLevel::Warning => ("warning", Paint::Yellow),
        HealthLevel::Critical => ("critical", Paint::Red),
    };
    if health.reasons.is_empty() {
        Cell::painted(word, paint)
    } else {
        Cell::painted(format!("{word}: {}", health.reasons.join("; ")), paint)
    }
}

/// The first line that says anything.
pub fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_at_its_limit_and_empty_where_there_is_none() {
        assert_eq!(
            [0.0, 9.0, 10.0, 50.0, 200.0].map(|used| bar(used, 100.0, false)),
            [".....", ".....", "#....", "###..", "#####"]
        );
        assert_eq!(bar(5.0, 0.0, true), "▱▱▱▱▱");
        assert_eq!(
            [10.0, 80.0, 95.0].map(|used| limit_paint(used, 100.0)),
            [None, Some(Paint::Yellow), Some(Paint::Red)]
        );
    }

    #[test]
    fn a_time_of_today_needs_no_date() {
        let [now, then] =
            ["2026-11-22T18:05:27Z", "2026-11-20T18:05:27Z"].map(|time| time.parse::<Stamp>().unwrap());
        assert_eq!(short_time(now, now), local_time(now)[11..]);
        assert_eq!(short_time(then, now), local_time(then)[..16]);
    }

    #[test]
    fn a_day_is_named_between_rules() {
        assert_eq!(day_line(jiff::civil::date(2020, 1, 2), true), "── Thursday, 2 January 2020 ──");
        assert_eq!(day_line(jiff::civil::date(2020, 1, 2), false), "-- Thursday, 2 January 2020 --");
    }
}
