//! Pages of the web: a URL in, Markdown out, or why there is none.
//!
//! Two can do it. The [built-in](BuiltIn) reader fetches the page itself and costs nothing;
//! [`Firecrawl`] has a browser and wants a credit for each page. [`PageReader`] is what tools ask:
//! Firecrawl where it is configured, else the built-in reader. With `PAGE_READER=built_in` both are
//! used: what the built-in reader is not shown without a browser is read by Firecrawl then. The other
//! way round nothing falls back: a page that was to be read by a browser is not silently read
//! without one. Who read a page stands in [`ScrapedPage::provider`].
//!
//! Every URL is checked before anybody is asked for it (see [`nova_runtime::fetch`]), and whoever
//! reads, robots.txt counts for what no person named.

mod built_in;
mod error;
mod firecrawl;
mod large;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nova_research::page::Metadata;
use nova_runtime::{
    App,
    config::PageReaderChoice,
    fetch::{Initiative, Validators},
    receipts::Receipts,
};
use time::OffsetDateTime;

pub use self::{built_in::BuiltIn, error::ScrapeError, firecrawl::Firecrawl, large::LargeText};
use crate::{Api, Credentials};

/// Somebody who reads pages.
pub trait Scraper: Send + Sync {
    /// Reads a page, or says that it is what it was. What is paid leaves its receipt.
    fn read<'a>(
        &'a self,
        request: &'a PageRequest,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Scraped, ScrapeError>>;
}

/// A page to read.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// Its URL; checked by who reads it.
    pub url: String,
    /// Who wants it.
    pub initiative: Initiative,
    /// What the reader has of it already.
    pub known: Option<KnownPage>,
}

/// What is known of a page that was read before.
#[derive(Clone, Debug, Default)]
pub struct KnownPage {
    /// By what its server knows whether it has changed.
    pub validators: Validators,
    /// When its server, or whoever read it, was asked last.
    pub fetched_at: Option<OffsetDateTime>,
}

/// What came of it.
#[derive(Debug)]
pub enum Scraped {
    /// The page.
    Page(Box<ScrapedPage>),
    /// A page whose text is larger than what is kept in memory, and empty in the page.
    Large(Box<ScrapedPage>, LargeText),
    /// It is what it was when it was read before.
    Unchanged,
}

/// A page that was read.
#[derive(Clone, Debug, Default)]
pub struct ScrapedPage {
    /// Its text.
    pub markdown: String,
    /// What it says of itself.
    pub metadata: Metadata,
    /// Where it was found, after all redirects.
    pub final_url: Option<String>,
    /// What to ask with the next time.
    pub validators: Validators,
    /// Who read it: `built_in` or `firecrawl`.
    pub provider: &'static str,
    /// What it cost, in the provider's own unit.
    pub credits: u64,
}

/// Who reads the pages of this deployment.
pub struct PageReader {
    first: Box<dyn Scraper>,
    with_browser: Option<Box<dyn Scraper>>,
}

impl PageReader {
    /// The readers that a function's settings speak of. Nothing is connected yet.
    pub fn from_app(app: &App) -> Arc<dyn Scraper> {
        let built_in = Box::new(BuiltIn::new(app.fetcher().clone()));
        let providers = &app.config().providers;
        let firecrawl = providers.firecrawl.as_ref().map(|endpoint| {
            let key = endpoint.key.clone();
            let credentials = key.map_or(Credentials::None, Credentials::Bearer);
            let http = app.http().clone();
            let api = Api::new("Firecrawl", http, &endpoint.base_url, credentials)
                .known_by("FIRECRAWL_API_KEY");
            Box::new(Firecrawl::new(api, app.fetcher().clone()))
        });
        match firecrawl {
            None => built_in_only(built_in),
            Some(firecrawl) => match providers.page_reader {
                PageReaderChoice::Firecrawl => Arc::new(Self::new(firecrawl, None)),
                PageReaderChoice::BuiltIn => Arc::new(Self::new(built_in, Some(firecrawl))),
            },
        }
    }

    /// `first`, and for pages that it is not shown without a browser somebody who has one.
    pub fn new(first: Box<dyn Scraper>, with_browser: Option<Box<dyn Scraper>>) -> Self {
        Self {
            first,
            with_browser,
        }
    }
}

fn built_in_only(built_in: Box<BuiltIn>) -> Arc<dyn Scraper> {
    Arc::new(PageReader::new(built_in, None))
}

impl Scraper for PageReader {
    fn read<'a>(
        &'a self,
        request: &'a PageRequest,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Scraped, ScrapeError>> {
        Box::pin(async move {
            let read = self.first.read(request, receipts).await;
            match (read, &self.with_browser) {
                (Err(error), Some(with_browser)) if error.wants_a_browser() => {
                    tracing::info!(
                        reason = &*error.reason(),
                        "a page is read again, by somebody who has a browser"
                    );
                    with_browser.read(request, receipts).await
                }
                (read, _) => read,
            }
        })
    }
}
