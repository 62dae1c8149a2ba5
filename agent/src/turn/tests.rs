use hive_shared::step::ToolCall;

use super::*;

fn frames_of(turn: &Turn, after: u64, limit: usize) -> Vec<Utf8Bytes> {
    turn.frames_after(after, limit).into_iter().map(|(_, frame)| frame).collect()
}

fn chat(max_output: usize) -> Arc<Turn> {
    Turn::of_chat(ItemId::parse("CHAT-1").unwrap(), max_output)
}

#[test]
fn frames_are_numbered_without_a_gap_and_read_on() {
    let turn = chat(1_000);
    turn.tell(TurnEvent::ResponseStart);
    turn.say("a");
    turn.say("");
    assert_eq!(frames_of(&turn, 1, 10).len(), 1);
    turn.say("b");
    let frames = frames_of(&turn, 1, 10);
    assert_eq!(frames.len(), 2);
    assert_eq!(
        frames[1].as_str(),
        r#"{"id":"CHAT-1","n":3,"type":"response_chunk","content":"b","channel":"text"}"#
    );
    assert!(frames_of(&turn, 3, 10).is_empty());
    assert!(frames_of(&turn, u64::MAX, 10).is_empty());
}

#[test]
fn output_beyond_the_bound_is_cut_once_at_a_character() {
    let turn = chat(4);
    turn.say("aäb");
    turn.say("äc");
    turn.say("x");
    assert_eq!(turn.text(), ("aäb".to_owned(), true));
    let notices = frames_of(&turn, 0, 10).iter().filter(|f| f.contains("truncated")).count();
    assert_eq!(notices, 1);
}

#[test]
fn who_thinks_aloud_is_not_slow() {
    let turn = chat(100);
    let (sender, spoke) = std::sync::mpsc::channel();
    turn.on_first_output(move || sender.send(()).unwrap());
    turn.tell(TurnEvent::ResponseStart);
    assert!(spoke.try_recv().is_err());
    turn.tell(TurnEvent::ResponseChunk { content: "hm".into(), channel: Channel::Thought });
    assert!(spoke.try_recv().is_ok());
}

#[test]
fn the_first_step_is_told_at_once_whatever_was_said_before() {
    let turn = Turn::of_task(ItemId::parse("TASK-1").unwrap(), 100);
    let (sender, stepped) = std::sync::mpsc::channel();
    turn.on_first_step(move || sender.send(()).unwrap());
    turn.say("I look.");
    let mut version = 0;
    assert!(stepped.try_recv().is_err() && turn.told_since(&mut version).is_none());
    turn.tell(TurnEvent::ToolCall { call: ToolCall::default() });
    assert!(stepped.try_recv().is_ok());
    let told = turn.told_since(&mut version).unwrap();
    assert_eq!(turn.told_since(&mut version), None);
    assert_eq!((told.content.as_str(), told.steps.list.len()), ("I look.", 1));
    turn.start_over();
    assert_eq!(turn.told(), Told::default());
}

#[test]
fn frames_show_what_was_said_before_the_work_started_over() {
    let turn = chat(100);
    turn.say("first");
    turn.start_over();
    turn.say("second");
    let frames = frames_of(&turn, 0, 10);
    assert!(frames.len() == 1 && frames[0].contains("firstsecond"), "{frames:?}");
    assert_eq!(turn.text().0, "second");
}

#[test]
fn a_reader_notices_that_the_work_started_over() {
    let turn = chat(100);
    let mut position = Position::default();
    turn.say("first");
    assert_eq!(turn.read_on(&mut position, 3), Some(Piece { offset: 0, text: "fir".into() }));
    assert_eq!(turn.read_on(&mut position, 100), Some(Piece { offset: 3, text: "st".into() }));
    assert_eq!(turn.read_on(&mut position, 100), None);
    turn.start_over();
    turn.say("second attempt");
    assert_eq!(turn.read_on(&mut position, 100), Some(Piece { offset: 0, text: "second attempt".into() }));
    turn.start_over();
    assert_eq!(turn.read_on(&mut position, 100), Some(Piece { offset: 0, text: String::new() }));
    assert_eq!(turn.read_on(&mut position, 100), None);
}

#[test]
fn a_replay_goes_on_counting() {
    let turn = Turn::replay(ItemId::parse("CHAT-1").unwrap(), 7, [TurnEvent::ResponseStart]);
    assert!(frames_of(&turn, 7, 10)[0].contains(r#""n":8"#));
    assert!(frames_of(&turn, 8, 10).is_empty());
}
