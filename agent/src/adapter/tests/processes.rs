//! Processes that a command leaves, and those that are not its own.

use super::*;

#[tokio::test]
async fn background_processes_may_finish_but_not_stay() {
    let mut subject = start(sh("(sleep 0.05; echo late) & echo early"), "");
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "early\nlate\n");

    let mut subject =
        start(sh("(trap '' TERM; sleep 1000; sleep 1000) & setsid sleep 1000 & echo early"), "");
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "early\n");
}

#[tokio::test]
async fn dead_orphans_do_not_stay_while_a_run_goes_on() {
    let reaper = tokio::spawn(process::reap_orphans());
    let mut subject = start(sh("(setsid sh -c 'echo $$' &); (sh -c 'echo $$' &); exec sleep 1000"), "");
    let first = subject.said(|line| Some(line.to_owned())).await;
    let second = subject.said(|line| (line != first).then(|| line.to_owned())).await;
    until("both orphans are reaped", || state(&first).is_none() && state(&second).is_none()).await;
    subject.run.control(Control::Kill);
    assert!(subject.ended().await.is_err());
    reaper.abort();
}

#[tokio::test]
async fn other_children_of_the_daemon_are_left_alone() {
    let mut other = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let mut subject = start(sh("echo ready; sleep 1000"), "");
    subject.said_line("ready").await;
    subject.suspended().await;
    assert_ne!(state(&other.id().to_string()), Some('T'));
    subject.run.control(Control::Kill);
    assert!(subject.ended().await.is_err());
    assert!(other.try_wait().unwrap().is_none());
    other.kill().unwrap();
    other.wait().unwrap();
}
