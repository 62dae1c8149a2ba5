//! What the machine denies the bot: notifications of files, open files (SPEC 12).

use std::process::Command;
use std::time::Duration;

use hive_tests::{Agent, Hive};
use serde_json::json;
use tokio::net::TcpStream;

use crate::scripts::AGENT;

/// Has the daemon in a user namespace of its own, in which nobody may watch files.
const NO_NOTIFICATIONS: &str = r#"exec unshare --user --map-root-user sh -c \
    'echo 0 > /proc/sys/user/max_inotify_instances; exec "$0" "$@"' "$0" "$@""#;

#[tokio::test]
async fn without_notifications_of_files_it_says_so_and_looks_by_itself() {
    let probe = "echo 0 > /proc/sys/user/max_inotify_instances";
    let may = Command::new("unshare").args(["--user", "--map-root-user", "sh", "-c", probe]).output();
    if !may.is_ok_and(|ran| ran.status.success()) {
        // The inbox's own tests have a watcher that fails wherever they run.
        eprintln!("not tried: this machine lets nobody have a user namespace");
        return;
    }
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::spawn_after(NO_NOTIFICATIONS, &hive);
    agent.ready().await;
    let api = agent.api();
    let said = api.until("it says so", async || api.control("watching").await).await;
    assert!(said["content"].as_str().unwrap().contains("every two seconds"), "{said}");
    hive.drop_task("DROP-1.md", "hello");
    assert_eq!(hive.answer("DROP-1").await.text, "you said: hello");
    hive.control("PAUSE", "");
    api.until_status("it is paused", |status| status["paused"] == true).await;
}

#[tokio::test]
async fn connections_never_take_the_files_that_work_needs() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::spawn_after("ulimit -n 96", &hive);
    agent.ready().await;
    let mut idle = Vec::new();
    for _ in 0..150 {
        idle.push(TcpStream::connect(agent.address()).await.expect("the kernel takes it"));
    }
    for n in 0..5 {
        hive.drop_task(&format!("DROP-{n}.md"), format!("number {n}"));
        assert_eq!(hive.answer(&format!("DROP-{n}")).await.text, format!("you said: number {n}"));
    }
    drop(idle);
    // Sockets are connections too, for as long as they are open.
    let mut sockets = Vec::new();
    while let Ok(chat) = tokio::time::timeout(Duration::from_secs(1), agent.chat()).await {
        sockets.push(chat);
        assert!(sockets.len() < 60, "they have a bound");
    }
    hive.drop_task("DROP-9.md", "number 9");
    assert_eq!(hive.answer("DROP-9").await.text, "you said: number 9");
    drop(sockets);
    assert_eq!(agent.api().submit(json!({"instruction": "x", "id": "LAST-1"})).await["task_id"], "LAST-1");
    assert_eq!(hive.answer("LAST-1").await.text, "you said: x");
    assert!(!agent.stderr().contains("Too many open files"), "{}", agent.stderr());
}

#[tokio::test]
async fn a_task_waits_for_room_for_its_command_and_does_not_fail() {
    let hive = Hive::exec(AGENT, "");
    hive.control("PAUSE", "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    for n in 0..3 {
        api.submit(json!({"instruction": format!("number {n}"), "id": format!("T-{n}")})).await;
    }
    // Some for what the bot itself needs, too few for three pipes.
    agent.bound_open_files(2);
    hive.lift("PAUSE");
    hive.until("it says so", || agent.stderr().contains("there is no room for its command").then_some(()))
        .await;
    assert_eq!(hive.work_file("ran.txt"), "");
    agent.bound_open_files(1_000);
    for n in 0..3 {
        assert_eq!(hive.answer(&format!("T-{n}")).await.text, format!("you said: number {n}"));
    }
}
