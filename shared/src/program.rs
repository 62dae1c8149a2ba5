//! Where a program is that settings name, as the system itself finds it; and why it cannot be started.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

/// Where the system looks if there is no `PATH`.
const USUAL_PATH: &str = "/bin:/usr/bin";
/// Of a script, its first line is looked at, up to here.
const FIRST_LINE: u64 = 256;

/// Why a program cannot be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// None is named.
    #[error("no command is set")]
    Unset,
    /// It is a mere name, and in no directory that is looked at.
    #[error("'{name}' is not on PATH ({path})")]
    NotOnPath {
        /// The name.
        name: String,
        /// Where it was looked for.
        path: String,
    },
    /// There is no such file.
    #[error("there is no {}", .0.display())]
    Missing(PathBuf),
    /// This user may not execute it, or it is a directory.
    #[error("{file} is not executable: 'chmod +x {file}' if it is a program", file = .0.display())]
    NotExecutable(PathBuf),
    /// It is a script for something that is not there.
    #[error("{} is a script for {interpreter}, which is not there", .script.display())]
    NoInterpreter {
        /// The script.
        script: PathBuf,
        /// What its first line names.
        interpreter: String,
    },
}

/// Finds the program that is started as `program` in `workdir`: a path counts from there, a mere name is looked for in the
/// directories of `path`.
pub fn find(program: &str, workdir: &Path, path: Option<&OsStr>) -> Result<PathBuf, ProgramError> {
    if program.is_empty() {
        return Err(ProgramError::Unset);
    }
    let file = if program.contains('/') {
        let file = workdir.join(program);
        if !file.exists() {
            return Err(ProgramError::Missing(file));
        }
        if !is_program(&file) {
            return Err(ProgramError::NotExecutable(file));
        }
        file
    } else {
        let path = path.unwrap_or(OsStr::new(USUAL_PATH));
        let mut files = std::env::split_paths(path).map(|dir| workdir.join(dir).join(program));
        files.find(|file| is_program(file)).ok_or_else(|| ProgramError::NotOnPath {
            name: program.to_owned(),
            path: path.to_string_lossy().into_owned(),
        })?
    };
    match interpreter(&file) {
        Some(name) if name.starts_with('/') && !Path::new(&name).exists() => {
            Err(ProgramError::NoInterpreter { script: file, interpreter: name })
        }
        Some(_) | None => Ok(file),
    }
}

/// Whether this user may execute the file.
pub fn is_program(path: &Path) -> bool {
    path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

/// What a script names in its first line.
fn interpreter(file: &Path) -> Option<String> {
    let mut line = Vec::new();
    BufReader::new(File::open(file).ok()?.take(FIRST_LINE)).read_until(b'\n', &mut line).ok()?;
    let line = String::from_utf8(line).ok()?;
    line.strip_prefix("#!")?.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn write(path: &Path, text: &str, mode: u32) {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_name_is_looked_for_on_the_path_and_a_path_from_the_working_directory() {
        let dir = tempfile::tempdir().unwrap();
        let (bin, other, work) = (dir.path().join("bin"), dir.path().join("other"), dir.path().join("work"));
        for dir in [&bin, &other, &work] {
            std::fs::create_dir(dir).unwrap();
        }
        write(&bin.join("tool"), "no program", 0o644);
        write(&other.join("tool"), "#!/bin/sh\n", 0o755);
        write(&work.join("own"), "#!/bin/sh\n", 0o755);
        write(&work.join("orphan"), "#!/no/such/shell -e\n", 0o755);
        std::fs::create_dir(bin.join("place")).unwrap();
        let path = std::env::join_paths([&bin, &other]).unwrap();
        let find = |program: &str| find(program, &work, Some(&path));
        assert_eq!(find("tool"), Ok(other.join("tool")));
        assert_eq!(find("./own"), Ok(work.join("./own")));
        assert_eq!(find(""), Err(ProgramError::Unset));
        for name in ["place", "own", "none"] {
            let error = find(name).unwrap_err();
            let told = error.to_string();
            assert!(matches!(error, ProgramError::NotOnPath { .. }), "{told}");
            assert!(told.contains(&format!("'{name}' is not on PATH")) && told.contains("other"), "{told}");
        }
        assert_eq!(find("./none"), Err(ProgramError::Missing(work.join("./none"))));
        assert_eq!(find("../bin/tool"), Err(ProgramError::NotExecutable(work.join("../bin/tool"))));
        assert!(find("./orphan").unwrap_err().to_string().contains("script for /no/such/shell, which"));
    }

    #[test]
    fn a_path_may_name_the_working_directory_and_be_left_out() {
        let work = tempfile::tempdir().unwrap();
        write(&work.path().join("own"), "#!/bin/sh\n", 0o755);
        assert_eq!(find("own", work.path(), Some(OsStr::new(":/bin"))), Ok(work.path().join("own")));
        assert!(find("sh", work.path(), None).is_ok());
    }
}
