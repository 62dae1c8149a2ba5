//! Settings (SPEC 11): built-in defaults, below `[defaults]`, below `[bots.BOT-002]`, below the environment, below the
//! flags.
//!
//! Every layer is a TOML table. They are laid over each other into one tree, whose leaves remember where they came
//! from, and the tree is read once into [`BotSettings`]. So a key is known everywhere or nowhere, and a wrong one is
//! reported with its place.

mod bot;
mod error;
mod layers;
mod presets;
mod read;
mod show;
mod values;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

pub use self::bot::{
    AdapterKind, Approval, BotSettings, EchoSettings, OnDisconnect, OnPreempt, OpenAiSettings,
};
pub use self::error::SettingsError;
use self::layers::{Node, Origin};
pub use self::presets::{AdapterFamily, Preset};
use crate::ids::BotId;
use crate::paths::Hive;
use crate::regular_file;

/// What a variable of the environment that is a setting begins with; the key follows in capitals, and `__` stands
/// before a key of an inner table: `HIVE_AGENT_ECHO__DELAY_MS`.
pub const VARIABLE_PREFIX: &str = "HIVE_AGENT_";

/// The `hive.toml` that `hivectl init` writes: every key with its default, commented out. The tables of bots follow.
///
/// A line of prose begins with `# `, a setting or a table to be uncommented with `#` alone.
pub const TEMPLATE: &str = include_str!("template.toml");

/// The most bytes that it has.
pub(crate) const MAX_SETTINGS: usize = 1 << 20;

/// What `.deia/hive.toml` says, before it is laid over the defaults for one bot.
#[derive(Debug, Clone)]
pub struct Settings {
    root: PathBuf,
    file: Arc<Path>,
    tables: Tables,
}

/// The file as a whole.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
struct Tables {
    defaults: toml::Table,
    bots: BTreeMap<BotId, toml::Table>,
}

impl Settings {
    /// Reads the settings of a hive. A file that is missing is an empty one.
    ///
    /// Who may write the file is [`crate::trust`]'s question, and is asked before.
    pub fn load(hive: &Hive) -> Result<Self, SettingsError> {
        let path = hive.settings();
        match regular_file::read_behind_links(&path, MAX_SETTINGS) {
            Ok(bytes) => Self::parse(hive, bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Self::parse(hive, Vec::new()),
            Err(source) => Err(SettingsError::Read { path, source }),
        }
    }

    /// Takes what the file of a hive holds.
    fn parse(hive: &Hive, bytes: Vec<u8>) -> Result<Self, SettingsError> {
        let path = hive.settings();
        let text = String::from_utf8(bytes).map_err(|e| SettingsError::no_text(&path, &e))?;
        let table = text.parse().map_err(|e| SettingsError::syntax(&path, &text, &e))?;
        let file: Arc<Path> = path.into();
        let tree = Node::of_table(table, &Origin::File(Arc::clone(&file)));
        let tables = Tables::deserialize(tree).map_err(|flaw| point_into_defaults(flaw.into()))?;
        Ok(Self { root: hive.root().to_owned(), file, tables })
    }

    /// The bots that have a table of their own, in the order of their ids.
    pub fn bots(&self) -> Vec<BotId> {
        self.tables.bots.keys().cloned().collect()
    }

    /// The settings in force for `bot`, which need not have a table.
    ///
    /// Of `environment`, names that begin with [`VARIABLE_PREFIX`] count, unless their value is empty; the process's
    /// own is [`process_environment`]. `flags` has the keys of a bot's table. Relative paths, wherever they are
    /// written, start at the root of the hive.
    pub fn bot(
        &self,
        bot: &BotId,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: toml::Table,
    ) -> Result<BotSettings, SettingsError> {
        let table = |name: &str| Origin::Table { file: Arc::clone(&self.file), name: name.into() };
        let own = self.tables.bots.get(bot).cloned().unwrap_or_default();

        let mut tree = Node::of_table(self.tables.defaults.clone(), &table("defaults"));
        tree.lay_over(Node::of_table(own, &table(&format!("bots.{bot}"))));
        for (name, text) in environment {
            if let Some(node) = Node::of_variable(&name, text) {
                tree.lay_over(node);
            }
        }
        tree.lay_over(Node::of_table(flags, &Origin::Flags));

        let sources = tree.sources();
        let mut settings = BotSettings::deserialize(tree)?;
        settings.adapter_configured = sources.contains_key("adapter");
        settings.sources = sources;
        settings.apply_preset();
        settings.resolve_paths(&self.root);
        settings.check().map_err(|message| SettingsError::Combination { bot: bot.clone(), message })?;
        Ok(settings)
    }
}

impl Settings {
    /// The settings in force for `bot` if it is started here and now, without flags.
    pub fn bot_here(&self, bot: &BotId) -> Result<BotSettings, SettingsError> {
        self.bot(bot, process_environment(), toml::Table::new())
    }
}

/// A setting that stands above all tables was meant for all bots: says where it belongs.
fn point_into_defaults(error: SettingsError) -> SettingsError {
    match error {
        SettingsError::UnknownKey { place, key, .. }
            if read::keys_of::<BotSettings>().contains(&key.as_str()) =>
        {
            SettingsError::UnknownKey { place, nearest: format!("defaults.{key}"), key }
        }
        error => error,
    }
}

/// The environment of this process. [`std::env::vars`] would panic on what is not Unicode: names that are not are left
/// out, and values are mended, so that they are still seen to be wrong.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
}

#[cfg(test)]
mod tests;
