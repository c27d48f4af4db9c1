//! Uploads in one request: the body alone, or a multipart body with metadata before and checksums after it.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::Response;
use http_body_util::BodyExt as _;
use serde::Deserialize;

use super::answer::{Failed, Refusal, json};
use super::disk::{Arriving, Disk, NewObject};
use super::object::decode_crc32c;
use super::request::Call;
use super::{Body, Incoming};

/// Bytes are kept in memory up to this much before they are written: a resumable upload keeps whole multiples.
pub(super) const QUANTUM_BYTES: usize = 256 * 1024;

/// Metadata is a few lines of JSON.
const LONGEST_METADATA_BYTES: usize = 64 * 1024;

/// The fields of an object that an uploader may set.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Declared {
    name: Option<String>,
    content_type: Option<String>,
    crc32c: Option<String>,
    metadata: BTreeMap<String, String>,
}

impl Declared {
    pub(super) async fn read(body: Incoming) -> Result<Self, Failed> {
        let mut stream = body.into_data_stream();
        let mut bytes = Vec::new();
        while let Some(more) = stream.next().await {
            push_small(&mut bytes, &more.map_err(|_broken| Failed::Cut)?)?;
        }
        Ok(Self::parse(&bytes)?)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(bytes)
            .map_err(|error| Refusal::invalid(format!("The metadata is not an object's: {error}")))
    }

    pub(super) fn crc32c(&self) -> Result<Option<u32>, Refusal> {
        let decode = |text| decode_crc32c(text).ok_or_else(|| Refusal::invalid("Invalid crc32c"));
        self.crc32c.as_deref().map(decode).transpose()
    }

    /// Completed from the request, which speaks first, and the content type that the bytes came with.
    pub(super) fn into_object(self, call: &Call, content_type: Option<&str>) -> NewObject {
        let named = Some(call.object.clone()).filter(|name| !name.is_empty());
        NewObject {
            bucket: call.bucket.clone(),
            name: named.or(self.name).unwrap_or_default(),
            content_type: self
                .content_type
                .or_else(|| content_type.map(str::to_owned))
                .unwrap_or_else(|| "application/octet-stream".to_owned()),
            metadata: self.metadata,
        }
    }
}

/// What must be true of the bytes before they become an object.
pub(super) fn check(
    arrived: &Arriving,
    crc32c: impl IntoIterator<Item = u32>,
    range: Option<(u64, u64)>,
) -> Result<(), Refusal> {
    if let Some((least, most)) = range
        && !(least..=most).contains(&arrived.size)
    {
        let message = format!(
            "The object has {} bytes, which is not between {least} and {most}.",
            arrived.size
        );
        return Err(Refusal::invalid(message));
    }
    for declared in crc32c {
        if declared != arrived.crc32c {
            let message = format!(
                "Provided CRC32C {declared:08x} doesn't match calculated CRC32C {:08x}.",
                arrived.crc32c
            );
            return Err(Refusal::invalid(message));
        }
    }
    Ok(())
}

/// The body is the object.
pub(super) async fn media(
    disk: &std::sync::Arc<Disk>,
    call: &Call,
    body: Incoming,
) -> Result<Response<Body>, Failed> {
    let mut arriving = disk.receive();
    let mut stream = body.into_data_stream();
    let mut gathered = Vec::with_capacity(QUANTUM_BYTES);
    while let Some(bytes) = stream.next().await {
        gather(
            &mut arriving,
            &mut gathered,
            bytes.map_err(|_broken| Failed::Cut)?,
        )
        .await?;
    }
    arriving.append(&gathered).await?;
    check(&arriving, call.declared_crc32c()?, call.size_range()?)?;
    let new = Declared::default().into_object(call, call.header("content-type"));
    let object = disk.keep(arriving, new, call.conditions()?).await?;
    Ok(json(&object.to_json()))
}

/// First part: metadata. Second part: the bytes. Third part, which may be missing: checksums, for senders that
/// know them only afterwards.
pub(super) async fn multipart(
    disk: &std::sync::Arc<Disk>,
    call: &Call,
    body: Incoming,
) -> Result<Response<Body>, Failed> {
    let boundary = boundary(call.header("content-type").unwrap_or_default())
        .ok_or_else(|| Refusal::invalid("Content-Type lacks multipart/related with a boundary"))?;
    let mut parts = multer::Multipart::new(body.into_data_stream(), boundary);

    let first = next_part(&mut parts).await?;
    let declared = Declared::parse(&read_small(first).await?)?;

    let mut media = next_part(&mut parts).await?;
    let content_type = media.content_type().map(ToString::to_string);
    let mut arriving = disk.receive();
    let mut gathered = Vec::with_capacity(QUANTUM_BYTES);
    while let Some(bytes) = media.chunk().await.map_err(broken)? {
        gather(&mut arriving, &mut gathered, bytes).await?;
    }
    arriving.append(&gathered).await?;
    drop(media);

    let trailing = match parts.next_field().await.map_err(broken)? {
        Some(part) => Declared::parse(&read_small(part).await?)?.crc32c()?,
        None => None,
    };
    let crc32c = [declared.crc32c()?, trailing, call.declared_crc32c()?];
    check(&arriving, crc32c.into_iter().flatten(), call.size_range()?)?;
    let new = declared.into_object(call, content_type.as_deref());
    let object = disk.keep(arriving, new, call.conditions()?).await?;
    Ok(json(&object.to_json()))
}

async fn gather(
    arriving: &mut Arriving,
    gathered: &mut Vec<u8>,
    bytes: Bytes,
) -> Result<(), Failed> {
    gathered.extend_from_slice(&bytes);
    if gathered.len() >= QUANTUM_BYTES {
        arriving.append(gathered).await?;
        gathered.clear();
    }
    Ok(())
}

async fn next_part<'a>(parts: &mut multer::Multipart<'a>) -> Result<multer::Field<'a>, Failed> {
    let part = parts.next_field().await.map_err(broken)?;
    part.ok_or_else(|| Refusal::invalid("The multipart body has fewer than two parts").into())
}

async fn read_small(mut part: multer::Field<'_>) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    while let Some(more) = part.chunk().await.map_err(broken)? {
        push_small(&mut bytes, &more)?;
    }
    Ok(bytes)
}

fn push_small(bytes: &mut Vec<u8>, more: &[u8]) -> Result<(), Refusal> {
    if bytes.len() + more.len() > LONGEST_METADATA_BYTES {
        return Err(Refusal::invalid("The metadata is too long"));
    }
    bytes.extend_from_slice(more);
    Ok(())
}

fn broken(error: multer::Error) -> Failed {
    match error {
        multer::Error::StreamReadFailed(_) => Failed::Cut,
        other => Refusal::invalid(format!("The multipart body is malformed: {other}")).into(),
    }
}

/// The boundary of `multipart/related; boundary=x`, quoted or not.
fn boundary(content_type: &str) -> Option<String> {
    let mut parameters = content_type.split(';');
    if !parameters
        .next()?
        .trim()
        .eq_ignore_ascii_case("multipart/related")
    {
        return None;
    }
    let boundary = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then_some(value)
    })?;
    let boundary = boundary.trim().trim_matches('"');
    (!boundary.is_empty()).then(|| boundary.to_owned())
}

#[cfg(test)]
mod tests {
    use super::boundary;

    #[test]
    fn boundaries_are_found_quoted_or_not() {
        assert_eq!(
            boundary("multipart/related; boundary=ab-c").as_deref(),
            Some("ab-c")
        );
        assert_eq!(
            boundary("Multipart/Related; charset=x; Boundary=\"=== 1\"").as_deref(),
            Some("=== 1")
        );
        assert_eq!(boundary("multipart/form-data; boundary=a"), None);
        assert_eq!(boundary("multipart/related"), None);
    }
}
