//! The first bytes of a connection, within a time limit.
//!
//! The server tells HTTP/1 from HTTP/2 by the first bytes, and hyper's own time limits begin only
//! after that: a client that connects and says nothing would be waited for without end.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};

/// As many bytes as the preface of HTTP/2 has; after them the protocol is known.
const ENOUGH: usize = 24;

/// A connection that fails when its first bytes do not come in time.
pub(super) struct Opening {
    stream: TcpStream,
    read: usize,
    /// Gone as soon as enough was read, or anything was answered.
    limit: Option<Pin<Box<Sleep>>>,
}

impl Opening {
    pub(super) fn new(stream: TcpStream, patience: Duration) -> Self {
        Self {
            stream,
            read: 0,
            limit: Some(Box::pin(tokio::time::sleep(patience))),
        }
    }
}

impl AsyncRead for Opening {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(done) => {
                self.read += buffer.filled().len() - before;
                if self.read >= ENOUGH {
                    self.limit = None;
                }
                Poll::Ready(done)
            }
            Poll::Pending => {
                let Some(limit) = &mut self.limit else {
                    return Poll::Pending;
                };
                ready!(limit.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncWrite for Opening {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.limit = None;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.limit = None;
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
