//! One page: read, and kept.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use nova_blobs::{Blobs, Upload, incoming};
use nova_providers::scrape::{
    KnownPage, LargeText, PageRequest, ScrapeError, Scraped, ScrapedPage, Scraper,
};
use nova_research::url::Kind;
use nova_runtime::{
    Problem,
    fetch::{Initiative, Validators},
    jobs::{Failure, Work},
    receipts::Receipts,
    sha256,
};
use nova_store::{CommittedBlob, JobItem, KnownSource, NewSource, Origin, Purpose, Tenant, UserId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    ReadArguments,
    cleaning::{Cleaned, Cleaner, Cleaning},
    list::{PageList, url_of},
    text,
};

/// What came of a page.
#[derive(Debug)]
pub enum Outcome {
    /// It was read, and its text is in the bucket.
    Read {
        /// The text.
        blob: CommittedBlob,
        /// What is known of it.
        origin: Box<Origin>,
        /// What it cost, in the provider's unit.
        credits: u64,
        /// What a language model did to it.
        cleaning: Cleaning,
    },
    /// It is what the article has already.
    Unchanged,
    /// It cannot be had today, for this reason; the article has it from before.
    Stale(String),
    /// It is a video, which another tool transcribes.
    Video,
}

/// Reads a page, unless it is what the article has already.
pub(crate) async fn read<L: PageList>(
    blobs: &Blobs,
    reader: &dyn Scraper,
    cleaner: &Cleaner,
    work: &Work<ReadArguments>,
    piece: &str,
    receipts: &Receipts,
) -> Result<Outcome, Failure> {
    let url = url_of(piece, work.app.config().fetch.reach()).map_err(Failure::Never)?;
    if url.kind() == Kind::Youtube && L::INITIATIVE == Initiative::Program {
        return Ok(Outcome::Video);
    }
    let known = known::<L>(work, url.identity()).await?;
    let request = PageRequest {
        url: url.as_str().to_owned(),
        initiative: L::INITIATIVE,
        known: known.as_ref().map(|known| KnownPage {
            validators: validators(&known.origin),
            fetched_at: known.fetched_at,
        }),
    };
    let is_known = known.is_some();
    let (known_sha256, known_as_read) =
        known.map_or((None, None), |it| (it.sha256, it.origin.revision));
    let fail = |error: ScrapeError| {
        if is_known {
            return Ok(Outcome::Stale(format!("{}: {error}", error.reason())));
        }
        Err(error.into())
    };
    let (page, blob, cleaning, as_read) = match reader.read(&request, receipts).await {
        Ok(Scraped::Page(mut page)) => {
            let markdown = std::mem::take(&mut page.markdown);
            // What was cleaned before is not paid for again while the site says the same.
            let as_read = cleaner.is_wanted().then(|| text::fingerprint(&markdown));
            if as_read.is_some() && as_read == known_as_read {
                return Ok(Outcome::Unchanged);
            }
            let Cleaned { markdown, cleaning } = cleaner.clean(markdown, receipts).await;
            let as_read = as_read.filter(|_| !matches!(cleaning, Cleaning::Failed(_)));
            let markdown = text::clean(&markdown);
            if known_sha256 == Some(sha256(&markdown)) {
                return Ok(Outcome::Unchanged);
            }
            let written = blobs.write_paid(&work.user, Purpose::Scraped, markdown);
            let blob = written.await.map_err(|error| Failure::Job(error.into()))?;
            (page, blob, cleaning, as_read)
        }
        Ok(Scraped::Large(page, text)) => match write_large(blobs, &work.user, text).await? {
            // What was written is cleared away, as nothing refers to it.
            Ok(blob) if is_known && known_sha256 == blob.sha256 => return Ok(Outcome::Unchanged),
            Ok(blob) => (page, blob, Cleaning::NotAsked, None),
            Err(error) => return fail(error),
        },
        Ok(Scraped::Unchanged) => return Ok(Outcome::Unchanged),
        Err(error) => return fail(error),
    };
    Ok(Outcome::Read {
        blob,
        credits: page.credits,
        origin: Box::new(Origin {
            revision: as_read,
            ..origin(*page)
        }),
        cleaning,
    })
}

/// What the article has of it. No connection is held afterwards.
async fn known<L: PageList>(
    work: &Work<ReadArguments>,
    key: &str,
) -> Result<Option<KnownSource>, Failure> {
    let load = async {
        let mut tenant = work.app.tenant(&work.user).await?;
        let known = tenant.known_source(work.article.id, L::KIND, key).await;
        Ok::<_, Problem>(known?)
    };
    load.await.map_err(Failure::Job)
}

fn validators(origin: &Origin) -> Validators {
    Validators::new(origin.etag.as_deref(), origin.last_modified.as_deref())
}

fn origin(page: ScrapedPage) -> Origin {
    let said = page.metadata;
    let short = |text: Option<String>| text.map(|text| text::short(&text));
    Origin {
        title: short(said.title),
        author: short(said.author),
        published: said.published.as_deref().and_then(text::date),
        language: short(said.language),
        final_url: page.final_url,
        etag: page.validators.etag().map(str::to_owned),
        last_modified: page.validators.last_modified().map(str::to_owned),
        revision: None,
        provider: Some(page.provider.to_owned()),
        cost: (page.credits > 0).then(|| json!({"credits": page.credits})),
    }
}

/// The largest text that is kept. Markdown has more letters than a page in rare cases only.
const MAX_TEXT_BYTES: u64 = 128 << 20;

/// Writes a text to the bucket while it comes, unless the page breaks off.
async fn write_large(
    blobs: &Blobs,
    user: &UserId,
    text: LargeText,
) -> Result<Result<CommittedBlob, ScrapeError>, Failure> {
    let upload = Upload::new(Purpose::Scraped, "text/markdown; charset=utf-8");
    let text = text.into_stream().map_ok(text::without_nul);
    let end = stream::once(async { Ok(Bytes::from_static(b"\n")) });
    let body = incoming(text.chain(end));
    match blobs.write(user, upload, body, MAX_TEXT_BYTES).await {
        Ok(written) => Ok(Ok(written)),
        Err(nova_blobs::Error::Body(error)) => match error.downcast::<ScrapeError>() {
            Ok(error) => Ok(Err(*error)),
            Err(error) => Err(Failure::Job(Problem::internal(error))),
        },
        Err(error) => Err(Failure::Job(error.into())),
    }
}

/// Keeps what came of a page; gives what the answer needs to know of it.
pub(crate) async fn keep<L: PageList>(
    work: &Work<ReadArguments>,
    tenant: &mut Tenant,
    piece: &JobItem,
    outcome: &Outcome,
) -> Result<Value, Problem> {
    let (article, position) = (
        work.article.id,
        i64::try_from(piece.position).unwrap_or(i64::MAX),
    );
    let reach = work.app.config().fetch.reach();
    let key = || url_of(&piece.key, reach).map(|url| url.identity().to_owned());
    Ok(match outcome {
        Outcome::Read {
            blob,
            origin,
            credits,
            cleaning,
        } => {
            tenant.commit_blob(blob).await?;
            let source = NewSource {
                id: Uuid::now_v7(),
                kind: L::KIND,
                key: key().map_err(Problem::internal)?,
                title: piece.key.clone(),
                position,
                blob_id: blob.id,
                origin: (**origin).clone(),
            };
            tenant.upsert_source(article, &source).await?;
            let (dropped, why_not) = match cleaning {
                Cleaning::NotAsked => (None, None),
                Cleaning::Dropped(blocks) => (Some(blocks), None),
                Cleaning::Failed(why) => (None, Some(why.replace('\0', ""))),
            };
            json!({
                "outcome": "read", "bytes": blob.size, "provider": origin.provider, "credits": credits,
                "blocks_dropped": dropped, "not_cleaned": why_not,
            })
        }
        Outcome::Unchanged => {
            let key = key().map_err(Problem::internal)?;
            // False: it was removed meanwhile, by somebody who wanted that.
            tenant
                .confirm_source(article, L::KIND, &key, position)
                .await?;
            json!({"outcome": "unchanged"})
        }
        Outcome::Stale(reason) => json!({"outcome": "stale", "reason": reason.replace('\0', "")}),
        Outcome::Video => json!({"outcome": "video"}),
    })
}
