//! The timeline socket (SPEC 8 and 9): a follower asks for what changed after what it has seen, and is woken when more
//! has. Nothing is carried by the waking, so nothing can be skipped or repeated.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::{Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse, Response};
use futures::future::{pending, select_all};
use hive_shared::api::{FollowFrame, MAX_CONTENT, TimelineQuery};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Shared;
use super::door::Pass;
use super::path::Path;
use super::problem::Problem;
use super::socket::{Farewell, Gone, Peer, prepare};
use crate::hub::{Shown, frame_of};
use crate::store::Reader;
use crate::tally::Present;
use crate::turn::{Position, Turn};

/// How many entries a follower that is new is shown.
const FIRST_LOOK: usize = 100;
/// How many changes are read at a time for a follower that lags. One that does not read holds them in memory, and each
/// may be as large as an entry gets.
const CHANGES_AT_A_TIME: usize = 20;
/// A follower has nothing to say that would need more.
const MAX_FRAME: usize = 4 * 1024;
/// How long a follower that was told something is told nothing more, for each follower that there is: a call to the
/// system costs half of that, and what happens meanwhile goes out in one. A single one does not notice; a thousand of
/// them leave the processors time for the work.
const REST_FOR_EACH: Duration = Duration::from_micros(20);
/// Shorter rests are not worth a timer.
const SHORTEST_REST: Duration = Duration::from_millis(2);
/// However many there are, nobody is to wait for longer.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// Where a follower stands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    after_seq: Option<u64>,
    epoch: Option<String>,
}

pub(super) async fn upgrade(
    State(shared): State<Shared>,
    Extension(pass): Extension<Pass>,
    Path(bot): Path<String>,
    since: Result<Query<Since>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    shared.is_bot(&bot)?;
    let Query(since) = since.map_err(|e| Problem::bad_request(e.body_text()))?;
    let upgrade = upgrade.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    Ok(prepare(upgrade, MAX_FRAME)
        .on_upgrade(move |socket| serve(socket, shared, pass, since))
        .into_response())
}

async fn serve(socket: WebSocket, shared: Shared, pass: Pass, since: Since) {
    let _present = Present::in_(&shared.hub.tally().followers);
    let mut follower = Follower {
        peer: Peer::new(socket),
        shared: Arc::clone(&shared),
        at: 0,
        turns: Vec::new(),
        told: false,
    };
    let farewell = tokio::select! {
        // It ends only when the peer is gone.
        _gone = follower.serve(since) => return,
        farewell = Farewell::due(&shared, pass) => farewell,
    };
    if matches!(farewell, Farewell::Stopping) {
        // What is visible by now is still told.
        let _ = follower.tell_changes().await;
    }
    follower.peer.close(farewell).await;
}

struct Follower {
    peer: Peer,
    shared: Shared,
    /// The last change that was told.
    at: u64,
    turns: Vec<Followed>,
    /// Whether it was told something since it last rested.
    told: bool,
}

/// A turn whose text a follower sees grow.
struct Followed {
    turn: Arc<Turn>,
    changes: watch::Receiver<u64>,
    position: Position,
}

impl Follower {
    async fn serve(&mut self, since: Since) -> Result<(), Gone> {
        self.begin(since).await?;
        let mut visible = self.shared.hub.visible();
        let mut live = self.shared.hub.live_changes();
        loop {
            visible.mark_unchanged();
            live.mark_unchanged();
            self.notice_turns();
            self.tell_chunks().await?;
            self.tell_changes().await?;
            self.rest().await?;
            let said = async {
                if self.turns.is_empty() {
                    pending::<()>().await;
                }
                let waits = self.turns.iter_mut().map(|followed| Box::pin(followed.changes.changed()));
                drop(select_all(waits).await);
            };
            tokio::select! {
                heard = self.peer.hear() => drop(heard?),
                _ = visible.changed() => {}
                _ = live.changed() => {}
                () = said => {}
            }
        }
    }

    /// Lets what happens gather, where many follow.
    async fn rest(&mut self) -> Result<(), Gone> {
        let followers = self.shared.hub.tally().followers.load(Ordering::Relaxed);
        match rest_among(followers) {
            Some(rest) if mem::take(&mut self.told) => {
                let heard = async {
                    loop {
                        let _sign_of_life = self.peer.hear().await?;
                    }
                };
                timeout(rest, heard).await.unwrap_or(Ok(()))
            }
            _ => Ok(()),
        }
    }

    /// What there is at the beginning.
    async fn begin(&mut self, since: Since) -> Result<(), Gone> {
        let same_epoch = since.epoch.is_none_or(|epoch| epoch == self.shared.epoch);
        let after_seq = since.after_seq.filter(|_| same_epoch);
        // What more has changed follows.
        let limit = if after_seq.is_some() { CHANGES_AT_A_TIME } else { FIRST_LOOK };
        let query = TimelineQuery { after_seq, limit: Some(limit), steps: true, ..TimelineQuery::default() };
        let snapshot = self.shared.page(query).await.map_err(|_| Gone)?;
        self.at = match (after_seq, snapshot.page.entries.last()) {
            (Some(_), Some(last)) if snapshot.page.has_more => last.seq,
            _ => snapshot.last_seq,
        };
        let frame = FollowFrame::TimelineSnapshot {
            bot_id: self.shared.bot.clone(),
            epoch: self.shared.epoch.clone(),
            entries: snapshot.page.entries,
            last_seq: self.at,
            total_entries: snapshot.total_entries,
        };
        self.send(&frame).await
    }

    fn notice_turns(&mut self) {
        self.turns.retain(|followed| !followed.turn.is_complete());
        for turn in self.shared.hub.live_turns() {
            if !self.turns.iter().any(|followed| Arc::ptr_eq(&followed.turn, &turn)) {
                let changes = turn.changes();
                self.turns.push(Followed { turn, changes, position: Position::default() });
            }
        }
    }

    /// More of what running turns say, of those whose start was told.
    async fn tell_chunks(&mut self) -> Result<(), Gone> {
        for followed in &mut self.turns {
            followed.changes.mark_unchanged();
            if !followed.turn.is_known_at(self.at) {
                continue;
            }
            while let Some(piece) = followed.turn.read_on(&mut followed.position, MAX_CONTENT) {
                let entry_id = followed.turn.entry_id();
                let offset = piece.offset as u64;
                let frame = FollowFrame::EntryChunk { entry_id, offset, content: piece.text };
                let text = json(&frame);
                // Who does not read is not to hold it twice.
                drop(frame);
                self.peer.send(text).await?;
                self.told = true;
            }
        }
        Ok(())
    }

    async fn tell_changes(&mut self) -> Result<(), Gone> {
        loop {
            let shown = match self.shared.hub.recent_after(self.at) {
                Some(shown) => shown,
                None => self.read_changes().await?,
            };
            if shown.is_empty() {
                return Ok(());
            }
            // What an entry holds of a text was told before it.
            self.tell_chunks().await?;
            // Whoever cannot keep up is told more at a time, which costs less.
            for Shown { seq, frame } in shown {
                self.peer.feed(frame).await?;
                self.at = seq;
            }
            self.peer.flush().await?;
            self.told = true;
            self.tell_chunks().await?;
        }
    }

    /// Changes that are not at hand any more.
    async fn read_changes(&mut self) -> Result<Vec<Shown>, Gone> {
        let (after, until) = (self.at, *self.shared.hub.visible().borrow());
        let changes = move |reader: &Reader| reader.changes(after, until, CHANGES_AT_A_TIME);
        let changes = self.shared.read_with(&self.shared.laggards, changes).await.map_err(|_| Gone)?;
        if changes.is_empty() {
            // All of them were superseded by changes that are not visible yet.
            return Ok(Vec::new());
        }
        Ok(changes
            .into_iter()
            .map(|change| Shown { seq: change.entry.seq, frame: frame_of(change, after) })
            .collect())
    }

    async fn send(&mut self, frame: &FollowFrame) -> Result<(), Gone> {
        self.peer.send(json(frame)).await
    }
}

/// How long each of so many followers rests.
fn rest_among(followers: usize) -> Option<Duration> {
    let rest = REST_FOR_EACH.saturating_mul(followers.try_into().unwrap_or(u32::MAX)).min(LONGEST_REST);
    (rest >= SHORTEST_REST).then_some(rest)
}

fn json(frame: &FollowFrame) -> Utf8Bytes {
    serde_json::to_string(frame).expect("a frame has string keys only").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_followers_do_not_rest_and_many_do_not_rest_for_long() {
        assert_eq!(rest_among(1), None);
        assert_eq!(rest_among(99), None);
        assert_eq!(rest_among(100), Some(Duration::from_millis(2)));
        assert_eq!(rest_among(1_000), Some(Duration::from_millis(20)));
        assert_eq!(rest_among(usize::MAX), Some(LONGEST_REST));
    }
}
