//! How single values are written: durations, sizes, addresses, commands, paths.

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serializer};

use crate::time::parse_duration;

/// Reads with `parse` what may be written as a number or as a text.
struct NumberOrText<P> {
    expecting: &'static str,
    parse: P,
}

impl<T, E: Display, P: Fn(&str) -> Result<T, E>> Visitor<'_> for NumberOrText<P> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_i64<F: Error>(self, number: i64) -> Result<T, F> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<F: Error>(self, number: f64) -> Result<T, F> {
        self.visit_str(&number.to_string())
    }

    fn visit_str<F: Error>(self, text: &str) -> Result<T, F> {
        (self.parse)(text).map_err(F::custom)
    }
}

/// Durations: a number of seconds, or a text such as `"10m"`.
pub(super) mod duration {
    use super::{Deserializer, Duration, NumberOrText, Serializer, parse_duration};

    pub(in crate::settings) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let expecting = "a number of seconds or a duration such as \"10m\"";
        deserializer.deserialize_any(NumberOrText { expecting, parse: parse_duration })
    }

    pub(in crate::settings) fn serialize<S: Serializer>(
        value: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&spell(*value))
    }

    /// The shortest text that reads back as the same duration, to the nanosecond.
    fn spell(value: Duration) -> String {
        let secs = value.as_secs();
        if value.subsec_nanos() != 0 {
            return format!("{}s", value.as_secs_f64());
        }
        match secs {
            0 => "0s".to_owned(),
            s if s % 3_600 == 0 => format!("{}h", s / 3_600),
            s if s % 60 == 0 => format!("{}m", s / 60),
            s => format!("{s}s"),
        }
    }
}

/// A table of durations by priority.
pub(super) mod durations {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::{Deserialize, Deserializer, Duration, Serializer};
    use crate::work::Priority;

    #[derive(Deserialize, Serialize)]
    #[serde(transparent)]
    struct Seconds(#[serde(with = "super::duration")] Duration);

    pub(in crate::settings) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Priority, Duration>, D::Error> {
        let table = BTreeMap::<Priority, Seconds>::deserialize(deserializer)?;
        Ok(table.into_iter().map(|(priority, limit)| (priority, limit.0)).collect())
    }

    pub(in crate::settings) fn serialize<S: Serializer>(
        value: &BTreeMap<Priority, Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(value.iter().map(|(priority, limit)| (priority, Seconds(*limit))))
    }
}

/// Sizes in bytes: a number, or a text such as `"64MiB"`.
pub(super) mod bytes {
    use super::{Deserializer, NumberOrText, Serializer};

    const UNITS: [(&str, u64); 10] = [
        ("", 1),
        ("b", 1),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("tb", 1_000_000_000_000),
    ];

    pub(in crate::settings) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<u64, D::Error> {
        let expecting = "a number of bytes or a size such as \"64MiB\"";
        deserializer.deserialize_any(NumberOrText { expecting, parse })
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference to every field")]
    pub(in crate::settings) fn serialize<S: Serializer>(
        value: &u64,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let (unit, size) = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
            .into_iter()
            .find(|(_, size)| *value != 0 && value.is_multiple_of(*size))
            .unwrap_or(("B", 1));
        serializer.serialize_str(&format!("{}{unit}", value / size))
    }

    fn parse(text: &str) -> Result<u64, String> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit = text[digits..].trim_start().to_ascii_lowercase();
        let size = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size);
        text[..digits]
            .parse::<u64>()
            .ok()
            .zip(size)
            .and_then(|(number, size)| number.checked_mul(size))
            .ok_or_else(|| {
                format!("'{text}' is no size: write bytes (1048576) or units (512KiB, 64MiB, 1GiB)")
            })
    }
}

/// Addresses to listen on: `127.0.0.1:8002`, `localhost:8002`, or a port alone, which is one of the loopback.
pub(super) mod listen {
    use super::{Deserializer, IpAddr, Ipv4Addr, NumberOrText, Serializer, SocketAddr};

    pub(in crate::settings) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SocketAddr, D::Error> {
        let expecting = "an address and port such as \"127.0.0.1:8002\", or a port";
        deserializer.deserialize_any(NumberOrText { expecting, parse })
    }

    pub(in crate::settings) fn serialize<S: Serializer>(
        value: &SocketAddr,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    fn parse(text: &str) -> Result<SocketAddr, String> {
        let text = text.trim();
        if let Ok(address) = text.parse() {
            return Ok(address);
        }
        // A name is not looked up: what it means could change, and with it who can reach the bot.
        let port = text.strip_prefix("localhost").unwrap_or(text);
        let port = port.strip_prefix(':').unwrap_or(port).parse::<u16>();
        port.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)).map_err(|_| {
            format!("'{text}' is no address to listen on: write 127.0.0.1:8002, [::1]:8002, or a port of 127.0.0.1 alone (8002)")
        })
    }
}

/// Reads a command: a list of the program and its arguments, or one text that is split as a shell would (quotes and
/// backslashes, nothing else: no variables, no pipes).
pub(super) fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    deserializer.deserialize_any(CommandVisitor)
}

struct CommandVisitor;

impl<'de> Visitor<'de> for CommandVisitor {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a command: a list such as [\"program\", \"argument\"], or one text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<String>, E> {
        // In a variable, where all is text, a list is spelled as in the file.
        if text.starts_with('[')
            && let Ok(words) = text.parse::<toml::Value>().and_then(toml::Value::try_into)
        {
            return Ok(words);
        }
        shlex::split(text).ok_or_else(|| E::custom("a quote in the command is not closed"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, words: A) -> Result<Vec<String>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(words))
    }
}

/// Writes a path that may hold bytes that are no text.
#[allow(clippy::ref_option, reason = "serde hands a reference to every field")]
pub(super) fn lossy_path<S: Serializer>(value: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(path) => serializer.collect_str(&path.display()),
        None => serializer.serialize_none(),
    }
}
