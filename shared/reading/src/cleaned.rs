//! One page that the article has as it was read: cleaned, and kept in its place.

use nova_blobs::Blobs;
use nova_runtime::{
    Problem,
    jobs::{Failure, Work},
    receipts::Receipts,
};
use nova_store::{CommittedBlob, Purpose, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    ReadArguments,
    cleaning::{CleanPage, Cleaner},
    list::{PageList, url_of},
    page, text,
};

/// More than that is not shown to a model.
const MOST_BYTES: u64 = 4 << 20;

/// What came of a page that was to be cleaned.
#[derive(Debug)]
pub enum Cleaned {
    /// Nothing was to be done: it was removed or cleaned meanwhile, or it is too large.
    Left,
    /// There is nothing to leave out of it, or something, which is left out of this text.
    Clean {
        /// The key of its source.
        key: String,
        /// The text as it was read.
        as_read: Uuid,
        /// By which that is known again.
        fingerprint: String,
        /// The text that is left, in the bucket; `None` where it is all of it.
        blob: Option<CommittedBlob>,
        /// How many blocks a model left out, where one was asked.
        dropped: Option<usize>,
    },
    /// The model was of no use, for this reason; the page is as it was read.
    NotCleaned(String),
}

/// What the answer needs to know of it.
#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Kept {
    pub(crate) blocks_dropped: Option<usize>,
    pub(crate) not_cleaned: Option<String>,
}

/// Has a model clean a page, unless there is nothing to clean (any more).
pub(crate) async fn clean<L: PageList>(
    blobs: &Blobs,
    cleaner: &Cleaner,
    work: &Work<ReadArguments>,
    url: &str,
    receipts: &Receipts,
) -> Result<Cleaned, Failure> {
    let url = url_of(url, work.app.config().fetch.reach()).map_err(Failure::Never)?;
    let known = page::known::<L>(work, url.identity()).await?;
    let known = known.filter(|it| it.origin.revision.is_none() && it.blob.size <= MOST_BYTES);
    let Some(known) = known else {
        return Ok(Cleaned::Left);
    };
    let bytes = blobs.read_whole(&known.blob).await;
    let bytes = bytes.map_err(|error| Failure::Job(error.into()))?;
    let text = String::from_utf8(bytes);
    let text = text.map_err(|error| Failure::Job(Problem::internal(error)))?;
    let (blob, dropped) = match cleaner.clean(&text, receipts).await {
        Err(why) => return Ok(Cleaned::NotCleaned(why)),
        Ok(None) => (None, None),
        Ok(Some(CleanPage { dropped: 0, .. })) => (None, Some(0)),
        Ok(Some(CleanPage { markdown, dropped })) => {
            let text = text::clean(&markdown);
            let written = blobs.write_paid(&work.user, Purpose::Scraped, text);
            let blob = written.await.map_err(|error| Failure::Job(error.into()))?;
            (Some(blob), Some(dropped))
        }
    };
    Ok(Cleaned::Clean {
        key: url.identity().to_owned(),
        as_read: known.blob.id,
        fingerprint: text::fingerprint(&text),
        blob,
        dropped,
    })
}

/// Keeps the cleaned text in the place of the one that was read, unless that is not there any more.
pub(crate) async fn keep<L: PageList>(
    work: &Work<ReadArguments>,
    tenant: &mut Tenant,
    cleaned: &Cleaned,
) -> Result<Value, Problem> {
    let kept = match cleaned {
        Cleaned::Left => Kept::default(),
        Cleaned::NotCleaned(why) => Kept {
            not_cleaned: Some(why.clone()),
            ..Kept::default()
        },
        Cleaned::Clean {
            key,
            as_read,
            fingerprint,
            blob,
            dropped,
        } => {
            if let Some(blob) = blob {
                tenant.commit_blob(blob).await?;
            }
            let texts = [*as_read, blob.as_ref().map_or(*as_read, |blob| blob.id)];
            // False: it was read anew meanwhile, or removed; what was written goes by itself.
            let article = work.article.id;
            let replaced = tenant.replace_text(article, L::KIND, key, texts, fingerprint);
            let is_there = replaced.await?;
            Kept {
                blocks_dropped: dropped.filter(|_| is_there),
                ..Kept::default()
            }
        }
    };
    serde_json::to_value(kept).map_err(Problem::internal)
}
