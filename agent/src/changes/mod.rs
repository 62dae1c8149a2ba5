//! What a run changes in its working directory, as git sees it (SPEC 6): the difference between how it looked when the
//! run began and how it looks when the run has ended, less what others did while the run stood still.

mod git;
mod keep;
mod pieces;
mod repository;
mod snapshots;
mod watch;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use tokio::time::Instant;

pub use watch::Watched;

use git::GitError;
use keep::Keeper;
use snapshots::{Snapshots, Tree};

/// How long a snapshot may take that somebody waits for.
const LIMIT: Duration = Duration::from_secs(2);
/// The same for the last one of a run, and all that follows from it: nobody waits but the next in the queue.
const LAST_LIMIT: Duration = Duration::from_secs(10);
/// The same for the first one of all, which no run waits for.
const FIRST_LIMIT: Duration = Duration::from_secs(60);
/// After a run was held up by a snapshot that took too long, none is tried for so long.
const REST: Duration = Duration::from_mins(1);
/// A snapshot that is asked for so soon after another, while nothing runs, is that one.
const SAME_MOMENT: Duration = Duration::from_millis(2);
/// When our repository has about so many bytes, it is made anew.
const MAX_OBJECTS: u64 = 256 << 20;
/// The most files that a record names.
const MAX_FILES: usize = 1_000;

/// For the snapshot that is no run's.
const NO_RUN: &str = "RUN-none";

/// Why no diffs are kept while they are switched off.
pub const OFF: &str = "track_changes is off in the settings";
/// Why there is none where there is no git.
pub const NO_REPOSITORY: &str = "the working directory is in no git work tree";

/// What came of watching a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The files that changed, from the working directory.
    pub files: Vec<String>,
    /// Why that is not known, or not all of it.
    pub warning: Option<String>,
    /// Why no diff is kept.
    pub no_diff: Option<String>,
}

/// Watches the working directory of one bot.
#[derive(Debug)]
pub struct Tracker {
    is_on: bool,
    workdir: PathBuf,
    directory: PathBuf,
    keeper: Keeper,
    /// Whoever takes a snapshot, in the order of asking.
    state: tokio::sync::Mutex<State>,
    rests: Mutex<Option<Instant>>,
    told: Mutex<Option<String>>,
    /// The runs whose trees are still to be compared.
    open: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    snapshots: Option<Snapshots>,
    /// The last snapshot and when it was done, if nothing has run since.
    still: Option<(Tree, Instant)>,
    /// Whether what an earlier life left is gone.
    is_clean: bool,
    bytes: u64,
}

/// Why there is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    /// There will be none before the user mends it: this is no fault of a run.
    Unavailable(String),
    /// Something that a record has to tell.
    Failed(String),
}

/// Who moves after a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// A run begins or goes on.
    Runs,
    /// Nobody.
    Still,
}

impl Tracker {
    /// A tracker for a bot that works in `workdir`.
    pub fn new(hive: &Hive, bot: &BotId, workdir: &Path, is_on: bool) -> Arc<Self> {
        Arc::new(Self {
            is_on,
            workdir: workdir.to_owned(),
            directory: hive.snapshots(bot),
            keeper: Keeper::new(hive, bot),
            state: tokio::sync::Mutex::default(),
            rests: Mutex::default(),
            told: Mutex::default(),
            open: AtomicUsize::new(0),
        })
    }

    /// Takes the first snapshot ahead of the first run: git has to read what it does not know yet.
    pub fn warm_up(self: &Arc<Self>, runtime: &tokio::runtime::Handle) {
        if self.why_not().is_some() {
            return;
        }
        let tracker = Arc::clone(self);
        runtime.spawn(async move {
            if let Ok(Ok(_)) = tokio::time::timeout(FIRST_LIMIT, tracker.look(NO_RUN, Then::Runs)).await {
                *lock(&tracker.rests) = None;
            }
        });
    }

    /// Why a run that starts now would not be watched. Costs a few looks at the file system at most.
    fn why_not(&self) -> Option<&'static str> {
        if !self.is_on {
            Some(OFF)
        } else if repository::dot_git(&self.workdir).is_none() {
            Some(NO_REPOSITORY)
        } else {
            None
        }
    }

    /// A snapshot, within a time limit.
    async fn snapshot(&self, run_id: &str, then: Then, limit: Duration) -> Result<Tree, Trouble> {
        if lock(&self.rests).is_some_and(|until| Instant::now() < until) {
            let rest = hive_shared::time::show_duration(REST);
            return Err(Trouble::Failed(format!("git was too slow lately, and is left alone for {rest}")));
        }
        if let Ok(result) = tokio::time::timeout(limit, self.look(run_id, then)).await {
            return result;
        }
        if then == Then::Runs {
            *lock(&self.rests) = Some(Instant::now() + REST);
        }
        let limit = hive_shared::time::show_duration(limit);
        tracing::warn!(workdir = %self.workdir.display(), "git takes more than {limit} to see what changed");
        Err(Trouble::Failed(format!("git took more than {limit}")))
    }

    async fn look(&self, run_id: &str, then: Then) -> Result<Tree, Trouble> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        let still = state.still.take().filter(|(_, done)| asked <= *done + SAME_MOMENT);
        let tree = match still {
            Some((tree, _)) => tree,
            None => self.look_closely(&mut state, run_id).await.map_err(|error| self.trouble(&error))?,
        };
        if then == Then::Still {
            state.still = Some((tree.clone(), Instant::now()));
        }
        Ok(tree)
    }

    async fn look_closely(&self, state: &mut State, run_id: &str) -> Result<Tree, GitError> {
        let is_outgrown = state.bytes > MAX_OBJECTS && self.open.load(Ordering::Relaxed) == 0;
        if !state.is_clean || is_outgrown {
            state.snapshots = None;
            let directory = self.directory.clone();
            // It fails only when the runtime shuts down, or what is there is not ours: then git will say so.
            let _ = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(directory)).await;
            (state.is_clean, state.bytes) = (true, 0);
        }
        // Taken out: a call that is dropped half-way leaves a repository that is not to be used again.
        if let Some(mut snapshots) = state.snapshots.take().filter(Snapshots::is_fresh) {
            match snapshots.take(run_id).await {
                Ok((tree, bytes)) => {
                    state.bytes += bytes;
                    state.snapshots = Some(snapshots);
                    return Ok(tree);
                }
                Err(error) => tracing::debug!(%error, "beginning with a new index"),
            }
        }
        let mut snapshots = Snapshots::prepare(&self.workdir, &self.directory, run_id).await?;
        let (tree, bytes) = snapshots.take(run_id).await?;
        state.bytes += bytes;
        state.snapshots = Some(snapshots);
        Ok(tree)
    }

    /// What an error of git's means for a run. The log is told of each once.
    fn trouble(&self, error: &GitError) -> Trouble {
        let source = std::error::Error::source(error);
        let text = source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
        let is_news = lock(&self.told).replace(text.clone()).is_none_or(|last| last != text);
        if is_news {
            tracing::warn!(reason = text, "what runs change cannot be seen");
        }
        match error {
            GitError::Missing | GitError::Refused(_) => Trouble::Unavailable(text),
            GitError::Failed(_) | GitError::Io(_) | GitError::TooMuch | GitError::TooLarge(_) => {
                Trouble::Failed(text)
            }
        }
    }
}

/// What a record names: what the agent said and what git saw, from the working directory, sorted, each once; and how
/// many more there were than a record names.
pub fn merge(workdir: &Path, reported: Vec<String>, seen: Vec<String>) -> (Vec<String>, usize) {
    let relative = |path: String| match Path::new(&path).strip_prefix(workdir).ok().and_then(Path::to_str) {
        Some(inside) if !inside.is_empty() => inside.to_owned(),
        Some(_) | None => path.strip_prefix("./").map_or(path.clone(), str::to_owned),
    };
    let named = reported.into_iter().map(relative).filter(|path| !path.is_empty() && !path.contains('\0'));
    let all: BTreeSet<String> = named.chain(seen).collect();
    let more = all.len().saturating_sub(MAX_FILES);
    (all.into_iter().take(MAX_FILES).collect(), more)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_the_agent_says_and_what_git_sees_is_one_list() {
        let reported = texts(&["/w/b.rs", "/elsewhere/x", "./c.rs", "a.rs", "/w", "", "./", "a\0"]);
        let (files, more) = merge(Path::new("/w"), reported, texts(&["b.rs", "0\n", "a.rs"]));
        assert_eq!((files, more), (texts(&["/elsewhere/x", "/w", "0\n", "a.rs", "b.rs", "c.rs"]), 0));
    }

    #[test]
    fn a_record_names_so_many_files_and_no_more() {
        let seen = (0..MAX_FILES + 7).map(|n| format!("{n:05}")).collect();
        let (files, more) = merge(Path::new("/w"), Vec::new(), seen);
        assert_eq!((files.len(), more), (MAX_FILES, 7));
        assert_eq!(files.last().map(String::as_str), Some("00999"));
    }
}
