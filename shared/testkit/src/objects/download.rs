//! Reading, listing and deleting.

use std::io::{self, SeekFrom};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::Body;
use super::answer::{self, Failed, Refusal};
use super::disk::{Content, Disk};
use super::object::Object;
use super::request::Call;

const CHUNK_BYTES: usize = 256 * 1024;
const LONGEST_PAGE: usize = 1000;

pub(super) fn stat(disk: &Disk, call: &Call) -> Result<Response<Body>, Failed> {
    disk.check_bucket(&call.bucket)?;
    let object = disk
        .find(&call.bucket, &call.object)
        .ok_or_else(|| Refusal::no_object(&call.bucket, &call.object))?;
    check(call, &object)?;
    Ok(answer::json(&object.to_json()))
}

pub(super) async fn delete(disk: &Arc<Disk>, call: &Call) -> Result<Response<Body>, Failed> {
    disk.check_bucket(&call.bucket)?;
    let (bucket, name) = (call.bucket.clone(), call.object.clone());
    disk.delete(bucket, name, call.number("generation")?, call.conditions()?)
        .await?;
    Ok(answer::no_content())
}

pub(super) fn list(disk: &Disk, call: &Call) -> Result<Response<Body>, Failed> {
    disk.check_bucket(&call.bucket)?;
    let limit = match call.number("maxResults")? {
        None => LONGEST_PAGE,
        Some(number) => usize::try_from(number)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| Refusal::invalid("maxResults must be positive"))?
            .min(LONGEST_PAGE),
    };
    // The token is the last name of the page before, which is what Google's is, in disguise.
    let page = disk.page(
        &call.bucket,
        &call.object,
        call.query("pageToken"),
        limit + 1,
    );
    let (shown, rest) = page.split_at(limit.min(page.len()));
    let items: Vec<Value> = shown.iter().map(|object| object.to_json()).collect();
    let mut answer = json!({ "kind": "storage#objects", "items": items });
    if !rest.is_empty()
        && let (Some(last), Some(fields)) = (shown.last(), answer.as_object_mut())
    {
        fields.insert("nextPageToken".to_owned(), Value::from(last.name.as_str()));
    }
    Ok(answer::json(&answer))
}

pub(super) async fn media(disk: &Arc<Disk>, call: &Call) -> Result<Response<Body>, Failed> {
    disk.check_bucket(&call.bucket)?;
    let (object, content) = disk.read_object(&call.bucket, &call.object).await?;
    check(call, &object)?;
    let range = call
        .header("range")
        .and_then(|text| Range::parse(text, object.size));
    let (first, length) = match range {
        None => (0, object.size),
        Some(Range::Bytes { first, last }) => (first, last - first + 1),
        Some(Range::Unsatisfiable) => return Err(Refusal::range(object.size).into()),
    };
    let mut response = Response::builder()
        .header("content-type", &object.content_type)
        .header("content-length", length)
        .header("accept-ranges", "bytes")
        .header("etag", object.etag())
        .header("x-goog-generation", object.generation)
        .header("x-goog-metageneration", 1)
        .header("x-goog-hash", format!("crc32c={}", object.crc32c_base64()))
        .header("x-goog-stored-content-encoding", "identity")
        .header("x-goog-stored-content-length", object.size)
        .header("x-goog-storage-class", "STANDARD");
    if range.is_some() {
        let last = first + length - 1;
        response = response.status(StatusCode::PARTIAL_CONTENT).header(
            "content-range",
            format!("bytes {first}-{last}/{}", object.size),
        );
    }
    for (name, value) in &object.metadata {
        response = response.header(format!("x-goog-meta-{name}"), value);
    }
    response
        .body(body(content, first, length).await?)
        .map_err(|error| Refusal::invalid(error.to_string()).into())
}

/// The pinned generation and the preconditions of a read.
fn check(call: &Call, object: &Object) -> Result<(), Refusal> {
    if call
        .number("generation")?
        .is_some_and(|wanted| wanted != object.generation)
    {
        return Err(Refusal::no_object(&call.bucket, &call.object));
    }
    call.conditions()?.check_read(object)
}

async fn body(content: Content, first: u64, length: u64) -> io::Result<Body> {
    let mut file = match content {
        Content::File(file) => file,
        Content::Whole(bytes) => {
            let from = usize::try_from(first).unwrap_or(usize::MAX);
            let size = usize::try_from(length).unwrap_or(usize::MAX);
            let part = bytes.get(from..).and_then(|rest| rest.get(..size));
            let part = part.ok_or(io::ErrorKind::UnexpectedEof)?;
            return Ok(Full::new(bytes.slice_ref(part))
                .map_err(|never| match never {})
                .boxed());
        }
    };
    file.seek(SeekFrom::Start(first)).await?;
    let chunks = stream::try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let size = usize::try_from(left)
            .unwrap_or(CHUNK_BYTES)
            .min(CHUNK_BYTES);
        let mut bytes = BytesMut::zeroed(size);
        file.read_exact(&mut bytes).await?;
        let bytes: Bytes = bytes.freeze();
        Ok(Some((Frame::data(bytes), (file, left - size as u64))))
    });
    Ok(StreamBody::new(chunks).boxed())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    Bytes { first: u64, last: u64 },
    Unsatisfiable,
}

impl Range {
    /// One range; as RFC 9110 wants it, what is not understood is as if it were not there.
    fn parse(text: &str, size: u64) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        let (first, last) = match (first, last) {
            ("", suffix) => (size.saturating_sub(suffix.parse().ok()?), u64::MAX),
            (first, "") => (first.parse().ok()?, u64::MAX),
            (first, last) => (first.parse().ok()?, last.parse().ok()?),
        };
        if first > last {
            return None;
        }
        if first >= size {
            return Some(Self::Unsatisfiable);
        }
        let last = last.min(size - 1);
        Some(Self::Bytes { first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn ranges_are_understood() {
        let bytes = |first, last| Some(Range::Bytes { first, last });
        assert_eq!(Range::parse("bytes=0-4", 10), bytes(0, 4));
        assert_eq!(Range::parse("bytes=5-", 10), bytes(5, 9));
        assert_eq!(Range::parse("bytes=5-99", 10), bytes(5, 9));
        assert_eq!(Range::parse("bytes=-3", 10), bytes(7, 9));
        assert_eq!(Range::parse("bytes=-30", 10), bytes(0, 9));
        assert_eq!(Range::parse("bytes=10-", 10), Some(Range::Unsatisfiable));
        assert_eq!(Range::parse("bytes=0-", 0), Some(Range::Unsatisfiable));
        assert_eq!(Range::parse("bytes=4-2", 10), None);
        assert_eq!(Range::parse("lines=1-2", 10), None);
    }
}
