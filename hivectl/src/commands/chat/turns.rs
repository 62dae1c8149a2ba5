//! The turns of a conversation as a person sees them: one speaks at a time, the others wait below it.

use std::collections::VecDeque;
use std::time::Duration;

use hive_shared::chat::{AcceptedState, Channel, TurnEvent, TurnFrame, WaitReason, notice};
use hive_shared::ids::ItemId;
use hive_shared::time::{Stamp, show_duration};
use tokio::time::Instant;

use super::endings::ended;
use super::requests::{Request, Requests};
use crate::output::answer::{plan_lines, tool_line, wait_reason};
use crate::output::escape::{Place, escape};
use crate::output::ink::Ink;
use crate::output::markdown::Markdown;
use crate::output::said::{More, Said};
use crate::output::wrap::words;

/// How many prompts that wait are shown.
const SHOWN: usize = 3;

/// How many rows of a prompt stay above its answer; whoever said more knows it.
const LONGEST_PROMPT: usize = 30;

/// What everything is shown by.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) bot: String,
    pub(super) ink: Ink,
    /// Whether thoughts are shown.
    pub(super) verbose: bool,
    pub(super) columns: usize,
}

impl Look {
    /// A text of our own making in rows, between words.
    pub(super) fn laid_out(&self, text: &str, paint: fn(Ink, &str) -> String) -> Vec<String> {
        words(text, self.columns).iter().map(|row| paint(self.ink, row)).collect()
    }
}

/// The turns that are not over, in the order in which they speak.
pub(super) struct Turns {
    look: Look,
    open: VecDeque<Turn>,
    /// What the first of them says.
    speech: Markdown,
    said: Said,
    thought: String,
    pub(super) requests: Requests,
}

struct Turn {
    id: ItemId,
    text: String,
    asked: Instant,
    state: State,
    cancelling: bool,
    /// What it said while another had the word.
    held: Vec<TurnEvent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The bot has not said that it has it.
    Sent,
    /// It waits behind so many others.
    Waiting { ahead: usize, reason: Option<WaitReason> },
    /// It has the slot, since then.
    Answering { since: Instant },
}

impl Turns {
    pub(super) fn new(look: Look) -> Self {
        let speech = Markdown::new(look.ink, look.columns);
        Self {
            look,
            open: VecDeque::new(),
            speech,
            said: Said::default(),
            thought: String::new(),
            requests: Requests::default(),
        }
    }

    pub(super) fn resize(&mut self, columns: usize) {
        self.look.columns = columns;
        self.speech.resize(columns);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// The turn that has the word, and whether it is being cancelled.
    pub(super) fn first(&self) -> Option<(&ItemId, bool)> {
        self.open.front().map(|turn| (&turn.id, turn.cancelling))
    }

    pub(super) fn has(&self, id: &ItemId) -> bool {
        self.open.iter().any(|turn| turn.id == *id)
    }

    /// The prompts that wait, about which the bot can be asked.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &ItemId> {
        self.open.iter().filter(|turn| matches!(turn.state, State::Waiting { .. })).map(|turn| &turn.id)
    }

    /// A prompt was said. Gives the lines that it is shown by, unless others are before it.
    pub(super) fn ask(&mut self, id: ItemId, text: String) -> Vec<String> {
        let turn =
            Turn { id, text, asked: Instant::now(), state: State::Sent, cancelling: false, held: Vec::new() };
        self.open.push_back(turn);
        if self.open.len() == 1 { self.said(0) } else { Vec::new() }
    }

    pub(super) fn cancel(&mut self, id: &ItemId) {
        if let Some(turn) = self.open.iter_mut().find(|turn| turn.id == *id) {
            turn.cancelling = true;
        }
    }

    /// How many others are before a prompt by now.
    pub(super) fn is_behind(&mut self, id: &ItemId, ahead: usize) {
        let turn = self.open.iter_mut().find(|turn| turn.id == *id);
        if let Some(Turn { state: State::Waiting { ahead: known, .. }, .. }) = turn {
            *known = ahead;
        }
    }

    /// Takes what happened in a turn, and gives the lines that are finished by it.
    pub(super) fn hear(&mut self, frame: TurnFrame) -> Vec<String> {
        let Some(at) = self.open.iter().position(|turn| turn.id == frame.id) else { return Vec::new() };
        let speaks = matches!(frame.event, TurnEvent::ResponseStart | TurnEvent::ResponseChunk { .. });
        let first_waits =
            self.open.front().is_some_and(|turn| !matches!(turn.state, State::Answering { .. }));
        if at == 0 {
            return self.happened(frame.event);
        }
        match frame.event {
            // The bot has another order.
            event if speaks && first_waits => {
                let Some(turn) = self.open.remove(at) else { return Vec::new() };
                self.open.push_front(turn);
                let mut lines = self.said(0);
                lines.extend(self.happened(event));
                lines
            }
            TurnEvent::Accepted { state, position, reason } => {
                self.accepted(at, state, position, reason);
                Vec::new()
            }
            TurnEvent::ResponseComplete { status, error, error_code, .. }
                if self.open[at].held.is_empty() =>
            {
                let mut lines = self.said(at);
                lines.extend(ended(status, error.as_deref(), error_code.as_deref(), &[], None, &self.look));
                self.open.remove(at);
                self.requests.turn_is_over(&frame.id);
                lines
            }
            event => {
                self.open[at].held.push(event);
                Vec::new()
            }
        }
    }

    /// A prompt was refused.
    pub(super) fn refused(&mut self, id: &ItemId, why: &str, hint: Option<&str>) -> Vec<String> {
        let Some(at) = self.open.iter().position(|turn| turn.id == *id) else { return Vec::new() };
        let mut lines = if at == 0 { self.end_of_speech() } else { self.said(at) };
        lines.extend(self.look.laid_out(&format!("✗ {}", escape(why, Place::Line)), Ink::red));
        lines.extend(hint.iter().flat_map(|hint| self.look.laid_out(&format!("  {hint}"), Ink::dim)));
        lines.push(String::new());
        self.open.remove(at);
        self.requests.turn_is_over(id);
        if at == 0 {
            self.said = Said::default();
            lines.extend(self.next_has_the_word());
        }
        lines
    }

    /// The end of the chat: what is not finished is shown as it is.
    pub(super) fn leave(&mut self) -> Vec<String> {
        self.end_of_speech()
    }

    /// How the part of the answer looks that is not finished.
    pub(super) fn growing(&self) -> Vec<String> {
        if self.thought.is_empty() { self.speech.growing() } else { vec![self.thought_line(&self.thought)] }
    }

    /// The prompts that are not shown above yet.
    pub(super) fn queued(&self) -> Vec<String> {
        let behind = self.open.len().saturating_sub(1);
        let line = |turn: &Turn| {
            let end = if turn.cancelling { "being cancelled" } else { "waits" };
            self.look.ink.dim(&format!("  > {} ({end})", first_line(&turn.text)))
        };
        let mut lines: Vec<_> = self.open.iter().skip(1).take(SHOWN).map(line).collect();
        if behind > SHOWN {
            lines.push(self.look.ink.dim(&format!("    and {} more", behind - SHOWN)));
        }
        lines
    }

    /// What goes on, in a line; nothing if nothing does.
    pub(super) fn status(&self, now: Instant) -> Option<String> {
        let turn = self.open.front()?;
        let passed = |since: Instant| show_whole(now.saturating_duration_since(since));
        let bot = &self.look.bot;
        if turn.cancelling {
            return Some(format!("cancelling · {} · Ctrl-C again leaves", passed(turn.asked)));
        }
        if let Some(request) = self.requests.oldest() {
            return Some(request.invitation());
        }
        Some(match turn.state {
            State::Sent => format!("sending · {}", passed(turn.asked)),
            State::Waiting { ahead, reason } => {
                format!("{} · {} · Ctrl-C cancels", waits(bot, ahead, reason), passed(turn.asked))
            }
            State::Answering { since } => {
                let what = if self.speech.is_growing() { "answers" } else { "is working" };
                format!("{bot} {what} · {} · Ctrl-C cancels", passed(since))
            }
        })
    }

    fn happened(&mut self, event: TurnEvent) -> Vec<String> {
        let ink = self.look.ink;
        match event {
            TurnEvent::Accepted { state, position, reason } => {
                self.accepted(0, state, position, reason);
                Vec::new()
            }
            TurnEvent::ResponseStart => {
                self.answers();
                Vec::new()
            }
            TurnEvent::ResponseChunk { content, channel: Channel::Text } => {
                self.answers();
                let mut lines = self.end_of_thought();
                let content = match self.said.take(&content) {
                    More::New(content) => content,
                    More::Other(content) => {
                        lines.extend(self.speech.finish());
                        lines.push(ink.dim("· the answer is another than it was so far; this is all of it"));
                        content
                    }
                };
                lines.extend(self.speech.push(&content));
                lines
            }
            TurnEvent::ResponseChunk { content, channel: Channel::Thought } => self.think(&content),
            TurnEvent::ToolCall { call } => {
                let mut lines = self.end_of_speech();
                lines.extend(tool_line(&call).iter().flat_map(|line| self.look.laid_out(line, Ink::dim)));
                lines
            }
            TurnEvent::Plan { entries } => {
                let mut lines = self.end_of_speech();
                lines.extend(plan_lines(&entries).iter().flat_map(|line| self.look.laid_out(line, Ink::dim)));
                lines
            }
            TurnEvent::ApprovalRequest { approval_id, title, options, deadline } => {
                let mut lines = self.end_of_speech();
                let turn = self.open.front().map(|turn| turn.id.clone());
                let request = Request { id: approval_id, turn, title, options, deadline };
                lines.extend(request.lines(&self.look.bot, Stamp::now(), ink));
                self.requests.add(request);
                lines
            }
            TurnEvent::Notice { code, .. } if code == notice::REPLAYED => {
                self.said.comes_again();
                Vec::new()
            }
            TurnEvent::Notice { message, .. } => {
                self.look.laid_out(&format!("· {}", escape(&message, Place::Line)), Ink::dim)
            }
            TurnEvent::ResponseComplete {
                status,
                duration_seconds,
                files_modified,
                error,
                error_code,
                ..
            } => {
                let mut lines = self.end_of_speech();
                let took = Some(duration_seconds);
                lines.extend(ended(
                    status,
                    error.as_deref(),
                    error_code.as_deref(),
                    &files_modified,
                    took,
                    &self.look,
                ));
                self.said = Said::default();
                if let Some(turn) = self.open.pop_front() {
                    self.requests.turn_is_over(&turn.id);
                }
                lines.extend(self.next_has_the_word());
                lines
            }
        }
    }

    fn accepted(
        &mut self,
        at: usize,
        state: AcceptedState,
        place: Option<usize>,
        reason: Option<WaitReason>,
    ) {
        if matches!(self.open[at].state, State::Answering { .. }) {
            return;
        }
        self.open[at].state = match state {
            AcceptedState::Started => State::Answering { since: Instant::now() },
            AcceptedState::Queued => {
                // Whoever is first waits for a turn that runs.
                let running = usize::from(reason == Some(WaitReason::ChatAhead));
                State::Waiting { ahead: place.unwrap_or(1).saturating_sub(1) + running, reason }
            }
        };
    }

    fn answers(&mut self) {
        if let Some(turn) = self.open.front_mut()
            && !matches!(turn.state, State::Answering { .. })
        {
            turn.state = State::Answering { since: Instant::now() };
        }
    }

    /// The prompt as it stays above its answer.
    fn said(&self, at: usize) -> Vec<String> {
        let ink = self.look.ink;
        let room = self.look.columns.saturating_sub(2).max(1);
        let rows = self.open[at].text.lines().flat_map(|line| words(&escape(line, Place::Line), room));
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

    fn next_has_the_word(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(next) = self.open.front_mut() {
            let held = std::mem::take(&mut next.held);
            lines.extend(self.said(0));
            for event in held {
                lines.extend(self.happened(event));
            }
        }
        lines
    }

    fn think(&mut self, content: &str) -> Vec<String> {
        self.answers();
        if !self.look.verbose {
            return Vec::new();
        }
        let mut lines = self.speech.finish();
        self.thought.push_str(content);
        while let Some(end) = self.thought.find('\n') {
            let rest = self.thought.split_off(end + 1);
            let line = std::mem::replace(&mut self.thought, rest);
            lines.push(self.thought_line(line.trim_end()));
        }
        lines
    }

    fn thought_line(&self, thought: &str) -> String {
        self.look.ink.dim(&format!("· {}", escape(thought, Place::Line)))
    }

    fn end_of_thought(&mut self) -> Vec<String> {
        let thought = std::mem::take(&mut self.thought);
        if thought.is_empty() { Vec::new() } else { vec![self.thought_line(&thought)] }
    }

    fn end_of_speech(&mut self) -> Vec<String> {
        let mut lines = self.end_of_thought();
        lines.extend(self.speech.finish());
        lines
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

#[cfg(test)]
mod tests;
