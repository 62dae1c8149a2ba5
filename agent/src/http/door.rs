//! Who may come in: token, `Host` and `Origin`, before a request or an upgrade does anything (SPEC 9).

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hive_shared::api::code;
use hive_shared::ids::BotId;

use super::Shared;
use super::problem::Problem;
use crate::token::{Generation, TokenFile};

/// The sub-protocol that the sockets speak.
pub(super) const PROTOCOL: &str = "hive.v1";
/// What stands before a token that comes as a sub-protocol, for browsers can set no header.
const TOKEN_PROTOCOL: &str = "hive.bearer.";
/// The one path for which no token is needed.
const OPEN_PATH: &str = "/health";

/// Whom to let in.
#[derive(Debug)]
pub struct Door {
    token: TokenFile,
    listen: IpAddr,
    port: u16,
    allowed_hosts: Vec<String>,
    allowed_origins: Vec<String>,
}

impl Door {
    /// A door of a server that listens at `listen`.
    pub fn new(
        token: TokenFile,
        listen: SocketAddr,
        allowed_hosts: Vec<String>,
        allowed_origins: Vec<String>,
    ) -> Self {
        Self { token, listen: listen.ip(), port: listen.port(), allowed_hosts, allowed_origins }
    }

    /// Whether who was let in may still do something.
    pub(super) fn honours(&self, pass: Pass) -> bool {
        self.token.generation() == pass.0
    }

    /// Waits until [`Self::honours`] says no.
    pub(super) async fn ends(&self, pass: Pass) {
        self.token.outlives(pass.0).await;
    }

    /// Notices that the token was changed, though nobody comes: those who are in are to leave. Where its file is gone, it
    /// is put back.
    pub(crate) fn look_after_token(&self, bot: &BotId) {
        self.token.look_after(bot);
    }

    /// None for what is open to all.
    fn check(&self, peer: IpAddr, headers: &HeaderMap, uri: &Uri) -> Result<Option<Pass>, Problem> {
        if !self.knows_host(peer, headers, uri) {
            let message = "this Host is not one that the bot answers to; see allowed_hosts in the settings";
            return Err(Problem::new(code::HOST, message));
        }
        if !self.knows_origin(headers) {
            let message = "this Origin may not use the bot; see allowed_origins in the settings";
            return Err(Problem::new(code::ORIGIN, message));
        }
        if uri.path() == OPEN_PATH {
            return Ok(None);
        }
        let pass = self.admits(headers).ok_or_else(|| {
            let message = "the bearer token is missing or wrong; it is in .deia/hive/bots/BOT-ID.token";
            Problem::new(code::UNAUTHORIZED, message)
        })?;
        Ok(Some(pass))
    }

    fn knows_host(&self, peer: IpAddr, headers: &HeaderMap, uri: &Uri) -> bool {
        // A URI that names a host as well goes before the header (RFC 9112, 3.2.2): neither may be foreign.
        let authority = uri.authority().map(|authority| Some(authority.as_str()));
        let mut given =
            headers.get_all(HOST).iter().map(|host| host.to_str().ok()).chain(authority).peekable();
        headers.get_all(HOST).iter().count() <= 1
            && given.peek().is_some()
            && given.all(|host| host.is_some_and(|host| self.is_host(peer, host)))
    }

    fn is_host(&self, peer: IpAddr, host: &str) -> bool {
        let Some(name) = host_name(host) else { return false };
        let is_allowed =
            |allowed: &String| allowed.eq_ignore_ascii_case(name) || allowed.eq_ignore_ascii_case(host);
        if self.allowed_hosts.iter().any(is_allowed) {
            return true;
        }
        match name.parse::<IpAddr>() {
            Ok(address) if address.is_loopback() => peer.to_canonical().is_loopback(),
            Ok(address) => address == self.listen && !address.is_unspecified(),
            Err(_) => name.eq_ignore_ascii_case("localhost") && peer.to_canonical().is_loopback(),
        }
    }

    /// Absent, the server's own, or allowed.
    fn knows_origin(&self, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(ORIGIN).iter();
        let origin = match (given.next(), given.next()) {
            (None, _) => return true,
            (Some(origin), None) => origin.to_str().unwrap_or(""),
            (Some(_), Some(_)) => return false,
        };
        if self
            .allowed_origins
            .iter()
            .any(|allowed| allowed.trim_end_matches('/').eq_ignore_ascii_case(origin))
        {
            return true;
        }
        let Some(authority) = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))
        else {
            return false;
        };
        let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let name = host_name(authority).unwrap_or("");
        let is_own_name = match name.parse::<IpAddr>() {
            Ok(address) => address == self.listen || (self.listen.is_loopback() && address.is_loopback()),
            Err(_) => self.listen.is_loopback() && name.eq_ignore_ascii_case("localhost"),
        };
        is_own_name && port == Some(self.port)
    }

    fn admits(&self, headers: &HeaderMap) -> Option<Pass> {
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let offered = || {
            let protocols =
                headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
            protocols
                .flat_map(|value| value.split(','))
                .find_map(|one| one.trim().strip_prefix(TOKEN_PROTOCOL))
        };
        self.token.admits(bearer.or_else(offered)?).map(Pass)
    }
}

/// What a request has that came with the token: a right to stay until another token counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pass(Generation);

/// The name in `name:port` or `[v6]:port`; none if it is neither.
fn host_name(host: &str) -> Option<&str> {
    if let Some(rest) = host.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        return (after.is_empty() || after.starts_with(':')).then_some(address);
    }
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    (!name.is_empty()).then_some(name)
}

/// Checks every request.
pub(super) async fn guard(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    match shared.door.check(peer.ip(), request.headers(), request.uri()) {
        Ok(pass) => {
            if let Some(pass) = pass {
                request.extensions_mut().insert(pass);
            }
            next.run(request).await
        }
        Err(problem) => {
            shared.refused(peer, request.uri().path(), problem.code());
            problem.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn door() -> Door {
        let hosts = vec!["hive.example".to_owned()];
        let origins = vec!["https://board.example".to_owned()];
        let token = TokenFile::holding("/nowhere/token".into(), "s3cret".to_owned());
        Door::new(token, "127.0.0.1:8002".parse().unwrap(), hosts, origins)
    }

    fn verdict(peer: IpAddr, path: &str, headers: &[(HeaderName, &str)]) -> Result<(), &'static str> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        door().check(peer, &map, &path.parse().unwrap()).map(drop).map_err(|problem| problem.code())
    }

    #[test]
    fn hosts() {
        let health = |peer, host| verdict(peer, "/health", &[(HOST, host)]);
        for good in
            ["127.0.0.1:8002", "localhost", "LOCALHOST:9", "[::1]:8002", "127.1.2.3", "hive.example:8002"]
        {
            assert_eq!(health(LOOPBACK, good), Ok(()), "{good}");
        }
        for bad in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "",
            "[::1",
            "0.0.0.0",
        ] {
            assert_eq!(health(LOOPBACK, bad), Err(code::HOST), "{bad}");
        }
        let neighbour = "192.0.2.7".parse().unwrap();
        assert_eq!(health(neighbour, "localhost"), Err(code::HOST));
        assert_eq!(health(neighbour, "127.0.0.1:8002"), Err(code::HOST));
        assert_eq!(health(neighbour, "hive.example"), Ok(()));
        assert_eq!(verdict(LOOPBACK, "/health", &[]), Err(code::HOST));
        assert_eq!(verdict(LOOPBACK, "/health", &[(HOST, "localhost"), (HOST, "evil")]), Err(code::HOST));
        assert_eq!(verdict(LOOPBACK, "http://localhost/health", &[]), Ok(()));
        assert_eq!(verdict(LOOPBACK, "http://localhost/health", &[(HOST, "evil")]), Err(code::HOST));
        assert_eq!(verdict(LOOPBACK, "http://evil/health", &[(HOST, "localhost")]), Err(code::HOST));
    }

    #[test]
    fn origins() {
        let health = |origin| verdict(LOOPBACK, "/health", &[(HOST, "localhost"), (ORIGIN, origin)]);
        for good in ["http://127.0.0.1:8002", "http://localhost:8002", "https://board.example"] {
            assert_eq!(health(good), Ok(()), "{good}");
        }
        for bad in [
            "http://localhost:3000",
            "http://localhost",
            "null",
            "https://evil.example",
            "file://",
            "https://board.example.evil",
        ] {
            assert_eq!(health(bad), Err(code::ORIGIN), "{bad}");
        }
    }

    #[test]
    fn tokens() {
        let status = |name: HeaderName, value| {
            verdict(LOOPBACK, "/api/bot/B/status", &[(HOST, "localhost"), (name, value)])
        };
        assert_eq!(status(AUTHORIZATION, "Bearer s3cret"), Ok(()));
        assert_eq!(status(AUTHORIZATION, "bearer s3cret"), Ok(()));
        assert_eq!(status(SEC_WEBSOCKET_PROTOCOL, "hive.v1, hive.bearer.s3cret"), Ok(()));
        for (name, value) in [
            (AUTHORIZATION, "Bearer s3cre"),
            (AUTHORIZATION, "Bearer s3crett"),
            (AUTHORIZATION, "Basic s3cret"),
            (AUTHORIZATION, "s3cret"),
            (AUTHORIZATION, "Bearer "),
            (SEC_WEBSOCKET_PROTOCOL, "hive.v1"),
            (SEC_WEBSOCKET_PROTOCOL, "hive.bearer."),
        ] {
            assert_eq!(status(name, value), Err(code::UNAUTHORIZED), "{value}");
        }
        assert_eq!(verdict(LOOPBACK, "/healthy", &[(HOST, "localhost")]), Err(code::UNAUTHORIZED));
    }
}
