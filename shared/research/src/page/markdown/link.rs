//! Where links and pictures lead.

use url::Url;

use crate::page::dom::{Attr, Dom, NodeId};

/// What relative links are relative to.
#[derive(Clone, Debug)]
pub(in crate::page) struct Base {
    document: Url,
    base: Url,
}

impl Base {
    /// The page's own URL and, if it has one, what its `<base>` says.
    pub(in crate::page) fn new(document: &Url, base: Option<&str>) -> Self {
        Self {
            document: document.clone(),
            base: base
                .and_then(|it| document.join(it.trim()).ok())
                .unwrap_or_else(|| document.clone()),
        }
    }

    /// The absolute URL of a link; `None` for what leads nowhere else: other schemes than HTTP,
    /// and places in the same page.
    pub(in crate::page) fn link(&self, href: &str) -> Option<String> {
        let href = href.trim();
        if href.is_empty() || href.starts_with('#') {
            return None;
        }
        let url = self.absolute(href)?;
        if url.fragment().is_some() && same_page(&url, &self.document) {
            return None;
        }
        Some(destination(&url))
    }

    /// The absolute URL of a picture.
    pub(in crate::page) fn image(&self, source: &str) -> Option<String> {
        let source = source.trim();
        if source.is_empty() || source.starts_with('#') {
            return None;
        }
        self.absolute(source).map(|it| destination(&it))
    }

    pub(in crate::page) fn absolute(&self, href: &str) -> Option<Url> {
        let url = self.base.join(href).ok()?;
        (matches!(url.scheme(), "http" | "https")
            && url.as_str().len() <= crate::url::MAX_URL_BYTES)
            .then_some(url)
    }
}

fn same_page(one: &Url, other: &Url) -> bool {
    let page = |it: &Url| {
        let end = it.as_str().find('#').unwrap_or(it.as_str().len());
        it.as_str().get(..end).unwrap_or_default().to_owned()
    };
    page(one) == page(other)
}

/// A URL between parentheses.
fn destination(url: &Url) -> String {
    let url = url.as_str();
    let mut depth = 0_i32;
    let mut balanced = true;
    for byte in url.bytes() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        balanced &= (0..=30).contains(&depth);
    }
    let mut out = String::with_capacity(url.len());
    for character in url.chars() {
        match character {
            '(' if !balanced || depth != 0 => out.push_str("%28"),
            ')' if !balanced || depth != 0 => out.push_str("%29"),
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            '|' => out.push_str("%7C"),
            '\\' => out.push_str("%5C"),
            it => out.push(it),
        }
    }
    out
}

/// The address of a picture; pages that load it late have it elsewhere than in `src`.
pub(super) fn source_of(dom: &Dom, image: NodeId) -> Option<&str> {
    let attr = |name| {
        dom.attr(image, name)
            .map(str::trim)
            .filter(|it| !it.is_empty() && !is_data(it))
    };
    attr(Attr::DataSrc)
        .or_else(|| attr(Attr::DataLazySrc))
        .or_else(|| attr(Attr::DataOriginal))
        .or_else(|| attr(Attr::DataSrcset).and_then(first_of_set))
        .or_else(|| attr(Attr::Src))
        .or_else(|| attr(Attr::Srcset).and_then(first_of_set))
}

fn is_data(url: &str) -> bool {
    url.get(..5)
        .is_some_and(|it| it.eq_ignore_ascii_case("data:"))
}

fn first_of_set(set: &str) -> Option<&str> {
    set.split_whitespace()
        .next()
        .map(|it| it.trim_end_matches(','))
}
