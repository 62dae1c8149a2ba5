//! `hivectl ask`.

use hive_shared::chat::{Channel, TurnEvent, notice};
use hive_shared::client::{Chat, ChatEvent};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::work::{Status, WhenBusy};
use serde::Serialize;
use tokio::time::Instant;

use super::spoken;
use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, down};
use crate::input;
use crate::interrupt::Interrupts;
use crate::output::answer::Answer;
use crate::output::said::Said;
use crate::output::{Format, Printer};
use crate::waiting::{FAREWELL, PATIENCE, due};

/// What is said to somebody who leaves before what they cancelled has ended.
pub(super) const UNCONFIRMED: &str = "the bot was told, and has not ended it yet";

const EXAMPLES: &str = r#"Examples:
  hivectl ask BOT-002 "What did you change?" --session review
  git diff | hivectl ask BOT-002 -"#;

/// Ask a bot something and print its answer as it comes
///
/// Ctrl-C cancels the answer. The exit status tells how it ended.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The bot
    #[arg(value_name = "BOT")]
    pub bot: BotId,
    /// What to say; '-' reads it from stdin
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// The conversation it belongs to, instead of your own
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// What to do when the bot is busy: auto, queue, interrupt or reject
    #[arg(long, value_name = "WHAT", default_value_t = WhenBusy::Auto, hide_default_value = true)]
    pub when_busy: WhenBusy,
}

/// The answer, for programs.
#[derive(Debug, Serialize)]
struct Answered {
    bot_id: BotId,
    chat_id: ItemId,
    status: Status,
    success: bool,
    response: String,
    duration_seconds: f64,
    files_modified: Vec<String>,
    usage: Option<serde_json::Value>,
    error: Option<String>,
    error_code: Option<String>,
    response_file: Option<String>,
}

/// Asks, and ends as the answer did.
pub async fn run(
    args: Args,
    fleet: &Fleet,
    out: &mut Printer,
    interrupts: &mut Interrupts,
) -> Result<Exit, Failure> {
    let message = if args.text == "-" { from_stdin(out, interrupts).await? } else { Some(args.text) };
    let Some(message) = message else { return Ok(Exit::Interrupted) };
    if message.trim().is_empty() {
        return Err(Failure::usage("there is nothing to ask: the text is empty"));
    }
    spoken::check(&message)?;
    let mut chat = Chat::new(fleet.client(&args.bot).await?);
    let id = chat.prompt(spoken::prompt(message, args.session, args.when_busy)).await;
    let mut answer = Answer::default();
    let mut response = Said::default();
    let mut leave: Option<Instant> = None;
    let mut give_up: Option<Instant> = None;
    loop {
        let event = tokio::select! {
            event = chat.next() => event.map_err(|error| spoken::socket_failure(&args.bot, error))?,
            () = interrupts.next() => {
                if leave.is_some() {
                    answer.end(out);
                    return Ok(Exit::Interrupted);
                }
                leave = Some(Instant::now() + FAREWELL);
                answer.notice("cancelling; once more to leave at once", out);
                chat.cancel(&id).await;
                continue;
            }
            // A bot whose disk is in trouble says nothing until that is over.
            () = due(leave) => {
                answer.notice(UNCONFIRMED, out);
                answer.end(out);
                return Ok(Exit::Interrupted);
            }
            () = due(give_up) => {
                answer.end(out);
                return Err(down(&args.bot));
            }
        };
        match event {
            ChatEvent::Connected(_) => give_up = None,
            ChatEvent::Disconnected(reason) => {
                give_up = Some(Instant::now() + PATIENCE);
                answer.notice(&format!("{} does not answer ({reason}); trying again", args.bot), out);
            }
            ChatEvent::Refused { .. } if !chat.is_open() && leave.is_some() => return Ok(Exit::Interrupted),
            ChatEvent::Refused { code, message, .. } if !chat.is_open() => {
                return Err(spoken::refusal(&args.bot, &code, message));
            }
            ChatEvent::Refused { message, .. } => answer.notice(&message, out),
            ChatEvent::Frame(frame) => {
                match out.format() {
                    Format::Table => answer.show(&frame, out),
                    Format::Ndjson => out.json_line(&frame),
                    Format::Json => {}
                }
                match frame.event {
                    TurnEvent::ResponseChunk { content, channel: Channel::Text } => {
                        let _shown_by_the_answer = response.take(&content);
                    }
                    TurnEvent::Notice { code, .. } if code == notice::REPLAYED => response.comes_again(),
                    TurnEvent::ResponseComplete {
                        status,
                        success,
                        duration_seconds,
                        files_modified,
                        usage,
                        error,
                        error_code,
                        response_file,
                    } => {
                        if out.format() == Format::Json {
                            let answered = Answered {
                                bot_id: args.bot,
                                chat_id: id,
                                status,
                                success,
                                response: response.text().to_owned(),
                                duration_seconds,
                                files_modified,
                                usage,
                                error,
                                error_code,
                                response_file,
                            };
                            out.one(&answered, |_| String::new());
                        }
                        chat.close().await;
                        return Ok(if leave.is_some() { Exit::Interrupted } else { Exit::of_status(status) });
                    }
                    TurnEvent::Accepted { .. }
                    | TurnEvent::ResponseStart
                    | TurnEvent::ResponseChunk { channel: Channel::Thought, .. }
                    | TurnEvent::ToolCall { .. }
                    | TurnEvent::Plan { .. }
                    | TurnEvent::ApprovalRequest { .. }
                    | TurnEvent::Notice { .. } => {}
                }
            }
        }
    }
}

/// What is on stdin; `None` if the user left meanwhile.
async fn from_stdin(out: &mut Printer, interrupts: &mut Interrupts) -> Result<Option<String>, Failure> {
    let bytes = tokio::select! {
        read = input::stdin(u64::MAX, "write the prompt, and end it with Ctrl-D", out) => read?,
        () = interrupts.next() => return Ok(None),
    };
    let text = String::from_utf8(bytes).map_err(|_| Failure::usage("what is on stdin is not UTF-8 text"))?;
    Ok(Some(text))
}
