//! Zones as people write them: an offset, a usual abbreviation, or a name of the zone database.

use jiff::tz::{Offset, TimeZone};

use super::cursor::Cursor;

/// What [`read`] found.
#[derive(Debug, Default)]
pub(super) struct Zone {
    /// The zone, if one is named and known.
    pub(super) zone: Option<TimeZone>,
    /// What looks like a zone and is not known.
    pub(super) doubt: Option<String>,
}

/// The usual abbreviations, in minutes east of UTC. Where two zones share one, the one that more people write in English.
const ABBREVIATIONS: [(&str, i32); 47] = [
    ("UTC", 0),
    ("GMT", 0),
    ("UT", 0),
    ("Z", 0),
    ("ZULU", 0),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
    ("AKST", -540),
    ("AKDT", -480),
    ("HST", -600),
    ("AST", -240),
    ("ADT", -180),
    ("NST", -210),
    ("NDT", -150),
    ("BRT", -180),
    ("ART", -180),
    ("CLT", -240),
    ("WET", 0),
    ("WEST", 60),
    ("BST", 60),
    ("CET", 60),
    ("CEST", 120),
    ("MEZ", 60),
    ("MESZ", 120),
    ("EET", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("SAST", 120),
    ("IST", 330),
    ("PKT", 300),
    ("SGT", 480),
    ("HKT", 480),
    ("AWST", 480),
    ("JST", 540),
    ("KST", 540),
    ("ACST", 570),
    ("ACDT", 630),
    ("AEST", 600),
    ("AEDT", 660),
    ("NZST", 720),
    ("NZDT", 780),
];

/// Abbreviations that leave it to the date whether daylight saving time is in force.
const FAMILIES: [(&str, &str); 4] = [
    ("ET", "America/New_York"),
    ("CT", "America/Chicago"),
    ("MT", "America/Denver"),
    ("PT", "America/Los_Angeles"),
];

/// Reads the zone that follows a time of day, or a date where `after_clock` is false: an offset alone is no zone there.
pub(super) fn read(cursor: &mut Cursor<'_>, after_clock: bool) -> Zone {
    cursor.skip(|c| c.is_whitespace() || matches!(c, '(' | '['));
    if after_clock && let Some(zone) = offset(cursor, 2) {
        return Zone { zone: Some(zone), doubt: None };
    }
    let word = cursor.word(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '_'));
    if cursor.at(char::is_alphanumeric) {
        return Zone::default();
    }
    if matches!(word, "UTC" | "GMT" | "utc" | "gmt")
        && let Some(zone) = offset(cursor, 1)
    {
        return Zone { zone: Some(zone), doubt: None };
    }
    match named(word) {
        Some(zone) => Zone { zone: Some(zone), doubt: None },
        None if after_clock && looks_like_zone(word) => Zone {
            zone: None,
            doubt: Some(format!("the zone {word} is not known, so the time is taken as local")),
        },
        None => Zone::default(),
    }
}

/// `+02:00`, `-0500`, `+02`; of one digit alone where `least_digits` is 1.
fn offset(cursor: &mut Cursor<'_>, least_digits: usize) -> Option<TimeZone> {
    cursor.try_read(|c| {
        let sign = match c.next_char()? {
            '+' => 1,
            '-' | '−' => -1,
            _ => return None,
        };
        let hours = c.digits(least_digits, 2)?;
        c.eat(|next| next == ':');
        let minutes = if c.at(|next| next.is_ascii_digit()) { c.digits(2, 2)? } else { 0 };
        if minutes > 59 || c.at(char::is_alphanumeric) {
            return None;
        }
        fixed(sign * i32::try_from(hours * 60 + minutes).ok()?)
    })
}

/// Abbreviations are in capitals (`art` and `est` are words), but for the few that are no words.
fn named(word: &str) -> Option<TimeZone> {
    let name = if matches!(word, "z" | "utc" | "gmt") { word.to_ascii_uppercase() } else { word.to_owned() };
    if let Some((_, minutes)) = ABBREVIATIONS.iter().find(|(known, _)| *known == name) {
        return fixed(*minutes);
    }
    let family = FAMILIES.iter().find(|(known, _)| *known == name).map(|(_, zone)| *zone);
    let in_database = family.or_else(|| name.contains('/').then_some(name.as_str()))?;
    TimeZone::get(in_database).ok()
}

fn fixed(minutes: i32) -> Option<TimeZone> {
    Offset::from_seconds(minutes * 60).ok().map(TimeZone::fixed)
}

fn looks_like_zone(word: &str) -> bool {
    let is_abbreviation =
        matches!(word.len(), 2..=5) && word.chars().all(|c| c.is_ascii_uppercase()) && word.ends_with('T');
    let is_area = word.split_once('/').is_some_and(|(area, city)| area.len() > 2 && city.len() > 2);
    is_abbreviation || is_area
}
