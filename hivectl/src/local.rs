//! What only a look at this machine tells: where programs are, and which process runs a bot.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use hive_shared::program::is_program;
pub use hive_shared::running::is_run;

use crate::error::{Exit, Failure};

/// The name of the daemon's program.
pub const AGENT: &str = "hive-agent";

/// A path as one word of a shell's command, whatever its name holds: hints are copied.
pub fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    // Only a NUL, which no path holds, cannot be quoted.
    shlex::try_quote(&text).map_or_else(|_| text.to_string(), Cow::into_owned)
}

/// Where the daemon's program is: beside this one, else on `PATH`.
pub fn agent() -> Result<PathBuf, Failure> {
    let here = std::env::current_exe().ok();
    let beside = here.as_deref().and_then(Path::parent).map(|dir| dir.join(AGENT));
    let found = beside
        .filter(|path| is_program(path))
        .or_else(|| on_path(AGENT, std::env::var_os("PATH").as_deref()));
    found.ok_or_else(|| {
        Failure::new(Exit::Failed, format!("{AGENT} is neither beside hivectl nor on PATH"))
            .hint("install it ('cargo install --path agent'), or add its directory to PATH")
    })
}

/// The first program of this name in the directories of a `PATH`.
pub fn on_path(name: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path?).map(|dir| dir.join(name)).find(|file| is_program(file))
}

/// The name of the program that a process executes; `None` if there is no such process.
pub fn program_of(pid: u32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|name| name.trim().to_owned())
}

/// Whether a process is a daemon, of whichever bot.
pub fn is_agent(pid: u32) -> bool {
    program_of(pid).is_some_and(|program| program == AGENT)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_is_what_may_be_executed() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(one.path().join("tool"), "no program").unwrap();
        std::fs::set_permissions(one.path().join("tool"), PermissionsExt::from_mode(0o644)).unwrap();
        std::fs::create_dir(one.path().join("other")).unwrap();
        let path = std::env::join_paths([one.path(), two.path()]).unwrap();
        assert_eq!(on_path("tool", Some(&path)), None);
        let tool = two.path().join("tool");
        std::fs::write(&tool, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(on_path("tool", Some(&path)), Some(tool));
        assert_eq!(on_path("other", Some(&path)), None);
        assert_eq!(on_path("tool", None), None);
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        for text in ["/h/a.md", "/h/$(touch x); y's.md", "/h/a b`c`\"d\n.md"] {
            let word = shell_word(Path::new(text));
            assert_eq!(shlex::split(&word).unwrap(), [text]);
        }
        assert_eq!(shell_word(Path::new("/h/a-1.md")), "/h/a-1.md");
    }

    #[test]
    fn a_process_has_a_program() {
        assert!(program_of(std::process::id()).is_some());
        assert_eq!(program_of(u32::MAX), None);
    }
}
