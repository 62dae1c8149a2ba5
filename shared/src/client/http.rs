//! The HTTP API of a bot, one typed call for each route of SPEC 9.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ClientError, Endpoint, FindError, Locator, tls};
use crate::api::{
    ApprovalAnswer, ApprovalList, BotStatus, HealthReply, PROTOCOL, PauseRequest, PriorityRequest,
    StopRequest, SubmitRequest, TaskDetail, TaskList, TaskView, TimelinePage, TimelineQuery,
};
use crate::diff::{self, Diff};
use crate::ids::{BotId, ItemId};
use crate::work::Priority;

/// A bot that answers on this machine does so at once; one that does not accept is as good as down.
const CONNECT_LOCAL: Duration = Duration::from_secs(1);
const CONNECT_REMOTE: Duration = Duration::from_secs(5);
const WHOLE_CALL: Duration = Duration::from_mins(1);
/// What a bot says of its health is short. Who says more at its address is no bot, and is not heard out.
const LONGEST_HEALTH: usize = 64 * 1024;

/// One bot that was up when this was opened. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    locator: Locator,
    endpoint: Endpoint,
    bot: BotId,
}

/// What GET `…/tasks` is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TaskQuery {
    /// Finished ones too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// At most so many, up to [`crate::api::MAX_PAGE`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Those that come after this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<ItemId>,
}

/// What a submission came to.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Submitted {
    /// It is a task now (201).
    New(TaskView),
    /// It had been submitted before, by the same id and with the same content (200).
    Known(TaskView),
}

impl Submitted {
    /// The task, new or not.
    pub fn into_task(self) -> TaskView {
        match self {
            Self::New(task) | Self::Known(task) => task,
        }
    }
}

impl Client {
    /// Opens `bot`, which is up if its record exists and `/health` there answers with its id.
    pub async fn open(locator: &Locator, bot: &BotId) -> Result<Self, ClientError> {
        let endpoint = locator.endpoint(bot)?;
        let client = Self::new(locator.clone(), endpoint, bot.clone())?;
        let health = client.understood_health().await?;
        if health.bot_id == *bot {
            return Ok(client);
        }
        Err(match locator {
            Locator::Hive(_) => ClientError::Stale { bot: bot.clone() },
            Locator::Remote(endpoint) => ClientError::OtherBot {
                url: endpoint.url().to_owned(),
                found: health.bot_id,
                wanted: bot.clone(),
            },
        })
    }

    /// Opens whatever bot is at `endpoint`.
    pub async fn open_remote(endpoint: Endpoint) -> Result<Self, ClientError> {
        let nobody = BotId::parse("unknown").expect("it is an id");
        let mut client = Self::new(Locator::Remote(endpoint.clone()), endpoint, nobody)?;
        client.bot = client.understood_health().await?.bot_id;
        Ok(client)
    }

    fn new(locator: Locator, endpoint: Endpoint, bot: BotId) -> Result<Self, FindError> {
        let tls = if endpoint.is_encrypted() { tls::trusting(endpoint.ca())? } else { tls::unused() };
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .timeout(WHOLE_CALL)
            .connect_timeout(CONNECT_REMOTE);
        if endpoint.is_loopback() {
            builder = builder.no_proxy().connect_timeout(CONNECT_LOCAL);
        }
        let http = builder.build().map_err(|e| FindError::Certificates(e.to_string()))?;
        Ok(Self { http, locator, endpoint, bot })
    }

    /// The bot.
    pub fn bot(&self) -> &BotId {
        &self.bot
    }

    /// Where it was found.
    pub fn locator(&self) -> &Locator {
        &self.locator
    }

    /// Where it is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// GET `/health`; needs no token and sends none.
    pub async fn health(&self) -> Result<HealthReply, ClientError> {
        let url = format!("{}/health", self.endpoint.url());
        let mut response = self.http.get(url).send().await.map_err(|e| self.unreachable(&e))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_HEALTH {
                return Err(ClientError::Garbled(format!("it has more than {LONGEST_HEALTH} bytes")));
            }
        }
        parsed(&checked(status, body)?.1)
    }

    async fn understood_health(&self) -> Result<HealthReply, ClientError> {
        // What is no bot at all may answer anything; to the caller, the bot is not there.
        let gone = |reason: &str| ClientError::Unreachable {
            url: self.endpoint.url().to_owned(),
            reason: reason.to_owned(),
        };
        let health = match self.health().await {
            Ok(health) => health,
            Err(ClientError::NotFound { .. } | ClientError::Garbled(_)) => return Err(gone("it is no bot")),
            Err(other) => return Err(other),
        };
        if health.protocol == PROTOCOL { Ok(health) } else { Err(ClientError::Protocol(health.protocol)) }
    }

    /// GET `/metrics`: Prometheus text.
    pub async fn metrics(&self) -> Result<String, ClientError> {
        let url = format!("{}/metrics", self.endpoint.url());
        self.text(self.authorized(self.http.get(url))).await
    }

    /// GET `…/status`.
    pub async fn status(&self) -> Result<BotStatus, ClientError> {
        self.call(Method::GET, "/status").await
    }

    /// POST `…/pause`; gives the new status.
    pub async fn pause(&self, request: &PauseRequest) -> Result<BotStatus, ClientError> {
        self.post("/pause", request).await
    }

    /// POST `…/resume`: lifts the user's pause; gives the new status.
    pub async fn resume(&self) -> Result<BotStatus, ClientError> {
        self.call(Method::POST, "/resume").await
    }

    /// POST `…/interrupt`: ends what holds the slot; gives the new status.
    pub async fn interrupt(&self) -> Result<BotStatus, ClientError> {
        self.call(Method::POST, "/interrupt").await
    }

    /// POST `…/stop`; gives the new status.
    pub async fn stop(&self, request: &StopRequest) -> Result<BotStatus, ClientError> {
        self.post("/stop", request).await
    }

    /// GET `…/tasks`: one page of the queue.
    pub async fn tasks(&self, query: &TaskQuery) -> Result<TaskList, ClientError> {
        let request = self.request(Method::GET, "/tasks").query(query);
        Ok(self.send(request).await?.1)
    }

    /// POST `…/tasks`.
    pub async fn submit(&self, request: &SubmitRequest) -> Result<Submitted, ClientError> {
        let (status, task) = self.send(self.request(Method::POST, "/tasks").json(request)).await?;
        Ok(if status == StatusCode::CREATED { Submitted::New(task) } else { Submitted::Known(task) })
    }

    /// GET `…/tasks/{id}`: a task or a chat prompt, its state and its response.
    pub async fn task(&self, id: &ItemId) -> Result<TaskDetail, ClientError> {
        self.call(Method::GET, &format!("/tasks/{id}")).await
    }

    /// DELETE `…/tasks/{id}`: ends or removes one item. It may take a moment until it is final.
    pub async fn cancel(&self, id: &ItemId) -> Result<(), ClientError> {
        self.text(self.request(Method::DELETE, &format!("/tasks/{id}"))).await.map(drop)
    }

    /// POST `…/tasks/{id}/retry`; gives the new task.
    pub async fn retry(&self, id: &ItemId) -> Result<TaskView, ClientError> {
        self.call(Method::POST, &format!("/tasks/{id}/retry")).await
    }

    /// POST `…/tasks/{id}/priority`; gives the task as it is now.
    pub async fn prioritize(&self, id: &ItemId, priority: Priority) -> Result<TaskView, ClientError> {
        self.post(&format!("/tasks/{id}/priority"), &PriorityRequest { priority }).await
    }

    /// GET `…/responses/{id}`: the response document (SPEC 4).
    pub async fn response(&self, id: &ItemId) -> Result<String, ClientError> {
        self.text(self.request(Method::GET, &format!("/responses/{id}"))).await
    }

    /// GET `…/tasks/{id}/diff`: what an item that has ended changed.
    pub async fn diff(&self, id: &ItemId) -> Result<Diff, ClientError> {
        let (_, document) = self.bytes(self.request(Method::GET, &format!("/tasks/{id}/diff"))).await?;
        diff::read(&document, &self.bot, id).map_err(|e| ClientError::Garbled(e.to_string()))
    }

    /// GET `…/timeline`: one page.
    pub async fn timeline(&self, query: &TimelineQuery) -> Result<TimelinePage, ClientError> {
        let request = self.request(Method::GET, "/timeline").query(query);
        Ok(self.send(request).await?.1)
    }

    /// GET `…/approvals`: what waits for an answer.
    pub async fn approvals(&self) -> Result<ApprovalList, ClientError> {
        self.call(Method::GET, "/approvals").await
    }

    /// POST `…/approvals/{id}`: answers one with an option's id.
    pub async fn answer_approval(&self, id: &ItemId, option: &str) -> Result<(), ClientError> {
        let body = ApprovalAnswer { option: option.to_owned() };
        self.text(self.request(Method::POST, &format!("/approvals/{id}")).json(&body)).await.map(drop)
    }

    fn request(&self, method: Method, route: &str) -> RequestBuilder {
        let url = format!("{}/api/bot/{}{route}", self.endpoint.url(), self.bot);
        self.authorized(self.http.request(method, url))
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(header::AUTHORIZATION, self.endpoint.token().bearer())
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, route: &str) -> Result<T, ClientError> {
        Ok(self.send(self.request(method, route)).await?.1)
    }

    async fn post<T: DeserializeOwned>(&self, route: &str, body: &impl Serialize) -> Result<T, ClientError> {
        Ok(self.send(self.request(Method::POST, route).json(body)).await?.1)
    }

    async fn text(&self, request: RequestBuilder) -> Result<String, ClientError> {
        let (_, bytes) = self.bytes(request).await?;
        String::from_utf8(bytes).map_err(|e| ClientError::Garbled(e.to_string()))
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<(StatusCode, T), ClientError> {
        let (status, bytes) = self.bytes(request).await?;
        Ok((status, parsed(&bytes)?))
    }

    async fn bytes(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), ClientError> {
        let response = request.send().await.map_err(|e| self.unreachable(&e))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|e| self.unreachable(&e))?;
        checked(status, body.into())
    }

    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        ClientError::Unreachable { url: self.endpoint.url().to_owned(), reason: innermost(error) }
    }
}

fn checked(status: StatusCode, body: Vec<u8>) -> Result<(StatusCode, Vec<u8>), ClientError> {
    if status.is_success() { Ok((status, body)) } else { Err(ClientError::of_reply(status.as_u16(), &body)) }
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|e| ClientError::Garbled(e.to_string()))
}

/// The last cause in the chain: the outer ones say no more than that a request failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
