//! Dates as people write them (SPEC 3).

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use self::cursor::Cursor;
use crate::time::Stamp;

mod cursor;
mod zones;

/// A date that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// The point in time; of a bare date its first moment.
    pub(super) stamp: Stamp,
    /// Whether the time of day came from the text beside the date.
    pub(super) took_time: bool,
    /// What had to be guessed.
    pub(super) doubt: Option<String>,
}

/// Reads a date: RFC 3339, or a date with or without a time of day and a zone; a remark after it is ignored.
///
/// `beside` is a time of day that stands in a field of its own; it counts where the text has a date alone. Without a zone
/// it is local time. `None` where the text does not begin with a date.
pub(super) fn read(text: &str, beside: Option<&str>, local: &TimeZone) -> Option<Moment> {
    let mut cursor = Cursor::new(text);
    let date = date(&mut cursor)?;
    let mut clock = clock_after_date(&mut cursor);
    let mut zone = zones::read(&mut cursor, clock.is_some());
    let mut took_time = false;
    if let (None, Some(beside)) = (clock, beside) {
        let mut cursor = Cursor::new(beside.trim());
        clock = self::clock(&mut cursor);
        took_time = clock.is_some();
        if took_time {
            let own = zones::read(&mut cursor, true);
            zone = if own.zone.is_some() || own.doubt.is_some() { own } else { zone };
        }
    }
    let at = DateTime::from_parts(date, clock.unwrap_or(Time::midnight()));
    let stamp = zone.zone.as_ref().unwrap_or(local).to_timestamp(at).ok()?;
    Some(Moment { stamp: stamp.into(), took_time, doubt: zone.doubt })
}

/// Reads the stamp with which a file's name begins: `2025-10-18-2115-…`, `20251024_145604-…`, `2025-10-18-…`.
pub(super) fn at_start_of_name(name: &str, local: &TimeZone) -> Option<Stamp> {
    let mut cursor = Cursor::new(name);
    let date = numeric_date(&mut cursor).filter(|date| (1970..2200).contains(&date.year()))?;
    let mut after = cursor;
    let clock = after
        .eat(|c| matches!(c, '-' | '_' | 'T'))
        .then(|| digits_clock(&mut after))
        .flatten()
        .filter(|_| !after.at(char::is_alphanumeric));
    if clock.is_none() && cursor.at(char::is_alphanumeric) {
        return None;
    }
    let at = DateTime::from_parts(date, clock.unwrap_or(Time::midnight()));
    local.to_timestamp(at).ok().map(Stamp::from)
}

fn date(cursor: &mut Cursor<'_>) -> Option<Date> {
    cursor.skip_spaces();
    weekday(cursor);
    numeric_date(cursor).or_else(|| worded_date(cursor))
}

/// Skips the name of a weekday.
fn weekday(cursor: &mut Cursor<'_>) {
    const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let mut ahead = *cursor;
    if is_word_of(&DAYS, ahead.letters()).is_some() {
        ahead.skip(|c| c.is_whitespace() || matches!(c, ',' | '.'));
        *cursor = ahead;
    }
}

/// `2025-10-18`, `2025/10/18`, `2025.10.18` or `20251018`.
fn numeric_date(cursor: &mut Cursor<'_>) -> Option<Date> {
    cursor.try_read(|c| {
        let year = c.digits(4, 4)?;
        let separator = ['-', '/', '.'].into_iter().find(|separator| c.eat(|next| next == *separator));
        let (month, day) = if let Some(separator) = separator {
            let month = c.digits(1, 2)?;
            (month, c.eat(|next| next == separator).then(|| c.digits(1, 2)).flatten()?)
        } else {
            (c.digits(2, 2)?, c.digits(2, 2)?)
        };
        // Eight digits and more digits are a number, and no date.
        (!c.at(|next| next.is_ascii_digit())).then(|| civil_date(year, month, day)).flatten()
    })
}

/// `October 18, 2025`, `Oct 18 2025`, `18 October 2025`, `18th Oct, 2025`.
fn worded_date(cursor: &mut Cursor<'_>) -> Option<Date> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let between = |c: char| c.is_whitespace() || matches!(c, ',' | '.');
    let month = |c: &mut Cursor<'_>| u32::try_from(is_word_of(&MONTHS, c.letters())? + 1).ok();
    let day = |c: &mut Cursor<'_>| {
        let day = c.digits(1, 2)?;
        matches!(c.letters(), "" | "st" | "nd" | "rd" | "th").then_some(day)
    };
    cursor.try_read(|c| {
        let (month, day) = if c.at(|next| next.is_ascii_digit()) {
            let day = day(c)?;
            c.skip(between);
            (month(c)?, day)
        } else {
            let month = month(c)?;
            c.skip(between);
            (month, day(c)?)
        };
        c.skip(between);
        let year = c.digits(4, 4)?;
        (!c.at(|next| next.is_ascii_digit())).then(|| civil_date(year, month, day)).flatten()
    })
}

/// Which of these words a text is, or is a beginning of, of three letters at least.
fn is_word_of(words: &[&str], text: &str) -> Option<usize> {
    let text = text.to_ascii_lowercase();
    (text.len() >= 3).then(|| words.iter().position(|word| word.starts_with(&text))).flatten()
}

fn civil_date(year: u32, month: u32, day: u32) -> Option<Date> {
    Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
}

/// The time of day that follows a date, if one does; where none does the cursor stays.
fn clock_after_date(cursor: &mut Cursor<'_>) -> Option<Time> {
    cursor.try_read(|c| {
        if !c.eat(|next| matches!(next, 'T' | 't')) {
            let separated = c.skip(|next| {
                next.is_whitespace() || matches!(next, ',' | '@' | '-' | '_' | '–' | '—' | '|' | '(')
            });
            if !separated {
                return None;
            }
            let mut ahead = *c;
            if ahead.letters().eq_ignore_ascii_case("at") {
                ahead.skip_spaces();
                *c = ahead;
            }
        }
        clock(c)
    })
}

/// `14:05`, `2:05 PM`, `14:05:30.25`, `1405`, `140530`, `2 pm`.
fn clock(cursor: &mut Cursor<'_>) -> Option<Time> {
    cursor.try_read(|c| {
        let time = colon_clock(c).or_else(|| digits_clock(c));
        let (time, needs_half) = match time {
            Some(time) => (time, false),
            None => (civil_time(c.digits(1, 2)?, 0, 0, 0)?, true),
        };
        match half(c) {
            Some(half) => half.apply(time),
            None => (!needs_half && !c.at(|next| next.is_ascii_digit())).then_some(time),
        }
    })
}

fn colon_clock(cursor: &mut Cursor<'_>) -> Option<Time> {
    cursor.try_read(|c| {
        let hour = c.digits(1, 2)?;
        let minute = c.eat(|next| next == ':').then(|| c.digits(2, 2)).flatten()?;
        let (second, nanos) =
            c.try_read(|c| c.eat(|next| next == ':').then(|| seconds(c)).flatten()).unwrap_or((0, 0));
        civil_time(hour, minute, second, nanos)
    })
}

/// Seconds with or without a fraction; a leap second counts as the one before it.
fn seconds(cursor: &mut Cursor<'_>) -> Option<(u32, u32)> {
    let second = cursor.digits(2, 2)?.min(60);
    let nanos = cursor
        .try_read(|c| c.eat(|next| matches!(next, '.' | ',')).then(|| c.fraction()).flatten())
        .unwrap_or(0);
    Some(if second == 60 { (59, 999_999_999) } else { (second, nanos) })
}

/// `HHMM` or `HHMMSS`.
fn digits_clock(cursor: &mut Cursor<'_>) -> Option<Time> {
    cursor.try_read(|c| {
        let (hour, minute) = (c.digits(2, 2)?, c.digits(2, 2)?);
        let second = if c.at(|next| next.is_ascii_digit()) { c.digits(2, 2)? } else { 0 };
        (!c.at(|next| next.is_ascii_digit())).then(|| civil_time(hour, minute, second, 0)).flatten()
    })
}

fn civil_time(hour: u32, minute: u32, second: u32, nanos: u32) -> Option<Time> {
    Time::new(hour.try_into().ok()?, minute.try_into().ok()?, second.try_into().ok()?, nanos.try_into().ok()?)
        .ok()
}

/// The half of the day.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Am,
    Pm,
}

/// `AM`, `pm`, `a.m.`; where none follows the cursor stays.
fn half(cursor: &mut Cursor<'_>) -> Option<Half> {
    cursor.try_read(|c| {
        c.skip_spaces();
        let half = match c.next_char()? {
            'a' | 'A' => Half::Am,
            'p' | 'P' => Half::Pm,
            _ => return None,
        };
        c.eat(|next| next == '.');
        let is_half = c.eat(|next| matches!(next, 'm' | 'M')) && !c.at(char::is_alphanumeric);
        c.eat(|next| next == '.');
        is_half.then_some(half)
    })
}

impl Half {
    /// 12 AM is midnight and 12 PM noon; what is past noon already ("14:05 PM") stays.
    fn apply(self, time: Time) -> Option<Time> {
        let hour = match (self, time.hour()) {
            (Self::Am, 12) => 0,
            (Self::Pm, hour @ 0..12) => hour + 12,
            (Self::Am | Self::Pm, hour) => hour,
        };
        Time::new(hour, time.minute(), time.second(), time.subsec_nanosecond()).ok()
    }
}

#[cfg(test)]
mod tests;
