//! One line of a log, for people.

use std::fmt::Write;

use hive_shared::time::Stamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::output::escape::{Place, escape};
use crate::output::table::Paint;

/// A line, as far as it can be understood.
pub(super) enum Line<'a> {
    /// A JSON object.
    Event {
        /// As it was read.
        raw: &'a str,
        /// What it says.
        json: Value,
    },
    /// Something else: what power loss left of a line.
    Torn(&'a str),
}

impl<'a> Line<'a> {
    /// Reads a line.
    pub(super) fn read(raw: &'a str) -> Self {
        match serde_json::from_str::<Value>(raw) {
            Ok(json) if json.is_object() => Self::Event { raw, json },
            Ok(_) | Err(_) => Self::Torn(raw),
        }
    }

    /// The line in words, foreign text escaped, with the newline.
    pub(super) fn words(&self, now: Stamp, color: bool) -> String {
        let paint = |text: &str, paint: Paint| if color { paint.wrap(text) } else { text.to_owned() };
        let json = match self {
            Self::Event { json, .. } => json,
            Self::Torn(raw) => return format!("{}\n", escape(raw, Place::Line)),
        };
        let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or_default();
        let time = text("timestamp")
            .parse()
            .map_or_else(|_| escape(text("timestamp"), Place::Line), |at| clock(at, now));
        let level = match text("level") {
            level @ "ERROR" => paint(&format!("{level:5}"), Paint::Red),
            level @ "WARN" => paint(&format!("{level:5}"), Paint::Yellow),
            level @ "INFO" => paint(&format!("{level:5}"), Paint::Green),
            level => paint(&format!("{:5}", escape(level, Place::Line)), Paint::Dim),
        };
        let fields = json.get("fields").and_then(Value::as_object);
        let message = fields.and_then(|fields| fields.get("message")).map(shown).unwrap_or_default();
        let mut line = format!("{} {level} {message}", paint(&time, Paint::Dim));
        let span = json.get("span").and_then(Value::as_object);
        let others = fields.into_iter().chain(span).flatten().filter(|(name, _)| *name != "message");
        for (name, value) in others {
            let name = paint(&format!("{}=", escape(name, Place::Line)), Paint::Dim);
            let _infallible = write!(line, "  {name}{}", shown(value));
        }
        line.push('\n');
        line
    }

    /// What it says, without when and the rest; not escaped.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Event { json, .. } => match json.pointer("/fields/message") {
                Some(Value::String(message)) => message.clone(),
                Some(_) | None => json.to_string(),
            },
            Self::Torn(raw) => (*raw).to_owned(),
        }
    }

    /// When it was written, if it says so.
    pub(super) fn time(raw: &str) -> Option<Stamp> {
        /// No more of it is looked at than that.
        #[derive(serde::Deserialize)]
        struct Timed {
            timestamp: Stamp,
        }
        serde_json::from_str::<Timed>(raw).ok().map(|line| line.timestamp)
    }
}

/// The time of day, with the date where it is not today.
fn clock(at: Stamp, now: Stamp) -> String {
    let local = |stamp: Stamp| stamp.timestamp().to_zoned(TimeZone::system());
    let (at, now) = (local(at), local(now));
    let format = if at.date() == now.date() { "%H:%M:%S%.3f" } else { "%Y-%m-%d %H:%M:%S%.3f" };
    at.strftime(format).to_string()
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    escape(&text, Place::Line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"timestamp":"2026-11-22T18:05:27.123456Z","level":"WARN","fields":{"message":"it\u001b[2J failed","code":3,"why":"no\nroom"},"target":"hive_agent","span":{"name":"item","id":"TASK-1"}}"#;

    #[test]
    fn a_line_tells_when_how_bad_what_and_the_rest_and_deceives_nobody() {
        let now: Stamp = "2026-11-22T18:05:30Z".parse().unwrap();
        let line = Line::read(EVENT);
        let words = line.words(now, false);
        let rest = " WARN  it\\x1b[2J failed  code=3  why=no\\nroom  name=item  id=TASK-1\n";
        assert!(words.ends_with(rest), "{words}");
        assert!(words.contains(":27.123 "), "{words}");
        let painted = line.words(now, true);
        assert!(painted.contains("\x1b[33mWARN \x1b[0m") && !painted.contains("\x1b[2J"), "{painted}");
        let later = Stamp::from_micros(now.as_micros() + 3 * 86_400_000_000);
        assert!(line.words(later, false).starts_with("2026-11-2"));
        assert_eq!(Line::time(EVENT), Some("2026-11-22T18:05:27.123456Z".parse().unwrap()));
    }

    #[test]
    fn what_is_no_event_is_shown_as_it_is() {
        let now = Stamp::now();
        assert_eq!(Line::read("{\"to\x07").words(now, false), "{\"to\\x07\n");
        assert!(matches!(Line::read("7"), Line::Torn("7")));
        // Of another program, without what ours has.
        assert!(Line::read("{}").words(now, false).ends_with('\n'));
    }
}
