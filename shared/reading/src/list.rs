//! Which pages are read, and as which pieces of the work.

use std::collections::HashSet;

use futures_util::future::BoxFuture;
use nova_research::url::{Reach, SourceUrl};
use nova_runtime::{Problem, fetch::Initiative};
use nova_store::{Article, ArticleStatus, SourceKind, Tenant};

/// The pages that a tool reads.
pub trait PageList: Send + Sync + 'static {
    /// The tool's name.
    const TOOL: &'static str;
    /// What the pages are to the article.
    const KIND: SourceKind;
    /// Who named them.
    const INITIATIVE: Initiative;
    /// How far the article is, while they are read.
    const STATUS: ArticleStatus;
    /// What they are called: `other URLs`.
    const WHAT: &'static str;
    /// What a caller reads who finds none.
    const FIRST: &'static str;

    /// Their URLs, in the order of the document.
    fn urls<'a>(
        tenant: &'a mut Tenant,
        article: &'a Article,
    ) -> BoxFuture<'a, Result<Vec<String>, Problem>>;
}

/// Keys of rows are at most this long: more does not fit a page of their index.
const MAX_KEY_BYTES: usize = 2000;
/// What ends a URL that is shown and cannot be read. No URL in canonical form contains it.
const CUT: char = '…';

/// Behind the URL of a page that is to be cleaned. No URL in canonical form has a space.
const CLEANED: &str = " cleaned";

/// A piece of the work, by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// The page of this URL is read.
    Read(&'a str),
    /// The page of this URL, which is kept as it was read, is cleaned.
    Clean(&'a str),
}

impl<'a> Piece<'a> {
    pub(crate) fn of(key: &'a str) -> Self {
        key.strip_suffix(CLEANED)
            .map_or(Self::Read(key), Self::Clean)
    }

    /// The key of the piece that cleans the page of this URL.
    pub(crate) fn cleaning(url: &str) -> String {
        format!("{url}{CLEANED}")
    }
}

/// The pieces that there are from the beginning: each page once, by its canonical URL.
pub(crate) fn pieces(urls: Vec<String>, reach: Reach) -> Vec<String> {
    let mut known = HashSet::new();
    let pieces = urls.into_iter().map(|url| {
        let Ok(url) = SourceUrl::parse_within(&url, reach) else {
            // Somebody may have found a title without an address. It is told as a failure.
            let shown = shortened(url.replace('\0', ""));
            let shown = shown.trim_end_matches(CLEANED).to_owned();
            return (shown.clone(), shown);
        };
        let (url, identity, _) = url.into_parts();
        (shortened(url), identity)
    });
    pieces
        .filter(|(piece, identity)| !piece.is_empty() && known.insert(identity.clone()))
        .map(|(piece, _)| piece)
        .collect()
}

fn shortened(url: String) -> String {
    if url.len() <= MAX_KEY_BYTES {
        return url;
    }
    url.chars().take(200).chain([CUT]).collect()
}

/// The URL of a piece, or why it has none.
pub(crate) fn url_of(piece: &str, reach: Reach) -> Result<SourceUrl, String> {
    if piece.ends_with(CUT) {
        return Err(format!(
            "too_long: the URL is longer than {MAX_KEY_BYTES} bytes"
        ));
    }
    SourceUrl::parse_within(piece, reach).map_err(|refusal| {
        let reason = serde_json::to_value(refusal).unwrap_or_default();
        format!("{}: {refusal}", reason.as_str().unwrap_or("invalid_url"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(urls: &[&str]) -> Vec<String> {
        let urls = urls.iter().map(|it| (*it).to_owned()).collect();
        pieces(urls, Reach::Public)
    }

    #[test]
    fn a_page_is_a_piece_once_however_it_is_spelled() {
        let urls = [
            "https://a.example/p?utm_source=x",
            "http://A.example:80/p#top",
            "https://b.example/",
        ];
        assert_eq!(of(&urls), ["https://a.example/p", "https://b.example/"]);
    }

    #[test]
    fn whatever_was_found_no_page_is_cleaned_that_was_not_read() {
        let found = [
            "https://a.example/p cleaned",
            "A room cleaned",
            "http://10.0.0.1/ cleaned",
        ];
        let pieces = of(&found);
        assert_eq!(
            pieces,
            [
                "https://a.example/p%20cleaned",
                "A room",
                "http://10.0.0.1/"
            ]
        );
        for piece in &pieces {
            assert_eq!(Piece::of(piece), Piece::Read(piece));
            assert_eq!(Piece::of(&Piece::cleaning(piece)), Piece::Clean(piece));
        }
    }

    #[test]
    fn what_is_no_url_is_a_piece_that_says_why() {
        let long = format!("https://a.example/{}", "x".repeat(3000));
        let pieces = of(&["A title", &long, "http://10.0.0.1/", "\0"]);
        assert_eq!(pieces.len(), 3);
        let reasons: Vec<String> = pieces
            .iter()
            .map(|piece| url_of(piece, Reach::Public).unwrap_err())
            .collect();
        assert!(reasons[0].starts_with("invalid_url: "), "{reasons:?}");
        assert!(reasons[1].starts_with("too_long: "), "{reasons:?}");
        assert!(reasons[2].starts_with("private_address: "), "{reasons:?}");
    }
}
