//! Which entries are wanted.

use hive_shared::api::{Entry, TimelineQuery};
use hive_shared::ids::BotId;
use hive_shared::time::{Stamp, parse_duration};
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};

use super::Args;
use crate::fleet::NO_BOTS;

/// Reads a point in time as people write it: a duration is that long ago, and what names no zone is in the machine's.
pub(in crate::commands) fn parse_time(text: &str) -> Result<Stamp, String> {
    let text = text.trim();
    if let Ok(stamp) = text.parse() {
        return Ok(stamp);
    }
    if let Ok(back) = parse_duration(text) {
        let micros = i64::try_from(back.as_micros()).unwrap_or(i64::MAX);
        return Ok(Stamp::from_micros(Stamp::now().as_micros().saturating_sub(micros)));
    }
    let today = Zoned::now().date();
    let civil = match text.to_ascii_lowercase().as_str() {
        "today" => Some(today.into()),
        "yesterday" => today.checked_sub(1.day()).ok().map(DateTime::from),
        _ => None,
    };
    let time_of_day = || text.parse::<Time>().ok().map(|time| today.to_datetime(time));
    // A date alone is its midnight.
    let civil = civil.or_else(|| text.parse().ok()).or_else(time_of_day);
    let zoned = civil.and_then(|civil| civil.to_zoned(TimeZone::system()).ok());
    zoned.map(|zoned| zoned.timestamp().into()).ok_or_else(|| {
        format!("'{text}' is neither a duration (1h) nor a time (18:00, yesterday, 2026-11-22, 2026-11-22T18:00:00Z)")
    })
}

impl Args {
    /// Whether an entry passes the filters: where no bot filters for us.
    pub(super) fn wants(&self, entry: &Entry) -> bool {
        fn is_in<T: PartialEq>(wanted: &[T], one: &T) -> bool {
            wanted.is_empty() || wanted.contains(one)
        }
        self.since.is_none_or(|since| entry.timestamp >= since)
            && self.until.is_none_or(|until| entry.timestamp < until)
            && is_in(&self.source, &entry.source)
            && is_in(&self.kind, &entry.kind)
            && is_in(&self.status, &entry.status)
            && self.grep.as_deref().is_none_or(|words| holds_all(entry, words))
    }

    /// What to ask a bot for. It takes one word of each kind: of several there is a query for each.
    pub(super) fn queries(&self, limit: usize, steps: bool) -> Vec<TimelineQuery> {
        fn each<T: Copy>(wanted: &[T]) -> Vec<Option<T>> {
            if wanted.is_empty() { vec![None] } else { wanted.iter().copied().map(Some).collect() }
        }
        let mut queries = Vec::new();
        for source in each(&self.source) {
            for kind in each(&self.kind) {
                for status in each(&self.status) {
                    queries.push(TimelineQuery {
                        since: self.since,
                        until: self.until,
                        source,
                        kind,
                        status,
                        q: self.grep.clone(),
                        steps,
                        limit: Some(limit),
                        ..TimelineQuery::default()
                    });
                }
            }
        }
        queries
    }

    /// Whether anything but times is asked for.
    fn is_filtered(&self) -> bool {
        !self.source.is_empty() || !self.kind.is_empty() || !self.status.is_empty() || self.grep.is_some()
    }

    /// Why there is nothing to show.
    pub(super) fn nothing(&self, bots: &[BotId]) -> String {
        match bots {
            [] => NO_BOTS.to_owned(),
            _ if self.number == Some(0) => "no entry was asked for".to_owned(),
            _ if self.is_filtered() => "no entry is such as these filters want".to_owned(),
            _ if self.since.is_some() || self.until.is_some() => "nothing happened in that time".to_owned(),
            [bot] => format!("nothing has happened on {bot} yet"),
            _ => "nothing has happened yet".to_owned(),
        }
    }
}

fn holds_all(entry: &Entry, words: &str) -> bool {
    let texts = [
        Some(&entry.entry_id),
        entry.title.as_ref(),
        entry.sender.as_ref(),
        Some(&entry.content),
        entry.error.as_ref(),
    ];
    let text = texts.into_iter().flatten().map(|text| text.to_lowercase()).collect::<Vec<_>>().join("\n");
    words.split_whitespace().all(|word| text.contains(&word.to_lowercase()))
}

#[cfg(test)]
pub(super) mod tests {
    use hive_shared::work::{Source, Status};

    use super::super::roll::tests::entry;
    use super::*;

    pub(in super::super) fn args(line: &[&str]) -> Args {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        <Line as clap::Parser>::try_parse_from(std::iter::once(&"timeline").chain(line)).unwrap().args
    }

    #[test]
    fn filters_pass_what_they_name() {
        let task = entry(r#"{"title":"Mend the Login","content":"done, all well"}"#);
        for wanted in [
            &[][..],
            &["--source", "file", "--kind", "task"],
            &["--grep", "login WELL"],
            &["--status", "completed"],
            &["--status", "failed,completed", "--source", "file"],
        ] {
            assert!(args(wanted).wants(&task), "{wanted:?}");
        }
        for unwanted in [
            &["--source", "chat"][..],
            &["--grep", "login fails"],
            &["--since", "2026-11-22T18:05:28Z"],
            &["--until", "2026-11-22T18:05:27Z"],
            &["--status", "failed,timed_out"],
        ] {
            assert!(!args(unwanted).wants(&task), "{unwanted:?}");
        }
        assert!(args(&["--since", "2026-11-22T18:05:27Z"]).wants(&task));
    }

    #[test]
    fn of_several_words_each_is_asked_for() {
        let queries = args(&["--status", "failed,timed_out", "--source", "file"]).queries(7, false);
        let asked: Vec<_> = queries.iter().map(|query| (query.source, query.status, query.limit)).collect();
        assert_eq!(
            asked,
            [Status::Failed, Status::TimedOut].map(|status| (Some(Source::File), Some(status), Some(7)))
        );
        assert_eq!(args(&[]).queries(1, true).len(), 1);
    }

    #[test]
    fn times_are_written_as_people_write_them() {
        let local = |text: &str| parse_time(text).unwrap().timestamp().to_zoned(TimeZone::system());
        assert_eq!(parse_time("2026-11-22T18:00:00Z").unwrap().to_string(), "2026-11-22T18:00:00.000000Z");
        assert_eq!(local("2026-11-22").strftime("%F %T").to_string(), "2026-11-22 00:00:00");
        assert_eq!(local("2026-11-22 18:30").strftime("%F %T").to_string(), "2026-11-22 18:30:00");
        assert_eq!(local("18:30").strftime("%T").to_string(), "18:30:00");
        assert!(local("yesterday") < local("today") && local("today") <= local("1s"));
        assert!(parse_time("soon").unwrap_err().starts_with("'soon' is neither"));
    }
}
