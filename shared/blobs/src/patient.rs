//! Texts that were paid for.

use std::time::Duration;

use futures_util::future::BoxFuture;
use nova_store::{CommittedBlob, Purpose, UserId};
use tokio::time::sleep;

use crate::{Blobs, Error, Upload, whole};

/// How often the bucket is tried, a while each: what was paid for would be lost.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_secs(5);

impl Blobs {
    /// Writes Markdown that a provider was paid for: [`Blobs::write`], again and again while the
    /// bucket is away.
    ///
    /// # Errors
    /// When it is away for minutes; at once when another try would not help.
    pub fn write_paid<'a>(
        &'a self,
        user: &'a UserId,
        purpose: Purpose,
        markdown: String,
    ) -> BoxFuture<'a, Result<CommittedBlob, Error>> {
        Box::pin(async move {
            let size = markdown.len() as u64;
            let mut upload = Upload::new(purpose, "text/markdown; charset=utf-8");
            upload.declared_size = Some(size);
            let mut tries = 1;
            loop {
                // The same upload again finds what the one before has done.
                let body = whole(markdown.clone());
                match self.write(user, upload.clone(), body, size).await {
                    Err(error) if error.is_retryable() && tries < TRIES => {
                        tracing::warn!(%error, "what was paid for is not in the bucket yet");
                        sleep(PAUSE).await;
                        tries += 1;
                    }
                    written => return written,
                }
            }
        })
    }
}
