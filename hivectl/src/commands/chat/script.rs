//! A conversation line by line: each line of stdin is a prompt.

use std::io::BufRead;

use hive_shared::api::PauseRequest;
use hive_shared::chat::TurnEvent;
use hive_shared::client::{Chat, ChatEvent, Client};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::work::WhenBusy;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::command::{self, About, COMMANDS, Command, Line};
use super::{errands, new_session};
use crate::commands::ask::UNCONFIRMED;
use crate::commands::spoken;
use crate::error::{Exit, Failure};
use crate::fleet::down;
use crate::interrupt::Interrupts;
use crate::output::answer::Answer;
use crate::output::ink::Ink;
use crate::output::{Format, Printer};
use crate::waiting::{FAREWELL, due};

/// Talks until stdin ends and all is answered. Of a script the exit status is that of the worst answer; a person who
/// cannot be shown a prompt that is redrawn has seen how they ended.
pub(super) async fn talk(
    client: Client,
    session: Option<String>,
    is_person: bool,
    out: &mut Printer,
    interrupts: &mut Interrupts,
) -> Result<Exit, Failure> {
    let mut talk = Talk {
        bot: client.bot().clone(),
        chat: Chat::new(client),
        session,
        answer: Answer::default(),
        open: Vec::new(),
        ends: Vec::new(),
        is_person,
    };
    let mut lines = stdin_lines();
    let (mut at_end, mut is_interrupted) = (false, false);
    // Of a script: a person sees that nothing comes, and leaves.
    let mut leave: Option<Instant> = None;
    if is_person {
        out.notice(&format!("{} listens; /help lists the commands", talk.bot));
    }
    talk.invite(out);
    loop {
        // A person goes on after what was cancelled.
        is_interrupted &= !(is_person && talk.open.is_empty());
        if at_end && talk.open.is_empty() {
            talk.chat.close().await;
            if is_interrupted {
                return Ok(Exit::Interrupted);
            }
            return Ok(if is_person { Exit::Done } else { Exit::of_many(talk.ends) });
        }
        // A person may say the next thing while the bot speaks; a script's next line may depend on the answer.
        let listens = !at_end && (is_person || talk.open.is_empty());
        tokio::select! {
            event = talk.chat.next() => {
                let event = event.map_err(|error| spoken::socket_failure(&talk.bot, error))?;
                talk.hear(event, out);
            }
            line = lines.recv(), if listens => match line.map(|line| line.map(|line| command::read(&line))) {
                None => at_end = true,
                Some(Err(failure)) => {
                    talk.ends.push(out.failure(&failure));
                    talk.invite(out);
                }
                Some(Ok(line)) => match line {
                    Line::Message(message) if message.is_empty() => talk.invite(out),
                    Line::Message(message) => {
                        if let Err(failure) = spoken::check(&message) {
                            talk.ends.push(out.failure(&failure));
                            continue;
                        }
                        let prompt = spoken::prompt(message, talk.session.clone(), WhenBusy::Auto);
                        talk.open.push(talk.chat.prompt(prompt).await);
                    }
                    Line::Command(Command::Quit) => at_end = true,
                    Line::Command(command) => {
                        let done = talk.obey(command, out).await;
                        talk.ends.push(done.unwrap_or_else(|failure| out.failure(&failure)));
                        talk.invite(out);
                    }
                    Line::Wrong(why) => {
                        talk.ends.push(out.failure(&Failure::usage(why)));
                        talk.invite(out);
                    }
                },
            },
            () = due(leave) => {
                talk.answer.notice(UNCONFIRMED, out);
                talk.answer.end_line(out);
                return Ok(Exit::Interrupted);
            }
            () = interrupts.next() => match talk.open.first().cloned() {
                Some(id) if !is_interrupted => {
                    is_interrupted = true;
                    at_end = !is_person;
                    leave = (!is_person).then(|| Instant::now() + FAREWELL);
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
    /// How the others ended.
    ends: Vec<Exit>,
    is_person: bool,
}

impl Talk {
    fn hear(&mut self, event: ChatEvent, out: &mut Printer) {
        match event {
            ChatEvent::Connected(_) => {}
            ChatEvent::Disconnected(reason) => {
                self.answer.notice(&format!("{} does not answer ({reason}); trying again", self.bot), out);
            }
            ChatEvent::Refused { id, code, message } => match id.filter(|id| !self.chat.has(id)) {
                Some(id) => {
                    self.answer.end_line(out);
                    let exit = out.failure(&spoken::refusal(&self.bot, &code, message));
                    self.is_over(&id, exit, out);
                }
                None => self.answer.notice(&message, out),
            },
            ChatEvent::Frame(frame) => {
                match out.format() {
                    Format::Table | Format::Json => self.answer.show(&frame, out),
                    Format::Ndjson => out.json_line(&frame),
                }
                if let TurnEvent::ResponseComplete { status, .. } = frame.event {
                    self.is_over(&frame.id, Exit::of_status(status), out);
                }
            }
        }
    }

    async fn obey(&mut self, command: Command, out: &mut Printer) -> Result<Exit, Failure> {
        let client = self.chat.client().cloned().ok_or_else(|| down(&self.bot))?;
        let ink = if out.format() == Format::Table { out.ink() } else { Ink { color: false } };
        let lines = match command {
            Command::Help => {
                let about = |about: &About| format!("{} {}: {}", about.name, about.takes, about.does);
                COMMANDS.iter().map(about).collect()
            }
            Command::New => {
                self.session = Some(new_session());
                Vec::new()
            }
            Command::Session(name) => {
                self.session = name.or(self.session.take());
                Vec::new()
            }
            Command::Cancel(id) => match id.or_else(|| self.open.first().cloned()) {
                Some(id) => errands::cancel(client, id).await?,
                None => return Err(Failure::usage("there is nothing to cancel")),
            },
            Command::Answer { allow, id, option } => errands::answer(client, allow, id, option).await?,
            Command::Pause(reason) => {
                let request = PauseRequest { reason, ..PauseRequest::default() };
                errands::standing(client.pause(&request).await, ink)?
            }
            Command::Resume => errands::standing(client.resume().await, ink)?,
            Command::Interrupt => errands::standing(client.interrupt().await, ink)?,
            Command::Status => errands::standing(client.status().await, ink)?,
            Command::Tasks => errands::tasks(client, ink).await?,
            // Whoever leaves is gone by now.
            Command::Quit => Vec::new(),
        };
        self.answer.end_line(out);
        for line in lines {
            match out.format() {
                Format::Table | Format::Json => out.result(&format!("{line}\n")),
                // A program that reads frames gets nothing else.
                Format::Ndjson => out.instead(&format!("{line}\n")),
            }
        }
        Ok(Exit::Done)
    }

    fn is_over(&mut self, id: &ItemId, exit: Exit, out: &mut Printer) {
        self.open.retain(|open| open != id);
        self.ends.push(exit);
        self.invite(out);
    }

    /// Shows a person that it is their turn.
    fn invite(&mut self, out: &mut Printer) {
        if self.is_person && self.open.is_empty() && out.is_terminal() && out.format() == Format::Table {
            self.answer.end_line(out);
            out.result("> ");
        }
    }
}

/// The lines of stdin, those that are no text among them. They are read in a thread of their own, which nothing waits
/// for: a terminal cannot be asked to stop reading.
fn stdin_lines() -> mpsc::Receiver<Result<String, Failure>> {
    let (send, receive) = mpsc::channel(1);
    std::thread::spawn(move || {
        for (index, bytes) in std::io::stdin().lock().split(b'\n').enumerate() {
            let is_over = bytes.is_err();
            let line = match bytes {
                Ok(bytes) => String::from_utf8(bytes)
                    .map_err(|_| Failure::usage(format!("line {} is not UTF-8", index + 1))),
                Err(error) => Err(Failure::usage(format!("stdin cannot be read: {error}"))),
            };
            if send.blocking_send(line).is_err() || is_over {
                break;
            }
        }
    });
    receive
}
