//! Task files: dropped, edited, moved (SPEC 2 and 3).

use hive_tests::{Agent, Hive};

#[tokio::test]
async fn a_dropped_file_runs_and_is_archived() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "# Say hello\n**Priority:** P1\n\nhello there\n");
    let response = hive.answer("TASK-1").await;
    assert!(response.header.success);
    assert!(response.text.contains("hello there"));
    hive.until("the file is in the archive", || hive.archived("TASK-1.md")).await;
    assert!(!hive.is_in_queue("TASK-1.md"));
    let task = agent.api().until_is("TASK-1", "completed").await;
    assert_eq!(task["priority"], "P1");
}
