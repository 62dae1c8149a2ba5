//! Calls of git that run nothing else and cannot hang: whoever drops one kills it, with all that came from it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, Command};

use crate::adapter::process::{self, RUN_ID};

/// The most bytes of a list of files.
pub(super) const MAX_LIST: usize = 32 << 20;
/// How much of stderr an error quotes.
const QUOTED: usize = 300;

/// Why git did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(super) enum GitError {
    /// There is none.
    #[error("git is not in PATH")]
    Missing,
    /// It could not be started, or talked to.
    #[error("git cannot be run")]
    Io(#[from] io::Error),
    /// It says no.
    #[error("git says: {0}")]
    Failed(String),
    /// It does not work with what is there: it is no work tree, or another user's.
    #[error("git refuses to work there: {0}")]
    Refused(String),
    /// It has more to say than is good.
    #[error("git lists more files than can be looked at")]
    TooMuch,
    /// What is to be stored would take more room than the knowledge of it is worth.
    #[error("{0} bytes in files that git does not know are more than can be looked at")]
    TooLarge(u64),
}

/// What git said.
pub(super) struct Said {
    /// On stdout.
    pub(super) text: Vec<u8>,
    /// Whether there was more.
    pub(super) is_cut: bool,
}

/// How git is called: where, and with which variables.
#[derive(Debug, Clone)]
pub(super) struct Git {
    workdir: PathBuf,
    variables: BTreeMap<&'static str, OsString>,
}

impl Git {
    /// As the user has it, with the user's settings; only for what runs no program that settings name.
    pub(super) fn of_user(workdir: &Path) -> Self {
        let fixed = [("GIT_OPTIONAL_LOCKS", "0"), ("GIT_TERMINAL_PROMPT", "0"), ("LC_ALL", "C")];
        // What a clone left on a server is not fetched: that runs programs too.
        let offline = [("GIT_NO_LAZY_FETCH", "1"), ("GIT_ALLOW_PROTOCOL", "")];
        let variables = fixed.into_iter().chain(offline).map(|(name, value)| (name, value.into())).collect();
        Self { workdir: workdir.to_owned(), variables }
    }

    /// On a repository of our own, with no settings but that repository's.
    pub(super) fn on(workdir: &Path, repository: &Path, toplevel: &Path) -> Self {
        let mut git = Self::of_user(workdir);
        git.variables.extend([
            ("GIT_DIR", repository.into()),
            ("GIT_WORK_TREE", toplevel.into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
        ]);
        git
    }

    /// Runs it. It may end with one of these statuses.
    pub(super) async fn run(
        &self,
        run_id: &str,
        arguments: &[&str],
        input: Vec<u8>,
        limit: usize,
        statuses: &[i32],
    ) -> Result<Said, GitError> {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_gits(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(&self.workdir)
            .envs(&self.variables)
            .env(RUN_ID, id_of(run_id))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let (mut child, tree) = process::spawn(&mut command, &id_of(run_id)).map_err(|error| {
            let is_missing = error.kind() == io::ErrorKind::NotFound && self.workdir.is_dir();
            if is_missing { GitError::Missing } else { GitError::Io(error) }
        })?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (said, complaint, ()) =
            tokio::join!(read_up_to(stdout, limit), read_up_to(stderr, MAX_LIST), feed(stdin, input));
        let status = child.wait().await?;
        tree.gone();
        let said = said?;
        // One that was not heard to its end died of that.
        if said.is_cut || status.code().is_some_and(|code| statuses.contains(&code)) {
            return Ok(said);
        }
        let complaint = complaint.map(|said| said.text).unwrap_or_default();
        Err(GitError::Failed(
            in_a_line(&complaint).unwrap_or_else(|| format!("nothing, and ended: {status}")),
        ))
    }

    /// Runs it for a list, which it must give in full.
    pub(super) async fn list(&self, run_id: &str, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
        let said = self.run(run_id, arguments, Vec::new(), MAX_LIST, &[0]).await?;
        if said.is_cut { Err(GitError::TooMuch) } else { Ok(said.text) }
    }
}

/// `HIVE_RUN_ID` of the git processes of a run, which are none of its agent's.
pub(super) fn id_of(run_id: &str) -> String {
    format!("{run_id}.git")
}

/// Variables that a git hook, from which the daemon may have been started, has for its own repository.
fn is_gits(name: &str) -> bool {
    name.starts_with("GIT_")
}

async fn read_up_to(stream: Option<impl AsyncRead + Unpin>, limit: usize) -> io::Result<Said> {
    let mut text = Vec::new();
    if let Some(stream) = stream {
        stream.take(limit as u64 + 1).read_to_end(&mut text).await?;
    }
    let is_cut = text.len() > limit;
    text.truncate(limit);
    Ok(Said { text, is_cut })
}

async fn feed(stdin: Option<ChildStdin>, input: Vec<u8>) {
    if let Some(mut stdin) = stdin {
        // One that does not read it has its reasons, and tells them by its status.
        let _ = stdin.write_all(&input).await;
    }
}

/// The first lines of what git complained about.
fn in_a_line(complaint: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(complaint);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let text = lines.join(" ");
    let end = text.floor_char_boundary(text.len().min(QUOTED));
    (!text.is_empty()).then(|| text[..end].to_owned())
}

/// What a list of git's holds whose parts end with a zero byte.
pub(super) fn parts(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == 0).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_with_any_bytes_in_it() {
        assert_eq!(parts(b"a\nb\0\xff \"c\"\0").collect::<Vec<_>>(), [&b"a\nb"[..], b"\xff \"c\""]);
        assert_eq!(parts(b"").count(), 0);
    }

    #[test]
    fn a_complaint_is_one_line_of_bounded_length() {
        assert_eq!(in_a_line(b"fatal: a\n\n hint\n").as_deref(), Some("fatal: a hint"));
        assert_eq!(in_a_line(b"\n"), None);
        assert!(in_a_line("ä".repeat(1_000).as_bytes()).is_some_and(|line| line.len() <= QUOTED));
    }
}
