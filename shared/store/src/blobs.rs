//! Blobs: the rows beside the objects in the bucket.
//!
//! Three steps, each of which can be repeated: [`Tenant::begin_blob`] writes the row, *pending*;
//! the object is written under a name that was never used; [`Tenant::commit_blob`] notes what the
//! bucket has, in the same transaction as the row that refers to it. A process may die anywhere
//! between: what never committed, or is not referred to any more, the sweeper finds by
//! `blobs.sweep_at`. Whatever row comes to point at a blob holds it by trigger, so that the
//! sweeper cannot take it away meanwhile.

use uuid::Uuid;

use crate::tenant::watch;
use crate::text_enum::text_enum;
use crate::{Answer, Error, Tenant};

const NO_BLOB: Error = Error::NotFound { what: "blob" };

text_enum! {
    /// What the bytes are.
    pub enum Purpose {
        /// A guideline as uploaded.
        Guideline = "guideline",
        /// A local file that a guideline names.
        LocalFile = "local_file",
        /// A web page as Markdown.
        Scraped = "scraped",
        /// Code as Markdown.
        Github = "github",
        /// A video's transcript.
        Transcript = "transcript",
        /// A research document.
        Research = "research",
        /// An export for analysts.
        Export = "export",
    }
}

/// A blob about to be written.
#[derive(Clone, Debug)]
pub struct NewBlob {
    /// A fresh id.
    pub id: Uuid,
    /// What the bytes will be.
    pub purpose: Purpose,
    /// Bucket to write to.
    pub bucket: String,
    /// Name of the object. Carries the id, so that it is never used twice.
    pub object_name: String,
    /// Media type.
    pub content_type: String,
    /// Bytes the uploader promised, if it did; a commit with another size is refused.
    pub declared_size: Option<u64>,
}

/// What the bucket has after a write.
#[derive(Clone, Debug)]
pub struct CommittedBlob {
    /// The blob.
    pub id: Uuid,
    /// Bytes.
    pub size: u64,
    /// CRC32C of the bytes.
    pub crc32c: u32,
    /// SHA-256 of the bytes, where it was computed on the way.
    pub sha256: Option<[u8; 32]>,
    /// Generation of the object.
    pub generation: i64,
}

/// A committed blob: all that is needed to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRef {
    /// The blob.
    pub id: Uuid,
    /// Bucket that holds the object.
    pub bucket: String,
    /// Name of the object.
    pub object_name: String,
    /// Media type.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// CRC32C of the bytes.
    pub crc32c: u32,
    /// Pins these very bytes.
    pub generation: i64,
}

/// The columns of a blob as a query has them, which says of each that it may be missing.
pub(crate) struct Columns {
    pub(crate) id: Option<Uuid>,
    pub(crate) bucket: Option<String>,
    pub(crate) object_name: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) size: Option<i64>,
    pub(crate) crc32c: Option<Vec<u8>>,
    pub(crate) generation: Option<i64>,
}

impl Columns {
    /// The blob, if it is there and was committed; a check of the table keeps the rest from being half there.
    pub(crate) fn blob(self) -> Option<BlobRef> {
        Some(BlobRef {
            id: self.id?,
            bucket: self.bucket?,
            object_name: self.object_name?,
            content_type: self.content_type?,
            size: self.size?.try_into().ok()?,
            crc32c: u32::from_be_bytes(self.crc32c?.try_into().ok()?),
            generation: self.generation?,
        })
    }
}

/// Sizes and counts are never negative; the database's largest number stands for all beyond it.
pub(crate) fn database_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Tenant {
    /// Step one: writes the row, pending for an hour. To be committed before the object is
    /// written. The same blob again takes up where it was left, even when it is committed by now.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the id is another blob's or its sweep has begun;
    /// [`Error::Refused`] when the user is being erased.
    pub fn begin_blob<'a>(&'a mut self, blob: &'a NewBlob) -> Answer<'a, ()> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let begun = sqlx::query_scalar!(
                "-- blobs: begin
                 INSERT INTO blobs (id, user_id, purpose, bucket, object_name, content_type, declared_size)
                 SELECT $1, me, $3, $4, $5, $6, $7 FROM ensure_user() AS me WHERE me = $2
                 ON CONFLICT (id) DO UPDATE SET sweep_at = excluded.sweep_at
                  WHERE blobs.user_id = excluded.user_id AND blobs.state = 'pending'
                    AND blobs.bucket = excluded.bucket AND blobs.object_name = excluded.object_name
                 RETURNING id",
                blob.id,
                user,
                blob.purpose.as_str(),
                blob.bucket,
                blob.object_name,
                blob.content_type,
                blob.declared_size.map(database_number),
            )
            .fetch_optional(&mut *connection)
            .await?;
            if begun.is_some() {
                return Ok(());
            }
            let committed = sqlx::query_scalar!(
                "-- blobs: begun before
                 SELECT id FROM blobs
                  WHERE id = $1 AND user_id = $2 AND state = 'committed' AND bucket = $3 AND object_name = $4",
                blob.id,
                user,
                blob.bucket,
                blob.object_name,
            )
            .fetch_optional(connection)
            .await?;
            committed.map(drop).ok_or_else(|| {
                Error::conflict("this blob id is taken, or the blob is being deleted")
            })
        })
    }

    /// Step three: notes what the bucket has. Belongs into one transaction with the row that
    /// refers to the blob; one that nothing refers to goes after seven days. Noting the same
    /// again changes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] when the sweep has begun, the size is not the
    /// declared one, or another object was committed.
    pub fn commit_blob<'a>(&'a mut self, blob: &'a CommittedBlob) -> Answer<'a, ()> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let size = database_number(blob.size);
            let crc32c = blob.crc32c.to_be_bytes();
            let committed = sqlx::query!(
                "-- blobs: commit
                 UPDATE blobs
                    SET state = 'committed', size = $3, crc32c = $4, sha256 = coalesce($5, sha256), generation = $6,
                        committed_at = clock_timestamp(), sweep_at = now() + interval '7 days'
                  WHERE id = $1 AND user_id = $2 AND state = 'pending' AND (declared_size IS NULL OR declared_size = $3)",
                blob.id,
                user,
                size,
                crc32c.as_slice(),
                blob.sha256.as_ref().map(<[u8; 32]>::as_slice),
                blob.generation,
            )
            .execute(&mut *connection)
            .await?;
            if committed.rows_affected() == 1 {
                return Ok(());
            }
            let before = sqlx::query!(
                r#"-- blobs: committed before
                SELECT state::text AS "state!", declared_size, generation, size FROM blobs WHERE id = $1 AND user_id = $2"#,
                blob.id,
                user,
            )
            .fetch_optional(connection)
            .await?
            .ok_or(NO_BLOB)?;
            match before.state.as_str() {
                "committed"
                    if before.generation == Some(blob.generation) && before.size == Some(size) =>
                {
                    Ok(())
                }
                "committed" => Err(Error::conflict(
                    "another object was committed for this blob",
                )),
                "pending" => Err(Error::conflict(format!(
                    "{size} bytes arrived instead of the {} declared",
                    before.declared_size.unwrap_or_default()
                ))),
                _ => Err(Error::conflict(
                    "the upload took too long and is being deleted",
                )),
            }
        })
    }

    /// A committed blob.
    ///
    /// # Errors
    /// [`Error::NotFound`] also while it is pending or being deleted.
    pub fn blob(&mut self, id: Uuid) -> Answer<'_, BlobRef> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            sqlx::query_as!(
                Columns,
                r#"-- blobs: one
                SELECT id AS "id?", bucket AS "bucket?", object_name AS "object_name?", content_type AS "content_type?",
                       size, crc32c, generation
                  FROM blobs WHERE id = $1 AND user_id = $2 AND state = 'committed'"#,
                id,
                user,
            )
            .fetch_optional(connection)
            .await?
            .and_then(Columns::blob)
            .ok_or(NO_BLOB)
        })
    }
}
