//! The admin API, route by route (SPEC 9).

use std::path::PathBuf;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hive_shared::api::{
    Approval, ApprovalAnswer, ApprovalList, BotStatus, Entry, HealthReply, PROTOCOL, PauseRequest,
    PriorityRequest, StopRequest, SubmitRequest, TaskDetail, TaskList, TimelinePage, TimelineQuery, code,
};
use hive_shared::ids::ItemId;
use hive_shared::work::{Kind, Status};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::items::Found;
use super::path::Path;
use super::problem::Problem;
use super::{Service, Shared, views};
use crate::request::{Request, Submitted};
use crate::untrusted;

/// The tasks on a page that does not say how many it wants.
const USUAL_PAGE: usize = 100;

type Body = Result<Bytes, BytesRejection>;

pub(super) async fn health(State(shared): State<Shared>) -> Json<HealthReply> {
    Json(HealthReply {
        status: "ok".to_owned(),
        bot_id: shared.bot.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: PROTOCOL,
    })
}

pub(super) async fn status(
    State(shared): State<Shared>,
    Path(bot): Path<String>,
) -> Result<Json<BotStatus>, Problem> {
    shared.is_bot(&bot)?;
    Ok(Json(shared.status_now()?))
}

pub(super) async fn pause(
    State(shared): State<Shared>,
    Path(bot): Path<String>,
    body: Body,
) -> Result<Json<BotStatus>, Problem> {
    shared.is_bot(&bot)?;
    let request: PauseRequest = read_optional(body)?;
    shared.ask(|answer| Request::Pause(request, answer)).await?;
    Ok(Json(shared.status_now()?))
}

pub(super) async fn resume(
    State(shared): State<Shared>,
    Path(bot): Path<String>,
) -> Result<Json<BotStatus>, Problem> {
    shared.is_bot(&bot)?;
    shared.ask(Request::Resume).await?;
    Ok(Json(shared.status_now()?))
}

pub(super) async fn interrupt(
    State(shared): State<Shared>,
    Path(bot): Path<String>,
) -> Result<Json<BotStatus>, Problem> {
    shared.is_bot(&bot)?;
    shared.ask(Request::Interrupt).await?;
    Ok(Json(shared.status_now()?))
}

pub(super) async fn stop(
    State(shared): State<Shared>,
    Path(bot): Path<String>,
    body: Body,
) -> Result<Json<BotStatus>, Problem> {
    shared.is_bot(&bot)?;
    let StopRequest { drain } = read_optional(body)?;
    if shared.hub.disk().ledger().is_some() {
        // Nothing can end well now, so that there is nothing to be finished first.
        shared.signals.stop("a request, while the disk takes nothing");
        return Ok(Json(shared.status_now()?));
    }
    shared.ask(|answer| Request::Stop { drain, answer }).await?;
    Ok(Json(shared.status_now()?))
}

/// The query of GET `…/tasks`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TasksQuery {
    /// Finished ones too.
    #[serde(default)]
    all: bool,
    limit: Option<usize>,
    /// The task after which to begin.
    after: Option<ItemId>,
}

pub(super) async fn tasks(
    State(shared): State<Shared>,
    Path(bot): Path<String>,
    query: Result<Query<TasksQuery>, QueryRejection>,
) -> Result<Json<TaskList>, Problem> {
    shared.is_bot(&bot)?;
    let Query(TasksQuery { all, limit, after }) = query.map_err(|e| Problem::bad_request(e.body_text()))?;
    let limit = limit.unwrap_or(USUAL_PAGE).clamp(1, hive_shared::api::MAX_PAGE);
    let after_item = match &after {
        Some(id) => Some(shared.item(id).await?),
        None => None,
    };
    let (after_finished, after_live) = match after_item {
        Some(item) if item.ended_at.is_some() => (Some(item), None),
        after_live => (None, after_live),
    };
    // Where all that wait were told already, none is; a task that has ended since was ahead of them.
    let live_limit = if after_finished.is_some() && all { 0 } else { limit };
    let listing = shared.live_tasks(after_live, live_limit).await?;
    let room = limit - listing.places.len();
    let read = shared.read(move |reader| {
        let mut tasks = Vec::with_capacity(listing.places.len());
        for place in &listing.places {
            if let Some(item) = reader.item(&place.id)? {
                tasks.push(views::view(&item, Some(place)));
            }
        }
        let (mut total, mut finished) = (listing.total, Vec::new());
        if all {
            let (items, finished_total) = reader.finished_tasks(after_finished.as_ref(), room)?;
            total += finished_total;
            for item in items {
                finished.push(Found::new(reader, item)?);
            }
        }
        Ok((tasks, finished, total))
    });
    let (mut tasks, finished, total) = read.await?;
    let finished = shared.as_shown(finished).await;
    tasks.extend(finished.iter().map(|item| views::view(item, None)));
    Ok(Json(TaskList { bot_id: shared.bot.clone(), tasks, total }))
}

pub(super) async fn submit(
    State(shared): State<Shared>,
    Path(bot): Path<String>,
    body: Body,
) -> Result<Response, Problem> {
    shared.is_bot(&bot)?;
    let request: SubmitRequest = read(body)?;
    let submitted = shared.ask(|answer| Request::Submit(request, answer)).await?;
    shared.submitted(submitted).await
}

pub(super) async fn retry(
    State(shared): State<Shared>,
    Path((bot, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    shared.is_bot(&bot)?;
    let id = item_id(&id)?;
    let submitted = shared.ask(|answer| Request::Retry(id, answer)).await?;
    shared.submitted(submitted).await
}

pub(super) async fn task(
    State(shared): State<Shared>,
    Path((bot, id)): Path<(String, String)>,
) -> Result<Json<TaskDetail>, Problem> {
    shared.is_bot(&bot)?;
    Ok(Json(shared.detail(&item_id(&id)?).await?))
}

pub(super) async fn cancel(
    State(shared): State<Shared>,
    Path((bot, id)): Path<(String, String)>,
) -> Result<Json<TaskDetail>, Problem> {
    shared.is_bot(&bot)?;
    let id = item_id(&id)?;
    let asked = id.clone();
    shared.ask(|answer| Request::Cancel(asked, answer)).await?;
    Ok(Json(shared.detail_of_accepted(&id).await?))
}

pub(super) async fn prioritize(
    State(shared): State<Shared>,
    Path((bot, id)): Path<(String, String)>,
    body: Body,
) -> Result<Json<TaskDetail>, Problem> {
    shared.is_bot(&bot)?;
    let id = item_id(&id)?;
    let PriorityRequest { priority } = read(body)?;
    let asked = id.clone();
    shared.ask(|answer| Request::Prioritize(asked, priority, answer)).await?;
    Ok(Json(shared.detail_of_accepted(&id).await?))
}

pub(super) async fn response(
    State(shared): State<Shared>,
    Path((bot, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    shared.is_bot(&bot)?;
    let id = item_id(&id)?;
    let item = shared.item(&id).await?;
    let Some(name) = item.response_file else {
        return Err(Problem::not_found(format!("'{id}' is {}: it has no response yet", item.status)));
    };
    let path: PathBuf = shared.hive.responses().join(&name);
    let arrival = item.arrival;
    let document = shared
        .read(move |reader| match reader.body(arrival)? {
            Some(document) => Ok(Some(document)),
            None => Ok(untrusted::read_text(&path).ok()),
        })
        .await?;
    match document {
        Some(document) => {
            Ok(([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], document).into_response())
        }
        None => {
            Err(Problem::not_found(format!("the response document {name} is not in responses/ any more")))
        }
    }
}

/// What an item changed, as [`hive_shared::diff`] has it.
pub(super) async fn diff(
    State(shared): State<Shared>,
    Path((bot, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    shared.is_bot(&bot)?;
    let id = item_id(&id)?;
    let item = shared.item(&id).await?;
    if !item.status.is_final() {
        let message = format!("'{id}' is {}: its diff is there when it has ended", item.status);
        return Err(Problem::not_found(message));
    }
    let none = |why: &str| Problem::not_found(format!("no diff of '{id}' is kept: {why}"));
    if let Some(why) = &item.detail.no_diff {
        return Err(none(why));
    }
    let path = shared.hive.diff(&shared.bot, &id);
    let read = move || untrusted::read(&path, hive_shared::diff::MAX_DOCUMENT).ok();
    // It is cut short only when the runtime shuts down.
    let document = tokio::task::spawn_blocking(read).await.ok().flatten();
    match document.filter(|document| hive_shared::diff::read(document, &shared.bot, &id).is_ok()) {
        Some(document) => Ok(([(header::CONTENT_TYPE, "text/x-diff")], document).into_response()),
        None if item.attempts == 0 => Err(none("it never ran")),
        None => Err(none("only those of the last items are")),
    }
}

pub(super) async fn timeline(
    State(shared): State<Shared>,
    Path(bot): Path<String>,
    query: Result<Query<TimelineQuery>, QueryRejection>,
) -> Result<Json<TimelinePage>, Problem> {
    shared.is_bot(&bot)?;
    let Query(query) = query.map_err(|e| Problem::bad_request(e.body_text()))?;
    let (by_seq, with_steps) = (query.after_seq, query.steps);
    let snapshot = shared.page(query).await?;
    let mut page = snapshot.page;
    for entry in page.entries.iter_mut().filter(|entry| entry.status == Status::Running) {
        shared.show_what_was_said(entry, with_steps);
    }
    let last_on_page = page.entries.last().map(|entry| entry.seq);
    let last_seq = match (by_seq, last_on_page) {
        (Some(_), Some(last)) if page.has_more => last,
        _ => snapshot.last_seq,
    };
    Ok(Json(TimelinePage {
        bot_id: shared.bot.clone(),
        epoch: shared.epoch.clone(),
        entries: page.entries,
        last_seq,
        total_entries: snapshot.total_entries,
        has_more: page.has_more,
        before: page.before,
    }))
}

pub(super) async fn approvals(
    State(shared): State<Shared>,
    Path(bot): Path<String>,
) -> Result<Json<ApprovalList>, Problem> {
    shared.is_bot(&bot)?;
    Ok(Json(ApprovalList { approvals: shared.approvals() }))
}

pub(super) async fn approve(
    State(shared): State<Shared>,
    Path((bot, id)): Path<(String, String)>,
    body: Body,
) -> Result<Json<Approval>, Problem> {
    shared.is_bot(&bot)?;
    let id = item_id(&id)?;
    let ApprovalAnswer { option } = read(body)?;
    Ok(Json(shared.ask(|answer| Request::Approve { id, option, answer }).await?))
}

pub(super) async fn no_such_path() -> Problem {
    Problem::not_found("there is no such path; the README lists those there are")
}

pub(super) async fn no_such_method() -> Response {
    let problem = Problem::bad_request("this path does not take this method").into_response();
    (StatusCode::METHOD_NOT_ALLOWED, problem).into_response()
}

impl Service {
    /// Whether a path means this bot.
    pub(super) fn is_bot(&self, bot: &str) -> Result<(), Problem> {
        if bot == self.bot.as_str() {
            return Ok(());
        }
        Err(Problem::not_found(format!("this is {}, and no other bot is here", self.bot)))
    }

    /// Gives a running entry the content and the steps that it has by now.
    pub(super) fn show_what_was_said(&self, entry: &mut Entry, with_steps: bool) {
        let item = match entry.kind {
            Kind::Task => Some(entry.entry_id.as_str()),
            Kind::Reply => entry.entry_id.strip_suffix("-reply"),
            Kind::Prompt | Kind::Control => None,
        };
        if let Some(turn) = item.and_then(|id| ItemId::parse(id).ok()).and_then(|id| self.hub.turn(&id)) {
            let told = turn.told();
            (entry.content, entry.content_truncated) = (told.content, told.content_truncated);
            if with_steps {
                (entry.steps, entry.steps_truncated) = (told.steps.list, told.steps.truncated);
            }
        }
    }

    /// Answers a submission once its file is on the disk for good.
    async fn submitted(self: &Shared, submitted: Submitted) -> Result<Response, Problem> {
        let Submitted { id, is_new, file } = submitted;
        if let Some(file) = file {
            let directory = self.hive.tasks(&self.bot);
            let synced = tokio::task::spawn_blocking(move || {
                // The task may have ended and its file have gone to the archive: then its end is what is durable.
                if let Ok(file) = std::fs::File::open(directory.join(file)) {
                    file.sync_all()?;
                }
                std::fs::File::open(&directory)?.sync_all()
            });
            match synced.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let message =
                        format!("the task '{id}' is queued, but the disk does not confirm it: {error}");
                    return Err(Problem::new(code::UNAVAILABLE, message));
                }
                Err(_) => {
                    let message =
                        format!("the task '{id}' is queued, but the bot has gone before it was synced");
                    return Err(Problem::new(code::UNAVAILABLE, message));
                }
            }
        }
        let detail = self.detail_of_accepted(&id).await?;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, Json(detail)).into_response())
    }
}

fn item_id(text: &str) -> Result<ItemId, Problem> {
    ItemId::parse(text).map_err(|error| Problem::bad_request(format!("that is no id: {error}")))
}

fn read<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    let bytes = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(code::TOO_LARGE, "the body is too large"),
        _ => Problem::bad_request(rejection.body_text()),
    })?;
    let unreadable =
        |error: serde_json::Error| Problem::bad_request(format!("the body cannot be read: {error}"));
    // A type of ours would read an array too, by position.
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&bytes).map_err(unreadable)?;
    serde_json::from_value(object.into()).map_err(unreadable)
}

fn read_optional<T: DeserializeOwned + Default>(body: Body) -> Result<T, Problem> {
    match &body {
        Ok(bytes) if bytes.trim_ascii().is_empty() => Ok(T::default()),
        Ok(_) | Err(_) => read(body),
    }
}

#[cfg(test)]
mod tests;
