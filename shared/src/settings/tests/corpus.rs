//! Settings as people and programs write them, each beside what is read from it; and what chance makes of them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use hive_corpus::{Corpus, cases};
use proptest::prelude::*;

use super::*;
use crate::time::LONGEST_LIMIT;

static CORPUS: LazyLock<Corpus> =
    LazyLock::new(|| Corpus::read(env!("CARGO_MANIFEST_DIR"), "src/settings/tests/corpus", "toml"));

/// What means something to the reader.
const PIECES: &[&str] = &[
    "[defaults]\n",
    "[bots.BOT-002]\n",
    "[bots.BOT-002.env]\n",
    "[[bots]]\n",
    "[",
    "]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "#",
    "\"",
    "'''",
    "\\u0000",
    "\\u001b[2J",
    " = true\n",
    " = 9223372036854775807\n",
    " = -1\n",
    " = 1e400\n",
    " = \"10m\"\n",
    " = []\n",
    " = {}\n",
    "task_limit",
    "openai.",
];

fn parse(bytes: &[u8]) -> Result<Settings, SettingsError> {
    Settings::parse(&Hive::at(Path::new("/h")), bytes.to_owned())
}

/// The bots that have a table, and BOT-002, which need not have one.
fn bots_of(settings: &Settings) -> Vec<BotId> {
    let mut bots = settings.bots();
    bots.push(bot_of("BOT-002"));
    bots.sort();
    bots.dedup();
    bots
}

fn in_force(settings: &Settings, bot: &BotId) -> Result<BotSettings, SettingsError> {
    settings.bot(bot, [], toml::Table::new())
}

/// The settings of each bot that somebody chose, or what is wrong with them.
fn reading_of(bytes: &[u8]) -> String {
    let settings = match parse(bytes) {
        Ok(settings) => settings,
        Err(error) => return format!("no settings: {error}\n"),
    };
    let mut text = String::new();
    for bot in bots_of(&settings) {
        let _ = writeln!(text, "{bot}");
        match in_force(&settings, &bot) {
            Ok(settings) => {
                for (key, source) in &settings.sources {
                    let _ = writeln!(text, "    {}", shown(&settings, key, source));
                }
            }
            Err(error) => {
                let _ = writeln!(text, "    no settings: {error}");
            }
        }
    }
    text
}

/// The value that a dotted key has come to.
fn shown(settings: &BotSettings, key: &str, source: &str) -> String {
    let table: toml::Table = settings.to_toml().parse().expect("what is shown is TOML");
    let (outer, inner) = key.split_once('.').map_or((key, None), |(outer, inner)| (outer, Some(inner)));
    let value = match inner {
        None => table.get(outer),
        Some(inner) => table.get(outer).and_then(|value| value.get(inner)),
    };
    let value = value.map(|value| value.to_string().replace('\n', "\\n")).unwrap_or_default();
    format!("{key} = {value}  # {source}")
}

#[test]
fn each_is_read_as_recorded() {
    CORPUS.check(|document| reading_of(&document.bytes));
}

/// Whether an error is one clear text that says where to look.
fn is_clear(error: &SettingsError, bytes: &[u8]) -> bool {
    let names_a_place = match error {
        SettingsError::Syntax { line, message, .. } => {
            let lines = bytes.split(|byte| *byte == b'\n').count();
            (1..=lines).contains(line) && !message.is_empty()
        }
        SettingsError::UnknownKey { place, nearest, .. } => !place.is_empty() && !nearest.is_empty(),
        SettingsError::Value { place, key, message } => {
            !place.is_empty() && !key.is_empty() && !message.is_empty()
        }
        SettingsError::Combination { message, .. } => !message.is_empty(),
        SettingsError::Read { .. } => false,
    };
    let text = error.to_string();
    names_a_place && !text.chars().any(char::is_control) && text.chars().count() < 1_500
}

proptest! {
    #![proptest_config(cases(256))]

    /// Whatever became of settings, they are refused with a clear word about where, or hold, and then they are what is
    /// shown to be in force, and make sense.
    #[test]
    fn changed_ones_are_refused_or_hold(changed in CORPUS.changed(PIECES)) {
        let bytes = changed.0;
        let read = match parse(&bytes) {
            Ok(read) => read,
            Err(error) => {
                prop_assert!(is_clear(&error, &bytes), "{error}");
                prop_assert_eq!(parse(&bytes).expect_err("as before").to_string(), error.to_string());
                return Ok(());
            }
        };
        for bot in bots_of(&read).into_iter().take(3) {
            let mut settings = match in_force(&read, &bot) {
                Ok(settings) => settings,
                Err(error) => {
                    prop_assert!(is_clear(&error, &bytes), "{error}");
                    continue;
                }
            };
            prop_assert!(!settings.task_limit.is_zero() && !settings.chat_limit.is_zero());
            for priority in Priority::ALL {
                let limit = settings.limit(priority);
                prop_assert!(!limit.is_zero() && limit < LONGEST_LIMIT * 10_100, "{limit:?}");
            }
            prop_assert!(settings.max_attempts > 0 && settings.max_output > 0);
            prop_assert!(settings.workdir.as_ref().is_none_or(|path| path.is_absolute()));

            // Secrets are not shown.
            settings.env.clear();
            let shown = settings.to_toml();
            let flags = shown.parse().expect("what is shown is TOML");
            let none = parse(b"").expect("nothing is as good as a file");
            let mut again = none.bot(&bot, [], flags).unwrap_or_else(|error| panic!("{error}\n{shown}"));
            again.env.clear();
            for settings in [&mut settings, &mut again] {
                // What is shown names its adapter, also where nobody has chosen one.
                settings.adapter_configured = true;
                settings.sources.clear();
            }
            // As texts: a temperature may be no number while nobody asks for it.
            prop_assert_eq!(format!("{settings:?}"), format!("{again:?}"), "{}", shown);
        }
    }
}
