//! The pieces of a run: from where it begins or goes on to where it gives way or ends. What others change in between is
//! not the run's.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hive_shared::diff::{self, Diff, MAX_PATCH};
use hive_shared::ids::ItemId;

use super::snapshots::{Comparer, Tree};
use super::{Changes, Tracker, Trouble};

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
        for piece in &self.list {
            let Some(to) = &piece.to else { continue };
            let git = Comparer::beside(to, &self.tracker.workdir, &self.tracker.directory);
            let room = MAX_PATCH.saturating_sub(whole.patch.len());
            let (files, patch) = tokio::join!(
                git.files(&self.run_id, &piece.from, to),
                git.patch(&self.run_id, &piece.from, to, room),
            );
            match (files, patch) {
                (Ok(files), Ok(patch)) => {
                    changes.files.extend(files);
                    let part = diff::bounded(patch, room);
                    whole.patch.extend(part.patch);
                    whole.truncated |= part.truncated;
                }
                (Err(error), _) | (_, Err(error)) => {
                    self.trouble = Some(self.tracker.trouble(&error));
                    break;
                }
            }
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

/// The warning on a record whose changes are not known, or not all.
pub(super) fn unknown(why: &str) -> String {
    format!("which files it changed is not known for sure: {why}")
}
