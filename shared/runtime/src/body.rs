//! Bodies: what streams in is bounded in size and in patience, what goes out is one type.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{HeaderValue, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use serde::Serialize;
use tokio::time::{Instant, Sleep};

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A streaming body, in or out.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;
/// A request on its way to a handler.
pub type Request = http::Request<Body>;
/// A handler's answer.
pub type Response = http::Response<Body>;

/// How long a client may be silent in the middle of a body.
pub(crate) const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// A body that is at hand.
pub fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// No body.
pub fn empty() -> Body {
    full(Bytes::new())
}

/// A body that is made while it is sent. An error cuts the connection, so that the client notices.
pub fn streaming<S, E>(stream: S) -> Body
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<BoxError>,
{
    let frames = stream.map(|chunk| chunk.map(Frame::data).map_err(Into::into));
    StreamBody::new(frames).boxed_unsync()
}

/// An answer in JSON.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    // Our own types: a map with keys that are not strings would be a mistake in the code.
    let text = serde_json::to_vec(value).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        b"null".to_vec()
    });
    json_text(status, text)
}

/// An answer that is JSON already.
pub(crate) fn json_text(status: StatusCode, text: impl Into<Bytes>) -> Response {
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Why a request body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("no part of the body arrived for {} s", BODY_IDLE_TIMEOUT.as_secs())]
    Idle,
    #[error("the body ended early or was malformed")]
    Broken(#[source] BoxError),
}

/// A request body with a size limit and an idle timeout.
pub(crate) struct Guarded {
    body: Body,
    limit: u64,
    left: u64,
    patience: Duration,
    idle: Pin<Box<Sleep>>,
}

impl Guarded {
    pub(crate) fn new(body: Body, limit: u64) -> Self {
        Self::with_patience(body, limit, BODY_IDLE_TIMEOUT)
    }

    fn with_patience(body: Body, limit: u64, patience: Duration) -> Self {
        let idle = Box::pin(tokio::time::sleep(patience));
        Self {
            body,
            limit,
            left: limit,
            patience,
            idle,
        }
    }

    /// Reads everything into memory.
    pub(crate) async fn collect(mut self) -> Result<Bytes, BodyError> {
        // A declared length is a hint only; never more than the limit is allocated for it.
        if self.body.size_hint().lower() > self.limit {
            return Err(BodyError::TooLarge { limit: self.limit });
        }
        let mut first = Bytes::new();
        let mut all = Vec::new();
        while let Some(chunk) = self.next().await {
            let chunk = chunk?;
            if first.is_empty() && all.is_empty() {
                first = chunk;
            } else {
                if all.is_empty() {
                    all.extend_from_slice(&first);
                    first = Bytes::new();
                }
                all.extend_from_slice(&chunk);
            }
        }
        Ok(if all.is_empty() { first } else { all.into() })
    }
}

impl Stream for Guarded {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    let deadline = Instant::now() + self.patience;
                    self.idle.as_mut().reset(deadline);
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    let Some(left) = self.left.checked_sub(data.len() as u64) else {
                        return Poll::Ready(Some(Err(BodyError::TooLarge { limit: self.limit })));
                    };
                    self.left = left;
                    return Poll::Ready(Some(Ok(data)));
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Some(Err(BodyError::Broken(error))));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    return self
                        .idle
                        .as_mut()
                        .poll(context)
                        .map(|()| Some(Err(BodyError::Idle)));
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let hint: SizeHint = self.body.size_hint();
        (usize::from(hint.lower() > 0), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(sizes: &'static [usize]) -> Body {
        streaming(futures_util::stream::iter(
            sizes
                .iter()
                .map(|size| Ok::<_, BoxError>(Bytes::from(vec![b'x'; *size]))),
        ))
    }

    #[tokio::test]
    async fn a_body_of_exactly_the_limit_is_read_whole() {
        assert_eq!(
            Guarded::new(chunks(&[3, 4]), 7)
                .collect()
                .await
                .unwrap()
                .len(),
            7
        );
    }

    #[tokio::test]
    async fn one_byte_more_than_the_limit_is_refused() {
        let error = Guarded::new(chunks(&[3, 5]), 7)
            .collect()
            .await
            .unwrap_err();
        assert!(matches!(error, BodyError::TooLarge { limit: 7 }), "{error}");
    }

    #[tokio::test]
    async fn a_silent_client_is_given_up() {
        let body = streaming(futures_util::stream::pending::<Result<Bytes, BoxError>>());
        let guarded = Guarded::with_patience(body, 7, Duration::from_millis(20));
        let error = guarded.collect().await.unwrap_err();
        assert!(matches!(error, BodyError::Idle), "{error}");
    }
}
