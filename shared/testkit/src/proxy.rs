//! A network that fails on command: a proxy between a client and a server, whose manners are
//! changed while they talk.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use nova_testkit::proxy::{FaultProxy, Mode, Upstream};
//!
//! let proxy = FaultProxy::start(Upstream::Tcp("127.0.0.1:5432".parse().expect("an address"))).await?;
//! // … a client connects to proxy.address() …
//! proxy.set(Mode::Stall); // a black hole: connected, and silent
//! proxy.set(Mode::Forward);
//! proxy.cut(); // every open connection is reset
//! # Ok(()) }
//! ```

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The most bytes that are read at once.
const CHUNK_BYTES: usize = 16 * 1024;
/// How many chunks may be on their way in one direction: what a slow network holds.
const CHUNKS_UNDERWAY: usize = 64;

/// Where the proxy connects to.
#[derive(Clone, Debug)]
pub enum Upstream {
    /// A TCP server.
    Tcp(SocketAddr),
    /// A unix socket, such as that of a throw-away PostgreSQL.
    Unix(PathBuf),
}

/// The way of a byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// How the network behaves, for open connections and for new ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// As it should.
    Forward,
    /// Every byte takes this long, in each direction; what follows it is not held up further.
    Latency(Duration),
    /// Connections are accepted and stay open, and nothing moves, until the mode changes.
    Stall,
    /// New connections are reset at once; open ones go on.
    Refuse,
    /// The first connection that moves more than this many bytes in this direction, counted from
    /// now on, is reset after exactly so many; then the mode is [`Mode::Forward`] again.
    ///
    /// After 0 bytes to the server a request never arrives; after 0 bytes to the client it was
    /// carried out and only the answer is lost.
    CutAfter(Direction, u64),
}

/// A running proxy on a port of 127.0.0.1. It ends, and closes its connections, with this value.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    network: Arc<Network>,
    // Aborts the listener, and with it the connections, when it is dropped.
    _listener: JoinSet<()>,
}

/// What all connections share.
#[derive(Debug)]
struct Network {
    upstream: Upstream,
    mode: watch::Sender<Mode>,
    /// How often the open connections were cut.
    cuts: watch::Sender<u64>,
    accepted: AtomicUsize,
    open: AtomicUsize,
}

impl FaultProxy {
    /// Starts forwarding to `upstream`, on the runtime of the caller.
    ///
    /// # Errors
    ///
    /// When no port can be had.
    pub fn start(upstream: Upstream) -> BoxFuture<'static, io::Result<Self>> {
        Box::pin(async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            let network = Arc::new(Network {
                upstream,
                mode: watch::Sender::new(Mode::Forward),
                cuts: watch::Sender::new(0),
                accepted: AtomicUsize::new(0),
                open: AtomicUsize::new(0),
            });
            let mut task = JoinSet::new();
            task.spawn(accept(listener, Arc::clone(&network)));
            Ok(Self {
                address,
                network,
                _listener: task,
            })
        })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes how the network behaves, from now on.
    pub fn set(&self, mode: Mode) {
        self.network.mode.send_replace(mode);
    }

    /// How the network behaves now: shows whether a [`Mode::CutAfter`] has struck.
    pub fn mode(&self) -> Mode {
        *self.network.mode.borrow()
    }

    /// Resets every open connection; new ones are not concerned.
    pub fn cut(&self) {
        self.network.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// How many connections were accepted so far, refused ones included.
    pub fn accepted(&self) -> usize {
        self.network.accepted.load(Ordering::Relaxed)
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.network.open.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, network: Arc<Network>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of file descriptors: the clients' trouble, which may pass.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        network.accepted.fetch_add(1, Ordering::Relaxed);
        // Subscribed before anything else can happen, so that no cut is missed.
        let cuts = network.cuts.subscribe();
        connections.spawn(connection(client, cuts, Arc::clone(&network)));
        while connections.try_join_next().is_some() {}
    }
}

/// Carries one connection to its end; a connection that does not end well is reset.
async fn connection(mut client: TcpStream, mut cuts: watch::Receiver<u64>, network: Arc<Network>) {
    let open = Open::count(&network);
    let ended_well = async {
        if *network.mode.borrow() == Mode::Refuse {
            return Err(reset());
        }
        client.set_nodelay(true)?;
        match &network.upstream {
            Upstream::Tcp(address) => {
                let server = TcpStream::connect(address).await?;
                server.set_nodelay(true)?;
                both_ways(&mut client, server, &network).await
            }
            Upstream::Unix(path) => {
                both_ways(&mut client, UnixStream::connect(path).await?, &network).await
            }
        }
    };
    let outcome = tokio::select! {
        outcome = ended_well => outcome,
        _ = cuts.changed() => Err(reset()),
    };
    if outcome.is_err() {
        // Without lingering, closing sends a reset in place of an orderly end.
        let _closed_either_way = client.set_zero_linger();
    }
    drop(client);
    drop(open);
}

async fn both_ways(
    client: &mut TcpStream,
    server: impl AsyncRead + AsyncWrite,
    network: &Network,
) -> io::Result<()> {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = tokio::io::split(server);
    tokio::try_join!(
        pump(Direction::ToServer, from_client, to_server, network),
        pump(Direction::ToClient, from_server, to_client, network),
    )?;
    Ok(())
}

/// Moves bytes in one direction until they end. An empty chunk is that end: it travels like the
/// rest, so that a stalled connection does not close either.
async fn pump(
    direction: Direction,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    network: &Network,
) -> io::Result<()> {
    let (departures, mut arrivals) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS_UNDERWAY);
    let mut gate = Gate {
        direction,
        mode: network.mode.subscribe(),
        moved: 0,
    };
    gate.mode.mark_changed();
    let read = async move {
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let length = from.read(&mut chunk).await?;
            chunk.truncate(length);
            let latency = match *network.mode.borrow() {
                Mode::Latency(latency) => latency,
                _ => Duration::ZERO,
            };
            // The receiver is gone only when the connection ends, and we with it.
            let sent = departures.send((Instant::now() + latency, chunk)).await;
            if length == 0 || sent.is_err() {
                return io::Result::Ok(());
            }
        }
    };
    let write = async {
        while let Some((due, chunk)) = arrivals.recv().await {
            tokio::time::sleep_until(due).await;
            let allowed = gate.pass(chunk.len(), network).await;
            to.write_all(chunk.get(..allowed).unwrap_or(&chunk)).await?;
            if allowed < chunk.len() {
                to.flush().await?;
                return Err(reset());
            }
            if chunk.is_empty() {
                to.shutdown().await?;
            }
        }
        Ok(())
    };
    tokio::try_join!(read, write)?;
    Ok(())
}

/// Decides, chunk by chunk, how much of it may move.
struct Gate {
    direction: Direction,
    mode: watch::Receiver<Mode>,
    /// Bytes since the mode was set.
    moved: u64,
}

impl Gate {
    /// Waits while the network stalls; then how many of `length` bytes may pass. If fewer than
    /// all, the connection is to be reset after them.
    async fn pass(&mut self, length: usize, network: &Network) -> usize {
        loop {
            if self.mode.has_changed().unwrap_or(false) {
                self.moved = 0;
            }
            let mode = *self.mode.borrow_and_update();
            match mode {
                Mode::Stall => {
                    if self.mode.changed().await.is_err() {
                        return 0;
                    }
                    self.mode.mark_changed();
                }
                Mode::CutAfter(direction, limit) if direction == self.direction => {
                    let left = usize::try_from(limit - self.moved).unwrap_or(usize::MAX);
                    if left >= length {
                        self.moved += length as u64;
                        return length;
                    }
                    // Only one connection is the victim, even when several come here at once.
                    let struck = network.mode.send_if_modified(|now| {
                        let ours = *now == mode;
                        if ours {
                            *now = Mode::Forward;
                        }
                        ours
                    });
                    if struck {
                        return left;
                    }
                }
                Mode::CutAfter(..) | Mode::Forward | Mode::Latency(_) | Mode::Refuse => {
                    return length;
                }
            }
        }
    }
}

/// Counts a connection as open while it lives, also when its task is aborted.
struct Open<'a>(&'a AtomicUsize);

impl<'a> Open<'a> {
    fn count(network: &'a Network) -> Self {
        network.open.fetch_add(1, Ordering::Relaxed);
        Self(&network.open)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn reset() -> io::Error {
    ErrorKind::ConnectionReset.into()
}
