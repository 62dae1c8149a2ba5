//! What both sockets share: the upgrade, frames out with a bound on patience, life by ping.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use futures::SinkExt as _;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};

use super::Service;
use super::door::{PROTOCOL, Pass};

/// How often a peer is pinged.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A peer that says nothing for so long after a ping is gone.
const SILENCE: Duration = Duration::from_mins(1);
/// A peer that takes no frame for so long is gone; nothing of its turns is lost.
const STALLED: Duration = Duration::from_secs(30);

/// How many bytes are read at a time. All of them are filled with zeros whenever a socket is listened to, and held for as
/// long as it is open.
const READ_BUFFER: usize = 8 * 1024;
/// How many bytes are fed before they are written. A peer that does not read holds so many and one frame.
const WRITE_BUFFER: usize = 16 * 1024;

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
    pulse: Pulse,
}

/// Whether a peer lives, as far as it was asked: who was sent much for minutes was neither asked nor heard meanwhile.
#[derive(Debug, Default)]
struct Pulse {
    /// When it was first asked since it was last heard.
    asked: Option<Instant>,
}

impl Pulse {
    fn heard(&mut self) {
        self.asked = None;
    }

    /// It is to be asked; in vain if it was before, and long ago.
    fn ask(&mut self, now: Instant) -> Result<(), Gone> {
        if now.duration_since(*self.asked.get_or_insert(now)) > SILENCE { Err(Gone) } else { Ok(()) }
    }
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
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(max_frame)
        .max_frame_size(max_frame)
        // Who has little to say is listened to at a smaller price.
        .read_buffer_size(READ_BUFFER.min(max_frame / 4))
        .write_buffer_size(WRITE_BUFFER)
}

impl Peer {
    pub(super) fn new(socket: WebSocket) -> Self {
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        Self { socket, pings, pulse: Pulse::default() }
    }

    pub(super) async fn send(&mut self, frame: Utf8Bytes) -> Result<(), Gone> {
        self.send_message(Message::Text(frame)).await
    }

    /// Takes a frame that leaves with the next [`Peer::flush`], or before. Once this has returned the frame is not to be
    /// said again, whatever comes of the flush.
    pub(super) async fn feed(&mut self, frame: Utf8Bytes) -> Result<(), Gone> {
        patiently(self.socket.feed(Message::Text(frame))).await
    }

    /// Sends what was fed: one call to the system for all of it.
    pub(super) async fn flush(&mut self) -> Result<(), Gone> {
        patiently(self.socket.flush()).await
    }

    /// The next frame; pings in between. May be dropped half-way.
    pub(super) async fn hear(&mut self) -> Result<Heard, Gone> {
        loop {
            tokio::select! {
                // What it has said counts before that it is late.
                biased;
                message = self.socket.recv() => {
                    self.pulse.heard();
                    return match message {
                        Some(Ok(Message::Text(text))) => Ok(Heard::Text(text)),
                        Some(Ok(Message::Binary(_))) => Ok(Heard::Binary),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(Heard::Alive),
                        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Gone),
                    };
                }
                _ = self.pings.tick() => {
                    self.pulse.ask(Instant::now())?;
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
        patiently(self.socket.send(message)).await
    }
}

/// Waits for a peer to take what it is sent, but not for ever.
async fn patiently<E>(sent: impl Future<Output = Result<(), E>>) -> Result<(), Gone> {
    match timeout(STALLED, sent).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_answer_is_gone_and_who_was_not_asked_is_not() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut pulse = Pulse::default();
        // Nobody asked for ten minutes: there was much to send.
        assert!(pulse.ask(at(600)).is_ok());
        pulse.heard();
        for seconds in [620, 640, 660, 680] {
            assert!(pulse.ask(at(seconds)).is_ok(), "{seconds}");
        }
        assert!(pulse.ask(at(700)).is_err());
    }
}
