//! `hivectl init`.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hive_shared::ids::BotId;
use hive_shared::paths::{Hive, MARK};
use hive_shared::settings::{Settings, TEMPLATE};
use serde::Serialize;

use crate::cli::Global;
use crate::error::{Exit, Failure, chain};
use crate::output::Printer;
use crate::output::escape::{Place, escape};

/// The bot that a new hive begins with.
const FIRST_BOT: &str = "BOT-001";

const EXAMPLES: &str = r#"Examples:
  hivectl init && hivectl up && hivectl submit BOT-001 "Say hello" --wait
  hivectl init --bot FRONTEND --bot BACKEND
  hivectl init --bot BOT-002         # add a bot to the hive that is here"#;

/// Make a hive here, with a first bot, or add bots to it
///
/// Or in DIR, or where --hive says. Makes .deia/ with a commented hive.toml. What is there already stays as it is. A new
/// bot has the built-in echo adapter, which says back what it is told: hive.toml tells how to give it a real one.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The directory, instead of this one
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// A bot to have a table in hive.toml; may be given several times [default: BOT-001 in a new hive]
    #[arg(long = "bot", value_name = "NAME")]
    pub bots: Vec<BotId>,
}

/// What came of it.
#[derive(Serialize)]
struct Made {
    hive: PathBuf,
    created: bool,
    /// The bots whose tables were added.
    bots: Vec<BotId>,
    settings: PathBuf,
}

/// Makes a hive.
pub fn run(args: &Args, global: &Global, out: &mut Printer) -> Result<Exit, Failure> {
    let named = args.dir.clone().or_else(|| global.hive.clone());
    let dir = named.unwrap_or_else(|| PathBuf::from("."));
    let created = !dir.join(MARK).is_dir();
    std::fs::create_dir_all(&dir).map_err(|e| Failure::io("made", &dir, &e))?;
    let root = dir.canonicalize().map_err(|e| Failure::io("read", &dir, &e))?;
    let hive = Hive::at(&root);
    hive.create(None).map_err(|e| Failure::io("written", &root.join(MARK), &e))?;
    let bots = settle(&hive, &args.bots)?;
    let is_here = std::env::current_dir().is_ok_and(|here| here.starts_with(&root));
    let made = Made { settings: hive.settings(), hive: root, created, bots };
    out.one(&made, |made| words(made, is_here));
    Ok(Exit::Done)
}

/// Writes the settings if there are none, and adds tables for those of the bots that have none; gives these.
fn settle(hive: &Hive, bots: &[BotId]) -> Result<Vec<BotId>, Failure> {
    let path = hive.settings();
    let failed = |e: io::Error| Failure::io("written", &path, &e);
    let mut new = Vec::new();
    let mut file = match settings_file(&path) {
        Ok(mut file) => {
            file.write_all(TEMPLATE.as_bytes()).map_err(failed)?;
            let first = || vec![BotId::parse(FIRST_BOT).expect("it is an id")];
            new = if bots.is_empty() { first() } else { bots.to_vec() };
            file
        }
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        Err(_) if bots.is_empty() => return Ok(new),
        Err(_) => {
            let settings = Settings::load(hive).map_err(|error| {
                Failure::new(Exit::Failed, chain(&error)).hint("mend it first; nothing was added")
            })?;
            new.extend(bots.iter().filter(|bot| !settings.bots().contains(bot)).cloned());
            File::options().append(true).open(&path).map_err(failed)?
        }
    };
    let mut seen = std::collections::BTreeSet::new();
    new.retain(|bot| seen.insert(bot.clone()));
    let tables: String = new.iter().map(table).collect();
    file.write_all(tables.as_bytes()).map_err(failed)?;
    Ok(new)
}

/// A new file that its group may not write whatever the umask is: hive-agent would refuse it.
fn settings_file(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o644).open(path)
}

/// The table of a bot that works as it is, and shows what to change.
fn table(bot: &BotId) -> String {
    // A dot would begin an inner table.
    let name = if bot.as_str().contains('.') { format!("\"{bot}\"") } else { bot.to_string() };
    format!(
        "\n# A bot, and what is different for it.\n[bots.{name}]\nadapter = \"echo\"\n\
         # To have it run a command, say instead:\n#adapter = \"exec\"\n#command = [\"my-agent\", \"--print\"]\n"
    )
}

fn words(made: &Made, is_here: bool) -> String {
    let path = escape(&made.hive.display().to_string(), Place::Line);
    let bots = made.bots.iter().map(BotId::as_str).collect::<Vec<_>>().join(", ");
    let Some(first) = made.bots.first() else {
        return format!("There is a hive in {path} already.\n");
    };
    let head = if made.created {
        format!("A hive is made in {path}, with {bots}.")
    } else {
        format!("{bots} is in the settings of the hive in {path} now.")
    };
    let settings = escape(&made.settings.display().to_string(), Place::Line);
    let go = if is_here { String::new() } else { format!("  cd {path}\n") };
    format!(
        "{head} Next:\n{go}  hivectl up {first}\n  hivectl submit {first} \"Say hello\" --wait\n\
         Then say in {settings} what is to do the work.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bots(names: &[&str]) -> Vec<BotId> {
        names.iter().map(|name| BotId::parse(name).unwrap()).collect()
    }

    #[test]
    fn bots_are_added_once_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let hive = Hive::at(dir.path());
        hive.create(None).unwrap();
        assert_eq!(settle(&hive, &[]).unwrap(), bots(&["BOT-001"]));
        let before = std::fs::read_to_string(hive.settings()).unwrap();
        assert_eq!(settle(&hive, &[]).unwrap(), []);
        assert_eq!(settle(&hive, &bots(&["BOT-001", "B.2", "B.2", "B-3"])).unwrap(), bots(&["B.2", "B-3"]));
        let after = std::fs::read_to_string(hive.settings()).unwrap();
        assert!(after.starts_with(&before));
        let settings = Settings::load(&hive).unwrap();
        assert_eq!(settings.bots(), bots(&["B-3", "B.2", "BOT-001"]));
        for bot in settings.bots() {
            assert!(settings.bot_here(&bot).unwrap().adapter_configured);
        }
    }

    #[test]
    fn broken_settings_are_not_added_to() {
        let dir = tempfile::tempdir().unwrap();
        let hive = Hive::at(dir.path());
        hive.create(None).unwrap();
        std::fs::write(hive.settings(), "[bots.\n").unwrap();
        let failure = settle(&hive, &bots(&["B-1"])).unwrap_err();
        assert!(failure.message.contains("line 1"), "{failure}");
        assert_eq!(std::fs::read_to_string(hive.settings()).unwrap(), "[bots.\n");
    }
}
