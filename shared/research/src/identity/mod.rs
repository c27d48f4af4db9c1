//! What makes two URLs the same source.
//!
//! [`SourceUrl::identity`] tells spellings of one URL from another URL. A search finds the same
//! paper as abstract, PDF and HTML, in three versions, at its publisher and at a DOI resolver, and
//! the same page for phones: [`identity`] is one for all of them, whatever the question was.
//!
//! | Source | Key |
//! | --- | --- |
//! | a paper on arXiv, whatever its version and whoever shows it | `arxiv:2310.11511` |
//! | what has a DOI | `doi:10.1145/3292500.3330701` |
//! | a paper under review | `openreview:hSyW5go0v8` |
//! | a video, code | as [`SourceUrl::identity`] has it |
//! | any other page | the same, without `www.` and `m.`, AMP and a slash at the end |
//!
//! Only the hosts that are known to keep papers say which paper a page is: were a DOI believed
//! wherever it stands in a path, any page could take the place of any paper.

mod page;
mod paper;

use url::Url;

use crate::url::{Kind, SourceUrl};

/// The key that is the same for every URL of one source.
///
/// ```
/// use nova_research::identity::identity;
/// use nova_research::url::SourceUrl;
///
/// # fn main() -> Result<(), nova_research::url::Refusal> {
/// let pdf = SourceUrl::parse("https://arxiv.org/pdf/2310.11511v2")?;
/// let listed = SourceUrl::parse("https://huggingface.co/papers/2310.11511")?;
/// assert_eq!(identity(&pdf), "arxiv:2310.11511");
/// assert_eq!(identity(&listed), identity(&pdf));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn identity(url: &SourceUrl) -> String {
    if let Some(original) = page::behind_amp_cache(url) {
        return of_one(&original);
    }
    of_one(url)
}

fn of_one(url: &SourceUrl) -> String {
    if url.kind() != Kind::Web {
        return url.identity().to_owned();
    }
    Url::parse(url.as_str())
        .ok()
        .and_then(|parsed| paper::key(&parsed))
        .unwrap_or_else(|| page::key(url.identity()))
}
