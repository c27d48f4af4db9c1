//! Scripted misbehaviour: what the cloud does on a bad day, on demand and in the order a test wants.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::answer::Refusal;
use super::object::encode_crc32c;
use super::request::{Action, Call};
use super::{Body, Cut, Incoming, whole};
use crate::{Gate, fault};

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Effect {
    /// The request is not acted on and answered with this status (503, 429, 408…).
    Status(u16),
    /// As `Status`, with `Retry-After` in seconds.
    StatusRetryAfter(u16, u32),
    /// The connection is closed before anything was done.
    CutBefore,
    /// The request is acted on, and its answer lost.
    CutAfter,
    /// The connection breaks when this many bytes of the request's body have arrived.
    CutRequestAfter(u64),
    /// The answer's body breaks off after this many bytes.
    CutAnswerAfter(u64),
    /// The answer claims a checksum that the bytes do not have.
    WrongChecksum,
    /// One bit of the answer's first byte is another.
    FlippedBit,
    /// The request waits this long before it is looked at.
    Delay(Duration),
    /// The request waits until the gate is open.
    Hold(Gate),
}

/// An [`Effect`], the requests it is for, and how often it happens (once, unless said otherwise).
pub type Fault = fault::Fault<Requests, Effect>;

/// Requests of a kind, about objects whose names begin so.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    action: Option<Action>,
    object_prefix: String,
}

impl Requests {
    pub(super) fn include(&self, call: &Call) -> bool {
        self.action.is_none_or(|action| action == call.action)
            && call.object.starts_with(&self.object_prefix)
    }
}

impl Fault {
    /// Goes wrong once, for the next request of any kind.
    pub fn new(effect: Effect) -> Self {
        Self::once(Requests::default(), effect)
    }

    /// Only for requests of this kind.
    #[must_use]
    pub fn on(mut self, action: Action) -> Self {
        self.when.action = Some(action);
        self
    }

    /// Only for objects whose names begin so.
    #[must_use]
    pub fn object(mut self, prefix: impl Into<String>) -> Self {
        self.when.object_prefix = prefix.into();
        self
    }
}

/// The body that is to be acted on, or how the request ends without.
pub(super) async fn before(
    effect: Option<&Effect>,
    body: Incoming,
) -> Result<Incoming, Result<Response<Body>, Cut>> {
    match effect {
        Some(Effect::Status(status)) => Err(Ok(refuse(*status, None))),
        Some(Effect::StatusRetryAfter(status, seconds)) => Err(Ok(refuse(*status, Some(*seconds)))),
        Some(Effect::CutBefore) => Err(Err(Cut)),
        Some(Effect::CutRequestAfter(bytes)) => Ok(cut_request(body, *bytes)),
        Some(Effect::Delay(time)) => {
            tokio::time::sleep(*time).await;
            Ok(body)
        }
        Some(Effect::Hold(gate)) => {
            gate.pass().await;
            Ok(body)
        }
        _ => Ok(body),
    }
}

/// What the client gets to see of an answer.
pub(super) async fn after(
    effect: Option<&Effect>,
    answer: Response<Body>,
) -> Result<Response<Body>, Cut> {
    match effect {
        Some(Effect::CutAfter) => Err(Cut),
        Some(Effect::CutAnswerAfter(bytes)) => Ok(cut_answer(answer, *bytes)),
        Some(Effect::WrongChecksum) => wrong_checksum(answer).await,
        Some(Effect::FlippedBit) => Ok(flipped_bit(answer)),
        _ => Ok(answer),
    }
}

fn refuse(status: u16, retry_after: Option<u32>) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Refusal::injected(status).into_response();
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert("retry-after", HeaderValue::from(seconds));
    }
    response
}

/// Lets so many bytes through, and breaks off.
struct CutShort {
    left: usize,
}

impl CutShort {
    fn after(bytes: u64) -> Self {
        let left = usize::try_from(bytes).unwrap_or(usize::MAX);
        Self { left }
    }

    /// `None`: it broke off.
    fn pass(&mut self, mut chunk: Bytes) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        chunk.truncate(self.left);
        self.left -= chunk.len();
        Some(chunk)
    }
}

fn cut_request(body: Incoming, bytes: u64) -> Incoming {
    let mut short = CutShort::after(bytes);
    let chunks = body.into_data_stream().map(move |chunk| {
        let chunk = short.pass(chunk?).ok_or("cut by a fault")?;
        Ok(Frame::data(chunk))
    });
    StreamBody::new(chunks).boxed_unsync()
}

fn cut_answer(answer: Response<Body>, bytes: u64) -> Response<Body> {
    answer.map(|body| {
        let chunks = body
            .into_data_stream()
            .scan(CutShort::after(bytes), |short, chunk| {
                future::ready(chunk.map(|chunk| short.pass(chunk)).transpose())
            })
            .map_ok(Frame::data);
        // hyper drops what it has not sent yet when a body fails: give it the time to send.
        let end = stream::once(async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            Err(std::io::Error::other("cut by a fault"))
        });
        BodyExt::boxed(StreamBody::new(chunks.chain(end)))
    })
}

fn flipped_bit(answer: Response<Body>) -> Response<Body> {
    answer.map(|body| {
        let mut first = true;
        let chunks = body.into_data_stream().map(move |chunk| {
            let mut chunk = Vec::from(chunk?);
            if let Some(byte) = chunk.first_mut().filter(|_| first) {
                *byte ^= 1;
                first = false;
            }
            Ok(Frame::data(Bytes::from(chunk)))
        });
        BodyExt::boxed(StreamBody::new(chunks))
    })
}

/// In the header of a download, or in the JSON of anything else.
async fn wrong_checksum(answer: Response<Body>) -> Result<Response<Body>, Cut> {
    let wrong = encode_crc32c(0xBAD0_BAD0);
    let (mut head, body) = answer.into_parts();
    if head.headers.contains_key("x-goog-hash") {
        let header = HeaderValue::try_from(format!("crc32c={wrong}")).map_err(|_broken| Cut)?;
        head.headers.insert("x-goog-hash", header);
        return Ok(Response::from_parts(head, body));
    }
    let bytes = body.collect().await.map_err(|_broken| Cut)?.to_bytes();
    let mut json: serde_json::Value = serde_json::from_slice(&bytes).map_err(|_broken| Cut)?;
    if let Some(crc32c) = json.get_mut("crc32c") {
        *crc32c = wrong.into();
    }
    Ok(Response::from_parts(head, whole(json.to_string())))
}
