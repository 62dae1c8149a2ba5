//! A connection to one of a bot's sockets that is made anew whenever it is lost.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::backoff::Backoff;
use super::socket::{Over, Socket};
use super::{Client, ClientError, Locator};
use crate::ids::BotId;

/// A connection that lives so long is of use, even if nothing new comes over it.
const PROVEN: Duration = Duration::from_secs(3);
/// After so many connections in a row that broke before they were of use, the next is to be told when it is.
const DOUBTED: u32 = 2;

/// What happened to a link.
pub(super) enum Linked {
    /// It stands, for the first time or again.
    Joined,
    /// It stands, was doubted and is of use.
    Proven,
    /// It is lost, or could not be had, and is tried again. Said once.
    Parted(String),
    /// A frame came.
    Text(Utf8Bytes),
}

pub(super) struct Link {
    locator: Locator,
    bot: BotId,
    /// The bot, unless it must be looked for again: one that starts anew has another address.
    client: Option<Client>,
    state: State,
    backoff: Backoff,
    told: bool,
    /// How many connections in a row broke before they were of use.
    useless: u32,
}

enum State {
    Apart,
    /// Kept here, so that a caller that gives up waiting and comes back does not begin again.
    Joining(BoxFuture<'static, Result<(Client, Socket), ClientError>>),
    Joined {
        socket: Box<Socket>,
        /// When it will be of use by its age, unless it is already.
        proven_at: Option<Instant>,
    },
}

impl Link {
    /// A link to a bot that is up as far as `client` knows, or is to be looked for.
    pub(super) fn new(locator: Locator, bot: BotId, client: Option<Client>) -> Self {
        Self { locator, bot, client, state: State::Apart, backoff: Backoff::new(), told: false, useless: 0 }
    }

    pub(super) fn bot(&self) -> &BotId {
        &self.bot
    }

    pub(super) fn client(&self) -> Option<&Client> {
        self.client.as_ref()
    }

    /// What happens next; `route` says where to connect, if that is due. Fails only with what another attempt would
    /// not mend. May be dropped and called again without losing anything.
    pub(super) async fn next(&mut self, route: impl Fn(&BotId) -> String) -> Result<Linked, ClientError> {
        loop {
            let happened = match &mut self.state {
                State::Joined { socket, proven_at } => {
                    let heard = match *proven_at {
                        Some(proven_at) => timeout_at(proven_at, socket.next()).await.ok(),
                        None => Some(socket.next().await),
                    };
                    match heard {
                        Some(Ok(text)) => return Ok(Linked::Text(text)),
                        Some(Err(Over::Lost(reason))) => self.part(reason),
                        Some(Err(Over::Refused(error))) => {
                            self.state = State::Apart;
                            return Err(error);
                        }
                        None => self.proves().then_some(Linked::Proven),
                    }
                }
                State::Joining(joining) => match joining.await {
                    Ok((client, socket)) => {
                        self.client = Some(client);
                        let proven_at = Some(Instant::now() + PROVEN);
                        self.state = State::Joined { socket: Box::new(socket), proven_at };
                        self.told = self.is_doubted();
                        return Ok(Linked::Joined);
                    }
                    Err(error) if error.may_pass() => self.part(error.to_string()),
                    Err(error) => {
                        self.state = State::Apart;
                        return Err(error);
                    }
                },
                State::Apart => {
                    self.backoff.wait().await;
                    let (client, route) = (self.client.clone(), route(&self.bot));
                    self.state =
                        State::Joining(Box::pin(join(client, self.locator.clone(), self.bot.clone(), route)));
                    None
                }
            };
            if let Some(happened) = happened {
                return Ok(happened);
            }
        }
    }

    /// Sends a frame if the link stands; if not, whoever sends must send what still matters when it does.
    pub(super) async fn send(&mut self, text: String) {
        if let State::Joined { socket, .. } = &mut self.state {
            // If it fails, reading tells so, and the reason.
            let _told_by_reading = socket.send(text).await;
        }
    }

    /// Whether the last connections broke before they were of use, so that one that stands is not to be told yet.
    pub(super) fn is_doubted(&self) -> bool {
        self.useless >= DOUBTED
    }

    /// The connection that stands is of use: something new came over it. Gives whether that was doubted.
    #[must_use]
    pub(super) fn proves(&mut self) -> bool {
        let was_doubted = self.is_doubted();
        if let State::Joined { proven_at, .. } = &mut self.state {
            *proven_at = None;
            self.backoff.succeeded();
            self.useless = 0;
            self.told = false;
        }
        was_doubted
    }

    /// Gives the connection up, as something went wrong on it.
    #[must_use]
    pub(super) fn part(&mut self, reason: String) -> Option<Linked> {
        if let State::Joined { proven_at: Some(_), .. } = self.state {
            self.useless += 1;
        }
        self.state = State::Apart;
        self.client = None;
        self.backoff.failed();
        (!std::mem::replace(&mut self.told, true)).then_some(Linked::Parted(reason))
    }

    /// Says good-bye, if the link stands.
    pub(super) async fn close(&mut self) {
        if let State::Joined { socket, .. } = &mut self.state {
            socket.close().await;
        }
    }
}

async fn join(
    client: Option<Client>,
    locator: Locator,
    bot: BotId,
    route: String,
) -> Result<(Client, Socket), ClientError> {
    let client = match client {
        Some(client) => client,
        None => Client::open(&locator, &bot).await?,
    };
    locator.still_there(&bot)?;
    let socket = Socket::open(client.endpoint(), &route).await?;
    Ok((client, socket))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;

    use super::*;
    use crate::client::{Endpoint, Token};

    #[tokio::test]
    async fn a_frame_that_no_bot_sends_ends_the_link_for_good() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (peer, _) = listener.accept().await.unwrap();
            let mut socket = accept_async(peer).await.unwrap();
            // A text of a terabyte begins.
            let head = [&[0x81, 127][..], &(1_u64 << 40).to_be_bytes(), b"x"].concat();
            socket.get_mut().write_all(&head).await.unwrap();
            socket
        });
        let endpoint = Endpoint::remote(&url, Token::new("secret").unwrap(), None).unwrap();
        let bot = BotId::parse("BOT-1").unwrap();
        let client = Client::unchecked(endpoint, bot.clone());
        let mut link = Link::new(client.locator().clone(), bot, Some(client));
        assert!(matches!(link.next(|_| "/".into()).await, Ok(Linked::Joined)));
        let ended = link.next(|_| "/".into()).await;
        assert!(matches!(ended, Err(ClientError::Endless { .. })));
        drop(server.await.unwrap());
    }
}
