//! `hivectl tasks`.

use std::collections::{BTreeSet, HashMap};

use futures::future::join_all;
use hive_shared::api::{Entry, MAX_PAGE, TaskView, TimelineQuery};
use hive_shared::client::{Client, TaskQuery};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::task::UNKNOWN_SENDER;
use hive_shared::time::{Stamp, show_duration};
use hive_shared::work::{Kind, Source, Status};

use super::view::Owned;
use crate::error::{Exit, Failure};
use crate::files::{Listing, left_out};
use crate::fleet::{Fleet, NO_BOTS, Reach};
use crate::output::table::{Cell, Paint, Table};
use crate::output::text::{seconds, status_cell};
use crate::output::{Format, Printer};

const EXAMPLES: &str = "\
Examples:
  hivectl tasks BOT-002
  hivectl tasks --all                                  # of all bots, finished ones too
  hivectl tasks --status failed,timed_out
  hivectl tasks BOT-002 -o json | jq -r '.[].task_id'";

/// List what waits in the order in which it will run
///
/// What runs and what gave way to a prompt come first, then what waits, each with its place; blocked tasks say why.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The bots; all of the hive if none is named
    #[arg(value_name = "BOT")]
    pub bots: Vec<BotId>,
    /// Finished ones too, the latest first
    #[arg(short, long)]
    pub all: bool,
    /// Of these statuses, finished ones too: queued, blocked, running, suspended, completed, failed, cancelled,
    /// timed_out or incomplete
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub status: Vec<Status>,
}

impl Args {
    /// Whether finished tasks are asked for.
    fn wants_finished(&self) -> bool {
        self.all || self.status.iter().any(|status| status.is_final())
    }

    fn wants(&self, task: &TaskView) -> bool {
        self.status.is_empty() || self.status.contains(&task.status)
    }
}

/// The tasks of one bot.
struct Queue {
    bot: BotId,
    tasks: Vec<TaskView>,
    /// How long those took that have ended, in seconds.
    took: HashMap<ItemId, f64>,
    notices: Vec<String>,
}

/// Lists tasks.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let bots = fleet.bots(&args.bots, out).await?;
    // Other formats have what the API has.
    let with_times = args.wants_finished() && out.format() == Format::Table;
    let looks = join_all(bots.iter().map(|bot| look(bot, args.wants_finished(), with_times, fleet))).await;
    let (mut queues, mut exits, mut said) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (bot, look) in bots.iter().zip(looks) {
        match look {
            Ok(queue) => {
                // A response that cannot be read may be that of any bot.
                for notice in &queue.notices {
                    if said.insert(notice.clone()) {
                        out.notice(notice);
                    }
                }
                queues.push(queue);
            }
            Err(failure) if bots.len() == 1 => return Err(failure),
            Err(failure) => {
                exits.push(out.failure(&failure.of(bot)));
            }
        }
    }
    let owned: Vec<_> = queues
        .iter()
        .flat_map(|queue| queue.tasks.iter().map(|task| Owned { bot_id: &queue.bot, task }))
        .filter(|owned| args.wants(owned.task))
        .collect();
    let took: HashMap<_, _> = queues
        .iter()
        .flat_map(|queue| queue.took.iter().map(|(id, took)| ((&queue.bot, id), *took)))
        .collect();
    let of_many = bots.len() > 1;
    let all_answered = exits.is_empty();
    let nothing = || {
        if all_answered { nothing(&args, &bots) } else { "those that answered have no such task".to_owned() }
    };
    let rendered = out.listing(&owned, |tasks| table(tasks, of_many, &took, Stamp::now()), nothing);
    if rendered.cut {
        out.hint("what is long is cut: 'hivectl show ID' shows all of one");
    }
    Ok(Exit::of_many(exits))
}

fn nothing(args: &Args, bots: &[BotId]) -> String {
    match (bots, args.all) {
        _ if !args.status.is_empty() => "no task has such a status".to_owned(),
        ([], _) => NO_BOTS.to_owned(),
        ([bot], false) => format!("nothing waits for {bot}; --all lists finished tasks too"),
        ([bot], true) => format!("{bot} has no tasks: 'hivectl submit {bot} TEXT' submits one"),
        (_, false) => "nothing waits; --all lists finished tasks too".to_owned(),
        (_, true) => "there are no tasks: 'hivectl submit BOT TEXT' submits one".to_owned(),
    }
}

async fn look(bot: &BotId, all: bool, with_times: bool, fleet: &Fleet) -> Result<Queue, Failure> {
    let bot = bot.clone();
    let (tasks, entries, notices) = match fleet.reach(&bot).await? {
        Reach::Up(client) => {
            let tasks = all_pages(&client, all).await?;
            let finished = tasks.iter().filter(|task| task.status.is_final()).count();
            let entries = if with_times { ends(&client, finished).await? } else { Vec::new() };
            (tasks, entries, Vec::new())
        }
        Reach::Down(files) => {
            let entries = if with_times { files.entries()? } else { Listing::default() };
            let tasks = files.tasks(all)?;
            let mut notices = vec![files.announcement()];
            notices.extend(left_out(tasks.unread.into_iter().chain(entries.unread).collect()));
            (tasks.found, entries.found, notices)
        }
    };
    let took = entries.into_iter().filter_map(|entry| entry.task_id.zip(entry.duration_seconds));
    Ok(Queue { bot, tasks, took: took.collect(), notices })
}

async fn all_pages(client: &Client, all: bool) -> Result<Vec<TaskView>, Failure> {
    let mut tasks = Vec::new();
    let mut query = TaskQuery { all, limit: Some(MAX_PAGE), after: None };
    loop {
        let page = client.tasks(&query).await?;
        query.after = page.tasks.last().map(|task| task.task_id.clone());
        let is_last = page.tasks.len() < MAX_PAGE;
        tasks.extend(page.tasks);
        if is_last {
            return Ok(tasks);
        }
    }
}

/// The entries of the tasks that ended, of which there are so many: the queue does not say how long they took.
async fn ends(client: &Client, finished: usize) -> Result<Vec<Entry>, Failure> {
    let mut query = TimelineQuery {
        source: Some(Source::File),
        kind: Some(Kind::Task),
        limit: Some(MAX_PAGE),
        ..TimelineQuery::default()
    };
    let mut entries = Vec::new();
    while entries.len() < finished {
        let page = client.timeline(&query).await?;
        entries.extend(page.entries.into_iter().filter(|entry| entry.status.is_final()));
        query.before = page.before;
        if !page.has_more || query.before.is_none() {
            break;
        }
    }
    Ok(entries)
}

const COLUMNS: [&str; 10] = ["#", "BOT", "ID", "PRIO", "STATUS", "TOOK", "FROM", "AGE", "LIMIT", "TITLE"];

fn table(tasks: &[Owned<'_>], of_many: bool, took: &HashMap<(&BotId, &ItemId), f64>, now: Stamp) -> Table {
    let mut table = Table::new(&COLUMNS)
        .at_most("FROM", 20)
        .gives_way("FROM", 8)
        .last_at_least(20)
        .dispensable(&["LIMIT", "FROM", "AGE", "TOOK", "PRIO"])
        .optional(&["#", "BOT", "TOOK", "FROM"]);
    for Owned { bot_id, task } in tasks {
        let title = match &task.blocked_reason {
            Some(reason) if task.status == Status::Blocked => format!("{} ({reason})", task.title),
            Some(_) | None => task.title.clone(),
        };
        table.row(vec![
            task.position.map(|p| p.to_string()).unwrap_or_default().into(),
            if of_many { bot_id.as_str().into() } else { "".into() },
            task.task_id.as_str().into(),
            task.priority.as_str().into(),
            status_cell(task.status),
            took.get(&(*bot_id, &task.task_id)).map(|took| seconds(*took)).unwrap_or_default().into(),
            if task.from == UNKNOWN_SENDER { "".into() } else { task.from.as_str().into() },
            Cell::painted(show_duration(now.since(task.created)), Paint::Dim),
            seconds(task.limit_seconds).into(),
            title.into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_a_table_that_says_why_a_task_is_blocked() {
        let [created, now] =
            ["2026-11-22T18:05:27Z", "2026-11-22T18:06:42Z"].map(|time| time.parse::<Stamp>().unwrap());
        let task = |id: &str, status: &str| -> TaskView {
            serde_json::from_value(serde_json::json!({"task_id": id, "title": "Mend it", "priority": "P1",
                "status": status, "position": (status == "queued").then_some(1), "from": "dana", "to": null,
                "created": created, "limit_seconds": 600.0, "interruptible": true, "depends_on": [],
                "blocked_reason": "waits for TASK-9", "file": "", "attempts": 0, "preemptions": 0}))
            .unwrap()
        };
        let bot = BotId::parse("BOT-1").unwrap();
        let tasks = [task("A-1", "queued"), task("A-2", "blocked"), task("A-3", "failed")];
        let owned: Vec<_> = tasks.iter().map(|task| Owned { bot_id: &bot, task }).collect();
        let took = HashMap::from([((&bot, &tasks[2].task_id), 90.0)]);
        let shown = |of_many, edge| table(&owned, of_many, &took, now).render(edge, false);
        let text = shown(false, None).text;
        let lines: Vec<_> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "# ID PRIO STATUS TOOK FROM AGE LIMIT TITLE",
                "1 A-1 P1 queued dana 1m15s 10m00s Mend it",
                "A-2 P1 blocked dana 1m15s 10m00s Mend it (waits for TASK-9)",
                "A-3 P1 failed 1m30s dana 1m15s 10m00s Mend it"
            ]
        );
        assert!(shown(true, None).text.contains("BOT-1"));
        assert_eq!(shown(false, Some(60)).left_out, ["LIMIT", "FROM"]);
    }
}
