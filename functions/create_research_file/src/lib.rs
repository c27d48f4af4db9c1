//! Compiles `research.md`: everything that was found and kept for an article, in one document.
//!
//! The sources stream from the bucket through the document's frame back into the bucket, so that a
//! file of any size needs little memory ([`mod@compile`]). The article then refers to the new file; the
//! file before it is left to the sweeper. The caller may want another format ([`mod@format`]): the file
//! of an article is the one that was compiled last.

mod compile;
mod format;

use std::sync::Arc;

use futures_util::{StreamExt as _, future::BoxFuture, stream};
use nova_blobs::{Blobs, Upload};
use nova_research::document::Counts;
use nova_runtime::{App, ConfigError, Function, Problem, Routes, Tool, ToolCall};
use nova_store::{ArticleStatus, Purpose};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use self::{
    compile::{Material, Pieces, compile},
    format::{Binding, Format},
};

/// The function.
pub const FUNCTION: Function = Function::service(
    "create_research_file",
    "Compiles everything found for an article into research.md.",
    set_up,
)
.with_database();

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

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Arguments {
    format: Format,
    /// Whether a document of Markdown ends with a list of its sources; the other formats have it in
    /// any case.
    references: bool,
}

#[derive(Serialize)]
struct Answer {
    status: &'static str,
    download_url: String,
    #[serde(flatten)]
    counts: Counts,
    format: Format,
    bytes: u64,
    message: String,
}

impl Tool for CreateResearchFile {
    const NAME: &'static str = "create_research_file";
    type Arguments = Arguments;
    type Answer = Answer;

    fn run(&self, call: ToolCall, arguments: Arguments) -> BoxFuture<'_, Result<Answer, Problem>> {
        Box::pin(async move {
            let article = call.article.id;
            let Arguments { format, references } = arguments;
            let mut tenant = call.tenant().await?;
            tenant.advance(article, ArticleStatus::Finalizing).await?;
            let material = Material::load(&mut tenant, article).await?;
            tenant.commit().await?;

            let binding = Binding::new(
                format,
                references,
                material.none_passed_selection(),
                call.article.ranked_because.as_deref(),
            );
            let (pieces, receiver) = mpsc::channel(PIECES);
            let document = compile(&self.blobs, material, binding, Pieces(pieces));
            let body = stream::unfold(receiver, async |mut receiver: mpsc::Receiver<_>| {
                receiver.recv().await.map(|piece| (piece, receiver))
            });
            let upload = Upload::new(Purpose::Research, format.content_type());
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
            let url = call.app.download_url(article);
            Ok(Answer::new(url, counts, format, written.size))
        })
    }
}

impl Answer {
    fn new(download_url: String, counts: Counts, format: Format, bytes: u64) -> Self {
        let message = format!(
            "The research file is ready.\nDownload URL: {download_url}\n\
             Open this URL in your browser to download the {} file.",
            format.file_name()
        );
        Self {
            status: "success",
            download_url,
            counts,
            format,
            bytes,
            message,
        }
    }
}
