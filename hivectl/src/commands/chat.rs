//! `hivectl chat`.

use std::io::{BufRead, IsTerminal};

use hive_shared::api::PauseRequest;
use hive_shared::chat::TurnEvent;
use hive_shared::client::{Chat, ChatEvent};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::time::Stamp;
use hive_shared::work::WhenBusy;
use tokio::sync::mpsc;

use super::spoken;
use super::status::{Row, table};
use crate::error::{Exit, Failure};
use crate::fleet::Fleet;
use crate::interrupt::Interrupts;
use crate::output::Printer;
use crate::output::answer::Answer;

const HELP: &str = "\
/cancel   end the answer that comes (as Ctrl-C does)
/status   show how the bot is
/pause    let nothing new start; /resume lifts it
/new      begin a new conversation
/quit     leave (as Ctrl-D does)
";

const EXAMPLES: &str = "\
Examples:
  hivectl chat BOT-002
  hivectl chat BOT-002 --session review";

/// Talk with a bot, line by line
///
/// Ctrl-C cancels the answer that comes; once more leaves. /help lists the commands.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The bot
    #[arg(value_name = "BOT")]
    pub bot: BotId,
    /// The conversation to go on with, instead of your own
    #[arg(long, value_name = "NAME", conflicts_with = "new")]
    pub session: Option<String>,
    /// Begin a new conversation
    #[arg(long)]
    pub new: bool,
}

/// Talks until the user leaves.
pub async fn run(
    args: Args,
    fleet: &Fleet,
    out: &mut Printer,
    interrupts: &mut Interrupts,
) -> Result<Exit, Failure> {
    let client = fleet.client(&args.bot).await?;
    let session = if args.new { Some(new_session()) } else { args.session };
    let mut talk = Talk {
        bot: args.bot,
        chat: Chat::new(client),
        session,
        answer: Answer::default(),
        open: Vec::new(),
        cancelling: false,
        is_person: std::io::stdin().is_terminal(),
    };
    let mut lines = stdin_lines();
    let mut at_end = false;
    loop {
        if at_end && talk.open.is_empty() {
            talk.chat.close().await;
            return Ok(Exit::Done);
        }
        // A person may say the next thing while the bot speaks; a script's next line may depend on the answer.
        let listens = !at_end && (talk.is_person || talk.open.is_empty());
        tokio::select! {
            event = talk.chat.next() => {
                let event = event.map_err(|error| spoken::socket_failure(&talk.bot, error))?;
                talk.hear(event, out);
            }
            line = lines.recv(), if listens => match line {
                None => at_end = true,
                Some(line) => match talk.say(line.trim(), out).await {
                    Said::GoOn => {}
                    Said::Leave => {
                        talk.chat.close().await;
                        return Ok(Exit::Done);
                    }
                },
            },
            () = interrupts.next() => match talk.open.first().cloned() {
                Some(id) if !talk.cancelling => {
                    talk.cancelling = true;
                    talk.answer.notice("cancelling; once more to leave", out);
                    talk.chat.cancel(&id).await;
                }
                Some(_) | None => {
                    talk.answer.end_line(out);
                    return Ok(Exit::Interrupted);
                }
            },
        }
    }
}

struct Talk {
    bot: BotId,
    chat: Chat,
    session: Option<String>,
    answer: Answer,
    /// The prompts that are not answered yet, in order.
    open: Vec<ItemId>,
    /// Whether the first of them is being cancelled.
    cancelling: bool,
    is_person: bool,
}

/// What a line was.
enum Said {
    GoOn,
    Leave,
}

impl Talk {
    fn hear(&mut self, event: ChatEvent, out: &mut Printer) {
        match event {
            ChatEvent::Connected(hello) => {
                if self.is_person && self.open.is_empty() {
                    out.notice(&format!(
                        "{} listens ({}); /help lists the commands",
                        self.bot, hello.adapter
                    ));
                }
                self.invite(out);
            }
            ChatEvent::Disconnected(reason) => {
                self.answer.notice(&format!("{} does not answer ({reason}); trying again", self.bot), out);
            }
            ChatEvent::Refused { id, message, .. } => {
                self.answer.notice(&message, out);
                if let Some(id) = id.filter(|id| !self.chat.has(id)) {
                    self.is_over(&id, out);
                }
            }
            ChatEvent::Frame(frame) => {
                self.answer.show(&frame, out);
                if matches!(frame.event, TurnEvent::ResponseComplete { .. }) {
                    self.is_over(&frame.id, out);
                }
            }
        }
    }

    fn is_over(&mut self, id: &ItemId, out: &mut Printer) {
        self.cancelling &= self.open.first() != Some(id);
        self.open.retain(|open| open != id);
        self.invite(out);
    }

    /// Shows a person that it is their turn.
    fn invite(&mut self, out: &mut Printer) {
        if self.is_person && self.open.is_empty() && out.is_terminal() {
            self.answer.end_line(out);
            out.result("> ");
        }
    }

    async fn say(&mut self, line: &str, out: &mut Printer) -> Said {
        match line {
            "" => {}
            "/quit" | "/exit" => return Said::Leave,
            "/help" => out.result(HELP),
            "/new" => {
                self.session = Some(new_session());
                out.notice("a new conversation begins");
            }
            "/cancel" => match self.open.first().cloned() {
                Some(id) => self.chat.cancel(&id).await,
                None => out.notice("there is nothing to cancel"),
            },
            "/status" | "/pause" | "/resume" => self.control(line, out).await,
            command if command.starts_with('/') => out.notice("there is no such command; /help lists them"),
            message => {
                let prompt = spoken::prompt(message.to_owned(), self.session.clone(), WhenBusy::Auto);
                self.open.push(self.chat.prompt(prompt).await);
                return Said::GoOn;
            }
        }
        self.invite(out);
        Said::GoOn
    }

    async fn control(&mut self, command: &str, out: &mut Printer) {
        let Some(client) = self.chat.client() else {
            return out.notice(&format!("{} does not answer", self.bot));
        };
        let status = match command {
            "/pause" => client.pause(&PauseRequest::default()).await,
            "/resume" => client.resume().await,
            _ => client.status().await,
        };
        match status {
            Ok(status) => out.many(&[Row::Up(Box::new(status))], table),
            Err(error) => out.notice(&error.to_string()),
        }
    }
}

fn new_session() -> String {
    ItemId::generate("session", Stamp::now().timestamp()).to_string()
}

/// The lines of stdin. They are read in a thread of their own, which nothing waits for: a terminal cannot be asked to
/// stop reading.
fn stdin_lines() -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if send.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receive
}
