//! A resumable upload: a large body in chunks, each of which survives a broken connection.
//!
//! Google's client can do this too, and loses data when it does: after a connection that broke within a chunk it
//! sends the following chunk in its place (google-cloud-rust issue 6685, open in 1.21; a test of ours shows it). It
//! also cannot give a session up. So the session is driven here, over the JSON API that [`crate::metadata`] speaks,
//! and what fits into one request still goes through Google's client.
//!
//! After every failure the session is asked how far it got, and what it does not have is sent again. A chunk is
//! kept in memory until it is confirmed, and nothing else is.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use http::{Method, Request, Response, StatusCode};
use nova_runtime::log::causes;

use crate::Error;
use crate::incoming::Measured;
use crate::metadata::{Metadata, Object, parse};
use crate::retry::Failure;
use crate::write::Target;

/// Large enough to keep a fast line busy, small enough for many uploads at once in one instance. A multiple of the
/// 256 KiB in which Cloud Storage counts.
pub(crate) const CHUNK_BYTES: usize = 8 * 1024 * 1024;

/// One chunk, at 270 kB a second.
const ATTEMPT: Duration = Duration::from_secs(30);

/// How long to try to give a session up. It dies by itself in a week, and nobody else knows its address.
const CANCEL: Duration = Duration::from_secs(2);

/// An upload under way.
pub(crate) struct Session<'a> {
    metadata: &'a Metadata,
    object: &'a str,
    /// A secret: whoever knows it can upload.
    address: String,
    /// How many bytes the storage has confirmed.
    confirmed: u64,
}

/// The answer to a chunk, or to the question how far the upload got.
enum Progress {
    Confirmed(u64),
    Done(Object),
}

impl<'a> Session<'a> {
    /// Begins an upload.
    pub(crate) async fn start(metadata: &'a Metadata, target: &Target<'a>) -> Result<Self, Error> {
        let object = target.name;
        let mut url = metadata.url(&["upload", "storage", "v1", "b", target.bucket, "o"]);
        url.query_pairs_mut()
            .append_pair("uploadType", "resumable")
            .append_pair("name", object)
            .append_pair("ifGenerationMatch", &target.replaces.to_string());
        let about = serde_json::json!({ "contentType": target.content_type }).to_string();
        let mut pauses = metadata.pauses();
        loop {
            // Can be repeated: a session that nobody knows of is never used.
            let request = Request::post(url.as_str())
                .header(CONTENT_TYPE, "application/json")
                .body(Bytes::from(about.clone()))
                .map_err(|error| Error::Other(error.into()))?;
            let failure = match metadata.send(request, pauses.left().min(ATTEMPT)).await {
                Ok(response) if response.status().is_success() => {
                    let address = response.headers().get(LOCATION);
                    let address = address.and_then(|address| address.to_str().ok());
                    let address = address.ok_or_else(|| {
                        Error::Other("the storage started an upload without an address".into())
                    })?;
                    return Ok(Self {
                        metadata,
                        object,
                        address: address.to_owned(),
                        confirmed: 0,
                    });
                }
                Ok(response) => Failure::of_answer(&response, object),
                Err(error) => Failure::of_exchange(error),
            };
            if !failure.error.is_retryable() {
                return Err(failure.error);
            }
            pauses.pause(failure).await?;
        }
    }

    /// Sends a chunk that is not the last.
    pub(crate) async fn send(&mut self, chunk: Bytes) -> Result<(), Error> {
        match self.deliver(chunk, None).await? {
            None => Ok(()),
            Some(_) => Err(Error::corrupt(
                self.object,
                "the upload ended before its last byte",
            )),
        }
    }

    /// Sends the last chunk, which may be empty, and the checksum of the whole.
    pub(crate) async fn finish(&mut self, chunk: Bytes, whole: Measured) -> Result<Object, Error> {
        match self.deliver(chunk, Some(whole)).await? {
            Some(object) => Ok(object),
            None => Err(Error::corrupt(
                self.object,
                "the upload did not end with its last byte",
            )),
        }
    }

    /// Gives the upload up. When that fails, the storage forgets it in a week.
    pub(crate) async fn cancel(self) {
        if let Ok(request) = Request::delete(&self.address).body(Bytes::new())
            && let Err(error) = self.metadata.send(request, CANCEL).await
        {
            tracing::debug!(
                error = causes(&error),
                "an abandoned upload could not be cancelled"
            );
        }
    }

    /// Sends until all of the chunk is confirmed, or the object is there.
    async fn deliver(
        &mut self,
        mut chunk: Bytes,
        whole: Option<Measured>,
    ) -> Result<Option<Object>, Error> {
        let mut pauses = self.metadata.pauses();
        // The checksum is only sent with a first attempt, as Google's clients do; the object's own is compared anyway.
        let mut checksum = whole.map(|whole| whole.crc32c);
        let mut asking = false;
        loop {
            let request = if asking {
                self.request(&format!("bytes */{}", total(whole)), None, Bytes::new())
            } else {
                self.request(
                    &content_range(self.confirmed, &chunk, whole),
                    checksum.take(),
                    chunk.clone(),
                )
            };
            let outcome = self
                .metadata
                .send(request?, pauses.left().min(ATTEMPT))
                .await;
            match outcome
                .map_err(Failure::of_exchange)
                .and_then(|response| self.progress(&response))
            {
                Ok(Progress::Done(object)) => return Ok(Some(object)),
                Ok(Progress::Confirmed(confirmed)) => {
                    let new = confirmed.checked_sub(self.confirmed);
                    let new = new.and_then(|new| usize::try_from(new).ok());
                    let Some(new) = new.filter(|new| *new <= chunk.len()) else {
                        let what = format!("of {} bytes it confirms {confirmed}", self.confirmed);
                        return Err(Error::corrupt(self.object, what));
                    };
                    self.confirmed = confirmed;
                    chunk = chunk.split_off(new);
                    if chunk.is_empty() && whole.is_none() {
                        return Ok(None);
                    }
                    if new > 0 {
                        pauses.reset();
                    } else if !asking {
                        // It took nothing of what was sent: as good as an error.
                        let error = Error::Unavailable("the upload makes no progress".into());
                        pauses.pause(Failure::from(error)).await?;
                    }
                    asking = false;
                }
                Err(failure) if failure.error.is_retryable() => {
                    pauses.pause(failure).await?;
                    asking = true;
                }
                // The session is gone, and with it what was sent; only the whole upload can be repeated.
                Err(Failure {
                    error: Error::NotFound { .. },
                    ..
                }) => {
                    return Err(Error::Unavailable(
                        "the storage has forgotten the upload".into(),
                    ));
                }
                Err(failure) => return Err(failure.error),
            }
        }
    }

    fn request(
        &self,
        range: &str,
        checksum: Option<u32>,
        body: Bytes,
    ) -> Result<Request<Bytes>, Error> {
        let mut request = Request::builder()
            .method(Method::PUT)
            .uri(&self.address)
            .header(CONTENT_RANGE, range);
        if let Some(checksum) = checksum {
            let checksum = BASE64.encode(checksum.to_be_bytes());
            request = request.header("x-goog-hash", format!("crc32c={checksum}"));
        }
        request
            .body(body)
            .map_err(|error| Error::Other(error.into()))
    }

    fn progress(&self, response: &Response<Bytes>) -> Result<Progress, Failure> {
        match response.status() {
            status if status.is_success() => {
                let object = parse(response.body()).map_err(Failure::from)?;
                Ok(Progress::Done(object))
            }
            StatusCode::PERMANENT_REDIRECT => {
                let Some(range) = response.headers().get(RANGE) else {
                    return Ok(Progress::Confirmed(0));
                };
                let last = range
                    .to_str()
                    .ok()
                    .and_then(|range| range.strip_prefix("bytes=0-"));
                let last = last
                    .and_then(|last| last.parse::<u64>().ok())
                    .ok_or_else(|| {
                        Failure::from(Error::Other(
                            "the storage confirms no range that can be read".into(),
                        ))
                    })?;
                Ok(Progress::Confirmed(last + 1))
            }
            _ => Err(Failure::of_answer(response, self.object)),
        }
    }
}

fn content_range(first: u64, chunk: &Bytes, whole: Option<Measured>) -> String {
    match (chunk.len() as u64).checked_sub(1) {
        Some(last) => format!("bytes {first}-{}/{}", first + last, total(whole)),
        None => format!("bytes */{}", total(whole)),
    }
}

fn total(whole: Option<Measured>) -> String {
    whole.map_or_else(|| "*".to_owned(), |whole| whole.size.to_string())
}
