//! Opening a conversation with an agent: a new one, or one of an earlier life.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hive_shared::api::code;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::super::Failure;
use super::agent::Agent;
use super::client::{Event, Events};
use super::{Keeper, Mode};

/// How long an agent may take to open a session.
const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// How long an agent that has answered `session/load` may take to begin to replay.
const REPLAY_BEGINS: Duration = Duration::from_secs(1);

/// How long a replay pauses at most.
const REPLAY_PAUSE: Duration = Duration::from_millis(300);

/// How long a replay after the answer may take in all.
const REPLAY_LIMIT: Duration = Duration::from_secs(10);

/// A session that is open.
pub(super) struct Opened {
    pub(super) agent: Arc<Agent>,
    pub(super) id: String,
    pub(super) how: How,
}

/// How a session came to be open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    /// It was open already.
    Kept,
    /// It was loaded.
    Loaded,
    /// It is new.
    New {
        /// Why an earlier one could not be had, if there was one.
        lost: Option<String>,
    },
}

/// Opens the session that is wanted, or a new one. Giving up waiting leaves nothing open that nobody wants.
pub(super) fn open(
    keeper: Arc<Keeper>,
    wanted: Option<String>,
) -> oneshot::Receiver<Result<Opened, Failure>> {
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        let opened = opening(&keeper, wanted).await;
        if let Err(Ok(Opened { agent, id, how: How::New { .. } })) = sender.send(opened) {
            agent.close(&id);
        }
    });
    receiver
}

async fn opening(keeper: &Keeper, wanted: Option<String>) -> Result<Opened, Failure> {
    let agent = keeper.agent().await?;
    let was_in_use = agent.is_in_use();
    match open_with(keeper, agent.clone(), wanted.clone()).await {
        // It has died since it was last needed, and nobody had noticed.
        Err(failure) if was_in_use && !agent.is_alive() && !agent.was_told_to_end() => {
            tracing::warn!(%failure, "the agent is started again");
            let agent = keeper.agent().await?;
            open_with(keeper, agent, wanted).await
        }
        opened => opened,
    }
}

async fn open_with(keeper: &Keeper, agent: Arc<Agent>, wanted: Option<String>) -> Result<Opened, Failure> {
    if let Some(id) = wanted.as_ref().filter(|id| agent.has_open(id)) {
        agent.uses(id);
        return Ok(Opened { id: id.clone(), agent, how: How::Kept });
    }
    let opening = async {
        let (id, how, answer) = load_or_create(&agent, wanted, &keeper.config.workdir).await?;
        if let Some(mode) = &keeper.config.mode {
            set_mode(&agent, &id, mode, &answer).await?;
        }
        agent.uses(&id);
        Ok((id, how))
    };
    let Ok(opened) = timeout(OPEN_LIMIT, opening).await else {
        agent.kill();
        let limit = OPEN_LIMIT.as_secs();
        let message = format!("the agent did not open a session within {limit} s, and was ended");
        return Err(Failure::new(code::ADAPTER_ERROR, message));
    };
    let (id, how) = opened?;
    Ok(Opened { agent, id, how })
}

async fn load_or_create(
    agent: &Agent,
    wanted: Option<String>,
    workdir: &Path,
) -> Result<(String, How, Value), Failure> {
    let workdir = workdir.to_string_lossy();
    let lost = match wanted {
        None => None,
        Some(_) if !agent.loads_sessions => Some("the agent cannot take up earlier sessions".to_owned()),
        Some(id) => {
            // Its history comes again, and is nobody's news.
            let mut replay = agent.listen(&id);
            let params = json!({"sessionId": id, "cwd": workdir, "mcpServers": []});
            match agent.ask("session/load", params).await {
                Ok(answer) => {
                    let_pass(&mut replay).await;
                    return Ok((id, How::Loaded, answer));
                }
                Err(failure) if !agent.is_alive() || failure.code == code::LOGIN_REQUIRED => {
                    return Err(failure);
                }
                Err(failure) => Some(failure.message),
            }
        }
    };
    if let Some(why) = &lost {
        tracing::warn!(why, "an earlier session of the agent is lost, and a new one begins");
    }
    let answer = agent.ask("session/new", json!({"cwd": workdir, "mcpServers": []})).await?;
    let Some(id) = answer["sessionId"].as_str().filter(|id| !id.is_empty()) else {
        return Err(Failure::new(code::ADAPTER_ERROR, "the agent opened a session and did not say its id"));
    };
    Ok((id.to_owned(), How::New { lost }, answer))
}

/// Lets a replay pass. Some agents replay before they answer, and some after.
async fn let_pass(replay: &mut Events) {
    let mut came_before = false;
    while let Some(event) = replay.waiting() {
        came_before |= is_history(&event);
    }
    if came_before {
        return;
    }
    let end = Instant::now() + REPLAY_LIMIT;
    let mut pause = REPLAY_BEGINS;
    while let Ok(event) = timeout_at((Instant::now() + pause).min(end), replay.next()).await {
        if is_history(&event) {
            pause = REPLAY_PAUSE;
        }
    }
}

fn is_history(event: &Event) -> bool {
    let Event::Update(update) = event else { return false };
    matches!(
        update["sessionUpdate"].as_str(),
        Some(
            "user_message_chunk"
                | "agent_message_chunk"
                | "agent_thought_chunk"
                | "tool_call"
                | "tool_call_update"
        )
    )
}

/// Sets the mode of a session that was opened with `answer`.
async fn set_mode(agent: &Agent, session: &str, mode: &Mode, answer: &Value) -> Result<(), Failure> {
    let modes = &answer["modes"];
    if modes["currentModeId"].as_str() == Some(&mode.id) {
        return Ok(());
    }
    let known: Option<Vec<&str>> = modes["availableModes"]
        .as_array()
        .map(|modes| modes.iter().filter_map(|mode| mode["id"].as_str()).collect());
    let refused = match known {
        Some(known) if !known.contains(&mode.id.as_str()) => {
            Some(format!("the agent has no mode '{}'; it has {}", mode.id, known.join(", ")))
        }
        None if !mode.is_wanted => Some(format!("the agent has no modes, so not '{}' either", mode.id)),
        Some(_) | None => {
            let params = json!({"sessionId": session, "modeId": mode.id});
            match agent.ask("session/set_mode", params).await {
                Ok(_) => None,
                Err(failure) if !agent.is_alive() => return Err(failure),
                Err(failure) => Some(format!("the mode '{}' could not be set: {failure}", mode.id)),
            }
        }
    };
    match refused {
        None => Ok(()),
        Some(why) if mode.is_wanted => {
            Err(Failure::new(code::ADAPTER_ERROR, format!("{why}; correct `acp_mode`")))
        }
        Some(why) => {
            tracing::warn!(why, "the agent stays in its own mode");
            Ok(())
        }
    }
}
