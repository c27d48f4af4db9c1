//! Looking at objects, listing and deleting them: small JSON requests, retried.
//!
//! All of them can be repeated without harm (a second delete finds nothing, which is what was wanted), so every
//! error that passes is retried with growing, jittered pauses, or after as long as `Retry-After` asks for, until the
//! deadline.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Request, Response};
use nova_runtime::http_client::{HttpClient, HttpError, Limits};
use nova_runtime::tokens::TokenSource;
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::retry::{Failure, Pauses};
use crate::{Blobs, Error, Settings};

/// One attempt may take this long; a connection that went silent must leave time for another.
const ATTEMPT: Duration = Duration::from_secs(10);

/// A page of a thousand objects is about a megabyte.
const LONGEST_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// What the bucket knows about an object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// Its name.
    pub name: String,
    /// Which of the contents that had this name.
    #[serde(deserialize_with = "number")]
    pub generation: i64,
    /// In bytes.
    #[serde(deserialize_with = "number")]
    pub size: u64,
    /// Of all bytes.
    #[serde(deserialize_with = "checksum")]
    pub crc32c: u32,
    /// Media type.
    #[serde(default)]
    pub content_type: String,
}

/// Some objects of a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Page {
    /// In the order of their names.
    #[serde(rename = "items")]
    pub objects: Vec<Object>,
    /// Where the next page begins; `None` after the last.
    #[serde(rename = "nextPageToken")]
    pub next: Option<String>,
}

/// The JSON API, spoken with the process's own client.
pub(crate) struct Metadata {
    http: HttpClient,
    tokens: TokenSource,
    base: Url,
    deadline: Duration,
}

impl Metadata {
    pub(crate) fn new(config: &Settings, http: HttpClient, tokens: TokenSource) -> Self {
        let google = || Url::parse("https://storage.googleapis.com");
        let base = config.emulator.clone().map_or_else(google, Ok);
        // Only an emulator that somebody named is spoken to in plain http.
        let http = match config.emulator.as_ref().and_then(Url::host_str) {
            Some(host) => http.with_plain_http_to(host),
            None => http,
        };
        Self {
            http,
            tokens,
            base: base.expect("Google's address is one"),
            deadline: config.deadline,
        }
    }

    /// `parts` are encoded, so that an object's name is one part whatever is in it.
    pub(crate) fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }

    /// One attempt. Any status is an answer here.
    pub(crate) async fn send(
        &self,
        mut request: Request<Bytes>,
        deadline: Duration,
    ) -> Result<Response<Bytes>, HttpError> {
        let token = self
            .tokens
            .token()
            .await
            .map_err(|error| HttpError::Broken {
                host: "the token source".to_owned(),
                source: error.into(),
            })?;
        if let Some(token) = token {
            let value = HeaderValue::try_from(format!("Bearer {}", token.secret()));
            let mut value = value.map_err(|error| HttpError::Request(error.into()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let limits = Limits {
            deadline,
            response_bytes: LONGEST_ANSWER_BYTES,
        };
        self.http.send(request, limits).await
    }

    /// For as long as nothing works.
    pub(crate) fn pauses(&self) -> Pauses {
        Pauses::within(self.deadline)
    }

    /// Repeats a request without a body until it is answered for good.
    async fn call(
        &self,
        method: Method,
        url: &Url,
        object: &str,
    ) -> Result<Response<Bytes>, Error> {
        let mut pauses = self.pauses();
        loop {
            let request = Request::builder()
                .method(method.clone())
                .uri(url.as_str())
                .body(Bytes::new())
                .map_err(|error| Error::Other(error.into()))?;
            let outcome = self.send(request, pauses.left().min(ATTEMPT)).await;
            let failure = match outcome {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => Failure::of_answer(&response, object),
                Err(error) => Failure::of_exchange(error),
            };
            if !failure.error.is_retryable() {
                return Err(failure.error);
            }
            pauses.pause(failure).await?;
        }
    }
}

impl Blobs {
    /// What the bucket knows about an object.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unavailable`] when the deadline passed.
    pub fn stat<'a>(
        &'a self,
        bucket: &'a str,
        object: &'a str,
    ) -> BoxFuture<'a, Result<Object, Error>> {
        Box::pin(async move {
            let metadata = &self.inner.metadata;
            let url = metadata.url(&["storage", "v1", "b", bucket, "o", object]);
            let response = metadata.call(Method::GET, &url, object).await?;
            parse(response.body())
        })
    }

    /// Deletes an object. One that is not there (any more) counts as deleted.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the deadline passed: it may or may not be gone.
    pub fn delete<'a>(
        &'a self,
        bucket: &'a str,
        object: &'a str,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let metadata = &self.inner.metadata;
            let url = metadata.url(&["storage", "v1", "b", bucket, "o", object]);
            match metadata.call(Method::DELETE, &url, object).await {
                Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    /// The objects whose names begin with `prefix`, a page at a time: `after` is the [`Page::next`] of the page
    /// before.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the deadline passed.
    pub fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Page, Error>> {
        Box::pin(async move {
            let metadata = &self.inner.metadata;
            let mut url = metadata.url(&["storage", "v1", "b", self.bucket(), "o"]);
            url.query_pairs_mut()
                .append_pair("prefix", prefix)
                .append_pair(
                    "fields",
                    "items(name,generation,size,crc32c,contentType),nextPageToken",
                )
                .extend_pairs(after.map(|token| ("pageToken", token)));
            let response = metadata.call(Method::GET, &url, prefix).await?;
            parse(response.body())
        })
    }
}

pub(crate) fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Other(error.into()))
}

/// 64-bit numbers are strings in Google's JSON.
fn number<'de, D: Deserializer<'de>, T: std::str::FromStr>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|_malformed| serde::de::Error::custom(format!("not a number: {text:?}")))
}

/// Base64 of the big-endian bytes.
fn checksum<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = BASE64.decode(&text).ok();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .map(u32::from_be_bytes)
        .ok_or_else(|| serde::de::Error::custom(format!("not a CRC32C: {text:?}")))
}
