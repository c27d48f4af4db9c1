//! The bytes of uploads, pages and documents, in Cloud Storage.
//!
//! Rows know about blobs, the bucket holds them, and no transaction spans the two. So a blob is written in three
//! steps, each of which can be repeated, and a crash between any two of them leaves something the sweeper finds:
//!
//! 1. A row, *pending*, in a short transaction of its own ([`Blobs::write`] begins with it).
//! 2. The object, under a name that carries the blob's id and is never used twice, with `ifGenerationMatch=0`.
//!    What the bucket says it has (size, CRC32C) is compared with what was sent.
//! 3. The caller commits the row together with the row that refers to it: [`nova_store::Tenant::commit_blob`].
//!
//! `tests/model.rs` goes through every interleaving of this with a sweeper and shows that simpler orders lose.
//!
//! ```no_run
//! # use nova_blobs::{Blobs, Upload, Error};
//! # use nova_store::{Purpose, Store, UserId};
//! # async fn example(blobs: Blobs, store: Store, user: UserId, body: nova_blobs::Incoming) -> Result<(), Error> {
//! let upload = Upload::new(Purpose::Guideline, "text/markdown");
//! let written = blobs.write(&user, upload, body, 1024 * 1024).await?;
//! let mut tenant = store.tenant(&user).await?;
//! tenant.commit_blob(&written).await?;
//! // … and the row that refers to the blob, in the same transaction.
//! tenant.commit().await?;
//! # Ok(()) }
//! ```
//!
//! Bytes go through google-cloud-storage, in constant memory both ways, with one exception that [`session`]
//! explains; metadata calls are small JSON requests with the process's own client, so that the local object store
//! needs no gRPC. What leaves for other systems has no row; see [`Blobs::replace`]. Nothing is connected, and no certificate read, before the first blob is touched.

mod client;
mod error;
mod exported;
mod incoming;
mod metadata;
mod patient;
mod problem;
mod read;
mod recent;
mod retry;
mod session;
mod write;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use nova_runtime::http_client::HttpClient;
use nova_runtime::tokens::TokenSource;
use nova_runtime::{App, ConfigError, hex, sha256};
use nova_store::{Purpose, Store, UserId};
use url::Url;
use uuid::Uuid;

pub use error::{BoxError, Error};
pub use exported::{Checksum, checksum};
pub use metadata::{Object, Page};
pub use nova_store::{BlobRef, CommittedBlob};
pub use read::Content;

/// A body on its way in. An error in it ends the upload.
pub type Incoming = BoxStream<'static, Result<Bytes, BoxError>>;

/// A body that arrives piece by piece: a request's, or one that is being made.
pub fn incoming<E: Into<BoxError> + 'static>(
    stream: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
) -> Incoming {
    stream.map_err(Into::into).boxed()
}

/// A body that is at hand.
pub fn whole(content: impl Into<Bytes>) -> Incoming {
    let content = content.into();
    stream::iter([Ok(content)]).boxed()
}

/// Where the objects are and how patient to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The bucket that new blobs go to.
    pub bucket: String,
    /// A stand-in for Cloud Storage (`STORAGE_EMULATOR_HOST`).
    pub emulator: Option<Url>,
    /// The longest that a metadata call may take, retries included, and the longest that a stream
    /// may stand still because of the bucket.
    pub deadline: Duration,
    /// The longest that one write may take, the client's own slowness included.
    pub write_deadline: Duration,
}

impl Settings {
    /// 30 seconds for a call: long enough to outlast the seconds in which Cloud Storage moves a bucket's
    /// load, short enough that the caller still gets an answer. Five minutes for a write, which is as long as a
    /// Cloud Run request may take.
    pub fn new(bucket: impl Into<String>, emulator: Option<Url>) -> Self {
        Self {
            bucket: bucket.into(),
            emulator,
            deadline: Duration::from_secs(30),
            write_deadline: Duration::from_mins(5),
        }
    }
}

/// The blobs of a deployment. Cloning is cheap and shares connections.
#[derive(Clone)]
pub struct Blobs {
    inner: Arc<Inner>,
}

struct Inner {
    config: Settings,
    store: Store,
    tokens: TokenSource,
    bytes: client::Lazy,
    metadata: metadata::Metadata,
    recent: recent::Recent,
}

/// A blob to be written.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Fresh, or the one of an earlier try that is to be taken up again.
    pub id: Uuid,
    /// What the bytes are.
    pub purpose: Purpose,
    /// Their media type.
    pub content_type: String,
    /// How many there will be, if that is known; others are refused.
    pub declared_size: Option<u64>,
}

impl Upload {
    /// A new blob of a size that is not known beforehand.
    pub fn new(purpose: Purpose, content_type: impl Into<String>) -> Self {
        Self {
            id: Uuid::now_v7(),
            purpose,
            content_type: content_type.into(),
            declared_size: None,
        }
    }
}

impl Blobs {
    /// The blobs that a function's settings speak of. Nothing is connected yet.
    ///
    /// # Errors
    /// No bucket is named.
    ///
    /// # Panics
    /// In a function that did not declare that it needs the database: a blob has a row.
    pub fn from_app(app: &App) -> Result<Self, ConfigError> {
        let config = &app.config().blobs;
        let bucket = config.bucket.clone().ok_or_else(|| {
            ConfigError::new(
                "BLOB_BUCKET is not set: the Cloud Storage bucket that files are kept in",
            )
        })?;
        let tokens = match config.emulator {
            Some(_) => TokenSource::anonymous(),
            None => app.tokens().clone(),
        };
        let settings = Settings::new(bucket, config.emulator.clone());
        Ok(Self::open(
            settings,
            app.http().clone(),
            tokens,
            app.store().clone(),
        ))
    }

    /// Blobs on a bucket and a store. Nothing is connected yet.
    pub fn open(config: Settings, http: HttpClient, tokens: TokenSource, store: Store) -> Self {
        let metadata = metadata::Metadata::new(&config, http, tokens.clone());
        Self {
            inner: Arc::new(Inner {
                bytes: client::Lazy::default(),
                metadata,
                recent: recent::Recent::default(),
                config,
                store,
                tokens,
            }),
        }
    }

    /// The bucket that new blobs go to.
    pub fn bucket(&self) -> &str {
        &self.inner.config.bucket
    }
}

/// Where a user's blob lies: `v1/<hash of the user>/<blob id>`.
///
/// The hash keeps people's ids out of bucket listings and access logs, and spreads the load over the bucket's
/// key range. 128 bits of it: two users must not share a folder, and one folder is what erasing a user lists.
pub fn object_name(user: &UserId, id: Uuid) -> String {
    let hash = hex(sha256(user.as_str()).iter().take(16));
    format!("v1/{hash}/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_user_lie_together_under_no_name() {
        let alice: UserId = "alice".parse().unwrap();
        // The beginning of `printf alice | sha256sum`.
        let folder = "v1/2bd806c97f0e00af1a1fc3328fa763a9/";
        let name = object_name(&alice, Uuid::nil());
        assert_eq!(
            name,
            format!("{folder}00000000-0000-0000-0000-000000000000")
        );
    }
}
