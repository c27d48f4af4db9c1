//! Pictures in Markdown that somebody else wrote: their addresses.
//!
//! Whoever reads this reads text. What a picture is called is mostly nothing (`image`, `diagram`), and
//! a link to it is no more than that; the address is what can be looked at. What our own writer makes
//! of HTML keeps the alternative text, see `markdown`.

use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag};
use url::Url;

/// How the files of pictures end.
const ENDINGS: [&str; 10] = [
    "apng", "avif", "bmp", "gif", "ico", "jpeg", "jpg", "png", "svg", "webp",
];

/// Markdown of the page at `base`, with the address in place of each picture and of each link to one.
/// Code stays as it is, and so does every other character.
///
/// ```
/// use nova_research::page::pictures_as_addresses;
/// use url::Url;
///
/// # fn main() -> Result<(), url::ParseError> {
/// let base = Url::parse("https://s.example/docs/")?;
/// let page = "See ![the *plan*](plan_(1).png), [it](https://x.example/b.svg) and `![a](b.png)`.";
/// assert_eq!(
///     pictures_as_addresses(page, &base),
///     "See https://s.example/docs/plan_(1).png, https://x.example/b.svg and `![a](b.png)`."
/// );
/// # Ok(())
/// # }
/// ```
pub fn pictures_as_addresses(markdown: &str, base: &Url) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES;
    let mut out = String::with_capacity(markdown.len());
    let mut copied = 0;
    for (event, range) in Parser::new_ext(markdown, options).into_offset_iter() {
        if range.start < copied {
            continue;
        }
        let address = match event {
            Event::Start(Tag::Image { dest_url, .. }) => address(&dest_url, base),
            Event::Start(Tag::Link {
                link_type:
                    LinkType::Inline | LinkType::Reference | LinkType::Shortcut | LinkType::Collapsed,
                dest_url,
                ..
            }) => match address(&dest_url, base) {
                Some(address) if is_picture(&address) => Some(address),
                _ => continue,
            },
            _ => continue,
        };
        out.push_str(markdown.get(copied..range.start).unwrap_or_default());
        copied = range.end;
        // A picture without an address, such as one of data in the page, is nothing to a reader.
        if let Some(address) = address {
            put(&mut out, &address, markdown, &range);
        }
    }
    out.push_str(markdown.get(copied..).unwrap_or_default());
    out
}

/// Puts an address where it can be told from the words beside it.
fn put(out: &mut String, address: &Url, markdown: &str, range: &Range<usize>) {
    let is_word = |it: char| it.is_alphanumeric();
    if out.ends_with(is_word) {
        out.push(' ');
    }
    // In a table a bar would end the cell.
    out.push_str(&address.as_str().replace('|', "%7C"));
    let after = markdown.get(range.end..).unwrap_or_default();
    if after.starts_with(|it: char| is_word(it) || it == '!' || it == '[') {
        out.push(' ');
    }
}

fn address(written: &str, base: &Url) -> Option<Url> {
    let url = base.join(written.trim()).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.as_str().len() <= crate::url::MAX_URL_BYTES)
        .then_some(url)
}

/// Whether an address is that of a picture's file. Of wikis, `File:a.png` is a page about it.
fn is_picture(url: &Url) -> bool {
    let file = url.path_segments().and_then(Iterator::last);
    let ending = file
        .filter(|file| !file.contains(':'))
        .and_then(|file| file.rsplit_once('.'));
    ending.is_some_and(|(_, ending)| ENDINGS.contains(&&*ending.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(markdown: &str) -> String {
        let base = Url::parse("https://s.example/d/p").unwrap();
        pictures_as_addresses(markdown, &base)
    }

    #[test]
    fn every_way_to_write_a_picture_gives_its_address() {
        for (markdown, expected) in [
            (
                "![a](https://x.example/y_(1).png) end",
                "https://x.example/y_(1).png end",
            ),
            (
                "[diagram](https://x.example/b.png)",
                "https://x.example/b.png",
            ),
            ("![a](/i.png \"A title\")", "https://s.example/i.png"),
            (
                "![a](<https://x.example/a b.png>)",
                "https://x.example/a%20b.png",
            ),
            ("a![b](c.png)d", "a https://s.example/d/c.png d"),
            (
                "![a][1] and ![1]\n\n[1]: /r.png",
                "https://s.example/r.png and https://s.example/r.png\n\n[1]: /r.png",
            ),
            // What is clicked on to see it larger, and what leads elsewhere.
            ("[![a](t.png)](full.png)", "https://s.example/d/full.png"),
            ("[![a](t.png)](/page)", "[https://s.example/d/t.png](/page)"),
            ("![nothing](data:image/png;base64,AAAA) text", " text"),
            (
                "| ![a](a.png) | b |\n|---|---|\n| ![c](c.png?x=1) | d |",
                "| https://s.example/d/a.png | b |\n|---|---|\n| https://s.example/d/c.png?x=1 | d |",
            ),
            ("- ![a](a.PNG)\n- b", "- https://s.example/d/a.PNG\n- b"),
        ] {
            assert_eq!(of(markdown), expected, "{markdown}");
        }
    }

    #[test]
    fn all_else_stays() {
        for markdown in [
            "`![a](b.png)` and\n\n```md\n![a](b.png)\n[a](b.png)\n```\n\n    ![a](b.png)",
            "[File](https://w.example/wiki/File:a.png) and [a page](/b.html)",
            "<https://x.example/a.png> https://x.example/b.png !\\[a](b.png) *x*  \r\ny\u{a0}",
            "[unclosed ![a](",
        ] {
            assert_eq!(of(markdown), markdown);
        }
    }
}
