//! Waiting until items are final: by the timeline of their bot, and a look at an item when the timeline says that it
//! has ended.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use futures::future::join_all;
use hive_shared::api::{Current, Entry, TaskDetail, TimelineQuery};
use hive_shared::client::{Client, ClientError, Followed, Follower, Position};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::time::show_duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use crate::commands::view;
use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, Located, Reach, down};
use crate::output::progress::{Clock, Count, Standing};
use crate::output::text::duration;
use crate::output::{Format, Printer};

/// How long a wait puts up with a bot that is down (SPEC 10).
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long somebody who has cancelled what they wait for stays to see its end.
pub const FAREWELL: Duration = Duration::from_secs(5);
/// How often a bot that is down is looked for meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How often at most the bot is asked how the wait stands, where there is somebody to see it or it could not tell.
const STANDING: Duration = Duration::from_secs(1);

/// What a wait came to.
#[derive(Debug)]
pub struct Waited {
    /// The items in the order in which they were named, as they stood last.
    pub details: Vec<TaskDetail>,
    /// Why not all of them are final, if so.
    pub failure: Option<Failure>,
}

impl Waited {
    /// 1 before 6 before 0, where nothing worse happened.
    pub fn exit(&self) -> Exit {
        Exit::of_many(self.details.iter().map(|detail| Exit::of_status(detail.task.status)))
    }

    /// Prints how the items stood last. In lines of JSON, those that ended are printed already.
    pub fn tell(&self, out: &mut Printer) {
        if out.format() == Format::Ndjson {
            for detail in self.details.iter().filter(|detail| !detail.task.status.is_final()) {
                out.json_line(detail);
            }
        } else {
            out.many(&self.details, view::ended);
        }
    }

    /// How the command ends that waited.
    pub fn end(self) -> Result<Exit, Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self.exit()),
        }
    }
}

/// Sees what happens to the items meanwhile.
pub trait Watcher {
    /// A bot's timeline moved on; the items of the wait may or may not be concerned.
    fn watch(&mut self, bot: &BotId, followed: &Followed, out: &mut Printer);

    /// Whether it shows how the wait stands.
    fn shows_standing(&self) -> bool;
}

/// Waits until all items are final, for at most `limit`.
pub async fn until_final(
    fleet: &Fleet,
    items: Vec<Located>,
    limit: Option<Duration>,
    watcher: &mut dyn Watcher,
    out: &mut Printer,
) -> Waited {
    let mut by_bot: BTreeMap<BotId, (Option<Client>, Vec<usize>)> = BTreeMap::new();
    for (index, item) in items.iter().enumerate().filter(|(_, item)| !item.detail.task.status.is_final()) {
        let client = match &item.reach {
            Reach::Up(client) => Some((**client).clone()),
            Reach::Down(_) => None,
        };
        by_bot.entry(item.bot.clone()).or_insert((client, Vec::new())).1.push(index);
    }
    let unseen = items.iter().map(|item| item.from_file).collect();
    let details: Vec<_> = items.into_iter().map(|item| item.detail).collect();
    for detail in details.iter().filter(|detail| detail.task.status.is_final()) {
        ended(detail, out);
    }
    let board = RefCell::new(Board { details, unseen, watcher, out });
    let runs = by_bot.into_iter().map(|(bot, (client, indices))| {
        let watch = BotWatch { fleet, bot, open: indices, look_again: None, board: &board };
        watch.run(client)
    });
    let all = join_all(runs);
    let ended = match limit {
        None => Ok(all.await),
        Some(limit) => timeout(limit, all).await.map_err(|_| limit),
    };
    let board = board.into_inner();
    board.out.settle();
    let failure = match ended {
        Ok(results) => results.into_iter().find_map(Result::err),
        Err(limit) => Some(gave_up(limit, &board.details)),
    };
    Waited { details: board.details, failure }
}

/// Waits until then; for ever if there is no such time.
pub async fn due(then: Option<Instant>) {
    match then {
        Some(then) => sleep_until(then).await,
        None => pending().await,
    }
}

/// What the watches of several bots share.
struct Board<'a> {
    details: Vec<TaskDetail>,
    /// Which of them are known from their files alone: their bot may still have to find them.
    unseen: Vec<bool>,
    watcher: &'a mut dyn Watcher,
    out: &'a mut Printer,
}

/// The wait for the items of one bot.
struct BotWatch<'a, 'b> {
    fleet: &'a Fleet,
    bot: BotId,
    /// The items that are not final, by their place on the board.
    open: Vec<usize>,
    /// When to ask again, if the bot could not tell of some of them when it was asked last.
    look_again: Option<Instant>,
    board: &'a RefCell<Board<'b>>,
}

impl BotWatch<'_, '_> {
    async fn run(mut self, client: Option<Client>) -> Result<(), Failure> {
        let (client, position) = self.begin(client).await?;
        let mut follower = Follower::new(client, Some(position));
        let mut give_up: Option<Instant> = None;
        let mut tick = interval(STANDING);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shows_standing = {
            let board = self.board.borrow();
            board.watcher.shows_standing() && board.out.shows_progress()
        };
        let mut is_stale = shows_standing;
        // The position was taken first: what ends from here on is told by the timeline.
        self.look_at(&mut follower, |_| true).await?;
        while !self.open.is_empty() {
            let news = tokio::select! {
                next = follower.next() => next?,
                () = due(self.look_again) => {
                    self.look_at(&mut follower, |_| true).await?;
                    continue;
                }
                () = due(give_up) => {
                    return Err(down(&self.bot));
                }
                _ = tick.tick(), if is_stale => {
                    is_stale = false;
                    self.show_standing(&follower).await;
                    continue;
                }
            };
            // Anything that moves on may move what is waited for.
            is_stale = shows_standing && give_up.is_none();
            {
                let board = &mut *self.board.borrow_mut();
                board.watcher.watch(&self.bot, &news, board.out);
            }
            match news {
                Followed::Disconnected(reason) => {
                    is_stale = false;
                    give_up = Some(Instant::now() + PATIENCE);
                    self.board.borrow_mut().out.detail(&format!("{} does not answer: {reason}", self.bot));
                }
                Followed::Connected | Followed::Restarted => {
                    is_stale = shows_standing;
                    give_up = None;
                    self.look_at(&mut follower, |_| true).await?;
                }
                Followed::Entry(entry) if entry.status.is_final() => {
                    self.look_at(&mut follower, |id| concerns(&entry, id)).await?;
                }
                Followed::Entry(_) | Followed::Chunk { .. } => {}
            }
        }
        Ok(())
    }

    /// Opens the bot, unless it is open, and takes the position from which its timeline tells all.
    async fn begin(&self, mut client: Option<Client>) -> Result<(Client, Position), Failure> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let mut may_pass = false;
            let failure = match client.take() {
                Some(client) => {
                    let query = TimelineQuery { limit: Some(1), ..TimelineQuery::default() };
                    match client.timeline(&query).await {
                        Ok(page) => return Ok((client, Position { epoch: page.epoch, seq: page.last_seq })),
                        // It goes, and may come back.
                        Err(error) if error.is_leaving() => down(&self.bot),
                        Err(error) => {
                            may_pass = error.may_pass();
                            Failure::from(error)
                        }
                    }
                }
                None => match self.fleet.client(&self.bot).await {
                    Ok(found) => {
                        client = Some(found);
                        continue;
                    }
                    Err(failure) => failure,
                },
            };
            may_pass |= failure.exit == Exit::Unreachable;
            if !may_pass || Instant::now() >= give_up {
                return Err(failure);
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Shows how the first open item stands, as far as the bot says.
    async fn show_standing(&self, follower: &Follower) {
        let (Some(client), Some(first)) = (follower.client(), self.open.first()) else { return };
        let id = self.board.borrow().details[*first].task.task_id.clone();
        let (Ok(detail), Ok(status)) = (client.task(&id).await, client.status().await) else { return };
        let board = &mut *self.board.borrow_mut();
        let standing = standing(&detail, status.current.as_ref(), &board.details);
        board.out.progress(&standing);
    }

    /// Asks the bot how the open items stand that `which` names. If it is gone, they are asked about again when it is
    /// back; if it cannot tell, a moment later.
    async fn look_at(
        &mut self,
        follower: &mut Follower,
        which: impl Fn(&ItemId) -> bool,
    ) -> Result<(), Failure> {
        let Some(client) = follower.client().cloned() else { return Ok(()) };
        self.look_again = None;
        let mut still_open = Vec::new();
        for index in std::mem::take(&mut self.open) {
            let id = self.board.borrow().details[index].task.task_id.clone();
            if !which(&id) {
                still_open.push(index);
                continue;
            }
            match client.task(&id).await {
                Ok(detail) => {
                    let board = &mut *self.board.borrow_mut();
                    if detail.task.status.is_final() {
                        ended(&detail, board.out);
                    } else {
                        still_open.push(index);
                    }
                    board.details[index] = detail;
                    board.unseen[index] = false;
                }
                Err(error) if error.is_leaving() => still_open.push(index),
                Err(error) if error.may_pass() => {
                    self.look_again = Some(Instant::now() + STANDING);
                    still_open.push(index);
                }
                Err(ClientError::NotFound { .. }) if self.board.borrow().unseen[index] => {
                    still_open.push(index);
                }
                Err(ClientError::NotFound { .. }) => {
                    return Err(Failure::new(Exit::NotFound, format!("{} has no {id} any more", self.bot)));
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.open = still_open;
        Ok(())
    }
}

/// The failure that the time was over before all was final.
fn gave_up(limit: Duration, details: &[TaskDetail]) -> Failure {
    let mut open = details.iter().filter(|detail| !detail.task.status.is_final());
    let named: Vec<_> =
        open.by_ref().take(3).map(|d| format!("{} is {}", d.task.task_id, d.task.status)).collect();
    let more = match open.count() {
        0 => String::new(),
        count => format!(", and {count} more are not final"),
    };
    let message = format!("gave up waiting after {}: {}{more}", show_duration(limit), named.join(", "));
    Failure::new(Exit::GaveUp, message).hint("the work goes on; 'hivectl wait' waits again")
}

/// Tells that an item ended, where each is told by itself.
fn ended(detail: &TaskDetail, out: &mut Printer) {
    if out.format() == Format::Ndjson {
        out.json_line(detail);
    }
}

/// Whether an entry is that of the item, or the reply to it.
fn concerns(entry: &Entry, id: &ItemId) -> bool {
    entry.entry_id.strip_suffix("-reply").unwrap_or(&entry.entry_id) == id.as_str()
        || entry.entry_id == id.as_str()
}

/// How a wait stands that is for `item` next, in words and figures. `current` is what its bot does.
fn standing(item: &TaskDetail, current: Option<&Current>, all: &[TaskDetail]) -> Standing {
    let task = &item.task;
    let about = match (&task.blocked_reason, task.position) {
        (Some(reason), _) => format!(" ({reason})"),
        (None, Some(place)) => format!(" (place {place})"),
        (None, None) => String::new(),
    };
    let done = all.iter().filter(|detail| detail.task.status.is_final()).count();
    Standing {
        text: format!("{}: {} is {}{about}", item.bot_id, task.task_id, task.status),
        count: (all.len() > 1).then_some(Count { done, total: all.len() }),
        clock: current.filter(|current| current.id == task.task_id).map(|current| Clock {
            elapsed: duration(current.elapsed_seconds),
            limit: duration(current.limit_seconds),
        }),
    }
}

/// Shows a line of progress on a terminal.
#[derive(Debug)]
pub struct ShowProgress;

impl Watcher for ShowProgress {
    fn watch(&mut self, bot: &BotId, followed: &Followed, out: &mut Printer) {
        match followed {
            Followed::Disconnected(reason) => out.progress(&Standing {
                text: format!("{bot} does not answer: {reason}"),
                ..Standing::default()
            }),
            Followed::Connected | Followed::Restarted | Followed::Entry(_) | Followed::Chunk { .. } => {}
        }
    }

    fn shows_standing(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DETAIL: &str = r#"{"bot_id":"BOT-1","task_id":"TASK-2","title":"","priority":"P2","status":"queued",
        "position":3,"from":"","created":"2026-11-22T18:05:27Z","limit_seconds":60,"interruptible":true,
        "depends_on":[],"file":"","attempts":0,"preemptions":0,"source":"file"}"#;

    #[test]
    fn giving_up_names_what_is_open() {
        let detail: TaskDetail = serde_json::from_str(DETAIL).unwrap();
        let one = gave_up(Duration::from_secs(90), std::slice::from_ref(&detail));
        assert_eq!(one.message, "gave up waiting after 1m30s: TASK-2 is queued");
        let many = gave_up(Duration::from_secs(1), &vec![detail; 5]);
        assert!(many.message.ends_with("TASK-2 is queued, and 2 more are not final"), "{many}");
    }

    #[test]
    fn a_wait_stands_by_place_or_by_clock() {
        let mut detail: TaskDetail = serde_json::from_str(DETAIL).unwrap();
        let waits = standing(&detail, None, std::slice::from_ref(&detail));
        assert_eq!(
            (waits.text.as_str(), waits.count, waits.clock),
            ("BOT-1: TASK-2 is queued (place 3)", None, None)
        );
        detail.task.blocked_reason = Some("waits for TASK-1".into());
        let mut done = detail.clone();
        done.task.status = hive_shared::work::Status::Completed;
        let many = standing(&detail, None, &[done, detail.clone()]);
        assert_eq!(many.text, "BOT-1: TASK-2 is queued (waits for TASK-1)");
        assert_eq!(many.count, Some(Count { done: 1, total: 2 }));
        let current: Current = serde_json::from_str(
            r#"{"id":"TASK-2","title":"","source":"file","started_at":"2026-11-22T18:05:27Z",
                "elapsed_seconds":1.5,"limit_seconds":60}"#,
        )
        .unwrap();
        let runs = standing(&detail, Some(&current), &[]);
        assert_eq!(runs.clock.map(|clock| clock.elapsed), Some(Duration::from_millis(1500)));
        detail.task.task_id = ItemId::parse("TASK-3").unwrap();
        assert_eq!(standing(&detail, Some(&current), &[]).clock, None);
    }
}
