//! What the bot is asked for beside the conversation.

use hive_shared::api::BotStatus;
use hive_shared::client::{Client, ClientError, TaskQuery};
use hive_shared::ids::ItemId;
use hive_shared::work::Source;
use tokio::sync::mpsc::UnboundedSender;

use super::person::News;
use super::requests::Request;
use super::standing;
use crate::commands::approvals;
use crate::error::{Exit, Failure};
use crate::output::escape::{Place, escape};
use crate::output::ink::Ink;

/// How many tasks a short list has.
const TASKS: usize = 10;

/// How the bot is.
pub(super) fn standing(status: Result<BotStatus, ClientError>, ink: Ink) -> Result<Vec<String>, Failure> {
    Ok(standing::lines(&status?, ink))
}

/// What waits, and how the bot is if nothing does.
pub(super) async fn tasks(client: Client, ink: Ink) -> Result<Vec<String>, Failure> {
    let list = client.tasks(&TaskQuery { all: false, limit: Some(TASKS), after: None }).await?;
    Ok(standing::queue(&list.tasks, list.total, ink))
}

/// Ends one item.
pub(super) async fn cancel(client: Client, id: ItemId) -> Result<Vec<String>, Failure> {
    client.cancel(&id).await?;
    Ok(vec![format!("{id} is cancelled")])
}

/// Answers a request that is not of this chat.
pub(super) async fn answer(
    client: Client,
    allow: bool,
    id: Option<ItemId>,
    option: Option<String>,
) -> Result<Vec<String>, Failure> {
    let list = match client.approvals().await {
        Ok(list) => list.approvals,
        // A bot that knows no approvals has none.
        Err(ClientError::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let found = list.into_iter().find(|approval| id.as_ref().is_none_or(|id| *id == approval.approval_id));
    let Some(approval) = found else {
        let word = option.as_deref().unwrap_or(if allow { "allow" } else { "reject" });
        let why = match &id {
            Some(id) => approvals::why_not(&client, id, word).await,
            None => None,
        };
        return Err(why.unwrap_or_else(|| Failure::new(Exit::NotFound, "nothing waits for permission")));
    };
    let request = Request {
        id: approval.approval_id,
        turn: None,
        title: approval.title,
        options: approval.options,
        deadline: approval.deadline,
    };
    let refused = |why: String| Failure::new(Exit::Usage, why);
    let answered = request.answer(allow, option.as_deref()).map_err(refused)?;
    client.answer_approval(&answered.id, &answered.option.id).await?;
    Ok(vec![escape(&format!("{}: {}", answered.option.name, answered.title), Place::Line)])
}

/// How many are before each of these prompts.
pub(super) async fn ask_place(client: Client, waiting: Vec<ItemId>, news: UnboundedSender<News>) {
    if let Ok(status) = client.status().await {
        let runs = status.current.filter(|current| current.source == Source::Chat).map(|current| current.id);
        for id in waiting {
            let Ok(detail) = client.task(&id).await else { continue };
            if let Some(place) = detail.task.position {
                let ahead =
                    place.saturating_sub(1) + usize::from(runs.as_ref().is_some_and(|runs| *runs != id));
                // Whoever left wants no answer.
                let _ = news.send(News::Ahead(id, ahead));
            }
        }
    }
    let _ = news.send(News::Asked);
}
