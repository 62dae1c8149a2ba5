//! The user's repository, as far as it must be known: where its parts are, and which of its settings say how files
//! are stored. Nothing in it is ever written, and no program that it names is run.

use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use super::git::{Git, GitError};
use crate::file_id::{FileId, FileState};

/// Settings that say how files are stored. All that name programs are left out.
const SETTINGS: &str = "^core\\.(autocrlf|eol|filemode|symlinks|ignorecase|precomposeunicode|checkstat|trustctime|\
    excludesfile|attributesfile)$";

/// What is asked for, in the order of the answer's lines.
const QUESTIONS: [&str; 16] = [
    "rev-parse",
    "--path-format=absolute",
    "--is-inside-work-tree",
    "--show-object-format",
    "--show-toplevel",
    "--git-dir",
    "--git-path",
    "config",
    "--git-path",
    "index",
    "--git-path",
    "info/exclude",
    "--git-path",
    "info/attributes",
    "--git-path",
    "objects",
];

/// A repository with a work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repository {
    /// The root of its work tree.
    pub(super) toplevel: PathBuf,
    /// Where the work tree's own part of it is.
    pub(super) git_dir: PathBuf,
    /// `sha1` or `sha256`.
    pub(super) object_format: String,
    pub(super) index: PathBuf,
    pub(super) exclude: PathBuf,
    pub(super) attributes: PathBuf,
    pub(super) objects: PathBuf,
    /// The values of [`SETTINGS`], with their names.
    pub(super) settings: Vec<(String, String)>,
    /// What it was found by: when one of these changes it is looked at anew.
    marks: Vec<(PathBuf, Option<Mark>)>,
}

/// What changes when a file is written. A directory is told by which it is alone: what happens in it is of no interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Directory(FileId),
    File(FileState),
}

/// The nearest `.git` of a directory or one above it. Costs a few looks at the file system, and no process.
pub(super) fn dot_git(workdir: &Path) -> Option<PathBuf> {
    workdir.ancestors().map(|dir| dir.join(".git")).find(|path| path.symlink_metadata().is_ok())
}

impl Repository {
    /// Finds the repository of a directory. Git refuses one that another user owns, unless the user trusts it.
    pub(super) async fn find(workdir: &Path, run_id: &str) -> Result<Self, GitError> {
        let git = Git::of_user(workdir);
        let answer = git.list(run_id, &QUESTIONS).await.map_err(|error| match error {
            GitError::Failed(complaint) => GitError::Refused(complaint),
            GitError::Missing
            | GitError::Io(_)
            | GitError::Refused(_)
            | GitError::TooMuch
            | GitError::TooLarge(_) => error,
        })?;
        // None of these exist is fine, which git says with status 1.
        let arguments = ["config", "-z", "--type=path", "--get-regexp", SETTINGS];
        let settings = git.run(run_id, &arguments, Vec::new(), 1 << 20, &[0, 1]).await?;
        let mut found = Self::read(&answer)
            .ok_or_else(|| GitError::Refused("its answer is not about one work tree".to_owned()))?;
        found.settings = read_settings(&settings.text);
        let parts = [found.git_dir.join("config.worktree"), found.exclude.clone(), found.attributes.clone()];
        let config = found.marks.drain(..).map(|(path, _)| path);
        let dot_git = dot_git(workdir).into_iter();
        found.marks = config.chain(dot_git).chain(parts).map(|path| (path.clone(), mark(&path))).collect();
        Ok(found)
    }

    /// Whether it is still as it was when it was found.
    pub(super) fn is_fresh(&self, workdir: &Path) -> bool {
        let is_known = |path: PathBuf| self.marks.iter().any(|(known, _)| *known == path);
        dot_git(workdir).is_some_and(is_known) && self.marks.iter().all(|(path, known)| mark(path) == *known)
    }

    /// What tells it from another that may come to stand in its place.
    pub(super) fn identity(&self) -> (PathBuf, Option<FileId>) {
        (self.toplevel.clone(), FileId::at(&self.git_dir).ok())
    }

    fn read(answer: &[u8]) -> Option<Self> {
        let lines: Vec<&[u8]> = answer.strip_suffix(b"\n")?.split(|byte| *byte == b'\n').collect();
        let [is_inside, format, paths @ ..] = lines.as_slice() else { return None };
        let path = |bytes: &[u8]| PathBuf::from(std::ffi::OsString::from_vec(bytes.to_owned()));
        // A path with a newline in it makes more lines.
        let paths: [PathBuf; 7] =
            paths.iter().map(|bytes| path(bytes)).collect::<Vec<_>>().try_into().ok()?;
        let [toplevel, git_dir, config, index, exclude, attributes, objects] = paths;
        (*is_inside == b"true").then(|| Self {
            toplevel,
            git_dir,
            object_format: String::from_utf8_lossy(format).into_owned(),
            index,
            exclude,
            attributes,
            objects,
            settings: Vec::new(),
            marks: vec![(config, None)],
        })
    }
}

fn read_settings(list: &[u8]) -> Vec<(String, String)> {
    let pairs = super::git::parts(list).map(String::from_utf8_lossy);
    // A name alone means yes.
    pairs
        .map(|pair| match pair.split_once('\n') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (pair.into_owned(), "true".to_owned()),
        })
        .collect()
}

/// How what is at a path looks.
fn mark(path: &Path) -> Option<Mark> {
    let found = path.symlink_metadata().ok()?;
    Some(if found.is_dir() { Mark::Directory(FileId::of(&found)) } else { Mark::File(FileState::of(&found)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"true\nsha1\n/r\n/r/.git\n/r/.git/config\n/r/.git/index\n/r/.git/info/exclude\n\
        /r/.git/info/attributes\n/r/.git/objects\n";

    #[test]
    fn an_answer_is_read_if_it_is_about_a_work_tree() {
        let repository = Repository::read(ANSWER).unwrap();
        assert_eq!(
            (repository.toplevel.as_path(), repository.objects.as_path()),
            (Path::new("/r"), Path::new("/r/.git/objects"))
        );
        assert_eq!(repository.object_format, "sha1");
        let text = String::from_utf8_lossy(ANSWER);
        for bad in [text.replace("true", "false"), text.replace("/r/", "/r\n/"), text[..20].to_owned()] {
            assert_eq!(Repository::read(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Repository::read(b""), None);
    }

    #[test]
    fn settings_are_read() {
        let settings = read_settings(b"core.eol\nlf\0core.autocrlf\0core.excludesfile\n/a\nb\0");
        let expected = [("core.eol", "lf"), ("core.autocrlf", "true"), ("core.excludesfile", "/a\nb")];
        assert_eq!(settings, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn the_nearest_repository_counts() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        assert_eq!(dot_git(&inner), Some(dir.path().join(".git")));
        std::fs::write(dir.path().join("a/.git"), "gitdir: elsewhere").unwrap();
        assert_eq!(dot_git(&inner), Some(dir.path().join("a/.git")));
    }
}
