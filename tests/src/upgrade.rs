//! WebSocket connections.

use futures::StreamExt as _;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A connection.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Asks for a WebSocket at `address` (`host:port`) and `path` with these headers. Gives the connection and the
/// sub-protocol that the server picked, or the HTTP status with which it refused.
///
/// # Panics
///
/// If there is no answer.
pub async fn upgrade(
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<(Socket, Option<String>), u16> {
    let mut request = format!("ws://{address}{path}").into_client_request().expect("a good address");
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("the name of a header");
        request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a header"));
    }
    match connect_async(request).await {
        Ok((socket, response)) => {
            let picked = response.headers().get("sec-websocket-protocol");
            Ok((socket, picked.map(|value| value.to_str().expect("text").to_owned())))
        }
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("no answer to an upgrade: {error}"),
    }
}

/// A connection as a client of ours opens it, with the token in a header.
pub(crate) async fn open(address: &str, path: &str, token: &str) -> Socket {
    match upgrade(address, path, &[("Authorization", &format!("Bearer {token}"))]).await {
        Ok((socket, _)) => socket,
        Err(status) => panic!("{path}: refused with {status}"),
    }
}

/// The next frame; none when the connection is closed. Pings are no frames.
pub(crate) async fn receive(socket: &mut Socket) -> Option<Value> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                return Some(serde_json::from_str(&text).expect("frames are JSON"));
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => panic!("the bot sends text alone"),
            None | Some(Err(_) | Ok(Message::Close(_))) => return None,
        }
    }
}
