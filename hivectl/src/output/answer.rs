//! A chat turn as it is spoken: the answer to stdout, all that happens around it to stderr.

use std::collections::HashMap;

use hive_shared::chat::{AcceptedState, Channel, TurnEvent, TurnFrame, WaitReason, notice};
use hive_shared::ids::ItemId;
use hive_shared::step::{PlanEntry, ToolCall};
use hive_shared::work::Status;

use super::Printer;
use super::escape::{Place, escape};
use super::said::{More, Said};
use super::steps;

/// How many tool calls of a turn are remembered.
const MOST_TOOLS: usize = 1_000;

/// How the answer stands on the screen.
#[derive(Debug, Default)]
pub struct Answer {
    /// Whether the last thing on stdout was not the end of a line.
    mid_line: bool,
    /// Whose text came last: a turn may begin to speak before the end of the one before it is told.
    speaks: Option<ItemId>,
    said: Said,
    tools: ToolLines,
}

impl Answer {
    /// Shows what happened in the turn.
    pub fn show(&mut self, TurnFrame { id, event, .. }: &TurnFrame, out: &mut Printer) {
        match event {
            TurnEvent::Accepted { state: AcceptedState::Started, .. } | TurnEvent::ResponseStart => {}
            TurnEvent::Accepted { state: AcceptedState::Queued, position, reason } => {
                let ahead = position.map(|p| format!(" (place {p})")).unwrap_or_default();
                let why = reason.map_or("the bot is busy", wait_reason);
                self.notice(&format!("waiting{ahead}: {why}"), out);
            }
            TurnEvent::ResponseChunk { content, channel: Channel::Text } => {
                if self.speaks.as_ref() != Some(id) {
                    self.end(out);
                    self.speaks = Some(id.clone());
                    self.said = Said::default();
                }
                let content = match self.said.take(content) {
                    More::New(content) => content,
                    More::Other(content) => {
                        self.notice("the answer is another than it was so far; this is all of it", out);
                        self.end(out);
                        content
                    }
                };
                out.foreign(&content);
                self.mid_line = !content.ends_with('\n') && (self.mid_line || !content.is_empty());
            }
            TurnEvent::ResponseChunk { content, channel: Channel::Thought } => {
                out.detail(&format!("thought: {content}"));
            }
            TurnEvent::ToolCall { call } => self.tools.line(call).iter().for_each(|line| out.detail(line)),
            TurnEvent::Plan { entries } => plan_lines(entries).iter().for_each(|line| out.detail(line)),
            TurnEvent::ApprovalRequest { approval_id, title, options, .. } => {
                let options: Vec<_> = options.iter().map(|o| format!("{} ({})", o.id, o.name)).collect();
                self.notice(&format!("the agent asks: {title} [{approval_id}: {}]", options.join(", ")), out);
            }
            TurnEvent::Notice { code, .. }
                if code == notice::REPLAYED && self.speaks.as_ref() == Some(id) =>
            {
                self.said.comes_again();
            }
            TurnEvent::Notice { message, .. } => self.notice(message, out),
            TurnEvent::ResponseComplete { status, error, error_code, .. } => {
                if self.speaks.as_ref() == Some(id) {
                    self.end(out);
                }
                self.tools = ToolLines::default();
                if *status != Status::Completed {
                    // That what was cancelled was cancelled is no news.
                    let error = error.as_ref().filter(|_| error_code.as_deref() != Some(status.as_str()));
                    let why = error.map(|e| format!(": {e}")).unwrap_or_default();
                    out.notice(&format!("the answer ended {status}{why}"));
                }
            }
        }
    }

    /// Says something beside the answer.
    pub fn notice(&mut self, text: &str, out: &mut Printer) {
        self.end_line(out);
        out.notice(text);
    }

    /// Ends the answer: its last line ends in a newline, whoever reads it.
    pub fn end(&mut self, out: &mut Printer) {
        if std::mem::take(&mut self.mid_line) {
            out.result("\n");
        }
    }

    /// Where people look, the line ends before anything else follows; a file gets the answer alone.
    pub fn end_line(&mut self, out: &mut Printer) {
        if std::mem::take(&mut self.mid_line) && out.is_terminal() {
            out.result("\n");
        }
    }
}

/// A reason to wait in words.
pub fn wait_reason(reason: WaitReason) -> &'static str {
    match reason {
        WaitReason::Preempting => "the running task is giving way",
        WaitReason::ChatAhead => "other prompts are ahead",
        WaitReason::NearlyDone => "the running task is about to end",
        WaitReason::NotInterruptible => "the running task may not be interrupted",
        WaitReason::PreemptedTooOften => "the running task gave way too often already",
        WaitReason::AskedToQueue => "the bot is busy",
        WaitReason::Paused => "the bot is paused",
        WaitReason::Ending => "what runs is being ended",
        WaitReason::Detached => "the bot has just started",
    }
}

/// The tool calls of a turn as they were told last, by their ids.
#[derive(Debug, Default)]
pub struct ToolLines(HashMap<String, String>);

impl ToolLines {
    /// A call in a line; nothing if that says no more than what was told of it last.
    pub fn line(&mut self, call: &ToolCall) -> Option<String> {
        let line = tool_line(call)?;
        if self.0.len() >= MOST_TOOLS {
            self.0.clear();
        }
        let before = self.0.insert(call.id.clone(), line.clone());
        (before.as_ref() != Some(&line)).then_some(line)
    }
}

/// A tool call in a line, which says of its status only that it failed: the line is one of many about the call.
fn tool_line(call: &ToolCall) -> Option<String> {
    let failed = if call.status == "failed" { ": failed" } else { "" };
    let line = || escape(&format!("{}{failed}", steps::titled(call)), Place::Line);
    (!call.title.is_empty()).then(line)
}

/// A plan, a line for each of its entries.
pub fn plan_lines(entries: &[PlanEntry]) -> Vec<String> {
    steps::plan(entries).iter().map(|line| escape(line, Place::Line)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::printer;
    use super::*;

    fn frame(id: &str, event: TurnEvent) -> TurnFrame {
        TurnFrame { id: ItemId::parse(id).unwrap(), n: 1, event }
    }

    fn chunk(id: &str, content: &str) -> TurnFrame {
        frame(id, TurnEvent::ResponseChunk { content: content.into(), channel: Channel::Text })
    }

    fn complete(id: &str) -> TurnFrame {
        let json = r#"{"type":"response_complete","status":"completed","success":true,"duration_seconds":1.0,"files_modified":[],"usage":null,"error":null,"error_code":null,"response_file":null}"#;
        frame(id, serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_file_gets_the_answer_alone_and_a_person_whole_lines() {
        let notice = frame("A", TurnEvent::Notice { code: "slow".into(), message: "still thinking".into() });
        for (terminal, expected) in [(false, "one\ntwo \x1b!\n"), (true, "one\ntwo \n\\x1b!\n")] {
            let (mut out, stdout, stderr) = printer(None, terminal);
            let mut answer = Answer::default();
            for event in [&chunk("A", "one\ntwo "), &notice, &chunk("A", "\x1b!")] {
                answer.show(event, &mut out);
            }
            answer.end(&mut out);
            assert_eq!(stdout.text(), expected);
            assert_eq!(stderr.text(), "hivectl: still thinking\n");
        }
    }

    #[test]
    fn an_answer_that_comes_once_more_is_not_shown_twice() {
        let again = frame("A", TurnEvent::Notice { code: notice::REPLAYED.into(), message: "again".into() });
        let (mut out, stdout, stderr) = printer(None, false);
        let mut answer = Answer::default();
        for event in [chunk("A", "one "), again, chunk("A", "one two"), complete("A")] {
            answer.show(&event, &mut out);
        }
        assert_eq!((stdout.text().as_str(), stderr.text().as_str()), ("one two\n", ""));
    }

    #[test]
    fn tools_and_plans_are_told_in_lines() {
        let call = r#"{"title": "Read\u001b a.rs", "kind": "read", "status": "failed"}"#;
        let call: ToolCall = serde_json::from_str(call).unwrap();
        assert_eq!(tool_line(&call).as_deref(), Some("→ Read\\x1b a.rs (read): failed"));
        assert_eq!(tool_line(&ToolCall::default()), None);
        let mut lines = ToolLines::default();
        let told = [&call, &call, &ToolCall { id: "2".into(), ..call.clone() }].map(|call| lines.line(call));
        assert_eq!(told.map(|line| line.is_some()), [true, false, true], "the same twice is told once");
        let plan = r#"[{"content": "look\u001b", "status": "completed"}, {"content": "mend"}]"#;
        let plan: Vec<PlanEntry> = serde_json::from_str(plan).unwrap();
        assert_eq!(plan_lines(&plan), ["plan:", "  ✓ look\\x1b", "  · mend"]);
        assert!(plan_lines(&[]).is_empty());
    }

    #[test]
    fn a_turn_that_speaks_before_the_last_one_is_over_has_a_line_of_its_own() {
        let (mut out, stdout, _) = printer(None, false);
        let mut answer = Answer::default();
        for event in
            [chunk("A", "one"), chunk("B", "two "), complete("A"), chunk("B", "three"), complete("B")]
        {
            answer.show(&event, &mut out);
        }
        assert_eq!(stdout.text(), "one\ntwo three\n");
    }
}
