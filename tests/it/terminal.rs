//! hivectl in a terminal.

use hive_tests::{Agent, Hive, Terminal};

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_shows_how_it_goes_and_leaves_the_result() {
    let hive = Hive::exec("until [ -e go ]; do sleep 0.02; done; echo done", "");
    let _agent = Agent::start(&hive).await;
    let mut terminal =
        Terminal::hivectl(&hive, &["submit", "BOT-002", "Mend it", "--id", "TASK-1", "--wait"]);
    terminal.shows(" of 30m00s  BOT-002: TASK-1 is running").await;
    hive.touch("go");
    assert_eq!(terminal.ended().await.code(), Some(0));
    terminal.shows("TASK-1 of BOT-002 is completed").await;
    assert!(!terminal.screen().contains("30m00s"), "{}", terminal.screen());
}
