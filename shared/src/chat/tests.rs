pub(crate) mod corpus;

use proptest::prelude::*;

use super::*;
use crate::step::{FileDiff, Location};
use crate::time::Stamp;

#[test]
fn frames_look_as_the_contract_says() {
    let frame = ServerFrame::Turn(TurnFrame {
        id: ItemId::parse("CHAT-1").unwrap(),
        n: 3,
        event: TurnEvent::ResponseChunk { content: "hi".into(), channel: Channel::Text },
    });
    let text = serde_json::to_string(&frame).unwrap();
    assert_eq!(text, r#"{"id":"CHAT-1","n":3,"type":"response_chunk","content":"hi","channel":"text"}"#);
    assert_eq!(serde_json::from_str::<ServerFrame>(&text).unwrap(), frame);

    let error = r#"{"type":"error","code":"busy","message":"…"}"#;
    assert!(matches!(serde_json::from_str(error).unwrap(), ServerFrame::Error { id: None, .. }));

    let prompt = r#"{"type":"prompt","message":"hello","user":"dave"}"#;
    let ClientFrame::Prompt(prompt) = serde_json::from_str(prompt).unwrap() else { panic!() };
    assert_eq!((prompt.when_busy, prompt.id), (WhenBusy::Auto, None));
}

fn id() -> impl Strategy<Value = ItemId> {
    "[A-Za-z0-9][A-Za-z0-9._-]{0,6}[A-Za-z0-9]".prop_filter_map("no id", |text| ItemId::parse(&text).ok())
}

/// JSON that an agent may have told.
fn told() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::vec(("type|id|n|code|\\PC{0,4}", inner), 0..4)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn tool_call() -> impl Strategy<Value = ToolCall> {
    let text = any::<String>;
    let location = (text(), prop::option::of(any::<u64>())).prop_map(|(path, line)| Location { path, line });
    let diff = (text(), prop::option::of(text()), text()).prop_map(|(path, old_text, new_text)| FileDiff {
        path,
        old_text,
        new_text,
    });
    let lists = (prop::collection::vec(location, 0..3), prop::collection::vec(diff, 0..3));
    (text(), text(), text(), text(), lists).prop_map(|(id, title, kind, status, (locations, diffs))| {
        ToolCall { id, title, kind, status, locations, diffs }
    })
}

fn plan_entry() -> impl Strategy<Value = PlanEntry> {
    let word = || prop::option::of(any::<String>());
    (any::<String>(), word(), word()).prop_map(|(content, priority, status)| PlanEntry {
        content,
        priority,
        status,
    })
}

fn event() -> impl Strategy<Value = TurnEvent> {
    let text = any::<String>;
    let option = (text(), text(), text()).prop_map(|(id, kind, name)| ApprovalOption { id, kind, name });
    let options = prop::collection::vec(option, 0..3);
    let end = (prop::sample::select(Status::ALL), any::<bool>(), 0_u32.., prop::option::of(told()));
    prop_oneof![
        Just(TurnEvent::ResponseStart),
        (any::<bool>(), prop::option::of(any::<usize>())).prop_map(|(is_queued, position)| {
            let state = if is_queued { AcceptedState::Queued } else { AcceptedState::Started };
            TurnEvent::Accepted { state, position, reason: is_queued.then_some(WaitReason::ChatAhead) }
        }),
        (text(), any::<bool>()).prop_map(|(content, is_thought)| {
            let channel = if is_thought { Channel::Thought } else { Channel::Text };
            TurnEvent::ResponseChunk { content, channel }
        }),
        tool_call().prop_map(|call| TurnEvent::ToolCall { call }),
        prop::collection::vec(plan_entry(), 0..3).prop_map(|entries| TurnEvent::Plan { entries }),
        (id(), text(), options, 0_i64..4_000_000_000_000_000).prop_map(
            |(approval_id, title, options, micros)| {
                let deadline = Stamp::from_micros(micros);
                TurnEvent::ApprovalRequest { approval_id, title, options, deadline }
            }
        ),
        (text(), text()).prop_map(|(code, message)| TurnEvent::Notice { code, message }),
        (end, prop::collection::vec(text(), 0..3), prop::option::of(text())).prop_map(
            |((status, success, millis, usage), files_modified, said)| TurnEvent::ResponseComplete {
                status,
                success,
                duration_seconds: f64::from(millis) / 1_000.0,
                files_modified,
                // Null is how nothing is told.
                usage: usage.filter(|usage| !usage.is_null()),
                error: said.clone(),
                error_code: said.clone(),
                response_file: said,
            }
        ),
    ]
}

fn server_frame() -> impl Strategy<Value = ServerFrame> {
    let error = (prop::option::of(any::<String>()), any::<String>(), any::<String>());
    prop_oneof![
        (id(), any::<u64>(), event()).prop_map(|(id, n, event)| ServerFrame::Turn(TurnFrame {
            id,
            n,
            event
        })),
        error.prop_map(|(id, code, message)| ServerFrame::Error { id, code, message }),
    ]
}

fn client_frame() -> impl Strategy<Value = ClientFrame> {
    let text = any::<String>;
    let prompt = (text(), text(), prop::option::of(id()), prop::option::of(text()));
    prop_oneof![
        (prompt, prop::sample::select(WhenBusy::ALL), prop::option::of(0_u32..)).prop_map(
            |((message, user, id, session), when_busy, millis)| {
                let timeout_seconds = millis.map(|millis| f64::from(millis) / 1_000.0);
                ClientFrame::Prompt(Prompt { message, user, id, session, when_busy, timeout_seconds })
            }
        ),
        id().prop_map(|id| ClientFrame::Cancel { id }),
        (id(), text()).prop_map(|(approval_id, option)| ClientFrame::Approve { approval_id, option }),
        (id(), any::<u64>()).prop_map(|(id, after)| ClientFrame::Attach { id, after }),
    ]
}

proptest! {
    /// A frame is read as the one that was written, whatever its texts look like.
    #[test]
    fn frames_are_read_as_written(server in server_frame(), client in client_frame()) {
        let text = serde_json::to_string(&server).unwrap();
        prop_assert_eq!(serde_json::from_str::<ServerFrame>(&text).unwrap(), server, "{}", text);
        let text = serde_json::to_string(&client).unwrap();
        prop_assert_eq!(serde_json::from_str::<ClientFrame>(&text).unwrap(), client, "{}", text);
    }

    /// A frame with bytes lost, doubled or changed is refused, or read as one that could be written.
    #[test]
    fn changed_frames_are_read_or_refused(
        client in client_frame(), at in any::<prop::sample::Index>(), length in 0_usize..8, piece in "[{}\\[\\]\":,a-z0-9]{0,3}",
    ) {
        let text: Vec<char> = serde_json::to_string(&client).unwrap().chars().collect();
        let at = at.index(text.len());
        let end = (at + length).min(text.len());
        let changed: String = text[..at].iter().copied().chain(piece.chars()).chain(text[end..].iter().copied()).collect();
        if let Ok(read) = serde_json::from_str::<ClientFrame>(&changed) {
            let again = serde_json::to_string(&read).unwrap();
            prop_assert_eq!(serde_json::from_str::<ClientFrame>(&again).unwrap(), read, "{}", changed);
        }
    }
}
