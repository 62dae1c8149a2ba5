//! Settings as chance writes them.

use hive_corpus::cases;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// The settings that the template has commented out, a line each.
fn known_lines() -> Vec<&'static str> {
    let settings = TEMPLATE.lines().filter_map(|line| line.strip_prefix('#'));
    settings.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("true".to_owned()),
        Just("-1".to_owned()),
        Just("0".to_owned()),
        Just("1e400".to_owned()),
        Just("9223372036854775807".to_owned()),
        Just("\"10m\"".to_owned()),
        Just("\"ask\"".to_owned()),
        Just("\"0.0.0.0:1\"".to_owned()),
        Just("[]".to_owned()),
        Just("[\"edit:src/**\", \"read\"]".to_owned()),
        Just("{ P0 = 1, P9 = 2 }".to_owned()),
        Just("2026-01-01".to_owned()),
        "\"\\PC{0,8}\"",
        "\\PC{0,8}",
    ]
}

/// A line of settings: as the template has it, or with another value, or under another name.
fn line() -> impl Strategy<Value = String> {
    let known = || any::<Index>().prop_map(|index| *index.get(&known_lines()));
    let key = |line: &str| line.split(" =").next().unwrap_or_default().to_owned();
    prop_oneof![
        6 => known().prop_map(str::to_owned),
        3 => (known(), value()).prop_map(move |(line, value)| format!("{} = {value}", key(line))),
        1 => (known(), "[a-z_.]{1,3}", value()).prop_map(move |(line, more, value)| format!("{}{more} = {value}", key(line))),
        1 => "\\PC{0,20}",
    ]
}

proptest! {
    #![proptest_config(cases(64))]

    /// They are refused with a word about where, or are in force, and then they are what is shown to be in force.
    #[test]
    fn any_settings_are_refused_or_hold(
        defaults in prop::collection::vec(line(), 0..4),
        own in prop::collection::vec(line(), 0..4),
        variable in prop::option::of(("[A-Z_]{1,12}", "\\PC{0,8}")),
    ) {
        let file = format!("[defaults]\n{}\n[bots.BOT-002]\n{}\n", defaults.join("\n"), own.join("\n"));
        let variable = variable.map(|(key, value)| (format!("{VARIABLE_PREFIX}{key}"), value));
        let environment: Vec<(&str, &str)> =
            variable.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match read(&file, &environment, "") {
            Err(error) => prop_assert!(error.to_string().len() > 10, "{error}"),
            Ok(mut settings) => {
                let shown = settings.to_toml();
                let mut again = read("", &[], &shown).unwrap_or_else(|error| panic!("{error}\n{shown}"));
                // What is shown names its adapter, also where nobody has chosen one.
                settings.adapter_configured = true;
                settings.sources.clear();
                again.sources.clear();
                prop_assert_eq!(settings, again, "{}", shown);
            }
        }
    }
}
