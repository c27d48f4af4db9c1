//! The reader that needs nobody: the guarded client and `nova_research::page`.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nova_research::page::{MAX_PAGE_BYTES, Page};
use nova_runtime::{
    fetch::{Body, FetchError, FetchRequest, Fetched, Fetcher, Limits},
    receipts::Receipts,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{PageRequest, ScrapeError, Scraped, ScrapedPage, Scraper};

/// Pages up to here are read side by side. Larger ones come one after the other, because a page takes
/// a multiple of its size while it is read, and memory is for all of them together.
const LARGE_PAGE_BYTES: usize = 1 << 20;

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

    /// The body, and the right to read it if it is large.
    async fn collect(
        &self,
        mut body: Body,
    ) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), FetchError> {
        let (mut bytes, mut turn) = (Vec::new(), None);
        while let Some(piece) = body.chunk().await? {
            if turn.is_none() && bytes.len() + piece.len() > LARGE_PAGE_BYTES {
                // It is never closed.
                turn = Arc::clone(&self.large_pages).acquire_owned().await.ok();
            }
            bytes.extend_from_slice(&piece);
        }
        Ok((bytes, turn))
    }
}

impl Scraper for BuiltIn {
    fn read<'a>(
        &'a self,
        request: &'a PageRequest,
        _: &'a Receipts,
    ) -> BoxFuture<'a, Result<Scraped, ScrapeError>> {
        Box::pin(async move {
            let mut fetch = FetchRequest::new(&request.url, request.initiative)
                .limits(Limits::of_bytes(MAX_PAGE_BYTES as u64));
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
            let (bytes, turn) = self.collect(document.into_body()).await?;
            // Some hundred milliseconds of work, and seconds for a PDF.
            let page = tokio::task::spawn_blocking(move || {
                let page = Page::read(&bytes, content_type.as_deref(), &url);
                drop(turn);
                page.map(|page| (page, String::from(url)))
            });
            let (page, final_url) = page.await??;
            Ok(Scraped::Page(Box::new(ScrapedPage {
                markdown: page.markdown,
                metadata: page.metadata,
                final_url: Some(final_url),
                validators,
                provider: "built_in",
                credits: 0,
            })))
        })
    }
}
