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
    Done, ReadArguments,
    cleaning::Cleaner,
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
    url: &str,
    receipts: &Receipts,
) -> Result<Done, Failure> {
    let url = url_of(url, work.app.config().fetch.reach()).map_err(Failure::Never)?;
    let done = |outcome, is_to_be_cleaned| Done::Read {
        outcome,
        is_to_be_cleaned: is_to_be_cleaned && cleaner.is_wanted(),
    };
    if url.kind() == Kind::Youtube && L::INITIATIVE == Initiative::Program {
        return Ok(done(Outcome::Video, false));
    }
    let known = known::<L>(work, url.identity()).await?;
    // Cancelled before, or the model was of no use: it is not read again for that.
    let is_as_read = known
        .as_ref()
        .is_some_and(|it| it.origin.revision.is_none());
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
            let stale = Outcome::Stale(format!("{}: {error}", error.reason()));
            return Ok(done(stale, is_as_read));
        }
        Err(error.into())
    };
    let unchanged = || Ok(done(Outcome::Unchanged, is_as_read));
    let (page, blob, is_large) = match reader.read(&request, receipts).await {
        Ok(Scraped::Page(mut page)) => {
            let text = text::clean(&std::mem::take(&mut page.markdown));
            // What was cleaned before is not paid for again while the site says the same.
            let was_cleaned =
                cleaner.is_wanted() && known_as_read == Some(text::fingerprint(&text));
            if was_cleaned || known_sha256 == Some(sha256(&text)) {
                return unchanged();
            }
            let written = blobs.write_paid(&work.user, Purpose::Scraped, text);
            let blob = written.await.map_err(|error| Failure::Job(error.into()))?;
            (page, blob, false)
        }
        Ok(Scraped::Large(page, text)) => match write_large(blobs, &work.user, text).await? {
            // What was written is cleared away, as nothing refers to it.
            Ok(blob) if is_known && known_sha256 == blob.sha256 => return unchanged(),
            Ok(blob) => (page, blob, true),
            Err(error) => return fail(error),
        },
        Ok(Scraped::Unchanged) => return unchanged(),
        Err(error) => return fail(error),
    };
    let outcome = Outcome::Read {
        blob,
        credits: page.credits,
        origin: Box::new(origin(*page)),
    };
    Ok(done(outcome, !is_large))
}

/// What the article has of it. No connection is held afterwards.
pub(crate) async fn known<L: PageList>(
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
            json!({
                "outcome": "read", "bytes": blob.size, "provider": origin.provider, "credits": credits,
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
        Outcome::Stale(reason) => json!({"outcome": "stale", "reason": reason}),
        Outcome::Video => json!({"outcome": "video"}),
    })
}
