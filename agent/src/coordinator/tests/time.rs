//! What time brings: limits, the ladder, slow turns, and clients that left.

use std::time::Duration;

use hive_shared::work::{Status, WhenBusy};

use super::bench::Bench;
use super::id;
use crate::coordinator::{Cause, Event};

fn detach(bench: &mut Bench, name: &str) {
    bench.tell(Event::ChatDetached(id(name)));
}

fn attach(bench: &mut Bench, name: &str) {
    bench.tell(Event::ChatAttached(id(name)));
}

// The ladder.

#[test]
fn a_turn_is_asked_to_end_then_terminated_then_killed() {
    let mut bench = Bench::in_task();
    bench.tell(Event::Interrupt);
    bench.expect(["cancel T1", "done"]);
    bench.pass(4.999);
    bench.expect([]);
    bench.pass(0.001);
    bench.expect(["terminate T1"]);
    bench.pass(4.999);
    bench.expect([]);
    bench.pass(0.001);
    bench.expect(["kill T1"]);
    bench.pass(1_000.0);
    bench.expect([]);
    assert_eq!(bench.core.next_deadline(), None);
}

#[test]
fn the_slot_is_free_only_when_the_run_is_over() {
    let mut bench = Bench::in_task();
    bench.tell(Event::Interrupt);
    bench.chat("C1").prompts();
    bench.pass(60.0);
    bench.expect(["cancel T1", "done", "queued 1 ending", "terminate T1", "kill T1"]);
    bench.ends_badly();
    bench.expect(["end T1 Interrupted", "start C1"]);
}

#[test]
fn a_driver_that_is_late_still_takes_one_rung_after_the_other() {
    let mut bench = Bench::in_task();
    bench.tell(Event::Interrupt);
    bench.now = bench.now + Duration::from_mins(1);
    bench.tell(Event::Tick);
    bench.tell(Event::Tick);
    bench.expect(["cancel T1", "done", "terminate T1"]);
    bench.pass(5.0);
    bench.expect(["kill T1"]);
}

#[test]
fn a_task_that_does_not_yield_is_pushed_and_starts_anew_with_the_time_it_used() {
    let mut bench = Bench::yielding();
    bench.pass(10.0);
    bench.expect(["terminate T1", "kill T1"]);
    let run = bench.run();
    bench.ends_badly();
    bench.expect(["suspended T1 for C1 (1)", "start C1"]);
    bench.ends_well();
    bench.pass(1.0);
    bench.expect(["end C1 as reported", "start T1"]);
    assert_ne!(bench.run(), run);
    assert_eq!(bench.core.occupant(bench.now).unwrap().used, Duration::from_secs(10));
}

#[test]
fn a_task_that_was_pushed_to_yield_and_has_no_run_left_can_be_cancelled_and_stopped() {
    let without_run = || {
        let mut bench = Bench::yielding();
        bench.pass(5.0);
        bench.ends_badly();
        bench.expect(["terminate T1", "suspended T1 for C1 (1)", "start C1"]);
        bench
    };
    let mut bench = without_run();
    bench.cancel("T1");
    bench.expect(["end T1 Cancelled", "done"]);
    let mut bench = without_run();
    bench.stop();
    bench.ends_badly();
    bench.expect(["terminate C1", "requeue T1", "done", "end C1 Stopped", "halt"]);
}

#[test]
fn ending_what_was_being_pushed_to_yield_goes_on_from_the_rung_it_is_on() {
    let mut bench = Bench::yielding();
    bench.pass(5.0);
    bench.cancel("T1");
    bench.expect(["terminate T1", "done"]);
    bench.pass(5.0);
    bench.expect(["kill T1"]);
    bench.ends_badly();
    bench.expect(["end T1 Cancelled", "start C1"]);
}

// Limits.

#[test]
fn a_task_past_its_limit_is_timed_out() {
    let mut bench = Bench::in_task();
    bench.pass(599.999);
    bench.expect([]);
    bench.pass(0.001);
    bench.expect(["cancel T1"]);
    bench.ends_badly();
    bench.expect(["end T1 TimedOut"]);
    assert_eq!(Cause::TimedOut.status(true), Status::TimedOut);
}

#[test]
fn a_chat_turn_past_its_limit_is_timed_out() {
    let mut bench = Bench::new();
    bench.chat("C1").limit(5).prompts();
    bench.pass(5.0);
    bench.ends_badly();
    bench.expect(["start C1", "started", "cancel C1", "end C1 TimedOut"]);
}

#[test]
fn a_limit_counts_only_time_in_the_slot() {
    let mut bench = Bench::in_task();
    bench.pass(500.0);
    bench.chat("C1").prompts();
    bench.yields();
    bench.pass(150.0);
    bench.ends_well();
    bench.pass(1.0);
    bench.forget();
    bench.pass(99.0);
    bench.expect([]);
    bench.pass(1.0);
    bench.expect(["cancel T1"]);
}

#[test]
fn a_limit_stands_still_while_an_approval_is_open() {
    let mut bench = Bench::in_task();
    let run = bench.run();
    bench.pass(500.0);
    bench.tell(Event::ClockStopped(run));
    bench.pass(1_000.0);
    bench.expect([]);
    bench.tell(Event::ClockStarted(run));
    bench.pass(99.0);
    bench.expect([]);
    bench.pass(1.0);
    bench.expect(["cancel T1"]);
}

#[test]
fn a_task_whose_clock_stands_still_gives_way_and_its_clock_goes_on_when_it_resumes() {
    let mut bench = Bench::in_task();
    bench.tell(Event::ClockStopped(bench.run()));
    bench.pass(1_000.0);
    bench.chat("C1").prompts();
    bench.yields();
    bench.ends_well();
    bench.pass(1.0);
    bench.forget();
    bench.pass(600.0);
    bench.expect(["cancel T1"]);
}

#[test]
fn a_task_that_cannot_begin_uses_no_time_and_gives_way_whatever_would_spare_it() {
    let mut bench = Bench::new();
    bench.task("T1").limit(5).arrives();
    let run = bench.run();
    bench.chat("C1").prompts();
    bench.expect(["start T1", "queued 1 nearly_done"]);
    bench.tell(Event::RunHeldUp(run));
    bench.expect(["suspend T1"]);
    bench.yields();
    bench.ends_well();
    bench.pass(1.0);
    bench.forget();
    // It is tried again, and held up again.
    bench.tell(Event::RunHeldUp(run));
    bench.pass(1_000.0);
    bench.expect([]);
    bench.tell(Event::ClockStarted(run));
    bench.pass(5.0);
    bench.expect(["cancel T1"]);
}

#[test]
fn a_task_that_used_up_its_time_while_it_yielded_is_timed_out_when_it_resumes() {
    let mut bench = Bench::new();
    bench.task("T1").limit(5).arrives();
    bench.chat("C1").when_busy(WhenBusy::Interrupt).prompts();
    bench.pass(7.0);
    bench.yields();
    bench.ends_well();
    bench.forget();
    bench.pass(1.0);
    bench.expect(["resume T1", "cancel T1"]);
}

// Slow turns.

#[test]
fn a_chat_turn_slow_to_its_first_output_gets_one_notice() {
    let mut bench = Bench::in_chat();
    bench.pass(9.999);
    bench.expect([]);
    bench.pass(0.001);
    bench.expect(["slow C1"]);
    bench.pass(100.0);
    bench.expect([]);
}

#[test]
fn a_chat_turn_that_spoke_is_not_slow() {
    let mut bench = Bench::in_chat();
    bench.tell(Event::RunSpoke(bench.run()));
    bench.pass(100.0);
    bench.expect([]);
}

#[test]
fn a_chat_turn_that_is_being_ended_is_not_called_slow() {
    let mut bench = Bench::in_chat();
    bench.pass(9.0);
    bench.cancel("C1");
    bench.pass(3.0);
    bench.expect(["cancel C1", "done"]);
}

// Clients that left.

#[test]
fn a_turn_whose_client_left_is_cut_after_the_grace() {
    let mut bench = Bench::in_chat();
    bench.tell(Event::RunSpoke(bench.run()));
    detach(&mut bench, "C1");
    bench.pass(9.999);
    bench.expect([]);
    bench.pass(0.001);
    bench.expect(["cancel C1"]);
    bench.ends_badly();
    bench.expect(["end C1 Disconnected"]);
    assert_eq!(Cause::Disconnected.status(true), Status::Incomplete);
    assert_eq!(Cause::Disconnected.status(false), Status::Cancelled);
}

#[test]
fn a_client_that_comes_back_within_the_grace_keeps_its_turn() {
    let mut bench = Bench::in_chat();
    bench.tell(Event::RunSpoke(bench.run()));
    detach(&mut bench, "C1");
    bench.pass(9.999);
    attach(&mut bench, "C1");
    bench.pass(100.0);
    bench.expect([]);
}

#[test]
fn a_waiting_prompt_whose_client_left_is_cancelled_after_the_grace() {
    let mut bench = Bench::in_chat();
    bench.chat("C2").prompts();
    bench.chat("C3").prompts();
    detach(&mut bench, "C2");
    detach(&mut bench, "C3");
    bench.tell(Event::RunSpoke(bench.run()));
    bench.pass(9.0);
    attach(&mut bench, "C3");
    bench.pass(1.0);
    bench.expect(["queued 1 chat_ahead", "queued 2 chat_ahead", "end C2 Disconnected"]);
    bench.ends_well();
    bench.expect(["end C1 as reported", "start C3"]);
}

#[test]
fn a_prompt_whose_client_left_may_start_and_the_grace_goes_on() {
    let mut bench = Bench::in_chat();
    bench.chat("C2").prompts();
    detach(&mut bench, "C2");
    bench.pass(6.0);
    bench.ends_well();
    bench.pass(3.9);
    bench.expect(["queued 1 chat_ahead", "end C1 as reported", "start C2"]);
    bench.pass(0.1);
    bench.expect(["cancel C2"]);
}

#[test]
fn a_bot_that_is_to_finish_lets_what_a_client_left_run_on() {
    let mut bench = Bench::with(|rules| rules.finish_on_disconnect = true);
    bench.chat("C1").prompts();
    bench.chat("C2").prompts();
    bench.tell(Event::RunSpoke(bench.run()));
    detach(&mut bench, "C1");
    detach(&mut bench, "C2");
    bench.pass(100.0);
    bench.ends_well();
    bench.expect(["start C1", "started", "queued 1 chat_ahead", "end C1 as reported", "start C2"]);
}

#[test]
fn a_prompt_of_an_earlier_life_waits_for_its_client() {
    let mut bench = Bench::new();
    bench.chat("C1").restored().prompts();
    bench.task("T1").arrives();
    bench.expect(["queued 1 detached", "start T1"]);
    attach(&mut bench, "C1");
    bench.expect(["suspend T1"]);
}

#[test]
fn a_prompt_of_an_earlier_life_lets_later_ones_by() {
    let mut bench = Bench::new();
    bench.chat("C1").restored().prompts();
    bench.chat("C2").prompts();
    bench.expect(["queued 1 detached", "start C2", "started"]);
    attach(&mut bench, "C1");
    detach(&mut bench, "C1");
    bench.ends_well();
    bench.expect(["end C2 as reported", "start C1"]);
}

#[test]
fn a_prompt_of_an_earlier_life_whose_client_stays_away_is_cancelled() {
    let mut bench = Bench::new();
    bench.chat("C1").restored().prompts();
    bench.pass(10.0);
    bench.expect(["queued 1 detached", "end C1 Disconnected"]);
}

#[test]
fn a_prompt_of_an_earlier_life_is_never_refused() {
    let mut bench = Bench::in_chat();
    bench.chat("C2").restored().when_busy(WhenBusy::Reject).prompts();
    bench.expect(["queued 1 detached"]);
}

#[test]
fn prompts_of_an_earlier_life_run_on_in_a_bot_that_is_to_finish() {
    let mut bench = Bench::with(|rules| rules.finish_on_disconnect = true);
    bench.chat("C1").restored().prompts();
    bench.expect(["start C1", "started"]);
}
