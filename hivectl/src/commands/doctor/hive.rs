//! The hive: its directories, who may write them, and its settings.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::regular_file;
use hive_shared::settings::{Settings, SettingsError};
use hive_shared::trust;
use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use super::finding::{Finding, unreadable, with_remedy};
use crate::error::chain;

/// The most bytes of a `.gitignore` that are read.
const MAX_IGNORES: usize = 64 * 1024;

/// Looks at the directories.
pub(super) fn look(hive: &Hive) -> Vec<Finding> {
    let mut findings = vec![Finding::ok("hive", hive.root().display().to_string())];
    findings.extend(trusted(hive));
    findings.extend(writable(hive));
    findings.extend(private(hive));
    findings
}

/// What the settings file came to.
pub(super) struct Read {
    /// What it says, where it can be read.
    pub(super) settings: Option<Settings>,
    /// What is to be said of it.
    pub(super) findings: Vec<Finding>,
}

/// Reads the settings, for all bots.
pub(super) fn settings(hive: &Hive) -> Read {
    const CHECK: &str = "settings";
    let path = hive.settings();
    let settings = match Settings::load(hive) {
        Ok(settings) => settings,
        Err(error) => {
            let hint = format!("edit {}; 'hivectl doctor' again tells whether it is mended", path.display());
            return Read { settings: None, findings: vec![Finding::error(CHECK, chain(&error)).hint(hint)] };
        }
    };
    let finding = match shared_fault(&settings) {
        Some(error) => Finding::error(CHECK, error.to_string()).hint("no bot starts before that is mended"),
        None if path.exists() => Finding::ok(CHECK, format!("{} can be read", path.display())),
        None => Finding::note(CHECK, "there is no hive.toml: the defaults hold")
            .hint("'hivectl init' writes one with all settings explained"),
    };
    Read { settings: Some(settings), findings: vec![finding] }
}

/// What is wrong for every bot: in `[defaults]`, or in the environment.
pub(super) fn shared_fault(settings: &Settings) -> Option<SettingsError> {
    let nobody =
        (0..).find_map(|n| BotId::parse(&format!("x{n}")).ok().filter(|id| !settings.bots().contains(id)))?;
    match settings.bot_here(&nobody) {
        // What is wrong together may be put right by a bot's own table.
        Ok(_) | Err(SettingsError::Combination { .. }) => None,
        Err(error) => Some(error),
    }
}

/// What hive-agent would refuse, as others could run code as its user.
fn trusted(hive: &Hive) -> Vec<Finding> {
    const CHECK: &str = "permissions";
    let refused = |error: trust::TrustError| {
        let (what, remedy) = with_remedy(&chain(&error));
        Finding { hint: remedy, ..Finding::error(CHECK, what) }
    };
    let mut findings = Vec::new();
    findings.extend(trust::check_settings_file(&hive.settings()).err().map(refused));
    if hive.all_tasks().exists() {
        match trust::check_dir(&hive.all_tasks()) {
            // The same directory may be in both.
            Err(error) if findings.is_empty() => findings.push(refused(error)),
            Err(_) => {}
            Ok(warnings) => findings.extend(warnings.iter().map(|warning| {
                let (what, remedy) = with_remedy(&warning.to_string());
                Finding { hint: remedy, ..Finding::warning(CHECK, what) }
            })),
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "nobody else may write what the bots obey"));
    }
    findings
}

/// The directories that there are, those that only the user is to look into last.
fn directories(hive: &Hive) -> [std::path::PathBuf; 6] {
    [hive.all_tasks(), hive.responses(), hive.controls(), hive.bots(), hive.state(), hive.logs()]
}

fn writable(hive: &Hive) -> Vec<Finding> {
    let there = directories(hive).into_iter().filter(|dir| dir.exists());
    let mut findings: Vec<_> = there
        .filter_map(|dir| {
            let refused = access(&dir, AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK).err()?;
            Some(unwritable(&dir, refused))
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok("writable", "the directories of the hive can be written"));
    }
    findings
}

fn unwritable(dir: &Path, refused: Errno) -> Finding {
    let path = dir.display();
    match refused {
        Errno::EROFS => Finding::error("writable", format!("{path} is on a file system that is read-only"))
            .hint("mount it read-write; 'findmnt -T .' tells which it is"),
        Errno::EACCES => Finding::error("writable", format!("{path} may not be written by you"))
            .hint(format!("'ls -ld {path}' tells whose it is; 'chmod u+rwx {path}' mends it if it is yours")),
        other => Finding::error("writable", format!("{path} cannot be written: {}", other.desc())),
    }
}

/// Tokens, ledgers and logs are for nobody else, and for no repository.
fn private(hive: &Hive) -> Vec<Finding> {
    const CHECK: &str = "private";
    let mut findings = Vec::new();
    for dir in [hive.bots(), hive.state(), hive.logs()] {
        let Ok(found) = dir.metadata() else { continue };
        let path = dir.display();
        if found.mode() & 0o077 != 0 {
            findings.push(
                Finding::warning(CHECK, format!("others may look into {path}"))
                    .hint(format!("'chmod 700 {path}'")),
            );
        }
        let ignores = regular_file::read_text_behind_links(&dir.join(".gitignore"), MAX_IGNORES);
        findings.extend(unignored(&dir, ignores));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "tokens, ledgers and logs are yours alone, and in no repository"));
    }
    findings
}

/// What is to be said of a directory whose file of ignored names was read with that result.
fn unignored(dir: &Path, read: std::io::Result<String>) -> Option<Finding> {
    const CHECK: &str = "private";
    match read {
        Ok(text) if text.lines().any(|line| line.trim() == "*") => None,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Some(unreadable(CHECK, dir)),
        Ok(_) | Err(_) => {
            let message =
                format!("{} has no .gitignore of '*': its content could be committed", dir.display());
            let hint = format!("\"echo '*' > {}\"", dir.join(".gitignore").display());
            Some(Finding::warning(CHECK, message).hint(hint))
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::super::finding::Level;
    use super::*;

    /// A hive in which nothing is wrong, whatever the umask of the tests is.
    pub(in super::super) fn hive(settings: &str) -> (tempfile::TempDir, Hive) {
        let dir = tempfile::tempdir().unwrap();
        let hive = Hive::at(dir.path());
        hive.create(None).unwrap();
        std::fs::write(hive.settings(), settings).unwrap();
        chmod(&hive.settings(), 0o644);
        (dir, hive)
    }

    pub(in super::super) fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// The one finding that is not well.
    pub(in super::super) fn fault(findings: Vec<Finding>) -> (Level, String, String) {
        let mut bad: Vec<_> = findings.into_iter().filter(|finding| finding.level > Level::Ok).collect();
        assert_eq!(bad.len(), 1, "{bad:?}");
        let finding = bad.remove(0);
        (finding.level, finding.message, finding.hint.unwrap_or_default())
    }

    #[test]
    fn a_new_hive_is_well() {
        let (_dir, hive) = hive("");
        let findings = [look(&hive), settings(&hive).findings].concat();
        assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:?}");
    }

    #[test]
    fn what_others_may_write_is_an_error_with_its_remedy() {
        let (_dir, hive) = hive("");
        chmod(&hive.settings(), 0o664);
        let (level, message, hint) = fault(look(&hive));
        assert!(level == Level::Error && message.contains("may be written by its group"), "{message}");
        assert_eq!(hint, format!("'chmod g-w {}'", hive.settings().display()));
        chmod(&hive.settings(), 0o644);
        chmod(&hive.all_tasks(), 0o775);
        let (level, _, hint) = fault(look(&hive));
        assert_eq!((level, hint), (Level::Warning, format!("'chmod g-w {}'", hive.all_tasks().display())));
    }

    #[test]
    fn tokens_that_others_could_see_or_commit_are_a_warning() {
        let (_dir, hive) = hive("");
        chmod(&hive.bots(), 0o755);
        assert_eq!(fault(look(&hive)).2, format!("'chmod 700 {}'", hive.bots().display()));
        chmod(&hive.bots(), 0o700);
        std::fs::remove_file(hive.state().join(".gitignore")).unwrap();
        let (level, message, _) = fault(look(&hive));
        assert!(level == Level::Warning && message.contains("no .gitignore"), "{message}");
        let denied = unignored(&hive.state(), Err(std::io::ErrorKind::PermissionDenied.into())).unwrap();
        assert!(denied.message.ends_with("state may not be read by you"), "{denied:?}");
        assert!(denied.hint.unwrap().starts_with("'ls -ld"));
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_an_error_that_says_why() {
        let dir = Path::new("/h/.deia/hive/tasks");
        assert!(unwritable(dir, Errno::EROFS).message.ends_with("read-only"));
        assert!(unwritable(dir, Errno::EACCES).hint.unwrap().contains("chmod u+rwx /h/.deia/hive/tasks"));
        assert_eq!(unwritable(dir, Errno::EIO).level, Level::Error);
    }

    #[test]
    fn settings_that_are_wrong_are_told_with_their_place() {
        let faults = |text: &str| fault(settings(&hive(text).1).findings);
        let (level, message, _) = faults("[defaults]\nmode = \n");
        assert!(level == Level::Error && message.contains("line 2"), "{message}");
        assert!(
            faults("[defaults]\nadaptor = 'x'\n").1.contains("'adaptor'; the nearest known one is 'adapter'")
        );
        // Each bot may have a command of its own.
        let (_dir, hive) = hive("[defaults]\nadapter = 'exec'\n[bots.x0]\ncommand = ['true']\n");
        assert_eq!(settings(&hive).findings[0].level, Level::Ok);
        std::fs::remove_file(hive.settings()).unwrap();
        assert_eq!(fault(settings(&hive).findings).0, Level::Note);
    }
}
