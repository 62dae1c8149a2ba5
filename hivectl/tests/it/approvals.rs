//! What agents ask permission for, and the answers.

use std::process::Output;

use serde_json::{Value, json};

use crate::fake::{Fake, Home};

fn ended(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn approval(fake: &Fake, id: &str, at: &str) -> Value {
    json!({"approval_id": id, "bot_id": fake.bot, "id": "TASK-1", "source": "file", "title": "Write\u{1b} it",
        "kind": "edit", "locations": ["src/a.rs"], "options": [
            {"id": "ever", "kind": "allow_always", "name": "Always"},
            {"id": "once", "kind": "allow_once", "name": "Allow"},
            {"id": "no", "kind": "reject_once", "name": "Reject"}],
        "requested_at": at, "deadline": "2099-01-01T00:00:00.000000Z"})
}

fn waits(fake: &Fake, approvals: &[Value]) {
    fake.answer("GET /approvals", 200, json!({"approvals": approvals}));
}

#[tokio::test]
async fn what_waits_is_listed_over_all_bots_the_oldest_first() {
    let home = Home::new();
    let (one, two) = (home.start("BOT-1").await, home.start("BOT-2").await);
    waits(&one, &[approval(&one, "APR-1", "2026-11-22T18:05:28Z")]);
    waits(&two, &[approval(&two, "APR-2", "2026-11-22T18:05:27Z")]);
    let (exit, out, err) = ended(&home.run(&["approvals"]).await);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!((exit, lines.len(), err.as_str()), (0, 3, ""), "{out}");
    assert!(lines[1].starts_with("BOT-2  APR-2  TASK-1  "), "{out}");
    assert!(lines[2].ends_with("  ever, once, no  edit: Write\\x1b it (src/a.rs)"), "{out}");
    let (_, json, _) = ended(&home.run(&["approvals", "BOT-1", "-o", "json"]).await);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json, json!([approval(&one, "APR-1", "2026-11-22T18:05:28.000000Z")]));
    // One that is down has nothing to ask, unless it is named.
    two.kill().await;
    assert_eq!(ended(&home.run(&["approvals"]).await).0, 0);
    assert_eq!(ended(&home.run(&["approvals", "BOT-2"]).await).0, 3);
}

#[tokio::test]
async fn an_answer_is_an_option_by_whatever_it_is_called() {
    let home = Home::new();
    let fake = home.start("BOT-1").await;
    waits(&fake, &[approval(&fake, "APR-1", "2026-11-22T18:05:28Z")]);
    fake.answer("POST /approvals/APR-1", 200, json!({}));
    for (command, option) in [
        (&["approve", "APR-1"][..], "once"),
        (&["approve", "BOT-1/APR-1", "always"], "ever"),
        (&["approve", "APR-1", "ALLOW_ALWAYS"], "ever"),
        (&["approve", "APR-1", "no"], "no"),
        (&["deny", "APR-1"], "no"),
    ] {
        let before = fake.seen().len();
        let (exit, out, err) = ended(&home.run(command).await);
        assert_eq!((exit, err.as_str()), (0, ""), "{command:?}");
        assert!(out.starts_with("APR-1 of BOT-1 is answered: "), "{out}");
        let sent = format!(r#"POST /approvals/APR-1 {{"option":"{option}"}}"#);
        assert!(fake.seen()[before..].contains(&sent), "{command:?}: {:?}", fake.seen());
    }
    let (_, out, _) = ended(&home.run(&["deny", "APR-1", "-o", "json"]).await);
    let answered: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&answered["approval_id"], &answered["option"]["id"]), (&json!("APR-1"), &json!("no")));
}

#[tokio::test]
async fn what_cannot_be_answered_says_why() {
    let home = Home::new();
    let (one, two) = (home.start("BOT-1").await, home.start("BOT-2").await);
    let at = "2026-11-22T18:05:28Z";
    waits(&one, &[approval(&one, "APR-1", at), approval(&one, "APR-2", at)]);
    waits(&two, &[approval(&two, "APR-2", at)]);
    let (exit, _, err) = ended(&home.run(&["approve", "APR-1", "perhaps"]).await);
    assert!(
        exit == 2 && err.contains("no option 'perhaps'\nhint: ") && err.contains("ever (Always, "),
        "{err}"
    );
    let (exit, _, err) = ended(&home.run(&["deny", "APR-9"]).await);
    assert!(exit == 4 && err.contains("'hivectl approvals' lists what waits"), "{err}");
    let (exit, _, err) = ended(&home.run(&["deny", "APR-2"]).await);
    assert!(exit == 2 && err.contains("write BOT-1/APR-2 or BOT-2/APR-2"), "{err}");
    // It is gone between the look and the answer.
    let (exit, _, err) = ended(&home.run(&["approve", "APR-1"]).await);
    assert!(exit == 7 && err.contains("answered meanwhile"), "{err}");
    let conflict = json!({"error": {"code": "conflict", "message": "it was denied"}});
    one.answer("POST /approvals/APR-1", 409, conflict);
    assert_eq!(ended(&home.run(&["approve", "APR-1"]).await).0, 7);
    // What was answered long ago waits no more, but is known.
    let past =
        json!({"error": {"code": "already_final", "message": "APR-7 does not wait any more: it expired"}});
    one.answer("POST /approvals/APR-7", 409, past);
    let (exit, _, err) = ended(&home.run(&["deny", "APR-7"]).await);
    assert!(exit == 7 && err.contains("it expired\nhint: 'hivectl timeline --source control'"), "{err}");
    assert_eq!(ended(&home.run(&["approve", "BOT-9/APR-1"]).await).0, 4);
    two.kill().await;
    assert_eq!(ended(&home.run(&["approve", "BOT-2/APR-2"]).await).0, 3);
}
