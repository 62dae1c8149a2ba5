//! What the commands of a conversation do.

use hive_shared::api::PauseRequest;
use hive_shared::client::Client;
use hive_shared::ids::ItemId;

use super::command::{COMMANDS, Command, KEYS};
use super::person::{News, Talk};
use super::requests::Answered;
use super::{errands, new_session};
use crate::error::Failure;
use crate::output::escape::{Place, escape};
use crate::output::ink::Ink;

impl Talk {
    /// Does what a command asks for.
    pub(super) async fn obey(&mut self, command: Command) {
        match command {
            Command::Help => self.help(),
            Command::New => {
                self.session = Some(new_session());
                self.notice("a new conversation begins");
            }
            Command::Session(None) => match self.session.clone() {
                Some(session) => self.notice(&format!("this is the session {session}")),
                None => self.notice("this is your own session"),
            },
            Command::Session(Some(session)) => {
                self.notice(&format!("going on with the session {session}"));
                self.session = Some(session);
            }
            Command::Cancel(named) => {
                let id = named.or_else(|| self.turns.first().map(|(id, _)| id.clone()));
                match id {
                    Some(id) if self.turns.has(&id) => {
                        self.turns.cancel(&id);
                        self.chat.cancel(&id).await;
                    }
                    Some(id) => self.errand(|client, _| errands::cancel(client, id)),
                    None => self.notice("there is nothing to cancel"),
                }
            }
            Command::Answer { allow, id, option } => self.answer(allow, id, option).await,
            Command::Pause(reason) => {
                let request = PauseRequest { reason, ..PauseRequest::default() };
                self.errand(
                    |client, ink| async move { errands::standing(client.pause(&request).await, ink) },
                );
            }
            Command::Resume => {
                self.errand(|client, ink| async move { errands::standing(client.resume().await, ink) });
            }
            Command::Interrupt => {
                self.errand(|client, ink| async move { errands::standing(client.interrupt().await, ink) });
            }
            Command::Status => {
                self.errand(|client, ink| async move { errands::standing(client.status().await, ink) });
            }
            Command::Tasks => self.errand(errands::tasks),
            // Whoever leaves is gone by now.
            Command::Quit => {}
        }
    }

    async fn answer(&mut self, allow: bool, id: Option<ItemId>, option: Option<String>) {
        let own = match &id {
            Some(id) => self.turns.requests.get(id),
            None => self.turns.requests.oldest(),
        };
        match own.map(|request| request.answer(allow, option.as_deref())) {
            Some(Ok(answered)) => self.approve(answered).await,
            Some(Err(why)) => self.notice(&why),
            // A task's request is not told in a chat, but may be answered from there.
            None => self.errand(move |client, _| errands::answer(client, allow, id, option)),
        }
    }

    pub(super) async fn approve(&mut self, answered: Answered) {
        if !self.is_connected {
            return self.notice(&format!("{} does not answer; try again when it is back", self.bot));
        }
        // The bot tells the chat what was answered.
        self.turns.requests.remove(&answered.id);
        self.chat.approve(answered.id, answered.option.id).await;
    }

    /// Has the bot asked for something, which is shown when it comes.
    fn errand<F>(&mut self, ask: impl FnOnce(Client, Ink) -> F)
    where
        F: Future<Output = Result<Vec<String>, Failure>> + Send + 'static,
    {
        let Some(client) = self.chat.client().cloned() else {
            return self.notice(&format!("{} does not answer; try again when it is back", self.bot));
        };
        let (asking, news, ink) = (ask(client, self.look.ink), self.news.clone(), self.look.ink);
        tokio::spawn(async move {
            let mut lines = asking.await.unwrap_or_else(|failure| failed(&failure, ink));
            lines.push(String::new());
            // Whoever left wants no answer.
            let _ = news.send(News::Lines(lines));
        });
    }

    fn help(&mut self) {
        let ink = self.look.ink;
        for about in COMMANDS {
            let usage = format!("{} {}", about.name, about.takes);
            self.above.push(format!("  {}  {}", ink.cyan(&format!("{usage:26}")), about.does));
        }
        self.above.push(String::new());
        for (keys, does) in KEYS {
            self.above.push(format!("  {}  {does}", ink.cyan(&format!("{keys:26}"))));
        }
        self.above.push(String::new());
    }
}

/// A failure in lines.
pub(super) fn failed(failure: &Failure, ink: Ink) -> Vec<String> {
    let mut lines = vec![ink.red(&format!("✗ {}", escape(&failure.message, Place::Line)))];
    lines.extend(failure.hint.as_ref().map(|hint| ink.dim(&format!("  {}", escape(hint, Place::Line)))));
    lines
}
