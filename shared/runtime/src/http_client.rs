//! The one client for calls from machine to machine: key sets, token endpoints, metadata.
//!
//! Each call has a deadline and a limit on the size of the answer, because the other side may be
//! slow, broken or hostile. Redirects are not followed: none of these endpoints has a reason to
//! send us elsewhere. Plain `http` is spoken only with this machine, with Google's metadata
//! server, and with hosts that were named when the client was made (an emulator on a container
//! network); everything else is HTTPS with Mozilla's roots. No proxy is taken from the
//! environment.
//!
//! ```no_run
//! use nova_runtime::http_client::{HttpClient, HttpError};
//! # async fn example() -> Result<(), HttpError> {
//! let http = HttpClient::new();
//! let url = "https://issuer.example/.well-known/openid-configuration".parse().map_err(HttpError::from)?;
//! let metadata: serde_json::Value = http.get_json(&url).await?;
//! # Ok(()) }
//! ```

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;
use url::{Host, Url};

/// How long a call may take and how much it may answer.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte of the connection to the last byte of the answer.
    pub deadline: Duration,
    /// The largest body that is read, in bytes.
    pub response_bytes: usize,
}

impl Default for Limits {
    /// Five seconds and 256 KiB: a key set or a token is some kilobytes.
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            response_bytes: 256 * 1024,
        }
    }
}

/// A pooled HTTP/1 and HTTP/2 client. Clones share the pool.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    plain_http_hosts: Vec<String>,
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpClient {
    /// A client with an empty pool; nothing is connected yet.
    pub fn new() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(Duration::from_secs(3)));
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::aws_lc_rs::default_provider())
            .expect("aws-lc supports the default TLS versions")
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        // An instance whose CPU sleeps between requests finds its idle connections dead:
        // a short idle time avoids most of them, and hyper-util retries the rest.
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .build(connector);
        Self {
            client,
            plain_http_hosts: Vec::new(),
        }
    }

    /// Also speaks plain `http` with `host`, which is an emulator or stand-in.
    #[must_use]
    pub fn with_plain_http_to(mut self, host: impl Into<String>) -> Self {
        self.plain_http_hosts.push(host.into());
        self
    }

    /// Reads a JSON document. Any status but 2xx is an error.
    pub fn get_json<'a, T>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<T, HttpError>>
    where
        T: DeserializeOwned + 'a,
    {
        Box::pin(async move {
            let request = Request::get(url.as_str())
                .header(ACCEPT, HeaderValue::from_static("application/json"))
                .body(Bytes::new())?;
            let response = self.send(request, Limits::default()).await?;
            json(url, &successful(url, response)?)
        })
    }

    /// Posts `fields` as a form and reads the JSON answer. Any status but 2xx is an error, which
    /// carries the body: token endpoints explain themselves there.
    pub fn post_form<'a, T>(
        &'a self,
        url: &'a Url,
        fields: &'a [(&'a str, &'a str)],
        authorization: Option<HeaderValue>,
    ) -> BoxFuture<'a, Result<T, HttpError>>
    where
        T: DeserializeOwned + 'a,
    {
        Box::pin(async move {
            let form = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(fields)
                .finish();
            let mut request = Request::post(url.as_str())
                .header(ACCEPT, HeaderValue::from_static("application/json"))
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Bytes::from(form))?;
            if let Some(value) = authorization {
                request
                    .headers_mut()
                    .insert(http::header::AUTHORIZATION, value);
            }
            let response = self.send(request, Limits::default()).await?;
            json(url, &successful(url, response)?)
        })
    }

    /// Sends any request and collects the answer, whatever its status.
    pub fn send(
        &self,
        mut request: Request<Bytes>,
        limits: Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        Box::pin(async move {
            let host = self.allowed_host(&request)?;
            request
                .headers_mut()
                .entry(USER_AGENT)
                .or_insert(HeaderValue::from_static(concat!(
                    "nova/",
                    env!("CARGO_PKG_VERSION")
                )));
            let exchange = self.exchange(&host, request.map(Full::new), limits.response_bytes);
            match tokio::time::timeout(limits.deadline, exchange).await {
                Ok(outcome) => outcome,
                Err(_elapsed) => Err(HttpError::Deadline {
                    host,
                    deadline: limits.deadline,
                }),
            }
        })
    }

    async fn exchange(
        &self,
        host: &str,
        request: Request<Full<Bytes>>,
        limit: usize,
    ) -> Result<Response<Bytes>, HttpError> {
        let response = self.client.request(request).await.map_err(|error| {
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
        let body = Limited::new(body, limit)
            .collect()
            .await
            .map_err(|source| {
                let host = host.to_owned();
                if source.is::<LengthLimitError>() {
                    HttpError::TooLarge { host, limit }
                } else {
                    HttpError::Broken { host, source }
                }
            })?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }

    /// The host of a request that may be made.
    fn allowed_host(&self, request: &Request<Bytes>) -> Result<String, HttpError> {
        let url = Url::parse(&request.uri().to_string())?;
        let host = url.host_str().unwrap_or_default().to_owned();
        match url.scheme() {
            "https" => Ok(host),
            "http" if self.plain_http_hosts.contains(&host) || is_near(&url) => Ok(host),
            _ => Err(HttpError::Refused {
                url: url.origin().ascii_serialization(),
            }),
        }
    }
}

/// True for this machine itself and for the metadata server, which no one else can impersonate.
fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => {
            address.is_loopback() || address.octets() == [169, 254, 169, 254]
        }
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name.ends_with(".localhost")
                || name == "metadata.google.internal"
        }
        None => false,
    }
}

fn successful(url: &Url, response: Response<Bytes>) -> Result<Bytes, HttpError> {
    let status = response.status();
    let body = response.into_body();
    if status.is_success() {
        Ok(body)
    } else {
        Err(HttpError::Status {
            host: url.host_str().unwrap_or_default().to_owned(),
            status,
            body,
        })
    }
}

fn json<T: DeserializeOwned>(url: &Url, body: &[u8]) -> Result<T, HttpError> {
    serde_json::from_slice(body).map_err(|source| HttpError::Json {
        host: url.host_str().unwrap_or_default().to_owned(),
        source,
    })
}

/// Why a call gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is no URL.
    #[error("the address cannot be read")]
    Address(#[from] url::ParseError),
    /// The request cannot be written.
    #[error("the request cannot be written")]
    Request(#[from] http::Error),
    /// Plain `http` to a host that is not near.
    #[error("{url} is neither https nor an address of this machine")]
    Refused {
        /// The origin that was refused.
        url: String,
    },
    /// No connection: name, route, TLS.
    #[error("no connection to {host}")]
    Connect {
        /// The host of the call.
        host: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection broke before the answer was whole.
    #[error("the exchange with {host} broke off")]
    Broken {
        /// The host of the call.
        host: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer took too long.
    #[error("no whole answer from {host} within {deadline:?}")]
    Deadline {
        /// The host of the call.
        host: String,
        /// How long was waited.
        deadline: Duration,
    },
    /// The answer is larger than the caller accepts.
    #[error("the answer of {host} is larger than {limit} bytes")]
    TooLarge {
        /// The host of the call.
        host: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// A status that is not 2xx.
    #[error("{host} answered {status}")]
    Status {
        /// The host of the call.
        host: String,
        /// What it answered.
        status: StatusCode,
        /// The body, for callers that know how to read it.
        body: Bytes,
    },
    /// Not the JSON that was expected.
    #[error("the answer of {host} is not the expected JSON")]
    Json {
        /// The host of the call.
        host: String,
        /// Where the reading stopped.
        source: serde_json::Error,
    },
}

impl HttpError {
    /// True when the same call may succeed a moment later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Broken { .. } | Self::Deadline { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error()
                    || *status == StatusCode::TOO_MANY_REQUESTS
                    || *status == StatusCode::REQUEST_TIMEOUT
            }
            Self::Address(_)
            | Self::Request(_)
            | Self::Refused { .. }
            | Self::TooLarge { .. }
            | Self::Json { .. } => false,
        }
    }
}
