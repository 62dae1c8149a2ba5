//! What happened until now, from the bot or from its files.

use hive_shared::api::{Entry, MAX_PAGE, TimelineQuery};
use hive_shared::client::{Client, Follower, Position};
use hive_shared::ids::BotId;

use super::Args;
use crate::error::Failure;
use crate::files::{Listing, left_out};
use crate::fleet::{Fleet, Reach, down};

/// The past of one bot.
pub(super) struct Past {
    /// Its newest entries, oldest first.
    pub(super) entries: Vec<Entry>,
    /// What follows on from there, if it is to be followed.
    pub(super) follower: Option<Follower>,
    /// What is to be said about it.
    pub(super) notices: Vec<String>,
}

/// The newest `count` entries of a bot, with their steps if they are wanted.
pub(super) async fn look(
    bot: &BotId,
    args: &Args,
    count: usize,
    steps: bool,
    fleet: &Fleet,
) -> Result<Past, Failure> {
    match fleet.reach(bot).await? {
        Reach::Up(client) => {
            let (entries, position) = newest(&client, args, count, steps).await?;
            let follower = args.follow.then(|| Follower::new(*client, Some(position)));
            Ok(Past { entries, follower, notices: Vec::new() })
        }
        Reach::Down(_) if args.follow && !args.bots.is_empty() => Err(down(bot)),
        Reach::Down(_) if args.follow => Ok(Past {
            entries: Vec::new(),
            follower: Some(Follower::when_up(fleet.locator().clone(), bot.clone(), None)),
            notices: vec![format!("{bot} is down: it is followed when it starts")],
        }),
        Reach::Down(files) => {
            let Listing { found: mut entries, unread } = files.entries()?;
            entries.retain(|entry| args.wants(entry));
            let mut notices = vec![files.announcement()];
            notices.extend(left_out(unread));
            Ok(Past { entries, follower: None, notices })
        }
    }
}

/// The newest entries and the position of the first page: what has changed since is told to who follows from there.
async fn newest(
    client: &Client,
    args: &Args,
    count: usize,
    steps: bool,
) -> Result<(Vec<Entry>, Position), Failure> {
    let (mut entries, mut first) = (Vec::new(), None);
    for query in args.queries(count.clamp(1, MAX_PAGE), steps) {
        let (pages, position) = pages(client, query, count).await?;
        entries.extend(pages);
        first.get_or_insert(position);
    }
    // Between two queries an entry may come to be such as the later one wants.
    entries.sort_by(|a: &Entry, b| a.entry_id.cmp(&b.entry_id).then(b.seq.cmp(&a.seq)));
    entries.dedup_by(|later, kept| later.entry_id == kept.entry_id);
    entries.sort_by_key(|entry| entry.timestamp);
    entries.drain(..entries.len().saturating_sub(count));
    let position = first.expect("there is a query at least");
    Ok((entries, position))
}

/// Pages back until there are `count` entries or no more.
async fn pages(
    client: &Client,
    mut query: TimelineQuery,
    count: usize,
) -> Result<(Vec<Entry>, Position), Failure> {
    let mut page = client.timeline(&query).await?;
    let position = Position { epoch: page.epoch, seq: page.last_seq };
    let mut pages = Vec::new();
    let mut have = 0;
    loop {
        have += page.entries.len();
        pages.push(page.entries);
        if have >= count || !page.has_more || page.before.is_none() {
            break;
        }
        query.before = page.before;
        query.limit = Some((count - have).min(MAX_PAGE));
        page = client.timeline(&query).await?;
    }
    Ok((pages.into_iter().rev().flatten().collect(), position))
}
