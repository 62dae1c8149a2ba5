use proptest::prelude::*;
use serde_json::json;

use super::*;

fn header() -> ResponseHeader {
    ResponseHeader {
        schema: SCHEMA,
        task_id: Some(ItemId::parse("TASK-002-010").unwrap()),
        chat_id: None,
        bot_id: BotId::parse("BOT-002").unwrap(),
        source: Source::File,
        from: Some("2025-10-18".into()),
        sender: None,
        session: None,
        prompt: None,
        title: Some("Fix: the parser".into()),
        priority: Some(Priority::P1),
        timestamp: "2026-11-22T18:05:27.5Z".parse().unwrap(),
        status: Status::TimedOut,
        success: false,
        started_at: Some("2026-11-22T18:05:00Z".parse().unwrap()),
        completed_at: None,
        duration_seconds: 27.500_000_4,
        attempts: 1,
        preemptions: 0,
        files_modified: vec!["src/a.rs".into(), "odd: name".into()],
        usage: Some(json!({"input_tokens": 1200, "cost": 0.000_001, "model": "1.0"})),
        error: Some("it took too long".into()),
        error_code: Some("timed_out".into()),
        retry_of: None,
    }
}

#[test]
fn what_a_response_looks_like() {
    let document = write(&header(), "Half of it.\n---\nnot done");
    assert_eq!(
        document,
        "---\nschema: 1\ntask_id: TASK-002-010\nbot_id: BOT-002\nsource: file\nfrom: \"2025-10-18\"\n\
         title: \"Fix: the parser\"\npriority: P1\ntimestamp: \"2026-11-22T18:05:27.500000Z\"\nstatus: timed_out\n\
         success: false\nstarted_at: \"2026-11-22T18:05:00.000000Z\"\nduration_seconds: 27.5\nattempts: 1\npreemptions: 0\n\
         files_modified:\n- src/a.rs\n- \"odd: name\"\nusage: {\"input_tokens\": 1200, \"cost\": 0.000001, \"model\": \"1.0\"}\n\
         error: it took too long\nerror_code: timed_out\n---\nHalf of it.\n---\nnot done"
    );
    let (read_back, text) = read(&document).unwrap();
    assert_eq!(read_back, ResponseHeader { duration_seconds: 27.5, ..header() });
    assert_eq!(text, "Half of it.\n---\nnot done");
}

#[test]
fn a_document_of_schema_1_is_read_for_ever() {
    let old = "---\nschema: 1\nchat_id: CHAT-1\nbot_id: BOT-002\nsource: chat\nsender: dave\nsession: dave\nprompt: |-\n  two\n\n  lines\n\
        timestamp: \"2026-11-22T18:05:27.500000Z\"\nstatus: completed\nsuccess: true\nduration_seconds: 3.0\nattempts: 1\n\
        preemptions: 0\nfiles_modified: []\n---\n";
    let (header, text) = read(old).unwrap();
    assert_eq!((header.prompt.as_deref(), text), (Some("two\n\nlines"), ""));
    assert_eq!(write(&header, text), old);
}

#[test]
fn what_is_no_response() {
    assert!(matches!(read("# Response\n"), Err(ResponseError::NoFrontMatter)));
    assert!(matches!(read("---\nschema: 1\n"), Err(ResponseError::NoFrontMatter)));
    assert!(matches!(read("---\nschema: 1\n---\n"), Err(ResponseError::FrontMatter(_))));
    let aliased =
        write(&header(), "").replace("usage: ", "usage: &u ").replace("error: it took too long", "error: *u");
    assert!(matches!(read(&aliased), Err(ResponseError::FrontMatter(_))));
    let later = write(&ResponseHeader { schema: 2, ..header() }, "");
    assert!(matches!(read(&later), Err(ResponseError::Schema(2))));
}

fn found(head: &str) -> (Vec<String>, Option<String>, Option<bool>) {
    let Answers { names, bot_id, failed } = answers(head);
    (names, bot_id, failed)
}

#[test]
fn old_responses_tell_whom_they_answer() {
    for (head, names, bot, failed) in [
        (
            "# Response\n**Task ID:** TASK-002-010\n**Bot ID:** BOT-002\n**Status:** FAILED\n\n**Task ID** is",
            &["TASK-002-010"][..],
            Some("BOT-002"),
            Some(true),
        ),
        (
            "Task: 2025-10-18-2115-foo.md\r\nStatus: ✅ COMPLETE\r\n\r\ntext\r\n",
            &["2025-10-18-2115-foo"],
            None,
            Some(false),
        ),
        ("# Done\n\nTask ID: `TASK-7`\nNotes: see below\n---\nTask: TASK-8\n", &["TASK-7"], None, None),
        ("# R\n## Task\nTask: TASK-8\n", &[], None, None),
        ("# R\nSome text.\nTask: TASK-8\n", &[], None, None),
        ("**Task:** [TASK-7](../tasks/TASK-7.md)\n", &["TASK-7"], None, None),
        ("Task: tasks/BOT-002/TASK-7.md\n", &["TASK-7"], None, None),
        ("Task ID: TASK-7 (parser)\n", &["TASK-7 (parser)", "TASK-7"], None, None),
        ("Task: Build the parser\n", &["Build the parser"], None, None),
        ("- **Task ID**: TASK-7\n- **Status**: Not done\n", &["TASK-7"], None, Some(true)),
        (
            "---\ntask_id: TASK-7\nbot_id: BOT-002 # two\nstatus: completed\nsuccess: false\nretry_of: TASK-6\n---\nTask: T-8\n",
            &["TASK-7"],
            Some("BOT-002"),
            Some(true),
        ),
        ("---\nid: TASK-7\n---\n", &["TASK-7"], None, None),
        ("ID: TASK-7\n", &[], None, None),
        ("---\ntask_id: \"007\"\nmeta:\n  task_id: T-9\nstatus: 'success'\n", &["007"], None, Some(false)),
        (
            "---\nchat_id: CHAT-1\nprompt: |-\n  task_id: T-9\nstatus: incomplete\n---\n",
            &[],
            None,
            Some(true),
        ),
        ("", &[], None, None),
    ] {
        let expected = (names.iter().map(|&name| name.to_owned()).collect(), bot.map(str::to_owned), failed);
        assert_eq!(found(head), expected, "{head:?}");
    }
    let own = write(&header(), "Task: TASK-9\n");
    assert_eq!(found(&own), (vec!["TASK-002-010".to_owned()], Some("BOT-002".to_owned()), Some(true)));
    let chat = ResponseHeader { prompt: Some("x\n".repeat(100_000)), ..header() };
    assert_eq!(found(&write(&chat, "")[..MAX_HEAD_BYTES]).0, ["TASK-002-010"]);
}

proptest! {
    #[test]
    fn any_response_is_read_as_written(
        text in any::<String>(), prompt in prop::option::of("(\\PC{0,8}[\n\r\t ]{0,2}){0,4}"), error in prop::option::of(any::<String>()),
        files in prop::collection::vec("\\PC{1,8}", 0..3), millis in 0_u32.., key in "\\PC{0,5}", number in any::<i64>(), fraction in -1e12_f64..1e12,
    ) {
        let header = ResponseHeader {
            prompt, error, files_modified: files,
            duration_seconds: f64::from(millis) / 1e3,
            usage: Some(json!({key: [number, fraction, {"deep": text}], "none": null})),
            ..header()
        };
        let document = write(&header, &text);
        let (read_back, body) = read(&document).unwrap();
        prop_assert_eq!(body, &text);
        prop_assert_eq!(read_back, header);
    }

    #[test]
    fn any_head_is_looked_at(head in any::<String>(), lines in "(---\n)?([#*A-Za-z: \"'-]{0,12}\n){0,6}") {
        let _ = (answers(&head), answers(&lines), read(&head).is_ok(), read(&lines).is_ok());
    }
}
