//! Pausing the bot: what it lets finish, what it holds, and who lifts it.

use hive_shared::work::{Scope, Status};

use super::bench::Bench;
use crate::coordinator::{Cause, Event, PauseCause};

fn self_pause(bench: &mut Bench, cause: PauseCause, scope: Scope) {
    bench.tell(Event::Pause { cause, scope, now: false });
}

fn interrupt(bench: &mut Bench) {
    bench.tell(Event::Interrupt);
}

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
