//! What an item changed in the working directory, as a document: a line of ours, which tools that apply patches pass
//! over, and after it the patch as git made it.
//!
//! Such a document is never synced. The line tells whether it is whole, and whose it is.

use crate::digest::digest_of;
use crate::ids::{BotId, ItemId};

/// The most bytes of a patch that are kept.
pub const MAX_PATCH: usize = 1 << 20;

/// The most bytes of a document.
pub const MAX_DOCUMENT: usize = MAX_PATCH + MAX_LINE;

const MAX_LINE: usize = 1024;

/// With what a document begins: what it is, and the version of its form.
const MARK: &str = "# hive-diff 1";

/// What an item changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// A patch as git writes and takes it, with paths from the root of the work tree; empty if nothing was changed.
    pub patch: Vec<u8>,
    /// Whether there was more.
    pub truncated: bool,
}

/// A document that is torn, or is about something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not whole, or not of this task")]
pub struct BadDiff;

/// Writes a document.
pub fn write(bot: &BotId, id: &ItemId, diff: &Diff) -> Vec<u8> {
    let mut document = format!("{}\n", line(bot, id, diff)).into_bytes();
    document.extend_from_slice(&diff.patch);
    document
}

/// Reads what [`write()`] wrote for this item.
pub fn read(document: &[u8], bot: &BotId, id: &ItemId) -> Result<Diff, BadDiff> {
    let end = document.iter().take(MAX_LINE).position(|byte| *byte == b'\n').ok_or(BadDiff)?;
    let (found, patch) = (&document[..end], &document[end + 1..]);
    let diffs = [true, false].map(|truncated| Diff { patch: patch.to_owned(), truncated });
    diffs.into_iter().find(|diff| line(bot, id, diff).as_bytes() == found).ok_or(BadDiff)
}

fn line(bot: &BotId, id: &ItemId, diff: &Diff) -> String {
    let extent = if diff.truncated { "cut" } else { "whole" };
    format!("{MARK} {bot} {id} {extent} sha256:{}", digest_of(&diff.patch))
}

/// As much of a patch as may be kept: whole files where one fits, else whole lines.
pub fn bounded(mut patch: Vec<u8>, max: usize) -> Diff {
    if patch.len() <= max {
        return Diff { patch, truncated: false };
    }
    patch.truncate(max);
    // No line within a file's part of a patch begins so.
    let next_file = b"\ndiff --git ";
    let file = patch.windows(next_file.len()).rposition(|window| window == next_file);
    let end = file.or_else(|| patch.iter().rposition(|byte| *byte == b'\n'));
    patch.truncate(end.map_or(0, |end| end + 1));
    Diff { patch, truncated: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> (BotId, ItemId) {
        (BotId::parse("BOT-1").unwrap(), ItemId::parse("TASK-1").unwrap())
    }

    #[test]
    fn a_document_reads_back_byte_for_byte() {
        let (bot, id) = ids();
        for (patch, truncated) in [(&b""[..], false), (b"diff --git a/\xff b/\xff\n", true), (b"\n\n", false)]
        {
            let diff = Diff { patch: patch.to_owned(), truncated };
            assert_eq!(read(&write(&bot, &id, &diff), &bot, &id), Ok(diff));
        }
    }

    #[test]
    fn a_document_that_is_torn_or_of_another_is_refused() {
        let (bot, id) = ids();
        let document = write(&bot, &id, &Diff { patch: b"some patch\n".to_vec(), truncated: false });
        let other = ItemId::parse("TASK-2").unwrap();
        assert_eq!(read(&document, &bot, &other), Err(BadDiff));
        for end in 0..document.len() {
            assert_eq!(read(&document[..end], &bot, &id), Err(BadDiff), "{end}");
        }
        assert_eq!(read(&[0; 100], &bot, &id), Err(BadDiff));
    }

    #[test]
    fn the_first_line_is_as_it_was_in_the_first_version() {
        let (bot, id) = ids();
        let document = "# hive-diff 1 BOT-1 TASK-1 whole \
            sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
        assert_eq!(read(document.as_bytes(), &bot, &id), Ok(Diff::default()));
    }

    #[test]
    fn a_patch_is_cut_between_two_files_or_two_lines() {
        let patch = b"diff --git a/a b/a\n+1\n+diff --git x\ndiff --git a/b b/b\n+2\n";
        let cut = |max| bounded(patch.to_vec(), max);
        assert_eq!(cut(patch.len()), Diff { patch: patch.to_vec(), truncated: false });
        let first = b"diff --git a/a b/a\n+1\n+diff --git x\n";
        assert_eq!(cut(patch.len() - 1), Diff { patch: first.to_vec(), truncated: true });
        assert_eq!(cut(25).patch, b"diff --git a/a b/a\n+1\n");
        assert_eq!(cut(5), Diff { patch: Vec::new(), truncated: true });
    }
}
