//! SPEC 7: what an agent may do only with permission, from its question to what became of it.

use hive_tests::{Agent, Hive, Terminal, ctl};
use serde_json::{Value, json};

use crate::acp::{times, until_logged};

/// Waits until so many requests wait, and gives them.
async fn waiting(agent: &Agent, count: usize) -> Vec<Value> {
    let api = agent.api();
    let approvals = api.until("a request waits", async || {
        let list = api.get("approvals").await.json["approvals"].as_array().cloned()?;
        (list.len() == count).then_some(list)
    });
    approvals.await
}

async fn record_of(agent: &Agent, approval: &Value) -> Value {
    let entries = agent.api().entries("kind=control&limit=1000").await;
    let id = &approval["approval_id"];
    entries.into_iter().find(|entry| entry["entry_id"] == *id).expect("it is on the timeline")
}

/// An answer to what waits no more is refused, with what became of it.
async fn is_final(agent: &Agent, approval: &Value, how: &str) {
    let id = approval["approval_id"].as_str().expect("an id");
    let late = agent.api().post(&format!("approvals/{id}"), json!({"option": "yes"})).await;
    assert_eq!((late.status, late.code()), (409, "already_final"));
    assert!(late.json["error"]["message"].as_str().is_some_and(|it| it.contains(how)), "{}", late.json);
}

#[tokio::test]
async fn a_request_of_a_task_waits_until_it_is_answered() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    for (task, option, status) in [("TASK-1", "yes", "completed"), ("TASK-2", "no", "cancelled")] {
        hive.drop_task(&format!("{task}.md"), "ask");
        let [approval] = &waiting(&agent, 1).await[..] else { panic!("one waits") };
        assert_eq!(
            (&approval["id"], &approval["title"], &approval["kind"]),
            (&json!(task), &json!("Run tool 1"), &json!("execute"))
        );
        let open = record_of(&agent, approval).await;
        assert_eq!((&open["status"], &open["task_id"]), (&json!("blocked"), &json!(task)));
        assert_eq!(agent.api().status().await["approvals"], json!(1));

        let id = approval["approval_id"].as_str().expect("an id");
        let wrong = agent.api().post(&format!("approvals/{id}"), json!({"option": "maybe"})).await;
        assert_eq!((wrong.status, wrong.code()), (400, "bad_request"));
        agent.api().post(&format!("approvals/{id}"), json!({"option": option})).await.ok();
        let again = agent.api().post(&format!("approvals/{id}"), json!({"option": "yes"})).await;
        assert_eq!((again.status, again.code()), (409, "already_final"));

        assert_eq!(hive.answer(task).await.text, format!("{option}\n"));
        let closed = record_of(&agent, approval).await;
        assert_eq!(closed["status"], json!(status), "{closed}");
    }
    let nothing = agent.api().post("approvals/CTL-99999", json!({"option": "yes"})).await;
    assert_eq!((nothing.status, nothing.code()), (404, "not_found"));
}

#[tokio::test]
async fn what_leaves_no_way_to_say_no_is_denied_all_the_same() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "ask-allow");
    let [approval] = &waiting(&agent, 1).await[..] else { panic!("one waits") };
    let id = approval["approval_id"].as_str().expect("an id");
    assert_eq!(approval["options"][2], json!({"id": "deny", "kind": "reject_once", "name": "Deny"}));
    ctl(&hive, &["deny", id]).await.expect(0);
    // The agent is told what it is told at the deadline.
    assert_eq!(hive.answer("TASK-1").await.text, "cancelled\n");
    let record = record_of(&agent, approval).await;
    assert_eq!((&record["status"], &record["error_code"]), (&json!("cancelled"), &json!("denied")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_chats_denies_what_leaves_no_way_to_say_no_by_any_key_or_command() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    // The one offers nothing but to allow it, the other a denial too, but one that lasts.
    for (n, (prompt, keys)) in [
        ("ask-allow", "\x1bn"),
        ("ask-allow", "\x1b3"),
        ("ask-allow", "3\r"),
        ("ask-allow", "d\r"),
        ("ask-allow", "/deny\r"),
        ("ask-read", "\x1bn"),
        ("ask-read", "/deny\r"),
    ]
    .into_iter()
    .enumerate()
    {
        let terminal = Terminal::hivectl(&hive, &["chat", "BOT-002"]);
        terminal.shows("/help tells the rest").await;
        terminal.enter(prompt);
        let options = if prompt == "ask-allow" {
            "\n  1  Allow\n  2  Never\n  3  Deny\n"
        } else {
            "\n  1  Allow\n  2  Deny\n"
        };
        terminal.shows(options).await;
        // By then it was there for long enough to be answered.
        terminal.shows("or Alt-Y/N at once").await;
        let [approval] = &waiting(&agent, 1).await[..] else { panic!("one waits") };
        terminal.press(keys);
        terminal.shows("\ncancelled\n").await;
        terminal.shows("\n✓ ").await;
        let record = record_of(&agent, approval).await;
        assert_eq!(
            (&record["status"], &record["error_code"]),
            (&json!("cancelled"), &json!("denied")),
            "{n}: {prompt} {keys:?}"
        );
    }
}

#[tokio::test]
async fn a_request_with_no_option_but_to_allow_is_denied_by_the_one_that_was_added() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "ask-read");
    let [approval] = &waiting(&agent, 1).await[..] else { panic!("one waits") };
    let id = approval["approval_id"].as_str().expect("an id");
    // The agent has no such option, and no other stands for it.
    ctl(&hive, &["approve", id, "reject_always"]).await.expect(2);
    let denied = ctl(&hive, &["deny", id, "-o", "json"]).await.expect(0).json();
    assert_eq!(denied["option"], json!({"id": "deny", "kind": "reject_once", "name": "Deny"}));
    assert_eq!(hive.answer("TASK-1").await.text, "cancelled\n");
    // It does not wait any more.
    ctl(&hive, &["deny", id]).await.expect(7);
}

#[tokio::test]
async fn the_policy_goes_by_source_and_is_on_record_where_it_denies() {
    let hive = Hive::acp(&[], "approval_file = \"deny\"\napproval_chat = \"allow\"");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "ask");
    assert_eq!(hive.answer("TASK-1").await.text, "no\n");
    let denied = agent.api().entries("kind=control&status=cancelled").await;
    assert_eq!(
        (denied.len(), &denied[0]["error_code"], &denied[0]["task_id"]),
        (1, &json!("denied"), &json!("TASK-1"))
    );
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "ask").await;
    assert_eq!(chat.turn("CHAT-1").await.text(), "yes\n");
}

#[tokio::test]
async fn the_deadline_denies_and_the_limits_clock_stands_still_meanwhile() {
    let hive = Hive::acp(&[], "approval_timeout = \"1500ms\"\ntask_limit = \"1s\"");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "ask");
    let [approval] = &waiting(&agent, 1).await[..] else { panic!("one waits") };
    let response = hive.answer("TASK-1").await;
    assert_eq!((response.header.status.as_str(), response.text.as_str()), ("completed", "no\n"));
    let record = record_of(&agent, approval).await;
    assert_eq!((&record["status"], &record["error_code"]), (&json!("timed_out"), &json!("timed_out")));
    assert!(record["error"].as_str().is_some_and(|error| error.contains("nobody answered")), "{record}");
    is_final(&agent, approval, "nobody answered").await;
}

#[tokio::test]
async fn a_person_in_the_chat_is_asked_there_and_answers_there() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "ask-twice").await;
    for option in ["yes", "no"] {
        let request = chat.next_of("CHAT-1", "approval_request").await;
        assert_eq!(request["options"][0], json!({"id": "yes", "kind": "allow_once", "name": "Allow"}));
        chat.send(json!({"type": "approve", "approval_id": request["approval_id"], "option": option})).await;
    }
    let turn = chat.turn("CHAT-1").await;
    assert_eq!(turn.text(), "yes\nno\n");
    chat.send(json!({"type": "approve", "approval_id": "CTL-99999", "option": "yes"})).await;
    let refused = chat.next_that(|frame| frame["type"] == "error").await;
    assert_eq!((&refused["code"], &refused["id"]), (&json!("not_found"), &json!("CTL-99999")));
}

#[tokio::test]
async fn giving_way_withdraws_a_request_and_resuming_asks_anew() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "ask");
    let [first] = &waiting(&agent, 1).await[..] else { panic!("one waits") };
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    assert_eq!(chat.turn("CHAT-1").await.text(), "you said: hello");
    let [second] = &waiting(&agent, 1).await[..] else { panic!("one waits") };
    assert_ne!(first["approval_id"], second["approval_id"]);
    let record = record_of(&agent, first).await;
    assert_eq!((&record["status"], &record["error_code"]), (&json!("cancelled"), &json!("withdrawn")));
    is_final(&agent, first, "withdrawn").await;
    let id = second["approval_id"].as_str().expect("an id");
    agent.api().post(&format!("approvals/{id}"), json!({"option": "yes"})).await.ok();
    let response = hive.answer("TASK-1").await;
    assert_eq!(response.header.preemptions, 1);
    assert!(response.text.ends_with("yes\n"), "{}", response.text);
}

#[tokio::test]
async fn a_pause_a_cancel_and_a_stop_leave_no_request_open() {
    let hive = Hive::acp(&[], "");
    let mut agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "ask");
    waiting(&agent, 1).await;
    agent.api().post("pause", json!({"now": true})).await.ok();
    waiting(&agent, 0).await;
    agent.api().until_status("it is paused", |status| status["state"] == "paused").await;
    agent.api().act("resume").await.ok();
    waiting(&agent, 1).await;
    agent.api().delete("tasks/TASK-1").await.ok();
    assert_eq!(hive.answer("TASK-1").await.header.status.as_str(), "cancelled");
    waiting(&agent, 0).await;

    hive.drop_task("TASK-2.md", "ask");
    waiting(&agent, 1).await;
    agent.kill9();
    let agent = Agent::start(&hive).await;
    let [approval] = &waiting(&agent, 1).await[..] else { panic!("one waits") };
    let open = agent.api().entries("kind=control&status=blocked").await;
    assert_eq!((open.len(), &open[0]["entry_id"]), (1, &approval["approval_id"]));
}

#[tokio::test]
async fn what_the_agent_takes_back_is_open_no_more() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "ask-withdraw");
    assert!(hive.answer("TASK-1").await.text.starts_with("withdrawn: "));
    assert!(waiting(&agent, 0).await.is_empty());
    until_logged(&hive, "session/prompt").await;
    assert_eq!(times(&hive, "session/prompt"), 1);
}

#[tokio::test]
async fn a_rule_that_cannot_be_meant_is_told_before_anything_runs() {
    let hive = Hive::acp(&[], "approval_allow = [\"execute\"]");
    let exit = Agent::run(&hive, &["--check"]).await;
    assert_eq!(exit.status.code(), Some(1));
    assert!(exit.stderr.contains("approval_allow: 'execute'"), "{}", exit.stderr);
}

#[tokio::test]
async fn a_request_that_leaves_no_choice_is_denied_at_once() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "ask-nothing");
    assert_eq!(hive.answer("TASK-1").await.text, "cancelled\n");
    let denied = agent.api().entries("kind=control&status=cancelled").await;
    assert_eq!((denied.len(), &denied[0]["error_code"]), (1, &json!("denied")));
}

#[tokio::test]
async fn of_a_request_beyond_all_bounds_people_are_shown_the_beginning() {
    let hive = Hive::acp(&[], "approval_allow = [\"read\"]");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "ask-much");
    let [approval] = &waiting(&agent, 1).await[..] else { panic!("one waits") };
    assert!(approval.to_string().len() < 200_000, "{}", approval.to_string().len());
    assert!(record_of(&agent, approval).await.to_string().len() < 200_000);
    let options: Vec<&Value> = approval["options"].as_array().into_iter().flatten().collect();
    let ids: Vec<&Value> = options.iter().map(|option| &option["id"]).collect();
    assert_eq!(ids, [&json!("yes"), &json!("deny")], "what can be chosen, and a way to say no");
    let id = approval["approval_id"].as_str().expect("an id");
    agent.api().post(&format!("approvals/{id}"), json!({"option": "yes"})).await.ok();
    assert_eq!(hive.answer("TASK-1").await.text, "yes\n");
}

#[tokio::test]
async fn more_requests_at_once_than_anyone_can_read_are_denied() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "ask-many");
    let open = waiting(&agent, 100).await;
    hive.until("all others are denied", || (times(&hive, "outcome") == 200).then_some(())).await;
    for approval in open {
        let id = approval["approval_id"].as_str().expect("an id");
        agent.api().post(&format!("approvals/{id}"), json!({"option": "yes"})).await.ok();
    }
    assert_eq!(hive.answer("TASK-1").await.text, "200 denied\n");
}

#[tokio::test]
async fn a_chat_is_told_what_the_policy_denies() {
    let hive = Hive::acp(&[], "approval_chat = \"deny\"");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "ask").await;
    let notice = chat.next_of("CHAT-1", "notice").await;
    assert_eq!(
        (&notice["code"], &notice["message"]),
        (&json!("approval"), &json!("Run tool 1: denied by the policy"))
    );
    assert_eq!(chat.turn("CHAT-1").await.text(), "no\n");
}

#[tokio::test]
async fn what_is_listed_needs_no_question() {
    let hive = Hive::acp(&[], "approval_allow = [\"read\"]");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "ask-read");
    assert_eq!(hive.answer("TASK-1").await.text, "yes\n");
    assert_eq!(agent.api().control("approval").await, None);
}

#[tokio::test]
async fn a_request_whose_places_take_long_to_find_holds_nobody_and_is_not_allowed_unasked() {
    let hive = Hive::acp(&[], "approval_allow = [\"read\"]");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "ask-deep");
    until_logged(&hive, "session/prompt").await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    assert_eq!(chat.turn("CHAT-1").await.text(), "you said: hello");
    let [approval] = &waiting(&agent, 1).await[..] else { panic!("one waits") };
    assert_eq!((&approval["kind"], &approval["id"]), (&json!("read"), &json!("TASK-1")));
    let id = approval["approval_id"].as_str().expect("an id");
    agent.api().post(&format!("approvals/{id}"), json!({"option": "yes"})).await.ok();
    assert!(hive.answer("TASK-1").await.text.ends_with("yes\n"));
}
