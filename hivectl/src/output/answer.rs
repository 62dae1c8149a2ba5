//! A chat turn as it is spoken: the answer to stdout, all that happens around it to stderr.

use hive_shared::chat::{AcceptedState, Channel, TurnEvent, WaitReason};
use hive_shared::work::Status;

use super::Printer;

/// How the answer stands on the screen.
#[derive(Debug, Default)]
pub struct Answer {
    /// Whether the last thing on stdout was not the end of a line.
    mid_line: bool,
}

impl Answer {
    /// Shows what happened in the turn.
    pub fn show(&mut self, event: &TurnEvent, out: &mut Printer) {
        match event {
            TurnEvent::Accepted { state: AcceptedState::Started, .. } | TurnEvent::ResponseStart => {}
            TurnEvent::Accepted { state: AcceptedState::Queued, position, reason } => {
                let ahead = position.map(|p| format!(" (place {p})")).unwrap_or_default();
                let why = reason.map_or("the bot is busy", wait_reason);
                self.notice(&format!("waiting{ahead}: {why}"), out);
            }
            TurnEvent::ResponseChunk { content, channel: Channel::Text } => {
                out.foreign(content);
                self.mid_line = !content.ends_with('\n') && (self.mid_line || !content.is_empty());
            }
            TurnEvent::ResponseChunk { content, channel: Channel::Thought } => {
                out.detail(&format!("thought: {content}"));
            }
            TurnEvent::ToolCall { call } => out.detail(&format!("tool: {}", summary(call))),
            TurnEvent::Plan { entries } => out.detail(&format!("plan: {}", summary(entries))),
            TurnEvent::ApprovalRequest { approval_id, title, options, .. } => {
                let options: Vec<_> = options.iter().map(|o| format!("{} ({})", o.id, o.name)).collect();
                self.notice(&format!("the agent asks: {title} [{approval_id}: {}]", options.join(", ")), out);
            }
            TurnEvent::Notice { message, .. } => self.notice(message, out),
            TurnEvent::ResponseComplete { status, error, error_code, .. } => {
                self.end(out);
                if *status != Status::Completed {
                    // That what was cancelled was cancelled is no news.
                    let error = error.as_ref().filter(|_| error_code.as_deref() != Some(status.as_str()));
                    let why = error.map(|e| format!(": {e}")).unwrap_or_default();
                    out.notice(&format!("the answer is {status}{why}"));
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

/// What an adapter tells is of its own shape; a title or a name is what people can use.
fn summary(value: &serde_json::Value) -> String {
    let named = ["title", "name", "kind"].iter().find_map(|key| value.get(key)?.as_str());
    named.map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::tests::printer;
    use super::*;

    fn chunk(content: &str) -> TurnEvent {
        TurnEvent::ResponseChunk { content: content.into(), channel: Channel::Text }
    }

    #[test]
    fn a_file_gets_the_answer_alone_and_a_person_whole_lines() {
        let notice = TurnEvent::Notice { code: "slow".into(), message: "still thinking".into() };
        for (terminal, expected) in [(false, "one\ntwo \x1b!\n"), (true, "one\ntwo \n\\x1b!\n")] {
            let (mut out, stdout, stderr) = printer(None, terminal);
            let mut answer = Answer::default();
            for event in [&chunk("one\ntwo "), &notice, &chunk("\x1b!")] {
                answer.show(event, &mut out);
            }
            answer.end(&mut out);
            assert_eq!(stdout.text(), expected);
            assert_eq!(stderr.text(), "hivectl: still thinking\n");
        }
    }
}
