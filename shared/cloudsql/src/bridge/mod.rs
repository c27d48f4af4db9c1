//! A socket of this process that leads to an instance, for clients that open their own sockets.
//!
//! `sqlx` takes no stream of ours, only an address. A bridge listens on a socket that no other
//! process can use, and connects each client through the [`Connector`]: on Linux an abstract Unix
//! socket, which is no file, with a check that the peer is this very process; elsewhere a Unix
//! socket in a directory that only this user can enter. It is never a TCP port.
//!
//! When there is no connection, the bridge answers in the database's own protocol, so that the
//! client's error says what happened and what to do.

#[cfg(feature = "sqlx-mysql")]
mod mysql;
#[cfg(feature = "sqlx-postgres")]
mod postgres;
mod relay;

use std::{
    io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream},
    time::Instant,
};

use crate::{
    connector::Connector,
    error::{Error, ErrorKind, Step},
    instance::Target,
    stream::Stream,
};

use self::relay::relay;
#[cfg(feature = "sqlx-mysql")]
pub use self::mysql::MySqlBridge;
#[cfg(feature = "sqlx-postgres")]
pub use self::postgres::PgBridge;

/// A listening socket and the task that accepts.
#[derive(Debug)]
struct Bridge {
    /// Where the socket is: a directory, or the beginning of an abstract name.
    place: PathBuf,
    accepting: tokio::task::AbortHandle,
}

impl Bridge {
    /// Listens on `<place>/<name>`, and gives each client to `serve`, in a task of its own.
    fn start<F>(
        connector: &Connector,
        instance: &str,
        name: &str,
        serve: impl Fn(UnixStream, Tunnel) -> F + Send + Sync + 'static,
    ) -> Result<Self, Error>
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        instance.parse::<Target>()?;
        let (listener, place) = listen(name).map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                Step::Configuration,
                "no socket for the bridge",
            )
            .caused_by(error)
        })?;
        let tunnel = Tunnel {
            connector: connector.clone(),
            instance: instance.to_owned(),
        };
        let accepting = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((client, _)) if is_this_process(&client) => {
                        let served = serve(client, tunnel.clone());
                        tokio::spawn(async move {
                            if let Err(error) = served.await {
                                tracing::debug!(%error, "a bridged connection ended badly");
                            }
                        });
                    }
                    Ok((_stranger, _)) => {
                        tracing::warn!(
                            "another process tried to use the connection to the database"
                        );
                    }
                    Err(error) => {
                        // Out of file descriptors, mostly: accepting again at once would spin.
                        tracing::warn!(%error, "a connection to the bridge could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
        });
        Ok(Self {
            place,
            accepting: accepting.abort_handle(),
        })
    }

    fn place(&self) -> &Path {
        &self.place
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.accepting.abort();
        #[cfg(not(target_os = "linux"))]
        if let Err(error) = std::fs::remove_dir_all(&self.place) {
            tracing::debug!(%error, "the bridge's directory stays");
        }
    }
}

fn listen(name: &str) -> io::Result<(UnixListener, PathBuf)> {
    // Outside of a runtime the last line would panic.
    tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
    let place = place()?;
    Ok((UnixListener::bind(place.join(name))?, place))
}

/// What a bridge does for one client.
#[derive(Clone)]
struct Tunnel {
    connector: Connector,
    instance: String,
}

impl Tunnel {
    /// Until when a client that came now waits for its connection, everything included.
    fn deadline(&self) -> Instant {
        Instant::now() + self.connector.timeout()
    }

    async fn dial(&self, deadline: Instant) -> Result<Stream, Error> {
        self.connector.dial(&self.instance, None, deadline).await
    }
}

/// A name that no other bridge has.
fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let clock = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |now| now.as_nanos());
    format!("cloudsql-{}-{number}-{clock:x}", process::id())
}

#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it makes a directory")]
fn place() -> io::Result<PathBuf> {
    Ok(PathBuf::from(format!("\0{}", unique())))
}

#[cfg(not(target_os = "linux"))]
fn place() -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let directory = std::env::temp_dir().join(unique());
    std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
    Ok(directory)
}

/// Anybody may connect to an abstract socket; the kernel says who did.
#[cfg(target_os = "linux")]
fn is_this_process(client: &UnixStream) -> bool {
    let own = i32::try_from(process::id()).ok();
    own.is_some() && client.peer_cred().is_ok_and(|peer| peer.pid() == own)
}

/// Only this user can reach the socket at all.
#[cfg(not(target_os = "linux"))]
fn is_this_process(_: &UnixStream) -> bool {
    true
}
