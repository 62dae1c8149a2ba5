//! `hivectl tasks`.

use hive_shared::api::{MAX_PAGE, TaskView};
use hive_shared::client::{Client, TaskQuery};
use hive_shared::ids::BotId;

use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, Reach};
use crate::output::Printer;
use crate::output::table::Table;
use crate::output::text::{seconds, status_cell};

const EXAMPLES: &str = r#"Examples:
  hivectl tasks BOT-002
  hivectl tasks BOT-002 --all -o json | jq -r '.[] | select(.status == "failed") | .task_id'"#;

/// List a bot's queue in the order in which it will run
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The bot
    #[arg(value_name = "BOT")]
    pub bot: BotId,
    /// Finished ones too
    #[arg(long)]
    pub all: bool,
}

/// Lists tasks.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let tasks = match fleet.reach(&args.bot).await? {
        Reach::Up(client) => all_pages(&client, args.all).await?,
        Reach::Down(files) => {
            files.announce(out);
            files.tasks(args.all)?
        }
    };
    out.many(&tasks, table);
    Ok(Exit::Done)
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

fn table(tasks: &[TaskView]) -> Table {
    let mut table = Table::new(&["#", "ID", "PRIO", "STATUS", "FROM", "LIMIT", "TITLE"]);
    for task in tasks {
        let title = match &task.blocked_reason {
            Some(reason) => format!("{} ({reason})", task.title),
            None => task.title.clone(),
        };
        table.row(vec![
            task.position.map(|p| p.to_string()).unwrap_or_default().into(),
            task.task_id.as_str().into(),
            task.priority.as_str().into(),
            status_cell(task.status),
            task.from.as_str().into(),
            seconds(task.limit_seconds).into(),
            title.into(),
        ]);
    }
    table
}
