//! What both sockets share: the upgrade, frames out with a bound on patience, life by ping.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};

use super::Service;
use super::door::{PROTOCOL, Pass};

/// How often a peer is pinged.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A peer that says nothing for so long, not even to a ping, is gone.
const SILENCE: Duration = Duration::from_mins(1);
/// A peer that takes no frame for so long is gone; nothing of its turns is lost.
const STALLED: Duration = Duration::from_secs(30);

/// The peer is gone, or is to go.
#[derive(Debug)]
pub(super) struct Gone;

/// Why a socket is closed that works.
#[derive(Debug, Clone, Copy)]
pub(super) enum Farewell {
    /// The bot stops.
    Stopping,
    /// The peer came with a token that counts no more.
    OldToken,
}

impl Farewell {
    /// Waits until there is a reason to close a socket that was opened with this pass.
    pub(super) async fn due(shared: &Service, pass: Pass) -> Self {
        tokio::select! {
            () = shared.closing.cancelled() => Self::Stopping,
            () = shared.door.ends(pass) => Self::OldToken,
        }
    }

    fn frame(self) -> CloseFrame {
        let (code, reason) = match self {
            Self::Stopping => (close_code::AWAY, "the bot is stopping"),
            Self::OldToken => (close_code::POLICY, "the token was changed"),
        };
        CloseFrame { code, reason: reason.into() }
    }
}

/// A socket to one peer.
pub(super) struct Peer {
    socket: WebSocket,
    pings: Interval,
    last_heard: Instant,
}

/// What came from a peer.
#[derive(Debug)]
pub(super) enum Heard {
    /// A frame.
    Text(Utf8Bytes),
    /// Something that has no place here.
    Binary,
    /// A sign of life.
    Alive,
}

/// Accepts the protocol and bounds the frames.
pub(super) fn prepare(upgrade: WebSocketUpgrade, max_frame: usize) -> WebSocketUpgrade {
    upgrade.protocols([PROTOCOL]).max_message_size(max_frame).max_frame_size(max_frame)
}

impl Peer {
    pub(super) fn new(socket: WebSocket) -> Self {
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        Self { socket, pings, last_heard: Instant::now() }
    }

    pub(super) async fn send(&mut self, frame: Utf8Bytes) -> Result<(), Gone> {
        self.send_message(Message::Text(frame)).await
    }

    /// The next frame; pings in between. May be dropped half-way.
    pub(super) async fn hear(&mut self) -> Result<Heard, Gone> {
        loop {
            tokio::select! {
                message = self.socket.recv() => {
                    self.last_heard = Instant::now();
                    return match message {
                        Some(Ok(Message::Text(text))) => Ok(Heard::Text(text)),
                        Some(Ok(Message::Binary(_))) => Ok(Heard::Binary),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(Heard::Alive),
                        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Gone),
                    };
                }
                _ = self.pings.tick() => {
                    if self.last_heard.elapsed() > SILENCE {
                        return Err(Gone);
                    }
                    self.send_message(Message::Ping(axum::body::Bytes::new())).await?;
                }
            }
        }
    }

    /// Says good-bye.
    pub(super) async fn close(mut self, farewell: Farewell) {
        let _ = self.send_message(Message::Close(Some(farewell.frame()))).await;
    }

    async fn send_message(&mut self, message: Message) -> Result<(), Gone> {
        match timeout(STALLED, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}
