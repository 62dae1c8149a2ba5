//! Kill torture in small; the `torture` program does the same for as long as one likes.

use std::time::{SystemTime, UNIX_EPOCH};

use hive_tests::torture::{Torture, Worker};

/// The seed to have again what went wrong.
const SEED: &str = "HIVE_TORTURE_SEED";

#[expect(clippy::print_stdout, reason = "a test that fails has to tell its seed")]
async fn torture(worker: Worker, kills: u32) {
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed.parse().expect("a seed is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
    };
    println!("for the same again: {SEED}={seed}");
    let toll = Torture { seed, kills, worker }.run().await;
    assert_eq!(toll.kills, kills);
    println!("{toll:?}");
}

#[tokio::test]
async fn a_bot_that_is_killed_again_and_again_owes_nothing_in_the_end() {
    torture(Worker::Exec, 10).await;
}

#[tokio::test]
async fn a_bot_that_echoes_and_is_killed_again_and_again_owes_nothing_in_the_end() {
    torture(Worker::Echo, 7).await;
}

#[tokio::test]
async fn a_bot_whose_agent_speaks_acp_and_that_is_killed_again_and_again_owes_nothing_in_the_end() {
    torture(Worker::Acp, 5).await;
}
