use super::*;
use hive_shared::ids::ItemId;
use serde_json::json;

fn told(updates: &[Value]) -> (Updates, Vec<Value>, String) {
    let turn = Turn::of_chat(ItemId::parse("CHAT-1").unwrap(), 10_000);
    let mut all = Updates::new(Path::new("/work"));
    for update in updates {
        all.take(update, &turn);
    }
    let frames = turn.frames_after(0, 100);
    let frames = frames.iter().map(|(_, frame)| serde_json::from_str(frame).unwrap()).collect();
    (all, frames, turn.text().0)
}

#[test]
fn text_and_thoughts_are_kept_apart() {
    let chunk =
        |kind: &str, text: &str| json!({"sessionUpdate": kind, "content": {"type": "text", "text": text}});
    let (_, frames, text) = told(&[
        chunk("agent_thought_chunk", "hm"),
        chunk("agent_message_chunk", "a"),
        chunk("user_message_chunk", "what was asked"),
        json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "image", "data": ""}}),
        json!({"sessionUpdate": "agent_message_chunk"}),
        json!({}),
        chunk("agent_message_chunk", "b"),
    ]);
    assert_eq!(text, "ab");
    assert_eq!((&frames[0]["channel"], &frames[0]["content"]), (&json!("thought"), &json!("hm")));
    assert_eq!(frames.len(), 2, "what nobody has taken yet is one frame");
}

#[test]
fn a_tool_call_is_merged_over_its_updates() {
    let (all, frames, _) = told(&[
        json!({"sessionUpdate": "tool_call", "toolCallId": "1", "title": "Edit a.txt", "kind": "edit",
               "locations": [{"path": "/work/a.txt", "line": 3}]}),
        json!({"sessionUpdate": "tool_call_update", "toolCallId": "1", "status": "in_progress",
               "content": [{"type": "diff", "path": "/work/a.txt", "oldText": null, "newText": "new"}]}),
        json!({"sessionUpdate": "tool_call_update", "toolCallId": "1", "status": "completed",
               "content": [{"type": "content", "content": {"type": "text", "text": "done"}}]}),
        json!({"sessionUpdate": "tool_call_update", "toolCallId": "1", "status": "completed"}),
    ]);
    let call = &frames.last().unwrap()["call"];
    assert_eq!(frames.len(), 3, "what changes nothing is not told");
    assert_eq!((&call["title"], &call["status"]), (&json!("Edit a.txt"), &json!("completed")));
    assert_eq!(call["locations"], json!([{"path": "/work/a.txt", "line": 3}]));
    assert_eq!(call["diffs"], json!([{"path": "/work/a.txt", "old_text": null, "new_text": "new"}]));
    assert_eq!(all.files(), ["a.txt"]);
}

#[test]
fn an_update_may_come_without_its_call_and_without_a_title() {
    let (_, frames, _) =
        told(&[json!({"sessionUpdate": "tool_call_update", "toolCallId": "x", "status": "failed"})]);
    assert_eq!(frames[0]["call"]["title"], "a tool");
}

#[test]
fn only_what_was_done_to_files_counts() {
    let call = |id: &str, kind: &str, status: &str, path: &str| {
        json!({"sessionUpdate": "tool_call", "toolCallId": id, "kind": kind, "status": status,
               "locations": [{"path": path}]})
    };
    let (all, _, _) = told(&[
        call("1", "read", "completed", "/work/read.txt"),
        call("2", "edit", "pending", "/work/asked.txt"),
        call("3", "edit", "failed", "/work/denied.txt"),
        call("4", "delete", "completed", "/work/sub/gone.txt"),
        call("5", "move", "completed", "/elsewhere/it.txt"),
        call("6", "edit", "completed", "./rel.txt"),
        call("7", "edit", "completed", ""),
        call("8", "edit", "completed", " "),
        call("9", "edit", "completed", "a\0b"),
        call("10", "edit", "completed", "/work"),
        call("11", "edit", "completed", "./"),
    ]);
    assert_eq!(all.files(), ["sub/gone.txt", "/elsewhere/it.txt", "rel.txt"]);
}

#[test]
fn usage_adds_up_over_the_turns_of_a_response() {
    let (mut all, _, _) = told(&[json!({"sessionUpdate": "usage_update", "used": 10, "size": 100})]);
    all.cost(&json!({"inputTokens": 5, "outputTokens": 1, "_meta": {}}));
    all.cost(&json!({"inputTokens": 7}));
    assert_eq!(
        all.usage(),
        Some(json!({"input_tokens": 12, "output_tokens": 1, "context_used": 10, "context_size": 100}))
    );
    assert_eq!(told(&[]).0.usage(), None);
}

#[test]
fn what_an_agent_says_of_its_tools_is_kept_within_bounds() {
    let long = "x".repeat(1 << 16);
    let place = |n: usize| json!({"path": format!("/work/{n}")});
    let places: Vec<Value> = (0..5_000).map(place).collect();
    let edit = json!({"type": "diff", "path": "/work/a", "newText": long});
    let turn = Turn::of_chat(ItemId::parse("CHAT-1").unwrap(), 10_000);
    let mut all = Updates::new(Path::new("/work"));
    for n in 0..20 {
        let id = format!("{n} {long}");
        let call = all.tool_call(
            &json!({"toolCallId": id, "title": long, "kind": long, "status": "completed",
                    "locations": places, "content": vec![edit.clone(); 100]}),
            &turn,
        );
        assert!(call.more_places() > 0, "who decides on it is told that it is not all");
        assert!(size_of(&call.told()) < 2 * MAX_DIFFS + (8 << 20), "{}", size_of(&call.told()));
    }
    let held: usize = all.calls.values().map(|call| size_of(&call.told())).sum();
    assert!(held <= 2 * MAX_HELD, "{held}");
    all.cost(&json!((0..10_000).map(|n| (format!("t{n}"), json!(n))).collect::<Map<_, _>>()));
    all.take(&json!({"sessionUpdate": "usage_update", "used": 1, "cost": {"note": long}}), &turn);
    assert!(all.usage().is_some_and(|usage| size_of(&usage) < 10_000));
}

#[test]
fn a_place_that_cannot_be_read_is_no_place_that_is_not_there() {
    let turn = Turn::of_chat(ItemId::parse("CHAT-1").unwrap(), 10_000);
    let said = json!({"toolCallId": "1", "locations": [{"path": "/work/a"}, {"uri": "file:///etc/passwd"}]});
    let mut all = Updates::new(Path::new("/work"));
    // Also when it is asked about later.
    for said in [said, json!({"toolCallId": "1", "title": "Read"})] {
        let call = all.tool_call(&said, &turn);
        assert_eq!((call.paths(), call.more_places()), (vec!["/work/a".to_owned()], 1));
    }
}

#[test]
fn thoughts_of_a_letter_each_fill_no_memory() {
    let turn = Turn::of_chat(ItemId::parse("CHAT-1").unwrap(), 10_000);
    let mut all = Updates::new(Path::new("/work"));
    let thought = json!({"sessionUpdate": "agent_thought_chunk", "content": {"text": "x"}});
    for n in 0..20_000 {
        all.take(&thought, &turn);
        assert_eq!(turn.frames_after(n, 9).len(), 1);
    }
    assert!(turn.size() < 80_000, "{}", turn.size());
}
