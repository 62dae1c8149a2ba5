//! Who may write what a bot obeys (the end of SPEC 11): who can change its settings, or put files into its queue, runs
//! code as its user. And who may read what it keeps to itself.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::ids::BotId;
use crate::paths::{Hive, MARK};

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_READ: u32 = 0o004;
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;

/// Why something on disk must not be obeyed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It belongs to someone else, who can change it at any time.
    #[error("{path} belongs to user {owner}, who could run code as you through it: mend it with 'chown {user} {path}'", path = .path.display())]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// Others may write it.
    #[error("{path} may be written by {who}, who could run code as you through it: mend it with 'chmod {mend} {path}'", path = .path.display())]
    Writable {
        /// The file or directory.
        path: PathBuf,
        /// Who may.
        who: &'static str,
        /// The change of mode that mends it.
        mend: &'static str,
    },
    /// It holds a secret, and others may read it.
    #[error("{path} holds a secret, and everybody on this machine may read it: mend it with 'chmod 600 {path}'", path = .0.display())]
    Readable(PathBuf),
    /// The queue is a file.
    #[error("{path} is no directory", path = .0.display())]
    NotADirectory(PathBuf),
    /// The file system would not tell.
    #[error("cannot tell who may write {path}", path = .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What is not refused and should be known: the members of a group may write a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The directory.
    pub path: PathBuf,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display();
        write!(
            f,
            "the group may write {path}, and run code as you through it; if that is not meant: 'chmod g-w {path}'"
        )
    }
}

/// Checks the settings file: it is the effective user's or root's, and nobody else may write it.
///
/// The directories around it, up to `.deia`, must be as trusted, for who writes there can replace it; that the group
/// may write them is [`check_dir`]'s to warn of. A missing file is fine.
pub fn check_settings_file(path: &Path) -> Result<(), TrustError> {
    let user = geteuid().as_raw();
    for dir in surroundings(path) {
        if let Some(found) = look(dir)? {
            judge_directory(dir, Found::of(&found), user)?;
        }
    }
    for link in surroundings(path).into_iter().chain([path]).filter(|path| path.is_symlink()) {
        judge_the_way_to(link, user)?;
    }
    match look(path)? {
        Some(found) => judge_file(path, Found::of(&found), user),
        None => Ok(()),
    }
}

/// Checks all directories of a hive that a bot obeys or keeps its own in: its queue, the responses, the control files,
/// tokens, ledgers and logs, as [`check_dir`] does. Gives those that a group may write.
pub fn check_hive(hive: &Hive, bot: &BotId) -> Result<Vec<Warning>, TrustError> {
    let queue = [hive.tasks(bot), hive.archive(bot), hive.rejected(bot)];
    let others = [hive.responses(), hive.controls(), hive.bots(), hive.state(), hive.logs()];
    let mut warnings: Vec<Warning> = Vec::new();
    for dir in queue.iter().chain(&others) {
        for warning in check_dir(dir)? {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    Ok(warnings)
}

/// Checks a directory of a hive, which must be there, and those around it up to `.deia`: each is the effective user's or
/// root's and not everybody's to write. Where one is a link, so must be all on the way to where it leads, for who can
/// replace one of these can lead it elsewhere. Gives those that a group may write.
pub fn check_dir(path: &Path) -> Result<Vec<Warning>, TrustError> {
    let user = geteuid().as_raw();
    let mut warnings = Vec::new();
    for dir in surroundings(path).into_iter().chain([path]) {
        let found = look(dir)?
            .ok_or_else(|| TrustError::Io { path: dir.to_owned(), source: io::ErrorKind::NotFound.into() })?;
        if !found.is_dir() {
            return Err(TrustError::NotADirectory(dir.to_owned()));
        }
        warnings.extend(judge_directory(dir, Found::of(&found), user)?);
        if dir.is_symlink() {
            judge_the_way_to(dir, user)?;
        }
    }
    Ok(warnings)
}

/// Judges the directories above where a link leads. One that leads nowhere leads to nothing that is obeyed.
fn judge_the_way_to(link: &Path, user: u32) -> Result<(), TrustError> {
    let real = match link.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(TrustError::Io { path: link.to_owned(), source }),
    };
    for on_the_way in real.ancestors().skip(1) {
        if let Some(found) = look(on_the_way)? {
            judge_on_the_way(on_the_way, Found::of(&found), user)?;
        }
    }
    Ok(())
}

/// Whether others may read a secret that is used all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Secrecy {
    /// Nobody else, or a group that somebody chose.
    Kept,
    /// Everybody.
    Open,
}

/// Checks an opened file with a secret, which is then to be read from it and not from `path`, where another may lie by
/// now: it is the effective user's or root's, and nobody else may write it. One that everybody may read is refused if
/// the user can mend that; root's is used, for what containers are handed as secrets is root's and often readable to all
/// in them.
pub fn check_secret(path: &Path, file: &File) -> Result<Secrecy, TrustError> {
    let found = file.metadata().map_err(|source| TrustError::Io { path: path.to_owned(), source })?;
    judge_secret(path, Found::of(&found), geteuid().as_raw())
}

fn judge_secret(path: &Path, found: Found, user: u32) -> Result<Secrecy, TrustError> {
    judge_file(path, found, user)?;
    match (found.mode & OTHERS_READ != 0, found.owner == ROOT) {
        (false, _) => Ok(Secrecy::Kept),
        (true, true) => Ok(Secrecy::Open),
        (true, false) => Err(TrustError::Readable(path.to_owned())),
    }
}

/// The directories between `.deia` (included) and `path` (not included), the outermost first.
fn surroundings(path: &Path) -> Vec<&Path> {
    let above: Vec<_> = path.ancestors().skip(1).collect();
    let mark = above.iter().position(|dir| dir.file_name().is_some_and(|name| name == MARK));
    mark.map_or_else(Vec::new, |mark| above[..=mark].iter().rev().copied().collect())
}

/// Links are followed: what counts is what is read in the end.
fn look(path: &Path) -> Result<Option<Metadata>, TrustError> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TrustError::Io { path: path.to_owned(), source }),
    }
}

/// The part of the metadata that decides.
#[derive(Debug, Clone, Copy)]
struct Found {
    owner: u32,
    mode: u32,
}

impl Found {
    fn of(metadata: &Metadata) -> Self {
        Self { owner: metadata.uid(), mode: metadata.mode() }
    }
}

fn judge_owner(path: &Path, found: Found, user: u32) -> Result<(), TrustError> {
    if found.owner == user || found.owner == ROOT {
        return Ok(());
    }
    Err(TrustError::Owner { path: path.to_owned(), owner: found.owner, user })
}

fn judge_file(path: &Path, found: Found, user: u32) -> Result<(), TrustError> {
    judge_owner(path, found, user)?;
    let (who, mend) = match (found.mode & OTHERS_WRITE != 0, found.mode & GROUP_WRITES != 0) {
        (true, _) => ("everybody", "go-w"),
        (false, true) => ("its group", "g-w"),
        (false, false) => return Ok(()),
    };
    Err(TrustError::Writable { path: path.to_owned(), who, mend })
}

fn judge_directory(path: &Path, found: Found, user: u32) -> Result<Option<Warning>, TrustError> {
    judge_owner(path, found, user)?;
    if found.mode & OTHERS_WRITE != 0 {
        return Err(TrustError::Writable { path: path.to_owned(), who: "everybody", mend: "o-w" });
    }
    Ok((found.mode & GROUP_WRITES != 0).then(|| Warning { path: path.to_owned() }))
}

/// Where everybody may write and nobody may take away what is another's, as in `/tmp`, what is there stays there.
fn judge_on_the_way(path: &Path, found: Found, user: u32) -> Result<(), TrustError> {
    let mode = if found.mode & STICKY == 0 { found.mode } else { found.mode & !OTHERS_WRITE };
    judge_directory(path, Found { mode, ..found }, user).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ME: u32 = 1_000;

    fn hive() -> (tempfile::TempDir, Hive, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let hive = Hive::at(dir.path());
        let bot = BotId::parse("BOT-002").unwrap();
        hive.create(Some(&bot)).unwrap();
        std::fs::write(hive.settings(), "").unwrap();
        let tasks = hive.tasks(&bot);
        for made in [tasks.as_path()].into_iter().chain(surroundings(&tasks)) {
            chmod(made, 0o755);
        }
        chmod(&hive.settings(), 0o644);
        (dir, hive, tasks)
    }

    fn chmod(path: &Path, mode: u32) {
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_mine_or_roots_is_obeyed_and_nobody_elses() {
        let path = Path::new("x");
        let found = |owner| Found { owner, mode: 0o600 };
        assert!(judge_owner(path, found(ME), ME).is_ok());
        assert!(judge_owner(path, found(ROOT), ME).is_ok());
        assert!(judge_owner(path, found(ME + 1), ME).is_err());
        let error = judge_owner(path, found(ME), ROOT).unwrap_err();
        assert!(error.to_string().ends_with("mend it with 'chown 0 x'"), "{error}");
    }

    #[test]
    fn a_secret_is_nobody_elses_to_write_and_not_everybodys_to_read() {
        let path = Path::new("key");
        let judge = |owner, mode| judge_secret(path, Found { owner, mode }, ME);
        assert_eq!(judge(ME, 0o600).unwrap(), Secrecy::Kept);
        assert_eq!(judge(ME, 0o640).unwrap(), Secrecy::Kept);
        assert_eq!(judge(ROOT, 0o444).unwrap(), Secrecy::Open);
        assert!(judge(ME + 1, 0o600).is_err());
        assert!(judge(ME, 0o620).is_err());
        let error = judge(ME, 0o644).unwrap_err().to_string();
        assert!(error.ends_with("mend it with 'chmod 600 key'"), "{error}");
    }

    #[test]
    fn a_secret_is_judged_as_it_was_opened_whatever_lies_there_now() {
        let dir = tempfile::tempdir().unwrap();
        let [path, other] = ["key", "other"].map(|name| dir.path().join(name));
        for (path, mode) in [(&path, 0o602), (&other, 0o600)] {
            std::fs::write(path, "secret").unwrap();
            chmod(path, mode);
        }
        let opened = File::open(&path).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(matches!(check_secret(&path, &opened), Err(TrustError::Writable { .. })));
        assert_eq!(check_secret(&path, &File::open(&path).unwrap()).unwrap(), Secrecy::Kept);
    }

    #[test]
    fn a_fresh_hive_is_trusted_and_missing_settings_are_fine() {
        let (_dir, hive, tasks) = hive();
        check_settings_file(&hive.settings()).unwrap();
        assert_eq!(check_dir(&tasks).unwrap(), []);
        std::fs::remove_file(hive.settings()).unwrap();
        check_settings_file(&hive.settings()).unwrap();
        assert!(matches!(check_dir(&tasks.join("nowhere")), Err(TrustError::Io { .. })));
    }

    #[test]
    fn settings_that_others_may_write_are_refused_with_what_mends_them() {
        let (_dir, hive, _) = hive();
        for (mode, mend) in [(0o646, "go-w"), (0o664, "g-w"), (0o666, "go-w")] {
            chmod(&hive.settings(), mode);
            let error = check_settings_file(&hive.settings()).unwrap_err().to_string();
            assert!(error.contains(&format!("'chmod {mend} ")), "{error}");
        }
    }

    #[test]
    fn a_directory_that_all_may_write_is_refused_and_a_groups_is_a_warning() {
        let (_dir, hive, tasks) = hive();
        chmod(&tasks, 0o775);
        assert_eq!(check_dir(&tasks).unwrap(), [Warning { path: tasks.clone() }]);
        chmod(&tasks, 0o757);
        let error = check_dir(&tasks).unwrap_err().to_string();
        assert!(error.contains("'chmod o-w "), "{error}");
        assert!(check_settings_file(&hive.settings()).is_ok());
    }

    #[test]
    fn the_directories_around_count_too() {
        let (_dir, hive, tasks) = hive();
        chmod(&hive.all_tasks(), 0o777);
        assert!(check_dir(&tasks).is_err());
        chmod(&hive.all_tasks(), 0o755);
        chmod(&hive.root().join(MARK), 0o1777);
        assert!(check_dir(&tasks).is_err());
        assert!(check_settings_file(&hive.settings()).is_err());
    }

    #[test]
    fn each_directory_of_a_hive_counts_and_a_group_is_told_of_once() {
        let (_dir, hive, tasks) = hive();
        let bot = BotId::parse("BOT-002").unwrap();
        for dir in
            [hive.archive(&bot), hive.responses(), hive.controls(), hive.bots(), hive.state(), hive.logs()]
        {
            let was = dir.metadata().unwrap().mode();
            chmod(&dir, 0o777);
            let error = check_hive(&hive, &bot).unwrap_err().to_string();
            assert!(error.contains(&dir.display().to_string()), "{error}");
            chmod(&dir, was);
        }
        chmod(&hive.all_tasks(), 0o775);
        chmod(&hive.controls(), 0o755);
        let warned: Vec<_> =
            check_hive(&hive, &bot).unwrap().into_iter().map(|warning| warning.path).collect();
        assert!(warned.contains(&hive.all_tasks()) && !warned.contains(&tasks), "{warned:?}");
        assert_eq!(warned.iter().filter(|path| **path == hive.all_tasks()).count(), 1);
    }

    #[test]
    fn the_way_that_a_link_leads_counts_too() {
        let (dir, hive, tasks) = hive();
        let elsewhere = dir.path().join("open/tasks");
        std::fs::create_dir_all(&elsewhere).unwrap();
        std::fs::remove_dir_all(&tasks).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &tasks).unwrap();
        chmod(&elsewhere, 0o755);
        chmod(&dir.path().join("open"), 0o755);
        check_dir(&tasks).unwrap();
        chmod(&dir.path().join("open"), 0o777);
        let error = check_dir(&tasks).unwrap_err().to_string();
        assert!(error.contains("/open "), "{error}");
        chmod(&dir.path().join("open"), 0o1777);
        check_dir(&tasks).unwrap();
        drop(hive);
    }
}
