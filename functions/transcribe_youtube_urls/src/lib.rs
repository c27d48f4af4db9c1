//! Transcribes the videos that a guideline names.
//!
//! A video is a chain of parts, each a piece of the job: how long it is, only its parts tell, so that
//! each names the next one. Its transcript is one source that grows with every part, and whose
//! revision says how far it goes: what was paid for is there at once, and the same call later, after
//! whatever went wrong, goes on from there.
//!
//! Where the settings say so, YouTube is asked for a video's captions first, which are the whole of it
//! and cost nothing.

mod answer;
mod part;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nova_blobs::Blobs;
use nova_providers::{
    captions::{Captions, YouTube},
    video::{self, Videos},
};
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
    Article, ArticleStatus, BlobRef, CommittedBlob, JobItem, KnownSource, NewSource, Origin,
    Purpose, SourceKind, Tenant,
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

/// Its calls, where the work is left to the function.
pub const CALLS: Function = FUNCTION.calls_of::<TranscribeYoutubeUrls>();

const KIND: SourceKind = SourceKind::YoutubeTranscript;

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let tool = TranscribeYoutubeUrls {
        blobs: Blobs::from_app(app)?,
        captions: YouTube::from_app(app),
        videos: Videos::from_app(app),
    };
    Ok(Routes::new().long_tool(app, tool))
}

struct TranscribeYoutubeUrls {
    blobs: Blobs,
    captions: Option<YouTube>,
    videos: Option<Videos>,
}

/// What came of a part.
enum Paid {
    /// The article has the video up to here, or to its end.
    Known {
        progress: Progress,
        provider: Option<String>,
    },
    /// Its transcript is in the bucket now, behind that of the parts before it.
    Written {
        blob: CommittedBlob,
        progress: Progress,
        /// Who gave it, and what is known of it.
        origin: Box<Origin>,
    },
}

impl Paid {
    const fn progress(&self) -> Progress {
        match self {
            Self::Known { progress, .. } | Self::Written { progress, .. } => *progress,
        }
    }
}

impl LongTool for TranscribeYoutubeUrls {
    const NAME: &'static str = "transcribe_youtube_urls";
    type Arguments = NoArguments;
    type Paid = Paid;

    fn revision<'a>(
        app: &'a App,
        _: &'a mut Tenant,
        article: &'a Article,
    ) -> BoxFuture<'a, Result<String, Problem>> {
        Box::pin(async {
            let urls = urls(article)?;
            let nobody = || Videos::from_app(app).is_none() && YouTube::from_app(app).is_none();
            if !urls.is_empty() && nobody() {
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
            let known = known(work, &part).await.map_err(Failure::Job)?;
            let progress = read_progress(known.as_ref()).map_err(Failure::Job)?;
            if progress != Progress::Until(part.start) {
                return Ok(Paid::Known {
                    progress: part.known(progress)?,
                    provider: known.and_then(|known| known.origin.provider),
                });
            }
            if let Some(captions) = self.captions(&part, work, receipts).await? {
                let origin = origin(&captions);
                let written = self.written(work, captions.markdown, Progress::Whole, origin);
                return written.await;
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
            let before = self.text(known.map(|known| known.blob)).await?;
            work.note(part.note());
            let window = Window::from(part.start);
            let said = videos.transcribe(&part.url, window, receipts).await?;
            let text = said.behind(&before);
            let origin = Origin {
                provider: Some(videos.provider().to_owned()),
                ..Origin::default()
            };
            self.written(work, text, said.progress(), origin).await
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
            let (blob, origin) = match paid {
                Paid::Written { blob, origin, .. } => (blob, origin),
                Paid::Known { provider, .. } => {
                    let key = &part.identity;
                    tenant.confirm_source(article, KIND, key, position).await?;
                    return Kept::unchanged(provider.clone()).value();
                }
            };
            let has = tenant.known_source(article, KIND, &part.identity).await?;
            if read_progress(has.as_ref())? != Progress::Until(part.start) {
                // Another job of this article was quicker, and has gone on from there.
                return Kept::unchanged(has.and_then(|has| has.origin.provider)).value();
            }
            tenant.commit_blob(blob).await?;
            let source = NewSource {
                id: Uuid::now_v7(),
                kind: KIND,
                key: part.identity,
                title: part.url,
                position,
                blob_id: blob.id,
                origin: (**origin).clone(),
            };
            tenant.upsert_source(article, &source).await?;
            Kept::new(origin.provider.clone()).value()
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
    /// The captions of a video of which the article has nothing, where YouTube is asked for them and
    /// gives them. Otherwise a model watches the video, and where there is none, the failure is that
    /// of the captions. A video that a model has begun it goes on with.
    async fn captions(
        &self,
        part: &VideoPart,
        work: &Work<NoArguments>,
        receipts: &Receipts,
    ) -> Result<Option<Captions>, Failure> {
        let is_begun = part.start > 0 && self.videos.is_some();
        let Some(youtube) = self.captions.as_ref().filter(|_| !is_begun) else {
            return Ok(None);
        };
        work.note(format!("looking for captions of {}", part.url));
        match youtube.captions(part.id(), receipts).await {
            Ok(captions) => Ok(Some(captions)),
            Err(_) if self.videos.is_some() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a transcript to the bucket.
    async fn written(
        &self,
        work: &Work<NoArguments>,
        text: String,
        progress: Progress,
        origin: Origin,
    ) -> Result<Paid, Failure> {
        let blob = self.blobs.write_paid(&work.user, Purpose::Transcript, text);
        Ok(Paid::Written {
            blob: blob.await.map_err(|error| Failure::Job(error.into()))?,
            progress,
            origin: Box::new(Origin {
                revision: Some(progress.to_string()),
                ..origin
            }),
        })
    }

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

/// What the article has of a video. No connection is held afterwards.
async fn known(work: &Work<NoArguments>, part: &VideoPart) -> Result<Option<KnownSource>, Problem> {
    let mut tenant = work.app.tenant(&work.user).await?;
    let known = tenant.known_source(work.article.id, KIND, &part.identity);
    Ok(known.await?)
}

fn read_progress(known: Option<&KnownSource>) -> Result<Progress, Problem> {
    match known.and_then(|known| known.origin.revision.as_ref()) {
        None => Ok(Progress::NONE),
        Some(revision) => revision.parse().map_err(Problem::internal),
    }
}

/// What is known of a video whose captions these are.
fn origin(captions: &Captions) -> Origin {
    Origin {
        title: captions.title.clone(),
        author: captions.author.clone(),
        language: Some(captions.language.clone()),
        provider: Some(captions.provider().to_owned()),
        ..Origin::default()
    }
}
