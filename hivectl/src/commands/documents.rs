//! The tasks that `hivectl submit` hands over: a text, or documents from files and stdin. All are read and checked
//! before the first is submitted.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use hive_shared::api::SubmitRequest;
use hive_shared::ids::ItemId;
use hive_shared::nearest::probable;
use hive_shared::task::{self, MAX_TASK_BYTES, Reading, UNKNOWN_SENDER};
use hive_shared::time::Stamp;
use hive_shared::work::{Priority, UnknownWord};
use jiff::tz::TimeZone;

use super::submit::Args;
use crate::error::Failure;
use crate::input;
use crate::output::Printer;

/// What stands for stdin.
const STDIN: &str = "-";
/// Where a name leads.
const NAMES_COUNT: &str = "names count from the directory that this is run in";
/// The characters that make a name a pattern.
const PATTERN: [char; 3] = ['*', '?', '['];

/// Reads a priority as people write it: `P1`, `high`.
pub(super) fn priority(text: &str) -> Result<Priority, UnknownWord> {
    task::read_priority(text).ok_or_else(|| UnknownWord { text: text.to_owned(), known: "P0, P1, P2, P3" })
}

/// One task to be.
#[derive(Debug)]
pub(super) struct Proposal {
    /// The file it is from, for messages.
    pub(super) name: String,
    /// What is submitted.
    pub(super) request: SubmitRequest,
}

/// What is to be submitted: the text, or each document, with what the flags say over what it says itself.
pub(super) async fn proposals(args: &Args, out: &mut Printer) -> Result<Vec<Proposal>, Failure> {
    let mut proposals = Vec::new();
    match args.text.as_deref() {
        Some(STDIN) => proposals.push(document(args, Path::new(STDIN), out).await?),
        Some(text) => {
            let request = SubmitRequest { instruction: text.to_owned(), ..SubmitRequest::default() };
            proposals.push(Proposal { name: "the task".to_owned(), request });
        }
        None => {
            for path in paths(&args.files)? {
                proposals.push(document(args, &path, out).await?);
            }
        }
    }
    if args.id.is_some() && proposals.len() > 1 {
        return Err(
            Failure::usage("--id is for one task").hint("write ids into the headers of the documents")
        );
    }
    for Proposal { name, request } in &mut proposals {
        if request.instruction.trim().is_empty() {
            return Err(Failure::usage(format!("{name} has nothing to do: the instruction is empty")));
        }
        request.title = args.title.clone().or(request.title.take());
        request.priority = args.priority.or(request.priority);
        request.timeout_seconds = args.limit.map(|limit| limit.as_secs_f64()).or(request.timeout_seconds);
        request.id = args.id.clone().or(request.id.take());
        request.from = args.from.clone().or(request.from.take());
        if !args.depends_on.is_empty() {
            request.depends_on.clone_from(&args.depends_on);
        }
    }
    each_has_its_id(&proposals)?;
    Ok(proposals)
}

/// Two tasks of one id would be a conflict when the first is submitted already.
fn each_has_its_id(proposals: &[Proposal]) -> Result<(), Failure> {
    let mut known: BTreeMap<&ItemId, &str> = BTreeMap::new();
    for Proposal { name, request } in proposals {
        if let Some(id) = &request.id
            && let Some(other) = known.insert(id, name)
        {
            return Err(Failure::usage(format!("{other} and {name} have the same id {id}"))
                .hint("write ids into the headers of the documents"));
        }
    }
    Ok(())
}

/// The files that are meant: what is there under its name, else what a pattern matches, in order of their names.
fn paths(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for name in named {
        let text = name.to_string_lossy();
        if name == Path::new(STDIN) || name.is_file() {
            paths.push(name.clone());
        } else if name.is_dir() {
            let text = text.trim_end_matches('/');
            return Err(Failure::usage(format!("{text} is a directory"))
                .hint(format!("name the documents in it: '{text}/*.md'")));
        } else if text.contains(PATTERN) && !name.exists() {
            let matches = glob::glob(&text)
                .map_err(|error| Failure::usage(format!("{text} is no pattern: {}", error.msg)))?;
            let before = paths.len();
            paths.extend(matches.flatten().filter(|path| path.is_file()));
            if paths.len() == before {
                return Err(Failure::usage(format!("no file matches {text}")).hint(NAMES_COUNT));
            }
        } else {
            paths.push(name.clone());
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    Ok(paths)
}

async fn document(args: &Args, path: &Path, out: &mut Printer) -> Result<Proposal, Failure> {
    // One byte more than a task may have tells that there are too many.
    let bound = MAX_TASK_BYTES as u64 + 1;
    let (name, file_name, bytes, modified) = if path == Path::new(STDIN) {
        let bytes = input::stdin(bound, "write the task, and end it with Ctrl-D", out).await?;
        let now = Stamp::now();
        ("stdin".to_owned(), format!("{}.md", ItemId::generate("TASK", now.timestamp())), bytes, now)
    } else {
        let unread = |reason: &dyn std::fmt::Display| {
            Failure::usage(format!("{} cannot be read: {reason}", path.display()))
        };
        // Of a named pipe nobody knows when it is written: signals are heard meanwhile.
        let file = path.to_owned();
        let read = tokio::task::spawn_blocking(move || read(&file, bound)).await.map_err(|e| unread(&e))?;
        let (bytes, modified) = read.map_err(|error| match error.kind() {
            ErrorKind::NotFound => missing(path),
            _ => unread(&error),
        })?;
        let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (path.display().to_string(), file_name, bytes, modified)
    };
    let reading =
        Reading { file_name: &file_name, modified, bot: &args.bot, bots: &[], zone: &TimeZone::system() };
    let task = task::read(&bytes, &reading)
        .map_err(|error| Failure::usage(format!("{name} is no task: {error}")))?;
    for warning in &task.warnings {
        out.notice(&format!("{name}: {warning}"));
    }
    let request = SubmitRequest {
        instruction: task.instruction,
        title: Some(task.title),
        priority: Some(task.priority),
        timeout_seconds: task.limit.map(|limit| limit.as_secs_f64()),
        id: Some(task.id),
        from: (task.from != UNKNOWN_SENDER).then_some(task.from),
        depends_on: task.depends_on,
        interruptible: (!task.interruptible).then_some(false),
    };
    Ok(Proposal { name, request })
}

/// A file that is not there, and what may be meant.
fn missing(path: &Path) -> Failure {
    let failure = Failure::usage(format!("there is no file {}", path.display()));
    let dir = path.parent().unwrap_or(Path::new(""));
    let Ok(entries) = std::fs::read_dir(if dir == "" { Path::new(".") } else { dir }) else {
        return failure.hint(format!("there is no directory {} either", dir.display()));
    };
    let files = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let names: Vec<_> = files.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    failure.hint(match probable(&wanted, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {}?", dir.join(near).display()),
        None => format!("{NAMES_COUNT}; '{}', quoted, names many", dir.join("*.md").display()),
    })
}

fn read(path: &Path, bound: u64) -> std::io::Result<(Vec<u8>, Stamp)> {
    let file = std::fs::File::open(path)?;
    let modified = file.metadata()?.modified().map_or_else(|_| Stamp::now(), Stamp::from);
    let mut bytes = Vec::new();
    file.take(bound).read_to_end(&mut bytes)?;
    Ok((bytes, modified))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_expanded_where_no_file_has_the_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.md", "a.md", "[x].md", "c.txt"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        std::fs::create_dir(dir.path().join("d.md")).unwrap();
        let found = |names: &[&str]| {
            let named: Vec<_> = names.iter().map(|name| dir.path().join(name)).collect();
            paths(&named).map(|paths| {
                let matched = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
                matched.collect::<Vec<_>>()
            })
        };
        assert_eq!(found(&["*.md"]).unwrap(), ["[x].md", "a.md", "b.md"]);
        assert_eq!(found(&["c.txt", "?.md", "b.md"]).unwrap(), ["c.txt", "a.md", "b.md"]);
        assert_eq!(found(&["[x].md"]).unwrap(), ["[x].md"]);
        for (wrong, hint) in [("*.rst", "names count"), ("d.md", "d.md/*.md'")] {
            let failure = found(&[wrong]).unwrap_err();
            assert_eq!(failure.exit, crate::error::Exit::Usage);
            assert!(failure.hint.as_ref().is_some_and(|text| text.contains(hint)), "{failure:?}");
        }
        assert_eq!(paths(&["-".into()]).unwrap(), [PathBuf::from("-")]);
    }

    #[test]
    fn who_names_no_file_is_told_what_may_be_meant() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("review.md"), "x").unwrap();
        std::fs::create_dir(dir.path().join("reviews.md")).unwrap();
        let hint = |name: &str| missing(&dir.path().join(name)).hint.unwrap();
        let there = |name: &str| dir.path().join(name).display().to_string();
        assert_eq!(hint("reveiw.md"), format!("did you mean {}?", there("review.md")));
        assert_eq!(hint("nothing.txt"), format!("{NAMES_COUNT}; '{}', quoted, names many", there("*.md")));
        assert_eq!(hint("plan/a.md"), format!("there is no directory {} either", there("plan")));
    }

    #[test]
    fn a_priority_may_be_a_word() {
        assert_eq!(priority("p1").unwrap(), Priority::P1);
        assert_eq!(priority("urgent").unwrap(), Priority::P0);
        assert!(priority("P9").is_err() && priority("").is_err());
    }
}
