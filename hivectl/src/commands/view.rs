//! Tasks as several commands show them.

use hive_shared::api::{TaskDetail, TaskView};
use hive_shared::ids::BotId;
use serde::Serialize;

use crate::output::escape::{Place, escape};
use crate::output::table::Table;
use crate::output::text::{seconds, status_cell};

/// A task with the bot that has it.
#[derive(Debug, Serialize)]
pub(super) struct Owned<'a> {
    /// The bot.
    pub bot_id: &'a BotId,
    /// The task.
    #[serde(flatten)]
    pub task: &'a TaskView,
}

/// A task in a line: `TASK-1 of BOT-002 is queued (place 3): Mend the login`.
pub(super) fn in_a_line(bot: &BotId, task: &TaskView) -> String {
    let place = task.position.map(|p| format!(" (place {p})")).unwrap_or_default();
    let title = escape(&task.title, Place::Line);
    format!("{} of {bot} is {}{place}: {title}\n", task.task_id, task.status)
}

/// Items that were waited for.
pub(crate) fn ended(details: &[TaskDetail]) -> Table {
    let mut table = Table::new(&["ID", "BOT", "STATUS", "TIME", "TITLE"]);
    for detail in details {
        let time = detail.duration_seconds.map(seconds).unwrap_or_default();
        let text = match &detail.error {
            Some(error) => format!("{} ({error})", detail.task.title),
            None => detail.task.title.clone(),
        };
        table.row(vec![
            detail.task.task_id.as_str().into(),
            detail.bot_id.as_str().into(),
            status_cell(detail.task.status),
            time.into(),
            text.into(),
        ]);
    }
    table
}
