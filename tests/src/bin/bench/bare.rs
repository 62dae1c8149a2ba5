//! What the web framework and the database cost alone: a server without any of our rules, for the bounds below which no
//! figure of ours can come.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use futures::{SinkExt as _, StreamExt as _};
use hive_shared::api::FollowFrame;
use hive_shared::time::Stamp;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::time::sleep;
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;

use crate::Bench;
use crate::followers::{self, EVERY, FOLLOWERS};
use crate::process;

/// The word that makes this program the server; the path of a database and a number of events come after it.
const BARE: &str = "--bare-server";

/// With `--bare-server FILE EVENTS` this program is a server that tells its address on stdout. Nothing if it was called
/// for anything else.
pub(crate) fn as_server() -> Option<anyhow::Result<()>> {
    let mut args = std::env::args().skip(1);
    if args.next()? != BARE {
        return None;
    }
    let (file, events) = (args.next(), args.next().and_then(|events| events.parse().ok()));
    let Some((file, events)) = file.zip(events) else {
        return Some(Err(anyhow::anyhow!("{BARE} needs a file and a number of events")));
    };
    // The runtime that hive-agent has.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    Some(runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(serve(Path::new(&file), events))))
}

#[derive(Clone)]
struct Shared {
    database: Arc<Mutex<Connection>>,
    frames: broadcast::Sender<Utf8Bytes>,
}

async fn serve(file: &Path, events: usize) -> anyhow::Result<()> {
    let database = Connection::open(file)?;
    // As hive-agent has them.
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "NORMAL")?;
    database.execute_batch("CREATE TABLE prompts (id INTEGER PRIMARY KEY, prompt TEXT NOT NULL)")?;
    let (frames, _) = broadcast::channel(events.max(1));
    tokio::spawn(tell(frames.clone(), events));
    let app = Router::new()
        .route("/", get(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(say_back)))
        .route(
            "/commit",
            get(async |State(shared): State<Shared>, upgrade: WebSocketUpgrade| {
                upgrade.on_upgrade(move |socket| commit_and_say_back(socket, shared))
            }),
        )
        .route(
            "/follow",
            get(async |State(shared): State<Shared>, upgrade: WebSocketUpgrade| {
                upgrade.on_upgrade(move |socket| pass_on(socket, shared.frames.subscribe()))
            }),
        )
        .with_state(Shared { database: Arc::new(Mutex::new(database)), frames });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}

async fn say_back(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.next().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}

async fn commit_and_say_back(mut socket: WebSocket, shared: Shared) {
    while let Some(Ok(message)) = socket.next().await {
        let committed = match message.to_text() {
            Ok(prompt) => shared
                .database
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .execute("INSERT INTO prompts (prompt) VALUES (?1)", [prompt])
                .is_ok(),
            Err(_) => false,
        };
        if !committed || socket.send(message).await.is_err() {
            break;
        }
    }
}

async fn pass_on(mut socket: WebSocket, mut frames: broadcast::Receiver<Utf8Bytes>) {
    // What tells a follower that it follows.
    if socket.send(r#"{"type":"timeline_snapshot"}"#.into()).await.is_err() {
        return;
    }
    while let Ok(frame) = frames.recv().await {
        if socket.send(axum::extract::ws::Message::Text(frame)).await.is_err() {
            break;
        }
    }
}

/// Once all followers are there, so many events for each of them: frames as hive-agent sends them of waiting tasks.
async fn tell(frames: broadcast::Sender<Utf8Bytes>, events: usize) {
    while frames.receiver_count() < FOLLOWERS {
        sleep(EVERY).await;
    }
    let mut ticks = tokio::time::interval(EVERY);
    for number in 0..events {
        ticks.tick().await;
        let (id, now) = (followers::event(number), Stamp::now());
        let entry = json!({
            "seq": number, "entry_id": id, "bot_id": "BOT-001", "timestamp": now, "updated_at": now, "source": "file",
            "kind": "task", "status": "queued", "task_id": id, "title": "Wait.", "priority": "P2", "sender": "unknown",
            "sender_type": "user", "content": "", "files_modified": [], "preemptions": 0,
        });
        let Ok(entry) = serde_json::from_value(entry) else { return };
        let Ok(frame) = serde_json::to_string(&FollowFrame::EntryAdded { entry }) else { return };
        let _ = frames.send(frame.into());
    }
}

/// How long a message takes there and back, for each of `n` with such a rest between them; if it is to be on record, it is
/// committed to a database before it is said back.
pub(crate) async fn round_trips(
    bench: &Bench,
    rest: Duration,
    n: usize,
    on_record: bool,
) -> anyhow::Result<Vec<Duration>> {
    let server = Server::start(bench, 0)?;
    let url = server.url(if on_record { "/commit" } else { "/" });
    let (mut socket, _) = connect_async_with_config(url, None, true).await?;
    let mut times = Vec::with_capacity(n);
    for _ in 0..n {
        let began = Instant::now();
        socket.send(Message::text(r#"{"type":"prompt","message":"How is it going?"}"#)).await?;
        let Some(Ok(Message::Text(_))) = socket.next().await else { bail!("the bare server is gone") };
        times.push(began.elapsed());
        sleep(rest).await;
    }
    Ok(times)
}

/// The bare server, as a process of its own.
pub(crate) struct Server {
    process: Child,
    address: String,
    _dir: TempDir,
}

impl Server {
    /// Starts it; its followers are to be told of so many events.
    pub(crate) fn start(bench: &Bench, events: usize) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("hive-bench-").tempdir_in(&bench.dir)?;
        let process = Command::new(&bench.programs.own)
            .arg(BARE)
            .arg(dir.path().join("bare.db"))
            .arg(events.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut server = Self { process, address: String::new(), _dir: dir };
        let stdout = server.process.stdout.take().context("there is a pipe")?;
        BufReader::new(stdout).read_line(&mut server.address)?;
        Ok(server)
    }

    /// The address of a socket of it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address.trim())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = process::end(&mut self.process, Duration::from_secs(5));
    }
}
