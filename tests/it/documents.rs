//! What a document says and what comes of it: forms, ids, priorities, dependencies (SPEC 3).

use std::fs;

use hive_tests::{Agent, Hive};
use serde_json::json;

use crate::scripts::AGENT;

#[tokio::test]
async fn all_four_forms_of_documents_run() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let bold = "# FORM-1: A bold header\n**Task ID:** FORM-1\n**From**: BOT-001\n**Priority:** P1 - HIGH\n\
                **Deadline:** soon\n\n---\n\nDo the first.\n";
    let json = json!({"task_id": "FORM-3", "bot_id": "BOT-002", "command": "Do the third.",
                      "priority": "P0", "timeout_seconds": 60});
    hive.drop_task("one.md", bold);
    hive.drop_task("two.md", "---\nid: FORM-2\nfrom: BOT-001\ntimeout: 10m\n---\nDo the second.\n");
    hive.drop_task("three.md", json.to_string());
    hive.drop_task("FORM-4.md", "Do the fourth.");

    let first = hive.answer("FORM-1").await;
    assert!(first.text.contains("Do the first.") && first.text.contains("Deadline"), "{}", first.text);
    assert!(!first.text.contains("BOT-001"), "what was read as a field does not reach the agent");
    assert_eq!(first.header.from.as_deref(), Some("BOT-001"));
    assert_eq!(hive.answer("FORM-2").await.text, "Do the second.\n");
    assert_eq!(hive.answer("FORM-3").await.text, "Do the third.");
    assert_eq!(hive.answer("FORM-4").await.text, "Do the fourth.");

    let api = agent.api();
    assert_eq!(api.task("FORM-1").await["title"], "A bold header");
    assert_eq!(api.task("FORM-2").await["limit_seconds"].as_f64(), Some(600.0));
    let third = api.task("FORM-3").await;
    assert_eq!((&third["priority"], third["limit_seconds"].as_f64()), (&json!("P0"), Some(60.0)));
    assert_eq!(api.task("FORM-4").await["limit_seconds"].as_f64(), Some(1800.0));
}

#[tokio::test]
async fn priorities_are_understood_as_people_write_them() {
    let hive = Hive::echo(0, "");
    hive.control("PAUSE", "");
    let agent = Agent::start(&hive).await;
    let cases = [
        ("HAND-1", "P2 - HIGH", "P2"),
        ("HAND-2", "URGENT!", "P0"),
        ("HAND-3", "quite high, they say", "P1"),
        ("HAND-4", "low", "P3"),
        ("HAND-5", "whenever", "P2"),
        ("HAND-6", "Blocking", "P0"),
    ];
    for (id, text, _) in cases {
        hive.drop_task(&format!("{id}.md"), format!("# T\n**Priority:** {text}\n\nbody\n"));
    }
    hive.drop_task("2025-10-18-2115-BOT-001-P1-name.md", "only its name tells");
    for (id, text, priority) in cases {
        let task = agent.api().until_is(id, "queued").await;
        assert_eq!(task["priority"], priority, "{text}");
    }
    let named = agent.api().until_is("2025-10-18-2115-BOT-001-P1-name", "queued").await;
    assert_eq!(named["priority"], "P1");
    assert!(named["created"].as_str().unwrap().starts_with("2025-10-18T21:15"), "{named}");
}

#[tokio::test]
async fn an_id_with_a_way_out_stays_in_the_hive() {
    let hive = Hive::echo(0, "");
    let before = hive.names_in(hive.home());
    let _agent = Agent::start(&hive).await;
    hive.drop_task("EVIL-1.md", "# T\n**Task ID:** ../../../../evil\n**From:** ../../../x\n\nfirst\n");
    hive.drop_task("EVIL-2.md", "---\nid: /tmp/evil-absolute\n---\nsecond\n");
    hive.drop_task("EVIL-3.md", json!({"task_id": "..", "command": "third"}).to_string());
    hive.until("all three are done with", || {
        let done = hive.names_in(&hive.paths().responses()).len()
            + hive.names_in(&hive.paths().rejected(hive.bot())).len() / 2;
        (done == 3).then_some(())
    })
    .await;
    for name in hive.names_in(&hive.paths().responses()) {
        let response = hive.response_named(&name).unwrap();
        let id = response.header.task_id.unwrap();
        assert!(name == format!("{id}-response.md"), "{name}");
    }
    assert!(!fs::exists("/tmp/evil-absolute-response.md").unwrap());
    let mut after = hive.names_in(hive.home());
    after.retain(|name| !name.starts_with("stderr-"));
    assert_eq!(after, before, "something was written beside .deia");
}

#[tokio::test]
async fn a_dependency_runs_first() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("DEP-2.md", "# T\n**Priority:** P0\n**Depends on:** DEP-1 (schema)\n\nsecond\n");
    let task = agent.api().until_is("DEP-2", "blocked").await;
    assert!(task["blocked_reason"].as_str().unwrap().contains("DEP-1"), "{task}");
    assert_eq!(agent.api().status().await["queue"]["blocked"], 1);
    hive.drop_task("DEP-1.md", "# T\n**Priority:** P3\n\nfirst\n");
    let second = hive.answer("DEP-2").await;
    assert!(second.header.success);
    let first = hive.answer("DEP-1").await;
    assert!(first.header.completed_at.unwrap() <= second.header.started_at.unwrap());
}

#[tokio::test]
async fn what_depends_on_a_failure_fails_too() {
    let hive = Hive::exec(AGENT, "");
    let _agent = Agent::start(&hive).await;
    hive.drop_task("DEP-2.md", "---\ndepends_on: DEP-1\n---\nsecond\n");
    hive.drop_task("DEP-1.md", "fail\n");
    let second = hive.answer("DEP-2").await;
    assert_eq!(second.header.status.as_str(), "failed");
    assert_eq!(second.header.error_code.as_deref(), Some("dependency_failed"));
    assert_eq!(hive.work_file("ran.txt"), "DEP-1\n");
    hive.drop_task("DEP-3.md", "---\ndepends_on: DEP-1\n---\nafter the fact\n");
    assert_eq!(hive.answer("DEP-3").await.header.error_code.as_deref(), Some("dependency_failed"));
}

#[tokio::test]
async fn a_cycle_of_dependencies_fails() {
    let hive = Hive::echo(0, "");
    let _agent = Agent::start(&hive).await;
    hive.drop_task("RING-1.md", "---\ndepends_on: RING-3\n---\none\n");
    hive.drop_task("RING-2.md", "---\ndepends_on: RING-1\n---\ntwo\n");
    hive.drop_task("RING-3.md", "---\ndepends_on: RING-2\n---\nthree\n");
    for id in ["RING-1", "RING-2", "RING-3"] {
        let header = hive.answer(id).await.header;
        assert_eq!(
            (header.status.as_str(), header.error_code.as_deref()),
            ("failed", Some("dependency_failed"))
        );
    }
}

#[tokio::test]
async fn a_dependency_that_never_comes_fails_its_task_in_the_end() {
    let hive = Hive::echo(0, "dependency_timeout = \"300ms\"");
    let _agent = Agent::start(&hive).await;
    hive.drop_task("LONELY-1.md", "---\ndepends_on: NEVER-1\n---\nwords\n");
    let header = hive.answer("LONELY-1").await.header;
    assert_eq!((header.status.as_str(), header.error_code.as_deref()), ("failed", Some("dependency_failed")));
}

#[tokio::test]
async fn any_text_as_instruction_comes_back_byte_for_byte() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let texts = [
        "---\nid: not-a-header\n---\nbody",
        "# Title\n**Priority:** P0\n\nnot a field",
        "{\"command\": \"not JSON for us\"}",
        "\u{feff}mark\r\nand line ends\r\n",
        " leading and trailing \n\n",
        "\u{1f41d} bees\ttabs",
    ];
    for (n, text) in texts.into_iter().enumerate() {
        let task = agent.api().submit(json!({"instruction": text, "id": format!("VERB-{n}")})).await;
        assert_eq!(task["priority"], "P2");
        assert_eq!(hive.answer(&format!("VERB-{n}")).await.text, text);
    }
}

#[tokio::test]
async fn what_is_done_again_depends_on_what_was_done_again() {
    let hive = Hive::exec("cat; test -e good", "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    api.submit(json!({"instruction": "first", "id": "DEP-1"})).await;
    assert_eq!(api.until_ended("DEP-1").await["status"], "failed");
    api.submit(json!({"instruction": "second", "id": "DEP-2", "depends_on": ["DEP-1"]})).await;
    assert_eq!(api.until_ended("DEP-2").await["error_code"], "dependency_failed");
    hive.touch("good");
    assert_eq!(api.post("tasks/DEP-1/retry", json!({})).await.ok()["task_id"], "DEP-1.r2");
    assert_eq!(api.until_ended("DEP-1.r2").await["status"], "completed");
    let again = api.post("tasks/DEP-2/retry", json!({})).await.ok();
    assert_eq!((&again["task_id"], &again["depends_on"]), (&json!("DEP-2.r2"), &json!(["DEP-1.r2"])));
    assert_eq!(api.until_ended("DEP-2.r2").await["status"], "completed");
}
