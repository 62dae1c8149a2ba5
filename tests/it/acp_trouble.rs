//! The acp adapter with an agent that misbehaves as real ones do (SPEC 6 and 12).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use hive_tests::{Agent, Hive, Response, binary};
use serde_json::{Value, json};

use crate::acp::{times, until_logged};

/// What becomes of a task with these words.
async fn ended(settings: &str, flags: &[&str], words: &str) -> (Hive, Response) {
    let hive = Hive::acp(flags, settings);
    let _agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", words);
    let response = hive.answer("TASK-1").await;
    (hive, response)
}

/// How a task fails with these words: its code and its message.
async fn fails(flags: &[&str], words: &str) -> (String, String) {
    let (_, response) = ended("", flags, words).await;
    assert_eq!(response.header.status.as_str(), "failed", "{response:?}");
    (response.header.error_code.expect("a code"), response.header.error.expect("a message"))
}

/// A bot in the middle of a task with these words.
async fn amid(words: &str) -> (Hive, Agent) {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", words);
    hive.until("the agent works", || {
        hive.names_in(hive.root()).iter().any(|n| n.starts_with("session-")).then_some(())
    })
    .await;
    (hive, agent)
}

/// A task with these words gives way to a chat, and goes on.
async fn gives_way(words: &str) -> (Hive, Response) {
    let (hive, agent) = amid(words).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    assert_eq!(chat.turn("CHAT-1").await.text(), "you said: hello");
    hive.touch("go");
    let response = hive.answer("TASK-1").await;
    assert_eq!((response.header.status.as_str(), response.header.preemptions), ("completed", 1));
    (hive, response)
}

#[tokio::test]
async fn a_cancel_that_is_lost_is_sent_again() {
    let (hive, response) = gives_way("hard-of-hearing").await;
    assert!(times(&hive, "session/cancel") >= 2);
    assert_eq!(response.text, "begun\nbegun\ndone\n");
}

#[tokio::test]
async fn an_end_of_turn_after_a_cancel_is_a_cancel() {
    let (hive, response) = gives_way("polite").await;
    assert_eq!((times(&hive, "session/prompt"), response.text.as_str()), (3, "begun\nbegun\ndone\n"));
}

#[tokio::test]
async fn what_comes_after_the_answer_to_a_cancelled_prompt_harms_nothing() {
    let (hive, response) = gives_way("chatty").await;
    assert_eq!(response.text, "begun\nbegun\ndone\n");
    until_logged(&hive, "late outcome {\"outcome\":\"cancelled\"}").await;
}

#[tokio::test]
async fn an_agent_that_does_not_give_way_is_ended_and_its_session_goes_on() {
    let (hive, response) = gives_way("deaf").await;
    assert_eq!((times(&hive, "started"), times(&hive, "session/load")), (2, 1));
    assert!(response.text.ends_with("done\n"), "{}", response.text);
}

#[tokio::test]
async fn a_cancel_in_the_first_moment_never_lets_the_turn_run_on() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    for n in 0..5 {
        let id = format!("HOLD-{n}");
        api.submit(json!({"instruction": "hard-of-hearing", "id": id})).await;
        api.until_is(&id, "running").await;
        api.delete(&format!("tasks/{id}")).await;
        let task = api.until_ended(&id).await;
        assert_eq!(task["status"], "cancelled", "{task}");
    }
    hive.drop_task("LAST-1.md", "hello");
    assert_eq!(hive.answer("LAST-1").await.text, "you said: hello");
    assert_eq!((times(&hive, "started"), times(&hive, "TWO PROMPTS")), (1, 0));
}

#[tokio::test]
async fn an_agent_that_dies_fails_the_turn_with_its_last_words_and_is_started_again() {
    let (hive, agent) = amid("die").await;
    let response = hive.answer("TASK-1").await;
    let error = response.header.error.unwrap();
    assert!(error.contains("exited with status 3") && error.contains("the heap is on fire"), "{error}");
    assert_eq!(
        (response.header.error_code.as_deref(), response.text.as_str()),
        (Some("exit_status"), "some\n")
    );
    assert_eq!(agent.descendants(), []);
    hive.drop_task("TASK-2.md", "hello");
    assert_eq!(hive.answer("TASK-2").await.text, "you said: hello");
}

#[tokio::test]
async fn an_agent_that_dies_while_it_is_not_needed_is_nobodys_failure() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "hello");
    hive.answer("TASK-1").await;
    for process in agent.descendants() {
        process.signal(nix::sys::signal::Signal::SIGKILL);
    }
    hive.drop_task("TASK-2.md", "hello");
    assert_eq!(hive.answer("TASK-2").await.text, "you said: hello");
    assert_eq!(times(&hive, "started"), 2);
}

#[tokio::test]
async fn an_agent_that_will_not_end_goes_down_the_ladder_and_the_next_item_runs() {
    let agent = hive_tests::binary("fake_agent");
    let script = json!(format!("trap '' TERM; exec {}", agent.display()));
    let hive = Hive::new(&format!("adapter = \"acp\"\ncommand = [\"sh\", \"-c\", {script}]"));
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "deaf");
    until_logged(&hive, "session/prompt").await;
    agent.api().delete("tasks/TASK-1").await;
    let response = hive.answer("TASK-1").await;
    assert_eq!((response.header.status.as_str(), response.text.as_str()), ("cancelled", "begun\n"));
    assert_eq!(agent.descendants(), []);
    hive.drop_task("TASK-2.md", "hello");
    assert_eq!(hive.answer("TASK-2").await.text, "you said: hello");
}

#[tokio::test]
async fn a_tool_that_is_left_running_after_a_cancel_is_ended_and_the_agent_is_not() {
    let (hive, agent) = amid("tool").await;
    let tools = hive
        .until("both tools run", || {
            let found: Vec<_> =
                agent.descendants().into_iter().filter(|it| it.command.contains("sleep 100")).collect();
            // One of them is a shell with its child.
            (found.len() >= 2).then_some(found)
        })
        .await;
    hive.until("the agent has said so", || (times(&hive, "session/prompt") == 1).then_some(())).await;
    agent.api().delete("tasks/TASK-1").await;
    assert_eq!(hive.answer("TASK-1").await.header.status.as_str(), "cancelled");
    assert!(tools.iter().all(hive_tests::Process::is_gone), "{tools:?}");
    assert_eq!(agent.descendants().len(), 1, "{:?}", agent.descendants());
    hive.drop_task("TASK-2.md", "hello");
    hive.answer("TASK-2").await;
    assert_eq!(times(&hive, "started"), 1);
}

#[tokio::test]
async fn nothing_of_an_agent_is_left_when_the_bot_stops() {
    let (hive, mut agent) = amid("tool").await;
    hive.until("a tool runs", || (agent.descendants().len() >= 3).then_some(())).await;
    let begun = Instant::now();
    agent.terminate();
    let exit = agent.ended().await;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    assert_eq!(agent.processes(), []);

    hive.touch("go");
    let _agent = Agent::start(&hive).await;
    let response = hive.answer("TASK-1").await;
    assert_eq!((response.header.status.as_str(), response.header.attempts), ("completed", 1));
    assert_eq!(times(&hive, "session/load"), 1, "a stopped task goes on in its session");
}

#[tokio::test]
async fn what_is_no_message_or_not_known_is_borne_with() {
    let (_, response) = ended("", &[], "noise").await;
    assert_eq!(response.header.status.as_str(), "completed", "{response:?}");
    assert_eq!(response.text, "_vendor/ask: -32601\nterminal/create: -32601\n");
}

#[tokio::test]
async fn a_huge_update_is_left_out_and_a_flood_of_stderr_is_drained() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "huge flood trace");
    let response = hive.answer("TASK-1").await;
    assert_eq!(response.header.status.as_str(), "completed");
    let task = agent.api().get("tasks/TASK-1").await.ok();
    let warning = task["warnings"][0].as_str().expect("what is missing is on the record");
    assert!(warning.starts_with("an update of 2097") && warning.contains("was left out"), "{warning}");
    assert_eq!(response.text, format!("small\nflooded\n\n\n[{warning}]\n"));

    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "huge").await;
    let notice = chat.next_of("CHAT-1", "notice").await;
    assert_eq!((&notice["code"], &notice["message"]), (&json!("left_out"), &json!(warning)));
    assert_eq!(chat.turn("CHAT-1").await.complete()["status"], "completed");
}

#[tokio::test]
async fn an_error_of_the_agent_fails_the_turn_with_its_words() {
    let (code, error) = fails(&[], "fail").await;
    assert_eq!(code, "adapter_error");
    assert!(error.contains("Fake Agent") && error.contains("the model is down"), "{error}");
}

#[tokio::test]
async fn the_reasons_to_stop_are_told_apart() {
    for (words, code) in
        [("refuse", "refused"), ("too-long", "max_tokens"), ("too-often", "max_turn_requests")]
    {
        assert_eq!(fails(&[], words).await.0, code);
    }
}

#[tokio::test]
async fn an_agent_that_wants_a_login_says_so_in_its_own_words() {
    let (code, error) = fails(&["--login"], "hello").await;
    assert_eq!(code, "login_required");
    assert!(error.contains("no FAKE_KEY is set") && error.contains("An API key (set FAKE_KEY)"), "{error}");
}

#[tokio::test]
async fn an_agent_of_another_version_is_refused() {
    let (code, error) = fails(&["--version-99"], "hello").await;
    assert_eq!(code, "adapter_error");
    assert!(error.contains("version"), "{error}");
}

#[tokio::test]
async fn an_agent_that_ends_at_its_start_says_why() {
    let (code, error) = fails(&["--fails-to-start"], "hello").await;
    assert_eq!(code, "exit_status");
    assert!(error.contains("status 7") && error.contains("cannot read my configuration"), "{error}");
}

#[tokio::test]
async fn an_agent_that_goes_away_holds_tasks_up_until_it_is_installed_again() {
    let hive = Hive::new("adapter = \"goose\"\ncommand = [\"./agent\"]");
    let program = hive.root().join("agent");
    let install = || {
        let script = format!("#!/bin/sh\nexec {}\n", binary("fake_agent").display());
        fs::write(&program, script).expect("a file can be written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    };
    install();
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    fs::remove_file(&program).expect("it is there");
    for id in ["TASK-1", "TASK-2"] {
        hive.drop_task(&format!("{id}.md"), "hello");
    }
    let entry = api.until("it is held up", async || api.control("held up").await).await;
    let why = entry["content"].as_str().expect("a text");
    assert!(why.contains("there is no './agent'") && why.contains("brew install"), "{why}");
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "well?").await;
    let complete = chat.next_of("CHAT-1", "response_complete").await;
    assert_eq!(
        (&complete["status"], &complete["error_code"]),
        (&json!("failed"), &json!("adapter_unavailable"))
    );
    install();
    for id in ["TASK-1", "TASK-2"] {
        assert_eq!(api.until_ended(id).await["status"], "completed");
    }
}

#[tokio::test]
async fn a_run_that_waits_for_a_mute_agent_can_be_cancelled() {
    let hive = Hive::acp(&["--mute"], "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "hello");
    until_logged(&hive, "initialize").await;
    agent.api().delete("tasks/TASK-1").await;
    assert_eq!(hive.answer("TASK-1").await.header.status.as_str(), "cancelled");
}

#[tokio::test]
async fn questions_are_answered_also_two_at_once() {
    for (words, text) in [("ask", "no\n"), ("ask-twice", "no\nno\n")] {
        let (_, response) = ended("approval = \"deny\"", &[], words).await;
        assert_eq!((response.header.status.as_str(), response.text.as_str()), ("completed", text));
    }
    let (_, response) = ended("approval = \"deny\"", &[], "ask gives-up").await;
    assert_eq!(response.header.error_code.as_deref(), Some("denied"));
}

#[tokio::test]
async fn a_question_may_be_taken_back() {
    let (_, response) = ended("approval = \"deny\"", &[], "ask-withdraw").await;
    // Whichever comes first, the answer or the withdrawal, the turn goes on.
    let text = response.text.as_str();
    assert!(["withdrawn: null\n", "withdrawn: -32800\n"].contains(&text), "{text}");
}

#[tokio::test]
async fn a_file_task_of_a_bot_that_is_paused_at_once_goes_on_in_its_session() {
    let (hive, agent) = amid("hold").await;
    let api = agent.api();
    api.post("pause", json!({"now": true})).await;
    api.until_is("TASK-1", "suspended").await;
    hive.touch("go");
    api.act("resume").await;
    assert_eq!(hive.answer("TASK-1").await.text, "begun\nbegun\ndone\n");
    let _: Value = api.status().await;
}
