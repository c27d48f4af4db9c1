//! Reads the web pages that research found and that were chosen to be read in full.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nova_blobs::Blobs;
use nova_reading::{PageList, ReadPages};
use nova_runtime::{App, ConfigError, Function, Problem, Routes, fetch::Initiative};
use nova_store::{Article, ArticleStatus, SourceKind, Tenant};

/// The function.
pub const FUNCTION: Function = Function::service(
    "scrape_research_urls",
    "Reads the research sources that were selected for it, and keeps them as Markdown.",
    set_up,
)
.with_database();

/// Its calls, where the work is left to the function.
pub const CALLS: Function = FUNCTION.calls_of::<ReadPages<ResearchUrls>>();

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let tool = ReadPages::<ResearchUrls>::new(app, Blobs::from_app(app)?)?;
    Ok(Routes::new().long_tool(app, tool))
}

/// The sources that were selected to be read in full.
struct ResearchUrls;

impl PageList for ResearchUrls {
    const TOOL: &'static str = "scrape_research_urls";
    const KIND: SourceKind = SourceKind::ScrapedResearchUrl;
    /// Search found them; no person asked for these pages.
    const INITIATIVE: Initiative = Initiative::Program;
    const STATUS: ArticleStatus = ArticleStatus::ScrapingResearch;
    const WHAT: &'static str = "research URLs";
    const FIRST: &'static str = "If select_research_sources_to_scrape has not been called yet, call it first: it chooses them.";

    fn urls<'a>(
        tenant: &'a mut Tenant,
        article: &'a Article,
    ) -> BoxFuture<'a, Result<Vec<String>, Problem>> {
        Box::pin(async move { Ok(tenant.research_to_scrape(article.id).await?) })
    }
}
