//! Load in small; the `load` program does the same in full.

use hive_tests::load::{dropped_at_once, heard_by_a_crowd};

/// What a bot may have resident when it works, in MB: the test's build of it has more than a release's.
const MEMORY_MB: f64 = 64.0;

/// The same for one that has a crowd, each of whom may hold the last that was sent and not read.
const MEMORY_OF_A_CROWD_MB: f64 = 128.0;

#[tokio::test]
async fn many_files_at_once_run_in_order_and_chat_is_answered_meanwhile() {
    let dropped = dropped_at_once(3_000).await;
    assert!(!dropped.answers.is_empty());
    assert_eq!(dropped.overtook, 0);
    assert!(dropped.peak_memory_mb < MEMORY_MB, "{dropped:?}");
}

#[tokio::test]
async fn a_crowd_misses_nothing_and_those_who_stall_hold_up_nobody() {
    let heard = heard_by_a_crowd(100, 20, 100).await;
    assert!(heard.peak_memory_mb < MEMORY_OF_A_CROWD_MB, "{heard:?}");
}
