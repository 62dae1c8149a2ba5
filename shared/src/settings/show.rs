//! The settings in force, as text: what `--check` prints.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::BotSettings;

/// Parts of the names of variables whose values are not shown: what is printed ends up in logs and bug reports.
const SECRET: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"];

impl BotSettings {
    /// All settings in force as a bot's table in TOML, each with a comment that says where it came from.
    ///
    /// The values in `env` whose names look secret are masked.
    pub fn to_toml(&self) -> String {
        let table = Table::try_from(self).expect("settings have text as keys and fit TOML's numbers");
        let mut out = String::new();
        for (key, value) in table.iter().filter(|(_, value)| !value.is_table()) {
            self.line(&mut out, "", key, value);
        }
        for (name, value) in &table {
            let Value::Table(inner) = value else { continue };
            if inner.is_empty() {
                continue;
            }
            let _ = writeln!(out, "\n[{name}]");
            for (key, value) in inner {
                if name == "env" && is_secret(key) {
                    self.line(&mut out, name, key, &Value::from("***"));
                } else {
                    self.line(&mut out, name, key, value);
                }
            }
        }
        out
    }

    fn line(&self, out: &mut String, table: &str, key: &str, value: &Value) {
        let dot = if table.is_empty() { "" } else { "." };
        let path = format!("{table}{dot}{key}");
        let source = self.sources.get(&path).map_or("default", String::as_str);
        let setting = format!("{} = {value}", spell_key(key));
        let _ = writeln!(out, "{setting:<40} # {source}");
    }
}

fn spell_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { Value::from(key).to_string() }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET.iter().any(|part| name.contains(part))
}
