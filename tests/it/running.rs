//! File tasks in the one slot: one at a time, within their time, each to an end (SPEC 5).

use std::time::{Duration, Instant};

use hive_tests::{Agent, Hive};
use serde_json::{Value, json};

use crate::scripts::AGENT;

#[tokio::test]
async fn tasks_run_one_at_a_time() {
    let script = "mkdir busy || echo overlap; sleep 0.02; rmdir busy";
    let hive = Hive::exec(script, "");
    let _agent = Agent::start(&hive).await;
    for n in 0..10 {
        hive.drop_task(&format!("ONE-{n}.md"), "work");
    }
    for n in 0..10 {
        assert_eq!(hive.answer(&format!("ONE-{n}")).await.text, "");
    }
}

#[tokio::test]
async fn a_task_past_its_limit_is_timed_out_with_what_it_had_said() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("LATE-1.md", "---\ntimeout: 0.5\n---\nhold");
    let response = hive.answer("LATE-1").await;
    assert_eq!((response.header.status.as_str(), response.header.success), ("timed_out", false));
    assert_eq!(response.header.error_code.as_deref(), Some("timed_out"));
    assert!(response.header.duration_seconds >= 0.5);
    assert_eq!(response.text, "begun\n");
    assert_eq!(agent.descendants(), []);
    hive.drop_task("NEXT-1.md", "the next");
    assert!(hive.answer("NEXT-1").await.header.success);
}

#[tokio::test]
async fn the_limit_comes_from_the_priority_where_the_settings_say_so() {
    let hive = Hive::exec(AGENT, "task_limit = \"5m\"\npriority_limits = { P0 = \"300ms\" }");
    let agent = Agent::start(&hive).await;
    hive.drop_task("P0-1.md", "---\npriority: P0\n---\nhold");
    assert_eq!(hive.answer("P0-1").await.header.status.as_str(), "timed_out");
    hive.drop_task("P2-1.md", "words");
    assert_eq!(agent.api().until_ended("P2-1").await["limit_seconds"].as_f64(), Some(300.0));
}

#[tokio::test]
async fn an_agent_that_will_not_end_is_killed_in_the_end() {
    let hive = Hive::exec("trap '' TERM INT HUP; echo stubborn; while :; do sleep 0.1; done", "");
    let agent = Agent::start(&hive).await;
    let begun = Instant::now();
    hive.drop_task("STUB-1.md", "---\ntimeout: 0.3\n---\nwork");
    let response = hive.answer("STUB-1").await;
    assert!(begun.elapsed() >= Duration::from_secs(10), "killed after {:?}", begun.elapsed());
    assert_eq!((response.header.status.as_str(), response.text.as_str()), ("timed_out", "stubborn\n"));
    assert_eq!(agent.descendants(), []);
}

#[tokio::test]
async fn the_status_tells_what_holds_the_slot_and_what_waits() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    assert_eq!(api.status().await["state"], "idle");
    hive.drop_task("RUN-1.md", "---\ntitle: Hold on\ntimeout: 10m\n---\nhold");
    let status = api.until_status("it runs", |status| status["current"]["id"] == "RUN-1").await;
    assert_eq!(status["state"], "working");
    assert_eq!(
        (&status["current"]["source"], &status["current"]["title"]),
        (&json!("file"), &json!("Hold on"))
    );
    assert_eq!(status["current"]["limit_seconds"].as_f64(), Some(600.0));
    assert!(status["current"]["elapsed_seconds"].as_f64().unwrap() < 20.0);
    for (id, priority) in [("W-1", "P0"), ("W-2", "P1"), ("W-3", "P1"), ("W-4", "P3")] {
        api.submit(json!({"instruction": "words", "id": id, "priority": priority})).await;
    }
    let queue = api.status().await["queue"].clone();
    assert_eq!(queue, json!({"P0": 1, "P1": 2, "P2": 0, "P3": 1, "chat": 0, "blocked": 0}));
    let list = api.get("tasks").await.ok();
    let order: Vec<_> = list["tasks"].as_array().unwrap().iter().map(|task| &task["task_id"]).collect();
    assert_eq!(order, ["RUN-1", "W-1", "W-2", "W-3", "W-4"]);
    hive.touch("go");
    hive.answer("W-4").await;
    let status = api.until_status("all is done", |status| status["counts"]["completed"] == 5).await;
    assert_eq!((&status["state"], &status["current"]), (&json!("idle"), &Value::Null));
    assert_eq!(status["health"]["status"], "healthy");
}

#[tokio::test]
async fn submitting_is_idempotent_by_id_and_content() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    let task = json!({"instruction": "words", "title": "T", "id": "IDEM-1", "priority": "P1"});
    let first = api.post("tasks", task.clone()).await;
    assert_eq!((first.status, &first.json["task_id"]), (201, &json!("IDEM-1")));
    assert_eq!(api.post("tasks", task.clone()).await.status, 200);
    hive.answer("IDEM-1").await;
    let again = api.post("tasks", task).await;
    assert_eq!((again.status, &again.json["status"]), (200, &json!("completed")));
    let other = api.post("tasks", json!({"instruction": "other words", "id": "IDEM-1"})).await;
    assert_eq!((other.status, other.code()), (409, "conflict"));
    assert_eq!(hive.work_file("ran.txt"), "IDEM-1\n");
}

#[tokio::test]
async fn bad_submissions_change_nothing() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    for body in [
        json!({"instruction": "x", "id": "../../x"}),
        json!({"instruction": "x", "id": "a.lock"}),
        json!({"instruction": "x", "priority": "P9"}),
        json!({"instruction": "x", "timeout_seconds": -1}),
        json!({"instruction": "x", "unknown": 1}),
        json!({"title": "no instruction"}),
        json!(["no object"]),
        json!(7),
    ] {
        let reply = api.post("tasks", body.clone()).await;
        assert_eq!((reply.status, reply.code()), (400, "bad_request"), "{body}");
    }
    assert_eq!(api.get("tasks?all=true").await.ok()["total"], 0);
    assert_eq!(hive.names_in(&hive.tasks()), ["archive", "rejected"]);
}

#[tokio::test]
async fn a_thousand_files_at_once_all_run() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    for n in 0..1_000 {
        hive.drop_task(&format!("MANY-{n}.md"), "words");
    }
    let api = agent.api();
    api.until_status("all have run", |status| status["counts"]["completed"] == 1_000).await;
    hive.until("all are archived", || {
        (hive.names_in(&hive.paths().archive(hive.bot())).len() == 1_000).then_some(())
    })
    .await;
    assert_eq!(hive.names_in(&hive.paths().responses()).len(), 1_000);
    assert_eq!(hive.names_in(&hive.tasks()), ["archive", "rejected"]);
}

#[tokio::test]
async fn finished_tasks_are_listed_when_asked_for_and_in_pages() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    for n in 1..=5 {
        api.submit(json!({"instruction": "words", "id": format!("PAGE-{n}")})).await;
        hive.answer(&format!("PAGE-{n}")).await;
    }
    api.until_ended("PAGE-5").await;
    assert_eq!(api.get("tasks").await.ok()["total"], 0);
    let ids = |list: &Value| -> Vec<String> {
        let tasks = list["tasks"].as_array().unwrap();
        tasks.iter().map(|task| task["task_id"].as_str().unwrap().to_owned()).collect()
    };
    let all = api.get("tasks?all=true").await.ok();
    assert_eq!(ids(&all), ["PAGE-5", "PAGE-4", "PAGE-3", "PAGE-2", "PAGE-1"]);
    assert_eq!(ids(&api.get("tasks?all=true&limit=2").await.ok()), ["PAGE-5", "PAGE-4"]);
    assert_eq!(ids(&api.get("tasks?all=true&limit=2&after=PAGE-4").await.ok()), ["PAGE-3", "PAGE-2"]);
}
