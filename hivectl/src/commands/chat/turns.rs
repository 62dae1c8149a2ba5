//! The turns of a conversation as a person sees them: one speaks at a time, the others wait below it.

mod turn;

use std::collections::VecDeque;

use hive_shared::chat::{Channel, TurnEvent, TurnFrame, notice};
use hive_shared::ids::ItemId;
use hive_shared::time::Stamp;
use tokio::time::Instant;

use super::endings::ended;
use super::look::Look;
use super::requests::{Request, Requests};
use crate::output::answer::plan_lines;
use crate::output::escape::{Place, escape};
use crate::output::ink::Ink;
use crate::output::markdown::Markdown;
use crate::output::said::{More, Said};
use turn::{State, Turn};

/// How many prompts that wait are shown.
const SHOWN: usize = 3;

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

    /// What was kept is sent by now.
    pub(super) fn are_sent(&mut self) {
        for turn in self.open.iter_mut().filter(|turn| turn.state == State::Kept) {
            turn.state = State::Sent;
        }
    }

    /// How many prompts are kept, and were never sent.
    pub(super) fn unsent(&self) -> usize {
        self.open.iter().filter(|turn| turn.state == State::Kept).count()
    }

    /// The prompts that wait, about which the bot can be asked.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &ItemId> {
        self.open.iter().filter(|turn| matches!(turn.state, State::Waiting { .. })).map(|turn| &turn.id)
    }

    /// A prompt was said, and sent unless it is kept until that can be done. Gives the lines that it is shown by, unless
    /// others are before it.
    pub(super) fn ask(&mut self, id: ItemId, text: String, is_sent: bool) -> Vec<String> {
        self.open.push_back(Turn::asked(id, text, is_sent));
        if self.open.len() == 1 { self.said(0) } else { Vec::new() }
    }

    pub(super) fn cancel(&mut self, id: &ItemId) {
        if let Some(turn) = self.open.iter_mut().find(|turn| turn.id == *id) {
            turn.cancelling = true;
        }
    }

    /// How many others are before a prompt by now.
    pub(super) fn is_behind(&mut self, id: &ItemId, ahead: usize) {
        if let Some(State::Waiting { ahead: known, .. }) =
            self.open.iter_mut().find(|turn| turn.id == *id).map(|turn| &mut turn.state)
        {
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
                self.open[at].accepted(state, position, reason);
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
        let shown = self.open.iter().skip(1).take(SHOWN);
        let mut lines: Vec<_> = shown.map(|turn| turn.queued(self.look.ink)).collect();
        if behind > SHOWN {
            lines.push(self.look.ink.dim(&format!("    and {} more", behind - SHOWN)));
        }
        lines
    }

    /// What goes on, in a line; nothing if nothing does.
    pub(super) fn status(&self, now: Instant) -> Option<String> {
        let turn = self.open.front()?;
        match self.requests.oldest() {
            Some(request) if !turn.cancelling => Some(request.invitation()),
            Some(_) | None => Some(turn.status(&self.look.bot, self.speech.is_growing(), now)),
        }
    }

    fn happened(&mut self, event: TurnEvent) -> Vec<String> {
        let ink = self.look.ink;
        match event {
            TurnEvent::Accepted { state, position, reason } => {
                self.open[0].accepted(state, position, reason);
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
                let line = self.open.front_mut().and_then(|turn| turn.tools.line(&call));
                let mut lines = self.end_of_speech();
                lines.extend(line.iter().flat_map(|line| self.look.laid_out(line, Ink::dim)));
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

    fn answers(&mut self) {
        if let Some(turn) = self.open.front_mut() {
            turn.answers();
        }
    }

    fn said(&self, at: usize) -> Vec<String> {
        self.open[at].said(&self.look)
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

#[cfg(test)]
mod tests;
