//! Writing a blob: the row, the bytes, and the proof that they arrived.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use nova_store::{CommittedBlob, NewBlob, UserId};

use crate::incoming::{Chunks, Measured};
use crate::metadata::Object;
use crate::session::{CHUNK_BYTES, Session};
use crate::{Blobs, Error, Incoming, Upload, object_name};

/// Up to this a body is sent in one request, kept in memory meanwhile so that it can be sent again. It is the
/// size of a resumable upload's chunk, which has to be kept as well.
pub(crate) const ONE_SHOT_BYTES: usize = CHUNK_BYTES;

/// The generation of a name that has no object.
pub(crate) const NOTHING: i64 = 0;

/// Where bytes go.
pub(crate) struct Target<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) name: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) declared_size: Option<u64>,
    /// The generation that the name has now: what somebody else wrote meanwhile is left alone.
    pub(crate) replaces: i64,
}

impl Blobs {
    /// Writes a blob's row and its bytes, in constant memory. What comes back is what
    /// [`nova_store::Tenant::commit_blob`] wants, and the blob is nothing until that.
    ///
    /// The same upload again (same id, same bytes) finds what is there and answers the same, at whatever step the
    /// first try ended. When the future is dropped, or fails, the row stays pending and the sweeper clears it away
    /// with whatever reached the bucket.
    ///
    /// # Errors
    /// [`Error::TooLarge`] as soon as more than `max_bytes` came; [`Error::WrongSize`]; [`Error::Body`];
    /// [`Error::Precondition`] when the id was used for other bytes; [`Error::Corrupt`] when the bucket has something
    /// else than was sent; [`Error::Unavailable`] after retries.
    pub fn write<'a>(
        &'a self,
        user: &'a UserId,
        upload: Upload,
        body: Incoming,
        max_bytes: u64,
    ) -> BoxFuture<'a, Result<CommittedBlob, Error>> {
        Box::pin(async move {
            let limit = self.inner.config.write_deadline;
            let written = self.write_in_time(user, upload, body, max_bytes);
            match tokio::time::timeout(limit, written).await {
                Ok(written) => written,
                Err(_elapsed) => Err(Error::timed_out("writing a blob", limit)),
            }
        })
    }

    async fn write_in_time(
        &self,
        user: &UserId,
        upload: Upload,
        body: Incoming,
        max_bytes: u64,
    ) -> Result<CommittedBlob, Error> {
        if upload.declared_size.is_some_and(|size| size > max_bytes) {
            return Err(Error::TooLarge { limit: max_bytes });
        }
        let object = object_name(user, upload.id);
        let row = NewBlob {
            id: upload.id,
            purpose: upload.purpose,
            bucket: self.bucket().to_owned(),
            object_name: object.clone(),
            content_type: upload.content_type,
            declared_size: upload.declared_size,
        };
        let mut tenant = self.inner.store.tenant(user).await?;
        tenant.begin_blob(&row).await?;
        tenant.commit().await?;

        let target = Target {
            bucket: &row.bucket,
            name: &row.object_name,
            content_type: &row.content_type,
            declared_size: row.declared_size,
            replaces: NOTHING,
        };
        let (sent, found) = self.write_object(&target, body, max_bytes).await?;
        let found = match found {
            Ok(object) => object,
            // Our own retry found what the attempt before it had written, or an earlier try of the caller's did.
            Err(Error::Precondition { .. }) => self.stat(&row.bucket, &object).await?,
            Err(error) => return Err(error),
        };
        sent.is_what_arrived(&found)?;
        Ok(CommittedBlob {
            id: upload.id,
            size: sent.size,
            crc32c: sent.crc32c,
            sha256: Some(sent.sha256),
            generation: found.generation,
        })
    }

    /// The bytes. The outer error is the body's fault; the inner is what the storage made of it.
    pub(crate) async fn write_object(
        &self,
        target: &Target<'_>,
        body: Incoming,
        max_bytes: u64,
    ) -> Result<(Measured, Result<Object, Error>), Error> {
        let mut chunks = Chunks::new(body, max_bytes);
        let (first, last) = chunks.next(ONE_SHOT_BYTES).await?;
        if last {
            let whole = measured(&chunks, target)?;
            return Ok((whole, self.write_at_once(target, first, whole).await));
        }
        let mut session = match Session::start(&self.inner.metadata, target).await {
            Ok(session) => session,
            // The name has an object; whether it is this one is known when all was read.
            Err(Error::Precondition { object }) => {
                while !chunks.next(CHUNK_BYTES).await?.1 {}
                let whole = measured(&chunks, target)?;
                return Ok((whole, Err(Error::Precondition { object })));
            }
            Err(error) => return Err(error),
        };
        match write_in_chunks(&mut session, &mut chunks, first, target).await {
            Ok(done) => Ok(done),
            Err(error) => {
                session.cancel().await;
                Err(error)
            }
        }
    }

    /// One request through Google's client. `ifGenerationMatch` makes it one that can be repeated, which the
    /// client would otherwise not do; the checksum is known beforehand, so that the storage refuses what arrives
    /// damaged.
    async fn write_at_once(
        &self,
        target: &Target<'_>,
        content: Bytes,
        whole: Measured,
    ) -> Result<Object, Error> {
        let Self { inner } = self;
        let client = inner.bytes.get(&inner.config, &inner.tokens).await?;
        let bucket = format!("projects/_/buckets/{}", target.bucket);
        // Boxed: the client's future alone takes 30 kB.
        let sending = Box::pin(
            client
                .write_object(bucket, target.name, content)
                .set_if_generation_match(target.replaces)
                .set_content_type(target.content_type)
                .with_known_crc32c(whole.crc32c)
                .send_unbuffered(),
        );
        // The client's own time limit only keeps it from trying again; an attempt that hangs would hang for ever.
        let object = match tokio::time::timeout(inner.config.deadline, sending).await {
            Ok(sent) => sent.map_err(|error| Error::from_google(target.name, error))?,
            Err(_elapsed) => return Err(Error::timed_out("an upload", inner.config.deadline)),
        };
        let size = u64::try_from(object.size).unwrap_or_default();
        let crc32c = object.checksums.and_then(|checksums| checksums.crc32c);
        Ok(Object {
            generation: object.generation,
            size,
            crc32c: crc32c.ok_or_else(|| Error::corrupt(target.name, "it has no checksum"))?,
            content_type: object.content_type,
            name: object.name,
        })
    }
}

async fn write_in_chunks(
    session: &mut Session<'_>,
    chunks: &mut Chunks,
    first: Bytes,
    target: &Target<'_>,
) -> Result<(Measured, Result<Object, Error>), Error> {
    session.send(first).await?;
    loop {
        let (chunk, last) = chunks.next(CHUNK_BYTES).await?;
        if last {
            let whole = measured(chunks, target)?;
            return match session.finish(chunk, whole).await {
                done @ (Ok(_) | Err(Error::Precondition { .. })) => Ok((whole, done)),
                Err(error) => Err(error),
            };
        }
        session.send(chunk).await?;
    }
}

/// What the body turned out to be, if that is what was declared.
fn measured(chunks: &Chunks, target: &Target<'_>) -> Result<Measured, Error> {
    let whole = chunks.measured();
    match target.declared_size {
        Some(declared) if declared != whole.size => Err(Error::WrongSize {
            declared,
            arrived: whole.size,
        }),
        _ => Ok(whole),
    }
}

impl Measured {
    /// Compares what was sent with what the bucket says it has.
    pub(crate) fn is_what_arrived(&self, found: &Object) -> Result<(), Error> {
        if (found.size, found.crc32c) == (self.size, self.crc32c) {
            return Ok(());
        }
        let what = format!(
            "{} bytes with CRC32C {:08x} were sent, {} with {:08x} are there",
            self.size, self.crc32c, found.size, found.crc32c
        );
        Err(Error::corrupt(&found.name, what))
    }
}
