//! What an agent does along the way, on the timeline (SPEC 8): while it goes on, after it, and after a crash.

use hive_tests::{Agent, Hive, ctl};
use serde_json::{Value, json};

use crate::acp::until_logged;

/// The steps as words: what kind they are and how they stand.
fn words(entry: &Value) -> Vec<String> {
    let steps = entry["steps"].as_array().into_iter().flatten();
    let word = |step: &Value| match step["type"].as_str().expect("a type") {
        "thought" => format!("thought {}", step["content"].as_str().expect("words")),
        "plan" => format!("plan {}", step["entries"][0]["status"].as_str().expect("a status")),
        _ => format!(
            "{} {}",
            step["title"].as_str().expect("a title"),
            step["status"].as_str().expect("a status")
        ),
    };
    steps.map(word).collect()
}

const AT_WORK: [&str; 3] = ["thought it leaks", "plan in_progress", "Mend the pump in_progress"];
const DONE: [&str; 3] = ["thought it leaks", "plan completed", "Mend the pump completed"];

#[tokio::test]
async fn what_a_task_does_is_seen_while_it_runs_and_after_it() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    let mut follow = agent.follow("after_seq=0").await;
    hive.drop_task("WORK-1.md", "use-tools");
    let is_at_work = |frame: &Value| frame["type"] == "entry_updated" && words(&frame["entry"]) == AT_WORK;
    let live = follow.next_that(is_at_work).await;
    assert_eq!((&live["entry"]["entry_id"], &live["entry"]["status"]), (&json!("WORK-1"), &json!("running")));
    let call = &live["entry"]["steps"][2];
    assert_eq!((&call["kind"], &call["locations"][0]["line"]), (&json!("edit"), &json!(7)));
    assert_eq!(words(&api.task("WORK-1").await), AT_WORK);
    assert_eq!(words(&api.entries("kind=task&steps=true").await[0]), AT_WORK);
    assert_eq!(api.entries("kind=task").await[0]["steps"], Value::Null, "a page has them if it asks");
    let shown = ctl(&hive, &["show", "WORK-1"]).await.out;
    assert!(shown.contains("→ Mend the pump (edit): in_progress") && shown.contains("▸ mend it"), "{shown}");

    hive.touch("go");
    let ended = follow
        .next_that(|frame| frame["entry"]["status"] == "completed" && frame["entry"]["entry_id"] == "WORK-1")
        .await;
    assert_eq!(words(&ended["entry"]), DONE);
    assert_eq!(words(&api.task("WORK-1").await), DONE);
    let shown = ctl(&hive, &["show", "WORK-1"]).await.out;
    assert!(shown.contains("→ Mend the pump (edit): completed") && shown.contains("✓ mend it"), "{shown}");
    let shown: Value =
        serde_json::from_str(&ctl(&hive, &["show", "WORK-1", "-o", "json"]).await.out).expect("JSON");
    assert_eq!(words(&shown), DONE);
    let full = ctl(&hive, &["timeline", "--full"]).await.out;
    assert!(full.contains("    → Mend the pump (edit): completed") && full.contains("    mended"), "{full}");
    let page: Value =
        serde_json::from_str(&ctl(&hive, &["timeline", "--kind", "task", "-o", "json"]).await.out)
            .expect("JSON");
    assert_eq!(words(&page[0]), DONE);
}

#[tokio::test]
async fn the_steps_of_a_task_that_gave_way_go_on() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    hive.drop_task("WORK-1.md", "use-tools");
    api.until_task("WORK-1", "is at work", |task| words(task) == AT_WORK).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    chat.turn("CHAT-1").await;
    let again = ["thought it leaks", "plan in_progress", "Mend the pump in_progress", "thought it leaks"];
    api.until_task("WORK-1", "is at it again", |task| words(task) == again).await;
    hive.touch("go");
    hive.answer("WORK-1").await;
    let all = ["thought it leaks", "plan completed", "Mend the pump completed", "thought it leaks"];
    assert_eq!(words(&api.task("WORK-1").await), all);
}

#[tokio::test]
async fn an_entry_that_changes_beside_its_work_keeps_its_steps() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    let mut follow = agent.follow("after_seq=0").await;
    hive.drop_task("WORK-1.md", "use-tools");
    follow.next_that(|frame| words(&frame["entry"]) == AT_WORK).await;
    // Agents tick off their own task files.
    let tasks = hive.paths().tasks(hive.bot());
    std::fs::rename(tasks.join("WORK-1.md"), tasks.join("WORK-1-DONE.md")).expect("it is there");
    let warned = follow.next_that(|frame| frame["entry"]["warnings"].is_array()).await;
    assert_eq!(words(&warned["entry"]), AT_WORK, "{warned}");
    assert_eq!(words(&agent.api().task("WORK-1").await), AT_WORK);
}

#[tokio::test]
async fn a_task_whose_tool_takes_long_shows_that_it_lives() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    let mut follow = agent.follow("after_seq=0").await;
    hive.drop_task("WORK-1.md", "use-tools");
    follow.next_that(|frame| words(&frame["entry"]) == AT_WORK).await;
    let seq = api.get("timeline?limit=1").await.ok()["last_seq"].clone();
    let mut last = api.status().await["last_activity"].clone();
    for _ in 0..2 {
        let later = api.until_status("the agent is heard of", |status| status["last_activity"] != last).await;
        last = later["last_activity"].clone();
    }
    assert_eq!(
        api.get("timeline?limit=1").await.ok()["last_seq"],
        seq,
        "what tells nothing new is no change"
    );
}

#[tokio::test]
async fn what_a_chat_turn_had_done_survives_a_kill() {
    let hive = Hive::acp(&[], "");
    let mut first = Agent::start(&hive).await;
    let mut follow = first.follow("after_seq=0").await;
    let mut chat = first.chat().await;
    chat.prompt("CHAT-1", "use-tools").await;
    follow.next_that(|frame| words(&frame["entry"]) == AT_WORK).await;
    first.kill9();
    let second = Agent::start(&hive).await;
    let task = second.api().until_is("CHAT-1", "incomplete").await;
    assert_eq!(words(&task), AT_WORK);
}

#[tokio::test]
async fn a_task_that_starts_again_after_a_kill_has_the_steps_of_its_last_attempt() {
    let hive = Hive::acp(&[], "");
    let mut first = Agent::start(&hive).await;
    let mut follow = first.follow("after_seq=0").await;
    hive.drop_task("WORK-1.md", "use-tools");
    follow.next_that(|frame| words(&frame["entry"]) == AT_WORK).await;
    first.api().post("pause", json!({})).await.ok();
    first.kill9();
    // It waits, and shows what it had come to.
    let second = Agent::start(&hive).await;
    assert_eq!(words(&second.api().until_is("WORK-1", "queued").await), AT_WORK);
    second.api().act("resume").await.ok();
    until_logged(&hive, "session/load").await;
    hive.touch("go");
    hive.answer("WORK-1").await;
    assert_eq!(words(&second.api().task("WORK-1").await), DONE);
}
