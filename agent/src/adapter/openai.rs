//! The adapter that asks a server of chat completions, as OpenAI defined them and many others have them (SPEC 6).
//!
//! The server keeps nothing: each request has the whole conversation. What was said before in a chat's session comes
//! with the run ([`RunSpec::earlier`]), what was said in the run itself is in its [`Turn`], so there is nothing to keep
//! here, and nothing to lose. A run that is suspended, or whose connection breaks off, asks again: what the model had
//! said goes along, and it is asked to go on from there. Both parts are one response.

mod delta;
mod exchange;
mod key;
mod messages;
mod place;
mod retry;
mod sse;
mod trouble;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hive_shared::api::code;
use hive_shared::chat::{TurnEvent, notice};
use hive_shared::client::{FindError, server_tls};
use hive_shared::settings::{OnPreempt, OpenAiSettings};
use hive_shared::time::show_duration;
use tokio::time::sleep;

pub use key::KeyError;

use self::exchange::Progress;
use self::key::Key;
use self::messages::{Conversation, Dialect};
use self::place::Place;
use self::retry::Tries;
use self::trouble::{Asked, Trouble};
use super::{Control, Controls, Failure, Outcome, Reporter, RunSpec};
use crate::turn::Turn;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// Why the adapter cannot work with its settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The address is none.
    #[error("openai.base_url is no address of a server: {0}")]
    Url(String),
    /// The key would be readable on its way.
    #[error(
        "the key of {0} would travel unencrypted: use https, or let ssh carry it ('ssh -L') to a port of 127.0.0.1, or take the key out of the settings"
    )]
    Unencrypted(String),
    /// There is no key.
    #[error("the openai adapter cannot have its key")]
    Key(#[from] KeyError),
    /// Nobody is trusted.
    #[error("no encrypted connection can be made")]
    Tls(#[from] FindError),
    /// The HTTP library refuses.
    #[error("there can be no HTTP client")]
    Client(#[source] reqwest::Error),
}

/// Asks a server for each item.
#[derive(Debug)]
pub struct OpenAi {
    settings: OpenAiSettings,
    on_preempt: OnPreempt,
    place: Place,
    http: reqwest::Client,
    /// What the server was found to understand.
    dialect: Mutex<Dialect>,
}

impl OpenAi {
    /// An adapter with these settings, of which the address and the model are known to be there. Nothing is sent yet.
    pub fn new(settings: OpenAiSettings, on_preempt: OnPreempt) -> Result<Self, SetupError> {
        let place = Place::of(settings.base_url.as_deref().unwrap_or_default())?;
        let key = Key::find(&settings)?;
        if key.is_some() && !place.keeps_secrets() {
            return Err(SetupError::Unencrypted(place.shown));
        }
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(server_tls(place.is_encrypted())?)
            // The key would go along.
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .connect_timeout(CONNECT)
            .user_agent(concat!("hive-agent/", env!("CARGO_PKG_VERSION")));
        if place.is_loopback() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(SetupError::Client)?;
        Ok(Self { settings, on_preempt, place, http, dialect: Mutex::new(Dialect::FIRST) })
    }

    /// How many bytes of a conversation it has a use for.
    pub(super) fn budget(&self) -> usize {
        messages::budget(&self.settings)
    }

    pub(super) async fn run(
        self: Arc<Self>,
        spec: RunSpec,
        turn: Arc<Turn>,
        mut controls: Controls,
        reporter: Reporter,
    ) {
        let mut progress = Progress::new(Arc::clone(&turn));
        let result = self.work(&spec, &turn, &mut controls, &reporter, &mut progress).await;
        reporter.ended_with(Outcome { result, files_modified: Vec::new(), usage: progress.usage() });
    }

    /// Answers, again after each time it gave way.
    async fn work(
        &self,
        spec: &RunSpec,
        turn: &Turn,
        controls: &mut Controls,
        reporter: &Reporter,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let conversation = Conversation::of(&self.settings, spec);
        if conversation.left_out > 0 {
            tracing::info!(
                item = %spec.item,
                session = spec.session,
                left_out = conversation.left_out,
                context_tokens = self.settings.context_tokens,
                "the oldest exchanges of the session do not fit, and are not sent"
            );
        }
        loop {
            tokio::select! {
                biased;
                ended = suspended_or_ended(controls) => ended?,
                result = self.answer(&conversation, turn, progress) => return result,
            }
            if progress.finish.is_some() {
                return verdict(progress);
            }
            reporter.suspended();
            controls.until_resumed().await?;
            if self.on_preempt == OnPreempt::Restart {
                turn.start_over();
                progress.has_spoken = false;
            }
        }
    }

    /// Asks until there is an answer, or no use in asking again.
    async fn answer(
        &self,
        conversation: &Conversation,
        turn: &Turn,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let mut tries = Tries::new(self.settings.max_retries, self.settings.retry_delay);
        let mut dialect = *self.dialect.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let key = Key::find(&self.settings).map_err(|error| unavailable(&error))?;
            if key.is_some() && !self.place.keeps_secrets() {
                return Err(unavailable(&SetupError::Unencrypted(self.place.shown.clone())));
            }
            let model = self.settings.model.as_deref().unwrap_or_default();
            let asked = Asked { place: &self.place.shown, model, key: key.as_ref() };
            let body = conversation.request(&self.settings, &turn.text().0, dialect);
            match self.exchange(&body, asked, progress).await {
                Ok(()) => {
                    *self.dialect.lock().unwrap_or_else(PoisonError::into_inner) = dialect;
                    return verdict(progress);
                }
                Err(Trouble::Final(failure)) => return Err(failure),
                Err(Trouble::Option { failure, wants_completion_tokens }) => {
                    dialect = self.simpler(dialect, wants_completion_tokens).ok_or(failure)?;
                }
                Err(Trouble::Passing { failure, wish }) => {
                    let Some(pause) = tries.fail(wish, random()) else {
                        return Err(given_up(&failure, tries.failed, wish));
                    };
                    let message = format!(
                        "{}; asking again in {} ({} of {})",
                        failure.message,
                        show_duration(Duration::from_millis(
                            u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)
                        )),
                        tries.failed,
                        self.settings.max_retries
                    );
                    tracing::warn!(item = %turn.id(), "{message}");
                    turn.tell(TurnEvent::Notice { code: notice::RETRYING.to_owned(), message });
                    sleep(pause).await;
                }
            }
        }
    }

    /// The next thing to try with a server that does not understand a request, if there is one.
    fn simpler(&self, dialect: Dialect, wants_completion_tokens: bool) -> Option<Dialect> {
        if wants_completion_tokens && self.settings.max_tokens.is_some() && !dialect.says_completion_tokens {
            return Some(Dialect { says_completion_tokens: true, ..dialect });
        }
        dialect.wants_usage.then_some(Dialect { wants_usage: false, ..dialect })
    }
}

/// Waits until the run is to give way; one that is to end fails.
async fn suspended_or_ended(controls: &mut Controls) -> Result<(), Failure> {
    loop {
        match controls.next().await {
            Control::Suspend => return Ok(()),
            Control::Resume | Control::Answer(_) => {}
            Control::Cancel | Control::Terminate | Control::Kill => return Err(Failure::cancelled()),
        }
    }
}

/// What the reason for an answer's end means for the item.
fn verdict(progress: &Progress) -> Result<(), Failure> {
    match progress.finish.as_deref() {
        Some("length") => Err(Failure::new(
            code::MODEL_LENGTH,
            "the answer is cut: it has reached the server's bound of tokens (openai.max_tokens, or the model's own)",
        )),
        Some("content_filter") => Err(Failure::new(
            code::MODEL_FILTERED,
            "the server's content filter has withheld the answer or its rest",
        )),
        Some("tool_calls" | "function_call") if !progress.has_spoken => Err(Failure::new(
            code::MODEL_ANSWER,
            "the model asked for a tool instead of answering, and none was offered to it",
        )),
        // Each server has words of its own for a good end.
        Some(_) | None => Ok(()),
    }
}

fn given_up(failure: &Failure, tries: u32, wish: Option<Duration>) -> Failure {
    let more = match wish.filter(|wish| *wish > retry::LONGEST_WISH) {
        Some(wish) => format!("; it asks to be left alone for {}", show_duration(wish)),
        None if tries > 1 => format!("; {tries} tries"),
        None => String::new(),
    };
    Failure::new(failure.code, format!("{}{more}", failure.message))
}

/// What the settings ask for is not there any more.
fn unavailable(error: &dyn std::error::Error) -> Failure {
    let cause = error.source().map_or_else(String::new, |source| format!(": {source}"));
    Failure::new(code::ADAPTER_UNAVAILABLE, format!("{error}{cause}"))
}

/// A number between 0 and 1.
fn random() -> f64 {
    let mut byte = [0];
    // Without randomness many would come back at once, which is no reason to fail.
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}
