use jiff::tz::{Offset, TimeZone};
use proptest::prelude::*;

use super::*;

/// Three hours east of UTC, a zone that no row below names.
fn local() -> TimeZone {
    TimeZone::fixed(Offset::constant(3))
}

fn utc(text: &str, beside: Option<&str>) -> Option<String> {
    read(text, beside, &local()).map(|moment| moment.stamp.timestamp().to_string())
}

#[test]
fn dates_as_people_write_them() {
    for (text, expected) in [
        ("2025-10-18T14:05:30Z", "2025-10-18T14:05:30Z"),
        ("2025-10-18t14:05:30.123456z", "2025-10-18T14:05:30.123456Z"),
        ("2025-10-18T14:05:30+02:00", "2025-10-18T12:05:30Z"),
        ("2025-10-18 14:05:30,25-0500", "2025-10-18T19:05:30.25Z"),
        ("2025-10-18T14:05:30.1234567891", "2025-10-18T11:05:30.123456Z"),
        ("2025-10-18T23:59:60Z", "2025-10-18T23:59:59.999999Z"),
        ("2025-10-18", "2025-10-17T21:00:00Z"),
        ("2025-10-18 (Saturday)", "2025-10-17T21:00:00Z"),
        ("2025-10-18 UTC", "2025-10-18T00:00:00Z"),
        ("2025/10/18 14:05", "2025-10-18T11:05:00Z"),
        ("20251018", "2025-10-17T21:00:00Z"),
        ("20251018T140530Z", "2025-10-18T14:05:30Z"),
        ("2025-10-18 1405", "2025-10-18T11:05:00Z"),
        ("2025-10-18-2115", "2025-10-18T18:15:00Z"),
        ("2025-10-18 2115 CDT", "2025-10-19T02:15:00Z"),
        ("2025-10-18 2115 CDT (evening session)", "2025-10-19T02:15:00Z"),
        ("2025-10-18 21:15 (CDT)", "2025-10-19T02:15:00Z"),
        ("2025-10-18 9:15 PM EST", "2025-10-19T02:15:00Z"),
        ("2025-10-18 09:15PM PST", "2025-10-19T05:15:00Z"),
        ("2025-10-18 9:15:30 p.m. UTC", "2025-10-18T21:15:30Z"),
        ("2025-10-18, 9 am UTC", "2025-10-18T09:00:00Z"),
        ("2025-10-18 12:05 AM UTC", "2025-10-18T00:05:00Z"),
        ("2025-10-18 12:05 PM UTC", "2025-10-18T12:05:00Z"),
        ("2025-10-18 14:05 PM UTC", "2025-10-18T14:05:00Z"),
        ("2025-10-18 at 14:05 UTC", "2025-10-18T14:05:00Z"),
        ("2025-10-18 @ 14:05 utc", "2025-10-18T14:05:00Z"),
        ("2025-10-18 - 14:05 GMT", "2025-10-18T14:05:00Z"),
        ("2025-10-18 14:05 UTC+2", "2025-10-18T12:05:00Z"),
        ("2025-10-18 14:05 GMT-05:30 later", "2025-10-18T19:35:00Z"),
        ("2025-10-18 14:05 +0530", "2025-10-18T08:35:00Z"),
        ("2025-10-18 14:05 - 2 tasks left", "2025-10-18T11:05:00Z"),
        ("2025-10-18 14:05, by Dave", "2025-10-18T11:05:00Z"),
        ("2025-10-18 14:05 est. by Dave", "2025-10-18T11:05:00Z"),
        ("2025-10-18 0915 hrs", "2025-10-18T06:15:00Z"),
        ("2025-10-18 - urgent", "2025-10-17T21:00:00Z"),
        ("2025-10-18 3 tasks", "2025-10-17T21:00:00Z"),
        ("2025-10-18 25:00", "2025-10-17T21:00:00Z"),
        ("October 18, 2025", "2025-10-17T21:00:00Z"),
        ("Sat, Oct 18 2025 2:05 PM UTC", "2025-10-18T14:05:00Z"),
        ("18 October 2025 14:05 UTC", "2025-10-18T14:05:00Z"),
        ("18th Oct, 2025", "2025-10-17T21:00:00Z"),
    ] {
        assert_eq!(utc(text, None).as_deref(), Some(expected), "{text}");
    }
    for text in [
        "",
        "soon",
        "10/18/2025",
        "2025-13-01",
        "2025-02-30",
        "2025-10",
        "202510181",
        "18",
        "next May",
        "9999-12-31 23:00 UTC",
    ] {
        assert_eq!(utc(text, None), None, "{text}");
    }
}

#[test]
fn a_time_in_a_field_of_its_own_counts_beside_a_bare_date() {
    for (date, time, expected, took) in [
        ("2025-10-18", "2115", "2025-10-18T18:15:00Z", true),
        ("2025-10-18", "9:15 PM CDT", "2025-10-19T02:15:00Z", true),
        ("2025-10-18 UTC", "21:15", "2025-10-18T21:15:00Z", true),
        ("2025-10-18 (UTC)", "21:15 EST", "2025-10-19T02:15:00Z", true),
        ("2025-10-18 14:05", "21:15", "2025-10-18T11:05:00Z", false),
        ("2025-10-18", "two hours", "2025-10-17T21:00:00Z", false),
    ] {
        let moment = read(date, Some(time), &local()).unwrap();
        assert_eq!(
            (moment.stamp.timestamp().to_string().as_str(), moment.took_time),
            (expected, took),
            "{date} {time}"
        );
    }
}

#[test]
fn unknown_zones_are_said() {
    let doubt = |text| read(text, None, &local()).unwrap().doubt;
    assert!(doubt("2025-10-18 14:05 XYZT").unwrap().contains("XYZT"));
    assert!(doubt("2025-10-18 14:05 Mars/Olympus").unwrap().contains("Mars/Olympus"));
    assert_eq!(doubt("2025-10-18 14:05 LATER"), None);
    assert_eq!(doubt("2025-10-18 14:05 CDT"), None);
}

#[test]
fn zones_of_the_database_follow_the_season() {
    if TimeZone::get("America/Chicago").is_err() {
        return;
    }
    for (text, expected) in [
        ("2025-10-18 14:05 America/Chicago", "2025-10-18T19:05:00Z"),
        ("2025-12-18 14:05 [America/Chicago]", "2025-12-18T20:05:00Z"),
        ("2025-10-18 14:05 CT", "2025-10-18T19:05:00Z"),
        ("2025-12-18 14:05 ET", "2025-12-18T19:05:00Z"),
    ] {
        assert_eq!(utc(text, None).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn stamps_at_the_start_of_file_names() {
    for (name, expected) in [
        ("2025-10-18-2115-BOT-001-BOT-002-P1-parser.md", Some("2025-10-18T18:15:00Z")),
        ("20251024_145604-fix.md", Some("2025-10-24T11:56:04Z")),
        ("20251024-1456.md", Some("2025-10-24T11:56:00Z")),
        ("20251024T1456-x.md", Some("2025-10-24T11:56:00Z")),
        ("2025-10-18-fix.md", Some("2025-10-17T21:00:00Z")),
        ("2025-10-18.md", Some("2025-10-17T21:00:00Z")),
        ("2025-10-18-2115th-fix.md", Some("2025-10-17T21:00:00Z")),
        ("20251018x.md", None),
        ("12345678-x.md", None),
        ("202510181-x.md", None),
        ("9999-01-01-x.md", None),
        ("TASK-2025-10-18.md", None),
        ("", None),
    ] {
        let found = at_start_of_name(name, &local()).map(|stamp| stamp.timestamp().to_string());
        assert_eq!(found.as_deref(), expected, "{name}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_date_or_none(text in "\\PC{0,40}", dated in "2025-10-18[ T@(,-]{0,3}[0-9:. ]{0,8}[AaPpMmZ+A-Z/ -]{0,8}\\PC{0,5}") {
        let _ = read(&text, Some(&text), &local());
        prop_assert!(read(&dated, None, &local()).is_some() || dated["2025-10-18".len()..].starts_with(|c: char| c.is_ascii_digit()));
        let _ = at_start_of_name(&text, &local());
    }

    #[test]
    fn what_a_stamp_writes_is_read(micros in -62_000_000_000_000_000_i64..200_000_000_000_000_000) {
        let stamp = Stamp::from_micros(micros);
        prop_assert_eq!(read(&stamp.to_string(), None, &local()).map(|moment| moment.stamp), Some(stamp));
    }
}
