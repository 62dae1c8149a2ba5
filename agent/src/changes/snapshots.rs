//! Snapshots of the working directory: trees in a repository of our own, which borrows the objects of the user's and
//! begins with a copy of its index, so that git need not read what it knows.
//!
//! The user's repository is only read, and none of its settings count but those that say how files are stored: filters,
//! hooks, monitors and drivers of diffs are programs that an agent may have put there, and it is not to have them run
//! outside of its own processes. A file that a filter would change (LFS) is taken as it stands.

use std::collections::HashMap;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Component, Path, PathBuf};

use hive_shared::paths::MARK;
use hive_shared::regular_file;
use tokio::task::spawn_blocking;

use super::git::{Git, GitError, MAX_LIST, parts};
use super::repository::Repository;
use crate::file_id::FileId;
use crate::untrusted;

/// What our repository's settings are, beside the user's that say how files are stored.
const CONFIG: &str = "[core]\n\tbare = false\n\thooksPath = /dev/null\n\tfsmonitor = false\n\tuntrackedCache = false\n\
    \tsplitIndex = false\n\tquotePath = false\n\tcompression = 0\n\tfsync = none\n[gc]\n\tauto = 0\n";
/// With so many new files git is told to write them into one pack: a file each takes ten times as long.
const MANY_FILES: usize = 50;
/// The most bytes of files that are stored for one snapshot. More would fill the disk sooner than tell a person anything.
const MAX_NEW: u64 = 2 << 30;
/// What a pack costs whoever looks for objects, as if it were bytes.
const PACK_BYTES: u64 = 4 << 20;
/// The most bytes of a list of patterns that is copied.
const MAX_PATTERNS: usize = 1 << 20;

/// Leaves out what is the hive's own, wherever it lies.
const NOT_THE_HIVES: &str = ":(exclude,glob)**/.deia/**";

/// How the working directory looked at a moment: the name of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tree {
    name: String,
    /// Of which repository.
    of: (PathBuf, Option<FileId>),
}

/// A repository of our own that is ready for snapshots.
#[derive(Debug)]
pub(super) struct Snapshots {
    repository: Repository,
    git: Git,
    workdir: PathBuf,
    /// The tree of the index as it is.
    tree: Option<Tree>,
}

impl Snapshots {
    /// Makes `directory` such a repository. Objects that are in it stay.
    pub(super) async fn prepare(workdir: &Path, directory: &Path, run_id: &str) -> Result<Self, GitError> {
        let repository = Repository::find(workdir, run_id).await?;
        let (copied, to) = (repository.clone(), directory.to_owned());
        blocking(move || lay_out(&copied, &to)).await?;
        let git = Git::on(workdir, directory, &repository.toplevel);
        // Where the user's index is behind, its status is 1; what is known of files is noted all the same.
        git.run(run_id, &["update-index", "-q", "--refresh"], Vec::new(), MAX_LIST, &[0, 1]).await?;
        let snapshots = Self { git, repository, workdir: workdir.to_owned(), tree: None };
        snapshots.forget_conflicts(run_id).await?;
        Ok(snapshots)
    }

    /// Whether the repository is as it was.
    pub(super) fn is_fresh(&self) -> bool {
        self.repository.is_fresh(&self.workdir)
    }

    /// Takes a snapshot. Gives the tree, and about how many bytes were stored for it.
    pub(super) async fn take(&mut self, run_id: &str) -> Result<(Tree, u64), GitError> {
        // Each looks at all there is, so both at a time. What is deleted is modified too.
        let modified = ["ls-files", "-z", "-m", "--", "."];
        let new = ["ls-files", "-z", "-o", "--exclude-standard", "--", "."];
        let (list, new) = tokio::try_join!(self.git.list(run_id, &modified), self.git.list(run_id, &new))?;
        let list = [list, new].concat();
        let workdir = self.workdir.clone();
        let found = blocking(move || Ok(Found::sort(&workdir, &list))).await?;
        if let Some(tree) = self.tree.as_ref().filter(|_| found.gone.is_empty() && found.there.is_empty()) {
            return Ok((tree.clone(), 0));
        }
        if found.bytes > MAX_NEW {
            return Err(GitError::TooLarge(found.bytes));
        }
        self.tree = None;
        self.update(run_id, &["update-index", "--force-remove"], found.gone).await?;
        let is_packed = found.files > MANY_FILES;
        let setting: &[&str] = if is_packed { &["-c", "core.bigFileThreshold=1"] } else { &[] };
        let add = [setting, &["update-index", "--add", "--remove", "--replace"]].concat();
        self.update(run_id, &add, found.there).await?;
        let bytes = found.bytes + if is_packed { PACK_BYTES } else { 0 };
        // What a partial clone lacks, or the user's repository has dropped, is no reason to see nothing.
        let name = self.git.list(run_id, &["write-tree", "--missing-ok"]).await?;
        let name = String::from_utf8_lossy(&name).trim().to_owned();
        let tree = Tree { name, of: self.repository.identity() };
        self.tree = Some(tree.clone());
        Ok((tree, bytes))
    }

    async fn update(&self, run_id: &str, how: &[&str], paths: Vec<u8>) -> Result<(), GitError> {
        if paths.is_empty() {
            return Ok(());
        }
        let arguments = [how, &["-z", "--stdin"]].concat();
        self.git.run(run_id, &arguments, paths, MAX_LIST, &[0]).await.map(drop)
    }

    /// A tree cannot hold what a merge left undecided; what stands in the files will count.
    async fn forget_conflicts(&self, run_id: &str) -> Result<(), GitError> {
        let list = self.git.list(run_id, &["ls-files", "-z", "-u", "--full-name", ":/"]).await?;
        let paths = parts(&list).filter_map(|line| Some(&line[line.iter().position(|b| *b == b'\t')? + 1..]));
        let mut paths: Vec<&[u8]> = paths.collect();
        paths.dedup();
        let digits = if self.repository.object_format == "sha256" { 64 } else { 40 };
        let input: Vec<u8> = paths.iter().flat_map(|path| removal(path, digits)).collect();
        if input.is_empty() {
            return Ok(());
        }
        let arguments = ["update-index", "-z", "--index-info"];
        self.git.run(run_id, &arguments, input, MAX_LIST, &[0]).await.map(drop)
    }
}

/// The line for `--index-info` that takes a path out, whatever stage it has. Names of objects have so many digits.
fn removal(path: &[u8], digits: usize) -> Vec<u8> {
    [b"0 ", "0".repeat(digits).as_bytes(), b"\t", path, b"\0"].concat()
}

/// Compares trees, which needs no order.
#[derive(Debug, Clone)]
pub(super) struct Comparer {
    git: Git,
}

impl Comparer {
    /// For trees of the repository of this one.
    pub(super) fn beside(tree: &Tree, workdir: &Path, directory: &Path) -> Self {
        Self { git: Git::on(workdir, directory, &tree.of.0) }
    }

    /// The files in which two trees differ, from the working directory.
    pub(super) async fn files(&self, run_id: &str, from: &Tree, to: &Tree) -> Result<Vec<String>, GitError> {
        let form = ["-r", "-z", "--name-only", "--no-renames", "--relative"];
        let list = self.compare(run_id, &form, from, to, &["."], MAX_LIST).await?;
        if list.is_cut {
            return Err(GitError::TooMuch);
        }
        Ok(parts(&list.text).map(|path| String::from_utf8_lossy(path).into_owned()).collect())
    }

    /// The patch of what lies at `places` from one tree to another, and one byte more than `limit` of it at most.
    pub(super) async fn patch(
        &self,
        run_id: &str,
        from: &Tree,
        to: &Tree,
        places: &[&str],
        limit: usize,
    ) -> Result<Vec<u8>, GitError> {
        let form = ["-r", "-p", "--binary", "--full-index", "-M", "-l400", "--no-ext-diff", "--no-textconv"];
        Ok(self.compare(run_id, &form, from, to, places, limit + 1).await?.text)
    }

    async fn compare(
        &self,
        run_id: &str,
        form: &[&str],
        from: &Tree,
        to: &Tree,
        places: &[&str],
        limit: usize,
    ) -> Result<super::git::Said, GitError> {
        let trees = [from.name.as_str(), to.name.as_str(), "--"];
        let arguments = [&["diff-tree"], form, &trees, places, &[NOT_THE_HIVES]].concat();
        self.git.run(run_id, &arguments, Vec::new(), limit, &[0]).await
    }
}

impl Tree {
    /// Whether it can be compared with another.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.of == other.of
    }
}

/// Lays out our repository, with a copy of what the user's says of its work tree.
fn lay_out(from: &Repository, to: &Path) -> io::Result<()> {
    for directory in ["objects/info", "refs", "info"] {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(to.join(directory))?;
    }
    // What a call that was cut short left, and what belongs to an earlier index.
    for entry in std::fs::read_dir(to)?.flatten() {
        let name = entry.file_name();
        let is_of_an_index = name.as_bytes().starts_with(b"index") || is_shared_index(&name);
        if is_of_an_index && let Err(error) = std::fs::remove_file(entry.path()) {
            return Err(error);
        }
    }
    remove_halves(&to.join("objects"))?;
    let format = &from.object_format;
    let mut config = format!("{CONFIG}[extensions]\n\tobjectFormat = {}\n", quoted(format));
    config.push_str("[core]\n\trepositoryFormatVersion = 1\n");
    for (name, value) in &from.settings {
        let name = name.rsplit('.').next().unwrap_or(name);
        config.extend(["\t", name, " = ", &quoted(value), "\n"]);
    }
    std::fs::write(to.join("config"), config)?;
    std::fs::write(to.join("HEAD"), "ref: refs/heads/none\n")?;
    let mut objects = from.objects.as_os_str().as_bytes().to_owned();
    objects.push(b'\n');
    std::fs::write(to.join("objects/info/alternates"), objects)?;
    let mut exclude = untrusted::read(&from.exclude, MAX_PATTERNS).unwrap_or_default();
    exclude.extend(format!("\n{MARK}/\n").bytes());
    std::fs::write(to.join("info/exclude"), exclude)?;
    let attributes = untrusted::read(&from.attributes, MAX_PATTERNS).unwrap_or_default();
    std::fs::write(to.join("info/attributes"), attributes)?;
    copy(&from.index, &to.join("index"))?;
    // A split index is two files.
    for entry in std::fs::read_dir(&from.git_dir)?.flatten() {
        if is_shared_index(&entry.file_name()) {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Removes what git was writing when it was ended.
fn remove_halves(objects: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(objects)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove_halves(&entry.path())?;
        } else if entry.file_name().as_bytes().starts_with(b"tmp_") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_shared_index(name: &std::ffi::OsStr) -> bool {
    name.as_bytes().starts_with(b"sharedindex.")
}

/// Copies a file; one that is not there is as good as an empty one.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = match regular_file::open(from) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    io::copy(&mut source, &mut std::fs::File::create(to)?).map(drop)
}

/// A value as git's settings have it.
fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// What a list of changed paths comes to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Paths that are no files any more.
    gone: Vec<u8>,
    /// Paths whose files are to be read.
    there: Vec<u8>,
    /// How many.
    files: usize,
    /// About how much that is.
    bytes: u64,
}

impl Found {
    /// Sorts a list of git's. What cannot be read, is no file, is the hive's or of a repository within is left out.
    fn sort(workdir: &Path, list: &[u8]) -> Self {
        let mut found = Self::default();
        let mut links = HashMap::new();
        let mut before: &[u8] = b"";
        for path in parts(list).filter(|path| !path.ends_with(b"/")) {
            let relative = Path::new(std::ffi::OsStr::from_bytes(path));
            let is_the_hives = relative.components().any(|part| part == Component::Normal(MARK.as_ref()));
            // What a merge left undecided comes more than once.
            if is_the_hives || path == before {
                continue;
            }
            before = path;
            let list = match Look::at(workdir, relative, &mut links) {
                Look::Gone => &mut found.gone,
                Look::File(bytes) => {
                    found.files += 1;
                    found.bytes += bytes;
                    &mut found.there
                }
                Look::Other => continue,
            };
            list.extend_from_slice(path);
            list.push(0);
        }
        found
    }
}

/// What is at a path.
enum Look {
    Gone,
    /// Something that git stores, of so many bytes.
    File(u64),
    Other,
}

impl Look {
    fn at(workdir: &Path, relative: &Path, links: &mut HashMap<PathBuf, bool>) -> Self {
        let path = workdir.join(relative);
        // Behind a link is another place, of which this path is no name.
        let is_behind_a_link = relative.ancestors().skip(1).filter(|it| *it != Path::new("")).any(|parent| {
            *links.entry(parent.to_owned()).or_insert_with(|| workdir.join(parent).is_symlink())
        });
        match path.symlink_metadata() {
            _ if is_behind_a_link => Self::Gone,
            Ok(it) if it.is_symlink() => Self::File(it.len()),
            // A repository within, of which the commit counts.
            Ok(it) if it.is_dir() && path.join(".git").symlink_metadata().is_ok() => Self::File(0),
            Ok(it) if it.is_dir() => Self::Gone,
            Ok(it) if it.is_file() && regular_file::open(&path).is_ok() => Self::File(it.len()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Self::Gone
            }
            Ok(_) | Err(_) => Self::Other,
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, GitError> {
    // It fails only when the runtime shuts down.
    Ok(spawn_blocking(work).await.map_err(io::Error::other)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_sorted_by_what_stands_there() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("d/.deia")).unwrap();
        std::fs::create_dir_all(root.join("module/.git")).unwrap();
        std::fs::write(root.join("a\nb"), "four").unwrap();
        std::fs::write(root.join("d/.deia/x"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("link")).unwrap();
        std::os::unix::fs::symlink("d", root.join("linked")).unwrap();
        nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let list =
            b"a\nb\0gone\0gone\0a\nb/under\0d/.deia/x\0.deia/y\0d\0module\0link\0linked/x\0pipe\0within/\0";
        let found = Found::sort(root, list);
        assert_eq!(String::from_utf8_lossy(&found.gone), "gone\0a\nb/under\0d\0linked/x\0");
        assert_eq!(String::from_utf8_lossy(&found.there), "a\nb\0module\0link\0");
        assert_eq!((found.files, found.bytes), (3, 11));
    }

    #[test]
    fn what_git_had_half_written_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        for part in ["objects/ab", "objects/pack"] {
            std::fs::create_dir_all(dir.path().join(part)).unwrap();
        }
        for file in ["objects/ab/tmp_obj_x", "objects/pack/tmp_pack_x", "objects/ab/cdef"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        remove_halves(&dir.path().join("objects")).unwrap();
        let is_there = |path: &str| dir.path().join(path).exists();
        assert!(!is_there("objects/ab/tmp_obj_x") && !is_there("objects/pack/tmp_pack_x"));
        assert!(is_there("objects/ab/cdef"));
    }

    #[test]
    fn settings_are_quoted() {
        assert_eq!(quoted("a\"b\\c\n"), r#""a\"b\\c\n""#);
    }
}
