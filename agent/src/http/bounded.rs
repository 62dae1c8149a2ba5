//! A listener that has no more than so many connections open.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::serve::Listener;
use nix::sys::resource::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most connections at a time; more wait to be accepted.
const MAX_CONNECTIONS: u64 = 4_096;
/// The open files that work needs: the ledger, task files, the agent's pipes.
const FILES_OF_WORK: u64 = 64;

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
    pub fn most(&self) -> usize {
        self.most
    }

    /// How many are open, or about to be accepted.
    pub fn open(&self) -> usize {
        self.most - self.permits.available_permits()
    }
}

/// A listener that has no more than so many connections open.
pub(super) struct Bounded {
    inner: TcpListener,
    permits: Arc<Semaphore>,
}

/// A connection that counts while it is open.
pub(super) struct Counted {
    pub(super) stream: TcpStream,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Listener for Bounded {
    type Io = Counted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Counted, SocketAddr) {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        let (stream, peer) = Listener::accept(&mut self.inner).await;
        (Counted { stream, _permit: permit }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

impl Bounded {
    /// Accepts from `inner` while there may be more connections.
    pub(super) fn new(inner: TcpListener, connections: &Connections) -> Self {
        Self { inner, permits: Arc::clone(&connections.permits) }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
