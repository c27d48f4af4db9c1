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
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream},
    time::{Instant, timeout_at},
};

use crate::{
    connector::Connector,
    error::{Error, ErrorKind, Step},
    instance::Target,
    refresh::Session,
    settings::Engine,
    stream::Stream,
};

#[cfg(feature = "sqlx-mysql")]
pub use self::mysql::MySqlBridge;
#[cfg(feature = "sqlx-postgres")]
pub use self::postgres::PgBridge;
use self::relay::relay;

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
        engine: Engine,
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
            engine,
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
    /// Whose protocol is spoken here.
    engine: Engine,
}

impl Tunnel {
    /// A client that has come now.
    fn call(&self) -> Call<'_> {
        let started = Instant::now();
        Call {
            tunnel: self,
            started,
            deadline: started + self.connector.timeout(),
        }
    }
}

/// One client, from its coming until the server has answered it.
#[derive(Clone, Copy)]
struct Call<'a> {
    tunnel: &'a Tunnel,
    started: Instant,
    /// How long the client waits, everything included.
    deadline: Instant,
}

impl Call<'_> {
    async fn dial(&self) -> Result<Stream, Error> {
        self.dial_instead(None).await
    }

    /// With another certificate than the one that was refused.
    async fn dial_again(&self, refused: &Arc<Session>) -> Result<Stream, Error> {
        self.dial_instead(Some(refused)).await
    }

    async fn dial_instead(&self, refused: Option<&Arc<Session>>) -> Result<Stream, Error> {
        let Tunnel {
            connector,
            instance,
            engine,
        } = self.tunnel;
        let stream = connector.dial(instance, refused, self.deadline).await?;
        match stream.session().settings.engine {
            Some(other) if other != *engine => {
                let message =
                    format!("the instance runs {other}; a bridge for {engine} leads there");
                let error = Error::new(ErrorKind::Configuration, Step::Settings, message).remedy(
                    format!("use a client for {other}, or name another instance"),
                );
                Err(error.about(instance, self.started.elapsed()))
            }
            // Nobody has to say what it is.
            _ => Ok(stream),
        }
    }

    /// Does what the server has to answer before it is certain that it takes the client.
    async fn hear<T>(&self, exchange: impl Future<Output = io::Result<T>>) -> Result<T, Error> {
        let failed = |kind, what| Error::new(kind, Step::Login, what);
        match timeout_at(self.deadline, exchange).await {
            Ok(Ok(heard)) => Ok(heard),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData && !is_tls(&error) => {
                let what = "what answers is no server of this database";
                Err(failed(ErrorKind::Protocol, what).caused_by(error))
            }
            Ok(Err(error)) => Err(failed(
                ErrorKind::Unavailable,
                "the server ended the connection instead of answering the login",
            )
            .remedy("the client certificate may have been refused; see the instance's log")
            .caused_by(error)),
            Err(_late) => Err(failed(
                ErrorKind::Timeout,
                "the server did not answer the login in time",
            )),
        }
        .map_err(|error| error.about(&self.tunnel.instance, self.started.elapsed()))
    }
}

/// Whether a second try with a new certificate may get further: TLS 1.3 refuses a certificate after
/// the handshake, by an alert or by an end without a word.
fn may_be_the_certificate(error: &Error) -> bool {
    (error.step(), error.kind()) == (Step::Login, ErrorKind::Unavailable)
}

/// What clients of SQL databases tell apart.
fn sqlstate(error: &Error) -> &'static str {
    match (error.kind(), error.step()) {
        (ErrorKind::Denied, Step::Login) => "28000",
        (ErrorKind::Closed, _) => "08003",
        // Unable to establish a connection, as opposed to: establishing it was rejected.
        (kind, _) if kind.is_retryable() => "08001",
        _ => "08004",
    }
}

fn is_tls(error: &io::Error) -> bool {
    let cause = error.get_ref();
    cause.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
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
