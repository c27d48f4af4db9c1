//! What can go wrong with a blob, sorted by what the caller can do about it.
//!
//! The kinds are ours: that they come from an HTTP status, a broken connection or a checksum that Google's client
//! compared is worked out here and in [`crate::metadata`], and nobody above needs to know.

use google_cloud_storage::error::{ReadError, WriteError};
use nova_runtime::log;

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a blob could not be written, read, looked at or deleted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such object, in that generation.
    #[error("there is no object {object}")]
    NotFound {
        /// Its name.
        object: String,
    },
    /// More bytes came than are accepted. What was sent so far is given up.
    #[error("the content is larger than {limit} bytes")]
    TooLarge {
        /// The most that is accepted, in bytes.
        limit: u64,
    },
    /// The number of bytes is not the one that was announced.
    #[error("{arrived} bytes arrived instead of the {declared} declared")]
    WrongSize {
        /// What was announced.
        declared: u64,
        /// What came.
        arrived: u64,
    },
    /// The body could not be read to its end: the client went away, or broke a rule of its protocol.
    #[error("the content could not be read to its end")]
    Body(#[source] BoxError),
    /// The bytes in the bucket are not those that were written.
    #[error("the object {object} is damaged: {what}")]
    Corrupt {
        /// Its name.
        object: String,
        /// What does not fit.
        what: String,
    },
    /// Another object has this name already. A blob's name carries its id, so this blob was written before, with
    /// other bytes; a file that is replaced was replaced by somebody else meanwhile.
    #[error("there is another object {object} already")]
    Precondition {
        /// Its name.
        object: String,
    },
    /// The bucket, or what is needed to speak with it, cannot be reached in time. Trying again can help.
    #[error("the object storage is not available")]
    Unavailable(#[source] BoxError),
    /// This process may not do that.
    #[error("the object storage refuses access")]
    Denied(#[source] BoxError),
    /// The row could not be written.
    #[error("the blob's row could not be written")]
    Store(#[from] nova_store::Error),
    /// A defect of ours or of the deployment.
    #[error("the object storage cannot be used")]
    Other(#[source] BoxError),
}

impl Error {
    /// Whether the same call may succeed a moment later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Store(error) => error.is_retryable(),
            _ => false,
        }
    }

    pub(crate) fn timed_out(what: &str, after: std::time::Duration) -> Self {
        Self::Unavailable(format!("{what} took longer than {after:?}").into())
    }

    pub(crate) fn corrupt(object: &str, what: impl Into<String>) -> Self {
        Self::Corrupt {
            object: object.to_owned(),
            what: what.into(),
        }
    }

    /// By the status that the storage answered with.
    pub(crate) fn from_status(object: &str, status: u16, cause: BoxError) -> Self {
        match status {
            404 | 410 => Self::NotFound {
                object: object.to_owned(),
            },
            412 => Self::Precondition {
                object: object.to_owned(),
            },
            401 | 403 => Self::Denied(cause),
            408 | 429 | 500..=599 => Self::Unavailable(cause),
            _ => Self::Other(cause),
        }
    }

    /// By what Google's client makes of it.
    pub(crate) fn from_google(object: &str, error: google_cloud_storage::Error) -> Self {
        if let Some(status) = error.http_status_code() {
            return Self::from_status(object, status, error.into());
        }
        let cause = std::error::Error::source(&error);
        let mismatch = cause.is_some_and(|cause| {
            let read = cause.downcast_ref::<ReadError>();
            let write = cause.downcast_ref::<WriteError>();
            matches!(
                read,
                Some(ReadError::ChecksumMismatch(_) | ReadError::LongRead { .. })
            ) || matches!(write, Some(WriteError::ChecksumMismatch { .. }))
        });
        if mismatch {
            return Self::corrupt(object, log::causes(&error));
        }
        // A token that cannot be fetched, too: the metadata server is as much a part of the cloud as the bucket.
        if error.is_io()
            || error.is_connect()
            || error.is_timeout()
            || error.is_exhausted()
            || error.is_authentication()
        {
            return Self::Unavailable(error.into());
        }
        Self::Other(error.into())
    }
}
