//! What poses as a bot and talks without end: nobody's memory fills up with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hive_shared::api::TimelineQuery;
use hive_shared::client::{Client, ClientError, Endpoint, TaskQuery, Token};
use hive_shared::ids::ItemId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// It is stopped here where nobody else stops it.
const FAR_TOO_MUCH: usize = 256 << 20;

const HEALTH: &str = r#"{"status":"ok","bot_id":"BOT-1","version":"0.1.0","protocol":1}"#;

/// A server that says `head` to whatever is asked, and after it letters without end; with `poses`, it is a bot by its
/// health.
struct Hostile {
    url: String,
    said: Arc<AtomicUsize>,
}

impl Hostile {
    async fn start(head: &'static str, poses: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let said = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&said);
        tokio::spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                tokio::spawn(talk(peer, head, poses, Arc::clone(&counts)));
            }
        });
        Self { url, said }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::remote(&self.url, Token::new("secret").unwrap(), None).unwrap()
    }

    fn was_cut_short(&self) -> bool {
        self.said.load(Ordering::Relaxed) < FAR_TOO_MUCH
    }
}

async fn talk(mut peer: TcpStream, head: &'static str, poses: bool, said: Arc<AtomicUsize>) {
    let mut request = vec![0; 4096];
    let length = peer.read(&mut request).await.unwrap_or(0);
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    if poses && request.starts_with("GET /health") {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{HEALTH}",
            HEALTH.len()
        );
        drop(peer.write_all(answer.as_bytes()).await);
        return;
    }
    drop(peer.write_all(head.as_bytes()).await);
    let letters = vec![b'x'; 64 << 10];
    while said.load(Ordering::Relaxed) < FAR_TOO_MUCH && peer.write_all(&letters).await.is_ok() {
        said.fetch_add(letters.len(), Ordering::Relaxed);
    }
}

#[tokio::test]
async fn who_talks_without_end_at_a_bots_address_is_no_bot() {
    let hostile = Hostile::start("HTTP/1.1 200 OK\r\n\r\n", false).await;
    let error = Client::open_remote(hostile.endpoint()).await.unwrap_err();
    assert!(matches!(&error, ClientError::Unreachable { reason, .. } if reason == "it is no bot"), "{error}");
    assert!(hostile.was_cut_short());
}

#[tokio::test]
async fn no_answer_is_heard_out_that_does_not_end() {
    let hostile = Hostile::start("HTTP/1.1 200 OK\r\n\r\n", true).await;
    let client = Client::open_remote(hostile.endpoint()).await.unwrap();
    let id = ItemId::parse("A-1").unwrap();
    let one_entry = TimelineQuery { limit: Some(1), ..TimelineQuery::default() };
    let one_task = TaskQuery { limit: Some(1), ..TaskQuery::default() };
    for (what, error) in [
        ("status", client.status().await.unwrap_err()),
        ("task", client.task(&id).await.unwrap_err()),
        ("tasks", client.tasks(&one_task).await.unwrap_err()),
        ("timeline", client.timeline(&one_entry).await.unwrap_err()),
        ("approvals", client.approvals().await.unwrap_err()),
        ("cancel", client.cancel(&id).await.unwrap_err()),
        ("diff", client.diff(&id).await.unwrap_err()),
        ("metrics", client.metrics().await.unwrap_err()),
    ] {
        assert!(matches!(error, ClientError::Endless { .. }), "{what}: {error}");
    }
    assert!(hostile.was_cut_short());
}

#[tokio::test]
async fn a_length_that_no_answer_has_is_enough_to_know() {
    let hostile = Hostile::start("HTTP/1.1 200 OK\r\ncontent-length: 9999999999999\r\n\r\n", true).await;
    let client = Client::open_remote(hostile.endpoint()).await.unwrap();
    let error = client.response(&ItemId::parse("A-1").unwrap()).await.unwrap_err();
    assert!(matches!(error, ClientError::Endless { most: 1_073_741_824, .. }), "{error}");
    assert!(hostile.was_cut_short());
}

#[tokio::test]
async fn a_refusal_counts_whatever_follows_it() {
    let hostile = Hostile::start("HTTP/1.1 403 Forbidden\r\n\r\n", true).await;
    let client = Client::open_remote(hostile.endpoint()).await.unwrap();
    let error = client.status().await.unwrap_err();
    assert!(matches!(error, ClientError::Unauthorized { .. }), "{error}");
    assert!(hostile.was_cut_short());
}
