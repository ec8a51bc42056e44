//! A connection that gives up on a client that takes nothing of its answer, or does not come to the end of a request's head.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Where a connection is with its requests: told by the service, read by the stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Requests whose head was whole.
    begun: AtomicU64,
    /// One of them is being answered.
    busy: AtomicBool,
}

impl Turns {
    /// A head is whole.
    pub(crate) fn begin(&self) {
        self.0.busy.store(true, Ordering::Release);
        self.0.begun.fetch_add(1, Ordering::Release);
    }

    /// It is answered: what comes next is a head.
    pub(crate) fn end(&self) {
        self.0.busy.store(false, Ordering::Release);
    }

    fn is_busy(&self) -> bool {
        self.0.busy.load(Ordering::Acquire)
    }

    fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::Acquire)
    }
}

/// Writes fail once none of them has moved for a while; reads fail when a head has begun and is not whole after a while. Between requests
/// reads wait as long as hyper lets them.
pub(crate) struct Patient<T> {
    inner: T,
    patience: Duration,
    /// Runs while a write waits.
    alarm: Pin<Box<Sleep>>,
    waiting: bool,
    head_patience: Duration,
    /// Runs while a head comes in.
    head: Option<Pin<Box<Sleep>>>,
    turns: Turns,
    /// The heads that were whole when we looked last.
    whole: u64,
}

impl<T> Patient<T> {
    /// Wraps a new connection: its first head is due from now on.
    pub(crate) fn new(inner: T, patience: Duration, head_patience: Duration, turns: Turns) -> Self {
        let head = Some(Box::pin(sleep(head_patience)));
        Self { inner, patience, alarm: Box::pin(sleep(patience)), waiting: false, head_patience, head, turns, whole: 0 }
    }

    /// A head that was waited for has come.
    fn look_for_heads(&mut self) {
        let whole = self.turns.begun();
        if self.turns.is_busy() || whole != self.whole {
            (self.head, self.whole) = (None, whole);
        }
    }

    fn judge<R>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.waiting = false;
            return written;
        }
        if !std::mem::replace(&mut self.waiting, true) {
            self.alarm.as_mut().reset(Instant::now() + self.patience);
        }
        ready!(self.alarm.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing of its answer")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Patient<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.look_for_heads();
        let before = into.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, into);
        if read.is_ready() {
            if into.filled().len() > before && !self.turns.is_busy() && self.head.is_none() {
                self.head = Some(Box::pin(sleep(self.head_patience)));
            }
            return read;
        }
        let Some(head) = &mut self.head else { return Poll::Pending };
        ready!(head.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the head of a request does not come to its end")))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Patient<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, pieces);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.judge(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.judge(cx, closed)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn a_write_that_nobody_takes_fails_after_a_while() {
        let (here, _there) = tokio::io::duplex(8);
        let mut patient = Patient::new(here, Duration::from_millis(20), Duration::from_mins(1), Turns::default());
        patient.write_all(b"12345678").await.unwrap();
        assert_eq!(patient.write_all(b"9").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
