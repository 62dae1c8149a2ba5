//! What a person sees of turns that come and go.

use super::*;

fn turns() -> Turns {
    Turns::new(Look { bot: "BOT-1".into(), ink: Ink { color: false }, verbose: true, columns: 60 })
}

fn id(id: &str) -> ItemId {
    ItemId::parse(id).unwrap()
}

fn hear(turns: &mut Turns, id: &str, event: &str) -> Vec<String> {
    let event = serde_json::from_str(event).unwrap();
    turns.hear(TurnFrame { id: ItemId::parse(id).unwrap(), n: 1, event })
}

fn text(turns: &mut Turns, id: &str, content: &str) -> Vec<String> {
    let content = serde_json::Value::from(content);
    hear(turns, id, &format!(r#"{{"type":"response_chunk","content":{content},"channel":"text"}}"#))
}

fn over(turns: &mut Turns, id: &str, status: &str, error: &str) -> Vec<String> {
    let event = format!(
        r#"{{"type":"response_complete","status":"{status}","success":true,"duration_seconds":1.5,
            "files_modified":["a.rs"],"usage":null,"error":{error},"error_code":"{status}","response_file":null}}"#
    );
    hear(turns, id, &event)
}

#[test]
fn an_answer_stands_below_its_prompt() {
    let mut turns = turns();
    assert_eq!(turns.ask(id("A"), "what?\nsay".into(), true), ["> what?", "  say", ""]);
    assert!(turns.status(Instant::now()).unwrap().starts_with("sending"));
    assert!(hear(&mut turns, "A", r#"{"type":"response_start"}"#).is_empty());
    assert_eq!(turns.status(Instant::now()).unwrap(), "BOT-1 is working · 0s · Ctrl-C cancels");
    assert!(text(&mut turns, "A", "one **t").is_empty());
    assert_eq!(turns.growing(), ["one **t"]);
    assert_eq!(text(&mut turns, "A", "wo**\nthr"), ["one two"]);
    assert_eq!(over(&mut turns, "A", "completed", "null"), ["thr", "✓ 1.5s · changed a.rs", ""]);
    assert!(turns.is_empty() && turns.growing().is_empty() && turns.status(Instant::now()).is_none());
}

#[test]
fn of_a_long_prompt_its_beginning_stays() {
    let lines = turns().ask(id("A"), "line\n".repeat(100), true);
    assert_eq!(
        (lines.len(), lines[29].as_str(), lines[30].as_str()),
        (32, "  line", "  … and 70 lines more")
    );
}

#[test]
fn a_prompt_that_waits_is_shown_when_it_has_the_word() {
    let mut turns = turns();
    turns.ask(id("A"), "first".into(), true);
    assert!(turns.ask(id("B"), "second\nand more".into(), true).is_empty());
    assert_eq!(turns.queued(), ["  > second … (waits)"]);
    text(&mut turns, "A", "one ");
    // The end of a turn may be told after the beginning of the next.
    assert!(hear(&mut turns, "B", r#"{"type":"response_start"}"#).is_empty());
    assert!(text(&mut turns, "B", "two\n").is_empty());
    assert_eq!(text(&mut turns, "A", "more\n"), ["one more"]);
    let lines = over(&mut turns, "A", "completed", "null");
    assert_eq!(lines, ["✓ 1.5s · changed a.rs", "", "> second", "  and more", "", "two"]);
    assert_eq!(over(&mut turns, "B", "completed", "null").len(), 2);
    assert!(turns.is_empty());
}

#[test]
fn turns_that_end_before_they_have_the_word_are_told_at_once() {
    let mut turns = turns();
    turns.ask(id("A"), "first".into(), true);
    turns.ask(id("B"), "second".into(), true);
    turns.cancel(&id("B"));
    assert_eq!(turns.queued(), ["  > second (being cancelled)"]);
    assert_eq!(over(&mut turns, "B", "cancelled", r#""cancelled""#), ["> second", "", "✗ cancelled", ""]);
    assert_eq!(turns.len(), 1);
}

#[test]
fn whoever_speaks_first_has_the_word() {
    let mut turns = turns();
    turns.ask(id("A"), "first".into(), true);
    turns.ask(id("B"), "second".into(), true);
    assert_eq!(hear(&mut turns, "B", r#"{"type":"response_start"}"#), ["> second", ""]);
    assert_eq!(text(&mut turns, "B", "two\n"), ["two"]);
    over(&mut turns, "B", "completed", "null");
    assert_eq!(turns.first(), Some((&id("A"), false)));
}

#[test]
fn waiting_is_told_with_its_reason() {
    let mut turns = turns();
    turns.ask(id("A"), "x".into(), true);
    let mut status = |event: &str| {
        hear(&mut turns, "A", event);
        turns.status(Instant::now()).unwrap()
    };
    let waits = |place: u64, reason: &str| {
        format!(r#"{{"type":"accepted","state":"queued","position":{place},"reason":"{reason}"}}"#)
    };
    assert!(status(&waits(2, "chat_ahead")).starts_with("waiting: 2 prompts ahead of you · 0s"));
    assert!(status(&waits(1, "chat_ahead")).starts_with("waiting: 1 prompt ahead of you"));
    assert!(status(&waits(1, "paused")).starts_with("waiting: BOT-1 is paused, /resume lets it go on"));
    assert!(status(&waits(1, "not_interruptible")).contains("may not be interrupted"));
    turns.is_behind(&id("A"), 0);
    assert!(turns.status(Instant::now()).unwrap().contains("may not be interrupted"));
}

#[test]
fn what_comes_beside_the_text_does_not_tear_it() {
    let mut turns = turns();
    turns.ask(id("A"), "x".into(), true);
    text(&mut turns, "A", "half a li");
    let notice = r#"{"type":"notice","code":"suspended","message":"T-1 is suspended for you\u001b"}"#;
    assert_eq!(hear(&mut turns, "A", notice), ["· T-1 is suspended for you\\x1b"]);
    assert_eq!(turns.growing(), ["half a li"]);
    let tool = r#"{"type":"tool_call","call":{"title":"Read a.rs","kind":"read"}}"#;
    assert_eq!(hear(&mut turns, "A", tool), ["half a li", "→ Read a.rs (read)"]);
    let thought = r#"{"type":"response_chunk","content":"hm\nso","channel":"thought"}"#;
    assert_eq!(hear(&mut turns, "A", thought), ["· hm"]);
    assert_eq!(turns.growing(), ["· so"]);
    assert_eq!(text(&mut turns, "A", "rest\n"), ["· so", "rest"]);
}

#[test]
fn an_answer_that_comes_once_more_goes_on_where_it_was() {
    let mut turns = turns();
    turns.ask(id("A"), "x".into(), true);
    assert_eq!(text(&mut turns, "A", "one\ntwo "), ["one"]);
    assert!(hear(&mut turns, "A", r#"{"type":"notice","code":"replayed","message":"once more"}"#).is_empty());
    hear(&mut turns, "A", r#"{"type":"response_start"}"#);
    assert_eq!(text(&mut turns, "A", "one\ntwo three\n"), ["two three"]);
    over(&mut turns, "A", "incomplete", "null");
    turns.ask(id("B"), "y".into(), true);
    assert_eq!(text(&mut turns, "B", "one\n"), ["one"]);
}

#[test]
fn failures_say_why_and_what_to_do() {
    let mut turns = turns();
    turns.ask(id("A"), "x".into(), true);
    text(&mut turns, "A", "half");
    let lines = over(&mut turns, "A", "timed_out", r#""out of time""#);
    assert_eq!(lines[..2], ["half", "✗ timed out after 1.5s · changed a.rs"]);
    assert!(lines[2].contains("chat_limit"), "{lines:?}");
    turns.ask(id("B"), "y".into(), true);
    let lines = turns.refused(&id("B"), "too many wait", Some("try again"));
    assert_eq!(lines, ["✗ too many wait", "  try again", ""]);
    assert!(turns.is_empty());
}

#[test]
fn a_request_is_open_until_its_turn_is_over() {
    let mut turns = turns();
    turns.ask(id("A"), "x".into(), true);
    let event = r#"{"type":"approval_request","approval_id":"AP-1","title":"edit a.rs",
        "options":[{"id":"y","kind":"allow_once","name":"Allow"}],"deadline":"2026-11-22T18:05:27Z"}"#;
    let lines = hear(&mut turns, "A", event);
    assert_eq!(lines[1], "  1  Allow");
    assert_eq!(
        turns.status(Instant::now()).unwrap(),
        "1-1 or a and Enter, or Alt-Y at once, answers: edit a.rs"
    );
    over(&mut turns, "A", "completed", "null");
    assert_eq!(turns.requests.oldest(), None);
}
