//! SPEC 10: what every command gives to a program, when it does its work and when it does not.

use std::collections::BTreeSet;

use hive_tests::{Agent, Hive, Ran, ctl};
use serde_json::Value;

use crate::scripts::AGENT;

/// Commands whose output is tried where the rest of them is.
const ELSEWHERE: [&str; 2] = ["chat", "approvals"];

/// What a command's document is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// One object.
    One,
    /// One array of objects.
    Many,
    /// Several objects in lines, one in a document.
    Frames,
    /// Nothing.
    None,
}

/// Checks what a run printed in one of the formats.
#[track_caller]
fn check(line: &str, format: &str, shape: Shape, ran: &Ran) {
    let parse = |text: &str| -> Value {
        serde_json::from_str(text)
            .unwrap_or_else(|error| panic!("hivectl {line} -o {format}: {error}: {ran:?}"))
    };
    let is_right = match (shape, format) {
        (Shape::None, _) => ran.out.is_empty(),
        (Shape::One | Shape::Frames, "json") => parse(&ran.out).is_object(),
        (Shape::Many, "json") => {
            let array = parse(&ran.out);
            array.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_object))
        }
        (_, _) => {
            let lines: Vec<_> = ran.out.lines().map(parse).collect();
            lines.iter().all(Value::is_object)
                && if shape == Shape::One { lines.len() == 1 } else { !lines.is_empty() }
        }
    };
    assert!(is_right, "hivectl {line} -o {format} is {shape:?}: {ran:?}");
    // A program reads nothing there, a person no more than a line and a hint for each thing.
    for told in ran.err.lines() {
        assert!(told.starts_with("hivectl: ") || told.starts_with("hint: "), "hivectl {line}: {ran:?}");
    }
    if shape == Shape::None {
        assert!((1..=2).contains(&ran.err.lines().count()), "hivectl {line}: {ran:?}");
    }
}

#[tokio::test]
async fn every_command_speaks_json() {
    use Shape::{Frames, Many, None, One};
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let down = hive.of("BOT-003");
    down.paths().create(Some(down.bot())).expect("a task directory can be made");
    down.drop_task("T-DOWN.md", "one of a bot that is down");
    for name in ["F1.md", "F2.md", "F3.md"] {
        std::fs::write(hive.root().join(name), "hello").expect("a file can be written");
    }
    ctl(&hive, &["submit", "BOT-002", "other", "--id", "F3"]).await.expect(0);
    // '@' stands for the format, where an id must be new.
    let table = [
        (0, One, "submit BOT-002 hello --id T@ --wait"),
        (0, One, "submit BOT-002 hello --id T@"),
        (0, Many, "submit BOT-002 -f F1.md F2.md --wait"),
        (0, Many, "submit BOT-002 -f F1.md F2.md"),
        (7, Many, "submit BOT-002 -f F1.md F3.md"),
        (1, One, "submit BOT-002 fail --id T-FAIL@ --wait"),
        (5, One, "submit BOT-002 hold --id T-HOLD@ --wait --timeout 1"),
        (0, One, "submit BOT-002 hello --id T-LAST@"),
        (0, One, "prioritize T-LAST@ P0"),
        (0, One, "cancel T-LAST@"),
        (6, Many, "wait T-LAST@"),
        (0, Many, "wait T@ F1"),
        (1, Many, "wait T@ T-FAIL@"),
        (5, Many, "wait T@ T-HOLD@ --timeout 1"),
        (0, Many, "tasks BOT-002 --all"),
        (0, Many, "tasks BOT-003"),
        (0, One, "show T-FAIL@"),
        (0, One, "show T-DOWN"),
        (0, One, "response T@"),
        (0, Frames, "ask BOT-002 hello"),
        (0, Many, "status"),
        (0, Many, "status BOT-002"),
        (3, Many, "status BOT-003"),
        (0, Many, "timeline -n 5"),
        (0, Many, "timeline BOT-003"),
        (0, One, "pause BOT-002"),
        (0, One, "pause BOT-003"),
        (0, Many, "pause --all"),
        (0, Many, "pause BOT-002 BOT-003"),
        (0, Many, "resume --all"),
        (0, One, "resume BOT-002"),
        (0, One, "retry T-FAIL@"),
        (0, One, "init"),
        (0, Many, "up BOT-002"),
        (0, Many, "logs BOT-002"),
        (0, Many, "doctor"),
        (0, One, "completions fish"),
        // What fails gives no document.
        (2, None, "show T@/"),
        (2, None, "submit BOT-002 -f none.md"),
        (3, None, "ask BOT-003 hello"),
        (3, None, "cancel T-DOWN"),
        (3, None, "stop BOT-003"),
        (4, None, "show T-NONE"),
        (4, None, "approve CTL-999"),
        (4, None, "deny CTL-999"),
        (4, None, "response T-HOLD@"),
        (4, None, "wait T-NONE T@"),
        (4, None, "tasks BOT-999"),
        (7, None, "submit BOT-002 other --id T@"),
        (7, None, "cancel T@"),
        (8, None, "--url http://127.0.0.1:1 status"),
    ];
    let mut tried: BTreeSet<String> = ELSEWHERE.iter().map(|name| (*name).to_owned()).collect();
    for format in ["json", "ndjson"] {
        for (exit, shape, line) in table {
            let line = line.replace('@', format);
            let words: Vec<_> = line.split(' ').chain(["-o", format]).collect();
            let ran = ctl(&hive, &words).await;
            assert_eq!(ran.exit, exit, "hivectl {line} -o {format}: {ran:?}");
            check(&line, format, shape, &ran);
            tried.insert(words[0].to_owned());
        }
        let interrupted = ctl(&hive, &["interrupt", "BOT-002", "-o", format]).await.expect(0);
        check("interrupt BOT-002", format, One, &interrupted);
        agent.api().until_status("it is idle", |status| status["state"] == "idle").await;
    }
    let stopped = ctl(&hive, &["stop", "BOT-002", "-o", "json"]).await.expect(0);
    check("stop BOT-002", "json", One, &stopped);
    let down = ctl(&hive, &["down", "BOT-002", "-o", "json"]).await.expect(0);
    check("down BOT-002", "json", Many, &down);

    tried.extend(["interrupt", "stop", "down", "help"].map(str::to_owned));
    let help = ctl(&hive, &["--help"]).await.expect(0).out;
    let commands = help.lines().filter_map(|line| line.strip_prefix("  ")?.split_once("  "));
    let names = commands.map(|(name, _)| name).filter(|name| name.bytes().all(|b| b.is_ascii_lowercase()));
    for name in names.filter(|name| !name.is_empty()) {
        assert!(tried.contains(name), "nobody tries what {name} gives to a program");
    }
}
