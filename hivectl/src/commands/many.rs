//! Commands that are given to several bots: pause, resume, interrupt, stop.

use std::future::Future;

use futures::future::join_all;
use hive_shared::api::BotStatus;
use hive_shared::client::Client;
use hive_shared::ids::BotId;

use super::status::Row;
use crate::error::{Exit, Failure};
use crate::files::Files;
use crate::fleet::{Fleet, Reach, down};
use crate::output::Printer;

/// The bots that a command is for.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// The bots
    #[arg(value_name = "BOT", required_unless_present = "all")]
    pub bots: Vec<BotId>,
    /// All bots of the hive
    #[arg(long, conflicts_with = "bots")]
    pub all: bool,
}

/// What a command does to one bot.
pub(super) trait Act {
    /// To one that is up.
    fn up(&self, client: &Client) -> impl Future<Output = Result<BotStatus, Failure>>;

    /// To one that is down; `None` if it takes a bot that is up.
    fn down(&self, files: &Files) -> Option<Result<(), Failure>>;

    /// How it is told: the bot comes before it.
    fn done(&self, row: &Row) -> String;

    /// Whether a failure means that there is nothing to do for this bot, which is fine where all bots are meant.
    fn is_needless(&self, failure: &Failure) -> bool;
}

/// Does it to each bot at once, tells what came of it, and goes on where one fails.
pub(super) async fn run(
    which: &Which,
    act: &impl Act,
    fleet: &Fleet,
    out: &mut Printer,
) -> Result<Exit, Failure> {
    let bots = fleet.bots(&which.bots, out).await?;
    let results = join_all(bots.iter().map(|bot| one(bot, act, fleet))).await;
    let mut rows = Vec::new();
    let mut exits = vec![Exit::Done];
    for (bot, result) in bots.iter().zip(results) {
        match result {
            Ok(row) => {
                if matches!(row, Row::Down(_)) {
                    out.notice(&format!("{bot} is down: this counts when it starts"));
                }
                rows.push(row);
            }
            Err(failure) if which.all && act.is_needless(&failure) => out.detail(&failure.message),
            Err(failure) if bots.len() == 1 => return Err(failure),
            Err(failure) => {
                exits.push(out.failure(&failure.of(bot)));
            }
        }
    }
    let words = |row: &Row| format!("{} {}\n", row.bot(), act.done(row));
    match rows.as_slice() {
        [row] if !which.all && bots.len() == 1 => out.one(row, words),
        rows if out.format() == crate::output::Format::Table => {
            out.result(&rows.iter().map(words).collect::<String>());
        }
        rows => out.many(rows, super::status::table),
    }
    Ok(Exit::of_many(exits))
}

async fn one(bot: &BotId, act: &impl Act, fleet: &Fleet) -> Result<Row, Failure> {
    match fleet.reach(bot).await? {
        Reach::Up(client) => Ok(Row::Up(Box::new(act.up(&client).await?))),
        Reach::Down(files) => match act.down(&files) {
            Some(done) => done.map(|()| Row::down(&files)),
            None => Err(down(bot)),
        },
    }
}
