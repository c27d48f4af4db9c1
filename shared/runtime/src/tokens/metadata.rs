//! The metadata server of Google's machines, as a [`gcp_auth::TokenProvider`].
//!
//! `gcp_auth` has one too, but it ignores `GCE_METADATA_HOST` and the scopes, and asks two questions before the
//! first token is there.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gcp_auth::{Error, Token, TokenProvider};

use crate::http_client::{HttpClient, HttpError, Limits};

/// Where the server is when nothing else is said.
const GOOGLE: &str = "metadata.google.internal";

/// The server is on the same machine, so what has not been answered by now will not be; a token with its frame is
/// about 1.5 kB.
const LIMITS: Limits = Limits {
    deadline: Duration::from_secs(3),
    response_bytes: 64 * 1024,
};

/// It is known to answer 5xx or nothing for a moment while an instance starts.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// Fetches the tokens and the project of the service account that this process runs as. Keeps nothing.
#[derive(Debug)]
pub struct MetadataServer {
    host: Arc<str>,
    http: HttpClient,
}

impl MetadataServer {
    /// `host` is a name or address, with a port if it is not 80: the form of `GCE_METADATA_HOST`.
    pub fn new(host: Option<&str>) -> Self {
        let host = host.unwrap_or(GOOGLE);
        let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
        Self {
            host: host.into(),
            http: HttpClient::new().with_plain_http_to(name),
        }
    }

    async fn get(&self, path: &str) -> Result<Bytes, Error> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let failure = match self.get_once(path).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            match pauses.next() {
                Some(pause) if failure.is_retryable() => tokio::time::sleep(pause).await,
                _ => {
                    return Err(Error::Other(
                        "the metadata server gave no answer",
                        failure.into(),
                    ));
                }
            }
        }
    }

    async fn get_once(&self, path: &str) -> Result<Bytes, HttpError> {
        let request = http::Request::get(format!("http://{}/computeMetadata/v1/{path}", self.host))
            .header("metadata-flavor", "Google")
            .body(Bytes::new())?;
        let response = self.http.send(request, LIMITS).await?;
        let status = response.status();
        // A proxy or a captive portal that answers everything with 200 must not be taken for the real one.
        let is_genuine = response
            .headers()
            .get("metadata-flavor")
            .is_some_and(|flavor| flavor == "Google");
        if status.is_success() && is_genuine {
            return Ok(response.into_body());
        }
        Err(HttpError::Status {
            host: self.host.to_string(),
            status,
            body: response.into_body(),
        })
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
