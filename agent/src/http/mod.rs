//! The server: admin HTTP API and sockets (SPEC 9). It decides nothing: it asks the driver, or reads the store.

mod api;
mod chat;
mod connections;
mod door;
mod follow;
mod held;
mod items;
mod metrics;
mod path;
mod problem;
mod readers;
mod refusals;
mod socket;
mod tls;
mod unshown;
mod views;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};
use hive_shared::api::{TimelineQuery, code};
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::work::Mode;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

pub use connections::Connections;
pub use door::Door;
pub use readers::Readers;
pub use refusals::Refusals;
pub use tls::{Tls, TlsError};

use crate::driver::Message;
use crate::hub::Hub;
use crate::request::{Answer, Request};
use crate::signals::Signals;
use crate::store::{Reader, Snapshot, StoreError};
use crate::untrusted;
use problem::Problem;
use refusals::Log;

/// A body of which nothing more comes for so long is no body.
const SILENT_BODY: Duration = Duration::from_secs(15);
/// The most bytes of a request's body: a task document and its JSON escapes.
const MAX_BODY: usize = 4 << 20;
/// Between two tries to read a database whose file is being put back.
const PUT_BACK_RETRY: Duration = Duration::from_millis(20);
/// The most bytes of a stranger's path that are logged.
const LONGEST_LOGGED: usize = 200;
/// How long a request waits for the driver, which answers late only when the disk does not take its writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the server knows of the bot.
pub struct Service {
    /// The hive.
    pub hive: Hive,
    /// The bot.
    pub bot: BotId,
    /// Its mode.
    pub mode: Mode,
    /// The name of its adapter.
    pub adapter: &'static str,
    /// Which timeline this is.
    pub epoch: String,
    /// Whom to let in.
    pub door: Door,
    /// What may be seen.
    pub hub: Arc<Hub>,
    /// The driver.
    pub driver: Sender<Message>,
    /// The database, to be read.
    pub database: PathBuf,
    /// What ends the bot where the driver hears nobody.
    pub signals: Signals,
    /// Cancelled when the bot is on its way out: sockets close.
    pub closing: CancellationToken,
    /// Those of requests, which somebody waits for.
    pub requests: Arc<Readers>,
    /// Those of followers that lag: a crowd of them holds up no request.
    pub laggards: Arc<Readers>,
    /// The connections that there may be.
    pub connections: Connections,
    /// What was logged of requests that were turned away.
    pub refusals: Mutex<Refusals>,
    /// The last connection's number.
    pub last_connection: AtomicU64,
}

type Shared = Arc<Service>;

impl Service {
    /// Asks the driver for something that it may deny.
    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, Problem> {
        let (answer, answered) = oneshot::channel();
        Ok(self.wait_for(request(answer), answered).await??)
    }

    /// Asks the driver for something that it knows: nothing is lost where nobody waits for the answer.
    async fn inquire<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Problem> {
        let (answer, answered) = oneshot::channel();
        tokio::select! {
            answer = self.wait_for(request(answer), answered) => answer,
            trouble = self.hub.disk().until_ledger_in_trouble() => Err(no_room(&trouble)),
        }
    }

    async fn wait_for<T>(&self, request: Request, answered: oneshot::Receiver<T>) -> Result<T, Problem> {
        let stopping = || Problem::new(code::STOPPING, "the bot is stopping");
        if let Some(trouble) = self.hub.disk().ledger() {
            return Err(no_room(&trouble));
        }
        self.driver.send(Message::Request(request)).map_err(|_| stopping())?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(answer) => answer.map_err(|_| stopping()),
            Err(_) => Err(Problem::new(code::UNAVAILABLE, "the bot does not answer; its status says why")),
        }
    }

    /// A request was turned away at the door.
    fn refused(&self, peer: SocketAddr, path: &str, code: &'static str) {
        self.hub.tally().refuse(code);
        let log = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).note(Instant::now(), code);
        if let Log::Say { untold, is_last } = log {
            let path = untrusted::cut(path, LONGEST_LOGGED);
            tracing::warn!(%peer, path, code, untold, "turned away");
            if is_last {
                tracing::warn!(code, "more of these are counted, and not logged, for a minute");
            }
        }
    }

    /// Reads the database for a request.
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&Reader) -> Result<T, StoreError> + Send + Sync + 'static,
    ) -> Result<T, Problem> {
        self.read_with(&self.requests, work).await
    }

    /// Where the database's file has just been taken away, the driver is told, and puts it back.
    async fn read_with<T: Send + 'static>(
        &self,
        readers: &Arc<Readers>,
        work: impl Fn(&Reader) -> Result<T, StoreError> + Send + Sync + 'static,
    ) -> Result<T, Problem> {
        let give_up = Instant::now() + PATIENCE;
        let work = Arc::new(work);
        loop {
            let work = Arc::clone(&work);
            let error = match readers.read(move |reader| work(reader)).await {
                Some(Err(error)) if error.is_damage() => error,
                Some(result) => return Ok(result?),
                None => return Err(Problem::new(code::UNAVAILABLE, "the database could not be read")),
            };
            let may_pass = matches!(error, StoreError::Gone) && Instant::now() < give_up;
            // The driver is gone only when the bot is on its way out anyway.
            let _ = self.driver.send(Message::Damaged(error));
            if !may_pass {
                let message = "the ledger is damaged or gone, and is made anew; try again";
                return Err(Problem::new(code::UNAVAILABLE, message));
            }
            tokio::time::sleep(PUT_BACK_RETRY).await;
        }
    }

    /// Waits until the change `seq` may be shown, for what a reader was shown survives; but not for a disk that does not
    /// take it. Returns up to where changes may be shown.
    async fn visible_at(&self, seq: u64) -> u64 {
        let mut visible = self.hub.visible();
        tokio::select! {
            biased;
            _ = tokio::time::timeout(PATIENCE, visible.wait_for(|visible| *visible >= seq)) => {}
            () = self.hub.disk().until_in_trouble() => {}
        }
        *visible.borrow()
    }

    /// A page of the timeline, as it may be shown.
    async fn page(&self, query: TimelineQuery) -> Result<Snapshot, Problem> {
        let (after_seq, status) = (query.after_seq, query.status);
        let snapshot = self.read(move |reader| reader.snapshot(&query)).await?;
        let visible = self.visible_at(snapshot.last_seq).await;
        Ok(unshown::page(snapshot, visible, after_seq, status))
    }
}

fn no_room(trouble: &str) -> Problem {
    Problem::new(code::UNAVAILABLE, format!("the disk does not take what is to be written: {trouble}"))
}

/// Serves until the bot is on its way out.
pub async fn serve(listener: TcpListener, tls: Option<Arc<Tls>>, shared: Arc<Service>) {
    let router = router(Arc::clone(&shared));
    shared.connections.serve(listener, tls, router, shared.closing.clone()).await;
}

fn router(shared: Shared) -> Router {
    let bot = Router::new()
        .route("/status", get(api::status))
        .route("/pause", post(api::pause))
        .route("/resume", post(api::resume))
        .route("/interrupt", post(api::interrupt))
        .route("/stop", post(api::stop))
        .route("/tasks", get(api::tasks).post(api::submit))
        .route("/tasks/{id}", get(api::task).delete(api::cancel))
        .route("/tasks/{id}/diff", get(api::diff))
        .route("/tasks/{id}/retry", post(api::retry))
        .route("/tasks/{id}/priority", post(api::prioritize))
        .route("/responses/{id}", get(api::response))
        .route("/timeline", get(api::timeline))
        .route("/approvals", get(api::approvals))
        .route("/approvals/{id}", post(api::approve));
    Router::new()
        .route("/health", get(api::health))
        .route("/metrics", get(metrics::metrics))
        .nest("/api/bot/{bot_id}", bot)
        .route("/ws/bot/{bot_id}/timeline", get(follow::upgrade))
        .route("/ws/bot/{bot_id}/prompt", get(chat::upgrade))
        .fallback(api::no_such_path)
        .method_not_allowed_fallback(api::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(RequestBodyTimeoutLayer::new(SILENT_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), door::guard))
        .layer(CatchPanicLayer::new())
        .with_state(shared)
}
