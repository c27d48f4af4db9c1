//! An open connection to an instance.

use std::{
    fmt,
    io::{self, ErrorKind},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::watch,
};
use tokio_rustls::client::TlsStream;

use crate::{
    instance::InstanceName,
    observe::{Event, Nobody, Observer},
    refresh::{Refresher, Session},
};

/// A tunnel to the database of an instance: what is written here is read there, over TLS.
///
/// It is [`AsyncRead`] and [`AsyncWrite`]; the database's own protocol begins with its first byte,
/// without a request for TLS.
pub struct Stream {
    tls: TlsStream<Socket>,
    instance: Arc<InstanceName>,
    observer: Arc<dyn Observer>,
    received: u64,
    sent: u64,
    refresher: Weak<Refresher>,
    session: Arc<Session>,
    /// Held by the registry as well, which can cut the connection.
    _entry: Entry,
}

impl Stream {
    pub(crate) fn new(
        tls: TlsStream<Socket>,
        refresher: &Arc<Refresher>,
        observer: Arc<dyn Observer>,
        session: Arc<Session>,
        registry: &Arc<Registry>,
    ) -> Option<Self> {
        let entry = registry.enter(refresher, Arc::clone(&tls.get_ref().0.0))?;
        Some(Self {
            tls,
            instance: Arc::clone(&refresher.name),
            observer,
            received: 0,
            sent: 0,
            refresher: Arc::downgrade(refresher),
            session,
            _entry: entry,
        })
    }

    /// The instance that it leads to.
    pub fn instance(&self) -> &InstanceName {
        &self.instance
    }

    /// The certificate and settings that it was opened with.
    #[cfg(any(feature = "sqlx-postgres", feature = "sqlx-mysql"))]
    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Ends it before anybody was told that it is open.
    pub(crate) fn discard(mut self) {
        self.observer = Arc::new(Nobody);
    }

    /// With TLS 1.3 a server that refuses our certificate says so after the handshake, on the first
    /// read; the next connection must not come with the same one.
    fn refused(&self) {
        if let Some(refresher) = self.refresher.upgrade() {
            refresher.distrust(&self.session);
        }
    }

    fn count(&mut self, received: usize, sent: usize) {
        let [received, sent] = [received, sent].map(|it| u64::try_from(it).unwrap_or(u64::MAX));
        if received > 0 || sent > 0 {
            self.received = self.received.saturating_add(received);
            self.sent = self.sent.saturating_add(sent);
            self.observer.moved(received, sent);
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Stream({})", self.instance)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.observer.event(Event::Closed {
            instance: &self.instance.to_string(),
            received: self.received,
            sent: self.sent,
        });
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let done = ready!(Pin::new(&mut self.tls).poll_read(context, buffer));
        let more = buffer.filled().len() - before;
        if self.received == 0 && done.is_err() {
            self.refused();
        }
        self.count(more, 0);
        Poll::Ready(done)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = ready!(Pin::new(&mut self.tls).poll_write(context, data));
        let more = done.as_ref().copied().unwrap_or(0);
        self.count(0, more);
        Poll::Ready(done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(context)
    }
}

/// A TCP connection that somebody else can cut.
#[derive(Debug)]
pub(crate) struct Socket(pub(crate) Arc<TcpStream>);

impl Socket {
    /// Sends at once, and notices after a minute and a half when the other side is gone.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let every = Duration::from_secs(30);
        let keepalive = TcpKeepalive::new()
            .with_time(every)
            .with_interval(every)
            .with_retries(2);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(Self(Arc::new(stream)))
    }
}

/// Says "not ready" to the reactor when it was wrong about it, as tokio's own streams do.
macro_rules! when_ready {
    ($context:expr, $ready:expr, $attempt:expr) => {
        loop {
            ready!($ready($context))?;
            match $attempt {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        when_ready!(
            context,
            |context| self.0.poll_read_ready(context),
            self.0
                .try_read(buffer.initialize_unfilled())
                .map(|read| buffer.advance(read))
        )
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        when_ready!(
            context,
            |context| self.0.poll_write_ready(context),
            self.0.try_write(data)
        )
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        when_ready!(
            context,
            |context| self.0.poll_write_ready(context),
            self.0.try_write_vectored(data)
        )
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = SockRef::from(&*self.0).shutdown(std::net::Shutdown::Write);
        Poll::Ready(match done {
            // The other side was faster.
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(()),
            done => done,
        })
    }
}

/// The open connections of a connector.
#[derive(Debug)]
pub(crate) struct Registry {
    open: Mutex<Open>,
    count: watch::Sender<usize>,
}

#[derive(Debug)]
struct Tunnel {
    id: u64,
    instance: Arc<InstanceName>,
    /// The DNS name by which it was opened.
    domain: Option<String>,
    socket: Arc<TcpStream>,
}

#[derive(Debug, Default)]
struct Open {
    closed: bool,
    next: u64,
    entries: Vec<Tunnel>,
}

impl Registry {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::default(),
            count: watch::Sender::new(0),
        })
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` when no more connections are taken.
    fn enter(self: &Arc<Self>, refresher: &Refresher, socket: Arc<TcpStream>) -> Option<Entry> {
        let mut open = self.open();
        if open.closed {
            return None;
        }
        let id = open.next;
        open.next += 1;
        open.entries.push(Tunnel {
            id,
            instance: Arc::clone(&refresher.name),
            domain: refresher.domain.clone(),
            socket,
        });
        self.count.send_replace(open.entries.len());
        Some(Entry {
            registry: Arc::clone(self),
            id,
        })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.open().closed
    }

    /// Takes no more connections from now on.
    pub(crate) fn close(&self) {
        self.open().closed = true;
    }

    pub(crate) async fn drained(&self) {
        // The sender lives as long as the registry.
        drop(self.count.subscribe().wait_for(|open| *open == 0).await);
    }

    /// Cuts the connections that were opened by a DNS name and do not lead to this instance, or all;
    /// gives how many.
    pub(crate) fn cut(&self, moved: Option<(&str, &InstanceName)>) -> usize {
        let open = self.open();
        let fitting = open.entries.iter().filter(|tunnel| match moved {
            None => true,
            Some((domain, to)) => {
                tunnel.domain.as_deref() == Some(domain) && *tunnel.instance != *to
            }
        });
        let mut cut = 0;
        for tunnel in fitting {
            cut += 1;
            let shut = SockRef::from(&*tunnel.socket).shutdown(std::net::Shutdown::Both);
            if let Err(error) = shut {
                tracing::debug!(%error, instance = %tunnel.instance, "a connection was gone already");
            }
        }
        cut
    }
}

/// A connection's place in the registry.
#[derive(Debug)]
struct Entry {
    registry: Arc<Registry>,
    id: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut open = self.registry.open();
        open.entries.retain(|tunnel| tunnel.id != self.id);
        self.registry.count.send_replace(open.entries.len());
    }
}
