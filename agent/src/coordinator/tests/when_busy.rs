//! What a prompt wants when the bot is busy, in every state of the slot, and how many may wait.

use hive_shared::work::WhenBusy;

use super::bench::Bench;
use super::id;
use crate::coordinator::{Event, MAX_WAITING_CHATS};

#[test]
fn queue_never_preempts() {
    let mut bench = Bench::in_task();
    bench.chat("C1").when_busy(WhenBusy::Queue).prompts();
    bench.pass(100.0);
    bench.expect(["queued 1 asked_to_queue"]);
    bench.ends_well();
    bench.expect(["end T1 as reported", "start C1"]);
}

#[test]
fn queue_goes_ahead_of_file_work_that_does_not_run_yet() {
    let mut bench = Bench::new();
    bench.chat("C1").when_busy(WhenBusy::Queue).prompts();
    bench.expect(["start C1", "started"]);
}

#[test]
fn a_prompt_that_preempts_takes_those_that_came_first_with_it() {
    let mut bench = Bench::in_task();
    bench.chat("C1").when_busy(WhenBusy::Queue).prompts();
    bench.chat("C2").prompts();
    bench.yields();
    bench.expect([
        "queued 1 asked_to_queue",
        "suspend T1",
        "queued 2 preempting",
        "suspended T1 for C2 (1)",
        "start C1",
    ]);
}

#[test]
fn interrupt_preempts_what_the_table_spares() {
    let nearly_done = |bench: &mut Bench| bench.task("T1").limit(29).arrives();
    let uninterruptible = |bench: &mut Bench| bench.task("T1").uninterruptible().arrives();
    let preempted_often = |bench: &mut Bench| bench.task("T1").preempted(3).arrives();
    for spared in [nearly_done as fn(&mut Bench), uninterruptible, preempted_often] {
        let mut bench = Bench::new();
        spared(&mut bench);
        bench.chat("C1").when_busy(WhenBusy::Interrupt).prompts();
        bench.expect(["start T1", "suspend T1", "queued 1 preempting"]);
    }
}

#[test]
fn interrupt_supersedes_a_chat_turn_and_goes_ahead_of_those_who_wait() {
    let mut bench = Bench::in_chat();
    bench.chat("C2").prompts();
    bench.chat("C3").when_busy(WhenBusy::Interrupt).prompts();
    bench.expect(["queued 1 chat_ahead", "cancel C1", "queued 1 ending"]);
    bench.ends_badly();
    bench.expect(["end C1 Superseded", "start C3"]);
    bench.ends_well();
    bench.expect(["end C3 as reported", "start C2"]);
}

#[test]
fn interrupting_prompts_do_not_interrupt_each_other_in_the_queue() {
    let mut bench = Bench::in_chat();
    bench.chat("C2").when_busy(WhenBusy::Interrupt).prompts();
    bench.chat("C3").when_busy(WhenBusy::Interrupt).prompts();
    bench.ends_badly();
    bench.expect(["cancel C1", "queued 1 ending", "queued 2 ending", "end C1 Superseded", "start C2"]);
    bench.pass(5.0);
    bench.expect([]);
    bench.ends_well();
    bench.expect(["end C2 as reported", "start C3"]);
}

#[test]
fn interrupt_waits_for_a_pause_to_be_lifted_and_then_interrupts() {
    let mut bench = Bench::in_chat();
    bench.pause();
    bench.chat("C2").when_busy(WhenBusy::Interrupt).prompts();
    bench.expect(["done", "queued 1 paused"]);
    bench.resume();
    bench.expect(["done", "cancel C1"]);
}

#[test]
fn interrupting_prompts_that_waited_through_a_pause_do_not_interrupt_each_other() {
    let mut bench = Bench::new();
    bench.pause();
    bench.chat("C1").when_busy(WhenBusy::Interrupt).prompts();
    bench.chat("C2").when_busy(WhenBusy::Interrupt).prompts();
    bench.resume();
    bench.pass(5.0);
    bench.expect(["done", "queued 1 paused", "queued 2 paused", "done", "start C1"]);
}

#[test]
fn interrupt_lets_a_task_that_yields_already_yield() {
    let mut bench = Bench::yielding();
    bench.chat("C2").when_busy(WhenBusy::Interrupt).prompts();
    bench.yields();
    bench.expect(["queued 1 preempting", "suspended T1 for C1 (1)", "start C2"]);
    bench.pass(1.0);
    bench.expect([]);
}

#[test]
fn reject_is_refused_by_a_busy_bot_in_every_state_of_the_slot() {
    let ending = || {
        let mut bench = Bench::in_task();
        bench.tell(Event::Interrupt);
        bench
    };
    for mut bench in [Bench::in_task(), Bench::yielding(), Bench::in_chat(), Bench::preempted(), ending()] {
        bench.forget();
        bench.chat("C9").when_busy(WhenBusy::Reject).prompts();
        bench.expect(["refused Busy"]);
        assert_eq!(bench.core.status_of(&id("C9")), None);
    }
}

#[test]
fn reject_is_refused_by_a_paused_bot() {
    let mut bench = Bench::new();
    bench.pause();
    bench.chat("C1").when_busy(WhenBusy::Reject).prompts();
    bench.expect(["done", "refused Paused"]);
}

#[test]
fn reject_is_answered_by_a_bot_that_is_free() {
    let mut bench = Bench::new();
    bench.pause_tasks();
    bench.task("T1").arrives();
    bench.chat("C1").when_busy(WhenBusy::Reject).prompts();
    bench.expect(["done", "start C1", "started"]);
}

#[test]
fn chat_waits_in_a_bounded_queue() {
    let mut bench = Bench::in_chat();
    for n in 1..=MAX_WAITING_CHATS {
        bench.chat(&format!("W{n}")).prompts();
    }
    bench.forget();
    for when_busy in [WhenBusy::Auto, WhenBusy::Queue, WhenBusy::Interrupt] {
        bench.chat("C2").when_busy(when_busy).prompts();
        bench.expect(["refused QueueFull"]);
    }
    bench.ends_well();
    bench.expect(["end C1 as reported", "start W1"]);
    bench.chat("C2").prompts();
    bench.expect(["queued 100 chat_ahead"]);
}
