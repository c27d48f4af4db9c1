//! What a fetched page says, as Markdown.
//!
//! [`Page::read`] takes the bytes of a response, finds out what they are, and gives the title, the
//! author, the date, the language, the canonical URL and the text; or says why there is none. A
//! page that is empty, blocked, paid for or an error is a failure with its reason ([`PageError`]),
//! never an empty success.
//!
//! | Module | For |
//! | --- | --- |
//! | `kind`, `charset` | what the bytes are, and in which encoding |
//! | `dom` | the tree; `dom/guard.rs` keeps hostile pages from costing more than their length |
//! | `content` | which part of the tree is the text |
//! | `markdown` | the tree as Markdown |
//! | `metadata`, `date` | title, author, date, language, canonical URL |
//! | `verdict` | whether it is a text at all |
//! | `feed`, `text`, `pdf` | what is no HTML |
//! | `images` | pictures in Markdown of others |
//! | `large` | what is too large to be read at once |
//! | [`blocks`] | the Markdown as numbered blocks, for those who choose among them |
//!
//! # The main content
//!
//! `content` first leaves out what is never the text (menus, footers, hidden parts), then looks
//! for the element that holds it: one that its author named or marked as the text, else the one
//! whose paragraphs say the most (the method of Readability). In it, boxes named as furniture,
//! lists of links, lines that lead elsewhere and headings of nothing are left out. When too little
//! is left, it looks again with fewer rules.
//!
//! `benches/pages` measures it on the evaluation corpus of trafilatura: precision, recall and F1,
//! with the method and the figures in `quality.rs`.

pub mod blocks;
pub(crate) mod charset;
mod content;
mod date;
mod dom;
mod error;
mod feed;
mod hidden;
mod html;
mod images;
mod kind;
mod large;
mod markdown;
mod mask;
mod metadata;
mod pdf;
mod text;
mod verdict;

use serde::{Deserialize, Serialize};
use url::Url;

pub use self::charset::decode;
pub use self::error::PageError;
pub use self::images::pictures_as_addresses;
pub use self::kind::Kind;
pub use self::large::LargePage;
use crate::url::SourceUrl;

/// HTML and text that are longer than this are read in pieces, by [`LargePage`]: a tree takes ten times
/// as much memory as the page.
pub const MAX_TREE_BYTES: usize = 4 << 20;

/// What is read at once of anything; longer ones are refused.
pub const MAX_PAGE_BYTES: usize = 16 << 20;

/// What is known about a page beside its text.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Metadata {
    /// Its title, without the name of the site.
    pub title: Option<String>,
    /// Who wrote it; several are separated by commas.
    pub author: Option<String>,
    /// The day on which it was published, as `2026-03-01`.
    pub published: Option<String>,
    /// Its language, as `en` or `de-AT`.
    pub language: Option<String>,
    /// The URL that it says to be known by, if that is on the same site.
    pub canonical_url: Option<String>,
}

/// A page that was read.
///
/// ```
/// use nova_research::page::{Page, PageError};
/// use url::Url;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let url = Url::parse("https://blog.example/2026/mcp?utm_source=x")?;
/// let html = format!(
///     "<html lang=en><title>What is MCP? | Blog</title>
///      <nav><a href=/>Home</a></nav><article><p>{}</article>",
///     "A protocol by which models use tools, in so many words. ".repeat(8)
/// );
/// let page = Page::read(html.as_bytes(), Some("text/html"), &url)?;
/// assert_eq!(page.metadata.title.as_deref(), Some("What is MCP?"));
/// assert!(page.markdown.starts_with("A protocol by which"));
///
/// let empty = Page::read(b"<nav>Home</nav><p>Soon.", Some("text/html"), &url);
/// assert_eq!(empty, Err(PageError::NoContent { words: 1 }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    /// What it was.
    pub kind: Kind,
    /// What it says of itself.
    pub metadata: Metadata,
    /// Its text.
    pub markdown: String,
}

impl Page {
    /// Reads the body of a response.
    ///
    /// This works as long as the page is large, up to some hundred milliseconds (a PDF longer),
    /// and never waits: call it where that is welcome.
    pub fn read(bytes: &[u8], content_type: Option<&str>, url: &Url) -> Result<Self, PageError> {
        if bytes.len() > MAX_PAGE_BYTES {
            return Err(PageError::TooLarge);
        }
        let kind = kind::sniff(bytes, content_type, url)?;
        let page = match kind {
            Kind::Pdf => pdf::read(bytes)?,
            Kind::Html => html::read(&decode(bytes, content_type), url)?,
            Kind::Feed => feed::read(&decode(bytes, content_type), url)?,
            Kind::Notebook => text::notebook(&decode(bytes, content_type))?,
            Kind::Json => text::json(&decode(bytes, content_type)),
            Kind::Markdown => text::markdown(&decode(bytes, content_type), url),
            Kind::Text => text::plain(&decode(bytes, content_type), url),
        };
        if page.markdown.trim().is_empty() {
            return Err(PageError::NoContent { words: 0 });
        }
        Ok(page)
    }

    /// The URL by which duplicates of this page are found: the canonical one, if it has one.
    pub fn identity(&self, fetched: &SourceUrl) -> String {
        self.metadata
            .canonical_url
            .as_deref()
            .and_then(|it| SourceUrl::parse(it).ok())
            .map_or_else(
                || fetched.identity().to_owned(),
                |it| it.identity().to_owned(),
            )
    }
}

/// Whether Markdown that somebody else made of a page is its text, or stands in the place of one: a
/// wall, an error, nothing. [`Page::read`] knows more of a page and has judged already.
///
/// ```
/// use nova_research::page::{PageError, judge};
///
/// assert_eq!(judge("Docs", "Loading …"), Err(PageError::NoContent { words: 1 }));
/// assert!(judge("Docs", &"One of many words. ".repeat(20)).is_ok());
/// assert!(matches!(judge("404 Not Found", "Try the search."), Err(PageError::ErrorPage { .. })));
/// ```
pub fn judge(title: &str, markdown: &str) -> Result<(), PageError> {
    verdict::judge_text(title, markdown)
}

/// HTML as Markdown, all of it: nothing is taken for furniture.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use nova_research::page::markdown_of;
/// use url::Url;
///
/// let url = Url::parse("https://docs.example/guide/")?;
/// let html = "<h2>Use<a class=headerlink href='#use'>¶</a></h2><p>See <a href=../api>the API</a>.";
/// assert_eq!(markdown_of(html, &url)?, "## Use\n\nSee [the API](https://docs.example/api).");
/// # Ok(())
/// # }
/// ```
pub fn markdown_of(html: &str, url: &Url) -> Result<String, PageError> {
    html::whole(html, url)
}

/// The main content of an HTML page as Markdown, whatever there is of it.
///
/// [`Page::read`] is what callers want; this is what it does before it judges.
pub fn main_content_of(html: &str, url: &Url) -> Result<String, PageError> {
    html::main_content(html, url)
}
