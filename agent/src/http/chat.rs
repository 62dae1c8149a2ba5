//! The prompt socket (SPEC 9): frames of a client's own turns, answers to what it sent, and nothing else.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use futures::future::{pending, select_all};
use hive_shared::api::{PROTOCOL, code};
use hive_shared::chat::{ClientFrame, Hello, MAX_FRAME, ServerFrame};
use hive_shared::ids::ItemId;
use hive_shared::work::{Mode, Source};
use tokio::sync::watch;

use super::Shared;
use super::door::Pass;
use super::path::Path;
use super::problem::Problem;
use super::socket::{Farewell, Gone, Heard, Peer, prepare};
use crate::driver::Message;
use crate::request::{Connection, Request};
use crate::tally::Present;
use crate::turn::Turn;

/// How many frames of one turn are sent before the others have theirs.
const FRAMES_AT_A_TIME: usize = 256;
/// How many turns one connection may listen to.
const MAX_TURNS: usize = 256;

pub(super) async fn upgrade(
    State(shared): State<Shared>,
    Extension(pass): Extension<Pass>,
    Path(bot): Path<String>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    shared.is_bot(&bot)?;
    if shared.mode == Mode::CliOnly {
        return Err(Problem::not_found("this bot takes no prompts: its mode is cli-only"));
    }
    let upgrade = upgrade.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    Ok(prepare(upgrade, MAX_FRAME).on_upgrade(move |socket| serve(socket, shared, pass)).into_response())
}

async fn serve(socket: WebSocket, shared: Shared, pass: Pass) {
    let connection = Connection(shared.last_connection.fetch_add(1, Ordering::Relaxed));
    let present = Present::in_(&shared.hub.tally().chat_clients);
    let mut client =
        Client { peer: Peer::new(socket), shared: Arc::clone(&shared), pass, connection, turns: Vec::new() };
    let ended = tokio::select! {
        result = client.serve() => result,
        farewell = Farewell::due(&shared, pass) => Ok(farewell),
    };
    if let Ok(farewell) = ended {
        client.peer.close(farewell).await;
    }
    drop(present);
    // The driver may have ended before this connection.
    let _ = shared.driver.send(Message::Request(Request::Disconnected(connection)));
}

/// One connection.
struct Client {
    peer: Peer,
    shared: Shared,
    pass: Pass,
    connection: Connection,
    turns: Vec<Listened>,
}

/// A turn that a connection listens to.
struct Listened {
    turn: Arc<Turn>,
    changes: watch::Receiver<u64>,
    /// The last frame that was sent.
    sent: u64,
}

impl Client {
    /// Until the peer is gone, or says something with a token that counts no more.
    async fn serve(&mut self) -> Result<Farewell, Gone> {
        let hello = ServerFrame::Hello(Hello {
            bot_id: self.shared.bot.clone(),
            mode: self.shared.mode,
            adapter: self.shared.adapter.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
        });
        self.send(&hello).await?;
        loop {
            let more = self.send_what_is_new().await?;
            let changed = async {
                if more {
                    return;
                }
                if self.turns.is_empty() {
                    pending::<()>().await;
                }
                let waits = self.turns.iter_mut().map(|listened| Box::pin(listened.changes.changed()));
                drop(select_all(waits).await);
            };
            tokio::select! {
                // Who speaks is heard, however much there is to send.
                biased;
                heard = self.peer.hear() => match heard? {
                    Heard::Text(_) if !self.shared.door.honours(self.pass) => return Ok(Farewell::OldToken),
                    Heard::Text(text) => self.take(&text).await?,
                    Heard::Binary => self.refuse(None, code::BAD_REQUEST, "frames are JSON text, not binary").await?,
                    Heard::Alive => {}
                },
                () = changed => {}
            }
        }
    }

    /// Sends some of what each turn has to say; whether there may be more.
    async fn send_what_is_new(&mut self) -> Result<bool, Gone> {
        let mut more = false;
        for listened in &mut self.turns {
            listened.changes.mark_unchanged();
            let frames = listened.turn.frames_after(listened.sent, FRAMES_AT_A_TIME);
            more |= !frames.is_empty();
            for (n, frame) in frames {
                self.peer.feed(frame).await?;
                listened.sent = n;
            }
        }
        self.peer.flush().await?;
        self.turns.retain(|listened| !listened.turn.is_told(listened.sent));
        Ok(more)
    }

    async fn take(&mut self, text: &str) -> Result<(), Gone> {
        let frame = match ClientFrame::read(text) {
            Ok(frame) => frame,
            Err(bad) => {
                let message = bad.to_string();
                return self.refuse(bad.id, code::BAD_REQUEST, &message).await;
            }
        };
        let connection = self.connection;
        match frame {
            ClientFrame::Prompt(prompt) => {
                let id = prompt.id.as_ref().map(ToString::to_string);
                if self.turns.len() >= MAX_TURNS {
                    return self
                        .refuse(id, code::QUEUE_FULL, "this connection listens to too many turns")
                        .await;
                }
                match self.shared.ask(|answer| Request::Prompt(prompt, connection, answer)).await {
                    Ok(turn) => {
                        self.listen(turn, 0);
                        Ok(())
                    }
                    Err(problem) => self.refuse_with(id, &problem).await,
                }
            }
            ClientFrame::Attach { id, after } => {
                let asked = id.clone();
                let ask = |answer| Request::Attach { id: asked, after, connection, answer };
                match self.shared.ask(ask).await {
                    Ok(turn) => {
                        self.listen(turn, after);
                        Ok(())
                    }
                    Err(problem) => self.refuse_with(Some(id.to_string()), &problem).await,
                }
            }
            ClientFrame::Cancel { id } => match self.cancel(&id).await {
                Ok(()) => Ok(()),
                Err(problem) => self.refuse_with(Some(id.to_string()), &problem).await,
            },
            ClientFrame::Approve { approval_id, option } => {
                let id = approval_id.clone();
                match self.shared.ask(|answer| Request::Approve { id, option, answer }).await {
                    Ok(_) => Ok(()),
                    Err(problem) => self.refuse_with(Some(approval_id.to_string()), &problem).await,
                }
            }
        }
    }

    async fn cancel(&mut self, id: &ItemId) -> Result<(), Problem> {
        let asked = id.clone();
        let item = self.shared.read(move |reader| reader.item(&asked)).await?;
        if item.is_none_or(|item| item.source != Source::Chat) {
            return Err(Problem::not_found(format!("there is no prompt '{id}'")));
        }
        let asked = id.clone();
        self.shared.ask(|answer| Request::Cancel(asked, answer)).await
    }

    fn listen(&mut self, turn: Arc<Turn>, sent: u64) {
        self.turns.retain(|listened| listened.turn.id() != turn.id());
        let changes = turn.changes();
        self.turns.push(Listened { turn, changes, sent });
    }

    async fn refuse_with(&mut self, id: Option<String>, problem: &Problem) -> Result<(), Gone> {
        self.refuse(id, problem.code(), problem.message()).await
    }

    async fn refuse(&mut self, id: Option<String>, code: &str, message: &str) -> Result<(), Gone> {
        self.send(&ServerFrame::Error { id, code: code.to_owned(), message: message.to_owned() }).await
    }

    async fn send(&mut self, frame: &ServerFrame) -> Result<(), Gone> {
        let json = serde_json::to_string(frame).expect("a frame has string keys only");
        self.peer.send(json.into()).await
    }
}
