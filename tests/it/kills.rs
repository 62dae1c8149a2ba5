//! A kill between any two steps of SPEC 12, (a) to (g), in turn.

use std::os::unix::process::ExitStatusExt as _;

use futures::stream::{self, StreamExt as _};
use hive_tests::{Agent, Api, ChatSocket, Hive};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// Says which run it is of its item.
const AGENT: &str = r#"cat > /dev/null; echo "$HIVE_TASK_ID" >> ran.txt; echo "did $HIVE_TASK_ID""#;

/// How many of the cases go on at a time.
const AT_A_TIME: usize = 4;

/// Where the daemon dies, and what its next life makes of it.
#[derive(Debug, Clone, Copy)]
struct Case {
    place: &'static str,
    /// How often the item's process is started in all.
    runs: AtLeastAndMost,
    /// Whether it is a chat turn that ran and was cut.
    is_cut: bool,
    /// Whether the bot is paused in its first life, so that the item waits.
    paused: bool,
}

type AtLeastAndMost = (usize, usize);

const fn case(place: &'static str, runs: AtLeastAndMost) -> Case {
    Case { place, runs, is_cut: false, paused: false }
}

const fn cut(place: &'static str, runs: AtLeastAndMost) -> Case {
    Case { is_cut: true, ..case(place, runs) }
}

const fn waiting(place: &'static str) -> Case {
    Case { paused: true, ..case(place, (1, 1)) }
}

const TASK: [Case; 18] = [
    // (a)
    case("submitted", (1, 1)),
    case("seen", (1, 1)),
    waiting("submitted"),
    waiting("seen"),
    waiting("seen>committed"),
    // (b)
    case("started", (1, 1)),
    case("started>committed", (1, 1)),
    case("started>spawned", (1, 2)),
    // (c)
    case("ended", (2, 2)),
    case("ended>committed", (1, 1)),
    case("ended>queued", (1, 1)),
    case("end synced", (1, 1)),
    // (d)
    case("response written", (1, 1)),
    case("response published", (1, 1)),
    // (e)
    case("file archived", (1, 1)),
    // (f)
    case("followers woken", (1, 1)),
    // (g)
    case("published synced", (1, 1)),
    case("settled>committed", (1, 1)),
];

const PROMPT: [Case; 15] = [
    case("seen", (1, 1)),
    waiting("seen"),
    waiting("seen>committed"),
    case("started", (1, 1)),
    cut("started>committed", (0, 0)),
    cut("started>spawned", (0, 1)),
    cut("ended", (1, 1)),
    case("ended>committed", (1, 1)),
    case("ended>queued", (1, 1)),
    case("end synced", (1, 1)),
    case("response written", (1, 1)),
    case("response published", (1, 1)),
    case("followers woken", (1, 1)),
    case("client told", (1, 1)),
    case("settled>committed", (1, 1)),
];

#[tokio::test]
async fn a_task_survives_a_kill_between_any_two_steps() {
    stream::iter(TASK).for_each_concurrent(AT_A_TIME, of_a_task).await;
}

async fn of_a_task(case: Case) {
    let task = json!({"id": "TASK-1", "instruction": "work"});
    let hive = Hive::exec(AGENT, "");
    let mut first = doomed(&hive, case).await;
    // Its answer may be lost.
    let _ = first.api().try_post("tasks", task.clone()).await;
    has_died(&mut first, case).await;

    let second = Agent::start(&hive).await;
    let api = second.api();
    // What is not on the record is in the directory, and may have been found by now.
    assert!(!is_on_record(case) || !api.task("TASK-1").await.is_null(), "{case:?}");
    // Whoever got no answer asks again.
    let again = api.post("tasks", task.clone()).await;
    assert!([200, 201].contains(&again.status), "{case:?}: {again:?}");
    goes_on(&hive, case);
    let ended = api.until_ended("TASK-1").await;
    assert_eq!(ended["status"], "completed", "{case:?}: {ended:#}");
    assert_eq!(api.post("tasks", task).await.status, 200, "{case:?}");
    let archive = hive.paths().archive(hive.bot());
    hive.until("it is archived", || (hive.names_in(&archive) == ["TASK-1.md"]).then_some(())).await;
    assert_eq!(hive.names_in(&hive.tasks()), ["archive", "rejected"], "{case:?}");
    let entry = &api.entries("source=file").await[..];
    assert!(matches!(entry, [task] if task["status"] == "completed"), "{case:?}: {entry:#?}");
    came_to_one_end(&hive, &api, case, "TASK-1", "completed").await;
}

#[tokio::test]
async fn a_chat_turn_survives_a_kill_between_any_two_steps() {
    stream::iter(PROMPT).for_each_concurrent(AT_A_TIME, of_a_prompt).await;
}

async fn of_a_prompt(case: Case) {
    let hive = Hive::exec(AGENT, "");
    let mut first = doomed(&hive, case).await;
    let mut chat = first.chat().await;
    ask(&mut chat).await;
    has_died(&mut first, case).await;

    let second = Agent::start(&hive).await;
    let api = second.api();
    assert_eq!(!api.task("CHAT-1").await.is_null(), is_on_record(case), "{case:?}");
    goes_on(&hive, case);
    let mut chat = second.chat().await;
    ask(&mut chat).await;
    let turn = chat.turn("CHAT-1").await;
    let status = if case.is_cut { "incomplete" } else { "completed" };
    assert_eq!(turn.complete()["status"], status, "{case:?}");
    let replies = api.entries("kind=reply").await;
    let told: Vec<(&Value, &Value)> =
        replies.iter().map(|reply| (&reply["status"], &reply["content"])).collect();
    assert_eq!(told, [(&json!(status), &json!(turn.text()))], "{case:?}");
    let response = came_to_one_end(&hive, &api, case, "CHAT-1", status).await;
    assert_eq!(response, turn.text(), "{case:?}");
}

async fn ask(chat: &mut ChatSocket) {
    let prompt = json!({"type": "prompt", "id": "CHAT-1", "message": "talk", "user": "dave"});
    chat.send_lost(Message::text(prompt.to_string())).await;
}

/// The bot in the life that ends at the case's place.
async fn doomed(hive: &Hive, case: Case) -> Agent {
    if case.paused {
        hive.control("PAUSE", "");
    }
    let mut agent = Agent::spawn_in(hive, &[], &[("HIVE_DIE_AT", case.place)]);
    agent.ready().await;
    agent
}

async fn has_died(agent: &mut Agent, case: Case) {
    let exit = agent.ended().await;
    assert_eq!(exit.status.signal(), Some(9), "{case:?}: {exit:?}");
}

/// Whether the first life's end found the item in the ledger.
fn is_on_record(case: Case) -> bool {
    !["submitted", "seen", "started"].contains(&case.place)
}

fn goes_on(hive: &Hive, case: Case) {
    if case.paused {
        hive.lift("PAUSE");
    }
}

/// One status, one response with the text that belongs to it, no more runs than there may be, and nothing left behind.
/// Gives the response's text.
async fn came_to_one_end(hive: &Hive, api: &Api, case: Case, id: &str, status: &str) -> String {
    assert_eq!(hive.names_in(&hive.paths().responses()), [format!("{id}-response.md")], "{case:?}");
    let response = hive.response(id).expect("it is there");
    assert_eq!(response.header.status.as_str(), status, "{case:?}");
    let ran = hive.work_file("ran.txt").lines().count();
    let (least, most) = case.runs;
    assert!((least..=most).contains(&ran), "{case:?}: it ran {ran} times");
    let text = if status == "completed" { format!("did {id}\n") } else { response.text.clone() };
    assert_eq!(response.text, text, "{case:?}");
    assert_eq!(api.status().await["counts"][status], 1, "{case:?}");
    hive.until("nothing is left unfinished", || hive.unfinished_files().is_empty().then_some(())).await;
    response.text
}
