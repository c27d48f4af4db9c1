//! An object store that speaks the part of Google Cloud Storage's JSON API which Nova uses.
//!
//! The local cloud keeps its files in it, and tests point the real client at it, so that there is one code
//! path for bytes everywhere: `STORAGE_EMULATOR_HOST=<url>`. What it answers, and how Google does it:
//!
//! | request | here |
//! |---|---|
//! | `POST /upload/storage/v1/b/B/o?uploadType=multipart` or `media` | one shot; checksums in any part are checked |
//! | `POST …?uploadType=resumable`, `PUT`, `DELETE` of the session | 308 with `Range`, status queries, 499 |
//! | `GET /storage/v1/b/B/o/O?alt=media` | `Range`, `x-goog-generation`, `x-goog-hash` |
//! | `GET /storage/v1/b/B/o/O`, `GET …/o?prefix=`, `DELETE` | metadata, pages, 204 |
//!
//! Preconditions (`ifGenerationMatch`, `ifGenerationNotMatch`) hold for all of them. A resumable upload keeps
//! what arrived in whole multiples of 256 KiB, also when the connection broke: that is what clients trip over.
//!
//! Read on in [`disk`] (what survives a crash), [`session`] (resumable uploads) and [`fault`] (how tests make it
//! misbehave).

mod answer;
mod disk;
mod download;
mod fault;
mod name;
mod object;
mod request;
mod session;
mod upload;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use fault::{Effect, Fault};
pub use object::Object;
pub use request::Action;

use crate::fault::Faults;

/// What an answer's body is made of.
pub type Body = BoxBody<Bytes, std::io::Error>;

type Incoming = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// How a store is set up. `Config::default()` is what a test wants.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Where objects are kept, durably. `None`: in a folder of its own that goes away with the store, and
    /// without waiting for the disk.
    pub directory: Option<PathBuf>,
    /// The address to listen on; `None` is any free port of 127.0.0.1.
    pub address: Option<SocketAddr>,
    /// Where clients find the store, when that is not the address it listens on (it is mounted in another
    /// server, or behind a proxy). Resumable uploads are sent there.
    pub public_url: Option<String>,
    /// The buckets there are. `None`: each comes into being when it is first written to.
    pub buckets: Option<Vec<String>>,
    /// The bearer token that every request must carry. `None`: no questions asked.
    pub token: Option<String>,
}

/// A running store. The last clone that is dropped stops it.
#[derive(Clone)]
pub struct ObjectStore {
    /// What belongs in `STORAGE_EMULATOR_HOST`, for example `http://127.0.0.1:34567`.
    pub url: String,
    inner: Arc<Inner>,
    /// Only held, so that it ends with the last clone.
    server: Option<Arc<Server>>,
}

struct Inner {
    url: String,
    token: Option<String>,
    disk: Arc<disk::Disk>,
    sessions: session::Sessions,
    faults: Faults<fault::Requests, Effect>,
    log: Mutex<Vec<Seen>>,
}

/// A request that arrived, for tests that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What was asked.
    pub action: Action,
    /// The object's name, or the prefix of a list.
    pub object: String,
    /// The status answered; `None` when the connection was cut instead.
    pub status: Option<u16>,
}

/// The connection is to be closed without (the rest of) an answer, because a fault says so or because the other
/// side went away.
#[derive(Debug)]
pub struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection was cut")
    }
}

impl std::error::Error for Cut {}

impl ObjectStore {
    /// Opens the store and serves it on a port of its own.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let address = config
            .address
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("the object store cannot listen on {address}"))?;
        let url = config
            .public_url
            .clone()
            .unwrap_or(format!("http://{}", listener.local_addr()?));
        let mut store = Self::open(Config {
            public_url: Some(url),
            ..config
        })
        .await?;
        store.server = Some(Arc::new(Server::spawn(listener, Arc::clone(&store.inner))));
        Ok(store)
    }

    /// Opens the store without a server; the owner passes requests to [`handle`](Self::handle).
    ///
    /// Fails when the directory cannot be used, or when what lies there is damaged.
    pub async fn open(config: Config) -> anyhow::Result<Self> {
        let url = config.public_url.unwrap_or_default();
        let disk = disk::Disk::open(config.directory, config.buckets).await?;
        Ok(Self {
            url: url.clone(),
            inner: Arc::new(Inner {
                url,
                token: config.token,
                disk: Arc::new(disk),
                sessions: session::Sessions::default(),
                faults: Faults::default(),
                log: Mutex::default(),
            }),
            server: None,
        })
    }

    /// Answers one request. On `Err` the connection has to be closed.
    pub fn handle<B>(&self, request: Request<B>) -> BoxFuture<'static, Result<Response<Body>, Cut>>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.handle(request).await })
    }

    /// Makes the next requests that it matches go wrong.
    pub fn inject(&self, fault: Fault) {
        self.inner.faults.add(fault);
    }

    /// Whether every injected fault has happened as often as it was to.
    pub fn faults_are_used_up(&self) -> bool {
        self.inner.faults.are_used_up()
    }

    /// The requests that were answered or cut so far, in the order in which they ended.
    pub fn seen(&self) -> Vec<Seen> {
        self.inner
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many requests of this kind have ended.
    pub fn count(&self, action: Action) -> usize {
        self.seen()
            .iter()
            .filter(|seen| seen.action == action)
            .count()
    }

    /// The objects of a bucket, by name: what is really there, past all faults.
    pub fn objects(&self, bucket: &str) -> Vec<Object> {
        self.inner.disk.list(bucket)
    }
}

/// Enough to notice a store that forgot; a test that makes more requests does not count them.
const LONGEST_LOG: usize = 100_000;

impl Inner {
    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let (head, body) = request.into_parts();
        let call = match request::Call::parse(&head) {
            Ok(call) => call,
            Err(refusal) => return Ok(refusal.into_response()),
        };
        let wanted = self.token.as_ref().map(|token| format!("Bearer {token}"));
        if wanted.is_some_and(|wanted| call.header("authorization") != Some(wanted.as_str())) {
            return Ok(answer::Refusal::unauthorized().into_response());
        }
        let effect = self.faults.take(|requests| requests.include(&call));
        let answered = match fault::before(effect.as_ref(), body).await {
            Ok(body) => match self.act(&call, body).await {
                Ok(answer) => fault::after(effect.as_ref(), answer).await,
                Err(Cut) => Err(Cut),
            },
            Err(ended) => ended,
        };
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() < LONGEST_LOG {
            log.push(Seen {
                action: call.action,
                object: call.object.clone(),
                status: answered
                    .as_ref()
                    .ok()
                    .map(|response| response.status().as_u16()),
            });
        }
        drop(log);
        answered
    }

    async fn act(&self, call: &request::Call, body: Incoming) -> Result<Response<Body>, Cut> {
        let outcome = match call.action {
            Action::UploadMultipart => upload::multipart(&self.disk, call, body).await,
            Action::UploadMedia => upload::media(&self.disk, call, body).await,
            Action::StartSession => {
                session::start(&self.sessions, &self.disk, &self.url, call, body).await
            }
            Action::ContinueSession => {
                session::proceed(&self.sessions, &self.disk, call, body).await
            }
            Action::CancelSession => session::cancel(&self.sessions, call),
            Action::Download => download::media(&self.disk, call).await,
            Action::Stat => download::stat(&self.disk, call),
            Action::List => download::list(&self.disk, call),
            Action::Delete => download::delete(&self.disk, call).await,
            Action::GetBucket => answer::bucket(&self.disk, call),
        };
        match outcome {
            Ok(response) => Ok(response),
            Err(answer::Failed::Refused(refusal)) => Ok(refusal.into_response()),
            Err(answer::Failed::Cut) => Err(Cut),
        }
    }
}

/// Accepts until it is dropped.
struct Server(JoinHandle<()>);

impl Server {
    fn spawn(listener: TcpListener, inner: Arc<Inner>) -> Self {
        Self(tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                // Reaps what has ended, so that the set does not grow with every connection there ever was.
                while connections.try_join_next().is_some() {}
                // Out of file descriptors, most likely: the next attempt may do better.
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                    continue;
                };
                // Ignored: without it answers are slower, not wrong.
                stream.set_nodelay(true).ok();
                let inner = Arc::clone(&inner);
                connections.spawn(async move {
                    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                        let inner = Arc::clone(&inner);
                        let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
                        async move { inner.handle(request).await }
                    });
                    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    // Ignored: it ends badly when a fault cut it or the client went away, and both know.
                    server
                        .serve_connection(TokioIo::new(stream), service)
                        .await
                        .ok();
                });
            }
        }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// For bodies that are all there already.
fn whole(bytes: impl Into<Bytes>) -> Body {
    http_body_util::Full::new(bytes.into())
        .map_err(|never: Infallible| match never {})
        .boxed()
}
