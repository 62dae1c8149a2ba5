//! The ways in which files come, change and go while the inbox watches.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use super::*;

#[test]
fn a_file_that_is_moved_in_is_told_once() {
    let nest = Nest::with(brisk());
    fs::rename(nest.elsewhere("moved"), nest.path("a.md")).unwrap();
    assert_eq!(nest.next_seen("a.md"), "moved");
    assert_eq!(nest.the_rest(), []);
}

#[test]
fn a_file_that_is_copied_in_is_told_once() {
    let nest = Nest::with(brisk());
    for mode in ["-p", "-f"] {
        let name = format!("copy{mode}.md");
        let copied =
            Command::new("cp").arg(mode).arg(nest.elsewhere("copied")).arg(nest.path(&name)).status();
        assert!(copied.unwrap().success());
        assert_eq!(nest.next_seen(&name), "copied");
    }
    assert_eq!(nest.the_rest(), []);
}

#[test]
fn a_file_that_is_linked_in_is_told_though_nobody_closes_it() {
    let nest = Nest::new();
    fs::hard_link(nest.elsewhere("linked"), nest.path("a.md")).unwrap();
    assert_eq!(nest.next_seen("a.md"), "linked");
}

#[test]
fn a_file_is_not_taken_before_its_writer_closes_it() {
    let nest = Nest::new();
    let mut writer = File::create(nest.path("a.md")).unwrap();
    writer.write_all(b"half").unwrap();
    assert_eq!(nest.before_a_new_drop(), []);
    // Not even a scan takes it for complete, though it looks old.
    writer.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    nest.mailbox().rescan();
    assert_eq!(all_names(&nest.until_scanned()), [""; 0]);
    writer.write_all(b" and half").unwrap();
    drop(writer);
    assert_eq!(nest.next_seen("a.md"), "half and half");
}

#[test]
fn a_file_that_is_never_closed_is_taken_when_it_does_not_change_any_more() {
    let nest = Nest::with(brisk());
    let mut writer = File::create(nest.path("a.md")).unwrap();
    writer.write_all(b"whole").unwrap();
    assert_eq!(nest.next_seen("a.md"), "whole");
    drop(writer);
    assert_eq!(nest.the_rest(), []);
}

#[test]
fn an_empty_file_gets_time_to_be_written() {
    let nest = Nest::new();
    File::create(nest.path("a.md")).unwrap();
    assert_eq!(nest.before_a_new_drop(), []);
    fs::write(nest.path("a.md"), "text").unwrap();
    assert_eq!(nest.next_seen("a.md"), "text");
}

#[test]
fn a_file_that_stays_empty_is_handed_on() {
    let nest = Nest::with(brisk());
    File::create(nest.path("a.md")).unwrap();
    assert_eq!(nest.next_seen("a.md"), "");
    assert_eq!(nest.the_rest(), []);
}

#[test]
fn a_change_is_told_whichever_way_it_is_saved() {
    let nest = Nest::with(brisk());
    fs::write(nest.path("a.md"), "one").unwrap();
    assert_eq!(nest.next_seen("a.md"), "one");
    // Truncated and written anew.
    fs::write(nest.path("a.md"), "two!").unwrap();
    assert_eq!(nest.next_seen("a.md"), "two!");
    // A temporary file renamed over it.
    fs::write(nest.path(".a.md.swp"), "three").unwrap();
    fs::rename(nest.path(".a.md.swp"), nest.path("a.md")).unwrap();
    assert_eq!(nest.next_seen("a.md"), "three");
    // Appended to.
    File::options().append(true).open(nest.path("a.md")).unwrap().write_all(b" four").unwrap();
    assert_eq!(nest.next_seen("a.md"), "three four");
    // Moved to a backup and written anew: for a moment it is not there.
    fs::rename(nest.path("a.md"), nest.path("a.md~")).unwrap();
    assert_eq!(nest.next(), gone("a.md"));
    fs::write(nest.path("a.md"), "five").unwrap();
    assert_eq!(nest.next_seen("a.md"), "five");
    assert_eq!(nest.the_rest(), []);
}

#[test]
fn what_leaves_the_content_alone_is_no_change() {
    let nest = Nest::with(brisk());
    fs::write(nest.path("a.md"), "one").unwrap();
    assert_eq!(nest.next_seen("a.md"), "one");
    drop(File::options().append(true).open(nest.path("a.md")).unwrap());
    fs::read(nest.path("a.md")).unwrap();
    let mut mode = fs::metadata(nest.path("a.md")).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(nest.path("a.md"), mode).unwrap();
    fs::hard_link(nest.path("a.md"), nest.dir.path().join("second-name")).unwrap();
    assert_eq!(nest.the_rest(), []);
}

#[test]
fn a_checkout_brings_and_takes_files() {
    let nest = Nest::with(brisk());
    let git = |args: &[&str]| {
        let git = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"])
            .args(args)
            .current_dir(nest.dir.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output();
        assert!(git.unwrap().status.success(), "{args:?}");
    };
    git(&["init"]);
    git(&["commit", "--allow-empty", "-m", "empty"]);
    git(&["checkout", "-b", "work"]);
    fs::write(nest.path("a.md"), "one").unwrap();
    assert_eq!(nest.next_seen("a.md"), "one");
    git(&["add", "."]);
    git(&["commit", "-m", "work"]);
    git(&["checkout", "main"]);
    assert!(nest.until(|event| *event == gone("a.md")).iter().all(|event| names(event).is_empty()));
    git(&["checkout", "work"]);
    let back = nest.until(|event| names(event) == ["a.md"]);
    // Git removes a directory that is empty to it, so that the watcher may have to look for it again.
    assert!(back.iter().flat_map(names).count() == 1, "{back:?}");
}

#[test]
fn only_markdown_files_are_looked_at() {
    let nest = Nest::with(brisk());
    for name in [".hidden.md", "a.txt", "a.md.tmp", "archive/b.md", "A.MD"] {
        fs::write(nest.path(name), "no").unwrap();
    }
    fs::create_dir(nest.path("dir.md")).unwrap();
    nix::unistd::mkfifo(&nest.path("pipe.md"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(nest.the_rest(), []);
    nest.mailbox().rescan();
    assert_eq!(nest.until_scanned(), [InboxEvent::ScanDone { first: false, files: 1 }]);
}

#[test]
fn what_cannot_be_taken_is_told_once() {
    let nest = Nest::with(brisk());
    let strange = std::ffi::OsStr::from_bytes(b"\xff.md");
    fs::write(nest.tasks().join(strange), "text").unwrap();
    let error = "its name is not UTF-8".to_owned();
    assert_eq!(nest.next(), InboxEvent::Unreadable { name: "\u{fffd}.md".to_owned(), error });
    std::os::unix::fs::symlink("/etc/hostname", nest.path("link.md")).unwrap();
    assert_eq!(nest.next(), InboxEvent::Symlink("link.md".to_owned()));
    fs::write(nest.tasks().join(strange), "more").unwrap();
    nest.mailbox().rescan();
    assert_eq!(nest.until_scanned(), [InboxEvent::ScanDone { first: false, files: 0 }]);
    // A link that becomes a file is one, and a file that becomes a link is gone.
    fs::rename(nest.elsewhere("a file now"), nest.path("link.md")).unwrap();
    assert_eq!(nest.next_seen("link.md"), "a file now");
    std::os::unix::fs::symlink("/etc/hostname", nest.dir.path().join("new-link")).unwrap();
    fs::rename(nest.dir.path().join("new-link"), nest.path("link.md")).unwrap();
    assert_eq!(nest.next(), gone("link.md"));
    assert_eq!(nest.next(), InboxEvent::Symlink("link.md".to_owned()));
}

#[test]
fn a_file_without_permission_is_told_once_and_taken_when_it_may_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let nest = Nest::with(brisk());
    let secret = nest.elsewhere("secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o0)).unwrap();
    if File::open(&secret).is_ok() {
        return; // The superuser may read everything.
    }
    fs::rename(&secret, nest.path("a.md")).unwrap();
    assert!(matches!(nest.next(), InboxEvent::Unreadable { name, .. } if name == "a.md"));
    nest.mailbox().rescan();
    assert_eq!(nest.until_scanned(), [InboxEvent::ScanDone { first: false, files: 1 }]);
    assert_eq!(all_names(&nest.before_a_new_drop()), [""; 0]);
    fs::set_permissions(nest.path("a.md"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(nest.next_seen("a.md"), "secret");
    let secret = nest.elsewhere("another secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o0)).unwrap();
    fs::rename(&secret, nest.path("a.md")).unwrap();
    assert!(matches!(nest.next(), InboxEvent::Unreadable { name, .. } if name == "a.md"));
}

#[test]
fn what_is_removed_is_gone_whether_or_not_it_was_told() {
    let nest = Nest::with(brisk());
    fs::write(nest.path("a.md"), "one").unwrap();
    assert_eq!(nest.next_seen("a.md"), "one");
    fs::rename(nest.path("a.md"), nest.path("archive/a.md")).unwrap();
    assert_eq!(nest.next(), gone("a.md"));
    fs::rename(nest.path("archive/a.md"), nest.path("a.md")).unwrap();
    assert_eq!(nest.next_seen("a.md"), "one");
    let unfinished = File::create(nest.path("b.md")).unwrap();
    fs::remove_file(nest.path("b.md")).unwrap();
    drop(unfinished);
    assert!(
        nest.the_rest()
            .iter()
            .any(|event| matches!(event, InboxEvent::Gone(names) if names.contains(&"b.md".to_owned())))
    );
}

#[test]
fn a_renamed_file_is_gone_under_one_name_and_told_under_the_other() {
    let nest = Nest::with(brisk());
    fs::write(nest.path("a.md"), "one").unwrap();
    assert_eq!(nest.next_seen("a.md"), "one");
    fs::rename(nest.path("a.md"), nest.path("b.md")).unwrap();
    assert_eq!(nest.next(), gone("a.md"));
    assert_eq!(nest.next_seen("b.md"), "one");
    assert_eq!(nest.the_rest(), []);
}
