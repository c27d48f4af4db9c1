//! Reading a blob: a stream that is either what was written or ends with an error.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use google_cloud_storage::model_ext::ReadRange;
use google_cloud_storage::read_object::ReadObjectResponse;
use nova_store::BlobRef;

use crate::{Blobs, Error};

/// A blob's bytes, on their way.
pub struct Content {
    /// How many bytes the stream will bring.
    pub size: u64,
    /// The bytes. The last piece is held back until the checksum of the whole was compared: a reader that
    /// was promised `size` bytes and gets fewer knows that something is wrong, even if it cannot be told.
    pub stream: BoxStream<'static, Result<Bytes, Error>>,
}

impl Blobs {
    /// Opens a blob, or a range of it (from, and up to but without). The generation is pinned: these are the bytes
    /// that were committed, or none.
    ///
    /// # Errors
    /// Here, and later from the stream: [`Error::NotFound`]; [`Error::Corrupt`]; [`Error::Unavailable`] when the
    /// storage did not answer, or the stream stood still, for the deadline. A stream that breaks off is taken up
    /// again by itself.
    pub fn read<'a>(
        &'a self,
        blob: &'a BlobRef,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Content, Error>> {
        Box::pin(async move {
            let whole = 0..blob.size;
            let range = range.map_or_else(
                || whole.clone(),
                |range| range.start.min(blob.size)..range.end.min(blob.size),
            );
            let size = range.end.saturating_sub(range.start);
            if size == 0 && range != whole {
                let stream = stream::empty().boxed();
                return Ok(Content { size, stream });
            }
            let Self { inner } = self;
            let client = inner.bytes.get(&inner.config, &inner.tokens).await?;
            let bucket = format!("projects/_/buckets/{}", blob.bucket);
            let reading = client
                .read_object(bucket, &blob.object_name)
                .set_generation(blob.generation);
            let reading = if range == whole {
                reading
            } else {
                reading.set_read_range(ReadRange::segment(range.start, size))
            };
            let deadline = inner.config.deadline;
            let response = match tokio::time::timeout(deadline, Box::pin(reading.send())).await {
                Ok(response) => {
                    response.map_err(|error| Error::from_google(&blob.object_name, error))?
                }
                Err(_elapsed) => return Err(Error::timed_out("opening a blob", deadline)),
            };
            check_announced(&response, blob)?;
            let state = Reading {
                response,
                held_back: Bytes::new(),
                left: size,
                crc32c: (range == whole).then_some(0),
                blob: blob.clone(),
                deadline,
            };
            let stream = stream::try_unfold(Some(state), |state| async move {
                match state {
                    Some(state) => state.next().await,
                    None => Ok(None),
                }
            });
            Ok(Content {
                size,
                stream: stream.boxed(),
            })
        })
    }

    /// Reads a blob into memory; for what is known to be small, such as a guideline. What was read lately
    /// costs no request.
    ///
    /// # Errors
    /// As for [`Blobs::read`].
    pub fn read_whole<'a>(&'a self, blob: &'a BlobRef) -> BoxFuture<'a, Result<Vec<u8>, Error>> {
        self.read_up_to(blob, u64::MAX)
    }

    /// Reads no more than so many bytes of a blob's beginning into memory.
    ///
    /// # Errors
    /// As for [`Blobs::read`].
    pub fn read_up_to<'a>(
        &'a self,
        blob: &'a BlobRef,
        most: u64,
    ) -> BoxFuture<'a, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            let range = (blob.size > most).then_some(0..most);
            let is_whole = range.is_none();
            if is_whole && let Some(bytes) = self.inner.recent.get(blob) {
                return Ok(bytes.into());
            }
            let mut content = self.read(blob, range).await?.stream;
            let mut bytes = Vec::new();
            while let Some(piece) = content.try_next().await? {
                bytes.extend_from_slice(&piece);
            }
            if is_whole {
                self.inner.recent.keep(blob, &bytes);
            }
            Ok(bytes)
        })
    }
}

/// Compares what the storage says it is about to send with what was committed, before the first byte is passed on.
fn check_announced(response: &ReadObjectResponse, blob: &BlobRef) -> Result<(), Error> {
    let announced = response.object();
    if u64::try_from(announced.size) != Ok(blob.size) {
        let what = format!("it has {} bytes instead of {}", announced.size, blob.size);
        return Err(Error::corrupt(&blob.object_name, what));
    }
    let crc32c = announced.checksums.and_then(|checksums| checksums.crc32c);
    if crc32c.is_some_and(|crc32c| crc32c != blob.crc32c) {
        let what = "its checksum is another than when it was committed";
        return Err(Error::corrupt(&blob.object_name, what));
    }
    Ok(())
}

struct Reading {
    response: ReadObjectResponse,
    held_back: Bytes,
    left: u64,
    /// Of what came so far; `None` for a part, which has no known checksum.
    crc32c: Option<u32>,
    blob: BlobRef,
    deadline: Duration,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(Bytes, Option<Self>)>, Error> {
        loop {
            let Ok(piece) = tokio::time::timeout(self.deadline, self.response.next()).await else {
                return Err(Error::timed_out("the next piece of a blob", self.deadline));
            };
            let Some(piece) = piece else { break };
            let piece = piece.map_err(|error| Error::from_google(&self.blob.object_name, error))?;
            if piece.is_empty() {
                continue;
            }
            self.left = self.left.checked_sub(piece.len() as u64).ok_or_else(|| {
                Error::corrupt(&self.blob.object_name, "more bytes came than it has")
            })?;
            self.crc32c = self
                .crc32c
                .map(|crc32c| crc32c::crc32c_append(crc32c, &piece));
            let ready = std::mem::replace(&mut self.held_back, piece);
            if !ready.is_empty() {
                return Ok(Some((ready, Some(self))));
            }
        }
        if self.left > 0 {
            let what = format!("it ended {} bytes early", self.left);
            return Err(Error::corrupt(&self.blob.object_name, what));
        }
        if self.crc32c.is_some_and(|crc32c| crc32c != self.blob.crc32c) {
            return Err(Error::corrupt(
                &self.blob.object_name,
                "its bytes do not have the checksum of those that were written",
            ));
        }
        let last = std::mem::take(&mut self.held_back);
        Ok((!last.is_empty()).then_some((last, None)))
    }
}
