//! Files of a bot that is down which cannot be read: the others are shown, and these are named.

use std::process::Output;

use hive_shared::ids::BotId;

use crate::fake::Home;

/// A hive of two bots that are down, with files that can be read and such that cannot: of a root too.
fn hive() -> Home {
    let home = Home::new();
    for bot in ["BOT-1", "BOT-2"] {
        let bot = BotId::parse(bot).unwrap();
        home.hive.create(Some(&bot)).unwrap();
        std::fs::write(home.hive.tasks(&bot).join(format!("OF-{bot}.md")), "Do it.\n").unwrap();
    }
    let tasks = home.hive.tasks(&BotId::parse("BOT-1").unwrap());
    std::fs::write(tasks.join("BYTES.md"), b"\xff\xfe").unwrap();
    std::fs::write(tasks.join("TORN.md"), "---\ntitle: torn\n").unwrap();
    let responses = home.hive.responses();
    std::os::unix::fs::symlink("LOOP-response.md", responses.join("LOOP-response.md")).unwrap();
    std::fs::write(responses.join("HALF-response.md"), "---\nschema: 1\ntask_id: HALF\n").unwrap();
    home
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn assert_all_shown(ran: &Output, unread: &[&str], what: &str) {
    let (out, err) = (text(&ran.stdout), text(&ran.stderr));
    assert!(ran.status.success(), "{what}: {ran:?}");
    assert!(out.contains("OF-BOT-1") && out.contains("OF-BOT-2"), "{what}: {out}");
    for name in unread {
        assert_eq!(err.matches(&format!("{name} is left out: ")).count(), 1, "{what}: {err}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named_and_keeps_back_no_other() {
    let home = hive();
    let queue = ["BYTES.md", "TORN.md"];
    let all = ["HALF-response.md", "LOOP-response.md", "BYTES.md"];
    assert_all_shown(&home.run(&["tasks"]).await, &queue, "tasks");
    for command in [&["tasks", "--all"][..], &["tasks", "--all", "-o", "json"], &["timeline"]] {
        let ran = home.run(command).await;
        assert_all_shown(&ran, &all, &command.join(" "));
        assert!(text(&ran.stderr).contains("so is one more file"), "{ran:?}");
    }
    let status = home.run(&["status"]).await;
    assert!(status.status.success() && text(&status.stdout).contains("BOT-2"), "{status:?}");
    let shown = home.run(&["show", "OF-BOT-1"]).await;
    assert!(shown.status.success(), "{shown:?}");

    let mut asking = home.command(&["--", "hivectl", "show", "OF"]);
    let offered = asking.env("HIVECTL_COMPLETE", "fish").output().await.unwrap();
    assert_all_shown(&offered, &[], "completions");
    assert!(offered.stderr.is_empty(), "{offered:?}");
}

#[tokio::test]
async fn a_response_that_cannot_be_read_fails_who_asks_for_it() {
    let home = hive();
    for command in ["show", "response", "wait"] {
        let ran = home.run(&[command, "LOOP"]).await;
        assert_eq!(ran.status.code(), Some(1), "{command}: {ran:?}");
        let err = text(&ran.stderr);
        assert!(err.starts_with("hivectl: ") && err.contains("LOOP-response.md"), "{err}");
    }
}
