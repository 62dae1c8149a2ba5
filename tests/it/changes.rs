//! What runs change in the working directory, as git sees it (SPEC 6), and `hivectl show ID --diff`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use hive_tests::{Agent, Hive, Terminal, binary, ctl};
use serde_json::{Value, json};

/// Does what it is told, as a shell.
const SHELL: &str = "eval \"$(cat)\"";

/// Where agents work, below the hive's root: what daemons say is written into the root.
const WORK: &str = "work";

/// A hive whose agents work in a repository that holds `old.txt` and `moved.txt`.
fn with_repository(settings: &str) -> (Hive, PathBuf) {
    let (hive, work) = with_directory(settings);
    git(&work, &["init", "-q", "-b", "main"]);
    fs::write(work.join("old.txt"), "one\ntwo\n").expect("the directory is ours");
    fs::write(work.join("moved.txt"), "some text\nthat is long enough\nto be known again\n")
        .expect("the directory is ours");
    commit(&work);
    (hive, work)
}

fn with_directory(settings: &str) -> (Hive, PathBuf) {
    let hive = Hive::exec(SHELL, &format!("workdir = \"{WORK}\"\n{settings}"));
    let work = hive.root().join(WORK);
    fs::create_dir(&work).expect("the directory is ours");
    (hive, work)
}

/// Git, as a user has it; gives what it says.
fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=dana", "-c", "user.email=d@example.org", "-c", "protocol.file.allow=always"])
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", dir)
        .output()
        .expect("there is git");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn commit(dir: &Path) {
    git(dir, &["add", "-A"]);
    git(dir, &["commit", "-q", "-m", "as it was"]);
}

/// Leaves a merge undecided in a repository without commits.
fn conflict(dir: &Path) {
    for (branch, text) in [("main", "base"), ("side", "side"), ("main", "main")] {
        if text != "base" {
            let is_new: &[&str] = if branch == "side" { &["-b"] } else { &[] };
            git(dir, &[&["checkout", "-q"], is_new, &[branch]].concat());
        }
        fs::write(dir.join("a.txt"), text).expect("the directory is ours");
        commit(dir);
    }
    let merge = Command::new("git").args(["merge", "side"]).current_dir(dir).env("HOME", dir).output();
    assert!(!merge.expect("there is git").status.success());
}

/// Every file below a directory, with its content.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), fs::read(&path).expect("a file")));
        }
    }
    found.sort();
    found
}

/// Runs a task to its end; gives the files that its response names.
async fn run(hive: &Hive, agent: &Agent, id: &str, script: &str) -> Vec<String> {
    agent.api().submit(json!({"instruction": script, "id": id})).await;
    let header = hive.answer(id).await.header;
    assert_eq!(header.error, None, "{header:?}\n{}", agent.state().await);
    header.files_modified
}

/// The warnings of a task.
async fn warnings(agent: &Agent, id: &str) -> Vec<String> {
    let warnings = agent.api().task(id).await["warnings"].clone();
    serde_json::from_value(warnings).expect("a list")
}

/// A directory with an executable `git` that is this script, to be first on the daemon's PATH.
fn fake_git(hive: &Hive, script: &str) -> String {
    let dir = hive.root().join("bin");
    fs::create_dir(&dir).expect("the directory is ours");
    fs::write(dir.join("git"), script).expect("the directory is ours");
    fs::set_permissions(dir.join("git"), fs::Permissions::from_mode(0o755)).expect("the directory is ours");
    format!("{}:{}", dir.display(), std::env::var("PATH").expect("a PATH"))
}

#[tokio::test]
async fn what_a_shell_changed_is_on_the_record_and_its_diff_applies() {
    let (hive, work) = with_repository("");
    // What was changed before is not the task's, and what is ignored or the hive's nobody's.
    fs::write(work.join("before.txt"), "mine").unwrap();
    fs::write(work.join(".gitignore"), "*.o\n").unwrap();
    let (status, files) = (git(&work, &["status", "--porcelain"]), contents(&work.join(".git")));
    let agent = Agent::start(&hive).await;
    let script = "echo three >> old.txt; mv moved.txt here.txt; printf 'a\\0b' > bin; ln -s bin link; \
                  mkdir -p .deia; touch x.o .deia/y; echo done";
    let changed = run(&hive, &agent, "TASK-1", script).await;
    let expected = ["bin", "here.txt", "link", "moved.txt", "old.txt"];
    assert_eq!(changed, expected);
    assert_eq!(contents(&work.join(".git")), files, "nothing of the user's repository is touched");

    let task = agent.api().task("TASK-1").await;
    assert_eq!((&task["files_modified"], &task["warnings"]), (&json!(expected), &json!([])));
    let entries = agent.api().entries("source=file").await;
    assert_eq!(entries[0]["files_modified"], json!(expected));

    let diff = ctl(&hive, &["show", "TASK-1", "--diff"]).await.expect(0);
    assert!(
        diff.out.contains("rename from moved.txt\nrename to here.txt\n") && diff.err.is_empty(),
        "{diff:?}"
    );
    assert!(diff.out.contains("\n+three\n") && diff.out.contains("GIT binary patch"), "{diff:?}");
    fs::remove_dir_all(work.join(".deia")).unwrap();
    let patch = hive.root().join("patch");
    fs::write(&patch, &diff.out).unwrap();
    git(&work, &["apply", "-R", patch.to_str().unwrap()]);
    assert_eq!(git(&work, &["status", "--porcelain"]), status, "taken back, all is as it was");

    let json = ctl(&hive, &["show", "TASK-1", "--diff", "-o", "json"]).await.expect(0).json();
    let expected = json!({"task_id": "TASK-1", "bot_id": "BOT-002", "files_modified": expected, "diff": diff.out,
        "truncated": false});
    assert_eq!(json, expected);

    run(&hive, &agent, "TASK-2", "cat old.txt").await;
    let none = ctl(&hive, &["show", "TASK-2", "--diff"]).await.expect(0);
    assert_eq!((none.out.as_str(), none.err.as_str()), ("", "hivectl: TASK-2 changed no file\n"));
}

#[tokio::test]
async fn a_diff_is_there_while_the_bot_is_down_and_from_afar() {
    let (hive, _work) = with_repository("");
    let mut agent = Agent::start(&hive).await;
    run(&hive, &agent, "TASK-1", "echo three >> old.txt").await;
    let there = ctl(&hive, &["show", "TASK-1", "--diff"]).await.expect(0);
    let token = hive.paths().token(hive.bot());
    let url = agent.record().url.clone();
    let afar = ["show", "TASK-1", "--diff", "--url", &url, "--token-file", token.to_str().unwrap()];
    assert_eq!(ctl(&hive, &afar).await.expect(0).out, there.out);
    agent.terminate();
    agent.ended().await;
    let down = ctl(&hive, &["show", "TASK-1", "--diff"]).await.expect(0);
    assert_eq!(down.out, there.out);
    assert!(down.err.contains("BOT-002 is down"), "{down:?}");

    // A torn one is none.
    let path = hive.paths().diff(hive.bot(), &"TASK-1".parse().unwrap());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let torn = ctl(&hive, &["show", "TASK-1", "--diff"]).await.expect(4);
    assert!(torn.err.contains("no diff of 'TASK-1' is kept") && torn.err.contains("hint: "), "{torn:?}");
}

#[tokio::test]
async fn what_a_chat_turn_changes_is_not_the_suspended_tasks() {
    let (hive, work) = with_repository("");
    let agent = Agent::start(&hive).await;
    let script = "echo task > a.txt; touch begun; until [ -e ../go ]; do sleep 0.02; done; echo more >> a.txt; \
                  echo task > b.txt";
    agent.api().submit(json!({"instruction": script, "id": "TASK-1"})).await;
    hive.until("it has begun", || work.join("begun").exists().then_some(())).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "echo chat > c.txt; echo chat >> old.txt").await;
    assert_eq!(chat.turn("CHAT-1").await.complete()["files_modified"], json!(["c.txt", "old.txt"]));
    hive.touch("go");
    let header = hive.answer("TASK-1").await.header;
    assert_eq!(header.preemptions, 1);
    assert_eq!(header.files_modified, ["a.txt", "b.txt", "begun"]);
    let diff = ctl(&hive, &["show", "TASK-1", "--diff"]).await.expect(0).out;
    assert!(diff.contains("+++ b/a.txt") && diff.contains("+++ b/b.txt") && !diff.contains("chat"), "{diff}");
    // What it made in one piece and changed in the next is taken back whole.
    let patch = hive.root().join("patch");
    fs::write(&patch, &diff).unwrap();
    git(&work, &["apply", "-R", patch.to_str().unwrap()]);
    let left = ["a.txt", "b.txt", "begun", "c.txt"].map(|name| work.join(name).exists());
    assert_eq!(left, [false, false, false, true]);
    let diff = ctl(&hive, &["show", "CHAT-1", "--diff"]).await.expect(0).out;
    assert!(diff.contains("+++ b/c.txt") && !diff.contains("task"), "{diff}");
    assert_eq!(hive.answer("CHAT-1").await.header.files_modified, ["c.txt", "old.txt"]);
}

#[tokio::test]
async fn after_a_crash_the_last_attempt_counts() {
    let (hive, work) = with_repository("");
    let mut agent = Agent::start(&hive).await;
    let script = "if [ -e first.txt ]; then echo 2 > second.txt; else echo 1 > first.txt; sleep 1000; fi";
    agent.api().submit(json!({"instruction": script, "id": "TASK-1"})).await;
    hive.until("the first attempt has begun", || work.join("first.txt").exists().then_some(())).await;
    agent.kill9();
    let _agent = Agent::start(&hive).await;
    let header = hive.answer("TASK-1").await.header;
    assert_eq!((header.attempts, header.files_modified), (2, vec!["second.txt".to_owned()]));
    let diff = ctl(&hive, &["show", "TASK-1", "--diff"]).await.expect(0).out;
    assert!(diff.contains("+++ b/second.txt") && !diff.contains("first.txt"), "{diff}");
}

#[tokio::test]
async fn what_a_cancelled_task_changed_is_known_too() {
    let (hive, work) = with_repository("");
    let agent = Agent::start(&hive).await;
    let script = "echo some > part.txt; sleep 1000";
    agent.api().submit(json!({"instruction": script, "id": "TASK-1"})).await;
    hive.until("it has begun", || work.join("part.txt").exists().then_some(())).await;
    agent.api().delete("tasks/TASK-1").await.ok();
    let header = hive.answer("TASK-1").await.header;
    assert_eq!((header.status.as_str(), header.files_modified), ("cancelled", vec!["part.txt".to_owned()]));
}

#[tokio::test]
async fn without_git_nothing_is_said_and_the_diff_tells_why() {
    // No repository; git switched off; no git to be found; one that it refuses.
    let (hive, _) = with_directory("");
    let (off, _) = with_repository("track_changes = false");
    let (missing, _) = with_repository("");
    let bin = missing.root().join("bin");
    fs::create_dir(&bin).unwrap();
    for tool in ["sh", "cat"] {
        let path = git(missing.root(), &["-c", &format!("alias.which=!command -v {tool}"), "which"]);
        std::os::unix::fs::symlink(path.trim(), bin.join(tool)).unwrap();
    }
    let (odd, work) = with_directory("");
    git(&work, &["init", "-q", "--bare", ".git"]);
    for (hive, path, why) in [
        (&hive, None, "the working directory is in no git work tree"),
        (&off, None, "track_changes is off in the settings"),
        (&missing, Some(bin.to_str().unwrap().to_owned()), "git is not in PATH"),
        (&odd, None, "git refuses to work there: fatal: this operation must be run in a work tree"),
    ] {
        let environment: Vec<_> = path.as_deref().map(|path| ("PATH", path)).into_iter().collect();
        let mut agent = Agent::spawn_in(hive, &[], &environment);
        agent.ready().await;
        assert_eq!(run(hive, &agent, "TASK-1", "echo x > new.txt").await, [""; 0], "{why}");
        assert_eq!(warnings(&agent, "TASK-1").await, [""; 0], "{why}");
        let none = ctl(hive, &["show", "TASK-1", "--diff"]).await.expect(4);
        assert!(none.err.contains(&format!("no diff of 'TASK-1' is kept: {why}")), "{none:?}");
        assert!(none.err.contains("hint: diffs are"), "{none:?}");
    }
    let unborn = ctl(&hive, &["show", "TASK-2", "--diff"]).await.expect(4);
    assert!(unborn.err.contains("no bot has a task or prompt 'TASK-2'"), "{unborn:?}");
}

#[tokio::test]
async fn a_live_task_has_no_diff_yet() {
    let (hive, _work) = with_repository("");
    let agent = Agent::start(&hive).await;
    agent.api().submit(json!({"instruction": "sleep 1000", "id": "TASK-1"})).await;
    agent.api().until_is("TASK-1", "running").await;
    let none = ctl(&hive, &["show", "TASK-1", "--diff"]).await.expect(4);
    assert!(none.err.contains("'TASK-1' is running: its diff is there when it has ended"), "{none:?}");
}

#[tokio::test]
async fn a_huge_change_is_named_as_far_as_is_good() {
    let (hive, _work) = with_repository("");
    let agent = Agent::start(&hive).await;
    let script = "i=0; while [ $i -lt 1100 ]; do i=$((i+1)); echo $i > n$i.txt; done; \
                  head -c 700000 /dev/zero | tr '\\0' 'x' | fold > y1; cp y1 y2; cp y1 y3";
    let changed = run(&hive, &agent, "TASK-1", script).await;
    let warnings = warnings(&agent, "TASK-1").await;
    assert_eq!(changed.len(), 1_000, "{warnings:?}");
    assert_eq!(warnings, ["it changed 1103 files; the first 1000 are named"]);
    let cut = ctl(&hive, &["show", "TASK-1", "--diff"]).await.expect(0);
    assert!(cut.err.contains("the diff is cut at 1048576 bytes"), "{}", cut.err);
    assert!(cut.out.len() <= 1 << 20 && cut.out.contains("+++ b/y1\n") && !cut.out.contains("b/y2\n"));
    assert!(cut.out.ends_with("xxx\n\\ No newline at end of file\n"), "what is there applies");
    let json = ctl(&hive, &["show", "TASK-1", "--diff", "-o", "json"]).await.expect(0).json();
    assert_eq!(json["truncated"], true);
}

#[tokio::test]
async fn names_may_be_anything() {
    let (hive, work) = with_repository("");
    let agent = Agent::start(&hive).await;
    let script = "printf 1 > 'new\nline'; printf 2 > '\"q\" é'; printf 3 > ' -z'; printf 4 > \"$(printf 'l\\377')\"; \
                  printf 5 > ':(top)x'; printf '\\033[31m\\n' > esc; rm old.txt; mkdir old.txt; echo 6 > old.txt/in; \
                  mkdir d; echo 7 > d/f; mkfifo pipe; echo 8 > closed; chmod 0 closed";
    let changed = run(&hive, &agent, "TASK-1", script).await;
    let mut names =
        vec![" -z", "\"q\" é", ":(top)x", "d/f", "esc", "l\u{fffd}", "new\nline", "old.txt", "old.txt/in"];
    // To root nothing is closed.
    if fs::read(work.join("closed")).is_ok() {
        names.insert(3, "closed");
    }
    assert_eq!(changed, names, "{:?}", warnings(&agent, "TASK-1").await);
    let changed = run(&hive, &agent, "TASK-2", "rm -r d; ln -s /tmp d; rm ' -z' 'new\nline'").await;
    assert_eq!(changed, [" -z", "d", "d/f", "new\nline"]);

    let mut terminal = Terminal::hivectl(&hive, &["show", "TASK-1", "--diff"]);
    assert_eq!(terminal.ended().await.code(), Some(0));
    let shown = |_: &str| terminal.sent().contains("\x1b[32m+\\x1b[31m\x1b[0m").then_some(());
    terminal.until("the diff is shown in colours", shown).await;
    assert!(!terminal.sent().contains("+\x1b[31m"), "what a file holds reaches no terminal as it stands");
}

#[tokio::test]
async fn no_program_that_the_repository_names_is_run() {
    let (hive, work) = with_repository("");
    let agent = Agent::start(&hive).await;
    let evil = format!("sh -c 'touch {}; cat' --", hive.root().join("evil").display());
    let hook = format!("#!/bin/sh\n{evil}\n");
    // As an agent would do it: in the middle of a task.
    let script = format!(
        "git config core.fsmonitor \"$EVIL\"; git config core.hooksPath hooks; mkdir hooks; \
         printf '%s' '{}' > hooks/post-index-change; chmod +x hooks/post-index-change; \
         for key in filter.e.clean filter.e.smudge filter.e.process diff.e.textconv diff.e.command diff.external \
         core.pager core.sshCommand; do git config $key \"$EVIL\"; done; git config filter.e.required true; \
         echo '* filter=e diff=e' > .gitattributes; echo more >> old.txt; \
         git init -q sub; git -C sub config core.fsmonitor \"$EVIL\"; echo x > sub/x",
        hook.replace('\'', "'\\''")
    );
    let script = format!("EVIL={}; {script}", shell_word(&evil));
    let expected = [".gitattributes", "hooks/post-index-change", "old.txt"];
    assert_eq!(run(&hive, &agent, "TASK-1", &script).await, expected);
    let evil = hive.root().join("evil");
    // The agent's own calls of git run them, and that is its own affair.
    let _ = fs::remove_file(&evil);
    assert_eq!(run(&hive, &agent, "TASK-2", "echo again >> old.txt; echo y > sub/x").await, ["old.txt"]);
    ctl(&hive, &["show", "TASK-2", "--diff"]).await.expect(0);
    assert!(!evil.exists());
    // It would have been, for one who takes the repository's word.
    let status = Command::new("git").args(["status"]).current_dir(&work).output();
    assert!(status.is_ok() && evil.exists());
}

fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[tokio::test]
async fn what_a_task_changed_is_taken_back_as_the_help_says_wherever_one_stands() {
    let (hive, work) = with_directory("");
    git(hive.root(), &["init", "-q"]);
    fs::create_dir(work.join("below")).unwrap();
    for name in ["here.txt", "below/there.txt"] {
        fs::write(work.join(name), "as it was\n").unwrap();
    }
    let agent = Agent::start(&hive).await;
    run(&hive, &agent, "TASK-1", "echo 1 > here.txt; echo 2 > below/there.txt; echo 3 > new.txt").await;
    let help = ctl(&hive, &["show", "--help"]).await.expect(0).out;
    let line = help.lines().find(|line| line.contains("apply -R")).expect("an example");
    let (command, _) = line.split_once('#').expect("a remark");
    let hivectl = shell_word(binary("hivectl").to_str().expect("a path in Unicode"));
    let command = command.trim().replacen("hivectl", &hivectl, 1).replace("TASK-7", "TASK-1");
    let status = Command::new("sh")
        .args(["-c", &command])
        .current_dir(work.join("below"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", hive.home())
        .status();
    assert!(status.expect("there is a shell").success());
    for name in ["here.txt", "below/there.txt"] {
        assert_eq!(fs::read_to_string(work.join(name)).unwrap(), "as it was\n");
    }
    assert!(!work.join("new.txt").exists());
}

#[tokio::test]
async fn repositories_come_in_many_shapes() {
    // No commit yet, and a working directory below the root of the work tree.
    let (hive, work) = with_directory("");
    git(hive.root(), &["init", "-q"]);
    fs::write(work.join("here.txt"), "x").unwrap();
    let agent = Agent::start(&hive).await;
    let changed =
        run(&hive, &agent, "TASK-1", "echo 1 > here.txt; echo 2 > ../above.txt; echo 3 > more.txt").await;
    assert_eq!(changed, ["here.txt", "more.txt"], "what is above is not in the working directory");
    let diff = ctl(&hive, &["show", "TASK-1", "--diff"]).await.expect(0).out;
    assert!(diff.contains("+++ b/work/here.txt"), "{diff}");

    // Names of objects of another length, and a decision to be taken there too.
    let (hive, work) = with_directory("");
    git(&work, &["init", "-q", "-b", "main", "--object-format=sha256"]);
    conflict(&work);
    let agent = Agent::start(&hive).await;
    assert_eq!(run(&hive, &agent, "TASK-1", "echo decided > a.txt; touch b.txt").await, ["a.txt", "b.txt"]);
    assert_eq!(warnings(&agent, "TASK-1").await, [""; 0]);

    // A linked work tree, with sparse and split indexes and a merge that is not decided.
    let (hive, work) = with_directory("");
    let main = hive.root().join("main");
    fs::create_dir(&main).unwrap();
    git(&main, &["init", "-q", "-b", "main"]);
    fs::create_dir(main.join("dir")).unwrap();
    for name in ["a.txt", "dir/b.txt"] {
        fs::write(main.join(name), "x\n").unwrap();
    }
    commit(&main);
    fs::remove_dir(&work).unwrap();
    git(&main, &["worktree", "add", "-q", work.to_str().unwrap(), "-b", "side"]);
    fs::write(work.join("a.txt"), "side\n").unwrap();
    commit(&work);
    fs::write(main.join("a.txt"), "main\n").unwrap();
    commit(&main);
    git(&work, &["update-index", "--split-index"]);
    let merge =
        Command::new("git").args(["merge", "main"]).current_dir(&work).env("HOME", &main).output().unwrap();
    assert!(!merge.status.success());
    let agent = Agent::start(&hive).await;
    let changed = run(&hive, &agent, "TASK-1", "echo decided > a.txt; rm dir/b.txt").await;
    assert_eq!(changed, ["a.txt", "dir/b.txt"]);
    assert_eq!(warnings(&agent, "TASK-1").await, [""; 0]);

    // A submodule: its commit is seen.
    let (hive, work) = with_repository("");
    git(&work, &["submodule", "add", "-q", main.to_str().unwrap(), "sub"]);
    commit(&work);
    let agent = Agent::start(&hive).await;
    let script = "cd sub; echo dirt > a.txt; git checkout -q --detach HEAD; \
                  git -c user.name=a -c user.email=a@b commit -q -a -m x; echo more > a.txt";
    assert_eq!(run(&hive, &agent, "TASK-1", script).await, ["sub"]);
    let diff = ctl(&hive, &["show", "TASK-1", "--diff"]).await.expect(0).out;
    assert!(diff.contains("+Subproject commit "), "{diff}");
}

#[tokio::test]
async fn a_repository_that_goes_away_is_a_warning() {
    let (hive, _work) = with_repository("");
    let agent = Agent::start(&hive).await;
    assert_eq!(run(&hive, &agent, "TASK-1", "echo x > new.txt; rm -rf .git").await, [""; 0]);
    let warnings = warnings(&agent, "TASK-1").await;
    assert!(
        warnings.len() == 1 && warnings[0].starts_with("which files it changed is not known"),
        "{warnings:?}"
    );
    ctl(&hive, &["show", "TASK-1", "--diff"]).await.expect(4);
}

#[tokio::test]
async fn a_git_that_hangs_holds_up_no_cancel_and_no_stop() {
    let (hive, work) = with_repository("");
    let path = fake_git(&hive, "#!/bin/sh\nsleep 1000 &\nwait\n");
    let mut agent = Agent::spawn_in(&hive, &[], &[("PATH", &path)]);
    agent.ready().await;
    // The daemon sees the ancestors of the task's first look: cancelled, it never begins.
    agent.api().submit(json!({"instruction": "touch ran", "id": "TASK-1"})).await;
    agent.api().until_is("TASK-1", "running").await;
    agent.api().delete("tasks/TASK-1").await.ok();
    assert_eq!(hive.answer("TASK-1").await.header.status.as_str(), "cancelled");
    assert!(!work.join("ran").exists());

    // One that has the patience runs all the same, and the next one has not to wait for it.
    assert_eq!(run(&hive, &agent, "TASK-2", "touch ran").await, [""; 0]);
    assert!(work.join("ran").exists());
    let slow = "which files it changed is not known for sure: git took more than 2.0s";
    assert_eq!(warnings(&agent, "TASK-2").await, [slow]);
    run(&hive, &agent, "TASK-3", "echo fine").await;
    let warnings = warnings(&agent, "TASK-3").await;
    assert!(warnings.len() == 1 && warnings[0].contains("is left alone for 1m"), "{warnings:?}");
    let none = ctl(&hive, &["show", "TASK-2", "--diff"]).await.expect(4);
    assert!(none.err.contains("git took more than 2.0s"), "{none:?}");

    agent.terminate();
    assert!(agent.ended().await.status.success());
    assert_eq!(agent.processes(), []);
}

#[tokio::test]
async fn a_git_that_hangs_at_the_end_holds_up_no_stop() {
    let (hive, work) = with_repository("");
    let hang = "#!/bin/sh\nif [ -e hang ]; then sleep 1000; fi\nPATH=${PATH#*:} exec git \"$@\"\n";
    let path = fake_git(&hive, hang);
    let mut agent = Agent::spawn_in(&hive, &[], &[("PATH", &path)]);
    agent.ready().await;
    let script = "trap 'exit 0' TERM; touch hang; while :; do sleep 0.02; done";
    agent.api().submit(json!({"instruction": script, "id": "TASK-1"})).await;
    hive.until("it has begun", || work.join("hang").exists().then_some(())).await;
    agent.terminate();
    let exit = agent.ended().await;
    assert!(exit.status.success(), "{exit:?}");
    assert_eq!(agent.processes(), []);
    fs::remove_file(work.join("hang")).unwrap();
    let agent = Agent::start(&hive).await;
    agent.api().until_is("TASK-1", "running").await;
    let controls: Vec<Value> = agent.api().entries("source=control").await;
    assert_eq!(controls.len(), 3, "{controls:?}");
}

#[tokio::test]
async fn files_that_would_fill_the_disk_are_not_stored() {
    let (hive, _) = with_repository("");
    let agent = Agent::start(&hive).await;
    run(&hive, &agent, "TASK-1", "truncate -s 3G huge").await;
    let warnings = warnings(&agent, "TASK-1").await;
    assert!(warnings.len() == 1 && warnings[0].contains("3221225472 bytes"), "{warnings:?}");
}
