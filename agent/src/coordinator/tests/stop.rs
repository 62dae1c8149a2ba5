//! Stopping the bot: at once, or after the current turn.

use std::time::Duration;

use hive_shared::work::{Status, WhenBusy};

use super::bench::Bench;
use super::id;
use crate::coordinator::{Cause, Event};

fn interrupt(bench: &mut Bench) {
    bench.tell(Event::Interrupt);
}

#[test]
fn stop_of_an_idle_bot_halts_at_once() {
    for drain in [false, true] {
        let mut bench = Bench::new();
        bench.tell(Event::Stop { drain });
        bench.expect(["done", "halt"]);
        bench.stop();
        bench.drain();
        bench.pass(10.0);
        bench.expect(["done", "done"]);
    }
}

#[test]
fn stop_sends_a_running_task_back_to_the_queue_within_a_second() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    bench.stop();
    bench.expect(["terminate T1", "done"]);
    assert!(bench.core.is_stopping());
    bench.pass(0.5);
    bench.expect(["kill T1"]);
    bench.ends_badly();
    bench.pass(100.0);
    bench.expect(["requeue T1", "halt"]);
}

#[test]
fn stop_requeues_even_a_task_that_ends_well_in_the_meantime() {
    let mut bench = Bench::in_task();
    bench.stop();
    bench.ends_well();
    bench.expect(["terminate T1", "done", "requeue T1", "halt"]);
}

#[test]
fn stop_leaves_a_chat_turn_incomplete_and_kills_the_suspended_task_meanwhile() {
    let mut bench = Bench::preempted();
    bench.stop();
    bench.expect(["terminate C1", "kill T1", "done"]);
    bench.is_over("T1");
    bench.ends_badly();
    bench.expect(["requeue T1", "end C1 Stopped", "halt"]);
    assert_eq!(Cause::Stopped.status(true), Status::Incomplete);
}

#[test]
fn stop_of_a_task_that_yields_requeues_it() {
    let mut bench = Bench::yielding();
    bench.stop();
    bench.yields();
    bench.pass(0.5);
    bench.ends_badly();
    bench.expect(["terminate T1", "done", "kill T1", "requeue T1", "halt"]);
}

#[test]
fn stop_of_a_task_that_was_being_cancelled_leaves_it_cancelled() {
    let mut bench = Bench::in_task();
    bench.cancel("T1");
    bench.stop();
    bench.ends_badly();
    bench.expect(["cancel T1", "done", "terminate T1", "done", "end T1 Cancelled", "halt"]);
    let mut bench = Bench::preempted();
    bench.cancel("T1");
    bench.stop();
    bench.ends_badly();
    bench.expect(["kill T1", "done", "terminate C1", "done", "end C1 Stopped"]);
    bench.is_over("T1");
    bench.expect(["end T1 Cancelled", "halt"]);
}

#[test]
fn stop_does_not_climb_down_a_ladder_that_was_climbed() {
    let mut bench = Bench::in_task();
    interrupt(&mut bench);
    bench.pass(6.0);
    bench.stop();
    bench.pass(0.5);
    bench.expect(["cancel T1", "done", "terminate T1", "done", "kill T1"]);
    bench.pass(10.0);
    bench.expect([]);
    let mut bench = Bench::in_task();
    interrupt(&mut bench);
    bench.pass(10.0);
    bench.stop();
    bench.pass(10.0);
    bench.expect(["cancel T1", "done", "terminate T1", "kill T1", "done"]);
}

#[test]
fn a_halting_bot_starts_nothing_and_takes_no_prompt() {
    let mut bench = Bench::in_task();
    bench.stop();
    bench.chat("C1").prompts();
    bench.chat("C2").when_busy(WhenBusy::Interrupt).prompts();
    bench.task("T2").arrives();
    bench.ends_badly();
    bench.expect(["terminate T1", "done", "refused Stopping", "refused Stopping", "requeue T1", "halt"]);
    bench.chat("C3").prompts();
    bench.expect(["refused Stopping"]);
}

#[test]
fn a_drain_lets_the_current_turn_finish_first() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    bench.drain();
    bench.chat("C1").prompts();
    bench.pass(100.0);
    bench.expect(["done", "refused Stopping"]);
    bench.ends_well();
    bench.expect(["end T1 as reported", "halt"]);
}

#[test]
fn a_draining_turn_does_not_give_way_to_a_client_that_comes_back() {
    let mut bench = Bench::in_task();
    bench.chat("C1").restored().prompts();
    bench.drain();
    bench.tell(Event::ChatAttached(id("C1")));
    bench.expect(["queued 1 detached", "done"]);
    bench.ends_well();
    bench.expect(["end T1 as reported", "halt"]);
}

#[test]
fn a_drain_sends_the_suspended_task_back_to_the_queue_after_the_chat_turn() {
    let mut bench = Bench::preempted();
    bench.drain();
    bench.pass(5.0);
    bench.expect(["done"]);
    bench.ends_well();
    bench.expect(["end C1 as reported", "kill T1"]);
    bench.is_over("T1");
    bench.expect(["requeue T1", "halt"]);
}

#[test]
fn prompts_that_wait_when_the_bot_halts_are_kept_for_its_next_life() {
    let mut bench = Bench::yielding();
    bench.drain();
    bench.yields();
    bench.expect(["done", "suspended T1 for C1 (1)", "kill T1"]);
    bench.is_over("T1");
    bench.expect(["requeue T1", "halt"]);
    assert_eq!(bench.core.waiting_chats(), 1);
}

#[test]
fn a_stop_hurries_a_drain_and_a_drain_does_not_slow_a_stop() {
    let mut bench = Bench::in_task();
    bench.drain();
    bench.stop();
    bench.drain();
    bench.pass(0.5);
    bench.expect(["done", "terminate T1", "done", "done", "kill T1"]);
    assert_eq!(bench.core.occupant(bench.now).unwrap().used, Duration::from_millis(500));
}
