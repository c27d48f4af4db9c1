//! One small client for Google's APIs: a handful of short calls, hours apart.
//!
//! Connections live as long as somebody calls, or [holds](Http::hold) them open between calls that
//! belong together, and no longer: between refreshes nothing waits on a socket and no timer runs.
//! What is kept is the TLS session, so that the next connection is resumed.
//!
//! Plain `http` is spoken because emulators and the metadata server speak it. Redirects are not
//! followed, and no proxy is taken from the environment. Servers are checked against Mozilla's roots.

use std::{
    error::Error as StdError,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header::USER_AGENT};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioExecutor};
use rustls::{ClientConfig, crypto::CryptoProvider};
use tokio::time::{Instant, timeout_at};

type Client = hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The largest answer that is read: settings of an instance are some kilobytes.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// An address that does not answer in this time leaves some of the deadline to the next one.
const CONNECT: Duration = Duration::from_secs(5);

/// Speaks HTTP/1 and HTTP/2. Clones share the connections.
#[derive(Clone)]
pub(crate) struct Http(Arc<Inner>);

struct Inner {
    user_agent: HeaderValue,
    provider: Arc<CryptoProvider>,
    tls: OnceLock<ClientConfig>,
    open: Mutex<Weak<Client>>,
}

/// Keeps connections open between calls, while it lives.
pub(crate) struct Held {
    _client: Arc<Client>,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Http {
    /// The provider does TLS 1.3.
    pub(crate) fn new(user_agent: HeaderValue, provider: Arc<CryptoProvider>) -> Self {
        Self(Arc::new(Inner {
            user_agent,
            provider,
            tls: OnceLock::new(),
            open: Mutex::default(),
        }))
    }

    /// With the name of this crate alone.
    pub(crate) fn plain() -> Self {
        Self::new(HeaderValue::from_static(OWN_USER_AGENT), usual_provider())
    }

    pub(crate) fn user_agent(&self) -> &HeaderValue {
        &self.0.user_agent
    }

    /// Calls that are made while this is held share their connections, also one after the other.
    pub(crate) fn hold(&self) -> Held {
        Held {
            _client: self.0.client(),
        }
    }

    pub(crate) async fn send(
        &self,
        mut request: Request<Bytes>,
        deadline: Instant,
    ) -> Result<Reply, HttpError> {
        let host = request
            .uri()
            .authority()
            .map_or_else(String::new, ToString::to_string);
        request
            .headers_mut()
            .insert(USER_AGENT, self.0.user_agent.clone());
        let client = self.0.client();
        let exchange = exchange(&client, &host, request.map(Full::new));
        match timeout_at(deadline, exchange).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(HttpError::Timeout { host }),
        }
    }
}

/// The process's default, else aws-lc.
pub(crate) fn usual_provider() -> Arc<CryptoProvider> {
    let of_process = CryptoProvider::get_default().cloned();
    of_process.unwrap_or_else(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
}

/// What this crate calls itself.
pub(crate) const OWN_USER_AGENT: &str =
    concat!("cloudsql-connector-rust/", env!("CARGO_PKG_VERSION"));

impl Inner {
    fn client(&self) -> Arc<Client> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = open.upgrade() {
            return client;
        }
        let tls = self.tls.get_or_init(|| {
            ClientConfig::builder_with_provider(Arc::clone(&self.provider))
                .with_safe_default_protocol_versions()
                .expect("a provider does TLS 1.3")
                .with_webpki_roots()
                .with_no_client_auth()
        });
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        // Without a timer the pool has no task of its own; it empties when the client is dropped.
        let client = Arc::new(
            hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector),
        );
        *open = Arc::downgrade(&client);
        client
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Http({:?})", self.0.user_agent)
    }
}

async fn exchange(
    client: &Client,
    host: &str,
    request: Request<Full<Bytes>>,
) -> Result<Reply, HttpError> {
    let response = client.request(request).await.map_err(|error| {
        let host = host.to_owned();
        if error.is_connect() {
            HttpError::Connect {
                host,
                source: error.into(),
            }
        } else {
            HttpError::Broken {
                host,
                source: error.into(),
            }
        }
    })?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, LARGEST_ANSWER)
        .collect()
        .await
        .map_err(|source| {
            let host = host.to_owned();
            if source.is::<LengthLimitError>() {
                HttpError::TooLarge { host }
            } else {
                HttpError::Broken { host, source }
            }
        })?;
    Ok(Reply {
        status: parts.status,
        headers: parts.headers,
        body: body.to_bytes(),
    })
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum HttpError {
    /// No connection: name, route, TLS.
    Connect {
        host: String,
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The deadline was reached.
    Timeout { host: String },
    /// The connection broke before the answer was whole.
    Broken {
        host: String,
        source: Box<dyn StdError + Send + Sync>,
    },
    /// More than anybody would answer who is what we think.
    TooLarge { host: String },
}

impl HttpError {
    /// Whether the same call may succeed a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Broken { .. })
    }

    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Connect { host, .. }
            | Self::Timeout { host }
            | Self::Broken { host, .. }
            | Self::TooLarge { host } => host,
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { host, .. } => write!(formatter, "no connection to {host}"),
            Self::Timeout { host } => write!(formatter, "no answer from {host} in time"),
            Self::Broken { host, .. } => write!(formatter, "the connection to {host} broke"),
            Self::TooLarge { host } => {
                write!(formatter, "the answer of {host} is larger than 1 MiB")
            }
        }
    }
}

impl StdError for HttpError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Connect { source, .. } | Self::Broken { source, .. } => Some(&**source),
            Self::Timeout { .. } | Self::TooLarge { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Answer, Fake};

    fn get(url: &str) -> Request<Bytes> {
        Request::get(url).body(Bytes::new()).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    /// Connections end a moment after they were let go.
    async fn all_closed(fake: &Fake) -> bool {
        for _ in 0..200 {
            if fake.open() == 0 {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    }

    #[tokio::test]
    async fn the_user_agent_is_said_and_the_answer_comes_whole_whatever_its_status() {
        let fake = Fake::start([Answer::new(418, "tea").header("x-a", "b")]).await;
        let http = Http::new(HeaderValue::from_static("me/1"), usual_provider());
        let reply = http.send(get(&fake.url("/x")), soon()).await.unwrap();
        assert_eq!((reply.status.as_u16(), &*reply.body), (418, &b"tea"[..]));
        assert_eq!(reply.headers["x-a"], "b");
        assert_eq!(fake.question(0).headers()[USER_AGENT], "me/1");
    }

    #[tokio::test]
    async fn between_calls_no_connection_and_no_task_is_left() {
        let fake = Fake::start([Answer::new(200, "")]).await;
        let tasks = || {
            tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks()
        };
        let before = tasks();
        let http = Http::plain();
        http.send(get(&fake.url("/")), soon()).await.unwrap();
        http.send(get(&fake.url("/")), soon()).await.unwrap();
        assert_eq!(fake.connections(), 2);
        assert!(all_closed(&fake).await);
        assert_eq!(tasks(), before);
    }

    #[tokio::test]
    async fn calls_that_belong_together_share_a_connection() {
        let fake = Fake::start([Answer::new(200, "")]).await;
        let http = Http::plain();
        let held = http.hold();
        for _ in 0..3 {
            http.clone()
                .send(get(&fake.url("/")), soon())
                .await
                .unwrap();
        }
        assert_eq!((fake.connections(), fake.open()), (1, 1));
        drop(held);
        assert!(all_closed(&fake).await);
    }

    #[tokio::test]
    async fn nothing_is_connected_and_no_tls_is_set_up_before_the_first_call() {
        let http = Http::plain();
        assert!(http.0.tls.get().is_none());
        assert!(http.0.open.lock().unwrap().upgrade().is_none());
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_left_at_the_deadline() {
        let fake = Fake::start([Answer::new(200, "").after(Duration::from_mins(1))]).await;
        let started = Instant::now();
        let deadline = started + Duration::from_millis(100);
        let error = Http::plain().send(get(&fake.url("/")), deadline).await;
        assert!(matches!(error, Err(HttpError::Timeout { .. })), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test]
    async fn each_way_to_fail_is_told() {
        let huge = "x".repeat(LARGEST_ANSWER + 1);
        let fake = Fake::start([Answer::hang_up(), Answer::new(200, huge)]).await;
        let http = Http::plain();
        let error = http.send(get(&fake.url("/")), soon()).await.unwrap_err();
        assert!(matches!(error, HttpError::Broken { .. }) && error.may_pass());
        let error = http.send(get(&fake.url("/")), soon()).await.unwrap_err();
        assert!(matches!(error, HttpError::TooLarge { .. }) && !error.may_pass());
        let error = http
            .send(get("http://127.0.0.1:1/"), soon())
            .await
            .unwrap_err();
        assert!(matches!(error, HttpError::Connect { .. }) && error.may_pass());
        assert_eq!(error.host(), "127.0.0.1:1");
    }

    /// A server with a certificate of its own, and a client that trusts it.
    async fn over_tls() -> (Http, String, Arc<Mutex<Vec<http::Version>>>) {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = own.signing_key.serialize_der();
        let mut server = rustls::ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.try_into().unwrap())
        .unwrap();
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut roots = rustls::RootCertStore::empty();
        roots.add(own.cert.der().clone()).unwrap();
        let http = Http::plain();
        let client = ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
        http.0.tls.set(client).unwrap();

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
        let connections: Arc<Mutex<Vec<http::Version>>> = Arc::default();
        let seen = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let (seen, first) = (Arc::clone(&seen), std::sync::Once::new());
                let service =
                    hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                        first.call_once(|| seen.lock().unwrap().push(request.version()));
                        std::future::ready(Ok::<_, std::convert::Infallible>(http::Response::new(
                            Full::new(Bytes::from_static(b"hello")),
                        )))
                    });
                let stream = hyper_util::rt::TokioIo::new(stream);
                tokio::spawn(
                    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(stream, service),
                );
            }
        });
        (http, format!("https://localhost:{port}/"), connections)
    }

    #[tokio::test]
    async fn over_tls_http2_is_spoken_and_calls_share_it() {
        let (http, url, connections) = over_tls().await;
        let _held = http.hold();
        for _ in 0..3 {
            let reply = http.send(get(&url), soon()).await.unwrap();
            assert_eq!(&*reply.body, b"hello");
        }
        assert_eq!(*connections.lock().unwrap(), [http::Version::HTTP_2]);
    }

    #[tokio::test]
    async fn a_server_that_nobody_vouches_for_is_not_connected_to() {
        let (_, url, _) = over_tls().await;
        let error = Http::plain().send(get(&url), soon()).await.unwrap_err();
        assert!(matches!(error, HttpError::Connect { .. }), "{error:?}");
    }
}
