//! Layers of settings, laid over each other into one tree whose every part remembers where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use toml::{Table, Value};

use super::VARIABLE_PREFIX;

/// Tables whose keys are the user's own, or not in small letters: in a variable's name they stand as they are.
const TABLES_WITH_KEYS_AS_WRITTEN: [&str; 2] = ["env", "priority_limits"];

/// Where a setting was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The settings file, outside of what is laid over each other.
    File(Arc<Path>),
    /// A table of the settings file.
    Table {
        /// The file.
        file: Arc<Path>,
        /// `defaults` or `bots.BOT-002`.
        name: Arc<str>,
    },
    /// A variable of the environment, by its full name.
    Variable(Arc<str>),
    /// The command line.
    Flags,
}

impl Origin {
    /// The origin in a word, for a list of the settings in force.
    fn brief(&self) -> String {
        match self {
            Self::File(_) => "file".to_owned(),
            Self::Table { name, .. } => format!("[{name}]"),
            Self::Variable(name) => name.to_string(),
            Self::Flags => "flag".to_owned(),
        }
    }

    /// How a key of the top level, or `table.key`, is spelled in this place.
    pub(super) fn spelling(&self, key: &str) -> String {
        match self {
            Self::Variable(_) => {
                let (table, inner) =
                    key.split_once('.').map_or((key, None), |(table, inner)| (table, Some(inner)));
                let mut name = format!("{VARIABLE_PREFIX}{}", table.to_ascii_uppercase());
                if let Some(inner) = inner {
                    name.push_str("__");
                    name.push_str(&inner.to_ascii_uppercase());
                }
                name
            }
            Self::File(_) | Self::Table { .. } | Self::Flags => key.to_owned(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Table { file, name } => write!(f, "{}, [{name}]", file.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flags => f.write_str("the command line"),
        }
    }
}

/// A value or a table of values, with its origin.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) content: Content,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    Leaf(Value),
    Table(BTreeMap<String, Node>),
}

impl Node {
    pub(super) fn of_table(table: Table, origin: &Origin) -> Self {
        let nodes = table.into_iter().map(|(key, value)| (key, Self::of_value(value, origin))).collect();
        Self { origin: origin.clone(), content: Content::Table(nodes) }
    }

    pub(super) fn of_value(value: Value, origin: &Origin) -> Self {
        match value {
            Value::Table(table) => Self::of_table(table, origin),
            value => Self { origin: origin.clone(), content: Content::Leaf(value) },
        }
    }

    /// A variable as a tree of one leaf; none if it is no setting, or empty, which scripts use to say "not set".
    pub(super) fn of_variable(name: &str, text: String) -> Option<Self> {
        let key = name.strip_prefix(VARIABLE_PREFIX)?;
        if text.is_empty() {
            return None;
        }
        let origin = Origin::Variable(name.into());
        let leaf = Self::of_value(Value::String(text), &origin);
        let within = |key: String, node| Self {
            origin: origin.clone(),
            content: Content::Table(BTreeMap::from([(key, node)])),
        };
        Some(match key.split_once("__") {
            None => within(key.to_ascii_lowercase(), leaf),
            Some((table, inner)) => {
                let table = table.to_ascii_lowercase();
                let as_written = TABLES_WITH_KEYS_AS_WRITTEN.contains(&table.as_str());
                let inner = if as_written { inner.to_owned() } else { inner.to_ascii_lowercase() };
                within(table, within(inner, leaf))
            }
        })
    }

    /// Lays `above` over this: its values win, tables are merged key by key.
    pub(super) fn lay_over(&mut self, above: Self) {
        match (&mut self.content, above.content) {
            (Content::Table(own), Content::Table(above)) => {
                for (key, node) in above {
                    if let Some(below) = own.get_mut(&key) {
                        below.lay_over(node);
                    } else {
                        own.insert(key, node);
                    }
                }
            }
            (own @ (Content::Leaf(_) | Content::Table(_)), content) => {
                *own = content;
                self.origin = above.origin;
            }
        }
    }

    /// Where each leaf came from, by its dotted key.
    pub(super) fn sources(&self) -> BTreeMap<String, String> {
        let mut sources = BTreeMap::new();
        self.collect_sources("", &mut sources);
        sources
    }

    fn collect_sources(&self, key: &str, sources: &mut BTreeMap<String, String>) {
        match &self.content {
            Content::Leaf(_) => {
                sources.insert(key.to_owned(), self.origin.brief());
            }
            Content::Table(nodes) => {
                let dot = if key.is_empty() { "" } else { "." };
                for (inner, node) in nodes {
                    node.collect_sources(&format!("{key}{dot}{inner}"), sources);
                }
            }
        }
    }
}
