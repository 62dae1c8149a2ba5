//! One turn of a conversation: what was asked, and how it stands.

use std::time::Duration;

use hive_shared::chat::{AcceptedState, TurnEvent, WaitReason};
use hive_shared::ids::ItemId;
use hive_shared::time::show_duration;
use tokio::time::Instant;

use crate::commands::chat::look::Look;
use crate::output::answer::{ToolLines, wait_reason};
use crate::output::escape::{Place, escape};
use crate::output::ink::Ink;
use crate::output::wrap::words;

/// How many rows of a prompt stay above its answer; whoever said more knows it.
const LONGEST_PROMPT: usize = 30;

/// A turn that is not over.
pub(super) struct Turn {
    pub(super) id: ItemId,
    text: String,
    asked: Instant,
    pub(super) state: State,
    pub(super) cancelling: bool,
    /// What it said while another had the word.
    pub(super) held: Vec<TurnEvent>,
    pub(super) tools: ToolLines,
}

/// Where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is kept until it can be sent.
    Kept,
    /// The bot has not said that it has it.
    Sent,
    /// It waits behind so many others.
    Waiting { ahead: usize, reason: Option<WaitReason> },
    /// It has the slot, since then.
    Answering { since: Instant },
}

impl Turn {
    /// One that begins.
    pub(super) fn asked(id: ItemId, text: String, is_sent: bool) -> Self {
        Self {
            id,
            text,
            asked: Instant::now(),
            state: if is_sent { State::Sent } else { State::Kept },
            cancelling: false,
            held: Vec::new(),
            tools: ToolLines::default(),
        }
    }

    /// The bot has it.
    pub(super) fn accepted(
        &mut self,
        state: AcceptedState,
        place: Option<usize>,
        reason: Option<WaitReason>,
    ) {
        if matches!(self.state, State::Answering { .. }) {
            return;
        }
        self.state = match state {
            AcceptedState::Started => State::Answering { since: Instant::now() },
            AcceptedState::Queued => {
                // Whoever is first waits for a turn that runs.
                let running = usize::from(reason == Some(WaitReason::ChatAhead));
                State::Waiting { ahead: place.unwrap_or(1).saturating_sub(1) + running, reason }
            }
        };
    }

    /// The bot speaks.
    pub(super) fn answers(&mut self) {
        if !matches!(self.state, State::Answering { .. }) {
            self.state = State::Answering { since: Instant::now() };
        }
    }

    /// The prompt as it stays above its answer.
    pub(super) fn said(&self, look: &Look) -> Vec<String> {
        let ink = look.ink;
        let room = look.columns.saturating_sub(2).max(1);
        let rows = self.text.lines().flat_map(|line| words(&escape(line, Place::Line), room));
        let rows: Vec<_> = rows.collect();
        let shown = rows.iter().take(LONGEST_PROMPT).enumerate().map(|(index, row)| {
            let mark = if index == 0 { ink.cyan(">") } else { " ".to_owned() };
            if row.is_empty() { mark } else { format!("{mark} {}", ink.bold(row)) }
        });
        let mut lines: Vec<_> = shown.collect();
        if rows.len() > LONGEST_PROMPT {
            lines.push(ink.dim(&format!("  … and {} lines more", rows.len() - LONGEST_PROMPT)));
        }
        lines.push(String::new());
        lines
    }

    /// The prompt as it is shown while others are before it.
    pub(super) fn queued(&self, ink: Ink) -> String {
        let end = if self.cancelling { "being cancelled" } else { "waits" };
        ink.dim(&format!("  > {} ({end})", first_line(&self.text)))
    }

    /// What goes on, in a line.
    pub(super) fn status(&self, bot: &str, speaks: bool, now: Instant) -> String {
        let passed = |since: Instant| show_whole(now.saturating_duration_since(since));
        if self.cancelling {
            return format!("cancelling · {} · Ctrl-C again leaves", passed(self.asked));
        }
        match self.state {
            State::Kept | State::Sent => format!("sending · {}", passed(self.asked)),
            State::Waiting { ahead, reason } => {
                format!("{} · {} · Ctrl-C cancels", waits(bot, ahead, reason), passed(self.asked))
            }
            State::Answering { since } => {
                let what = if speaks { "answers" } else { "is working" };
                format!("{bot} {what} · {} · Ctrl-C cancels", passed(since))
            }
        }
    }
}

/// Why a prompt waits, in words.
fn waits(bot: &str, ahead: usize, reason: Option<WaitReason>) -> String {
    match (reason, ahead) {
        (Some(WaitReason::ChatAhead) | None, 0 | 1) => "waiting: 1 prompt ahead of you".to_owned(),
        (Some(WaitReason::ChatAhead) | None, ahead) => format!("waiting: {ahead} prompts ahead of you"),
        (Some(WaitReason::Paused), _) => format!("waiting: {bot} is paused, /resume lets it go on"),
        (Some(reason), 0) => format!("waiting: {}", wait_reason(reason)),
        (Some(reason), 1) => format!("waiting: {}, 1 prompt ahead of you", wait_reason(reason)),
        (Some(reason), ahead) => format!("waiting: {}, {ahead} prompts ahead of you", wait_reason(reason)),
    }
}

fn first_line(text: &str) -> String {
    let mut lines = text.lines();
    let first = escape(lines.next().unwrap_or_default(), Place::Line);
    if lines.next().is_some() { format!("{first} …") } else { first }
}

/// A time that is told again and again, in whole seconds.
fn show_whole(time: Duration) -> String {
    match time.as_secs() {
        secs @ 0..=9 => format!("{secs}s"),
        secs => show_duration(Duration::from_secs(secs)),
    }
}
