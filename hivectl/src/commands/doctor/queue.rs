//! A bot's task files and control files: what waits, and what will never be taken.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::regular_file;
use hive_shared::trust;
use hive_shared::work::Mode;
use nix::unistd::{AccessFlags, access};

use super::finding::{Finding, with_remedy};
use crate::error::chain;
use crate::files::Files;
use crate::local;

/// No more files are looked at.
const MANY: usize = 10_000;
/// So many files of a kind are told one by one.
const TOLD: usize = 3;
/// The most bytes of a reason that are read.
const MAX_REASON: usize = 64 * 1024;
/// The most of a reason that is told.
const REASON: usize = 200;

/// Looks at them. `is_run`: a process runs the bot; `is_trusted`: the directories above are well.
pub(super) fn look(hive: &Hive, bot: &BotId, mode: Mode, is_run: bool, is_trusted: bool) -> Vec<Finding> {
    let mut findings = controls(hive, bot, is_run);
    let dir = hive.tasks(bot);
    if !dir.exists() {
        if is_run && mode != Mode::CommanderOnly {
            let shown = dir.display();
            findings
                .push(Finding::error("tasks", format!("{shown} is gone: no task can be found")).hint(
                    format!("put it back from where it is now, or 'mkdir {shown}' makes an empty one"),
                ));
        }
        return findings;
    }
    findings.extend(is_trusted.then(|| permissions(&dir)).flatten());
    match std::fs::read_dir(&dir) {
        Ok(entries) => {
            let files: Vec<_> = entries.flatten().take(MANY).filter_map(|entry| sort(&entry)).collect();
            findings.push(waiting(&files, bot, mode, is_run));
            findings.extend(files_that_stay(&files));
        }
        Err(error) => {
            let message = format!("{} cannot be read: {error}", dir.display());
            findings
                .push(Finding::error("tasks", message).hint(format!("'ls -ld {}' tells why", dir.display())));
        }
    }
    findings.extend(rejected(&hive.rejected(bot), &dir));
    findings
}

/// What holds the bot.
fn controls(hive: &Hive, bot: &BotId, is_run: bool) -> Vec<Finding> {
    const CHECK: &str = "controls";
    let mut findings = Vec::new();
    let stop = hive.stop_file(bot);
    if stop.symlink_metadata().is_ok() && !is_run {
        let message = format!("{} keeps it from starting", stop.display());
        findings.push(
            Finding::warning(CHECK, message)
                .hint(format!("'hivectl up {bot}' removes it and starts the bot")),
        );
    }
    if let Some(pause) = Files::new(hive.clone(), bot.clone(), Vec::new()).pause_in_force() {
        let why = pause.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let message = format!("it is paused{why}: nothing starts");
        findings.push(Finding::warning(CHECK, message).hint(format!("'hivectl resume {bot}' lets it go on")));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "neither a STOP nor a PAUSE file is in its way"));
    }
    findings
}

/// The bot's own directory; those above are the hive's.
fn permissions(dir: &Path) -> Option<Finding> {
    const CHECK: &str = "permissions";
    match trust::check_dir(dir) {
        Err(error) => {
            let (what, remedy) = with_remedy(&chain(&error));
            Some(Finding { hint: remedy, ..Finding::error(CHECK, what) })
        }
        Ok(warnings) => warnings.iter().find(|warning| warning.path == dir).map(|warning| {
            let (what, remedy) = with_remedy(&warning.to_string());
            Finding { hint: remedy, ..Finding::warning(CHECK, what) }
        }),
    }
}

/// A file in the queue, and what the bot makes of it.
#[derive(Debug, PartialEq, Eq)]
struct Queued {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Task,
    Link,
    Unreadable,
    Empty,
    /// Its name does not end in `.md`.
    OtherName,
}

fn sort(entry: &DirEntry) -> Option<Queued> {
    let (path, found) = (entry.path(), entry.metadata().ok()?);
    let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
    if is_hidden || found.is_dir() {
        return None;
    }
    let is_named = path.extension().is_some_and(|extension| extension == "md");
    let may_be_read = access(&path, AccessFlags::R_OK).is_ok();
    let kind = kind(is_named, found.is_symlink(), may_be_read, found.len());
    Some(Queued { path, kind })
}

fn kind(is_named: bool, is_link: bool, may_be_read: bool, bytes: u64) -> Kind {
    match (is_named, is_link, may_be_read, bytes) {
        (false, ..) => Kind::OtherName,
        (true, true, ..) => Kind::Link,
        (true, false, false, _) => Kind::Unreadable,
        (true, false, true, 0) => Kind::Empty,
        (true, false, true, 1..) => Kind::Task,
    }
}

fn waiting(files: &[Queued], bot: &BotId, mode: Mode, is_run: bool) -> Finding {
    const CHECK: &str = "queue";
    let count = files.iter().filter(|file| file.kind == Kind::Task).count();
    let tasks = if count == 1 { "a task waits".to_owned() } else { format!("{count} tasks wait") };
    match (count, mode, is_run) {
        (0, ..) => Finding::ok(CHECK, "no task waits"),
        (_, Mode::CommanderOnly, _) => {
            Finding::warning(CHECK, format!("{tasks}, and it takes none: its mode is {mode}"))
                .hint(format!("mode = \"hybrid\" for {bot} in hive.toml, then start it anew"))
        }
        (_, Mode::CliOnly | Mode::Hybrid, false) => {
            Finding::warning(CHECK, format!("{tasks}, and it is down")).hint(format!("'hivectl up {bot}'"))
        }
        (_, Mode::CliOnly | Mode::Hybrid, true) => Finding::ok(CHECK, tasks),
    }
}

/// Files that stay in the queue for ever, or will be rejected.
fn files_that_stay(files: &[Queued]) -> Vec<Finding> {
    const CHECK: &str = "tasks";
    let mut findings = Vec::new();
    for kind in [Kind::Link, Kind::Unreadable, Kind::Empty, Kind::OtherName] {
        let all: Vec<_> = files.iter().filter(|file| file.kind == kind).collect();
        for Queued { path, .. } in all.iter().take(TOLD) {
            let shown = path.display();
            let path = local::shell_word(path);
            let (what, hint) = match kind {
                Kind::Link => (
                    "is a symbolic link, and left unread",
                    format!("'cp --remove-destination \"$(readlink -f {path})\" {path}' makes it a file"),
                ),
                Kind::Unreadable => {
                    ("may not be read by you", format!("'chmod u+r {path}', or see whose it is"))
                }
                Kind::Empty => {
                    ("is empty, and will be rejected", format!("write the task into it, or 'rm {path}'"))
                }
                Kind::OtherName => (
                    "is never taken: its name does not end in .md",
                    format!("'mv {path} {path}.md' if it is a task"),
                ),
                Kind::Task => continue,
            };
            findings.push(Finding::warning(CHECK, format!("{shown} {what}")).hint(hint));
        }
        if let Some(more) = all.len().checked_sub(TOLD + 1) {
            findings.push(Finding::warning(CHECK, format!("so it is with {} more", more + 1)));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "all files in its queue can be taken"));
    }
    findings
}

/// What was no task, with the reasons.
fn rejected(dir: &Path, tasks: &Path) -> Option<Finding> {
    const CHECK: &str = "rejected";
    const SUFFIX: &str = ".reason.txt";
    let entries = std::fs::read_dir(dir).ok()?;
    let reasons: Vec<_> = entries
        .flatten()
        .take(MANY)
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(SUFFIX))
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .collect();
    let latest = reasons.iter().max_by_key(|entry| entry.metadata().and_then(|found| found.modified()).ok());
    let Some(latest) = latest else { return Some(Finding::ok(CHECK, "no file was rejected")) };
    let name = latest.file_name().to_string_lossy().trim_end_matches(SUFFIX).to_owned();
    let text = regular_file::read(&latest.path(), MAX_REASON).unwrap_or_default();
    let reason: String = String::from_utf8_lossy(&text).trim().chars().take(REASON).collect();
    let count =
        if reasons.len() == 1 { "a file was".to_owned() } else { format!("{} files were", reasons.len()) };
    let (from, to) = (dir.join(&name), tasks.join(&name));
    Some(Finding::warning(CHECK, format!("{count} rejected, at last {name}: {reason}")).hint(format!(
        "mend it and 'mv {} {}', or remove it and its reason from rejected/",
        local::shell_word(&from),
        local::shell_word(&to)
    )))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::super::hive::tests::{chmod, fault, hive};
    use super::*;

    fn queue() -> (tempfile::TempDir, Hive, BotId) {
        let (dir, hive) = hive("");
        let bot = BotId::parse("BOT-1").unwrap();
        hive.create(Some(&bot)).unwrap();
        (dir, hive, bot)
    }

    #[test]
    fn an_empty_queue_is_well_and_one_that_was_never_made_too() {
        let (_dir, hive, bot) = queue();
        for bot in [bot, BotId::parse("BOT-2").unwrap()] {
            let findings = look(&hive, &bot, Mode::Hybrid, false, true);
            assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:?}");
        }
    }

    #[test]
    fn files_that_nobody_takes_are_told() {
        let (_dir, hive, bot) = queue();
        let fault_of = |name: &str| {
            let found = fault(look(&hive, &bot, Mode::Hybrid, true, true));
            std::fs::remove_file(hive.tasks(&bot).join(name)).unwrap();
            assert!(found.1.contains(name), "{found:?}");
            found.1
        };
        std::fs::write(hive.tasks(&bot).join("a.md"), "").unwrap();
        assert!(fault_of("a.md").contains("is empty"));
        std::fs::write(hive.tasks(&bot).join("a.txt"), "words").unwrap();
        assert!(fault_of("a.txt").contains("does not end in .md"));
        std::os::unix::fs::symlink("/etc/passwd", hive.tasks(&bot).join("l.md")).unwrap();
        assert!(fault_of("l.md").contains("symbolic link"));
        // Who is root may read all.
        assert_eq!(kind(true, false, false, 7), Kind::Unreadable);
        let many = [Kind::Unreadable; 5].map(|kind| Queued { path: "x.md".into(), kind });
        let told = files_that_stay(&many);
        assert_eq!((told.len(), told[3].message.as_str()), (4, "so it is with 2 more"));
    }

    #[test]
    fn a_hint_that_is_copied_runs_nothing_else() {
        let path = PathBuf::from("/h/tasks/$(touch x); y's.md");
        for kind in [Kind::Link, Kind::Unreadable, Kind::Empty, Kind::OtherName] {
            let [told] = &files_that_stay(&[Queued { path: path.clone(), kind }])[..] else {
                panic!("{kind:?}")
            };
            let hint = told.hint.as_deref().unwrap();
            assert!(hint.contains(&local::shell_word(&path)), "{hint}");
            assert!(!hint.contains(&format!(" {}", path.display())), "{hint}");
        }
    }

    #[test]
    fn work_that_nobody_does_is_told() {
        let (_dir, hive, bot) = queue();
        std::fs::write(hive.tasks(&bot).join("a.md"), "words").unwrap();
        let look = |mode, is_run| look(&hive, &bot, mode, is_run, true);
        assert_eq!(fault(look(Mode::Hybrid, false)).1, "a task waits, and it is down");
        assert!(fault(look(Mode::CommanderOnly, true)).1.contains("takes none"));
        assert!(look(Mode::Hybrid, true).iter().all(|finding| finding.level == Level::Ok));
    }

    #[test]
    fn what_holds_a_bot_is_told() {
        let (_dir, hive, bot) = queue();
        std::fs::write(hive.stop_file(&bot), "").unwrap();
        assert!(fault(look(&hive, &bot, Mode::Hybrid, false, true)).1.contains("keeps it from starting"));
        std::fs::remove_file(hive.stop_file(&bot)).unwrap();
        std::fs::write(hive.pause_file(&bot), "reason: lunch\n").unwrap();
        let (level, message, hint) = fault(look(&hive, &bot, Mode::Hybrid, true, true));
        assert_eq!((level, message.as_str()), (Level::Warning, "it is paused (lunch): nothing starts"));
        assert_eq!(hint, "'hivectl resume BOT-1' lets it go on");
    }

    #[test]
    fn what_was_rejected_is_told_with_the_reason() {
        let (_dir, hive, bot) = queue();
        std::fs::write(hive.rejected(&bot).join("a.md"), "x").unwrap();
        std::fs::write(hive.rejected(&bot).join("a.md.reason.txt"), "it is no task\n").unwrap();
        let found = fault(look(&hive, &bot, Mode::Hybrid, true, true));
        assert_eq!(found.1, "a file was rejected, at last a.md: it is no task");
    }

    #[test]
    fn a_queue_that_others_may_write_is_an_error() {
        let (_dir, hive, bot) = queue();
        chmod(&hive.tasks(&bot), 0o777);
        assert_eq!(fault(look(&hive, &bot, Mode::Hybrid, true, true)).0, Level::Error);
        chmod(&hive.tasks(&bot), 0o775);
        assert_eq!(fault(look(&hive, &bot, Mode::Hybrid, true, true)).0, Level::Warning);
    }
}
