//! What people do to the bot: pause, interrupt, cancel and stop, in every state of the slot.

use std::time::Duration;

use hive_shared::work::{Priority, Scope, Status, WhenBusy};

use super::bench::Bench;
use super::id;
use crate::coordinator::{Cause, Event, PauseCause};

fn self_pause(bench: &mut Bench, cause: PauseCause, scope: Scope) {
    bench.tell(Event::Pause { cause, scope, now: false });
}

fn interrupt(bench: &mut Bench) {
    bench.tell(Event::Interrupt);
}

// Pause.

#[test]
fn a_pause_lets_the_current_turn_finish_and_then_nothing_starts() {
    let mut bench = Bench::in_task();
    bench.task("T2").arrives();
    bench.pause();
    bench.chat("C1").prompts();
    bench.pass(50.0);
    bench.expect(["done", "queued 1 paused"]);
    bench.ends_well();
    bench.pass(50.0);
    bench.expect(["end T1 as reported"]);
    assert!(!bench.core.has_work());
    bench.resume();
    bench.expect(["done", "start C1"]);
}

#[test]
fn a_pause_lets_a_chat_turn_finish() {
    let mut bench = Bench::preempted();
    bench.chat("C2").prompts();
    bench.pause();
    bench.ends_well();
    bench.pass(100.0);
    bench.expect(["queued 1 chat_ahead", "done", "end C1 as reported"]);
    bench.resume();
    bench.ends_well();
    bench.pass(1.0);
    bench.expect(["done", "start C2", "end C2 as reported", "resume T1"]);
}

#[test]
fn a_pause_while_a_task_yields_starts_nothing_when_it_has() {
    let mut bench = Bench::yielding();
    bench.pause();
    bench.yields();
    bench.pass(5.0);
    bench.expect(["done", "suspended T1 for C1 (1)"]);
}

#[test]
fn pause_now_suspends_a_task() {
    let mut bench = Bench::in_task();
    bench.pause_now();
    bench.yields();
    bench.pass(100.0);
    bench.expect(["suspend T1", "done", "suspended T1"]);
    assert_eq!(bench.core.suspended().unwrap().preemptions, 0);
    bench.resume();
    bench.expect(["done", "resume T1"]);
}

#[test]
fn pause_now_leaves_a_chat_turn_incomplete() {
    let mut bench = Bench::in_chat();
    bench.pause_now();
    bench.ends_badly();
    bench.expect(["cancel C1", "done", "end C1 PausedNow"]);
    assert_eq!(Cause::PausedNow.status(true), Status::Incomplete);
}

#[test]
fn pause_now_changes_nothing_about_what_is_on_its_way_out() {
    let mut bench = Bench::yielding();
    bench.pause_now();
    bench.expect(["done"]);
    let mut bench = Bench::in_task();
    interrupt(&mut bench);
    bench.pause_now();
    bench.expect(["cancel T1", "done", "done"]);
    bench.ends_badly();
    bench.expect(["end T1 Interrupted"]);
}

#[test]
fn pause_now_after_pause_makes_the_turn_give_way() {
    let mut bench = Bench::in_task();
    bench.pause();
    bench.pause_now();
    bench.expect(["done", "suspend T1", "done"]);
}

#[test]
fn a_pause_that_is_lifted_before_the_task_has_yielded_resumes_it() {
    let mut bench = Bench::in_task();
    bench.pause_now();
    bench.resume();
    bench.yields();
    bench.expect(["suspend T1", "done", "done", "suspended T1", "resume T1"]);
}

#[test]
fn pausing_tasks_holds_file_tasks_and_lets_chat_go_on() {
    let mut bench = Bench::preempted();
    bench.task("T2").arrives();
    bench.pause_tasks();
    bench.chat("C2").prompts();
    bench.ends_well();
    bench.ends_well();
    bench.pass(100.0);
    bench.expect(["done", "queued 1 chat_ahead", "end C1 as reported", "start C2", "end C2 as reported"]);
    bench.resume();
    bench.expect(["done", "resume T1"]);
}

#[test]
fn a_task_that_runs_while_tasks_are_paused_still_gives_way_to_chat() {
    let mut bench = Bench::in_task();
    bench.pause_tasks();
    bench.chat("C1").prompts();
    bench.expect(["done", "suspend T1", "queued 1 preempting"]);
}

#[test]
fn pausing_tasks_now_suspends_a_task_and_spares_a_chat_turn() {
    let tasks_now = Event::Pause { cause: PauseCause::User, scope: Scope::Tasks, now: true };
    let mut bench = Bench::in_task();
    bench.tell(tasks_now.clone());
    bench.yields();
    bench.chat("C1").prompts();
    bench.expect(["suspend T1", "done", "suspended T1", "start C1", "started"]);
    bench.tell(tasks_now);
    bench.expect(["done"]);
}

#[test]
fn a_second_pause_of_the_same_cause_replaces_the_first() {
    let mut bench = Bench::new();
    bench.pause();
    bench.chat("C1").prompts();
    bench.pause_tasks();
    bench.expect(["done", "queued 1 paused", "done", "start C1"]);
}

#[test]
fn each_reason_for_a_pause_is_lifted_alone() {
    let mut bench = Bench::new();
    bench.pause();
    self_pause(&mut bench, PauseCause::Disk, Scope::All);
    self_pause(&mut bench, PauseCause::Limit, Scope::Tasks);
    bench.task("T1").arrives();
    bench.chat("C1").prompts();
    bench.forget();
    bench.resume();
    bench.resume();
    bench.expect(["done", "done"]);
    let causes: Vec<_> = bench.core.pauses().keys().map(|cause| cause.as_str()).collect();
    assert_eq!(causes, ["disk", "limit"]);
    bench.tell(Event::Resume(PauseCause::Disk));
    bench.expect(["done", "start C1"]);
    bench.ends_well();
    bench.pass(10.0);
    bench.expect(["end C1 as reported"]);
    bench.tell(Event::Resume(PauseCause::Limit));
    bench.expect(["done", "start T1"]);
}

#[test]
fn a_paused_bot_can_be_interrupted_and_stopped() {
    let mut bench = Bench::in_task();
    bench.pause();
    interrupt(&mut bench);
    bench.expect(["done", "cancel T1", "done"]);
    bench.stop();
    bench.ends_badly();
    bench.expect(["terminate T1", "done", "end T1 Interrupted", "halt"]);
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

// Stop.

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
