//! SPEC 9, 10: whom hivectl takes for a bot of the hive, and whom it does not.

use std::path::Path;
use std::sync::{Arc, Mutex};

use hive_tests::{Agent, Hive, Terminal, control, ctl, finish};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A program that listens where a bot has listened, and says that it is that bot.
struct Impostor {
    heard: Arc<Mutex<String>>,
    server: tokio::task::JoinHandle<()>,
}

impl Impostor {
    async fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let heard = Arc::new(Mutex::new(String::new()));
        let told = Arc::clone(&heard);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pretend(stream, Arc::clone(&told)));
            }
        });
        Self { heard, server }
    }

    fn heard(&self) -> String {
        self.heard.lock().expect("nobody panics while holding it").clone()
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pretend(mut stream: TcpStream, heard: Arc<Mutex<String>>) {
    let mut request = [0; 4096];
    let body = json!({"status": "ok", "bot_id": "BOT-002", "version": "0.1.0", "protocol": 1}).to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    while let Ok(length @ 1..) = stream.read(&mut request).await {
        let text = String::from_utf8_lossy(&request[..length]).into_owned();
        heard.lock().expect("nobody panics while holding it").push_str(&text);
        if stream.write_all(answer.as_bytes()).await.is_err() {
            break;
        }
    }
}

#[tokio::test]
async fn who_listens_where_a_killed_bot_has_listened_is_told_nothing() {
    let hive = Hive::echo(0, "[bots.BOT-002]");
    let mut agent = Agent::start(&hive).await;
    let address = agent.address().to_owned();
    agent.kill9();
    let impostor = Impostor::at(&address).await;
    assert!(hive.paths().bot_record(hive.bot()).exists(), "it still names that address");
    let submitted = ctl(&hive, &["submit", "BOT-002", "hello", "--id", "T1"]).await.expect(0);
    assert!(submitted.err.contains("BOT-002 is down"), "{submitted:?}");
    assert!(hive.is_in_queue("T1.md"));
    let rows = ctl(&hive, &["status", "-o", "json"]).await.expect(0).json();
    assert_eq!(rows[0]["state"], "down");
    ctl(&hive, &["ask", "BOT-002", "hello"]).await.expect(3);
    assert_eq!(ctl(&hive, &["down", "BOT-002"]).await.expect(0).out, "BOT-002 was down already\n");
    let doctor = ctl(&hive, &["doctor", "BOT-002"]).await;
    assert!(doctor.out.contains("is gone"), "{doctor:?}");
    assert_eq!(impostor.heard(), "");

    assert_eq!(ctl(&hive, &["up"]).await.expect(0).out, "BOT-002 is up (adapter echo)\n");
    ctl(&hive, &["wait", "T1"]).await.expect(0);
    ctl(&hive, &["down"]).await.expect(0);
    assert_eq!(impostor.heard(), "");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory can be made");
    for entry in std::fs::read_dir(from).expect("it can be read").flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a file can be copied");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_hive_has_no_power_over_the_bot_of_the_original() {
    let hive = Hive::echo(0, "[bots.BOT-002]");
    let mut agent = Agent::start(&hive).await;
    // With all that the bot has written about itself.
    let copied = hive.root().join("copied");
    copy(&hive.root().join(".deia"), &copied.join(".deia"));
    let there = async |arguments: &[&str]| {
        let mut command = control(&hive, arguments);
        finish(command.current_dir(&copied).spawn().expect("hivectl can be started")).await
    };
    let rows = there(&["status", "-o", "json"]).await.expect(0).json();
    assert_eq!(rows[0]["state"], "down");
    let named = copied.to_str().expect("UTF-8");
    let mut terminal = Terminal::hivectl(&hive, &["status", "BOT-002", "--hive", named]);
    terminal.shows("it does not run the bot of this hive").await;
    assert_eq!(terminal.ended().await.code(), Some(3));
    let doctor = there(&["doctor", "BOT-002"]).await;
    assert!(doctor.out.contains("a copied hive has the record of another"), "{doctor:?}");
    there(&["submit", "BOT-002", "hello", "--id", "T1"]).await.expect(0);
    assert!(copied.join(".deia/hive/tasks/BOT-002/T1.md").exists() && !hive.is_in_queue("T1.md"));
    assert_eq!(there(&["down", "BOT-002", "--now"]).await.expect(0).out, "BOT-002 was down already\n");
    assert!(agent.is_alive());

    assert_eq!(there(&["up"]).await.expect(0).out, "BOT-002 is up (adapter echo)\n");
    there(&["wait", "T1"]).await.expect(0);
    assert_eq!(agent.api().get("tasks/T1").await.status, 404);
    assert_eq!(there(&["down"]).await.expect(0).out, "BOT-002 is down\n");
    assert_eq!(agent.api().get("status").await.status, 200);
}
