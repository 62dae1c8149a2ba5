//! One WebSocket connection to a bot: text frames in and out, kept alive by ping.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes, http::HeaderValue, http::header};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::error::NO_ANSWER;
use super::{ClientError, Endpoint, bounds, tls};

const CONNECT: Duration = Duration::from_secs(5);
/// After so long a silence the other side is asked whether it is there.
const QUIET: Duration = Duration::from_secs(20);
/// How long it then has to say anything.
const PATIENCE: Duration = Duration::from_secs(20);
/// Frames are small and come one at a time; the library's 128 KiB would be allocated for every connection.
const READ_BUFFER: usize = 16 << 10;

/// Why a connection is over.
#[derive(Debug)]
pub(super) enum Over {
    /// It was lost; the text says why, for people.
    Lost(String),
    /// The other side is none to be heard.
    Refused(ClientError),
}

pub(super) struct Socket {
    url: String,
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    heard: Instant,
    asked: bool,
}

impl Socket {
    /// Connects to `route`, such as `/ws/bot/BOT-002/prompt`, with the token in the `Authorization` header.
    /// If the bot does not know that any more, the one that is in its file by now is tried.
    pub(super) async fn open(endpoint: &Endpoint, route: &str) -> Result<Self, ClientError> {
        let bearer = endpoint.bearer();
        match Self::open_with(endpoint, route, &bearer).await {
            Err(refused @ ClientError::Unauthorized { .. }) => match endpoint.bearer_after(&bearer)? {
                Some(bearer) => Self::open_with(endpoint, route, &bearer).await,
                None => Err(refused),
            },
            opened => opened,
        }
    }

    async fn open_with(endpoint: &Endpoint, route: &str, bearer: &HeaderValue) -> Result<Self, ClientError> {
        let unreachable =
            |reason: String| ClientError::Unreachable { url: endpoint.url().to_owned(), reason };
        let connecting = Self::connect(endpoint, route, bearer);
        match timeout(CONNECT, connecting).await {
            Err(_) => Err(unreachable(NO_ANSWER.into())),
            Ok(Ok(socket)) => Ok(socket),
            Ok(Err(Failed::Client(error))) => Err(error),
            Ok(Err(Failed::Socket(Error::Http(reply)))) => {
                let body = reply.body().as_deref().unwrap_or_default();
                Err(ClientError::of_reply(reply.status().as_u16(), body))
            }
            Ok(Err(Failed::Socket(error))) => Err(match tls::distrust(&error) {
                Some(reason) => ClientError::Untrusted { url: endpoint.url().to_owned(), reason },
                None => unreachable(error.to_string()),
            }),
        }
    }

    async fn connect(endpoint: &Endpoint, route: &str, bearer: &HeaderValue) -> Result<Self, Failed> {
        let url = endpoint.parsed();
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = url.port_or_known_default().unwrap_or(80);
        let tcp = TcpStream::connect((host, port)).await.map_err(Error::Io)?;
        tcp.set_nodelay(true).map_err(Error::Io)?;

        // `http` becomes `ws` and `https` becomes `wss`.
        let target = endpoint.url().replacen("http", "ws", 1) + route;
        let mut request = target.into_client_request()?;
        request.headers_mut().insert(header::AUTHORIZATION, bearer.clone());
        let connector = if endpoint.is_encrypted() {
            let trusted = tls::trusting(endpoint.trust()).map_err(|e| Failed::Client(e.into()))?;
            Connector::Rustls(trusted.into())
        } else {
            Connector::Plain
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(bounds::FRAME))
            .max_frame_size(Some(bounds::FRAME));
        let (stream, _) = client_async_tls_with_config(request, tcp, Some(config), Some(connector)).await?;
        Ok(Self { url: endpoint.url().to_owned(), stream, heard: Instant::now(), asked: false })
    }

    /// The next text frame. May be dropped and called again without losing anything.
    pub(super) async fn next(&mut self) -> Result<Utf8Bytes, Over> {
        loop {
            let deadline = self.heard + if self.asked { QUIET + PATIENCE } else { QUIET };
            let message = match timeout_at(deadline, self.stream.next()).await {
                Ok(Some(message)) => message.map_err(|e| self.over(&e))?,
                Ok(None) => return Err(Over::Lost("the connection was closed".into())),
                Err(_) if self.asked => return Err(Over::Lost("the connection is dead".into())),
                Err(_) => {
                    self.asked = true;
                    self.write(Message::Ping(Bytes::new())).await?;
                    continue;
                }
            };
            self.heard = Instant::now();
            self.asked = false;
            match message {
                Message::Text(text) => return Ok(text),
                Message::Close(frame) => {
                    let reason = frame.map(|f| f.reason.to_string()).filter(|r| !r.is_empty());
                    return Err(Over::Lost(reason.unwrap_or_else(|| "the bot closed the connection".into())));
                }
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// A message that is too large would be so again.
    fn over(&self, error: &Error) -> Over {
        match error {
            Error::Capacity(_) => {
                Over::Refused(ClientError::Endless { url: self.url.clone(), most: bounds::FRAME })
            }
            error => Over::Lost(error.to_string()),
        }
    }

    /// Sends a text frame.
    pub(super) async fn send(&mut self, text: String) -> Result<(), Over> {
        self.write(Message::Text(text.into())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), Over> {
        match timeout(PATIENCE, self.stream.send(message)).await {
            Ok(sent) => sent.map_err(|e| Over::Lost(e.to_string())),
            Err(_) => Err(Over::Lost("the connection is stuck".into())),
        }
    }

    /// Says good-bye. What was sent before arrives before it.
    pub(super) async fn close(&mut self) {
        let _gone_already = timeout(Duration::from_secs(1), self.stream.close(None)).await;
    }
}

enum Failed {
    Client(ClientError),
    Socket(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Socket(error)
    }
}
