//! Response documents, and hives that have some already (SPEC 2 and 4).

use std::fs;

use hive_tests::{Agent, Hive};

use crate::scripts::AGENT;

#[tokio::test]
async fn a_response_says_all_there_is_to_say() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("FULL-1.md", "---\ntitle: All of it\nfrom: BOT-001\npriority: P1\n---\nwords");
    let header = hive.answer("FULL-1").await.header;
    assert_eq!(header.schema, 1);
    assert_eq!(header.task_id.unwrap().as_str(), "FULL-1");
    assert_eq!((header.bot_id.as_str(), header.source.as_str()), ("BOT-002", "file"));
    assert_eq!((header.title.as_deref(), header.from.as_deref()), (Some("All of it"), Some("BOT-001")));
    assert_eq!(header.priority.unwrap().as_str(), "P1");
    assert_eq!((header.status.as_str(), header.success), ("completed", true));
    assert_eq!((header.attempts, header.preemptions), (1, 0));
    assert!(header.started_at.unwrap() <= header.completed_at.unwrap());
    assert!(header.duration_seconds > 0.0 && header.duration_seconds < 20.0);
    assert_eq!((header.error, header.error_code, header.chat_id), (None, None, None));

    let path = hive.paths().responses().join("FULL-1-response.md");
    let document = fs::read_to_string(path).unwrap();
    let stamp =
        document.lines().find_map(|line| line.strip_prefix("completed_at: ")).unwrap().trim_matches('"');
    assert_eq!((stamp.len(), &stamp[19..20], &stamp[26..]), (27, ".", "Z"), "{stamp}");
    let served = agent.api().get("responses/FULL-1").await;
    assert_eq!((served.status, served.text), (200, document));
}

#[tokio::test]
async fn a_failure_says_why_and_keeps_what_was_said() {
    let hive = Hive::exec(AGENT, "");
    let _agent = Agent::start(&hive).await;
    hive.drop_task("BAD-1.md", "fail");
    let response = hive.answer("BAD-1").await;
    assert_eq!((response.header.status.as_str(), response.header.success), ("failed", false));
    assert_eq!(response.header.error_code.as_deref(), Some("exit_status"));
    let error = response.header.error.unwrap();
    assert!(error.contains("status 3") && error.contains("oh no"), "{error}");
    assert_eq!(response.text, "some\n");
    hive.drop_task("GOOD-1.md", "the next one runs");
    assert!(hive.answer("GOOD-1").await.header.success);
}

#[tokio::test]
async fn no_response_yet_is_not_found_and_nothing_is_half_there() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("SLOW-1.md", "hold");
    agent.api().until_is("SLOW-1", "running").await;
    let reply = agent.api().get("responses/SLOW-1").await;
    assert_eq!((reply.status, reply.code()), (404, "not_found"));
    assert_eq!(agent.api().get("responses/NEVER-1").await.status, 404);
    assert!(hive.names_in(&hive.paths().responses()).is_empty());
    hive.touch("go");
    hive.answer("SLOW-1").await;
}

#[tokio::test]
async fn output_beyond_the_limit_is_cut_and_says_so() {
    let hive = Hive::exec("yes 0123456789 | head -c 100000", "max_output = 1000");
    let agent = Agent::start(&hive).await;
    hive.drop_task("MUCH-1.md", "flood");
    let response = hive.answer("MUCH-1").await;
    assert_eq!(response.header.status.as_str(), "completed");
    assert!(response.text.starts_with("0123456789\n0123456789\n"));
    assert!(response.text.len() < 1_500, "{} bytes", response.text.len());
    let all = format!("{}{}", response.text, agent.api().task("MUCH-1").await["warnings"]);
    assert!(all.contains("cut") || all.contains("truncated"), "nothing says that it was cut: {all}");
}

#[tokio::test]
async fn the_api_cuts_long_content_and_the_document_has_all_of_it() {
    let hive = Hive::exec("yes 0123456789 | head -c 200000", "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("LONG-1.md", "long");
    assert_eq!(hive.answer("LONG-1").await.text.len(), 200_000);
    let task = agent.api().until_is("LONG-1", "completed").await;
    assert_eq!(
        (task["response"].as_str().unwrap().len(), &task["content_truncated"]),
        (65_536, &true.into())
    );
    let entry = agent.api().entries("source=file").await.remove(0);
    assert_eq!(
        (entry["content"].as_str().unwrap().len(), &entry["content_truncated"]),
        (65_536, &true.into())
    );
}

#[tokio::test]
async fn where_another_bots_response_has_the_name_ours_has_another() {
    let hive = Hive::echo(0, "");
    let theirs = hive.paths().responses().join("SHARED-1-response.md");
    let text = "---\nschema: 1\ntask_id: SHARED-1\nbot_id: BOT-003\nstatus: completed\n---\ntheirs";
    fs::write(&theirs, text).unwrap();
    let agent = Agent::start(&hive).await;
    hive.drop_task("SHARED-1.md", "ours");
    let task = agent.api().until_ended("SHARED-1").await;
    assert_eq!(task["response_file"], "SHARED-1@BOT-002-response.md");
    let ours = hive.until("our response", || hive.response_named("SHARED-1@BOT-002-response.md")).await;
    assert_eq!(ours.text, "ours");
    assert_eq!(fs::read_to_string(theirs).unwrap(), text);
    let served = agent.api().get("responses/SHARED-1").await;
    assert!(served.text.ends_with("ours"), "{}", served.text);
}

#[tokio::test]
async fn two_bots_of_one_hive_do_not_mix_up_their_tasks() {
    let hive = Hive::echo(0, "");
    let other = hive.of("BOT-003");
    let _one = Agent::start(&hive).await;
    let two = Agent::start(&other).await;
    hive.drop_task("BOTH-1.md", "for the first");
    let first = hive.answer("BOTH-1").await;
    assert_eq!((first.header.bot_id.as_str(), first.text.as_str()), ("BOT-002", "for the first"));
    other.drop_task("BOTH-1.md", "for the second");
    let task = two.api().until_ended("BOTH-1").await;
    let second = other.until("its response", || other.response_named("BOTH-1@BOT-003-response.md")).await;
    assert_eq!((task["response"].as_str(), second.text.as_str()), (Some("for the second"), "for the second"));
}

#[tokio::test]
async fn an_old_hives_answered_tasks_are_not_run_again() {
    let hive = Hive::exec(AGENT, "");
    let stamped = "2025-10-18-2115-BOT-001-BOT-002-TASK-parser";
    let old: [(&str, &str, &str, bool); 5] = [
        (
            "OLD-1",
            "20251018-2200-resp.md",
            "# Response\n**Task ID:** OLD-1\n**Status:** \u{2705} COMPLETE\n\n---\nIt is done.",
            false,
        ),
        (
            "OLD-2",
            "OLD-2-response.md",
            "---\ntask_id: OLD-2\nbot_id: BOT-002\nsuccess: false\n---\nIt broke.",
            true,
        ),
        (
            stamped,
            "x.md",
            "# Answer\nFrom: BOT-002\nTask: 2025-10-18-2115-BOT-001-BOT-002-TASK-parser.md\nStatus: FAILED\n\nNo.",
            true,
        ),
        ("OLD-4", "y.md", "---\nid: \"OLD-4\"\nstatus: completed\n---\nYes.", false),
        ("OLD-5", "z.md", "**Task ID**: OLD-5\n\nNothing about how it went.", false),
    ];
    for (stem, response, text, _) in &old {
        hive.drop_task(&format!("{stem}.md"), "do it");
        fs::write(hive.paths().responses().join(response), text).unwrap();
    }
    let not_an_answer = "# Report\nSome text.\n\nTask: NEW-1 will come later.";
    fs::write(hive.paths().responses().join("report.md"), not_an_answer).unwrap();
    hive.drop_task("NEW-1.md", "do this one");
    let agent = Agent::start(&hive).await;
    hive.answer("NEW-1").await;
    assert_eq!(hive.work_file("ran.txt"), "NEW-1\n");
    for (stem, _, text, had_failed) in &old {
        let task = agent.api().until_ended(stem).await;
        assert_eq!(task["status"], if *had_failed { "failed" } else { "completed" }, "{text}\n{task}");
        let warnings = task["warnings"].to_string();
        assert!(warnings.contains("answered"), "{task}");
        assert_eq!(warnings.contains("had failed"), *had_failed, "{task}");
        assert_eq!(hive.archived(&format!("{stem}.md")).as_deref(), Some("do it"));
    }
    assert_eq!(hive.names_in(&hive.paths().responses()).len(), old.len() + 2);
}

#[tokio::test]
async fn a_new_ledger_does_not_run_again_what_was_answered() {
    let hive = Hive::exec(AGENT, "");
    let mut agent = Agent::start(&hive).await;
    hive.drop_task("DONE-1.md", "once");
    hive.answer("DONE-1").await;
    agent.terminate();
    agent.ended().await;
    fs::remove_dir_all(hive.paths().state()).unwrap();
    hive.drop_task("DONE-1.md", "once");
    let agent = Agent::start(&hive).await;
    hive.until("it is archived", || (!hive.is_in_queue("DONE-1.md")).then_some(())).await;
    let task = agent.api().until_ended("DONE-1").await;
    assert!(task["warnings"].to_string().contains("answered"), "{task}");
    assert_eq!(hive.work_file("ran.txt"), "DONE-1\n");
}
