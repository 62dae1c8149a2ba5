//! The pieces of a run: from where it begins or goes on to where it gives way or ends. What others change in between is
//! not the run's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hive_shared::diff::{self, Diff, MAX_PATCH};
use hive_shared::ids::ItemId;

use super::git::GitError;
use super::snapshots::{Comparer, Tree};
use super::{Changes, Tracker, Trouble};

/// How long the names of the files of a diff may be in all to be arguments of git, in bytes.
const MAX_PLACES: usize = 64 * 1024;

/// The pieces of one run.
pub(super) struct Pieces {
    tracker: Arc<Tracker>,
    run_id: String,
    item: ItemId,
    list: Vec<Piece>,
    trouble: Option<Trouble>,
}

/// A piece of a run; its end is unknown while it lasts.
struct Piece {
    from: Tree,
    to: Option<Tree>,
}

impl Pieces {
    pub(super) fn new(tracker: Arc<Tracker>, run_id: String, item: ItemId) -> Self {
        tracker.open.fetch_add(1, Ordering::Relaxed);
        Self { tracker, run_id, item, list: Vec::new(), trouble: None }
    }

    /// A piece begins.
    pub(super) fn open(&mut self, seen: Result<Tree, Trouble>) {
        match (seen, self.list.last_mut()) {
            // Nobody changed anything meanwhile: it is one piece with the last.
            (Ok(tree), Some(last)) if last.to.as_ref() == Some(&tree) => last.to = None,
            (Ok(tree), _) => self.list.push(Piece { from: tree, to: None }),
            (Err(trouble), _) => self.fail(trouble),
        }
    }

    /// Whether a piece lasts.
    pub(super) fn is_open(&self) -> bool {
        self.list.last().is_some_and(|last| last.to.is_none())
    }

    /// The piece that lasts ends.
    pub(super) fn close(&mut self, seen: Result<Tree, Trouble>) {
        let Some(last) = self.list.pop_if(|last| last.to.is_none()) else { return };
        match seen {
            Ok(tree) if tree == last.from => {}
            Ok(tree) if tree.is_beside(&last.from) => self.list.push(Piece { to: Some(tree), ..last }),
            Ok(_) => self.fail(Trouble::Failed("the repository was replaced meanwhile".to_owned())),
            // What was fine when the run began is not as it should be.
            Err(Trouble::Unavailable(text) | Trouble::Failed(text)) => self.fail(Trouble::Failed(text)),
        }
    }

    fn fail(&mut self, trouble: Trouble) {
        self.trouble.get_or_insert(trouble);
    }

    /// Compares what was seen, and keeps the diff.
    pub(super) async fn tell(&mut self) -> Changes {
        let mut changes = Changes::default();
        let mut whole = Diff::default();
        match self.compare(&mut changes.files).await {
            Ok(diff) => whole = diff,
            Err(error) => self.trouble = Some(self.tracker.trouble(&error)),
        }
        let why_not = match self.trouble.take() {
            // What an earlier attempt changed is not what this one did.
            Some(trouble) => {
                self.keep(None).await.err();
                Some(trouble)
            }
            None => self.keep(Some(whole)).await.err().map(Trouble::Failed),
        };
        match why_not {
            None => {}
            Some(Trouble::Unavailable(why)) => changes.no_diff = Some(why),
            Some(Trouble::Failed(why)) => {
                changes.warning = Some(unknown(&why));
                changes.no_diff = Some(why);
            }
        }
        changes
    }

    /// The diff of all pieces, and the files that changed.
    async fn compare(&self, all_files: &mut Vec<String>) -> Result<Diff, GitError> {
        let pieces: Vec<_> = self.list.iter().filter_map(|it| Some((&it.from, it.to.as_ref()?))).collect();
        let mut whole = Diff::default();
        for (from, to) in &pieces {
            let git = Comparer::beside(to, &self.tracker.workdir, &self.tracker.directory);
            let room = MAX_PATCH.saturating_sub(whole.patch.len());
            let (files, patch) = tokio::join!(
                git.files(&self.run_id, from, to),
                git.patch(&self.run_id, from, to, &["."], room),
            );
            all_files.extend(files?);
            add(&mut whole, patch?, room);
        }
        Ok(self.joined(&pieces, all_files).await?.unwrap_or(whole))
    }

    /// The same diff with one part for each file that nobody else has changed between the pieces. Without that, a patch
    /// that changes a file twice cannot be taken back: git takes its parts in their order then too.
    async fn joined(&self, pieces: &[(&Tree, &Tree)], files: &[String]) -> Result<Option<Diff>, GitError> {
        let [(first, _), .., (_, last)] = pieces else { return Ok(None) };
        if !pieces.iter().all(|(from, _)| from.is_beside(last)) {
            return Ok(None);
        }
        let git = Comparer::beside(last, &self.tracker.workdir, &self.tracker.directory);
        let mut others = BTreeSet::new();
        for between in pieces.windows(2) {
            if let [(_, left), (found, _)] = between {
                others.extend(git.files(&self.run_id, left, found).await?);
            }
        }
        let Some((own, shared)) = apart(files, &others) else { return Ok(None) };
        let mut whole = Diff::default();
        let once = std::iter::once((*first, *last, &own));
        let each = pieces.iter().map(|(from, to)| (*from, *to, &shared));
        for (from, to, places) in once.chain(each).filter(|(.., places)| !places.is_empty()) {
            let room = MAX_PATCH.saturating_sub(whole.patch.len());
            let places: Vec<&str> = places.iter().map(String::as_str).collect();
            add(&mut whole, git.patch(&self.run_id, from, to, &places, room).await?, room);
        }
        Ok(Some(whole))
    }

    /// Keeps a diff, or sees to it that none is kept.
    async fn keep(&self, diff: Option<Diff>) -> Result<(), String> {
        let (keeper, item) = (self.tracker.keeper.clone(), self.item.clone());
        let kept = tokio::task::spawn_blocking(move || match diff {
            Some(diff) => keeper.keep(&item, &diff),
            None => keeper.forget(&item),
        });
        // It is cut short only when the runtime shuts down.
        let kept = kept.await.map_err(|error| error.to_string())?;
        kept.map_err(|error| format!("its diff cannot be written: {error}"))
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.tracker.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn add(whole: &mut Diff, patch: Vec<u8>, room: usize) {
    let part = diff::bounded(patch, room);
    whole.patch.extend(part.patch);
    whole.truncated |= part.truncated;
}

/// The places of files, as git is told them: of those that only the run has changed, and of those that `others` have
/// changed too. None if there are too many to be named, or some cannot be.
fn apart(files: &[String], others: &BTreeSet<String>) -> Option<(Vec<String>, Vec<String>)> {
    let files: BTreeSet<&String> = files.iter().collect();
    // A name stands for all that is below it too.
    let is_above = |file: &str| {
        let below = others.range(format!("{file}/")..).next();
        below.is_some_and(|other| other.strip_prefix(file).is_some_and(|rest| rest.starts_with('/')))
    };
    let bytes: usize = files.iter().map(|file| file.len() + 20).sum();
    let can_be_named = |file: &&String| !file.contains(char::REPLACEMENT_CHARACTER) && !is_above(file);
    if bytes > MAX_PLACES || !files.iter().all(can_be_named) {
        return None;
    }
    let (shared, own): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| others.contains(*file));
    let [own, shared] =
        [own, shared].map(|files| files.into_iter().map(|file| format!(":(literal){file}")).collect());
    Some((own, shared))
}

/// The warning on a record whose changes are not known, or not all.
pub(super) fn unknown(why: &str) -> String {
    format!("which files it changed is not known for sure: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_changed_too_is_kept_apart() {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let others: BTreeSet<String> = texts(&["b", "d/x", "d-", "e"]).into_iter().collect();
        let told = apart(&texts(&["b", "a", "a", "d/y"]), &others);
        assert_eq!(told, Some((texts(&[":(literal)a", ":(literal)d/y"]), texts(&[":(literal)b"]))));
        // A file that was a directory of what others changed, one whose name is not known, and too many.
        let many: Vec<String> = (0..10_000).map(|n| format!("{n}")).collect();
        for files in [texts(&["d"]), texts(&["\u{fffd}"]), many] {
            assert_eq!(apart(&files, &others), None);
        }
    }
}
