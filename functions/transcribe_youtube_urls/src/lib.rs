//! Transcribes the videos that a guideline names.
//!
//! A video is a chain of parts, each a piece of the job: how long it is, only its parts tell, so that
//! each names the next one. Its transcript is one source that grows with every part, and whose
//! revision says how far it goes: what was paid for is there at once, and the same call later, after
//! whatever went wrong, goes on from there.

mod answer;
mod part;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nova_blobs::Blobs;
use nova_providers::video::{self, Videos};
use nova_research::{
    guideline::Extraction,
    transcript::{MAX_SECONDS, Progress, Window, clock},
};
use nova_runtime::{
    App, ConfigError, Function, NoArguments, Problem, Routes,
    jobs::{Failure, LongTool, Work},
    receipts::Receipts,
};
use nova_store::{
    Article, ArticleStatus, BlobRef, CommittedBlob, JobItem, NewSource, Origin, Purpose,
    SourceKind, Tenant,
};
use serde_json::Value;
use uuid::Uuid;

use self::{
    answer::{Answer, Kept},
    part::VideoPart,
};

/// The function.
pub const FUNCTION: Function = Function::service(
    "transcribe_youtube_urls",
    "Transcribes the videos that an article guideline names, and keeps what is said as Markdown.",
    set_up,
)
.with_database();

const KIND: SourceKind = SourceKind::YoutubeTranscript;

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let tool = TranscribeYoutubeUrls {
        blobs: Blobs::from_app(app)?,
        videos: Videos::from_app(app),
    };
    Ok(Routes::new().long_tool(app, tool))
}

struct TranscribeYoutubeUrls {
    blobs: Blobs,
    videos: Option<Videos>,
}

/// What came of a part.
enum Paid {
    /// The article has the video up to here, or to its end.
    Known(Progress),
    /// Its transcript is in the bucket now, behind that of the parts before it.
    Written {
        blob: CommittedBlob,
        progress: Progress,
        provider: &'static str,
    },
}

impl Paid {
    const fn progress(&self) -> Progress {
        match self {
            Self::Known(progress) | Self::Written { progress, .. } => *progress,
        }
    }
}

impl LongTool for TranscribeYoutubeUrls {
    const NAME: &'static str = "transcribe_youtube_urls";
    type Arguments = NoArguments;
    type Paid = Paid;

    fn revision<'a>(
        &'a self,
        _: &'a mut Tenant,
        article: &'a Article,
    ) -> BoxFuture<'a, Result<String, Problem>> {
        Box::pin(async {
            let urls = urls(article)?;
            // Told before anything is charged.
            if !urls.is_empty() && self.videos.is_none() {
                return Err(video::not_configured());
            }
            Ok(urls.join("\n"))
        })
    }

    fn pieces<'a>(
        &'a self,
        work: &'a Work<NoArguments>,
    ) -> BoxFuture<'a, Result<Vec<String>, Problem>> {
        Box::pin(async { urls(&work.article) })
    }

    fn fetch<'a>(
        &'a self,
        work: &'a Work<NoArguments>,
        piece: &'a str,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Paid, Failure>> {
        Box::pin(async move {
            let part = VideoPart::parse(piece).map_err(Failure::Job)?;
            let (progress, before) = known(work, &part).await.map_err(Failure::Job)?;
            if progress != Progress::Until(part.start) {
                return part.known(progress).map(Paid::Known);
            }
            if part.start >= MAX_SECONDS {
                let longest = clock(MAX_SECONDS);
                return Err(Failure::Never(format!(
                    "too_long: what comes behind {longest} is not transcribed"
                )));
            }
            let Some(videos) = &self.videos else {
                return Err(Failure::Job(video::not_configured()));
            };
            // Before anything is paid that would have to be put behind it.
            let before = self.text(before).await?;
            work.note(part.note());
            let window = Window::from(part.start);
            let said = videos.transcribe(&part.url, window, receipts).await?;
            let text = said.behind(&before);
            let blob = self.blobs.write_paid(&work.user, Purpose::Transcript, text);
            Ok(Paid::Written {
                blob: blob.await.map_err(|error| Failure::Job(error.into()))?,
                progress: said.progress(),
                provider: videos.provider(),
            })
        })
    }

    fn keep<'a>(
        &'a self,
        work: &'a Work<NoArguments>,
        tenant: &'a mut Tenant,
        piece: &'a JobItem,
        paid: &'a Paid,
    ) -> BoxFuture<'a, Result<Value, Problem>> {
        Box::pin(async move {
            let article = work.article.id;
            let part = VideoPart::parse(&piece.key)?;
            let position = position(&work.article, &part)?;
            tenant.hold_sources(article).await?;
            tenant
                .advance(article, ArticleStatus::ProcessingSources)
                .await?;
            let Paid::Written {
                blob,
                progress,
                provider,
            } = paid
            else {
                let key = &part.identity;
                tenant.confirm_source(article, KIND, key, position).await?;
                return Kept { unchanged: true }.value();
            };
            let has = tenant.known_source(article, KIND, &part.identity).await?;
            if read_progress(has.map(|has| has.origin))? != Progress::Until(part.start) {
                // Another job of this article was quicker, and has gone on from there.
                return Kept { unchanged: true }.value();
            }
            tenant.commit_blob(blob).await?;
            let source = NewSource {
                id: Uuid::now_v7(),
                kind: KIND,
                key: part.identity,
                title: part.url,
                position,
                blob_id: blob.id,
                origin: Origin {
                    revision: Some(progress.to_string()),
                    provider: Some((*provider).to_owned()),
                    ..Origin::default()
                },
            };
            tenant.upsert_source(article, &source).await?;
            Kept { unchanged: false }.value()
        })
    }

    fn further(&self, piece: &JobItem, paid: &Paid) -> Vec<String> {
        let Progress::Until(second) = paid.progress() else {
            return Vec::new();
        };
        // It was read a moment ago.
        let part = VideoPart::parse(&piece.key);
        part.map(|part| part.at(second)).into_iter().collect()
    }

    fn answer(&self, work: &Work<NoArguments>, pieces: &[JobItem]) -> Result<Value, Problem> {
        let is_extracted = work.article.extracted_urls.is_some();
        let answer = Answer::new(work.article.id, is_extracted, pieces)?;
        serde_json::to_value(answer).map_err(Problem::internal)
    }
}

impl TranscribeYoutubeUrls {
    /// What the article has of a video's transcript.
    async fn text(&self, blob: Option<BlobRef>) -> Result<String, Failure> {
        let Some(blob) = blob else {
            return Ok(String::new());
        };
        let bytes = self.blobs.read_whole(&blob).await;
        let bytes = bytes.map_err(|error| Failure::Job(error.into()))?;
        String::from_utf8(bytes).map_err(|error| Failure::Job(Problem::internal(error)))
    }
}

/// The videos that the guideline names, each once, whatever URLs it names it by.
fn urls(article: &Article) -> Result<Vec<String>, Problem> {
    let found: Option<Extraction> = article.extracted().map_err(Problem::internal)?;
    Ok(found.unwrap_or_default().youtube_videos_urls)
}

/// The place of a video among all.
fn position(article: &Article, part: &VideoPart) -> Result<i64, Problem> {
    let urls = urls(article)?;
    let place = urls.iter().position(|url| *url == part.url);
    // The guideline may have been extracted again meanwhile, without it.
    i64::try_from(place.unwrap_or(urls.len())).map_err(Problem::internal)
}

/// How far the article has a video, and the text. No connection is held afterwards.
async fn known(
    work: &Work<NoArguments>,
    part: &VideoPart,
) -> Result<(Progress, Option<BlobRef>), Problem> {
    let mut tenant = work.app.tenant(&work.user).await?;
    let known = tenant.known_source(work.article.id, KIND, &part.identity);
    match known.await? {
        None => Ok((Progress::NONE, None)),
        Some(known) => Ok((read_progress(Some(known.origin))?, Some(known.blob))),
    }
}

fn read_progress(origin: Option<Origin>) -> Result<Progress, Problem> {
    match origin.and_then(|origin| origin.revision) {
        None => Ok(Progress::NONE),
        Some(revision) => revision.parse().map_err(Problem::internal),
    }
}
