//! File tasks that wait: their order, what they depend on, and their files.

use hive_shared::work::{Priority, Status};

use super::bench::Bench;
use super::id;
use crate::coordinator::{Ended, Event};

const DAY: f64 = 86_400.0;

fn file_missing(bench: &mut Bench, name: &str) {
    bench.tell(Event::TaskFileMissing(id(name)));
}

// Order.

#[test]
fn the_first_file_task_waits_for_the_first_full_scan() {
    let mut bench = Bench::unscanned(|_| {});
    bench.task("T1").arrives();
    bench.task("T2").priority(Priority::P0).arrives();
    bench.pass(10.0);
    bench.expect([]);
    assert!(!bench.core.has_work());
    bench.tell(Event::Scanned);
    bench.expect(["start T2"]);
}

#[test]
fn chat_does_not_wait_for_the_scan() {
    let mut bench = Bench::unscanned(|_| {});
    bench.chat("C1").prompts();
    bench.expect(["start C1", "started"]);
}

#[test]
fn tasks_run_by_priority_and_then_by_arrival() {
    let mut bench = Bench::in_task();
    for (name, priority) in
        [("A", Priority::P3), ("B", Priority::P2), ("C", Priority::P0), ("D", Priority::P2)]
    {
        bench.task(name).priority(priority).arrives();
    }
    assert_eq!(bench.core.ready_by_priority(), [1, 0, 2, 1]);
    for _ in 0..4 {
        bench.ends_well();
    }
    bench.expect([
        "end T1 as reported",
        "start C",
        "end C as reported",
        "start B",
        "end B as reported",
        "start D",
        "end D as reported",
        "start A",
    ]);
}

#[test]
fn a_task_under_which_the_daemon_crashed_too_often_is_not_started() {
    let mut bench = Bench::new();
    bench.task("T1").attempts(2).arrives();
    bench.task("T2").attempts(3).arrives();
    bench.expect(["start T1", "end T2 TooManyAttempts"]);
}

// Dependencies.

#[test]
fn a_task_waits_for_those_it_depends_on_and_runs_when_they_completed() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    bench.task("T3").priority(Priority::P0).after("T1").after("T2").after("T1").arrives();
    bench.expect(["blocked T3 on T1,T2"]);
    assert_eq!(bench.core.status_of(&id("T3")), Some(Status::Blocked));
    bench.ends_well();
    bench.expect(["end T1 as reported", "start T2"]);
    let blocked: Vec<_> = bench.core.held_back().collect();
    assert_eq!(blocked, [(&id("T3"), &[id("T2")][..])]);
    bench.ends_well();
    bench.expect(["end T2 as reported", "unblocked T3", "start T3"]);
}

#[test]
fn a_dependency_that_ends_badly_ends_all_that_wait_for_it() {
    let mut bench = Bench::in_task();
    bench.task("T2").after("T1").arrives();
    bench.task("T3").after("T2").arrives();
    bench.ends_badly();
    bench.expect([
        "blocked T2 on T1",
        "blocked T3 on T2",
        "end T1 as reported",
        "end T2 T1 Failed",
        "end T3 T2 Failed",
    ]);
    assert_eq!(bench.core.waiting_tasks(), 0);
}

#[test]
fn a_dependency_that_was_cut_has_not_completed_even_if_its_run_ended_well() {
    let mut bench = Bench::in_task();
    bench.task("T2").after("T1").arrives();
    bench.tell(Event::Interrupt);
    bench.ends_well();
    bench.expect(["blocked T2 on T1", "cancel T1", "done", "end T1 Interrupted", "end T2 T1 Failed"]);
}

#[test]
fn cancelling_a_waiting_task_ends_those_that_depend_on_it() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    bench.task("T3").after("T2").arrives();
    bench.cancel("T2");
    bench.expect(["blocked T3 on T2", "end T2 Cancelled", "done", "end T3 T2 Failed"]);
}

#[test]
fn dependencies_that_ended_before_count_as_they_ended() {
    let mut bench = Bench::new();
    bench.task("T1").after_ended("T0", Ended::Well).arrives();
    bench.task("T2").after("T1").after_ended("T0", Ended::Badly).arrives();
    bench.expect(["start T1", "end T2 T0 Failed"]);
}

#[test]
fn a_cycle_ends_the_task_that_closes_it_and_then_the_others() {
    let mut bench = Bench::new();
    bench.task("T1").after("T2").arrives();
    bench.task("T2").after("T1").arrives();
    bench.expect(["blocked T1 on T2", "end T2 T1 Cycle", "end T1 T2 Failed"]);
    bench.task("T3").after("T3").arrives();
    bench.expect(["end T3 T3 Cycle"]);
}

#[test]
fn a_task_waits_a_day_for_one_that_nobody_knows() {
    let mut bench = Bench::new();
    bench.task("T1").after("T9").arrives();
    bench.pass(DAY - 0.001);
    bench.expect(["blocked T1 on T9"]);
    bench.pass(0.001);
    bench.expect(["end T1 T9 NeverCame"]);
}

#[test]
fn a_task_that_was_given_up_is_no_stranger_to_those_who_wait_for_it() {
    let mut bench = Bench::new();
    bench.task("T1").after("T9").arrives();
    bench.task("T2").after("T1").after("T9").arrives();
    bench.pass(DAY);
    bench.expect(["blocked T1 on T9", "blocked T2 on T1,T9", "end T1 T9 NeverCame", "end T2 T1 Failed"]);
}

#[test]
fn a_task_waits_as_long_as_it_takes_for_one_that_has_come() {
    let mut bench = Bench::new();
    bench.task("T1").after("T9").arrives();
    bench.pause();
    bench.task("T9").arrives();
    bench.pass(2.0 * DAY);
    bench.resume();
    bench.expect(["blocked T1 on T9", "done", "done", "start T9"]);
    bench.ends_well();
    bench.expect(["end T9 as reported", "unblocked T1", "start T1"]);
}

#[test]
fn a_task_that_runs_is_known() {
    let mut bench = Bench::in_task();
    bench.tell(Event::ClockStopped(bench.run()));
    bench.task("T2").after("T1").arrives();
    bench.pass(2.0 * DAY);
    bench.expect(["blocked T2 on T1"]);
}

#[test]
fn a_task_that_is_suspended_is_known() {
    let mut bench = Bench::preempted();
    bench.task("T2").after("T1").arrives();
    bench.pause();
    bench.ends_well();
    bench.pass(2.0 * DAY);
    bench.expect(["blocked T2 on T1", "done", "end C1 as reported"]);
}

#[test]
fn a_task_that_was_released_waits_for_nothing_but_its_turn() {
    let mut bench = Bench::new();
    bench.task("T1").after("T9").arrives();
    bench.task("T9").arrives();
    bench.pause();
    bench.ends_well();
    bench.expect(["blocked T1 on T9", "start T9", "done", "end T9 as reported", "unblocked T1"]);
    assert_eq!(bench.core.next_deadline(), None);
}

#[test]
fn a_chat_turn_is_no_task_that_could_be_waited_for() {
    let mut bench = Bench::in_chat();
    bench.task("T1").after("C1").arrives();
    bench.ends_well();
    bench.pass(DAY);
    bench.expect(["blocked T1 on C1", "end C1 as reported", "end T1 C1 NeverCame"]);
}

#[test]
fn the_wait_of_earlier_lives_counts() {
    let mut bench = Bench::new();
    bench.task("T1").after("T9").waited(86_300).arrives();
    bench.pass(100.0);
    bench.expect(["blocked T1 on T9", "end T1 T9 NeverCame"]);
}

#[test]
fn nothing_is_given_up_before_the_first_full_scan() {
    let mut bench = Bench::unscanned(|_| {});
    bench.task("T1").after("T2").waited(1_000_000).arrives();
    bench.pass(1.0);
    bench.task("T2").arrives();
    bench.tell(Event::Scanned);
    bench.pass(1.0);
    bench.expect(["blocked T1 on T2", "start T2"]);
    bench.task("T3").after("T9").waited(1_000_000).arrives();
    bench.pass(0.0);
    bench.expect(["blocked T3 on T9", "end T3 T9 NeverCame"]);
}

// Files.

#[test]
fn a_waiting_file_that_is_gone_for_two_seconds_is_cancelled() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    file_missing(&mut bench, "T2");
    bench.pass(1.999);
    bench.expect([]);
    bench.pass(0.001);
    bench.expect(["end T2 FileRemoved"]);
}

#[test]
fn a_file_that_is_reported_missing_again_is_missing_since_the_first_time() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    file_missing(&mut bench, "T2");
    bench.pass(1.5);
    file_missing(&mut bench, "T2");
    bench.pass(0.5);
    bench.expect(["end T2 FileRemoved"]);
}

#[test]
fn a_task_whose_file_is_missing_does_not_start_until_it_is_back() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    bench.task("T3").arrives();
    file_missing(&mut bench, "T2");
    bench.ends_well();
    bench.pass(1.0);
    bench.expect(["end T1 as reported", "start T3"]);
    bench.tell(Event::TaskFileBack(id("T2")));
    bench.pass(5.0);
    bench.ends_well();
    bench.expect(["end T3 as reported", "start T2"]);
}

#[test]
fn the_file_of_a_task_that_does_not_wait_may_go() {
    let mut bench = Bench::preempted();
    file_missing(&mut bench, "T1");
    bench.pass(5.0);
    bench.ends_well();
    bench.pass(1.0);
    file_missing(&mut bench, "T1");
    bench.pass(5.0);
    bench.expect(["end C1 as reported", "resume T1"]);
}

#[test]
fn a_file_that_became_no_task_ends_it() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    bench.task("T3").after("T2").arrives();
    bench.tell(Event::TaskFileRejected(id("T2")));
    bench.tell(Event::TaskFileRejected(id("T1")));
    bench.expect(["blocked T3 on T2", "end T2 FileRejected", "end T3 T2 Failed"]);
}

#[test]
fn an_edited_task_is_read_again_and_keeps_its_place() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    bench.task("T3").arrives();
    bench.task("T4").priority(Priority::P1).arrives();
    bench.task("T2").limit(7).edited();
    bench.expect(["unblocked T2"]);
    assert!(bench.core.in_order().eq(&[id("T4"), id("T2"), id("T3")]));
    bench.task("T3").priority(Priority::P0).edited();
    assert!(bench.core.in_order().eq(&[id("T3"), id("T4"), id("T2")]));
}

#[test]
fn an_edit_may_bring_and_take_dependencies_and_close_a_cycle() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    bench.task("T3").after("T2").arrives();
    bench.task("T2").after("T1").edited();
    bench.expect(["blocked T3 on T2", "blocked T2 on T1"]);
    bench.task("T2").edited();
    bench.expect(["unblocked T2"]);
    bench.task("T2").after("T3").edited();
    bench.expect(["end T2 T3 Cycle", "end T3 T2 Failed"]);
}

#[test]
fn an_edit_of_a_missing_file_brings_it_back() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    file_missing(&mut bench, "T2");
    bench.task("T2").edited();
    bench.pass(5.0);
    bench.expect(["unblocked T2"]);
}

#[test]
fn an_edit_counts_only_while_a_task_waits() {
    let mut bench = Bench::preempted();
    bench.task("T1").priority(Priority::P0).edited();
    bench.task("T9").edited();
    bench.expect([]);
    assert_eq!(bench.core.waiting_tasks(), 0);
}

#[test]
fn a_start_that_could_not_read_its_file_is_tried_again_after_two_seconds() {
    let mut bench = Bench::in_task();
    bench.tell(Event::RunWithdrawn(bench.run()));
    assert_eq!(bench.core.status_of(&id("T1")), Some(Status::Queued));
    bench.pass(1.999);
    bench.expect([]);
    bench.pass(0.001);
    bench.expect(["start T1"]);
}

#[test]
fn a_start_that_found_no_file_ends_the_task_once_the_file_is_known_to_be_gone() {
    let mut bench = Bench::in_task();
    bench.tell(Event::RunWithdrawn(bench.run()));
    bench.pass(1.0);
    file_missing(&mut bench, "T1");
    bench.pass(1.999);
    bench.expect([]);
    bench.pass(0.001);
    bench.expect(["end T1 FileRemoved"]);
}

#[test]
fn others_start_while_a_start_that_was_withdrawn_waits() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    bench.tell(Event::RunWithdrawn(bench.run()));
    bench.expect(["start T2"]);
}

#[test]
fn a_withdrawn_start_goes_first_again_when_its_file_is_back() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    bench.task("T3").arrives();
    bench.tell(Event::RunWithdrawn(bench.run()));
    bench.tell(Event::TaskFileBack(id("T1")));
    bench.ends_well();
    bench.expect(["start T2", "end T2 as reported", "start T1"]);
}

#[test]
fn a_start_that_is_withdrawn_while_it_was_to_give_way_is_no_end_of_the_task() {
    let mut bench = Bench::yielding();
    bench.tell(Event::RunWithdrawn(bench.run()));
    bench.expect(["start C1"]);
    bench.tell(Event::TaskFileBack(id("T1")));
    bench.ends_well();
    bench.pass(1.0);
    bench.expect(["end C1 as reported", "start T1"]);
}

#[test]
fn a_start_that_is_withdrawn_while_it_was_being_ended_has_ended() {
    let mut bench = Bench::in_task();
    bench.cancel("T1");
    bench.tell(Event::RunWithdrawn(bench.run()));
    bench.expect(["cancel T1", "done", "end T1 Cancelled"]);
    let mut bench = Bench::in_task();
    bench.stop();
    bench.tell(Event::RunWithdrawn(bench.run()));
    bench.expect(["terminate T1", "done", "requeue T1", "halt"]);
}
