//! Where task files go that are done with. Nothing is ever overwritten.

use std::io;
use std::path::Path;

use hive_shared::ids::BotId;
use hive_shared::paths::Hive;

use crate::untrusted::fitting_name;

/// Moves a file into a directory under its own name, or under `stem.2.md` and so on where that is taken. Nothing if
/// the file is gone.
pub fn move_into(from: &Path, directory: &Path) -> io::Result<Option<String>> {
    let Some(name) = from.file_name().and_then(|name| name.to_str()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a task file has a name in UTF-8"));
    };
    let (stem, ending) =
        name.rsplit_once('.').map_or((name, String::new()), |(stem, ending)| (stem, format!(".{ending}")));
    let mut candidate = name.to_owned();
    let mut number = 2_u64;
    loop {
        match rename_noreplace(from, &directory.join(&candidate)) {
            Ok(()) => return Ok(Some(candidate)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                candidate = fitting_name(stem, &format!(".{number}{ending}"));
                number += 1;
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
    let moved = move_into(&hive.tasks(bot).join(name), &rejected)?;
    if let Some(moved) = &moved {
        std::fs::write(rejected.join(fitting_name(moved, ".reason.txt")), format!("{reason}\n"))?;
    }
    Ok(moved)
}

fn rename_noreplace(from: &Path, to: &Path) -> io::Result<()> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // Some file systems cannot do both in one step.
        Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOSYS) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_never_overwrites_and_makes_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("archive");
        let from = dir.path().join("a.b.md");
        for (content, name) in [("1", "a.b.md"), ("2", "a.b.2.md"), ("3", "a.b.3.md")] {
            std::fs::write(&from, content).unwrap();
            assert_eq!(move_into(&from, &archive).unwrap().as_deref(), Some(name));
            assert_eq!(std::fs::read_to_string(archive.join(name)).unwrap(), content);
        }
        assert_eq!(move_into(&from, &archive).unwrap(), None);
    }
}
