//! One process of an agent, and the connection to it, from the handshake to its death.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent_client_protocol::schema::ProtocolVersion;
use agent_client_protocol::v1::ConnectionTo;
use agent_client_protocol::v1::schema::{AuthMethod, Implementation, InitializeRequest, InitializeResponse};
use agent_client_protocol::{self as protocol, Client, Lines, UntypedMessage};
use hive_shared::api::code;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::super::exec::command::last_lines;
use super::super::process::Household;
use super::super::{Failure, Reporter};
use super::body::{Body, Order, died, spawn};
use super::client::{Event, Events, Router};
use super::{Config, lines};

/// How long an agent may take from its start to its first answer.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(60);

/// How many sessions are left open in an agent that can load them again.
const MAX_OPEN: usize = 8;

/// The protocol's code of an error that a login would mend; JSON-RPC leaves it to everyone's own use.
const AUTH_REQUIRED: i32 = -32_000;

/// A live agent.
pub(super) struct Agent {
    name: String,
    connection: ConnectionTo<protocol::Agent>,
    router: Arc<Router>,
    /// Whether it can take up a session of an earlier life.
    pub(super) loads_sessions: bool,
    closes_sessions: bool,
    logins: Vec<AuthMethod>,
    /// The sessions that it has open, the one that was last used at the end.
    open: Mutex<Vec<String>>,
    pub(super) household: Household,
    orders: mpsc::UnboundedSender<Order>,
    death: watch::Receiver<Option<Failure>>,
    was_told_to_end: AtomicBool,
    is_in_use: AtomicBool,
}

impl Agent {
    /// Starts the agent and shakes hands. When it fails, no process of it is left.
    pub(super) async fn start(config: &Config) -> Result<Arc<Self>, Failure> {
        let (mut child, tree) = spawn(config)?;
        let household = tree.household();
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(Failure::new(code::ADAPTER_ERROR, "the agent has no standard streams"));
        };
        let words = lines::LastWords::default();
        let stderr = tokio::spawn(lines::keep(stderr, words.clone()));
        let router = Router::new(config.workdir.clone());
        let transport = Lines::new(lines::outgoing(stdin), lines::incoming(stdout, words.clone()));
        let (hand, handed) = oneshot::channel();
        let connection = tokio::spawn(connect(transport, Arc::clone(&router), hand));
        let (orders, ordered) = mpsc::unbounded_channel();
        let (tell_death, mut death) = watch::channel(None);
        let body = Body { child, tree, connection, stderr, words: words.clone() };
        config.bodies.spawn(body.live(ordered, tell_death));

        let handshake = async {
            let connection = handed.await.map_err(|_| protocol::Error::internal_error())?;
            let version = env!("CARGO_PKG_VERSION");
            let us = Implementation::new("hive-agent", version);
            let request = InitializeRequest::new(ProtocolVersion::V1).client_info(us);
            let answer = connection.send_request(request).block_task().await?;
            Ok::<_, protocol::Error>((connection, answer))
        };
        let answered = tokio::select! {
            biased;
            answered = timeout(HANDSHAKE_LIMIT, handshake) => answered,
            failure = died(&mut death) => return Err(during_start(&failure)),
        };
        let failure = match answered {
            Ok(Ok((connection, answer))) => {
                let agent = Self::new(config, connection, router, answer, household, orders, death);
                tracing::info!(agent = agent.name, "the agent is up");
                return Ok(Arc::new(agent));
            }
            Ok(Err(error)) if is_gone(&error) => {
                return Err(during_start(&died(&mut death).await));
            }
            Ok(Err(error)) => Failure::new(
                code::ADAPTER_ERROR,
                format!("the agent did not shake hands over ACP version 1: {}", words_of(&error)),
            ),
            Err(_) => {
                let said = last_lines(&words.get());
                let limit = HANDSHAKE_LIMIT.as_secs();
                let what =
                    format!("the agent did not answer within {limit} s of its start: does it speak ACP?");
                let message = if said.is_empty() { what } else { format!("{what} It said: {said}") };
                Failure::new(code::ADAPTER_ERROR, message)
            }
        };
        let _ = orders.send(Order::Kill);
        died(&mut death).await;
        Err(failure)
    }

    fn new(
        config: &Config,
        connection: ConnectionTo<protocol::Agent>,
        router: Arc<Router>,
        answer: InitializeResponse,
        household: Household,
        orders: mpsc::UnboundedSender<Order>,
        death: watch::Receiver<Option<Failure>>,
    ) -> Self {
        let name = answer.agent_info.map(|info| info.title.unwrap_or(info.name));
        Self {
            name: name.filter(|name| !name.is_empty()).unwrap_or_else(|| config.name.to_owned()),
            connection,
            router,
            loads_sessions: answer.agent_capabilities.load_session,
            closes_sessions: answer.agent_capabilities.session_capabilities.close.is_some(),
            logins: answer.auth_methods,
            open: Mutex::default(),
            household,
            orders,
            death,
            was_told_to_end: AtomicBool::new(false),
            is_in_use: AtomicBool::new(false),
        }
    }

    /// Asks something of the agent, and waits for the answer.
    pub(super) async fn ask(&self, method: &str, params: Value) -> Result<Value, Failure> {
        let request = UntypedMessage { method: method.to_owned(), params };
        match self.connection.send_request(request).block_task().await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.failure(method, &error).await),
        }
    }

    /// Tells the agent something.
    pub(super) fn tell(&self, method: &str, params: Value) {
        // It fails when the agent is gone, which shows elsewhere.
        let _ = self.connection.send_notification(UntypedMessage { method: method.to_owned(), params });
    }

    /// Sends a prompt, whose answer comes as an event, after all that comes before it.
    pub(super) fn prompt(&self, params: Value, events: &Events) {
        let request = UntypedMessage { method: "session/prompt".to_owned(), params };
        let (settled, unsent) = (events.sender.clone(), events.sender.clone());
        let sent = self.connection.prepare_request(request).on_receiving_result(async move |answer| {
            let _ = settled.send(Event::Settled(answer));
            Ok(())
        });
        if let Err(error) = sent {
            let _ = unsent.send(Event::Settled(Err(error)));
        }
    }

    /// Listens to a session from now on.
    pub(super) fn listen(&self, session: &str) -> Events {
        self.router.listen(session)
    }

    /// Why the agent did not do what `method` asks, from its own words.
    pub(super) async fn failure(&self, method: &str, error: &protocol::Error) -> Failure {
        if is_gone(error) {
            return self.died().await;
        }
        let words = words_of(error);
        let wants_login = i32::from(error.code) == AUTH_REQUIRED
            && (!self.logins.is_empty() || words.to_ascii_lowercase().contains("auth"));
        if wants_login {
            let ways: Vec<String> = self.logins.iter().map(way_in).collect();
            let hint = match ways.join("; ") {
                ways if ways.is_empty() => String::new(),
                ways => format!(". Log in with the agent itself; it knows: {ways}"),
            };
            let message = format!("{} wants a login first: {words}{hint}", self.name);
            return Failure::new(code::LOGIN_REQUIRED, message);
        }
        Failure::new(code::ADAPTER_ERROR, format!("{} could not do {method}: {words}", self.name))
    }

    pub(super) fn has_open(&self, session: &str) -> bool {
        self.open().iter().any(|open| open == session)
    }

    /// The session is in use.
    pub(super) fn uses(&self, session: &str) {
        self.is_in_use.store(true, Ordering::Relaxed);
        let mut open = self.open();
        open.retain(|known| known != session);
        open.push(session.to_owned());
    }

    /// Closes the sessions that were not in use for longest, where there are many: an agent may keep a process for each,
    /// and be busy with ending it. That is for when nobody waits.
    pub(super) fn close_surplus(&self) {
        if !self.loads_sessions {
            return;
        }
        let surplus: Vec<String> = {
            let open = self.open();
            open[..open.len().saturating_sub(MAX_OPEN)].to_vec()
        };
        for session in &surplus {
            self.close(session);
        }
    }

    /// The session is not needed any more, or not for now.
    pub(super) fn close(&self, session: &str) {
        self.open().retain(|known| known != session);
        if self.closes_sessions {
            let params = json!({"sessionId": session});
            let request = UntypedMessage { method: "session/close".to_owned(), params };
            // Whatever it answers, nothing follows.
            self.connection.send_request(request).detach();
        }
    }

    fn open(&self) -> MutexGuard<'_, Vec<String>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_alive(&self) -> bool {
        self.death.borrow().is_none()
    }

    /// Whether it has ever opened a session.
    pub(super) fn is_in_use(&self) -> bool {
        self.is_in_use.load(Ordering::Relaxed)
    }

    /// Whether its end was our doing.
    pub(super) fn was_told_to_end(&self) -> bool {
        self.was_told_to_end.load(Ordering::Relaxed)
    }

    /// Waits until nothing of it is left, and says how it ended.
    pub(super) async fn died(&self) -> Failure {
        died(&mut self.death.clone()).await
    }

    /// Asks all its processes to end.
    pub(super) fn terminate(&self) {
        self.order(Order::Terminate);
    }

    /// Kills all its processes.
    pub(super) fn kill(&self) {
        self.order(Order::Kill);
    }

    fn order(&self, order: Order) {
        self.was_told_to_end.store(true, Ordering::Relaxed);
        // It fails when it is dead.
        let _ = self.orders.send(order);
    }
}

/// Serves the connection until the agent closes it.
async fn connect(
    transport: impl protocol::ConnectTo<Client> + 'static,
    router: Arc<Router>,
    hand: oneshot::Sender<ConnectionTo<protocol::Agent>>,
) -> Result<(), protocol::Error> {
    let asked = Arc::clone(&router);
    Client
        .v1()
        .name("hive-agent")
        .on_receive_request(
            async move |message: UntypedMessage, responder, _| asked.asked(message, responder),
            protocol::on_receive_request!(),
        )
        .on_receive_notification(
            async move |message: UntypedMessage, _| {
                router.notified(message);
                Ok(())
            },
            protocol::on_receive_notification!(),
        )
        .connect_with(transport, async move |connection| {
            // Whoever started it may have given up.
            let _ = hand.send(connection.clone());
            connection.incoming_closed().await;
            Ok(())
        })
        .await
}

fn during_start(failure: &Failure) -> Failure {
    Failure::new(failure.code, format!("{failure} (before it had answered once)"))
}

/// Whether an error says no more than that the agent is not there to answer.
pub(super) fn is_gone(error: &protocol::Error) -> bool {
    protocol::is_connection_terminated(error) || protocol::is_incoming_transport_closed(error)
}

/// What an error says, with the details that agents hide in its data.
pub(super) fn words_of(error: &protocol::Error) -> String {
    let details = match &error.data {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Object(fields)) => ["details", "message", "error", "reason"]
            .iter()
            .find_map(|name| fields.get(*name)?.as_str().map(str::to_owned)),
        Some(_) | None => None,
    };
    match details.filter(|details| !details.is_empty() && *details != error.message) {
        Some(details) => format!("{}: {details}", error.message),
        None => error.message.clone(),
    }
}

fn way_in(login: &AuthMethod) -> String {
    match login.description() {
        Some(description) if !description.is_empty() => format!("{} ({description})", login.name()),
        _ => login.name().to_owned(),
    }
}

impl Reporter {
    /// What the agent calls the conversation.
    pub(super) fn session(&self, id: &str) {
        self.report(super::super::Report::Session(id.to_owned()));
    }
}
