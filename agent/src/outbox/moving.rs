//! Where task files go that are done with. Nothing is ever overwritten.

use std::fs::Metadata;
use std::io::{self, Write as _};
use std::path::Path;

use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::regular_file;

use super::publish::set_readable;
use crate::atomic_file;
use crate::file_id::Fingerprint;
use crate::numbering::first_free;
use crate::untrusted::fitting_name;

/// Moves a file of a bot into a directory under its own name, or under `stem.2.md` and so on where that is taken. Nothing
/// if the file is gone.
pub fn move_into(bot: &BotId, from: &Path, directory: &Path) -> io::Result<Option<String>> {
    move_known_into(bot, from, None, directory)
}

/// The same, for the file that is known alone, if one is: another that has got its name meanwhile stays under it.
pub fn move_known_into(
    bot: &BotId,
    from: &Path,
    known: Option<Fingerprint>,
    directory: &Path,
) -> io::Result<Option<String>> {
    let is_known = |path: &Path| {
        let there = Fingerprint::at(path);
        known.is_none_or(|known| there.is_ok_and(|there| there == known))
    };
    let Some(name) = from.file_name().and_then(|name| name.to_str()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a task file has a name in UTF-8"));
    };
    let (stem, ending) =
        name.rsplit_once('.').map_or((name, String::new()), |(stem, ending)| (stem, format!(".{ending}")));
    let numbered = |number| fitting_name(stem, &format!(".{number}{ending}"));
    let mut candidate = name.to_owned();
    loop {
        if !is_known(from) {
            return Ok(None);
        }
        let to = directory.join(&candidate);
        match rename_noreplace(bot, from, known, &to) {
            Ok(Moved::AsItIs) if is_known(&to) => return Ok(Some(candidate)),
            Ok(Moved::Copied) => return Ok(Some(candidate)),
            Ok(Moved::Not) => return Ok(None),
            // The other came between the look and the move.
            Ok(Moved::AsItIs) => {
                if rename_noreplace(bot, &to, None, from).is_err() {
                    move_into(bot, &to, from.parent().unwrap_or(Path::new(".")))?;
                }
                return Ok(None);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let is_taken = |number| Ok(directory.join(numbered(number)).symlink_metadata().is_ok());
                candidate = numbered(first_free::<io::Error>(is_taken)?);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !from.exists() => return Ok(None),
            // The archive may have been tidied away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::create_dir_all(directory)?,
            Err(error) => return Err(error),
        }
    }
}

/// Where a task file that is no task goes, with the reason beside it. Returns its new name.
pub fn reject(hive: &Hive, bot: &BotId, name: &str, reason: &str) -> io::Result<Option<String>> {
    let rejected = hive.rejected(bot);
    let moved = move_into(bot, &hive.tasks(bot).join(name), &rejected)?;
    if let Some(moved) = &moved {
        // Never through a link that somebody put there.
        let mut file = atomic_file::unfinished_in(&rejected, bot)?;
        writeln!(file, "{reason}")?;
        set_readable(file.as_file())?;
        file.persist(rejected.join(fitting_name(moved, ".reason.txt"))).map_err(|error| error.error)?;
    }
    Ok(moved)
}

/// How a file was moved.
#[derive(Debug)]
enum Moved {
    /// It is the very same file.
    AsItIs,
    /// It is a copy.
    Copied,
    /// It is another than the known one.
    Not,
}

fn rename_noreplace(bot: &BotId, from: &Path, known: Option<Fingerprint>, to: &Path) -> io::Result<Moved> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // Some file systems cannot do both in one step.
        Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOSYS) => {
            std::fs::hard_link(from, to)?;
            take_away(from, to)?;
            Ok(Moved::AsItIs)
        }
        // The directory is a link to another file system, or one is mounted there.
        Err(nix::errno::Errno::EXDEV) => move_across(bot, from, known, to),
        other => Ok(other.map(|()| Moved::AsItIs)?),
    }
}

/// Moves a file to another file system: it has its new name when all of it is there, and not before, and its old one until
/// then. Where another file, or another content, has come under the old name meanwhile, that stays.
fn move_across(bot: &BotId, from: &Path, known: Option<Fingerprint>, to: &Path) -> io::Result<Moved> {
    let directory = to.parent().unwrap_or(Path::new("."));
    let mut source = regular_file::open(from)?;
    let metadata = source.metadata()?;
    if known.is_some_and(|known| known != Fingerprint::of(&metadata)) {
        return Ok(Moved::Not);
    }
    let mut copy = atomic_file::unfinished_in(directory, bot)?;
    io::copy(&mut source, copy.as_file_mut())?;
    copy.as_file().set_permissions(metadata.permissions())?;
    copy.as_file().set_modified(metadata.modified()?)?;
    copy.as_file().sync_all()?;
    copy.persist_noclobber(to).map_err(|error| error.error)?;
    let is_the_same = |now: &Metadata| Fingerprint::of(now) == Fingerprint::of(&metadata);
    if from.symlink_metadata().is_ok_and(|now| !is_the_same(&now)) {
        return Ok(Moved::Copied);
    }
    take_away(from, to).map(|()| Moved::Copied)
}

/// Takes the old name away. Where that fails the new one goes again, so that a try more makes no copy more.
fn take_away(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::remove_file(from).inspect_err(|_| drop(std::fs::remove_file(to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_never_overwrites_and_makes_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let bot = BotId::parse("BOT-1").unwrap();
        let archive = dir.path().join("archive");
        let from = dir.path().join("a.b.md");
        for (content, name) in [("1", "a.b.md"), ("2", "a.b.2.md"), ("3", "a.b.3.md")] {
            std::fs::write(&from, content).unwrap();
            assert_eq!(move_into(&bot, &from, &archive).unwrap().as_deref(), Some(name));
            assert_eq!(std::fs::read_to_string(archive.join(name)).unwrap(), content);
        }
        assert_eq!(move_into(&bot, &from, &archive).unwrap(), None);
    }

    #[test]
    fn another_file_of_the_name_stays_where_it_is_also_on_the_way_to_another_file_system() {
        let dir = tempfile::tempdir().unwrap();
        let bot = BotId::parse("BOT-1").unwrap();
        let [from, new, archive] = ["a.md", "new", "archive"].map(|name| dir.path().join(name));
        std::fs::write(&from, "old").unwrap();
        let known = Fingerprint::of(&from.metadata().unwrap());
        std::fs::write(&new, "new").unwrap();
        std::fs::rename(&new, &from).unwrap();
        assert_eq!(move_known_into(&bot, &from, Some(known), &archive).unwrap(), None);
        let moved = move_across(&bot, &from, Some(known), &dir.path().join("b.md")).unwrap();
        assert!(matches!(moved, Moved::Not));
        assert_eq!(std::fs::read_to_string(&from).unwrap(), "new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let known = Fingerprint::of(&from.metadata().unwrap());
        let moved = move_known_into(&bot, &from, Some(known), &archive).unwrap();
        assert_eq!(moved.as_deref(), Some("a.md"));
    }

    #[test]
    fn moving_across_never_overwrites_either_and_keeps_the_time() {
        let dir = tempfile::tempdir().unwrap();
        let bot = BotId::parse("BOT-1").unwrap();
        let [from, to] = ["a.md", "b.md"].map(|name| dir.path().join(name));
        std::fs::write(&from, "new").unwrap();
        let then = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        std::fs::File::open(&from).unwrap().set_modified(then).unwrap();
        std::fs::write(&to, "old").unwrap();
        assert_eq!(move_across(&bot, &from, None, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&from).unwrap(), "new");
        std::fs::remove_file(&to).unwrap();
        move_across(&bot, &from, None, &to).unwrap();
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "new");
        assert_eq!(to.metadata().unwrap().modified().unwrap(), then);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
