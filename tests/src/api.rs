//! The HTTP API, as JSON.

use std::sync::Once;

use hive_shared::ids::BotId;
use reqwest::{Certificate, Client, Method};
use serde_json::Value;

use crate::hive::Hive;
use crate::wait;

/// A client of one bot.
#[derive(Debug, Clone)]
pub struct Api {
    http: Client,
    url: String,
    bot: BotId,
    token: String,
    hive: Hive,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, if it is JSON.
    pub json: Value,
    /// The body.
    pub text: String,
}

impl Reply {
    /// The code of an error.
    pub fn code(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or("(no error)")
    }

    /// The body of a success.
    ///
    /// # Panics
    ///
    /// If it is none.
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.json
    }
}

impl Api {
    pub(crate) fn new(url: String, bot: BotId, token: String, hive: Hive) -> Self {
        Self { http: http_client(), url, bot, token, hive }
    }

    /// GET of a path of the bot, such as `status`; one with a slash in front counts from the root.
    pub async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path, None).await
    }

    /// POST of a body.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.request(Method::POST, path, Some(body.to_string())).await
    }

    /// POST of nothing.
    pub async fn act(&self, path: &str) -> Reply {
        self.request(Method::POST, path, None).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Reply {
        self.request(Method::DELETE, path, None).await
    }

    /// Any request.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    pub async fn request(&self, method: Method, path: &str, body: Option<String>) -> Reply {
        match self.send(method, path, body).await {
            Ok(reply) => reply,
            Err(error) => panic!("{path}: no answer: {error:?}\n{}", self.hive.state()),
        }
    }

    /// GET that may find nobody.
    pub async fn try_get(&self, path: &str) -> reqwest::Result<Reply> {
        self.send(Method::GET, path, None).await
    }

    /// POST of a body that may find nobody, or whose answer may never come.
    pub async fn try_post(&self, path: &str, body: Value) -> reqwest::Result<Reply> {
        self.send(Method::POST, path, Some(body.to_string())).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<String>) -> reqwest::Result<Reply> {
        let url = match path.strip_prefix('/') {
            Some(path) => format!("{}/{path}", self.url),
            None => format!("{}/api/bot/{}/{path}", self.url, self.bot),
        };
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok(Reply { status, json: serde_json::from_str(&text).unwrap_or(Value::Null), text })
    }

    /// The bot's status.
    pub async fn status(&self) -> Value {
        self.get("status").await.ok()
    }

    /// One task or prompt; null if it is not known.
    pub async fn task(&self, id: &str) -> Value {
        let reply = self.get(&format!("tasks/{id}")).await;
        if reply.status == 404 { Value::Null } else { reply.ok() }
    }

    /// A page of the timeline's entries.
    pub async fn entries(&self, query: &str) -> Vec<Value> {
        let page = self.get(&format!("timeline?{query}")).await.ok();
        page["entries"].as_array().expect("a list").clone()
    }

    /// The newest control entry of an act, such as `rejected`, if there is one.
    pub async fn control(&self, act: &str) -> Option<Value> {
        let entries = self.entries("source=control&limit=1000").await;
        entries.into_iter().rev().find(|entry| entry["title"] == act)
    }

    /// Waits until the status fits.
    pub async fn until_status(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.until(what, async || Some(self.status().await).filter(&fits)).await
    }

    /// Waits until a task or prompt is known and fits.
    pub async fn until_task(&self, id: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let what = format!("{id} {what}");
        self.until(&what, async || Some(self.task(id).await).filter(|task| !task.is_null() && fits(task)))
            .await
    }

    /// Waits until a task or prompt has this status.
    pub async fn until_is(&self, id: &str, status: &str) -> Value {
        self.until_task(id, &format!("is {status}"), |task| task["status"] == status).await
    }

    /// Waits until a task or prompt has ended.
    pub async fn until_ended(&self, id: &str) -> Value {
        self.until_task(id, "has ended", |task| is_final(&task["status"])).await
    }

    /// Waits for something that the bot is to bring about. A failure shows its timeline and its stderr.
    pub async fn until<T>(&self, what: &str, condition: impl AsyncFnMut() -> Option<T>) -> T {
        let state = async || {
            let timeline =
                self.try_get("timeline?limit=1000").await.map(|reply| reply.json["entries"].clone());
            format!("--- timeline\n{:#}\n{}", timeline.unwrap_or_default(), self.hive.state())
        };
        wait::until(what, state, condition).await
    }

    /// Submits a task.
    pub async fn submit(&self, task: Value) -> Value {
        self.post("tasks", task).await.ok()
    }
}

fn is_final(status: &Value) -> bool {
    let status = status.as_str().and_then(|word| word.parse::<hive_shared::work::Status>().ok());
    status.is_some_and(hive_shared::work::Status::is_final)
}

/// A client that trusts nobody's certificate. To read all that the machine trusts takes longer, in a program that was
/// built for tests, than most of what is asked; and the bots that it asks are on this machine, and speak plainly.
pub fn http_client() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Somebody may have installed one already: as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let nobody: [Certificate; 0] = [];
    Client::builder()
        .no_proxy()
        .tls_certs_only(nobody)
        .timeout(wait::DEADLINE)
        .build()
        .expect("an HTTP client")
}
