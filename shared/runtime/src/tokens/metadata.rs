//! The metadata server of Google's machines, as a [`gcp_auth::TokenProvider`].
//!
//! `gcp_auth` has one too, but it ignores `GCE_METADATA_HOST` and the scopes, and asks two questions before the
//! first token is there.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gcp_auth::{Error, Token, TokenProvider};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Where the server is when nothing else is said.
const GOOGLE: &str = "metadata.google.internal";

/// The server is on the same machine; one that has not answered by now will not.
const PATIENCE: Duration = Duration::from_secs(3);

/// It is known to answer 5xx or nothing for a moment while an instance starts.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// A token with its frame is about 1.5 kB.
const LONGEST_ANSWER_BYTES: usize = 64 * 1024;

/// Fetches the tokens and the project of the service account that this process runs as. Keeps nothing.
#[derive(Debug)]
pub struct MetadataServer {
    host: Arc<str>,
    client: Client<HttpConnector, Empty<Bytes>>,
}

impl MetadataServer {
    /// `host` is a name or address, with a port if it is not 80: the form of `GCE_METADATA_HOST`.
    pub fn new(host: Option<&str>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(PATIENCE));
        connector.set_nodelay(true);
        Self {
            host: host.unwrap_or(GOOGLE).into(),
            client: Client::builder(TokioExecutor::new()).build(connector),
        }
    }

    async fn get(&self, path: &str) -> Result<Bytes, Error> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let answer = tokio::time::timeout(PATIENCE, self.get_once(path)).await;
            let failure = match answer {
                Ok(Ok(body)) => return Ok(body),
                Ok(Err(failure)) => failure,
                Err(elapsed) => {
                    Failure::passing("the metadata server did not answer in time", elapsed.into())
                }
            };
            match pauses.next() {
                Some(pause) if failure.may_pass => tokio::time::sleep(pause).await,
                _ => return Err(failure.error),
            }
        }
    }

    async fn get_once(&self, path: &str) -> Result<Bytes, Failure> {
        let request = http::Request::get(format!("http://{}/computeMetadata/v1/{path}", self.host))
            .header("metadata-flavor", "Google")
            .body(Empty::new())
            .map_err(|cause| Failure::lasting("GCE_METADATA_HOST is not a host", cause.into()))?;
        let response = self.client.request(request).await.map_err(|cause| {
            Failure::passing("the metadata server could not be reached", cause.into())
        })?;
        let status = response.status();
        let genuine = response
            .headers()
            .get("metadata-flavor")
            .is_some_and(|flavor| flavor == "Google");
        let body = Limited::new(response.into_body(), LONGEST_ANSWER_BYTES)
            .collect()
            .await
            .map_err(|cause| {
                Failure::passing("the metadata server's answer could not be read", cause)
            })?
            .to_bytes();
        if !status.is_success() {
            return Err(Failure {
                may_pass: status.is_server_error() || status.as_u16() == 429,
                error: Error::Other(
                    "the metadata server refused",
                    format!("{status}: {}", String::from_utf8_lossy(&body)).into(),
                ),
            });
        }
        // A proxy or a captive portal that answers everything with 200 must not be taken for the real one.
        if !genuine {
            return Err(Failure::lasting(
                "this is no metadata server",
                "the answer lacks `Metadata-Flavor: Google`".into(),
            ));
        }
        Ok(body)
    }
}

#[async_trait]
impl TokenProvider for MetadataServer {
    async fn token(&self, scopes: &[&str]) -> Result<Arc<Token>, Error> {
        let path = format!(
            "instance/service-accounts/default/token?scopes={}",
            scopes.join(",")
        );
        let body = self.get(&path).await?;
        serde_json::from_slice(&body)
            .map(Arc::new)
            .map_err(|cause| Error::Json("the metadata server's token is not one", cause))
    }

    async fn project_id(&self) -> Result<Arc<str>, Error> {
        let body = self.get("project/project-id").await?;
        std::str::from_utf8(&body)
            .map(Arc::from)
            .map_err(|cause| Error::Other("the project id is not UTF-8", cause.into()))
    }
}

struct Failure {
    may_pass: bool,
    error: Error,
}

impl Failure {
    fn passing(what: &'static str, cause: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self {
            may_pass: true,
            error: Error::Other(what, cause),
        }
    }

    fn lasting(what: &'static str, cause: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self {
            may_pass: false,
            error: Error::Other(what, cause),
        }
    }
}
