//! Files that no row knows of: what leaves for other systems, under a name that says what it is and that
//! later contents take over.

use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;

use crate::metadata::Object;
use crate::write::{NOTHING, Target};
use crate::{Blobs, Error, Incoming};

/// What tells one content from another, as the bucket knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// In bytes.
    pub size: u64,
    /// Of all bytes.
    pub crc32c: u32,
}

impl From<&Object> for Checksum {
    fn from(object: &Object) -> Self {
        Self {
            size: object.size,
            crc32c: object.crc32c,
        }
    }
}

/// Reads a body to its end, and keeps nothing of it.
///
/// # Errors
/// [`Error::Body`].
pub fn checksum(mut body: Incoming) -> BoxFuture<'static, Result<Checksum, Error>> {
    Box::pin(async move {
        let (mut size, mut crc32c) = (0, 0);
        while let Some(bytes) = body.try_next().await.map_err(Error::Body)? {
            size += bytes.len() as u64;
            crc32c = crc32c::crc32c_append(crc32c, &bytes);
        }
        Ok(Checksum { size, crc32c })
    })
}

impl Blobs {
    /// Writes a file in place of the one that was seen there, or of none, in constant memory.
    ///
    /// # Errors
    /// [`Error::Precondition`] when somebody else has replaced it since; otherwise as [`Blobs::write`].
    pub fn replace<'a>(
        &'a self,
        name: &'a str,
        content_type: &'a str,
        seen: Option<&'a Object>,
        body: Incoming,
        max_bytes: u64,
    ) -> BoxFuture<'a, Result<Object, Error>> {
        let target = Target {
            bucket: self.bucket(),
            name,
            content_type,
            declared_size: None,
            replaces: seen.map_or(NOTHING, |object| object.generation),
        };
        Box::pin(async move {
            let limit = self.inner.config.write_deadline;
            let written = self.replace_in_time(&target, body, max_bytes);
            match tokio::time::timeout(limit, written).await {
                Ok(written) => written,
                Err(_elapsed) => Err(Error::timed_out("writing a file", limit)),
            }
        })
    }

    async fn replace_in_time(
        &self,
        target: &Target<'_>,
        body: Incoming,
        max_bytes: u64,
    ) -> Result<Object, Error> {
        let (sent, found) = self.write_object(target, body, max_bytes).await?;
        match found {
            Ok(object) => {
                sent.is_what_arrived(&object)?;
                Ok(object)
            }
            Err(Error::Precondition { object }) => {
                // Perhaps our own retry found what the attempt before it had written.
                let there = self.stat(target.bucket, target.name).await?;
                let is_ours = (there.size, there.crc32c) == (sent.size, sent.crc32c);
                if is_ours && there.generation != target.replaces {
                    Ok(there)
                } else {
                    Err(Error::Precondition { object })
                }
            }
            Err(error) => Err(error),
        }
    }
}
