//! What a stand-in answers.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde_json::Value;

/// A body that is being sent.
pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// An answer, and what it cost.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// This, so many times.
    body: (Bytes, usize),
    delay: Duration,
    pub(super) payments: Vec<Payment>,
}

/// Something that was paid for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Payment {
    /// What for: the URL, the question, the part of the video.
    pub what: String,
    /// How much, in the provider's own unit.
    pub units: u64,
}

impl Answer {
    /// An answer with a body.
    ///
    /// # Panics
    ///
    /// When there is no such status.
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let answer = Self {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: Vec::new(),
            body: (body.into(), 1),
            delay: Duration::ZERO,
            payments: Vec::new(),
        };
        if content_type.is_empty() {
            return answer;
        }
        answer.header(header::CONTENT_TYPE.as_str(), content_type)
    }

    /// An answer of JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// With a header.
    ///
    /// # Panics
    ///
    /// When it cannot be one.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("a header's name");
        let value = HeaderValue::try_from(value).expect("a header's value");
        self.headers.push((name, value));
        self
    }

    /// The value of a header that it has.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(has, _)| has == name)?;
        value.to_str().ok()
    }

    /// Its body so many times, as a stream of unknown length: large answers take no memory.
    #[must_use]
    pub fn repeated(mut self, times: usize) -> Self {
        self.body.1 = times;
        self
    }

    /// After a pause.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Something that it is paid for with.
    #[must_use]
    pub fn paid(mut self, what: impl Into<String>, units: u64) -> Self {
        let what = what.into();
        self.payments.push(Payment { what, units });
        self
    }

    /// The answer on its way, of which only so many bytes arrive when `cut` says so.
    pub(super) async fn send(self, cut: Option<usize>) -> Response<Body> {
        tokio::time::sleep(self.delay).await;
        let (piece, times) = self.body;
        let whole = piece.len() * times;
        let body = match cut {
            None if times == 1 => Full::new(piece)
                .map_err(|never: Infallible| match never {})
                .boxed_unsync(),
            None => streamed(piece, times),
            Some(bytes) => cut_short(&piece, bytes),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.extend(self.headers);
        if cut.is_some() {
            // Said, so that the client knows that something is missing.
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole));
        }
        response
    }
}

fn streamed(piece: Bytes, times: usize) -> Body {
    let pieces = stream::iter(std::iter::repeat_n(piece, times));
    StreamBody::new(pieces.map(|piece| Ok(Frame::data(piece)))).boxed_unsync()
}

fn cut_short(piece: &Bytes, bytes: usize) -> Body {
    let start = piece.slice(..bytes.min(piece.len()));
    // hyper drops what it has not sent yet when a body fails: give it the time to send.
    let end = stream::once(async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        Err(std::io::Error::other("cut by a fault"))
    });
    let pieces = stream::once(async { Ok(start) }).chain(end);
    StreamBody::new(pieces.map_ok(Frame::data)).boxed_unsync()
}
