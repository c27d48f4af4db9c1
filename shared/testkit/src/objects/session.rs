//! Resumable uploads: a session is started, receives chunks in order, and becomes an object with the last one.
//!
//! The rules that clients stumble over are kept: what is confirmed (`308` with `Range`) is a whole multiple of
//! 256 KiB, no matter where a chunk or the connection ended; bytes that are sent again are skipped; a finished
//! session goes on answering with its object, so that a client whose answer was lost learns what became of it;
//! preconditions are looked at when the session starts and again when it ends.
//!
//! Sessions end with the process (Google's live a week); a client that comes back is told 404 and starts anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::Response;
use http_body_util::BodyExt as _;

use super::answer::{Failed, Refusal, json};
use super::disk::{Arriving, Disk, NewObject};
use super::object::Object;
use super::request::{Call, Conditions};
use super::upload::{Declared, QUANTUM_BYTES, check};
use super::{Body, Incoming, whole};

const LONGEST_LIFE: Duration = Duration::from_hours(7 * 24);

#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Arc<Session>>>);

struct Session {
    started: Instant,
    new: NewObject,
    conditions: Conditions,
    crc32c: Option<u32>,
    /// `X-Upload-Content-Length`.
    declared_size: Option<u64>,
    size_range: Option<(u64, u64)>,
    state: tokio::sync::Mutex<State>,
}

enum State {
    Receiving(Arriving),
    /// For the moment between the last byte and the object, and after a failed end.
    Ended,
    Done(Arc<Object>),
}

impl Sessions {
    fn find(&self, call: &Call) -> Result<Arc<Session>, Refusal> {
        let id = call.query("upload_id").unwrap_or_default();
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(id).cloned().ok_or_else(Refusal::no_session)
    }
}

pub(super) async fn start(
    sessions: &Sessions,
    disk: &Disk,
    url: &str,
    call: &Call,
    body: Incoming,
) -> Result<Response<Body>, Failed> {
    disk.check_bucket(&call.bucket)?;
    let declared = Declared::read(body).await?;
    let crc32c = declared.crc32c()?;
    let new = declared.into_object(call, call.header("x-upload-content-type"));
    super::name::check_object(&new.name)?;
    let conditions = call.conditions()?;
    conditions.check_write(disk.find(&new.bucket, &new.name).as_deref())?;
    let declared_size = call
        .header("x-upload-content-length")
        .map(|text| {
            text.parse()
                .map_err(|_malformed| Refusal::invalid("Invalid X-Upload-Content-Length"))
        })
        .transpose()?;
    let location = format!(
        "{url}/upload/storage/v1/b/{}/o?{}",
        new.bucket,
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("uploadType", "resumable")
            .append_pair("name", &new.name)
            .append_pair("upload_id", "")
            .finish()
    );
    let id = uuid::Uuid::now_v7().simple().to_string();
    let session = Session {
        started: Instant::now(),
        new,
        conditions,
        crc32c,
        declared_size,
        size_range: call.size_range()?,
        state: tokio::sync::Mutex::new(State::Receiving(disk.receive())),
    };
    let location = format!("{location}{id}");
    let mut sessions = sessions.0.lock().unwrap_or_else(PoisonError::into_inner);
    sessions.retain(|_, session| session.started.elapsed() < LONGEST_LIFE);
    sessions.insert(id.clone(), Arc::new(session));
    Response::builder()
        .header("location", location)
        .header("x-guploader-uploadid", id)
        .body(whole(""))
        .map_err(|error| Refusal::invalid(error.to_string()).into())
}

/// Gives the session up. Google answers 499.
pub(super) fn cancel(sessions: &Sessions, call: &Call) -> Result<Response<Body>, Failed> {
    sessions.find(call)?;
    let id = call.query("upload_id").unwrap_or_default();
    sessions
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(id);
    Response::builder()
        .status(499)
        .body(whole(""))
        .map_err(|error| Refusal::invalid(error.to_string()).into())
}

/// A chunk, or the question how far the upload got.
pub(super) async fn proceed(
    sessions: &Sessions,
    disk: &Arc<Disk>,
    call: &Call,
    body: Incoming,
) -> Result<Response<Body>, Failed> {
    let session = sessions.find(call)?;
    let sent = Sent::parse(call.header("content-range"))?;
    let mut state = session.state.lock().await;
    let arriving = match &mut *state {
        State::Receiving(arriving) => arriving,
        State::Ended => return Err(Refusal::no_session().into()),
        State::Done(object) => return Ok(json(&object.to_json())),
    };
    let total = match (sent.total, session.declared_size) {
        (Some(total), Some(declared)) if total != declared => {
            let message = format!("The upload was declared with {declared} bytes, not {total}");
            return Err(Refusal::invalid(message).into());
        }
        (total, declared) => total.or(declared),
    };
    let ended = match sent.first {
        None => sent.total == Some(arriving.size),
        Some(first) => {
            if first > arriving.size {
                let message = format!(
                    "The chunk starts at {first}, but only {} bytes are here",
                    arriving.size
                );
                return Err(Refusal::invalid(message).into());
            }
            let most = session.size_range.map(|(_, most)| most);
            receive(arriving, &sent, total, most, body).await?
        }
    };
    if !ended {
        return resume_incomplete(arriving.size);
    }
    if let Some(total) = total
        && total != arriving.size
    {
        let message = format!("{} bytes arrived, {total} were announced", arriving.size);
        return Err(Refusal::invalid(message).into());
    }
    let crc32c = [session.crc32c, call.declared_crc32c()?];
    let checked = check(arriving, crc32c.into_iter().flatten(), session.size_range);
    let State::Receiving(arrived) = std::mem::replace(&mut *state, State::Ended) else {
        return Err(Refusal::no_session().into());
    };
    checked?;
    let object = disk
        .keep(arrived, session.new.clone(), session.conditions)
        .await?;
    *state = State::Done(Arc::clone(&object));
    Ok(json(&object.to_json()))
}

/// Takes the body in. Answers whether it was the last part of the upload; only then is a rest that is smaller
/// than the quantum kept.
async fn receive(
    arriving: &mut Arriving,
    sent: &Sent,
    total: Option<u64>,
    most: Option<u64>,
    body: Incoming,
) -> Result<bool, Failed> {
    let first = sent.first.unwrap_or(0);
    let mut skip = arriving.size - first;
    let mut position = first;
    let mut gathered = Vec::with_capacity(QUANTUM_BYTES);
    let mut stream = body.into_data_stream();
    while let Some(bytes) = stream.next().await {
        let mut bytes: Bytes = bytes.map_err(|_broken| Failed::Cut)?;
        position += bytes.len() as u64;
        let known = usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len());
        skip -= known as u64;
        bytes = bytes.split_off(known);
        while !bytes.is_empty() {
            let room = QUANTUM_BYTES - gathered.len();
            gathered.extend_from_slice(&bytes.split_to(room.min(bytes.len())));
            if gathered.len() == QUANTUM_BYTES {
                arriving.append(&gathered).await?;
                gathered.clear();
            }
        }
        if most.is_some_and(|most| position > most) {
            return Err(Refusal::invalid("The object is larger than allowed").into());
        }
    }
    if sent.last.is_some_and(|last| last + 1 != position) {
        let message = format!("The chunk ended at byte {position}, not where it said");
        return Err(Refusal::invalid(message).into());
    }
    // Without a last byte the body's end is the object's end.
    let ended = sent.last.is_none() || total == Some(position);
    if ended {
        arriving.append(&gathered).await?;
    }
    Ok(ended)
}

fn resume_incomplete(size: u64) -> Result<Response<Body>, Failed> {
    let response = Response::builder().status(308);
    let response = match size.checked_sub(1) {
        Some(last) => response.header("range", format!("bytes=0-{last}")),
        // Nothing is here yet, which Google says by saying nothing.
        None => response,
    };
    response
        .body(whole(""))
        .map_err(|error| Refusal::invalid(error.to_string()).into())
}

/// `Content-Range: bytes 0-9/10`, `bytes 0-9/*`, `bytes 0-*/*`, `bytes */10`, `bytes */*`; absent: everything.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    /// `None`: no bytes, a question.
    first: Option<u64>,
    /// `None`: to the end of the body.
    last: Option<u64>,
    total: Option<u64>,
}

impl Sent {
    fn parse(header: Option<&str>) -> Result<Self, Refusal> {
        let Some(header) = header else {
            return Ok(Self {
                first: Some(0),
                last: None,
                total: None,
            });
        };
        let parsed = || {
            let (range, total) = header.strip_prefix("bytes ")?.split_once('/')?;
            let number = |text: &str| match text {
                "*" => Some(None),
                text => text.parse::<u64>().ok().map(Some),
            };
            let total = number(total)?;
            let (first, last) = match range {
                "*" => (None, None),
                range => {
                    let (first, last) = range.split_once('-')?;
                    (Some(first.parse::<u64>().ok()?), number(last)?)
                }
            };
            let in_order = last.is_none_or(|last| {
                first.is_none_or(|first| first <= last) && total.is_none_or(|total| last < total)
            });
            in_order.then_some(Self { first, last, total })
        };
        parsed().ok_or_else(|| Refusal::invalid(format!("Invalid Content-Range: {header:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::Sent;

    #[test]
    fn content_ranges_are_understood() {
        let sent = |first, last, total| Sent { first, last, total };
        for (header, expected) in [
            ("bytes 0-9/10", sent(Some(0), Some(9), Some(10))),
            ("bytes 5-9/*", sent(Some(5), Some(9), None)),
            ("bytes 5-*/*", sent(Some(5), None, None)),
            ("bytes */10", sent(None, None, Some(10))),
            ("bytes */*", sent(None, None, None)),
        ] {
            assert_eq!(Sent::parse(Some(header)).unwrap(), expected, "{header}");
        }
        for header in [
            "",
            "bytes",
            "bytes 9-5/10",
            "bytes 0-10/10",
            "bytes a-b/c",
            "bytes -5/10",
            "0-9/10",
        ] {
            assert!(Sent::parse(Some(header)).is_err(), "{header}");
        }
    }
}
