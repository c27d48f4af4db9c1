//! An HTML page.

use url::Url;

use super::content::{self, Content};
use super::dom::{Attr, Dom, Tag, TooLarge};
use super::markdown::{self, Base, Piece};
use super::mask::Mask;
use super::metadata::{self, Found};
use super::{Kind, Metadata, Page, PageError, verdict};

impl From<TooLarge> for PageError {
    fn from(_: TooLarge) -> Self {
        Self::TooLarge
    }
}

/// Reads a page and judges it.
pub(super) fn read(html: &str, url: &Url) -> Result<Page, PageError> {
    let dom = Dom::parse(html)?;
    let found = metadata::find(&dom, url);
    let mut markdown = main_content_in(&dom, url);
    if let Some(body) = found.body_if_longer(&markdown) {
        markdown = super::text::paragraphs(body);
    }
    let markdown = without_title(markdown, &found);
    verdict::judge(&dom, &found, &markdown)?;
    Ok(Page {
        kind: Kind::Html,
        metadata: found.metadata,
        markdown,
    })
}

/// The main content, unjudged.
pub(super) fn main_content(html: &str, url: &Url) -> Result<String, PageError> {
    let dom = Dom::parse(html)?;
    let found = metadata::find(&dom, url);
    let markdown = main_content_in(&dom, url);
    Ok(match found.body_if_longer(&markdown) {
        Some(body) => super::text::paragraphs(body),
        None => markdown,
    })
}

/// What a page says of itself.
pub(super) fn metadata(html: &str, url: &Url) -> Result<Metadata, PageError> {
    Ok(metadata::find(&Dom::parse(html)?, url).metadata)
}

/// All of a page.
pub(super) fn whole(html: &str, url: &Url) -> Result<String, PageError> {
    let dom = Dom::parse(html)?;
    let dropped = Mask::of(&dom);
    let roots = [Dom::ROOT];
    let piece = Piece {
        roots: &roots,
        dropped: &dropped,
    };
    Ok(markdown::write(&dom, piece, &base(&dom, url)))
}

fn main_content_in(dom: &Dom, url: &Url) -> String {
    let Content { roots, dropped } = content::main_content(dom);
    let piece = Piece {
        roots: &roots,
        dropped: &dropped,
    };
    markdown::write(dom, piece, &base(dom, url))
}

fn base(dom: &Dom, url: &Url) -> Base {
    let declared = dom
        .find(Dom::ROOT, Tag::Base)
        .and_then(|it| dom.attr(it, Attr::Href));
    Base::new(url, declared)
}

/// The title stands beside the text, and need not stand in it again.
fn without_title(markdown: String, found: &Found) -> String {
    let Some(title) = &found.metadata.title else {
        return markdown;
    };
    let Some((first, rest)) = markdown.split_once("\n\n") else {
        return markdown;
    };
    let heading = first
        .strip_prefix("# ")
        .or_else(|| first.strip_prefix("## "));
    let letters = |it: &str| -> String {
        it.chars()
            .filter(|it| it.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    if heading.is_some_and(|it| letters(it) == letters(title)) {
        rest.to_owned()
    } else {
        markdown
    }
}
