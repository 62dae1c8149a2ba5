//! Commands that do as badly as a command can (SPEC 12): whatever it is, the record says why, what was said is kept,
//! nothing of the command is left, memory is bounded and the next item runs.

use std::path::Path;
use std::time::{Duration, Instant};

use hive_tests::{Agent, Hive, Response, Terminal};
use serde_json::json;

/// Does the first line of the instruction, and reads no more of it.
const OBEY: &str = r#"IFS= read -r line; eval "$line""#;

/// What a bot may have had resident at the most, in MB: one of the test's build in a bad day with outputs this short.
const MEMORY_MB: f64 = 64.0;

/// Bytes of output that are kept.
const MAX_OUTPUT: usize = 100_000;

/// What a command does, and what is to be on the record of it.
struct Bad {
    id: &'static str,
    /// The seconds that it may take; the others have time.
    limit: Option<&'static str>,
    does: &'static str,
    status: &'static str,
    code: Option<&'static str>,
    /// A part of the error; empty where there is none.
    error: &'static str,
    said: Said,
}

enum Said {
    This(&'static str),
    /// It begins with this, and is cut at the bound.
    CutAfter(&'static str),
}

const COMPLETED: (&str, Option<&str>, &str) = ("completed", None, "");
const TIMED_OUT: (&str, Option<&str>, &str) = ("timed_out", Some("timed_out"), "time limit");

const fn exit(error: &'static str) -> (&'static str, Option<&'static str>, &'static str) {
    ("failed", Some("exit_status"), error)
}

const fn signal(error: &'static str) -> (&'static str, Option<&'static str>, &'static str) {
    ("failed", Some("signalled"), error)
}

const fn bad(
    id: &'static str,
    does: &'static str,
    (status, code, error): (&'static str, Option<&'static str>, &'static str),
    said: Said,
) -> Bad {
    Bad { id, limit: None, does, status, code, error, said }
}

const fn endless(id: &'static str, does: &'static str, said: Said) -> Bad {
    Bad { limit: Some("0.5"), ..bad(id, does, TIMED_OUT, said) }
}

/// Runs each, one after the other on one bot, and a good one after each.
async fn all_are_borne(hive: &Hive, agent: &Agent, table: &[Bad]) {
    let api = agent.api();
    for bad in table {
        let id = bad.id;
        let header = bad.limit.map_or(String::new(), |limit| format!("---\ntimeout: {limit}\n---\n"));
        let unread = "and much that nobody reads\n".repeat(10_000);
        hive.drop_task(&format!("{id}.md"), format!("{header}{}\n{unread}", bad.does));
        let Response { header, text } = hive.answer(id).await;
        let error = header.error.unwrap_or_default();
        assert_eq!(
            (header.status.as_str(), header.error_code.as_deref()),
            (bad.status, bad.code),
            "{id}: {error}"
        );
        assert!(error.contains(bad.error) && error.is_empty() == bad.code.is_none(), "{id}: {error}");
        match bad.said {
            Said::This(said) => assert_eq!(text, said, "{id}"),
            Said::CutAfter(said) => {
                assert!(text.starts_with(said), "{id}: {:?}", &text[..said.len().min(text.len())]);
                let bound = MAX_OUTPUT..MAX_OUTPUT + 200;
                assert!(bound.contains(&text.len()) && text.contains("is cut at"), "{id}: {}", text.len());
            }
        }
        // The ledger and the timeline say what the document says.
        let task = api.until_ended(id).await;
        let entry = api.entries(&format!("source=file&q={id}&limit=1")).await.remove(0);
        for record in [&task, &entry] {
            assert_eq!(
                (&record["status"], &record["error"].as_str().unwrap_or_default()),
                (&json!(bad.status), &error.as_str())
            );
        }
        assert_eq!(task["error_code"], json!(bad.code), "{id}");
        assert_eq!(agent.descendants(), [], "{id}");
        hive.drop_task(&format!("{id}-NEXT.md"), "printf fine");
        let next = hive.answer(&format!("{id}-NEXT")).await;
        assert_eq!((next.header.status.as_str(), next.text.as_str()), ("completed", "fine"), "after {id}");
    }
    assert!(agent.peak_memory_mb() < MEMORY_MB, "{} MB", agent.peak_memory_mb());
}

#[tokio::test]
async fn whatever_a_command_does_the_record_says_why_and_the_next_one_runs() {
    use Said::{CutAfter, This};
    let hive = Hive::exec(OBEY, &format!("max_output = {MAX_OUTPUT}"));
    let agent = Agent::start(&hive).await;
    let table = [
        bad("NOTHING", "exit 0", COMPLETED, This("")),
        bad("AT-ONCE", "exit 7", exit("exited with status 7"), This("")),
        bad(
            "WHY",
            "printf half; echo 'no more tokens' >&2; exit 1",
            exit("status 1: no more tokens"),
            This("half"),
        ),
        bad("SIGNAL", "printf some; kill -KILL $$", signal("ended by signal 9 (SIGKILL)"), This("some")),
        bad("ABORT", "printf some; kill -ABRT $$", signal("ended by signal 6 (SIGABRT)"), This("some")),
        endless("MUTE", "sleep 1000", This("")),
        endless("HALF", "printf 'half an ans'; sleep 1000", This("half an ans")),
        bad(
            "CLOSED",
            "printf begun; exec >&- 2>&-; sleep 0.2; exit 3",
            exit("exited with status 3"),
            This("begun"),
        ),
        endless("CLOSED-ON", "printf begun; exec >&- 2>&-; sleep 1000", This("begun")),
        // Who is stopped gets no signal but one.
        endless("STOPPED", "printf begun; kill -STOP $$", This("begun")),
        endless("STDERR", "printf said; yes 'oh no' >&2", This("said")),
        endless("STDOUT", "yes 0123456789", CutAfter("0123456789\n0123456789\n")),
        bad("FLOOD", "head -c 50000000 /dev/zero | tr '\\0' x", COMPLETED, CutAfter("xxxxxx")),
        bad("NULS", "head -c 200000 /dev/zero", COMPLETED, CutAfter("\0\0\0")),
        // Cut off in the middle of a character, too.
        bad("NO-TEXT", r"printf 'a\377\376b\303'", COMPLETED, This("a\u{fffd}\u{fffd}b\u{fffd}")),
        bad(
            "WIDE",
            "yes '🦀🦀🦀' | tr -d '\\n' | head -c 200000; exit 1",
            exit("status 1"),
            CutAfter("🦀🦀🦀🦀"),
        ),
        bad("NO-TEXT-ERR", r"printf 'oh \377\n' >&2; exit 1", exit("status 1: oh \u{fffd}"), This("")),
    ];
    all_are_borne(&hive, &agent, &table).await;
}

#[tokio::test]
async fn who_ignores_a_cancel_is_killed_after_ten_seconds_and_what_it_said_is_kept() {
    let hive = Hive::exec(OBEY, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    hive.drop_task(
        "DEAF-1.md",
        "trap '' TERM INT HUP; printf 'I stay'; touch begun; while :; do sleep 0.1; done",
    );
    hive.until("it has begun", || hive.root().join("begun").exists().then_some(())).await;
    hive.drop_task("NEXT-1.md", "printf fine");
    let begun = Instant::now();
    api.delete("tasks/DEAF-1").await.ok();
    let Response { header, text } = hive.answer("DEAF-1").await;
    let took = begun.elapsed();
    assert_eq!((header.status.as_str(), text.as_str()), ("cancelled", "I stay"));
    assert_eq!(header.error_code.as_deref(), Some("cancelled"));
    // Five seconds to hear the first word, five more to hear the second.
    assert!((Duration::from_secs(10)..Duration::from_secs(15)).contains(&took), "{took:?}");
    assert_eq!(hive.answer("NEXT-1").await.text, "fine");
    assert_eq!(agent.descendants(), []);
}

#[tokio::test]
async fn a_long_answer_is_in_memory_about_once() {
    const LENGTH: usize = 60_000_000;
    let hive = Hive::exec(OBEY, "max_output = \"64 MiB\"");
    let agent = Agent::start(&hive).await;
    hive.drop_task("SHORT-1.md", "printf short");
    hive.answer("SHORT-1").await;
    let before = agent.peak_memory_mb();
    hive.drop_task("LONG-1.md", format!("yes '0123456789 abcdef' | head -c {LENGTH}"));
    assert_eq!(hive.answer("LONG-1").await.text.len(), LENGTH);
    agent.api().until_ended("LONG-1").await;
    let more = agent.peak_memory_mb() - before;
    assert!(more < 100.0, "{more} MB");
}

/// Says, on both streams, what would clear a terminal, name its window, ring its bell, hide what is before it and turn
/// its text about; and then fails.
const DECEIVER: &str = r#"
t='clear\033[2J\033]0;owned\007 hide\rback\b bidi\342\200\256evil c1\302\2332J\n'
printf "$t"; printf "$t" >&2; exit 1
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_obeys_nothing_of_what_an_agent_says() {
    let hive = Hive::exec(DECEIVER, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("EVIL-1.md", "# T\n\nwords");
    let response = hive.answer("EVIL-1").await;
    assert!(response.text.contains("\x1b[2J") && response.header.error.unwrap().contains("\u{202e}evil"));
    agent.api().until_ended("EVIL-1").await;
    for command in [
        &["show", "EVIL-1"][..],
        &["response", "EVIL-1"],
        &["wait", "EVIL-1"],
        &["tasks", "--all"],
        &["timeline"],
        &["timeline", "--full"],
        &["logs", "BOT-002"],
        &["ask", "BOT-002", "words"],
        &["show", "EVIL-1", "-o", "json"],
        &["response", "EVIL-1", "-o", "json"],
        &["ask", "BOT-002", "words", "-o", "ndjson"],
        &["timeline", "-o", "ndjson"],
        &["status", "BOT-002"],
    ] {
        let mut terminal = Terminal::hivectl(&hive, command);
        terminal.ended().await;
        let sent = terminal.sent();
        for obeyed in ["\x1b[2J", "\x1b]0;", "\x07", "\x08", "hide\rback", "\u{202e}", "\u{9b}"] {
            assert!(!sent.contains(obeyed), "{command:?} passed {obeyed:?} on: {sent:?}");
        }
        // What cannot be obeyed is seen, where there is room for it.
        let shows_all = matches!(command[0], "show" | "response" | "ask") || command.contains(&"--full");
        if shows_all {
            let shown = terminal.history().replace('\n', "");
            let is_json = command.contains(&"-o");
            let escaped = if is_json { "\\u001b[2J" } else { "\\x1b[2J" };
            assert!(shown.contains(escaped), "{command:?} hides what was said: {shown}");
        }
    }
}

/// Whether nobody of those who noted their numbers in a file is alive. They may have no environment to be known by.
fn all_are_gone(hive: &Hive, noted: &str) -> bool {
    let numbers = hive.work_file(noted);
    assert!(!numbers.is_empty(), "nobody noted a number in {noted}");
    numbers.lines().all(|pid| {
        let state = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
        // One that is dead, and not buried yet, holds nothing any more.
        state.is_empty() || state.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
    })
}

/// Has a command start each of [`LEFT_BEHIND`] and come to this end itself.
async fn all_of_it_is_gone_after(end: &str, limit: f64, status: &str) {
    let hive = Hive::exec(OBEY, "");
    let agent = Agent::start(&hive).await;
    for (id, leaves) in LEFT_BEHIND {
        let does = format!("{leaves} until [ -s $HIVE_TASK_ID ]; do sleep 0.01; done; printf left; {end}");
        hive.drop_task(&format!("{id}.md"), format!("---\ntimeout: {limit}\n---\n{does}\n"));
        let response = hive.answer(id).await;
        assert_eq!((response.header.status.as_str(), response.text.as_str()), (status, "left"), "{id}");
        assert_eq!(agent.descendants(), [], "{id}");
        assert!(all_are_gone(&hive, id), "{id} left one of {}", hive.work_file(id));
    }
}

#[tokio::test]
async fn nothing_outlives_a_command_that_ended() {
    all_of_it_is_gone_after("exit 0", 20.0, "completed").await;
}

#[tokio::test]
async fn nothing_outlives_a_command_that_failed() {
    all_of_it_is_gone_after("exit 4", 20.0, "failed").await;
}

#[tokio::test]
async fn nothing_outlives_a_command_that_was_killed() {
    all_of_it_is_gone_after("kill -KILL $$", 20.0, "failed").await;
}

#[tokio::test]
async fn nothing_outlives_a_command_whose_time_was_over() {
    all_of_it_is_gone_after("sleep 1000", 0.5, "timed_out").await;
}

/// What commands start and leave behind, and how. A file with the task's id has the numbers of some of it.
const LEFT_BEHIND: [(&str, &str); 6] = [
    ("CHILD", "sleep 1000 & echo $! > $HIVE_TASK_ID;"),
    (
        "STUBBORN",
        "setsid sh -c 'trap \"\" TERM HUP INT; echo $$ > $HIVE_TASK_ID; while :; do sleep 1; done' &",
    ),
    // Neither parent nor pipe nor environment tells whose it is.
    ("DAEMON", "(env -i setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! > $HIVE_TASK_ID);"),
    ("STOPPED", "setsid sh -c 'echo $$ > $HIVE_TASK_ID; kill -STOP $$; sleep 1000' &"),
    (
        "MANY",
        "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do (setsid sleep 1000 & echo $! >> $HIVE_TASK_ID); done;",
    ),
    // It is another whenever one looks.
    ("HOPPING", "hop() { sleep 0.02; (hop &); }; (hop & echo $! > $HIVE_TASK_ID);"),
];
