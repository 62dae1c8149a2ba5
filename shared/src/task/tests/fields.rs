//! The fields, as people write them.

use super::*;

#[test]
fn ids_from_headers_and_names() {
    for (file, header, id, warned) in [
        ("a.md", "TASK-002-010", "TASK-002-010", None),
        ("a.md", "TASK-002-010 (draft)", "TASK-002-010", Some("TASK-002-010 (draft)")),
        ("a.md", "TASK-002-010: Build it", "TASK-002-010", Some("Build it")),
        ("a.md", "setup - first", "setup", Some("setup - first")),
        ("a.md", "my task", "my-task", Some("my task")),
        ("a.md", "../../etc/passwd", "etc-passwd", Some("etc-passwd")),
        ("a.md", "…", "a", Some("cannot be an id")),
        ("my notes (2).md", "…", "my-notes-2", Some("cannot be an id")),
    ] {
        let document = read_as(file, format!("# T\n**Task ID:** {header}\nDo it.\n").as_bytes()).unwrap();
        assert_eq!(document.id.as_str(), id, "{header}");
        let all = document.warnings.join("\n");
        assert!(warned.map_or(all.is_empty(), |part| all.contains(part)), "{header}: {all}");
    }
    for (file, id, warnings) in [
        ("a.b.MD", "a.b", 0),
        ("release-1.2", "release-1.2", 0),
        ("my task.md", "my-task", 1),
        ("x/y.md", "y", 0),
    ] {
        let document = read_as(file, b"Do it.").unwrap();
        assert_eq!((document.id.as_str(), document.warnings.len()), (id, warnings), "{file}");
    }
    // In Markdown `ID` alone is any field.
    assert_eq!(task("# T\n**ID:** 5\nDo it.").id, item("a-task"));
}

#[test]
fn titles() {
    for (text, title) in [
        ("# TASK-7: Build it\n**Task ID:** TASK-7\n", "Build it"),
        ("# task-7 : Build it\n**Task ID:** TASK-7\n", "Build it"),
        ("# TASK-8: Build it\n**Task ID:** TASK-7\n", "TASK-8: Build it"),
        ("# TASK-7:\n**Task ID:** TASK-7\n", "TASK-7:"),
        ("# ä\n**Task ID:** a\n", "ä"),
        ("# Head\n**Title:** Named\n", "Named"),
        ("---\nid: TASK-7\n---\n\n## TASK-7: Build it ##\n", "Build it ##"),
        ("---\ntitle: |\n  two\n  lines\n---\nx", "two lines"),
        ("---\nid: x\n---\nFirst line.\n# Heading\n", "First line."),
        ("#hashtag first\n", "#hashtag first"),
        ("# \ntext", "#"),
    ] {
        assert_eq!(task(text).title, title, "{text:?}");
    }
    let long = task(&"wörd ".repeat(1_000)).title;
    assert_eq!((long.chars().count(), long.chars().last()), (100, Some('…')));
}

#[test]
fn dependencies_as_people_write_them() {
    for (text, ids, warnings) in [
        ("TASK-006 (schema), TASK-008 (parser)", &["TASK-006", "TASK-008"][..], 0),
        ("[TASK-006, TASK-008]", &["TASK-006", "TASK-008"], 0),
        ("(TASK-006, TASK-008)", &["TASK-006", "TASK-008"], 0),
        ("[TASK-006](006.md), (TASK-008)", &["TASK-006", "TASK-008"], 0),
        ("TASK-006 (schema, v2), TASK-008", &["TASK-006", "TASK-008"], 0),
        ("TASK-006 (schema, TASK-008", &["TASK-006", "TASK-008"], 0),
        ("`TASK-006`, TASK-006, TASK-008.md", &["TASK-006", "TASK-008"], 0),
        ("TASK-006 and TASK-008", &["TASK-006"], 1),
        ("None", &[], 0),
        ("none (first task)", &[], 0),
        ("None.", &[], 0),
        ("-", &[], 0),
        ("N/A", &[], 0),
        ("TASK-1, the schema, BOT-003, scout7", &["TASK-1"], 3),
        ("BOT-003 finishing TASK-7", &[], 1),
        ("schema", &[], 1),
        ("../x1", &[], 1),
        (", ,", &[], 0),
    ] {
        let document = task(&format!("# T\n**Depends on:** {text}\nDo it.\n"));
        let found: Vec<_> = document.depends_on.iter().map(ItemId::as_str).collect();
        assert_eq!(
            (found.as_slice(), document.warnings.len()),
            (ids, warnings),
            "{text}: {:?}",
            document.warnings
        );
    }
    let list = |yaml: &str| task(&format!("---\ndepends_on: {yaml}\n---\nDo it.\n")).depends_on;
    assert_eq!(list("[setup, none, BOT-1, TASK-2 (x)]"), [item("setup"), item("TASK-2")]);
    assert_eq!(list("\n- TASK-1\n- TASK-2"), [item("TASK-1"), item("TASK-2")]);
    assert_eq!(list("[]"), []);
}

#[test]
fn time_limits_and_interruptible() {
    for (text, seconds) in [
        ("300", Some(300)),
        ("300 seconds", Some(300)),
        ("10m", Some(600)),
        ("1h 30m", Some(5_400)),
        ("10m (soft)", Some(600)),
        ("5 min at most", Some(300)),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("none", None),
        ("1e99", None),
    ] {
        let document = task(&format!("# T\n**Timeout:** {text}\nDo it.\n"));
        assert_eq!(document.limit, seconds.map(Duration::from_secs), "{text}");
        assert_eq!(document.warnings.len(), usize::from(seconds.is_none()), "{text}");
    }
    for (text, expected, warnings) in [
        ("Yes", true, 0),
        ("no", false, 0),
        ("false", false, 0),
        ("No - deploys", false, 0),
        ("maybe", true, 1),
    ] {
        let document = task(&format!("# T\n**Interruptible:** {text}\nDo it.\n"));
        assert_eq!((document.interruptible, document.warnings.len()), (expected, warnings), "{text}");
    }
}

#[test]
fn what_is_guessed_or_left_is_a_warning() {
    for (header, warning) in [
        ("**To:** BOT-003", "queue of BOT-002"),
        ("**Priority:** whenever", "so it is P2"),
        ("**Created:** last week", "last change"),
        ("**Date:** 2025-10-18 14:05 XYZT", "XYZT"),
        ("**From:** A\n**Created by:** B", "left aside"),
        ("**Depends on:**", "no value"),
        ("**Retry of:** a/b", "no id"),
    ] {
        let all = task(&format!("# T\n{header}\nDo it.\n")).warnings;
        assert!(all.len() == 1 && all[0].contains(warning), "{header}: {all:?}");
    }
    for header in [
        "**To:** Claude (bot-002)",
        "**Bot ID:** BOT-002.",
        "**From:** A\n**Created by:** A",
        "**Created:** by Dave\n**Date:** 2025-10-18",
    ] {
        assert_eq!(task(&format!("# T\n{header}\nDo it.\n")).warnings, Vec::<String>::new(), "{header}");
    }
    let twice = task("---\na: 1\na: 2\n---\nx");
    assert_eq!((twice.fields["a"].as_str(), twice.warnings.len()), ("1", 1));
    // What was not read stays with the agent.
    let left = task("# T\n**Created:** last week\n**Timeout:** soon\n**Depends on:** the schema\n");
    assert_eq!(
        left.instruction,
        "# T\n**Created:** last week\n**Timeout:** soon\n**Depends on:** the schema\n"
    );
    assert_eq!(left.created.to_string(), MODIFIED);
}

#[test]
fn the_digest_tells_content_from_circumstance() {
    let base = task("---\nid: a\ncreated: 2025-10-18\n---\nDo it.");
    for same in ["---\nid: b\n---\nDo it.", "---\nto: BOT-002\npriority: P2\nlabel: x\n---\nDo it."] {
        assert_eq!(task(same).digest(), base.digest(), "{same}");
    }
    for other in [
        "---\n---\nDo it!",
        "---\ntitle: x\n---\nDo it.",
        "---\nfrom: x\n---\nDo it.",
        "---\ndepends_on: T1\n---\nDo it.",
    ] {
        assert_ne!(task(other).digest(), base.digest(), "{other}");
    }
    assert_eq!(base.digest().len(), 64);
}
