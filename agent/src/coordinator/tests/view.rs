//! What those see who look, beside how each item stands.

use std::collections::BTreeSet;
use std::time::Duration;

use super::bench::Bench;
use super::id;
use crate::coordinator::{Cause, Moment};

#[test]
fn prompts_that_wait_have_their_places() {
    let mut bench = Bench::in_chat();
    bench.chat("C2").prompts();
    bench.chat("C3").prompts();
    let places = ["C1", "C2", "C3"].map(|name| bench.core.place_of_chat(&id(name)));
    assert_eq!(places, [None, Some(1), Some(2)]);
}

#[test]
fn a_bot_is_stopping_from_the_stop_on() {
    let mut bench = Bench::in_task();
    assert!(!bench.core.is_stopping());
    bench.stop();
    assert!(bench.core.is_stopping());
}

#[test]
fn a_bot_has_work_while_something_runs() {
    let mut bench = Bench::new();
    assert!(!bench.core.has_work());
    bench.chat("C1").prompts();
    assert!(bench.core.has_work());
    bench.pause();
    assert!(bench.core.has_work(), "the turn goes on");
    bench.ends_well();
    assert!(!bench.core.has_work());
}

#[test]
fn a_bot_has_work_while_a_task_waits_for_nothing_but_its_time() {
    let mut bench = Bench::in_chat();
    bench.task("T1").arrives();
    bench.ends_well();
    bench.expect(["end C1 as reported"]);
    assert!(bench.core.has_work(), "it starts after the linger");
    bench.pause_tasks();
    assert!(!bench.core.has_work());
}

#[test]
fn a_moment_is_so_long_after_the_start() {
    let after = Duration::from_millis(1_500);
    assert_eq!(Moment::from_start(after).since_start(), after);
}

#[test]
fn each_cause_is_told_in_words_and_a_code_of_its_own() {
    let all = [
        Cause::Cancelled,
        Cause::Interrupted,
        Cause::Superseded,
        Cause::TimedOut,
        Cause::Disconnected,
        Cause::PausedNow,
        Cause::Stopped,
    ];
    let words: BTreeSet<&str> = all.iter().map(|cause| cause.message()).collect();
    let codes: BTreeSet<&str> = all.iter().map(|cause| cause.code()).collect();
    assert_eq!((words.len(), codes.len()), (all.len(), all.len()));
    assert!(words.iter().all(|words| words.contains(' ')));
}
