//! Finds what a guideline refers to: repositories, videos, web pages, local files.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nova_blobs::Blobs;
use nova_research::guideline::{Extraction, Guideline, Skipped};
use nova_runtime::{App, ConfigError, Function, NoArguments, Problem, Routes, Tool, ToolCall};
use serde::Serialize;
use serde_json::value::to_raw_value;

/// The function.
pub const FUNCTION: Function = Function::service(
    "extract_guidelines_urls",
    "Finds the links and local files that an article guideline refers to.",
    set_up,
)
.with_database();

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    Ok(Routes::new().tool(
        app,
        ExtractGuidelinesUrls {
            blobs: Blobs::from_app(app)?,
        },
    ))
}

struct ExtractGuidelinesUrls {
    blobs: Blobs,
}

#[derive(Serialize)]
struct Answer {
    status: &'static str,
    github_sources_count: usize,
    youtube_sources_count: usize,
    web_sources_count: usize,
    local_files_count: usize,
    /// What was left out, and why.
    skipped: Vec<Skipped>,
    message: String,
}

impl Tool for ExtractGuidelinesUrls {
    const NAME: &'static str = "extract_guidelines_urls";
    type Arguments = NoArguments;
    type Answer = Answer;

    fn run(&self, call: ToolCall, _: NoArguments) -> BoxFuture<'_, Result<Answer, Problem>> {
        Box::pin(async move {
            let article = call.article.id;
            let bytes = self.blobs.read_whole(&call.article.guideline).await?;
            let guideline = Guideline::parse(bytes).map_err(Problem::internal)?;

            let config = call.app.config();
            let code_hosts = config.providers.known_code_hosts();
            let extraction = guideline.extract_among(config.fetch.reach(), &code_hosts);

            let urls = to_raw_value(&extraction).map_err(Problem::internal)?;
            let mut tenant = call.tenant().await?;
            tenant.save_extracted_urls(article, &urls).await?;
            tenant.commit().await?;
            Ok(Answer::new(extraction, &call.app.local_files_url(article)))
        })
    }
}

impl Answer {
    fn new(found: Extraction, local_files_url: &str) -> Self {
        let (github, youtube) = (found.github_urls.len(), found.youtube_videos_urls.len());
        let (web, local) = (found.other_urls.len(), found.local_file_paths.len());
        let left_out = match found.skipped.len() {
            0 => String::new(),
            count => format!(" {count} were left out; `skipped` says why."),
        };
        let upload = match local {
            0 => String::new(),
            _ => format!("\nUpload the local files here: {local_files_url}"),
        };
        let message = format!(
            "Found {github} GitHub, {youtube} YouTube and {web} other links, and {local} local files.{left_out}{upload}"
        );
        Self {
            status: "success",
            github_sources_count: github,
            youtube_sources_count: youtube,
            web_sources_count: web,
            local_files_count: local,
            skipped: found.skipped,
            message,
        }
    }
}
