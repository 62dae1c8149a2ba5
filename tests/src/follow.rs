//! The timeline socket.

use hive_shared::ids::BotId;
use serde_json::Value;
use tokio::time::timeout;

use crate::upgrade::{self, Socket};
use crate::wait::DEADLINE;

/// A follower of the timeline.
#[derive(Debug)]
pub struct Follow {
    socket: Socket,
    /// The first frame.
    pub snapshot: Value,
}

impl Follow {
    pub(crate) async fn open(address: &str, bot: &BotId, token: &str, query: &str) -> Self {
        let path = format!("/ws/bot/{bot}/timeline?{query}");
        let mut follow = Self { socket: upgrade::open(address, &path, token).await, snapshot: Value::Null };
        follow.snapshot = follow.next().await.expect("a snapshot");
        assert_eq!(follow.snapshot["type"], "timeline_snapshot", "{}", follow.snapshot);
        follow
    }

    /// The next frame; none when the bot has closed the connection.
    pub async fn next(&mut self) -> Option<Value> {
        match timeout(DEADLINE, upgrade::receive(&mut self.socket)).await {
            Ok(frame) => frame,
            Err(elapsed) => panic!("no frame came in {DEADLINE:?} ({elapsed})"),
        }
    }

    /// The next frame that fits; what comes before it is dropped.
    pub async fn next_that(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.next().await.expect("the socket is open");
            if fits(&frame) {
                return frame;
            }
        }
    }
}
