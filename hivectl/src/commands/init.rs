//! `hivectl init`.

use std::io::Write;
use std::path::{Path, PathBuf};

use hive_shared::paths::{Hive, MARK};
use hive_shared::settings::TEMPLATE;
use serde::Serialize;

use crate::cli::Global;
use crate::error::{Exit, Failure};
use crate::output::Printer;
use crate::output::escape::{Place, escape};

const EXAMPLES: &str = "\
Examples:
  hivectl init
  hivectl init ../other-project";

/// Make a hive here
///
/// Or in DIR, or where --hive says. What is there already stays as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The directory, instead of this one
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct Made {
    hive: PathBuf,
    created: bool,
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
    write_settings(&hive.settings())?;
    out.one(&Made { hive: root, created }, |made| {
        let path = escape(&made.hive.display().to_string(), Place::Line);
        if made.created {
            format!("A hive is made in {path}. Start a bot there with 'hive-agent BOT-001'.\n")
        } else {
            format!("There is a hive in {path} already.\n")
        }
    });
    Ok(Exit::Done)
}

fn write_settings(path: &Path) -> Result<(), Failure> {
    match std::fs::File::create_new(path) {
        Ok(mut file) => file.write_all(TEMPLATE.as_bytes()).map_err(|e| Failure::io("written", path, &e)),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(Failure::io("written", path, &e)),
    }
}
