//! The HTTP API of a bot, one typed call for each route of SPEC 9.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::NO_ANSWER;
use super::{ClientError, Endpoint, FindError, Locator, bounds, tls};
use crate::api::{
    ApprovalAnswer, ApprovalList, BotStatus, HealthReply, MAX_PAGE, PROTOCOL, PauseRequest, PriorityRequest,
    StopRequest, SubmitRequest, TaskDetail, TaskList, TaskView, TimelinePage, TimelineQuery,
};
use crate::diff::{self, Diff};
use crate::ids::{BotId, ItemId};
use crate::work::Priority;

/// A bot that answers on this machine does so at once; one that does not accept is as good as down.
const CONNECT_LOCAL: Duration = Duration::from_secs(1);
const CONNECT_REMOTE: Duration = Duration::from_secs(5);

/// One bot that was up when this was opened. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    locator: Locator,
    endpoint: Endpoint,
    bot: BotId,
    /// How long a call may take.
    patience: Duration,
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
        let client = Self::new(locator.clone(), endpoint, bot.clone(), bounds::CALL)?;
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
        let mut client = Self::new(Locator::Remote(endpoint.clone()), endpoint, nobody, bounds::CALL)?;
        client.bot = client.understood_health().await?.bot_id;
        Ok(client)
    }

    fn new(locator: Locator, endpoint: Endpoint, bot: BotId, patience: Duration) -> Result<Self, FindError> {
        let tls = if endpoint.is_encrypted() { tls::trusting(endpoint.trust())? } else { tls::unused() };
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .timeout(patience)
            .read_timeout(patience)
            .connect_timeout(CONNECT_REMOTE);
        if endpoint.is_loopback() {
            builder = builder.no_proxy().connect_timeout(CONNECT_LOCAL);
        }
        let http = builder.build().map_err(|e| FindError::Certificates(e.to_string()))?;
        Ok(Self { http, locator, endpoint, bot, patience })
    }

    /// A client of whoever is there.
    #[cfg(test)]
    pub(super) fn unchecked(endpoint: Endpoint, bot: BotId) -> Self {
        Self::new(Locator::Remote(endpoint.clone()), endpoint, bot, bounds::CALL)
            .expect("nothing is encrypted")
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
        let request = self.http.get(url).timeout(self.patience.min(bounds::HEALTH_CALL));
        parsed(&self.bytes(request, bounds::SHORT).await?.1)
    }

    async fn understood_health(&self) -> Result<HealthReply, ClientError> {
        // What is no bot at all may answer anything; to the caller, the bot is not there.
        let gone = |reason: &str| ClientError::Unreachable {
            url: self.endpoint.url().to_owned(),
            reason: reason.to_owned(),
        };
        let health = match self.health().await {
            Ok(health) => health,
            Err(ClientError::NotFound { .. } | ClientError::Garbled(_) | ClientError::Endless { .. }) => {
                return Err(gone("it is no bot"));
            }
            Err(other) => return Err(other),
        };
        if health.protocol == PROTOCOL { Ok(health) } else { Err(ClientError::Protocol(health.protocol)) }
    }

    /// GET `/metrics`: Prometheus text.
    pub async fn metrics(&self) -> Result<String, ClientError> {
        let url = format!("{}/metrics", self.endpoint.url());
        self.text(self.authorized(self.http.get(url)), bounds::ONE).await
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
        self.page(self.request(Method::GET, "/tasks").query(query), query.limit).await
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
        self.text(self.request(Method::DELETE, &format!("/tasks/{id}")), bounds::ONE).await.map(drop)
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
        let request = self.request(Method::GET, &format!("/responses/{id}")).timeout(bounds::RESPONSE_CALL);
        self.text(request, bounds::RESPONSE).await
    }

    /// GET `…/tasks/{id}/diff`: what an item that has ended changed.
    pub async fn diff(&self, id: &ItemId) -> Result<Diff, ClientError> {
        let request = self.request(Method::GET, &format!("/tasks/{id}/diff"));
        let (_, document) = self.bytes(request, bounds::DIFF).await?;
        diff::read(&document, &self.bot, id).map_err(|e| ClientError::Garbled(e.to_string()))
    }

    /// GET `…/timeline`: one page.
    pub async fn timeline(&self, query: &TimelineQuery) -> Result<TimelinePage, ClientError> {
        self.page(self.request(Method::GET, "/timeline").query(query), query.limit).await
    }

    /// GET `…/approvals`: what waits for an answer.
    pub async fn approvals(&self) -> Result<ApprovalList, ClientError> {
        self.call(Method::GET, "/approvals").await
    }

    /// POST `…/approvals/{id}`: answers one with an option's id.
    pub async fn answer_approval(&self, id: &ItemId, option: &str) -> Result<(), ClientError> {
        let body = ApprovalAnswer { option: option.to_owned() };
        let request = self.request(Method::POST, &format!("/approvals/{id}")).json(&body);
        self.text(request, bounds::ONE).await.map(drop)
    }

    fn request(&self, method: Method, route: &str) -> RequestBuilder {
        let url = format!("{}/api/bot/{}{route}", self.endpoint.url(), self.bot);
        self.authorized(self.http.request(method, url))
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(header::AUTHORIZATION, self.endpoint.bearer())
    }

    /// Sends a request to a bot that is still there, once more with the token that is in its file by now if it had an
    /// older one: what is not authorised has done nothing.
    async fn respond(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        self.locator.still_there(&self.bot)?;
        let request = request.build().map_err(|e| self.unreachable(&e))?;
        let again = request.try_clone();
        let response = self.http.execute(request).await.map_err(|e| self.unreachable(&e))?;
        if response.status() == StatusCode::UNAUTHORIZED
            && let Some(mut again) = again
            && let Some(refused) = again.headers().get(header::AUTHORIZATION)
            && let Some(bearer) = self.endpoint.bearer_after(refused)?
        {
            again.headers_mut().insert(header::AUTHORIZATION, bearer);
            return self.http.execute(again).await.map_err(|e| self.unreachable(&e));
        }
        Ok(response)
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, route: &str) -> Result<T, ClientError> {
        Ok(self.send(self.request(method, route)).await?.1)
    }

    async fn post<T: DeserializeOwned>(&self, route: &str, body: &impl Serialize) -> Result<T, ClientError> {
        Ok(self.send(self.request(Method::POST, route).json(body)).await?.1)
    }

    /// A page of so many entries or tasks, of the most there can be unless the caller says.
    async fn page<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        limit: Option<usize>,
    ) -> Result<T, ClientError> {
        let most = bounds::page(limit.unwrap_or(MAX_PAGE).min(MAX_PAGE));
        parsed(&self.bytes(request, most).await?.1)
    }

    async fn text(&self, request: RequestBuilder, most: usize) -> Result<String, ClientError> {
        let (_, bytes) = self.bytes(request, most).await?;
        String::from_utf8(bytes).map_err(|e| ClientError::Garbled(e.to_string()))
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<(StatusCode, T), ClientError> {
        let (status, bytes) = self.bytes(request, bounds::ONE).await?;
        Ok((status, parsed(&bytes)?))
    }

    /// The body of an answer, at most so many bytes of it.
    async fn bytes(
        &self,
        request: RequestBuilder,
        most: usize,
    ) -> Result<(StatusCode, Vec<u8>), ClientError> {
        let mut response = self.respond(request).await?;
        let status = response.status();
        let most = if status.is_success() { most } else { bounds::SHORT };
        let endless = || ClientError::Endless { url: self.endpoint.url().to_owned(), most };
        if status.is_success() && response.content_length().is_some_and(|length| length > most as u64) {
            return Err(endless());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            if chunk.len() <= most - body.len() {
                body.extend_from_slice(&chunk);
            } else if status.is_success() {
                return Err(endless());
            } else {
                // That it refuses counts, whatever it goes on to say.
                break;
            }
        }
        if status.is_success() {
            Ok((status, body))
        } else {
            Err(ClientError::of_reply(status.as_u16(), &body))
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        let url = self.endpoint.url().to_owned();
        if let Some(reason) = tls::distrust(error) {
            return ClientError::Untrusted { url, reason };
        }
        let reason = if error.is_timeout() { NO_ANSWER.to_owned() } else { innermost(error) };
        ClientError::Unreachable { url, reason }
    }
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::client::Token;

    #[tokio::test]
    async fn who_never_answers_or_never_ends_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // The first peer says nothing, the second begins and falls silent, the third says a letter now and then.
        let server = tokio::spawn(async move {
            let mut peers = Vec::new();
            for head in ["", "HTTP/1.1 200 OK\r\n\r\n{", "HTTP/1.1 200 OK\r\n\r\n{"] {
                let (mut peer, _) = listener.accept().await.unwrap();
                assert_ne!(peer.read(&mut [0; 4096]).await.unwrap(), 0);
                peer.write_all(head.as_bytes()).await.unwrap();
                peers.push(peer);
            }
            let mut slow = peers.pop().unwrap();
            let mut beat = tokio::time::interval(Duration::from_millis(20));
            while slow.write_all(b" ").await.is_ok() {
                beat.tick().await;
            }
        });
        let endpoint = Endpoint::remote(&url, Token::new("secret").unwrap(), None).unwrap();
        let bot = BotId::parse("BOT-1").unwrap();
        let patience = Duration::from_millis(200);
        for _peer in 0..3 {
            let locator = Locator::Remote(endpoint.clone());
            let client = Client::new(locator, endpoint.clone(), bot.clone(), patience).unwrap();
            let error = client.status().await.unwrap_err();
            assert_eq!(error.to_string(), format!("nothing answers at {url}: {NO_ANSWER}"));
        }
        server.await.unwrap();
    }
}
