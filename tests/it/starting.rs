//! SPEC 10: what a bot that is started in the background has of whoever starts it.

use std::fs::{self, File};
use std::process::Stdio;

use hive_tests::{Hive, binary, control, ctl, finish};
use tokio::process::Command;

#[tokio::test]
async fn a_bot_keeps_nothing_open_that_was_so_where_it_was_started() {
    let hive = Hive::exec("cat >/dev/null; ls /proc/self/fd", "");
    let lock = hive.root().join("x.lock");
    let script = format!(
        "exec 7>'{}'; flock -n 7 || exit 9; ('{}' up BOT-002 3>&1 8</dev/zero) | cat",
        lock.display(),
        binary("hivectl").display()
    );
    // It is given what hivectl is given in the tests, and ends as its pipe does.
    let like = control(&hive, &[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(hive.root()).env_clear();
    shell.envs(like.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let ended = finish(shell.spawn().expect("sh is there"));
    let up = tokio::time::timeout(hive_tests::DEADLINE, ended).await.expect("the pipe is at its end");
    assert!(up.out.starts_with("BOT-002 is up"), "{up:?}");
    assert!(fs::metadata(&lock).is_ok() && File::open(&lock).expect("it is ours").try_lock().is_ok());
    ctl(&hive, &["submit", "BOT-002", "look", "--id", "T1", "--wait"]).await.expect(0);
    let mut open: Vec<u32> =
        hive.answer("T1").await.text.lines().filter_map(|line| line.parse().ok()).collect();
    open.sort_unstable();
    assert_eq!(open, [0, 1, 2, 3], "the last one is that of 'ls'");
    ctl(&hive, &["down"]).await.expect(0);
}

#[tokio::test]
async fn an_agent_cannot_start_a_bot_that_would_end_with_its_turn() {
    let script = format!("cat >/dev/null; '{}' up BOT-003 2>&1; echo $?", binary("hivectl").display());
    let hive = Hive::exec(&script, "[bots.BOT-003]\nadapter = \"echo\"");
    ctl(&hive, &["up", "BOT-002"]).await.expect(0);
    ctl(&hive, &["submit", "BOT-002", "start it", "--id", "T1", "--wait"]).await.expect(0);
    let said = hive.answer("T1").await.text;
    assert!(said.contains("BOT-003 would end with the turn of the bot that runs this"), "{said}");
    assert!(said.contains("start it from outside") && said.trim_end().ends_with('7'), "{said}");
    // One that is up already stays up.
    ctl(&hive, &["up", "BOT-003"]).await.expect(0);
    ctl(&hive, &["submit", "BOT-002", "start it", "--id", "T2", "--wait"]).await.expect(0);
    let said = hive.answer("T2").await.text;
    assert!(said.contains("BOT-003 was up already"), "{said}");
    ctl(&hive, &["down"]).await.expect(0);
}
