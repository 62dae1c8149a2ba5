//! What is written is read; anything at all is read or refused, and in time.

use std::time::Instant;

use hive_corpus::cases;
use proptest::prelude::*;

use super::*;

fn new_task(instruction: &str) -> NewTask {
    NewTask {
        id: item("TASK-1"),
        instruction: instruction.to_owned(),
        title: None,
        priority: None,
        from: None,
        to: BotId::parse("BOT-002").unwrap(),
        created: MODIFIED.parse().unwrap(),
        limit: None,
        interruptible: None,
        depends_on: vec![],
        retry_of: None,
    }
}

#[test]
fn what_hivectl_writes_looks_like_this() {
    let new = NewTask {
        title: Some("Fix: the parser".into()),
        priority: Some(Priority::P1),
        from: Some("dave".into()),
        limit: Some(Duration::from_millis(90_500)),
        interruptible: Some(false),
        depends_on: vec![item("setup"), item("2025-10-18")],
        retry_of: Some(item("TASK-0")),
        ..new_task("Do it.\n")
    };
    let text = write(&new).unwrap();
    assert_eq!(
        text,
        "---\ntask_id: TASK-1\ntitle: \"Fix: the parser\"\npriority: P1\nfrom: dave\nto: BOT-002\n\
         created_at: \"2026-01-02T03:04:05.000000Z\"\ntimeout_seconds: 90.5\ninterruptible: false\n\
         depends_on:\n- setup\n- \"2025-10-18\"\nretry_of: TASK-0\n---\nDo it.\n"
    );
    let document = task(&text);
    assert_eq!((document.id, document.title), (new.id, "Fix: the parser".to_owned()));
    assert_eq!(
        (document.limit, document.depends_on, document.retry_of),
        (new.limit, new.depends_on, new.retry_of)
    );
    assert_eq!(document.warnings, Vec::<String>::new());
}

#[test]
fn what_no_reader_would_take_is_not_written() {
    assert_eq!(write(&new_task(" \n\t")), Err(NotATask::NoInstruction));
    assert!(matches!(write(&new_task(&"x".repeat(MAX_TASK_BYTES))), Err(NotATask::TooLarge(_))));
    let titled = NewTask { title: Some("x".repeat(MAX_FRONT_MATTER_BYTES)), ..new_task("x") };
    assert!(matches!(write(&titled), Err(NotATask::FrontMatterTooLong(_))));
}

#[test]
fn instructions_of_any_kind_come_back() {
    for text in [
        "---\nid: other\n---\nbody",
        "---",
        "\n\n---\n",
        "\r\nDo it\r\n",
        "  x  ",
        "\u{feff}x",
        "{\"command\": \"y\"}",
        "# T\n**Task ID:** T-9\n**Priority:** P0\n",
        "{",
        "\u{0}",
        "a\u{2028}b",
        "...\n",
        "x\n\n\n",
        "\r",
        "\u{feff}",
    ] {
        match write(&new_task(text)) {
            Ok(document) => assert_eq!(task(&document).instruction, text, "{text:?}"),
            Err(error) => assert!(text.trim().is_empty() && error == NotATask::NoInstruction, "{text:?}"),
        }
    }
}

#[test]
fn large_documents_take_time_in_proportion() {
    // A document of the largest size: what it begins with, a unit again and again, and what it ends with.
    let filled = |size: usize, head: &str, unit: &str, tail: &str| {
        format!("{head}{}{tail}", unit.repeat((size - head.len() - tail.len()) / unit.len()))
    };
    let units =
        ["**From:** x\n", "**Task ID:** …\n", "\n", "**", "# ", "---\n", "{\"", "---\r\n-", "(", "x "];
    let texts = units.map(|unit| filled(MAX_TASK_BYTES, "", unit, ""));
    let values = [
        ("depends_on", "a(,"),
        ("depends_on", "T-1 "),
        ("depends_on", "T-1,"),
        ("timeout", "1 "),
        ("date", "2025-10-18 "),
    ];
    let headed = values.iter().flat_map(|(name, unit)| {
        [
            filled(MAX_TASK_BYTES, &format!("{{\"command\": \"x\", \"{name}\": \""), unit, "\"}"),
            filled(MAX_FRONT_MATTER_BYTES, &format!("---\n{name}: \""), unit, "\"\n---\nx"),
            filled(MAX_FRONT_MATTER_BYTES, &format!("# T\n**{name}:** "), unit, "\nx"),
        ]
    });
    let lists = [
        filled(MAX_TASK_BYTES, "{\"command\": \"x\", \"depends_on\": [", "\"T1 T-2\",", "\"\"]}"),
        filled(MAX_TASK_BYTES, "{\"command\": \"x\", \"a\": ", "[", ""),
        filled(MAX_FRONT_MATTER_BYTES, "---\na: ", "[", "\n---\nx"),
        filled(MAX_FRONT_MATTER_BYTES, "---\n", "a: \n", "---\nx"),
    ];
    // Many names that are compared as one.
    let separator = |i: u32| format!("{i:015b}").replace('0', "_").replace('1', "-");
    let names = (0..30_000).map(|i| format!("\"task{}id\": \"…\"", separator(i))).collect::<Vec<_>>();
    let same_names = format!("{{{}, \"command\": \"x\"}}", names.join(", "));
    let documents = texts.into_iter().chain(headed).chain(lists).chain([same_names]);
    for document in documents {
        let start = Instant::now();
        let _ = read_as("a.md", document.as_bytes());
        let taken = start.elapsed();
        assert!(
            taken < Duration::from_secs(3),
            "{taken:?}: {}…",
            document.chars().take(40).collect::<String>()
        );
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("---\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("# T\n".to_owned()),
        Just("**Task ID:** T-1\n".to_owned()),
        Just("**Depends on:** ".to_owned()),
        Just("To: x\n".to_owned()),
        Just("{\"command\": ".to_owned()),
        Just("\"x\"}".to_owned()),
        Just("Date: 2025-10-18 ".to_owned()),
        Just("id: ".to_owned()),
        Just("\n".to_owned()),
        Just("  - ".to_owned()),
        "[ -~]{0,12}",
        "\\PC{0,6}",
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), text in pieces(), name in "\\PC{0,20}") {
        let _ = read_as(&name, &bytes);
        if let Ok(document) = read_as(&name, text.as_bytes()) {
            prop_assert!(!document.instruction.trim().is_empty() && !document.title.is_empty());
        }
    }

    #[test]
    fn what_is_written_is_read(
        instruction in pieces(), title in prop::option::of(any::<String>()), from in prop::option::of("\\PC{0,20}"),
        priority in prop::option::of(0_usize..4), millis in prop::option::of(1_u64..1_000_000_000),
        interruptible in prop::option::of(any::<bool>()), depends in prop::collection::btree_set("[A-Za-z0-9][a-z0-9_-]{3,9}", 0..4),
        micros in 0_i64..4_000_000_000_000_000,
    ) {
        let new = NewTask {
            title, from, interruptible,
            priority: priority.map(Priority::from_index),
            limit: millis.map(Duration::from_millis),
            created: Stamp::from_micros(micros),
            depends_on: depends.iter().filter(|id| !matches!(&id.to_lowercase()[..], "none" | "null" | "scout7")).filter(|id| !id.to_lowercase().starts_with("bot-")).map(|id| item(id)).collect(),
            ..new_task(&instruction)
        };
        let Ok(text) = write(&new) else {
            prop_assert!(instruction.trim().is_empty());
            return Ok(());
        };
        let document = read_as("x.md", text.as_bytes()).unwrap();
        prop_assert_eq!(&document.instruction, &instruction);
        prop_assert_eq!((&document.id, document.created, document.limit), (&new.id, new.created, new.limit));
        prop_assert_eq!((document.priority, document.interruptible), (new.priority.unwrap_or_default(), new.interruptible.unwrap_or(true)));
        prop_assert_eq!(&document.depends_on, &new.depends_on);
        prop_assert_eq!(&document.warnings, &Vec::<String>::new());
        prop_assert_eq!(document.digest(), read_as("y.md", text.as_bytes()).unwrap().digest());
    }
}
