//! One prompt, from its words to its answer: what comes meanwhile, and how it is cut short.

use std::collections::HashMap;
use std::time::Duration;

use agent_client_protocol::{Error, v1};
use hive_shared::api::code;
use hive_shared::chat::{ApprovalOption, notice};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::super::process::RollCall;
use super::super::{Answer, Control, Failure, Question, Report};
use super::agent::is_gone;
use super::client::{Event, Events, cancelled};
use super::run::RunOfAgent;
use super::session::Opened;

/// How often an agent is asked again to cancel: one that has only just begun may not have listened.
const ASK_AGAIN: Duration = Duration::from_millis(300);

/// How long an agent may take to give way before its process is ended, which keeps the session. The coordinator's own
/// patience, after which the task would be over, is a second more.
const GIVE_WAY_LIMIT: Duration = Duration::from_secs(4);

/// How many events that came before a control are looked at first.
const CAUGHT_UP: usize = 10_000;

/// How a prompt came to rest.
pub(super) enum Settled {
    Over(Result<(), Failure>),
    /// It was cut short, and the run is to wait.
    GaveWay,
    /// It was cut short, and the run was resumed meanwhile.
    GoesOn,
}

/// A prompt under way.
pub(super) struct Prompt<'a> {
    run: &'a mut RunOfAgent,
    opened: &'a Opened,
    events: Events,
    stance: Stance,
    asked: HashMap<u64, Open>,
    /// Whether a question was answered with no.
    was_denied: bool,
}

/// What is wanted of the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stance {
    Running,
    /// It is to give way; and whether it is to go on at once then.
    Suspending {
        give_up_at: Instant,
        goes_on: bool,
    },
    Ending,
}

/// A question that is open.
struct Open {
    responder: v1::Responder,
    options: Vec<ApprovalOption>,
    /// Sees whether the agent takes it back.
    _watch: AbortOnDropHandle<()>,
}

impl<'a> Prompt<'a> {
    pub(super) fn new(run: &'a mut RunOfAgent, opened: &'a Opened) -> Self {
        let events = opened.agent.listen(&opened.id);
        let stance = Stance::Running;
        Self { run, opened, events, stance, asked: HashMap::new(), was_denied: false }
    }

    pub(super) async fn run(mut self, words: String) -> Settled {
        let agent = &self.opened.agent;
        // Beside the prompt, not before it: an agent starts no tool as fast as that.
        let household = agent.household;
        let present: JoinHandle<RollCall> = tokio::spawn(household.roll_call());
        let params = json!({"sessionId": self.opened.id, "prompt": [{"type": "text", "text": words}]});
        agent.prompt(params, &self.events);
        let settled = self.until_settled().await;
        for (_, open) in self.asked.drain() {
            let _ = open.responder.respond(cancelled());
        }
        if self.stance != Stance::Running
            && let Ok(present) = present.await
            && self.opened.agent.is_alive()
        {
            household.dismiss_since(&present).await;
        }
        // It may have been resumed while the tools were being ended.
        settled
    }

    async fn until_settled(&mut self) -> Settled {
        let mut ask_again = Instant::now();
        loop {
            let agent = &self.opened.agent;
            let is_cancelling = self.stance != Stance::Running;
            let give_up_at = match self.stance {
                Stance::Suspending { give_up_at, .. } => Some(give_up_at),
                Stance::Running | Stance::Ending => None,
            };
            tokio::select! {
                event = self.events.next() => {
                    if let Some(answer) = self.happened(event) {
                        return self.settled(answer).await;
                    }
                }
                control = self.run.controls.next() => {
                    if control == Control::Suspend && self.stance == Stance::Running {
                        // It may be over already.
                        if let Some(answer) = self.catch_up() {
                            return self.settled(answer).await;
                        }
                    }
                    if self.obey(control) {
                        ask_again = Instant::now() + ASK_AGAIN;
                    }
                }
                failure = agent.died() => return self.lost(failure).await,
                () = sleep_until(ask_again), if is_cancelling => {
                    self.cancel();
                    ask_again = Instant::now() + ASK_AGAIN;
                }
                () = sleep_until(give_up_at.unwrap_or(ask_again)), if give_up_at.is_some() => {
                    tracing::warn!("the agent does not give way and is ended; its session goes on in another process");
                    agent.kill();
                    let failure = agent.died().await;
                    return self.lost(failure).await;
                }
            }
        }
    }

    fn catch_up(&mut self) -> Option<Result<Value, Error>> {
        for _ in 0..CAUGHT_UP {
            let event = self.events.waiting()?;
            if let Some(answer) = self.happened(event) {
                return Some(answer);
            }
        }
        None
    }

    /// Takes in an event; gives the prompt's answer if it is that.
    fn happened(&mut self, event: Event) -> Option<Result<Value, Error>> {
        match event {
            Event::Update(update) => {
                self.run.updates.take(&update, &self.run.turn);
            }
            Event::LeftOut(bytes) => {
                let message = format!("an update of {bytes} bytes was left out: that is more than is taken");
                self.run.turn.warn(notice::LEFT_OUT, message);
            }
            Event::Asked(request, responder) => self.ask(&request, responder),
            Event::Withdrawn(key) => {
                if let Some(open) = self.asked.remove(&key) {
                    let _ = open.responder.respond_with_error(Error::request_cancelled());
                    self.run.reporter.report(Report::Unasked(key));
                }
            }
            Event::Wrote(path) => self.run.updates.file(&path),
            Event::Settled(answer) => return Some(answer),
        }
        None
    }

    /// Does what is asked; gives whether the agent was asked to cancel just now.
    fn obey(&mut self, control: Control) -> bool {
        match (control, self.stance) {
            (Control::Suspend, Stance::Running) => {
                let give_up_at = Instant::now() + GIVE_WAY_LIMIT;
                self.stance = Stance::Suspending { give_up_at, goes_on: false };
                self.cancel();
                return true;
            }
            (Control::Suspend, Stance::Suspending { give_up_at, .. }) => {
                self.stance = Stance::Suspending { give_up_at, goes_on: false };
            }
            (Control::Resume, Stance::Suspending { give_up_at, .. }) => {
                self.stance = Stance::Suspending { give_up_at, goes_on: true };
            }
            (Control::Suspend, Stance::Ending) | (Control::Resume, Stance::Running | Stance::Ending) => {}
            (Control::Cancel, _) => {
                self.stance = Stance::Ending;
                self.cancel();
                return true;
            }
            (Control::Terminate, _) => {
                self.stance = Stance::Ending;
                self.opened.agent.terminate();
            }
            (Control::Kill, _) => {
                self.stance = Stance::Ending;
                self.opened.agent.kill();
            }
            (Control::Answer(answer), _) => self.answer(&answer),
        }
        false
    }

    /// Asks the agent to cancel. Some do not before their open questions are answered.
    fn cancel(&mut self) {
        self.opened.agent.tell("session/cancel", json!({"sessionId": self.opened.id}));
        for (_, open) in self.asked.drain() {
            let _ = open.responder.respond(cancelled());
        }
    }

    fn ask(&mut self, request: &Value, responder: v1::Responder) {
        let call = self.run.updates.tool_call(&request["toolCall"], &self.run.turn);
        if self.stance != Stance::Running {
            let _ = responder.respond(cancelled());
            return;
        }
        let options: Vec<ApprovalOption> = request["options"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|option| {
                let text = |name: &str| option[name].as_str().map(str::to_owned);
                let (id, kind) = (text("optionId")?, text("kind")?);
                Some(ApprovalOption { name: text("name").unwrap_or_else(|| id.clone()), id, kind })
            })
            .collect();
        self.run.last_key += 1;
        let key = self.run.last_key;
        let (cancellation, sender) = (responder.cancellation(), self.events.sender.clone());
        let watch = AbortOnDropHandle::new(tokio::spawn(async move {
            cancellation.cancelled().await;
            let _ = sender.send(Event::Withdrawn(key));
        }));
        let question = Question {
            key,
            locations: call.paths(),
            more_locations: call.more_places(),
            title: call.title.or_else(|| call.kind.clone()).unwrap_or_else(|| "use a tool".to_owned()),
            kind: call.kind,
            options: options.clone(),
        };
        self.asked.insert(key, Open { responder, options, _watch: watch });
        self.run.reporter.report(Report::Asked(question));
    }

    /// Hands an answer on. One that comes too late is no harm.
    fn answer(&mut self, answer: &Answer) {
        let Some(open) = self.asked.remove(&answer.key) else { return };
        let chosen =
            answer.option.as_ref().and_then(|id| open.options.iter().find(|option| option.id == *id));
        self.was_denied |= chosen.is_none_or(|option| option.kind.starts_with("reject"));
        let outcome = match chosen {
            Some(option) => json!({"outcome": {"outcome": "selected", "optionId": option.id}}),
            None => cancelled(),
        };
        let _ = open.responder.respond(outcome);
    }

    async fn settled(&mut self, answer: Result<Value, Error>) -> Settled {
        if let Err(error) = &answer
            && is_gone(error)
        {
            let failure = self.opened.agent.died().await;
            return self.lost(failure).await;
        }
        self.answered(answer).await
    }

    async fn answered(&mut self, answer: Result<Value, Error>) -> Settled {
        if let Ok(answer) = &answer {
            self.run.updates.cost(&answer["usage"]);
        }
        match self.stance {
            Stance::Running => Settled::Over(self.verdict(answer).await),
            // Whatever it answers to a cancel: some say that they were at their end.
            Stance::Suspending { goes_on, .. } => rest(goes_on),
            Stance::Ending => Settled::Over(Err(Failure::cancelled())),
        }
    }

    /// The agent has died. All that it had said is in line by then, and counts, also its answer.
    async fn lost(&mut self, failure: Failure) -> Settled {
        while let Some(event) = self.events.waiting() {
            if let Some(answer @ Ok(_)) = self.happened(event) {
                return self.answered(answer).await;
            }
        }
        match self.stance {
            Stance::Running => Settled::Over(Err(failure)),
            Stance::Suspending { goes_on, .. } => rest(goes_on),
            Stance::Ending => Settled::Over(Err(Failure::cancelled())),
        }
    }

    /// What the end of a turn says that nobody has cut short.
    async fn verdict(&mut self, answer: Result<Value, Error>) -> Result<(), Failure> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(self.opened.agent.failure("session/prompt", &error).await),
        };
        self.run.keeper.went_well();
        let failure = |code, message: &str| Err(Failure::new(code, message));
        match answer["stopReason"].as_str() {
            Some("end_turn") => Ok(()),
            Some("max_tokens") => failure(
                code::MAX_TOKENS,
                "the agent stopped in the middle: its model has written as much as it may in one turn",
            ),
            Some("max_turn_requests") => failure(
                code::MAX_TURN_REQUESTS,
                "the agent stopped in the middle: it has asked its model as often as it may in one turn",
            ),
            Some("refusal") => failure(code::REFUSED, "the agent refuses to do this"),
            Some("cancelled") if self.was_denied => {
                failure(code::DENIED, "the agent gave up when it was denied permission")
            }
            Some("cancelled") => failure(
                code::ADAPTER_ERROR,
                "the agent says that its turn was cancelled, but nobody here did",
            ),
            other => Err(Failure::new(
                code::ADAPTER_ERROR,
                format!("the agent stopped for a reason that is not known: {}", other.unwrap_or("none")),
            )),
        }
    }
}

fn rest(goes_on: bool) -> Settled {
    if goes_on { Settled::GoesOn } else { Settled::GaveWay }
}
