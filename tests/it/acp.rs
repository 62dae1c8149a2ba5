//! The acp adapter with an agent that behaves: sessions, giving way, what arrives (SPEC 6). How it bears with one that
//! does not is `acp_trouble`'s.

use hive_tests::{Agent, Hive};
use serde_json::{Value, json};

use crate::scripts::counted;

/// What the agent was asked, a line each.
fn log(hive: &Hive) -> Vec<String> {
    hive.work_file("agent.log").lines().map(str::to_owned).collect()
}

/// How often the agent was asked something that begins like this.
pub(crate) fn times(hive: &Hive, what: &str) -> usize {
    log(hive).iter().filter(|line| line.starts_with(what)).count()
}

pub(crate) async fn until_logged(hive: &Hive, what: &str) {
    hive.until(what, || (times(hive, what) > 0).then_some(())).await;
}

#[tokio::test]
async fn a_task_and_a_chat_have_sessions_of_their_own_in_one_process() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    assert_eq!(agent.record().adapter, "acp");
    assert_eq!(agent.descendants(), [], "it is started when it is needed");
    hive.drop_task("TASK-1.md", "hello");
    let response = hive.answer("TASK-1").await;
    assert_eq!((response.header.status.as_str(), response.text.as_str()), ("completed", "you said: hello"));
    let mut chat = agent.chat().await;
    for id in ["CHAT-1", "CHAT-2"] {
        chat.prompt_with(id, "hi", json!({"session": "s"})).await;
        assert_eq!(chat.turn(id).await.text(), "you said: hi");
    }
    assert_eq!((times(&hive, "started"), times(&hive, "session/new")), (1, 2));
    let prompts: Vec<String> =
        log(&hive).into_iter().filter(|line| line.starts_with("session/prompt")).collect();
    assert_eq!(prompts[1], prompts[2], "a conversation goes on in its session");
}

/// Gemini CLI is one.
#[tokio::test]
async fn an_agent_that_forgets_what_was_cancelled_is_told_its_task_again() {
    let hive = Hive::acp(&["--forgets"], "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("COUNT-1.md", "count");
    agent.api().until_task("COUNT-1", "it counts", |_| times(&hive, "session/prompt") == 1).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    assert_eq!(chat.turn("CHAT-1").await.text(), "you said: hello");
    let response = hive.answer("COUNT-1").await;
    assert_eq!(response.text, counted());
    assert_eq!((response.header.preemptions, times(&hive, "session/new")), (1, 2));
}

#[tokio::test]
async fn a_task_gives_way_and_goes_on_in_its_session_as_one_response() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("COUNT-1.md", "count");
    agent.api().until_task("COUNT-1", "it counts", |_| times(&hive, "session/prompt") == 1).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    assert_eq!(chat.turn("CHAT-1").await.text(), "you said: hello");
    let response = hive.answer("COUNT-1").await;
    assert_eq!(response.text, counted());
    assert_eq!((response.header.preemptions, response.header.attempts), (1, 1));
    assert_eq!((times(&hive, "session/new"), times(&hive, "TWO PROMPTS")), (2, 0));
    let prompts: Vec<String> =
        log(&hive).into_iter().filter(|line| line.starts_with("session/prompt")).collect();
    assert_eq!(prompts.len(), 3, "{prompts:?}");
    let session = |line: &str| line.split(' ').nth(1).map(str::to_owned);
    assert_eq!(session(&prompts[0]), session(&prompts[2]));
    assert!(prompts[2].contains("A person interrupted you"), "{}", prompts[2]);
}

#[tokio::test]
async fn a_task_may_start_over_in_a_new_session() {
    let hive = Hive::acp(&[], "on_preempt = \"restart\"");
    let agent = Agent::start(&hive).await;
    hive.drop_task("COUNT-1.md", "count");
    until_logged(&hive, "session/prompt").await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    chat.turn("CHAT-1").await;
    assert_eq!(hive.answer("COUNT-1").await.text, counted());
    assert_eq!((times(&hive, "session/new"), times(&hive, "session/load")), (3, 0));
}

/// A task whose daemon is killed in its middle, and the text of its response.
async fn killed(flags: &[&str]) -> (Hive, Agent, String) {
    let hive = Hive::acp(flags, "");
    let mut first = Agent::start(&hive).await;
    hive.drop_task("COUNT-1.md", "count");
    let api = first.api();
    api.until_task("COUNT-1", "it counts", |_| {
        hive.names_in(hive.root()).iter().any(|n| n.starts_with("session-"))
    })
    .await;
    let left = first.descendants();
    first.kill9();
    let second = Agent::start(&hive).await;
    assert!(left.iter().all(hive_tests::Process::is_gone), "{left:?}");
    let response = hive.answer("COUNT-1").await;
    assert_eq!((response.header.status.as_str(), response.header.attempts), ("completed", 2));
    (hive, second, response.text)
}

#[tokio::test]
async fn after_a_crash_a_task_goes_on_in_its_loaded_session() {
    let (hive, _agent, text) = killed(&[]).await;
    assert_eq!((times(&hive, "session/new"), times(&hive, "session/load")), (1, 1));
    assert!(!text.contains("REPLAYED"), "{text}");
    let counted = counted();
    assert!(counted.ends_with(&text) && text.len() < counted.len(), "{text}");
}

#[tokio::test]
async fn a_replay_that_comes_after_its_answer_is_no_part_of_the_response() {
    let (hive, _agent, text) = killed(&["--late-replay"]).await;
    assert_eq!(times(&hive, "session/load"), 1);
    assert!(counted().ends_with(&text), "{text}");
}

#[tokio::test]
async fn a_session_that_cannot_be_loaded_gives_way_to_a_new_one() {
    for flags in [["--no-load"], ["--load-fails"]] {
        let (hive, _agent, text) = killed(&flags).await;
        assert_eq!((text, times(&hive, "session/new")), (counted(), 2));
    }
}

#[tokio::test]
async fn a_chat_goes_on_in_its_session_after_a_restart() {
    let hive = Hive::acp(&["--lingers"], "");
    let mut first = Agent::start(&hive).await;
    let session = json!({"session": "s"});
    let mut chat = first.chat().await;
    chat.prompt_with("CHAT-1", "hello", session.clone()).await;
    chat.turn("CHAT-1").await;
    let idle = first.descendants();
    assert_eq!(idle.len(), 1);
    first.kill9();
    let second = Agent::start(&hive).await;
    assert!(idle[0].is_gone(), "an agent that was idle is swept too");
    let mut chat = second.chat().await;
    chat.prompt_with("CHAT-2", "again", session).await;
    assert_eq!(chat.turn("CHAT-2").await.text(), "you said: again");
    assert_eq!((times(&hive, "session/new"), times(&hive, "session/load")), (1, 1));
}

#[tokio::test]
async fn sessions_that_are_done_with_are_closed_and_a_conversations_is_not() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt_with("CHAT-1", "hi", json!({"session": "s0"})).await;
    chat.turn("CHAT-1").await;
    hive.drop_task("TASK-1.md", "hello");
    hive.answer("TASK-1").await;
    until_logged(&hive, "session/close").await;
    // One that was not used for long may be loaded again.
    for n in 1..=8 {
        let id = format!("CHAT-more-{n}");
        assert_eq!(times(&hive, "session/close"), 1);
        chat.prompt_with(&id, "hi", json!({"session": format!("s{n}")})).await;
        chat.turn(&id).await;
    }
    hive.until("the oldest is closed", || (times(&hive, "session/close") == 2).then_some(())).await;
    chat.prompt_with("CHAT-2", "again", json!({"session": "s0"})).await;
    assert_eq!(chat.turn("CHAT-2").await.text(), "you said: again");
    assert_eq!(times(&hive, "session/load"), 1);
}

#[tokio::test]
async fn a_session_that_nobody_waits_for_any_more_is_closed() {
    let hive = Hive::acp(&["--slow-new"], "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "hello");
    until_logged(&hive, "session/new").await;
    agent.api().delete("tasks/TASK-1").await.ok();
    assert_eq!(hive.answer("TASK-1").await.header.status.as_str(), "cancelled");
    hive.touch("go");
    until_logged(&hive, "session/close").await;
    assert_eq!(times(&hive, "session/prompt"), 0);
}

#[tokio::test]
async fn a_warm_agent_is_started_with_the_bot() {
    let hive = Hive::acp(&[], "warm = true");
    let _agent = Agent::start(&hive).await;
    until_logged(&hive, "initialize").await;
}

#[tokio::test]
async fn thoughts_plans_tool_calls_and_usage_arrive_as_frames() {
    let hive = Hive::acp(&[], "");
    let agent = Agent::start(&hive).await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "think edit").await;
    let turn = chat.turn("CHAT-1").await;
    let of = |kind: &str| turn.frames.iter().filter(|frame| frame["type"] == kind).collect::<Vec<&Value>>();
    let thought = of("response_chunk").into_iter().find(|frame| frame["channel"] == "thought").unwrap();
    assert_eq!(thought["content"], "hm");
    assert_eq!(of("plan")[0]["entries"][0]["content"], "first");
    let call = &of("tool_call").last().unwrap()["call"];
    assert_eq!((&call["title"], &call["status"]), (&json!("Edit edited.txt"), &json!("completed")));
    assert_eq!(call["diffs"][0]["new_text"], "new");
    let complete = turn.complete();
    assert_eq!(complete["files_modified"], json!(["edited.txt"]));
    assert_eq!(
        (&complete["usage"]["input_tokens"], &complete["usage"]["context_used"]),
        (&json!(5), &json!(10))
    );
    assert_eq!(hive.answer("CHAT-1").await.text, "thought\nedited\n");
}

#[tokio::test]
async fn a_file_is_written_for_the_agent_in_the_working_directory_alone() {
    let hive = Hive::acp(&[], "");
    let _agent = Agent::start(&hive).await;
    hive.drop_task("WRITE-1.md", "write-file");
    let response = hive.answer("WRITE-1").await;
    assert_eq!(response.text, "written\nrefused\n");
    assert_eq!(response.header.files_modified, ["written.txt"]);
    assert_eq!(hive.work_file("written.txt"), "by the client");
    assert!(!hive.root().join("../outside.txt").exists());
}

#[tokio::test]
async fn a_mode_is_set_in_each_session() {
    let hive = Hive::acp(&["--modes"], "acp_mode = \"careful\"");
    let _agent = Agent::start(&hive).await;
    hive.drop_task("MODE-1.md", "hello");
    assert_eq!(hive.answer("MODE-1").await.header.status.as_str(), "completed");
    assert_eq!(times(&hive, "session/set_mode"), 1);
}

#[tokio::test]
async fn a_mode_that_the_agent_does_not_have_is_an_error_that_lists_those_it_has() {
    let hive = Hive::acp(&["--modes"], "acp_mode = \"yolo\"");
    let _agent = Agent::start(&hive).await;
    hive.drop_task("MODE-1.md", "hello");
    let error = hive.answer("MODE-1").await.header.error.unwrap();
    assert!(error.contains("'yolo'") && error.contains("auto, careful"), "{error}");
    assert_eq!(times(&hive, "session/prompt"), 0);
}

#[tokio::test]
async fn a_preset_runs_another_command_if_one_is_set() {
    let hive = Hive::acp(&["--modes"], "").of("BOT-002");
    let settings = hive.paths().settings();
    let text = std::fs::read_to_string(&settings).unwrap().replace("adapter = \"acp\"", "adapter = \"qwen\"");
    std::fs::write(&settings, text).unwrap();
    let agent = Agent::start(&hive).await;
    assert_eq!(agent.record().adapter, "qwen");
    hive.drop_task("TASK-1.md", "hello");
    // It has no mode `default`, which is the preset's wish and not the user's.
    assert_eq!(hive.answer("TASK-1").await.header.status.as_str(), "completed");
}
