//! A conversation with a person at a terminal, who may type while the bot speaks.

use std::time::Duration;

use crossterm::event::Event;
use hive_shared::api::BotStatus;
use hive_shared::chat::{TurnEvent, TurnFrame};
use hive_shared::client::{Chat, ChatEvent, Client};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::work::WhenBusy;
use nix::sys::signal::{Signal, raise};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::command::{self, Command, Line};
use super::editor::{Editor, Pressed};
use super::errands;
use super::haste::Haste;
use super::history::History;
use super::keys::Keys;
use super::look::Look;
use super::obey::failed;
use super::screen::Screen;
use super::standing;
use super::turns::Turns;
use super::view::View;
use crate::commands::spoken;
use crate::error::{Exit, Failure, conflict_hint};
use crate::interrupt::Interrupts;
use crate::output::Printer;
use crate::output::escape::{Place, escape};
use crate::output::ink::Ink;
use crate::output::wrap::words;

/// How long what changed may wait to be shown, so that a fast answer is not drawn word by word.
const FRAME: Duration = Duration::from_millis(30);
/// How often what goes on is shown anew.
const BEAT: Duration = Duration::from_millis(120);
/// How often the bot is asked how many are ahead.
const ASK_PLACE: Duration = Duration::from_secs(1);
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// What came of an errand.
#[derive(Debug)]
pub(super) enum News {
    /// To be shown.
    Lines(Vec<String>),
    /// How many are before a prompt.
    Ahead(ItemId, usize),
    /// The bot was asked for that.
    Asked,
}

/// Talks until the person leaves.
pub(super) async fn talk(
    client: Client,
    status: &BotStatus,
    session: Option<String>,
    out: &mut Printer,
    interrupts: &mut Interrupts,
) -> Result<Exit, Failure> {
    let ink = out.ink();
    interrupts.hear_hangup()?;
    let mut screen = Screen::enter()?;
    let look =
        Look { bot: client.bot().to_string(), ink, verbose: out.is_verbose(), columns: screen.columns() };
    let (news_to, mut news) = mpsc::unbounded_channel();
    let mut talk = Talk {
        bot: client.bot().clone(),
        chat: Chat::new(client),
        session,
        turns: Turns::new(look.clone()),
        editor: Editor::new(History::open()),
        haste: Haste::default(),
        look,
        is_quiet: out.is_quiet(),
        above: Vec::new(),
        is_connected: true,
        wants_to_leave: false,
        news: news_to,
        asked_place: None,
    };
    talk.greet(status);
    let mut keys = Keys::listen()?;
    let mut drawn = Instant::now();
    let mut is_stale = true;
    let ended = loop {
        if is_stale && drawn.elapsed() >= FRAME || drawn.elapsed() >= BEAT {
            talk.ask_place();
            talk.draw(&mut screen, out);
            drawn = Instant::now();
            is_stale = false;
        }
        // A quiet chat costs nothing.
        let moves = !talk.turns.is_empty() || !talk.is_connected;
        let due = drawn + if is_stale { FRAME } else { BEAT };
        tokio::select! {
            event = talk.chat.next() => match event {
                Ok(event) => talk.hear(event),
                Err(error) => break Err(spoken::socket_failure(&talk.bot, error)),
            },
            key = keys.next() => {
                let Some(mut key) = key else { break Ok(Exit::Interrupted) };
                let left = loop {
                    if let Some(exit) = talk.key(key, &mut screen, out).await {
                        break Some(exit);
                    }
                    match keys.ready() {
                        Some(next) => key = next,
                        None => break None,
                    }
                };
                if let Some(exit) = left {
                    break Ok(exit);
                }
                // What is typed is seen at once.
                talk.draw(&mut screen, out);
                drawn = Instant::now();
                is_stale = false;
                continue;
            }
            Some(found) = news.recv() => talk.learn(found),
            () = sleep_until(due), if is_stale || moves => continue,
            () = interrupts.next() => break Ok(Exit::Interrupted),
        }
        is_stale = true;
    };
    let ended = ended.map(|exit| talk.farewell(exit));
    screen.leave(&mut talk.above, out);
    talk.chat.close().await;
    ended
}

/// A conversation as it stands.
pub(super) struct Talk {
    pub(super) bot: BotId,
    pub(super) chat: Chat,
    /// The conversation's name, unless it is the user's own.
    pub(super) session: Option<String>,
    pub(super) turns: Turns,
    haste: Haste,
    pub(super) look: Look,
    /// Lines that are to be shown above what is live.
    pub(super) above: Vec<String>,
    pub(super) is_connected: bool,
    /// Where errands tell what came of them.
    pub(super) news: mpsc::UnboundedSender<News>,
    editor: Editor,
    pub(super) is_quiet: bool,
    /// Whether Ctrl-D was pressed while a prompt was not answered.
    wants_to_leave: bool,
    /// When the bot was asked last how many are ahead.
    asked_place: Option<Instant>,
}

impl Talk {
    fn greet(&mut self, status: &BotStatus) {
        if self.is_quiet {
            return;
        }
        let ink = self.look.ink;
        let session = escape(&self.session.clone().unwrap_or_else(spoken::user), Place::Line);
        let about = format!(" · {} · {} · session {session}", status.adapter, status.mode.as_str());
        let mut first = format!("{}{}", ink.bold(self.bot.as_str()), ink.dim(&about));
        let mut standing = standing::lines(status, ink);
        // A bot that has nothing to do is greeted in a line.
        if status.current.is_none() && !standing.is_empty() {
            first = format!("{first}{} {}", ink.dim(" ·"), standing.remove(0));
        }
        let help = "Enter says it, Alt-Enter begins another line, Ctrl-C cancels, /help tells the rest";
        self.above.push(first);
        self.above.extend(standing.iter().flat_map(|line| words(line, self.look.columns)));
        self.above.extend(self.look.laid_out(help, Ink::dim));
        self.above.push(String::new());
        self.tell_trouble();
    }

    fn tell_trouble(&mut self) {
        if let Some(trouble) = self.editor.trouble() {
            self.above.push(self.look.ink.yellow(&escape(&trouble, Place::Line)));
        }
    }

    fn draw(&mut self, screen: &mut Screen, out: &mut Printer) {
        let now = Instant::now();
        self.haste.shows(self.turns.requests.oldest().map(|request| &request.id), now);
        let status = if self.is_connected && self.is_too_soon(now) {
            Some("the agent asks".to_owned())
        } else if self.is_connected {
            self.turns.status(now)
        } else {
            Some(format!("{} does not answer; what you say is kept and sent when it is back", self.bot))
        };
        let beat = screen.age().as_millis() / BEAT.as_millis();
        let spinner = SPINNER[usize::try_from(beat).unwrap_or(0) % SPINNER.len()];
        let view = View {
            editor: &self.editor,
            growing: self.turns.growing(),
            queued: self.turns.queued(),
            status: status.map(|status| format!("{spinner} {status}")),
            ink: self.look.ink,
            columns: screen.columns(),
            rows: screen.rows(),
        };
        screen.draw(&mut self.above, &view.region(), out);
    }

    fn hear(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Connected(_) => {
                self.turns.are_sent();
                if !std::mem::replace(&mut self.is_connected, true) {
                    self.notice(&format!("{} is back", self.bot));
                }
            }
            ChatEvent::Disconnected(reason) => {
                self.is_connected = false;
                let why = if self.look.verbose { format!(" ({reason})") } else { String::new() };
                self.notice(&format!("the connection to {} is lost{why}; trying again", self.bot));
            }
            ChatEvent::Refused { id, code, message } => {
                let over = id.filter(|id| self.turns.has(id) && !self.chat.has(id));
                match over {
                    Some(id) => {
                        let hint = conflict_hint(&code);
                        self.above.extend(self.turns.refused(&id, &message, hint.as_deref()));
                    }
                    None => self.notice(&message),
                }
            }
            ChatEvent::Frame(frame) => self.take(frame),
        }
    }

    fn take(&mut self, frame: TurnFrame) {
        if self.is_quiet && matches!(frame.event, TurnEvent::Notice { .. }) {
            return;
        }
        self.above.extend(self.turns.hear(frame));
    }

    fn learn(&mut self, news: News) {
        match news {
            News::Lines(lines) => {
                self.above.extend(lines.iter().flat_map(|line| words(line, self.look.columns)));
            }
            News::Ahead(id, ahead) => self.turns.is_behind(&id, ahead),
            News::Asked => self.asked_place = self.asked_place.map(|_| Instant::now()),
        }
    }

    /// Asks how many are ahead by now, where any are.
    fn ask_place(&mut self) {
        let waiting: Vec<_> = self.turns.waiting().take(4).cloned().collect();
        if waiting.is_empty()
            || !self.is_connected
            || self.asked_place.is_some_and(|then| then.elapsed() < ASK_PLACE)
        {
            return;
        }
        if let Some(client) = self.chat.client().cloned() {
            self.asked_place = Some(Instant::now());
            let news = self.news.clone();
            tokio::spawn(errands::ask_place(client, waiting, news));
        }
    }

    /// Takes a key; gives how the chat ends if it does.
    async fn key(&mut self, event: Event, screen: &mut Screen, out: &mut Printer) -> Option<Exit> {
        let pressed = match event {
            Event::Key(key) => self.editor.press(key),
            Event::Paste(text) => {
                self.editor.paste(&text);
                return None;
            }
            Event::Resize(..) => {
                screen.resized();
                self.resize(screen);
                return None;
            }
            Event::FocusGained | Event::FocusLost | Event::Mouse(_) => return None,
        };
        let wanted_to_leave = std::mem::take(&mut self.wants_to_leave);
        match pressed {
            Pressed::Edited => None,
            Pressed::Said(line)
                if self.is_too_soon(Instant::now())
                    && self.turns.requests.answered_by(line.trim()).is_some() =>
            {
                self.notice("the agent has only just asked: Enter again answers");
                self.editor.paste(&line);
                None
            }
            Pressed::Said(line) => {
                self.tell_trouble();
                self.say(&line).await
            }
            Pressed::ClearScreen => {
                screen.clear(out);
                None
            }
            Pressed::Suspend => {
                screen.leave(&mut self.above, out);
                // Whoever cannot be stopped goes on.
                let _ = raise(Signal::SIGTSTP);
                match Screen::enter() {
                    Ok(again) => {
                        *screen = again;
                        self.resize(screen);
                        None
                    }
                    Err(_) => Some(Exit::Interrupted),
                }
            }
            Pressed::Alt(_) if self.is_too_soon(Instant::now()) => None,
            Pressed::Alt(key) => {
                if let Some(answered) = self.turns.requests.answered_by_key(key) {
                    self.approve(answered).await;
                }
                None
            }
            Pressed::Cancel => match self.turns.first() {
                Some((id, false)) => {
                    let id = id.clone();
                    self.turns.cancel(&id);
                    self.chat.cancel(&id).await;
                    None
                }
                Some((_, true)) | None => Some(Exit::Interrupted),
            },
            Pressed::Leave if self.turns.is_empty() || wanted_to_leave => Some(Exit::Done),
            Pressed::Leave => {
                self.wants_to_leave = true;
                self.warn();
                None
            }
        }
    }

    /// Whether there is a request that has appeared only just now.
    fn is_too_soon(&self, now: Instant) -> bool {
        let oldest = self.turns.requests.oldest();
        oldest.is_some_and(|request| self.haste.is_too_soon(&request.id, now))
    }

    fn resize(&mut self, screen: &Screen) {
        self.look.columns = screen.text_columns();
        self.turns.resize(self.look.columns);
    }

    async fn say(&mut self, line: &str) -> Option<Exit> {
        match self.turns.requests.answered_by(line.trim()) {
            Some(Ok(answered)) => {
                self.approve(answered).await;
                return None;
            }
            Some(Err(why)) => {
                self.notice(&why);
                return None;
            }
            None => {}
        }
        match command::read(line) {
            Line::Message(message) => {
                if let Err(failure) = spoken::check(&message) {
                    self.above.extend(failed(&failure, self.look.ink));
                    return None;
                }
                let prompt = spoken::prompt(message.clone(), self.session.clone(), WhenBusy::Auto);
                let id = self.chat.prompt(prompt).await;
                self.above.extend(self.turns.ask(id, message, self.is_connected));
                None
            }
            Line::Wrong(why) => {
                self.echo(line);
                self.above.push(self.look.ink.yellow(&escape(&why, Place::Line)));
                None
            }
            Line::Command(Command::Quit) => Some(Exit::Done),
            Line::Command(command) => {
                self.echo(line);
                self.obey(command).await;
                None
            }
        }
    }

    /// Shows what was typed, where it is no message.
    fn echo(&mut self, line: &str) {
        self.above.push(format!("{} {}", self.look.ink.cyan(">"), escape(line.trim(), Place::Line)));
    }

    /// Says something beside the conversation.
    pub(super) fn notice(&mut self, text: &str) {
        if !self.is_quiet {
            let text = format!("· {}", escape(text, Place::Line));
            self.above.extend(self.look.laid_out(&text, Ink::dim));
        }
    }
}
