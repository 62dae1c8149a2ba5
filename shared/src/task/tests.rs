use super::*;

mod corpus;
mod fields;
mod round_trip;

const MODIFIED: &str = "2026-01-02T03:04:05.000000Z";

/// Reads a document from a file of that name in the queue of BOT-002, three hours east of UTC.
fn read_as(file_name: &str, bytes: &[u8]) -> Result<TaskDocument, NotATask> {
    let bot = BotId::parse("BOT-002").unwrap();
    let bots = [bot.clone(), BotId::parse("scout7").unwrap()];
    let zone = TimeZone::fixed(jiff::tz::Offset::constant(3));
    let modified = MODIFIED.parse().unwrap();
    read(bytes, &Reading { file_name, modified, bot: &bot, bots: &bots, zone: &zone })
}

fn task(text: &str) -> TaskDocument {
    read_as("a-task.md", text.as_bytes()).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn item(id: &str) -> ItemId {
    ItemId::parse(id).unwrap()
}

fn fields_of(document: &TaskDocument) -> Vec<(&str, &str)> {
    document.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[test]
fn a_bold_header_of_an_old_hive() {
    let text = "# TASK-002-010: Build the timeline parser\n\
        \n\
        **Task ID:** TASK-002-010\n\
        **From:** BOT-001 (Queen)\n\
        **To:** BOT-002\n\
        **Priority:** P1 - HIGH\n\
        **Created:** 2025-10-18 2115 CDT (after stand-up)\n\
        **Deadline**: tomorrow\n\
        **Timeout:** 10m\n\
        **Interruptible:** no\n\
        **Depends on:** TASK-002-008 (schema), TASK-002-009\n\
        \n\
        ---\n\
        \n\
        ## Goal\n\
        **Priority:** P0 is what the parser must say here.\n";
    let document = read_as("2025-10-17-0900-BOT-001-BOT-002-P3-parser.md", text.as_bytes()).unwrap();
    assert_eq!(
        document,
        TaskDocument {
            id: item("TASK-002-010"),
            title: "Build the timeline parser".into(),
            priority: Priority::P1,
            from: "BOT-001 (Queen)".into(),
            to: Some("BOT-002".into()),
            created: "2025-10-19T02:15:00Z".parse().unwrap(),
            limit: Some(Duration::from_secs(600)),
            interruptible: false,
            depends_on: vec![item("TASK-002-008"), item("TASK-002-009")],
            retry_of: None,
            fields: [("Deadline".to_owned(), "tomorrow".to_owned())].into(),
            instruction:
                "# TASK-002-010: Build the timeline parser\n\n**Deadline**: tomorrow\n\n---\n\n## Goal\n\
                **Priority:** P0 is what the parser must say here.\n"
                    .into(),
            warnings: vec![],
        }
    );
}

#[test]
fn a_header_ends_where_something_else_begins() {
    for (text, instruction, priority) in [
        ("# T\n**Task ID:** T-1\n---\n**Priority:** P0\n", "# T\n---\n**Priority:** P0\n", Priority::P2),
        (
            "# T\n**Task ID:** T-1\n\n## Part\n**Priority:** P0\n",
            "# T\n\n## Part\n**Priority:** P0\n",
            Priority::P2,
        ),
        (
            "# T\n**Task ID:** T-1\n\nDo it.\n**Priority:** P0\n",
            "# T\n\nDo it.\n**Priority:** P0\n",
            Priority::P2,
        ),
        (
            "# T\r\n**Task ID**: T-1\r\n\r\n**priority** : p0\r\nDo it.\r\n",
            "# T\r\n\r\nDo it.\r\n",
            Priority::P0,
        ),
        ("\n**Task_ID:** `T-1`\n**PRIORITY:** **low**\nDo it.", "\nDo it.", Priority::P3),
        ("# T\n# U\n**Task ID:** T-1\n", "# T\n# U\n**Task ID:** T-1\n", Priority::P2),
        ("- **Priority:** P0\n", "- **Priority:** P0\n", Priority::P2),
    ] {
        let document = task(text);
        assert_eq!((document.instruction.as_str(), document.priority), (instruction, priority), "{text:?}");
    }
}

#[test]
fn to_and_from_right_under_the_title_count_unbolded() {
    let document = task("# Fix it\n\nTo: BOT-002\nFrom: Dave\n**Priority:** P1\nTo: the point\n");
    assert_eq!((document.to.as_deref(), document.from.as_str()), (Some("BOT-002"), "Dave"));
    assert_eq!(document.instruction, "# Fix it\n\nTo: the point\n");
    assert_eq!(document.warnings, Vec::<String>::new());
    for text in [
        "To: BOT-002\nDo it\n",
        "# T\n**Priority:** P1\nFrom: Dave\n",
        "# T\ntext\nFrom: Dave\n",
        "# T\nCc: x\nFrom: y\n",
    ] {
        assert_eq!((task(text).from.as_str(), task(text).to), (UNKNOWN_SENDER, None), "{text:?}");
    }
}

#[test]
fn front_matter() {
    let text = "\u{feff}---\r\nid: 007\r\nTitle: \"Fix: the parser\"\r\npriority: critical\r\nassigned-by: Dave\r\n\
        Date: 2025-10-18\r\nTime: 9:15 PM\r\ntimeout_seconds: 300\r\ninterruptible: false\r\n\
        depends_on: [TASK-6, schema, TASK-6]\r\nlabels: [a, b]\r\nnested: {x: 1}\r\nnothing:\r\n---\r\n\r\n# Heading\r\n\
        **Priority:** P3\r\n";
    let document = task(text);
    assert_eq!(document.id, item("007"));
    assert_eq!(document.title, "Fix: the parser");
    assert_eq!(document.priority, Priority::P0);
    assert_eq!(document.from, "Dave");
    assert_eq!(document.created.to_string(), "2025-10-18T18:15:00.000000Z");
    assert_eq!(document.limit, Some(Duration::from_secs(300)));
    assert!(!document.interruptible);
    assert_eq!(document.depends_on, [item("TASK-6"), item("schema")]);
    assert_eq!(fields_of(&document), [("labels", "a, b"), ("nested", "{\"x\":\"1\"}")]);
    assert_eq!(document.instruction, "\r\n# Heading\r\n**Priority:** P3\r\n");
    assert_eq!(document.warnings, Vec::<String>::new());
    assert_eq!(task("---\n---\nDo it.\n").instruction, "Do it.\n");
}

#[test]
fn json() {
    let text = r#" {"task_id": "T-9", "bot_id": "BOT-002", "command": " Do it.\n", "priority": "P1",
        "created_at": "2025-10-18T14:05:00Z", "timeout_seconds": 90.5, "depends_on": null, "extra": [1, true]} "#;
    let document = task(text);
    assert_eq!((document.id, document.instruction.as_str()), (item("T-9"), " Do it.\n"));
    assert_eq!((document.priority, document.title.as_str()), (Priority::P1, "Do it."));
    assert_eq!(document.limit, Some(Duration::from_millis(90_500)));
    assert_eq!(document.created.to_string(), "2025-10-18T14:05:00.000000Z");
    assert_eq!(document.fields, BTreeMap::from([("extra".to_owned(), "1, true".to_owned())]));
    assert_eq!(document.warnings, Vec::<String>::new());
    assert_eq!(task(r#"{"instruction": "Do it", "id": "x"}"#).id, item("x"));
}

#[test]
fn plain_text() {
    let text = "\n  Please fix the parser, it fails on 'a: b: c'.\n\n# Notes\nid: 7\nPriority: P0\n";
    let document = read_as("20251024_145604-P1-fix.md", text.as_bytes()).unwrap();
    assert_eq!(document.id, item("20251024_145604-P1-fix"));
    assert_eq!(document.title, "Please fix the parser, it fails on 'a: b: c'.");
    assert_eq!(document.priority, Priority::P1);
    assert_eq!((document.from.as_str(), document.to.as_deref()), (UNKNOWN_SENDER, None));
    assert_eq!(document.created.to_string(), "2025-10-24T11:56:04.000000Z");
    assert_eq!((document.limit, document.interruptible), (None, true));
    assert_eq!(document.instruction, text);
    assert_eq!((document.fields.len(), document.warnings.len()), (0, 0));
    for text in [
        "{{ template }} do it",
        "{note to self} do it",
        "{} is empty",
        "[1, 2]",
        "----\nx\n----",
        "{a} and {b}",
    ] {
        assert_eq!(task(text).instruction, text);
    }
}

#[test]
fn what_is_not_a_task() {
    let long_yaml = format!("---\na: {}\n---\nx", "y".repeat(MAX_FRONT_MATTER_BYTES));
    for (bytes, expected) in [
        (&b""[..], "empty"),
        (b"\xef\xbb\xbf \r\n\t", "empty"),
        (b"---\ntitle: x\n---\n \n", "no instruction"),
        (b"**Task ID:** T-1\n", "no instruction"),
        (b"ab\xff", "offset 2"),
        (b"\xff\xfea\0", "UTF-8"),
        (b"---\ntitle: x\n", "no second '---'"),
        (b"---\nDo this.\n---\nAnd that.\n", "line 2"),
        (b"---\ntitle: Fix: it\n---\nDo it.\n", "line 2"),
        (b"---\na: &a x\nb: *a\n---\nDo it.\n", "aliases"),
        (b"{\"command\": \"x\"", "JSON"),
        (b"{\"command\": \"x\",}", "JSON"),
        (b"{", "JSON"),
        (b"{'command': 'x'}", "JSON"),
        (b"{command: 'x'}", "JSON"),
        (b"{\"command\": \"x\"} {\"command\": \"y\"}", "JSON"),
        (b"{}", "command"),
        (b"{\"command\": {\"run\": \"x\"}}", "command"),
        (b"{\"command\": \" \"}", "command"),
        (long_yaml.as_bytes(), "front matter has"),
        (&vec![b'x'; MAX_TASK_BYTES + 1], "1048577"),
    ] {
        let error = read_as("a.md", bytes).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{:?}: {error}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(60)])
        );
    }
    assert_eq!(read_as("a.md", b" \n"), Err(NotATask::Empty));
    assert_eq!(read_as("…….md", b"x"), Err(NotATask::NoId("…….md".into())));
    assert!(read_as("a.md", &vec![b'x'; MAX_TASK_BYTES]).is_ok());
}
