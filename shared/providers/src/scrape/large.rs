//! The text of a page that is too large for memory, while it comes.

use bytes::Bytes;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use nova_research::page::LargePage;
use nova_runtime::fetch::{Body, FetchError};
use tokio::{sync::OwnedSemaphorePermit, task::spawn_blocking};

use super::ScrapeError;

/// What is read at once of what is here already.
const STEP_BYTES: usize = 64 << 10;

/// Markdown, piece by piece. An error is its end.
pub struct LargeText(BoxStream<'static, Result<Bytes, ScrapeError>>);

/// What is still to be read.
struct Rest {
    /// What came before it was known that the page is large.
    beginning: Bytes,
    body: Body,
    _turn: Option<OwnedSemaphorePermit>,
}

impl LargeText {
    /// Goes on with a page of which the beginning has come.
    pub(super) fn new(
        page: LargePage,
        beginning: Vec<u8>,
        body: Body,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let rest = Rest {
            beginning: beginning.into(),
            body,
            _turn: turn,
        };
        let text = stream::try_unfold(Some((page, rest)), |reading| async {
            match reading {
                Some((page, rest)) => step(page, rest).await.map(Some),
                None => Ok(None),
            }
        });
        Self(text.boxed())
    }

    /// The pieces.
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes, ScrapeError>> {
        self.0
    }
}

/// The next piece of Markdown, and what there is after it.
async fn step(
    mut page: LargePage,
    mut rest: Rest,
) -> Result<(Bytes, Option<(LargePage, Rest)>), ScrapeError> {
    while let Some(bytes) = rest.next().await? {
        let read = spawn_blocking(move || {
            let markdown = page.feed(&bytes);
            (page, markdown)
        });
        let (fed, markdown) = read.await?;
        page = fed;
        let markdown = markdown?;
        if !markdown.is_empty() {
            return Ok((markdown.into(), Some((page, rest))));
        }
    }
    let last = spawn_blocking(move || page.finish()).await??;
    Ok((last.into(), None))
}

impl Rest {
    async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        if self.beginning.is_empty() {
            return self.body.chunk().await;
        }
        let length = self.beginning.len().min(STEP_BYTES);
        Ok(Some(self.beginning.split_to(length)))
    }
}

impl std::fmt::Debug for LargeText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LargeText").finish_non_exhaustive()
    }
}
