//! Compiles `research.md`: everything that was found and kept for an article, in one document.
//!
//! The sources stream from the bucket through the document's frame back into the bucket, so that a
//! file of any size needs little memory. The article then refers to the new file; the file before
//! it is left to the sweeper.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use nova_blobs::{Blobs, BoxError, Upload};
use nova_research::document::{Counts, Document, Section};
use nova_runtime::{App, ConfigError, Function, NoArguments, Problem, Routes, Tool, ToolCall};
use nova_store::{ArticleStatus, Purpose, ResearchResult, Source, SourceKind};
use serde::Serialize;
use tokio::sync::mpsc;

/// The function.
pub const FUNCTION: Function = Function::service(
    "create_research_file",
    "Compiles everything found for an article into research.md.",
    set_up,
)
.with_database();

/// How much of the document is collected before it is passed on.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces on their way to the bucket, at most.
const PIECES: usize = 4;
/// More than this is a mistake somewhere, and would not be read by anybody.
const MAX_DOCUMENT_BYTES: u64 = 2 << 30;

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    Ok(Routes::new().tool(
        app,
        CreateResearchFile {
            blobs: Blobs::from_app(app)?,
        },
    ))
}

struct CreateResearchFile {
    blobs: Blobs,
}

#[derive(Serialize)]
struct Answer {
    status: &'static str,
    download_url: String,
    #[serde(flatten)]
    counts: Counts,
    bytes: u64,
    message: String,
}

impl Tool for CreateResearchFile {
    const NAME: &'static str = "create_research_file";
    type Arguments = NoArguments;
    type Answer = Answer;

    fn run(&self, call: ToolCall, _: NoArguments) -> BoxFuture<'_, Result<Answer, Problem>> {
        Box::pin(async move {
            let article = call.article.id;
            let mut tenant = call.tenant().await?;
            tenant.advance(article, ArticleStatus::Finalizing).await?;
            let results = tenant.research_results(article).await?;
            let sources = tenant.document_sources(article).await?;
            tenant.commit().await?;

            let (pieces, receiver) = mpsc::channel(PIECES);
            let document = compile(&self.blobs, results, sources, Pieces(pieces));
            let body = stream::unfold(receiver, async |mut receiver: mpsc::Receiver<_>| {
                receiver.recv().await.map(|piece| (piece, receiver))
            });
            let upload = Upload::new(Purpose::Research, "text/markdown; charset=utf-8");
            let written = self
                .blobs
                .write(&call.user, upload, body.boxed(), MAX_DOCUMENT_BYTES);
            let (written, counts) = tokio::join!(written, document);
            let (written, counts) = match (written, counts) {
                (Ok(written), Ok(counts)) => (written, counts),
                // The upload failed because the document did.
                (Ok(_) | Err(nova_blobs::Error::Body(_)), Err(problem)) => return Err(problem),
                (Err(error), _) => return Err(error.into()),
            };

            let mut tenant = call.tenant().await?;
            tenant.commit_blob(&written).await?;
            tenant.link_research(article, written.id).await?;
            tenant.commit().await?;
            Ok(Answer::new(
                call.app.download_url(article),
                counts,
                written.size,
            ))
        })
    }
}

/// Writes the document piece by piece.
async fn compile(
    blobs: &Blobs,
    results: Vec<ResearchResult>,
    sources: Vec<Source>,
    pieces: Pieces,
) -> Result<Counts, Problem> {
    let written = write(blobs, results, sources, &pieces).await;
    if let Err(problem) = &written {
        // The upload must not end as if the document were complete.
        pieces.fail(problem).await;
    }
    written
}

async fn write(
    blobs: &Blobs,
    results: Vec<ResearchResult>,
    sources: Vec<Source>,
    pieces: &Pieces,
) -> Result<Counts, Problem> {
    let mut document = Document::new();
    let mut text = String::with_capacity(2 * PIECE_BYTES);
    let mut open_query = None;
    for result in results {
        if open_query.as_ref() != Some(&result.query) {
            document
                .open(Section::ResearchResults, &result.query, &mut text)
                .map_err(Problem::internal)?;
        }
        let number = u64::try_from(result.source_no).map_err(Problem::internal)?;
        document.answer(number, &result.url, &result.query, &mut text);
        document.body(&result.answer, &mut text);
        open_query = Some(result.query);
        pieces.pass_on(&mut text).await?;
    }
    for source in sources {
        document
            .open(section(source.kind), &source.title, &mut text)
            .map_err(Problem::internal)?;
        let mut content = blobs.read(&source.blob, None).await?.stream;
        while let Some(chunk) = content.try_next().await? {
            document.body_bytes(&chunk, &mut text);
            pieces.pass_on(&mut text).await?;
        }
    }
    let counts = document.finish(&mut text);
    pieces.send(text).await?;
    Ok(counts)
}

fn section(kind: SourceKind) -> Section {
    match kind {
        SourceKind::ScrapedResearchUrl => Section::ScrapedSources,
        SourceKind::GithubIngest => Section::CodeSources,
        SourceKind::YoutubeTranscript => Section::VideoTranscripts,
        SourceKind::ScrapedUrl => Section::AdditionalSources,
        SourceKind::LocalFile => Section::LocalFiles,
    }
}

/// The way to the bucket.
struct Pieces(mpsc::Sender<Result<Bytes, BoxError>>);

impl Pieces {
    async fn pass_on(&self, text: &mut String) -> Result<(), Problem> {
        if text.len() < PIECE_BYTES {
            return Ok(());
        }
        let full = std::mem::replace(text, String::with_capacity(2 * PIECE_BYTES));
        self.send(full).await
    }

    /// Fails when the upload has ended, which then says why itself.
    async fn send(&self, text: String) -> Result<(), Problem> {
        self.0
            .send(Ok(Bytes::from(text)))
            .await
            .map_err(Problem::internal)
    }

    async fn fail(&self, problem: &Problem) {
        // Nobody is left to be told when the upload has failed first.
        drop(self.0.send(Err(problem.to_string().into())).await);
    }
}

impl Answer {
    fn new(download_url: String, counts: Counts, bytes: u64) -> Self {
        let message = format!(
            "The research file is ready.\nDownload URL: {download_url}\n\
             Open this URL in your browser to download the research.md file."
        );
        Self {
            status: "success",
            download_url,
            counts,
            bytes,
            message,
        }
    }
}
