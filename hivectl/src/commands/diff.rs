//! `hivectl show ID --diff`.

use hive_shared::diff::{Diff, MAX_PATCH};
use hive_shared::ids::{BotId, ItemId};
use serde::Serialize;

use crate::error::{Exit, Failure};
use crate::fleet::{Located, Reach};
use crate::output::escape::{Place, escape};
use crate::output::ink::{Ink, Paint};
use crate::output::{Format, Printer};

/// Where diffs come from.
const HINT: &str = "diffs are of the last items that ran where the working directory is in a git work tree, \
    and track_changes is on";

/// What an item changed, in JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    task_id: &'a ItemId,
    bot_id: &'a BotId,
    files_modified: &'a [String],
    diff: String,
    truncated: bool,
}

/// Prints what an item changed: for people with colours, else byte for byte.
pub(super) async fn show(located: &Located, id: &ItemId, out: &mut Printer) -> Result<Exit, Failure> {
    let diff = match &located.reach {
        Reach::Up(client) => client.diff(id).await.map_err(|error| {
            let failure = Failure::from(error);
            if failure.exit == Exit::NotFound { failure.hint(HINT) } else { failure }
        })?,
        Reach::Down(files) => files
            .diff(id)?
            .ok_or_else(|| Failure::new(Exit::NotFound, format!("no diff of '{id}' is kept")).hint(HINT))?,
    };
    let report = Report {
        task_id: id,
        bot_id: &located.bot,
        files_modified: &located.detail.files_modified,
        diff: String::from_utf8_lossy(&diff.patch).into_owned(),
        truncated: diff.truncated,
    };
    match out.format() {
        Format::Json | Format::Ndjson => out.one(&report, |_| String::new()),
        Format::Table if out.is_terminal() => {
            let text = for_people(&report.diff, out.may_color());
            out.result(&text);
        }
        Format::Table => out.bytes(&diff.patch),
    }
    if let Some(notice) = about(&diff, id) {
        out.notice(&notice);
    }
    Ok(Exit::Done)
}

fn about(diff: &Diff, id: &ItemId) -> Option<String> {
    if diff.truncated {
        Some(format!("the diff is cut at {MAX_PATCH} bytes: what follows is not in it"))
    } else if diff.patch.is_empty() {
        Some(format!("{id} changed no file"))
    } else {
        None
    }
}

/// A patch with what is added in green and what is taken away in red, and without what only programs can read.
fn for_people(patch: &str, color: bool) -> String {
    let ink = Ink { color };
    let mut text = String::with_capacity(patch.len());
    let mut part = Part::Head;
    for line in patch.lines() {
        let was = part;
        part = part.with(line);
        if part == Part::Binary && was == Part::Binary {
            continue;
        }
        let shown = escape(line, Place::Block);
        match part.paint(line) {
            Some(paint) => text.push_str(&ink.paint(paint, &shown)),
            None => text.push_str(&shown),
        }
        text.push('\n');
    }
    text
}

/// Where in a patch a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Head,
    Hunk,
    Binary,
}

impl Part {
    fn with(self, line: &str) -> Self {
        if line.starts_with("diff --git ") {
            Self::Head
        } else if line.starts_with("@@ ") {
            Self::Hunk
        } else if line == "GIT binary patch" {
            Self::Binary
        } else {
            self
        }
    }

    fn paint(self, line: &str) -> Option<Paint> {
        match (self, line.as_bytes().first()) {
            (Self::Hunk, Some(b'+')) => Some(Paint::Green),
            (Self::Hunk, Some(b'-')) => Some(Paint::Red),
            (Self::Hunk, Some(b'@')) | (Self::Binary, _) => Some(Paint::Dim),
            (Self::Head | Self::Hunk, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1,2 @@\n-\x1b[2Jold\n+new\n++++ x\r\n \
        diff --git\ndiff --git a/b b/b\nGIT binary patch\nliteral 3\nKcmZQ\n\ndiff --git a/c b/c\nnew file mode 100644\n";

    #[test]
    fn a_patch_is_shown_without_what_deceives_or_nobody_reads() {
        let shown = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1,2 @@\n-\\x1b[2Jold\n+new\n++++ x\n \
            diff --git\ndiff --git a/b b/b\nGIT binary patch\ndiff --git a/c b/c\nnew file mode 100644\n";
        assert_eq!(for_people(PATCH, false), shown);
    }

    #[test]
    fn only_what_is_in_a_hunk_is_coloured() {
        let shown = for_people(PATCH, true);
        for line in ["\n+++ b/a\n", "\n\x1b[32m++++ x\x1b[0m\n", "\n\x1b[31m-\\x1b[2Jold\x1b[0m\n"] {
            assert!(shown.contains(line), "{line:?} in {shown:?}");
        }
    }

    #[test]
    fn an_empty_diff_and_a_cut_one_say_so() {
        let id = ItemId::parse("TASK-1").unwrap();
        assert_eq!(about(&Diff::default(), &id).as_deref(), Some("TASK-1 changed no file"));
        let cut = Diff { patch: Vec::new(), truncated: true };
        assert!(about(&cut, &id).is_some_and(|notice| notice.contains("is cut")));
        assert_eq!(about(&Diff { patch: b"x".to_vec(), truncated: false }, &id), None);
    }
}
