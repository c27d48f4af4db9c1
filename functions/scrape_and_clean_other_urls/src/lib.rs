//! Reads the web pages that a guideline names.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nova_blobs::Blobs;
use nova_reading::{PageList, ReadPages};
use nova_research::guideline::Extraction;
use nova_runtime::{App, ConfigError, Function, Problem, Routes, fetch::Initiative};
use nova_store::{Article, ArticleStatus, SourceKind, Tenant};

/// The function.
pub const FUNCTION: Function = Function::service(
    "scrape_and_clean_other_urls",
    "Reads the web pages that an article guideline names, and keeps them as Markdown.",
    set_up,
)
.with_database();

/// Its calls, where the work is left to the function.
pub const CALLS: Function = FUNCTION.calls_of::<ReadPages<OtherUrls>>();

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let tool = ReadPages::<OtherUrls>::new(app, Blobs::from_app(app)?)?;
    Ok(Routes::new().long_tool(app, tool))
}

/// What a guideline names that is neither code nor a video.
struct OtherUrls;

impl PageList for OtherUrls {
    const TOOL: &'static str = "scrape_and_clean_other_urls";
    const KIND: SourceKind = SourceKind::ScrapedUrl;
    /// Its author wrote these very URLs.
    const INITIATIVE: Initiative = Initiative::User;
    const STATUS: ArticleStatus = ArticleStatus::ProcessingSources;
    const WHAT: &'static str = "other URLs";
    const FIRST: &'static str =
        "If extract_guidelines_urls has not been called yet, call it first: it lists them.";

    fn urls<'a>(
        _: &'a mut Tenant,
        article: &'a Article,
    ) -> BoxFuture<'a, Result<Vec<String>, Problem>> {
        Box::pin(async {
            let found: Option<Extraction> = article.extracted().map_err(Problem::internal)?;
            Ok(found.unwrap_or_default().other_urls)
        })
    }
}
