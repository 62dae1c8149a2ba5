//! What the web framework costs alone: a WebSocket that says back what it is told.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use axum::Router;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;

use crate::Bench;
use crate::process;

/// The word that makes this program the server.
const BARE: &str = "--bare-echo";

/// With `--bare-echo` this program is a server that tells its address on stdout. Nothing if it was called for anything
/// else.
pub(crate) fn as_server() -> Option<anyhow::Result<()>> {
    if std::env::args().nth(1)? != BARE {
        return None;
    }
    // The runtime that hive-agent has.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    Some(runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(serve())))
}

async fn serve() -> anyhow::Result<()> {
    let app = Router::new().route("/", get(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(say_back)));
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

/// How long a message takes there and back, for each of `n`.
pub(crate) async fn round_trips(bench: &Bench, n: usize) -> anyhow::Result<Vec<Duration>> {
    let mut server = Server(
        Command::new(&bench.programs.own).arg(BARE).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?,
    );
    let stdout = server.0.stdout.take().context("there is a pipe")?;
    let mut address = String::new();
    BufReader::new(stdout).read_line(&mut address)?;
    let url = format!("ws://{}/", address.trim());
    let (mut socket, _) = connect_async_with_config(url, None, true).await?;
    let mut times = Vec::with_capacity(n);
    for _ in 0..n {
        let began = Instant::now();
        socket.send(Message::text(r#"{"type":"prompt","message":"How is it going?"}"#)).await?;
        let Some(Ok(Message::Text(_))) = socket.next().await else { bail!("the bare server is gone") };
        times.push(began.elapsed());
        sleep(Duration::from_millis(5)).await;
    }
    Ok(times)
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = process::end(&mut self.0, Duration::from_secs(5));
    }
}
