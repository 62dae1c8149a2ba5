//! Connections: how many there may be, and each from its acceptance to its end.
//!
//! Whoever is slow to say who he is, in the handshake or in the head of a request, is cut off, and so is who says
//! nothing more, or takes nothing of what he has asked for: a stranger can hold a connection for a while, and no thread
//! or memory to speak of.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::resource::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service as _;

use super::held::Held;
use super::tls::Tls;

/// The most connections at a time; more wait to be accepted.
const MAX_CONNECTIONS: u64 = 4_096;
/// The open files that work needs: the ledger, task files, the agent's pipes.
const FILES_OF_WORK: u64 = 64;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the head of a request may take to come, and how long a connection may wait for its next request.
const HEAD: Duration = Duration::from_secs(15);
/// About the most bytes of the head of a request, and of what is read ahead.
const MAX_HEAD: usize = 64 << 10;
/// The most headers of a request.
const MAX_HEADERS: usize = 64;
/// How long nobody is accepted after that has failed because there is no file or memory for it.
const RECOVERY: Duration = Duration::from_millis(200);

/// How many connections there may be, and are.
#[derive(Debug)]
pub struct Connections {
    permits: Arc<Semaphore>,
    most: usize,
}

impl Connections {
    /// As many as the process may have files open for: never so many that there is none left for work. A request may
    /// have files of its own open, beside its connection.
    pub fn allowed() -> Self {
        let allowed = getrlimit(Resource::RLIMIT_NOFILE).map_or(1_024, |(soft, _)| soft);
        let most = (allowed.saturating_sub(FILES_OF_WORK) / 4 * 3).clamp(8, MAX_CONNECTIONS);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { permits: Arc::new(Semaphore::new(most)), most }
    }

    /// How many there may be.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// How many are open, or about to be accepted.
    pub(super) fn open(&self) -> usize {
        self.most - self.permits.available_permits()
    }

    /// Accepts connections and answers what is asked over them, until `closing`; then waits until all are over, those too
    /// that have become sockets.
    pub(super) async fn serve(
        &self,
        listener: TcpListener,
        tls: Option<Arc<Tls>>,
        router: Router,
        closing: CancellationToken,
    ) {
        let all = TaskTracker::new();
        while let Some(accepted) = closing.run_until_cancelled(self.accept(&listener)).await {
            let (stream, peer, permit) = accepted;
            // A chunk is not to wait for the acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            let (router, closing) = (router.clone(), closing.clone());
            let acceptor = tls.as_ref().map(|tls| TlsAcceptor::from(tls.config()));
            let stream = Held::new(stream, permit, all.token());
            tokio::spawn(async move {
                match acceptor {
                    None => answer(stream, peer, router, closing).await,
                    Some(acceptor) => match timeout(HANDSHAKE, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => answer(stream, peer, router, closing).await,
                        Ok(Err(error)) => tracing::debug!(%peer, %error, "no handshake"),
                        Err(_) => tracing::debug!(%peer, "the handshake took too long"),
                    },
                }
            });
        }
        drop(listener);
        all.close();
        all.wait().await;
    }

    async fn accept(&self, listener: &TcpListener) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return (stream, peer, permit),
                Err(error) if is_the_peers(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "connections cannot be accepted");
                    tokio::time::sleep(RECOVERY).await;
                }
            }
        }
    }
}

/// Whether it is the one connection that has failed, and not the listening.
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

async fn answer<S>(stream: S, peer: SocketAddr, router: Router, closing: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        // A router is always ready.
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended");
    }
}
