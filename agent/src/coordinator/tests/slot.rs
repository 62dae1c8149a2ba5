//! The table of SPEC 5: what holds the slot, what arrives, what happens.

use std::time::Duration;

use hive_shared::work::{Priority, Source, Status};

use super::bench::Bench;
use super::id;
use crate::coordinator::Event;

/// What `preempted()` leaves behind, gone on: C1 answered, T1 at work again.
fn resumed() -> Bench {
    let mut bench = Bench::preempted();
    bench.ends_well();
    bench.pass(1.0);
    bench.expect(["end C1 as reported", "resume T1"]);
    bench
}

/// T1 gives way to a prompt, which is answered at once; then it resumes.
fn give_way(bench: &mut Bench, chat: &str) {
    bench.chat(chat).prompts();
    bench.yields();
    bench.ends_well();
    bench.pass(1.0);
}

#[test]
fn an_idle_bot_answers_at_once() {
    let mut bench = Bench::new();
    bench.chat("C1").prompts();
    bench.expect(["start C1", "started"]);
}

#[test]
fn an_idle_bot_starts_a_task_at_once() {
    let mut bench = Bench::new();
    bench.task("T1").arrives();
    bench.expect(["start T1"]);
}

#[test]
fn a_task_with_less_than_the_grace_left_is_not_preempted() {
    let mut bench = Bench::new();
    bench.task("T1").limit(60).arrives();
    bench.pass(30.001);
    bench.chat("C1").prompts();
    bench.expect(["start T1", "queued 1 nearly_done"]);
    bench.ends_well();
    bench.expect(["end T1 as reported", "start C1"]);
}

#[test]
fn a_task_with_the_grace_left_is_preempted_and_resumes_after() {
    let mut bench = Bench::new();
    bench.task("T1").limit(60).arrives();
    bench.pass(30.0);
    bench.chat("C1").prompts();
    bench.expect(["start T1", "suspend T1", "queued 1 preempting"]);
    bench.yields();
    bench.expect(["suspended T1 for C1 (1)", "start C1"]);
    bench.ends_well();
    bench.pass(1.0);
    bench.expect(["end C1 as reported", "resume T1"]);
}

#[test]
fn a_task_that_is_not_interruptible_is_waited_for_and_the_sender_is_told() {
    let mut bench = Bench::new();
    bench.task("T1").uninterruptible().arrives();
    bench.chat("C1").prompts();
    bench.expect(["start T1", "queued 1 not_interruptible"]);
    bench.ends_well();
    bench.expect(["end T1 as reported", "start C1"]);
}

#[test]
fn a_fourth_preemption_is_refused_and_the_sender_is_told() {
    let mut bench = Bench::new();
    bench.task("T1").arrives();
    for chat in ["C1", "C2", "C3"] {
        give_way(&mut bench, chat);
        bench.pass(60.0);
    }
    assert_eq!(bench.core.occupant(bench.now).unwrap().preemptions, 3);
    bench.forget();
    bench.chat("C4").prompts();
    bench.expect(["queued 1 preempted_too_often"]);
}

#[test]
fn preemptions_of_earlier_lives_count() {
    let mut bench = Bench::new();
    bench.task("T1").preempted(3).arrives();
    bench.chat("C1").prompts();
    bench.expect(["start T1", "queued 1 preempted_too_often"]);
}

#[test]
fn chat_turns_take_their_turns_first_come_first_served() {
    let mut bench = Bench::in_chat();
    bench.chat("C2").prompts();
    bench.chat("C3").prompts();
    bench.expect(["queued 1 chat_ahead", "queued 2 chat_ahead"]);
    bench.ends_well();
    bench.ends_well();
    bench.expect(["end C1 as reported", "start C2", "end C2 as reported", "start C3"]);
}

#[test]
fn a_file_task_waits_until_no_chat_is_waiting() {
    let mut bench = Bench::in_chat();
    bench.chat("C2").prompts();
    bench.task("T1").priority(Priority::P0).arrives();
    bench.ends_well();
    bench.expect(["queued 1 chat_ahead", "end C1 as reported", "start C2"]);
    bench.ends_well();
    bench.pass(1.0);
    bench.expect(["end C2 as reported", "start T1"]);
}

#[test]
fn a_running_task_does_not_give_way_to_a_more_urgent_one() {
    let mut bench = Bench::in_task();
    bench.task("T2").priority(Priority::P1).arrives();
    bench.task("T3").priority(Priority::P0).arrives();
    bench.pass(5.0);
    bench.expect([]);
    bench.ends_well();
    bench.expect(["end T1 as reported", "start T3"]);
}

#[test]
fn a_suspended_task_is_the_next_file_work_whatever_else_waits() {
    let mut bench = Bench::preempted();
    bench.task("T2").priority(Priority::P0).arrives();
    bench.ends_well();
    bench.pass(1.0);
    bench.expect(["end C1 as reported", "resume T1"]);
    bench.ends_well();
    bench.expect(["end T1 as reported", "start T2"]);
}

#[test]
fn a_suspended_task_keeps_its_run_and_the_time_it_used() {
    let mut bench = Bench::in_task();
    let run = bench.run();
    bench.pass(100.0);
    bench.chat("C1").prompts();
    bench.yields();
    bench.pass(200.0);
    let suspended = bench.core.suspended().unwrap();
    assert_eq!((suspended.used, suspended.preemptions), (Duration::from_secs(100), 1));
    assert_eq!(bench.core.status_of(&id("T1")), Some(Status::Suspended));
    bench.ends_well();
    bench.pass(11.0);
    let occupant = bench.core.occupant(bench.now).unwrap();
    assert_eq!((occupant.source, occupant.used), (Source::File, Duration::from_secs(110)));
    assert_eq!(bench.run(), run);
}

#[test]
fn file_work_lingers_for_the_next_word() {
    let mut bench = Bench::preempted();
    bench.ends_well();
    bench.pass(0.999);
    bench.expect(["end C1 as reported"]);
    bench.chat("C2").prompts();
    bench.expect(["start C2", "started"]);
    bench.ends_well();
    bench.pass(0.999);
    bench.expect(["end C2 as reported"]);
    bench.pass(0.001);
    bench.expect(["resume T1"]);
}

#[test]
fn file_tasks_cool_down_and_chat_does_not_wait_for_that() {
    let mut bench = Bench::with(|rules| rules.task_cooldown = Duration::from_secs(5));
    bench.task("T1").arrives();
    bench.task("T2").arrives();
    bench.ends_well();
    bench.pass(4.999);
    bench.expect(["start T1", "end T1 as reported"]);
    bench.chat("C1").prompts();
    bench.ends_well();
    bench.expect(["start C1", "started", "end C1 as reported"]);
    bench.pass(1.0);
    bench.expect(["start T2"]);
}

#[test]
fn a_short_linger_does_not_shorten_a_long_cool_down() {
    let mut bench = Bench::with(|rules| rules.task_cooldown = Duration::from_mins(1));
    bench.task("T1").arrives();
    bench.task("T2").arrives();
    bench.ends_well();
    bench.chat("C1").prompts();
    bench.ends_well();
    bench.pass(59.9);
    bench.expect(["start T1", "end T1 as reported", "start C1", "started", "end C1 as reported"]);
    bench.pass(0.1);
    bench.expect(["start T2"]);
}

#[test]
fn a_conversation_of_several_prompts_counts_once() {
    let mut bench = resumed();
    bench.pass(58.0);
    give_way(&mut bench, "C2");
    bench.expect([
        "suspend T1",
        "queued 1 preempting",
        "suspended T1 for C2 (1)",
        "start C2",
        "end C2 as reported",
        "resume T1",
    ]);
    // The minute counts from the end of the last turn, not from the first preemption.
    bench.pass(58.0);
    bench.chat("C3").prompts();
    bench.yields();
    bench.expect(["suspend T1", "queued 1 preempting", "suspended T1 for C3 (1)", "start C3"]);
}

#[test]
fn a_minute_after_the_last_word_another_conversation_begins() {
    let mut bench = resumed();
    bench.pass(59.0);
    bench.chat("C2").prompts();
    bench.yields();
    bench.expect(["suspend T1", "queued 1 preempting", "suspended T1 for C2 (2)", "start C2"]);
}

#[test]
fn a_long_turn_does_not_end_a_conversation() {
    let mut bench = Bench::preempted();
    bench.pass(200.0);
    bench.ends_well();
    bench.pass(30.0);
    bench.expect(["slow C1", "end C1 as reported", "resume T1"]);
    bench.chat("C2").prompts();
    bench.yields();
    bench.expect(["suspend T1", "queued 1 preempting", "suspended T1 for C2 (1)", "start C2"]);
}

#[test]
fn a_conversation_goes_on_with_a_task_that_was_preempted_often_enough() {
    let mut bench = Bench::new();
    bench.task("T1").preempted(2).arrives();
    give_way(&mut bench, "C1");
    assert_eq!(bench.core.occupant(bench.now).unwrap().preemptions, 3);
    bench.pass(58.0);
    bench.forget();
    bench.chat("C2").prompts();
    bench.expect(["suspend T1", "queued 1 preempting"]);
}

#[test]
fn a_preemption_belongs_to_the_conversation_in_which_it_was_asked_for() {
    let mut bench = Bench::new();
    bench.task("T1").preempted(2).arrives();
    give_way(&mut bench, "C1");
    bench.pass(58.0);
    bench.forget();
    bench.chat("C2").prompts();
    bench.pass(4.0);
    bench.yields();
    bench.expect(["suspend T1", "queued 1 preempting", "suspended T1 for C2 (3)", "start C2"]);
}

#[test]
fn another_task_in_the_same_conversation_is_counted_for_itself() {
    let mut bench = resumed();
    bench.task("T2").arrives();
    bench.ends_well();
    bench.chat("C2").prompts();
    bench.yields();
    bench.expect([
        "end T1 as reported",
        "start T2",
        "suspend T2",
        "queued 1 preempting",
        "suspended T2 for C2 (1)",
        "start C2",
    ]);
}

#[test]
fn a_task_that_ends_instead_of_yielding_has_ended() {
    let mut bench = Bench::yielding();
    bench.ends_well();
    bench.expect(["end T1 as reported", "start C1"]);
}

#[test]
fn a_task_that_gave_way_for_a_prompt_that_was_taken_back_resumes_at_once() {
    let mut bench = Bench::yielding();
    bench.cancel("C1");
    bench.yields();
    bench.expect(["end C1 Cancelled", "done", "suspended T1 for C1 (1)", "resume T1"]);
}

#[test]
fn at_most_one_task_is_suspended_while_others_wait() {
    let mut bench = resumed();
    bench.task("T2").priority(Priority::P0).arrives();
    bench.chat("C2").prompts();
    bench.yields();
    bench.expect(["suspend T1", "queued 1 preempting", "suspended T1 for C2 (1)", "start C2"]);
    bench.ends_well();
    bench.pass(1.0);
    bench.expect(["end C2 as reported", "resume T1"]);
}

#[test]
fn a_run_that_is_not_known_changes_nothing() {
    let mut bench = Bench::preempted();
    let (task, chat) = (bench.run_of("T1"), bench.run());
    bench.ends_well();
    bench.expect(["end C1 as reported"]);
    for event in [Event::RunSuspended(chat), Event::RunSpoke(chat), Event::RunWithdrawn(chat)] {
        bench.tell(event);
    }
    bench.tell(Event::RunSuspended(task));
    bench.expect([]);
    assert_eq!(bench.core.suspended().unwrap().item, id("T1"));
}
