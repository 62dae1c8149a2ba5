//! What people do to one item, or to what holds the slot: interrupt, cancel, prioritize.

use hive_shared::work::{Priority, Status};

use super::bench::Bench;
use super::id;
use crate::coordinator::{Cause, Event};

fn interrupt(bench: &mut Bench) {
    bench.tell(Event::Interrupt);
}

// Interrupt.

#[test]
fn interrupt_ends_what_holds_the_slot_and_the_queue_goes_on() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    interrupt(&mut bench);
    bench.ends_badly();
    bench.expect(["cancel T1", "done", "end T1 Interrupted", "start T2"]);
    assert_eq!(Cause::Interrupted.status(true), Status::Cancelled);
    assert_eq!(Cause::Interrupted.code(), "interrupted");
}

#[test]
fn interrupt_ends_a_chat_turn_and_the_suspended_task_goes_on() {
    let mut bench = Bench::preempted();
    interrupt(&mut bench);
    bench.ends_badly();
    bench.pass(1.0);
    bench.expect(["cancel C1", "done", "end C1 Interrupted", "resume T1"]);
}

#[test]
fn interrupt_ends_a_task_that_was_to_give_way() {
    let mut bench = Bench::yielding();
    interrupt(&mut bench);
    bench.ends_badly();
    bench.expect(["cancel T1", "done", "end T1 Interrupted", "start C1"]);
}

#[test]
fn interrupt_of_what_ends_already_changes_nothing() {
    let mut bench = Bench::in_task();
    bench.cancel("T1");
    interrupt(&mut bench);
    bench.ends_badly();
    bench.expect(["cancel T1", "done", "done", "end T1 Cancelled"]);
}

#[test]
fn interrupt_of_an_idle_bot_is_refused() {
    let mut bench = Bench::new();
    interrupt(&mut bench);
    bench.expect(["refused Idle"]);
}

#[test]
fn what_yields_while_it_is_being_ended_keeps_the_slot_until_it_is_over() {
    let mut bench = Bench::yielding();
    interrupt(&mut bench);
    bench.yields();
    bench.expect(["cancel T1", "done"]);
    bench.pass(10.0);
    bench.ends_badly();
    bench.expect(["terminate T1", "kill T1", "end T1 Interrupted", "start C1"]);
}

// Cancel.

#[test]
fn cancel_removes_a_waiting_task() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    bench.cancel("T2");
    bench.ends_well();
    bench.expect(["end T2 Cancelled", "done", "end T1 as reported"]);
    assert_eq!(bench.core.status_of(&id("T2")), None);
}

#[test]
fn cancel_removes_a_waiting_prompt() {
    let mut bench = Bench::in_chat();
    bench.chat("C2").prompts();
    bench.cancel("C2");
    bench.ends_well();
    bench.expect(["queued 1 chat_ahead", "end C2 Cancelled", "done", "end C1 as reported"]);
}

#[test]
fn cancel_ends_what_runs() {
    for mut bench in [Bench::in_task(), Bench::yielding()] {
        bench.cancel("T1");
        bench.expect(["cancel T1", "done"]);
        assert_eq!(bench.core.status_of(&id("T1")), Some(Status::Running));
        bench.ends_well();
        bench.tell(Event::Tick);
        assert_eq!(bench.core.status_of(&id("T1")), None);
    }
    let mut bench = Bench::in_chat();
    bench.cancel("C1");
    bench.ends_well();
    bench.expect(["cancel C1", "done", "end C1 Cancelled"]);
}

#[test]
fn cancel_ends_a_suspended_task_at_once_and_the_chat_turn_goes_on() {
    let mut bench = Bench::preempted();
    bench.cancel("T1");
    bench.expect(["kill T1", "done"]);
    bench.cancel("T1");
    bench.expect(["done"]);
    bench.is_over("T1");
    bench.expect(["end T1 Cancelled"]);
    bench.ends_well();
    bench.expect(["end C1 as reported"]);
}

#[test]
fn no_file_work_starts_before_a_cancelled_suspended_task_is_gone() {
    let mut bench = Bench::preempted();
    bench.task("T2").arrives();
    bench.cancel("T1");
    bench.ends_well();
    bench.pass(10.0);
    bench.expect(["kill T1", "done", "end C1 as reported"]);
    bench.chat("C2").prompts();
    bench.expect(["start C2", "started"]);
    bench.ends_well();
    bench.pass(10.0);
    bench.is_over("T1");
    bench.expect(["end C2 as reported", "end T1 Cancelled", "start T2"]);
}

#[test]
fn a_suspended_task_whose_agent_dies_has_ended_by_itself() {
    let mut bench = Bench::preempted();
    bench.is_over("T1");
    bench.expect(["end T1 as reported"]);
}

#[test]
fn cancel_twice_is_fine_and_what_is_not_known_is_refused() {
    let mut bench = Bench::in_task();
    bench.cancel("T1");
    bench.cancel("T1");
    bench.cancel("T9");
    bench.expect(["cancel T1", "done", "done", "refused Unknown"]);
}

// Priorities.

#[test]
fn a_priority_changes_only_while_a_task_waits() {
    let prioritize = |bench: &mut Bench, name| bench.tell(Event::Prioritize(id(name), Priority::P0));
    let mut bench = Bench::preempted();
    bench.task("T2").arrives();
    bench.task("T3").arrives();
    prioritize(&mut bench, "T3");
    prioritize(&mut bench, "T1");
    prioritize(&mut bench, "C1");
    prioritize(&mut bench, "T9");
    bench.expect(["done", "refused NotWaiting", "refused NotWaiting", "refused Unknown"]);
    assert!(bench.core.in_order().eq(&[id("T3"), id("T2")]));
    bench.ends_well();
    bench.pass(1.0);
    prioritize(&mut bench, "T1");
    bench.ends_well();
    bench.expect(["end C1 as reported", "resume T1", "refused NotWaiting", "end T1 as reported", "start T3"]);
}
