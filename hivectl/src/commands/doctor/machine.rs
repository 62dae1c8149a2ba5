//! The machine: its disk, what the kernel grants, and the programs that a hive needs.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use hive_shared::paths::Hive;
use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;

use super::finding::Finding;
use crate::error::Failure;
use crate::local;

/// Below this the disk is nearly full.
const LITTLE: u64 = 1 << 30;
/// Below this bots are about to pause.
const NOTHING: u64 = 64 << 20;
/// Below this no more than a few files can be made.
const FEW_FILES: u64 = 1_000;
/// A program that takes longer to tell its version hangs.
const PATIENCE: Duration = Duration::from_secs(3);
/// Each bot takes a file notification instance, and so do editors and the like.
const SPARE_INSTANCES: usize = 8;

/// Looks at it.
pub(super) async fn look(hive: &Hive) -> Vec<Finding> {
    let mut findings =
        vec![agent(local::agent(), PATIENCE).await, git(local::on_path("git", path().as_deref()).is_some())];
    findings.extend(space(hive.root()).map(disk));
    findings.extend(inotify_limit().map(|limit| inotify(inotify_used(), limit)));
    findings
}

/// Where programs are looked for.
pub(super) fn path() -> Option<std::ffi::OsString> {
    std::env::var_os("PATH")
}

async fn agent(found: Result<std::path::PathBuf, Failure>, patience: Duration) -> Finding {
    const CHECK: &str = "hive-agent";
    let ours = env!("CARGO_PKG_VERSION");
    let path = match found {
        Ok(path) => path,
        Err(failure) => return Finding { hint: failure.hint, ..Finding::error(CHECK, failure.message) },
    };
    let shown = path.display();
    let mut command = tokio::process::Command::new(&path);
    command.arg("--version").stdin(std::process::Stdio::null()).kill_on_drop(true);
    let said = match tokio::time::timeout(patience, command.output()).await {
        Ok(Ok(output)) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Ok(Err(error)) => return Finding::error(CHECK, format!("{shown} cannot be run: {error}")),
        Err(_) => return Finding::error(CHECK, format!("{shown} does not tell its version")),
    };
    let version = said.strip_prefix("hive-agent ").unwrap_or(&said);
    if version == ours {
        return Finding::ok(CHECK, format!("{shown} is of version {version}"));
    }
    Finding::warning(CHECK, format!("{shown} is of version {version}, hivectl of {ours}")).hint(
        "install both from the same sources: 'cargo install --path agent && cargo install --path hivectl'",
    )
}

fn git(is_there: bool) -> Finding {
    if is_there {
        return Finding::ok("git", "git is there");
    }
    Finding::warning("git", "git is not on PATH: which files a task changed cannot be told")
        .hint("install git")
}

/// What the file system has left for this user.
#[derive(Debug, Clone, Copy)]
struct Space {
    bytes: u64,
    /// Where the file system counts them.
    files: Option<u64>,
}

fn space(dir: &Path) -> Option<Space> {
    let found = statvfs(dir).ok()?;
    let files = (found.files() > 0).then(|| found.files_available());
    Some(Space { bytes: found.blocks_available().saturating_mul(found.fragment_size()), files })
}

fn disk(space: Space) -> Finding {
    const CHECK: &str = "disk";
    const HINT: &str = "make room: 'du -xh --max-depth=2 . | sort -h | tail' tells what takes it";
    let free = show_bytes(space.bytes);
    if space.files.is_some_and(|files| files < FEW_FILES) {
        return Finding::error(CHECK, "the file system can hold hardly any more files")
            .hint("'df -i .' tells more");
    }
    match space.bytes {
        0..NOTHING => {
            Finding::error(CHECK, format!("only {free} are free: bots pause when nothing is left")).hint(HINT)
        }
        NOTHING..LITTLE => Finding::warning(CHECK, format!("only {free} are free")).hint(HINT),
        LITTLE.. => Finding::ok(CHECK, format!("{free} are free")),
    }
}

fn show_bytes(bytes: u64) -> String {
    let mib = bytes >> 20;
    if mib < 1_024 { format!("{mib} MiB") } else { format!("{} GiB", mib >> 10) }
}

fn inotify_limit() -> Option<usize> {
    std::fs::read_to_string("/proc/sys/fs/inotify/max_user_instances").ok()?.trim().parse().ok()
}

/// How many file notification instances the user's processes have.
fn inotify_used() -> usize {
    let user = geteuid().as_raw();
    let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
    let ours = processes.flatten().filter(|entry| {
        entry.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit)
            && entry.metadata().is_ok_and(|found| found.uid() == user)
    });
    ours.filter_map(|process| std::fs::read_dir(process.path().join("fd")).ok())
        .flat_map(Iterator::flatten)
        .filter(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == "anon_inode:inotify"))
        .count()
}

fn inotify(used: usize, limit: usize) -> Finding {
    const CHECK: &str = "notifications";
    if used + SPARE_INSTANCES <= limit {
        return Finding::ok(CHECK, format!("{used} of {limit} file notification instances are in use"));
    }
    let message = format!(
        "{used} of {limit} file notification instances are in use: bots without one see new files later"
    );
    Finding::warning(CHECK, message)
        .hint("'sudo sysctl fs.inotify.max_user_instances=1024' allows more, until the next boot")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::super::hive::tests::chmod;
    use super::*;

    #[test]
    fn a_disk_that_fills_is_told_before_it_is_full() {
        let level = |bytes, files| disk(Space { bytes, files }).level;
        assert_eq!(level(5 << 30, None), Level::Ok);
        assert_eq!(level(1 << 29, Some(1 << 20)), Level::Warning);
        assert_eq!(level(1 << 20, None), Level::Error);
        assert_eq!(level(5 << 30, Some(3)), Level::Error);
        assert!(space(Path::new("/")).is_some());
    }

    #[test]
    fn notifications_that_run_out_are_told() {
        assert_eq!(inotify(3, 128).level, Level::Ok);
        assert_eq!(inotify(125, 128).level, Level::Warning);
    }

    #[test]
    fn a_hive_without_git_is_told() {
        assert_eq!((git(true).level, git(false).level), (Level::Ok, Level::Warning));
    }

    #[tokio::test]
    async fn the_agent_must_be_there_answer_and_be_of_this_version() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("hive-agent");
        let look = async |script: &str| {
            // Never open for writing while another thread forks.
            let made = std::process::Command::new("sh")
                .args(["-c", "printf '%s' \"$1\" > \"$2\"", "x", script])
                .arg(&program)
                .status();
            assert!(made.unwrap().success());
            chmod(&program, 0o755);
            agent(Ok(program.clone()), Duration::from_secs(1)).await
        };
        let ours = format!("#!/bin/sh\necho hive-agent {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(look(&ours).await.level, Level::Ok);
        let old = look("#!/bin/sh\necho hive-agent 0.0.1\n").await;
        assert!(old.level == Level::Warning && old.message.contains("0.0.1"), "{old:?}");
        assert_eq!(look("#!/bin/sh\nexec sleep 60\n").await.level, Level::Error);
        let missing = agent(Err(Failure::new(crate::error::Exit::Failed, "none")), PATIENCE).await;
        assert_eq!(missing.level, Level::Error);
    }
}
