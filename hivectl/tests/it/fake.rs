//! A bot that answers each request as the test has told it, and on each socket plays the next script.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::future::join_all;
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const TOKEN: &str = "c2VjcmV0";
/// Longer than anything here takes; what takes so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A hive in a directory of its own.
pub(crate) struct Home {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) hive: Hive,
}

/// A step of a socket's script.
pub(crate) enum Step {
    /// Sends a frame; `$ID` in it is the id in the last frame heard.
    Say(Value),
    /// Waits for a frame from the client.
    Hear,
    /// Changes what a route answers.
    Answer(&'static str, u16, Value),
    /// Holds the connection until the client or the test ends it.
    Hold,
}

/// A bot of a [`Home`].
pub(crate) struct Fake {
    pub(crate) bot: BotId,
    board: Arc<Board>,
    server: JoinHandle<()>,
    /// What says that somebody runs it.
    lock: std::fs::File,
}

#[derive(Default)]
struct Board {
    answers: Mutex<BTreeMap<String, (u16, Value)>>,
    scripts: Mutex<VecDeque<Vec<Step>>>,
    seen: Mutex<Vec<String>>,
    changed: Notify,
    sockets: Mutex<Vec<JoinHandle<()>>>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hive = Hive::at(dir.path());
        hive.create(None).unwrap();
        Self { dir, hive }
    }

    /// Starts a bot, on a port of its own.
    pub(crate) async fn start(&self, bot: &str) -> Fake {
        let bot = BotId::parse(bot).unwrap();
        self.hive.create(Some(&bot)).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::fs::write(self.hive.token(&bot), TOKEN).unwrap();
        std::fs::set_permissions(self.hive.token(&bot), PermissionsExt::from_mode(0o600)).unwrap();
        let record = json!({"bot_id": bot, "url": url, "host": "here", "pid": 1, "mode": "hybrid", "adapter": "echo",
            "started_at": "2026-11-22T18:05:27Z", "version": "0.1.0", "protocol": 1});
        std::fs::write(self.hive.bot_record(&bot), record.to_string()).unwrap();
        let lock = std::fs::File::create(self.hive.lock(&bot)).unwrap();
        lock.try_lock().unwrap();
        let board = Arc::new(Board::default());
        let fake = Fake { bot, board: Arc::clone(&board), server: tokio::spawn(async {}), lock };
        fake.answer(
            "GET /health",
            200,
            json!({"status": "ok", "bot_id": fake.bot, "version": "0.1.0", "protocol": 1}),
        );
        fake.answer("GET /timeline", 200, page(&fake.bot, &[]));
        let app = Router::new().fallback(serve).with_state(board);
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Fake { server, ..fake }
    }

    /// Runs hivectl in this hive until it ends.
    pub(crate) async fn run(&self, args: &[&str]) -> Output {
        tokio::time::timeout(PATIENCE, self.command(args).output()).await.unwrap().unwrap()
    }

    /// hivectl in this hive.
    pub(crate) fn command(&self, args: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_hivectl"));
        command.args(args).current_dir(self.dir.path()).env_clear().env("USER", "dave").env("TZ", "UTC");
        command.stdin(std::process::Stdio::null()).kill_on_drop(true);
        command
    }
}

impl Fake {
    /// Sets what a route answers, such as `GET /tasks/A-1` (below `/api/bot/{bot_id}`) or `GET /health`.
    pub(crate) fn answer(&self, route: &str, status: u16, body: Value) {
        self.board.answers.lock().unwrap().insert(route.to_owned(), (status, body));
    }

    /// Sets what the next socket does.
    pub(crate) fn script(&self, steps: Vec<Step>) {
        self.board.scripts.lock().unwrap().push_back(steps);
    }

    /// All requests and frames so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.board.seen.lock().unwrap().clone()
    }

    /// Waits until something was seen.
    pub(crate) async fn wait_for(&self, what: &str) {
        self.wait_for_more(what, 0).await;
    }

    /// Waits until something was seen more often than this.
    pub(crate) async fn wait_for_more(&self, what: &str, times: usize) {
        let looking = async {
            loop {
                let changed = self.board.changed.notified();
                if self.seen().iter().filter(|seen| seen.contains(what)).count() > times {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, looking)
            .await
            .unwrap_or_else(|_| panic!("{what} not in {:?}", self.seen()));
    }

    /// Ends it as a kill does: its record stays.
    pub(crate) async fn kill(self) {
        self.server.abort();
        let sockets = std::mem::take(&mut *self.board.sockets.lock().unwrap());
        sockets.iter().for_each(JoinHandle::abort);
        join_all(sockets).await;
        // What another test forks this moment has it open too.
        self.lock.unlock().unwrap();
    }
}

impl Board {
    fn note(&self, what: String) {
        self.seen.lock().unwrap().push(what);
        self.changed.notify_waiters();
    }
}

async fn serve(State(board): State<Arc<Board>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let below = ["/api/bot/", "/ws/bot/"].iter().find_map(|base| path.strip_prefix(base)?.split_once('/'));
    let route = below.map_or_else(|| path.clone(), |(_, route)| format!("/{route}"));
    let route = format!("{} {route}", parts.method);
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let query = parts.uri.query().map(|q| format!("?{q}")).unwrap_or_default();
    let shown = if path.starts_with("/ws/") { format!("GET {path}") } else { route.clone() };
    board.note(format!("{shown}{query} {}", String::from_utf8_lossy(&body)).trim_end().to_owned());
    let authorized =
        parts.headers.get(header::AUTHORIZATION).is_some_and(|h| h == &format!("Bearer {TOKEN}"));
    if !authorized && path != "/health" {
        return error(401, "unauthorized", "no such token");
    }
    if path.starts_with("/ws/") {
        let Some(steps) = board.scripts.lock().unwrap().pop_front() else {
            let refusal = board.answers.lock().unwrap().get(&route).cloned();
            let (status, body) =
                refusal.unwrap_or((503, json!({"error": {"code": "stopping", "message": "no script"}})));
            return (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response();
        };
        let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await.unwrap();
        return upgrade.on_upgrade(async move |socket| {
            let playing = tokio::spawn(play(socket, steps, Arc::clone(&board)));
            board.sockets.lock().unwrap().push(playing);
        });
    }
    let answer = board.answers.lock().unwrap().get(&route).cloned();
    match answer {
        Some((status, Value::String(text))) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        Some((status, body)) => (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response(),
        None => error(404, "not_found", "there is nothing here"),
    }
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let body = json!({"error": {"code": code, "message": message}});
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

async fn play(mut socket: WebSocket, steps: Vec<Step>, board: Arc<Board>) {
    let mut id = String::new();
    for step in steps {
        match step {
            Step::Say(frame) => drop(socket.send(Message::text(frame.to_string().replace("$ID", &id))).await),
            Step::Hear => match socket.recv().await {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    frame["id"].as_str().unwrap_or_default().clone_into(&mut id);
                    board.note(format!("frame {text}"));
                }
                other => board.note(format!("frame {other:?}")),
            },
            Step::Answer(route, status, body) => {
                board.answers.lock().unwrap().insert(route.to_owned(), (status, body));
            }
            Step::Hold => {
                while let Some(Ok(message)) = socket.recv().await {
                    if let Message::Text(text) = message {
                        board.note(format!("frame {text}"));
                    }
                }
            }
        }
    }
}

/// An entry of a task.
pub(crate) fn entry(bot: &BotId, id: &str, seq: u64, status: &str) -> Value {
    json!({"seq": seq, "entry_id": id, "bot_id": bot, "timestamp": "2026-11-22T18:05:27Z",
        "updated_at": "2026-11-22T18:05:27Z", "source": "file", "kind": "task", "status": status, "task_id": id,
        "title": format!("Title of {id}")})
}

/// A page of a timeline whose last change is its last entry's.
pub(crate) fn page(bot: &BotId, entries: &[Value]) -> Value {
    let last_seq = entries.last().map_or(0, |entry| entry["seq"].as_u64().unwrap());
    json!({"bot_id": bot, "epoch": "E1", "entries": entries, "last_seq": last_seq,
        "total_entries": entries.len(), "has_more": false, "before": null})
}

/// The first frame of a follower's socket.
pub(crate) fn snapshot(bot: &BotId, epoch: &str, entries: &[Value]) -> Value {
    let last_seq = entries.last().map_or(0, |entry| entry["seq"].as_u64().unwrap());
    json!({"type": "timeline_snapshot", "bot_id": bot, "epoch": epoch, "entries": entries, "last_seq": last_seq,
        "total_entries": entries.len()})
}

/// A task's detail.
pub(crate) fn detail(bot: &BotId, id: &str, status: &str) -> Value {
    let ended = matches!(status, "completed" | "failed" | "cancelled" | "timed_out");
    json!({"bot_id": bot, "task_id": id, "title": format!("Title of {id}"), "priority": "P2", "status": status,
        "position": null, "from": "dave", "to": null, "created": "2026-11-22T18:05:27Z", "limit_seconds": 1800.0,
        "interruptible": true, "depends_on": [], "file": format!("{id}.md"), "attempts": 1, "preemptions": 0,
        "source": "file", "started_at": null, "completed_at": null,
        "duration_seconds": ended.then_some(1.5), "success": ended.then_some(status == "completed"),
        "error": (status == "failed").then_some("exit status 3"), "error_code": null, "response_file": null,
        "response": ended.then_some("all of it\n")})
}

/// The files in a directory that are neither hidden nor directories.
pub(crate) fn files_in(dir: &Path) -> Vec<String> {
    let entries =
        std::fs::read_dir(dir).unwrap().map(Result::unwrap).filter(|e| e.file_type().unwrap().is_file());
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}
