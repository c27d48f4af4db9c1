//! The reader that needs nobody: the guarded client and `nova_research::page`.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use nova_research::page::{LargePage, MAX_PAGE_BYTES, MAX_TREE_BYTES, Page, PageError};
use nova_runtime::{
    fetch::{Body, FetchError, FetchRequest, Fetched, Fetcher, Limits},
    receipts::Receipts,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{LargeText, PageRequest, ScrapeError, Scraped, ScrapedPage, Scraper};

/// Pages up to here are read side by side. Larger ones come one after the other, because a page takes
/// a multiple of its size while it is read, and memory is for all of them together.
const LARGE_PAGE_BYTES: usize = 1 << 20;

/// The largest page: beyond this nobody reads what there is.
const LIMITS: Limits = Limits {
    bytes: 64 << 20,
    first_byte: Duration::from_secs(15),
    idle: Duration::from_secs(10),
    total: Duration::from_mins(2),
};

/// Reads pages itself, without a browser.
#[derive(Clone, Debug)]
pub struct BuiltIn {
    fetcher: Fetcher,
    large_pages: Arc<Semaphore>,
}

impl BuiltIn {
    /// A reader that fetches with this client.
    pub fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            large_pages: Arc::new(Semaphore::new(1)),
        }
    }

    /// More of the body, up to a limit and a piece, and the right to read it if it is large.
    async fn collect(&self, begun: &mut Begun, limit: usize) -> Result<(), FetchError> {
        while begun.bytes.len() <= limit
            && let Some(piece) = begun.body.chunk().await?
        {
            if begun.turn.is_none() && begun.bytes.len() + piece.len() > LARGE_PAGE_BYTES {
                // It is never closed.
                begun.turn = Arc::clone(&self.large_pages).acquire_owned().await.ok();
            }
            begun.bytes.extend_from_slice(&piece);
        }
        Ok(())
    }
}

/// A page of which something has come.
struct Begun {
    bytes: Vec<u8>,
    body: Body,
    turn: Option<OwnedSemaphorePermit>,
}

impl Scraper for BuiltIn {
    fn read<'a>(
        &'a self,
        request: &'a PageRequest,
        _: &'a Receipts,
    ) -> BoxFuture<'a, Result<Scraped, ScrapeError>> {
        Box::pin(async move {
            let mut fetch = FetchRequest::new(&request.url, request.initiative).limits(LIMITS);
            if let Some(known) = &request.known {
                fetch = fetch.unless_unchanged(known.validators.clone());
            }
            let document = match self.fetcher.fetch(&fetch).await? {
                Fetched::Document(document) => document,
                Fetched::NotModified => return Ok(Scraped::Unchanged),
            };
            let url = document.url().url().clone();
            let content_type = document.content_type().map(str::to_owned);
            let validators = document.validators();
            let mut begun = Begun {
                bytes: Vec::new(),
                body: document.into_body(),
                turn: None,
            };
            let mut scraped = ScrapedPage {
                final_url: Some(String::from(url.clone())),
                validators,
                provider: "built_in",
                ..ScrapedPage::default()
            };
            self.collect(&mut begun, MAX_TREE_BYTES).await?;
            if begun.bytes.len() > MAX_TREE_BYTES {
                match LargePage::begin(&begun.bytes, content_type.as_deref(), &url) {
                    Ok(page) => {
                        scraped.metadata = page.metadata().clone();
                        let Begun { bytes, body, turn } = begun;
                        let text = LargeText::new(page, bytes, body, turn);
                        return Ok(Scraped::Large(Box::new(scraped), text));
                    }
                    Err(PageError::TooLarge) => self.collect(&mut begun, MAX_PAGE_BYTES).await?,
                    Err(error) => return Err(error.into()),
                }
            }
            let Begun { bytes, body, turn } = begun;
            drop(body);
            // Some hundred milliseconds of work, and seconds for a PDF.
            let page = tokio::task::spawn_blocking(move || {
                let page = Page::read(&bytes, content_type.as_deref(), &url);
                drop(turn);
                page
            });
            let page = page.await??;
            scraped.markdown = page.markdown;
            scraped.metadata = page.metadata;
            Ok(Scraped::Page(Box::new(scraped)))
        })
    }
}
