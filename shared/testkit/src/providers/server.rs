//! The server under every stand-in.

use std::{
    future, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinSet},
};
use url::form_urlencoded;

use super::{
    Answer, Effect, Fault, Payment,
    answer::Body,
    fault::{Mention, unwell},
};
use crate::fault::Faults;

/// Nothing that the tools send is longer.
const MAX_BODY_BYTES: usize = 64 << 20;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub uri: Uri,
    /// Its header, credentials included.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Received {
    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let query = self.uri.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let (_, value) = pairs.find(|(has, _)| has == name)?;
        Some(value.into_owned())
    }

    /// A header, when it is text.
    pub fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body; `null` when it is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The key of `Authorization: Bearer KEY`.
    pub fn bearer(&self) -> Option<&str> {
        self.header(header::AUTHORIZATION)?.strip_prefix("Bearer ")
    }

    /// Whether its address or its body says this.
    pub fn mentions(&self, text: &str) -> bool {
        let body = String::from_utf8_lossy(&self.body);
        body.contains(text) || self.uri.to_string().contains(text)
    }
}

/// A provider on loopback. The last clone that is dropped stops it.
#[derive(Clone)]
pub struct StandIn(Arc<Running>);

struct Running {
    url: String,
    shared: Arc<Shared>,
    listening: AbortHandle,
}

struct Shared {
    script: Box<Script>,
    faults: Faults<Mention, Effect>,
    received: Mutex<Vec<Received>>,
    ledger: Mutex<Vec<Payment>>,
}

type Script = dyn Fn(&Received) -> Answer + Send + Sync;

impl StandIn {
    /// Listens on a free port of 127.0.0.1 and answers as `script` says.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start(
        script: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            script: Box::new(script),
            faults: Faults::default(),
            received: Mutex::default(),
            ledger: Mutex::default(),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self(Arc::new(Running {
            url,
            shared,
            listening: serving.abort_handle(),
        })))
    }

    /// What belongs in a `*_BASE_URL`, such as `http://127.0.0.1:34567`.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Makes requests go wrong.
    pub fn inject(&self, fault: Fault) {
        self.0.shared.faults.add(fault);
    }

    /// Whether every injected fault has happened as often as it was to.
    pub fn faults_are_used_up(&self) -> bool {
        self.0.shared.faults.are_used_up()
    }

    /// The requests so far, in the order in which they arrived, those that went wrong included.
    pub fn received(&self) -> Vec<Received> {
        locked(&self.0.shared.received).clone()
    }

    /// What was paid so far, in order.
    pub fn ledger(&self) -> Vec<Payment> {
        locked(&self.0.shared.ledger).clone()
    }

    /// How often this was paid for.
    pub fn paid(&self, what: &str) -> usize {
        let ledger = locked(&self.0.shared.ledger);
        ledger.iter().filter(|payment| payment.what == what).count()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, so that open connections end with the stand-in.
    let mut connections = JoinSet::new();
    while let Ok((stream, _peer)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        // Without it answers are slower, not wrong.
        stream.set_nodelay(true).ok();
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            let server = auto::Builder::new(TokioExecutor::new());
            // It ends badly when a fault cut it or the client went away, and both know.
            server
                .serve_connection(TokioIo::new(stream), service)
                .await
                .ok();
        });
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let (parts, body) = request.into_parts();
    // Read first: a client that is still sending would take an early answer for a broken connection.
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
    let received = Received {
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        body: body.map_err(io::Error::other)?.to_bytes(),
    };
    locked(&shared.received).push(received.clone());
    let mut cut = None;
    let mut is_garbage = false;
    match shared.faults.take(|Mention(it)| received.mentions(it)) {
        None => {}
        Some(Effect::Status(status)) => return Ok(unwell(status).send(None).await),
        Some(Effect::RetryAfter(status, seconds)) => {
            let later = unwell(status).header("retry-after", &seconds.to_string());
            return Ok(later.send(None).await);
        }
        Some(Effect::Answer(answer)) => return Ok(answer.send(None).await),
        Some(Effect::Hang) => future::pending().await,
        Some(Effect::CutBefore) => return Err(io::Error::other("cut by a fault")),
        Some(Effect::Delay(time)) => tokio::time::sleep(time).await,
        Some(Effect::Hold(gate)) => gate.pass().await,
        Some(Effect::Garbage) => is_garbage = true,
        Some(Effect::CutAfter(bytes)) => cut = Some(bytes),
    }
    let mut answer = (shared.script)(&received);
    locked(&shared.ledger).append(&mut answer.payments);
    if is_garbage {
        answer = Answer::new(200, "text/html", "<html><h1>Welcome to nginx!</h1></html>");
    }
    Ok(answer.send(cut).await)
}
