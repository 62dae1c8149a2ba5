//! The stream of a connection, and what it holds while it is open: also after it has become a socket, whose stream
//! outlives the request that it came from.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Whoever takes nothing of what he has asked for so long is gone, or means no good.
const STALLED: Duration = Duration::from_secs(40);

/// A stream that counts as a connection until it is dropped, and is broken off if nothing can be written to it for
/// [`STALLED`].
pub(super) struct Held<S> {
    stream: S,
    stalled: Option<Pin<Box<Sleep>>>,
    patience: Duration,
    _permit: Option<OwnedSemaphorePermit>,
    _counts: TaskTrackerToken,
}

impl<S> Held<S> {
    pub(super) fn new(stream: S, permit: Option<OwnedSemaphorePermit>, counts: TaskTrackerToken) -> Self {
        Self { stream, stalled: None, patience: STALLED, _permit: permit, _counts: counts }
    }

    /// What comes of a write: an error, if it has waited for too long.
    fn judge<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other side takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Held<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Held<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.judge(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.judge(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio_util::task::TaskTracker;

    use super::*;

    #[tokio::test]
    async fn who_takes_nothing_is_broken_off_and_who_is_slow_is_not() {
        let all = TaskTracker::new();
        let (ours, mut theirs) = duplex(8);
        let mut held = Held::new(ours, None, all.token());
        let mut byte = [0];
        held.write_all(&[0; 8]).await.unwrap();
        let (written, read) = tokio::join!(held.write_all(&[0]), theirs.read_exact(&mut byte));
        assert!(written.is_ok() && read.is_ok(), "it waited, and was taken");
        held.patience = Duration::from_millis(50);
        assert_eq!(held.write_all(&[0]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        all.close();
        assert!(!all.is_empty());
        drop(held);
        all.wait().await;
    }
}
