//! What it costs to read a task document in each of its forms, and to write one.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use hive_shared::ids::BotId;
use hive_shared::task::{self, Reading};
use hive_shared::time::Stamp;
use jiff::tz::TimeZone;

const HEADER: &str = "# TASK-017: mend the flaky test\n\n**Priority:** P1 - HIGH\n**From:** dana\n**Timeout:** 10m\n\
                      **Created:** 2025-10-18 21:15 CDT\n**Depends on:** TASK-006 (schema), TASK-008 (parser)\n\n---\n\n";
const FRONT_MATTER: &str = "---\ntask_id: TASK-017\ntitle: Mend the flaky test\npriority: P1\nfrom: dana\n\
                            timeout_seconds: 600\ncreated: 2025-10-18T21:15:00Z\ndepends_on: [TASK-006, TASK-008]\n---\n";
const TEXT: &str =
    "`parser::tests::windows_line_ends` fails one time in ten. Find out why; do not retry it.\n";

fn main() {
    divan::main();
}

/// A document of that form with so many lines of text.
fn document(form: &str, lines: usize) -> String {
    let text = TEXT.repeat(lines);
    match form {
        "header" => format!("{HEADER}{text}"),
        "front matter" => format!("{FRONT_MATTER}{text}"),
        "JSON" => serde_json::json!({
            "task_id": "TASK-017", "priority": "P1", "created_at": "2025-10-18T21:15:00Z", "command": text,
        })
        .to_string(),
        _ => text,
    }
}

#[divan::bench(args = ["header", "front matter", "JSON", "text"], consts = [10, 1000])]
fn read<const LINES: usize>(bencher: Bencher, form: &str) {
    let document = document(form, LINES);
    let bot = BotId::parse("BOT-002").expect("a good id");
    let reading = Reading {
        file_name: "TASK-017.md",
        modified: Stamp::from_micros(0),
        bot: &bot,
        bots: &[],
        zone: &TimeZone::UTC,
    };
    bencher
        .counter(BytesCount::of_str(&document))
        .bench(|| task::read(black_box(document.as_bytes()), &reading).expect("a good document"));
}
