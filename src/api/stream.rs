//! A connection's bytes, with an end to waiting for a reader that does not read.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::HTTP_REQUEST_WAIT;

/// When the running request's answer has to be out.
#[derive(Debug, Default)]
pub struct Deadline(Mutex<Option<Instant>>);

impl Deadline {
    /// A request begins; its answer has to be out after `wait`.
    pub fn begin(&self, wait: Duration) {
        *self.0.lock().expect("no holder panics") = Some(Instant::now() + wait);
    }

    fn until(&self) -> Instant {
        self.0.lock().expect("no holder panics").unwrap_or_else(|| Instant::now() + HTTP_REQUEST_WAIT)
    }
}

/// A TCP stream whose writes fail once the answer's deadline has passed.
pub struct TimedStream {
    inner: TcpStream,
    deadline: Arc<Deadline>,
    /// Set while the other side does not take what is written.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl TimedStream {
    pub fn new(inner: TcpStream, deadline: Arc<Deadline>) -> Self {
        TimedStream { inner, deadline, waiting: None }
    }

    /// Passes on what a write came to; one that waits fails at the deadline.
    fn within<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            return written;
        }
        let deadline = &self.deadline;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep_until(deadline.until())));
        match waiting.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.within(cx, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.within(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// Called when everything buffered was written: the answer is out.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting = None;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_reader_that_does_not_read_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let deadline = Arc::new(Deadline::default());
        let mut stream = TimedStream::new(accepted, Arc::clone(&deadline));
        deadline.begin(Duration::from_millis(100));
        stream.write_all(b"what the system buffers is written at once").await.unwrap();
        let failed = stream.write_all(&vec![0; 64 << 20]).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        drop(silent);
    }
}
