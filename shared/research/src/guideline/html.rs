//! The links, pictures and text in raw HTML.
//!
//! Markdown may contain HTML, and a guideline copied from a page does. This reads tags only as far
//! as needed to find what they point to; it never fails, and every byte is looked at once.

use crate::entity;

/// A part of raw HTML; each with where it begins.
pub(super) enum Piece<'a> {
    /// The beginning of something that leads to a source: a link, or an embedded page.
    Link { url: String, is_anchor: bool },
    /// The end of a link.
    LinkEnd,
    /// A picture.
    Image(String),
    /// Text that is shown.
    Text(&'a str),
    /// A comment.
    Comment(&'a str),
    /// The inside of a script or style sheet.
    Script(&'a str),
}

/// Reads raw HTML from beginning to end.
pub(super) fn pieces<'a>(html: &'a str, visit: &mut dyn FnMut(usize, Piece<'a>)) {
    let mut text_from = 0;
    let mut at = 0;
    let text = |from: usize, to: usize, visit: &mut dyn FnMut(usize, Piece<'a>)| {
        if let Some(text) = html.get(from..to).filter(|it| !it.is_empty()) {
            visit(from, Piece::Text(text));
        }
    };
    while let Some(start) = find(html, at, "<") {
        let rest = html.get(start..).unwrap_or_default();
        if rest.starts_with("<!--") {
            text(text_from, start, visit);
            let end = find(html, start + 4, "-->").unwrap_or(html.len());
            visit(
                start + 4,
                Piece::Comment(html.get(start + 4..end).unwrap_or_default()),
            );
            (at, text_from) = (end, end);
            continue;
        }
        match Tag::read(rest) {
            Read::NoTag => at = start + 1,
            // A tag that never ends: what follows is text, and is not looked at again.
            Read::Unfinished => break,
            Read::Tag(tag) => {
                text(text_from, start, visit);
                let end = start + tag.length;
                (at, text_from) = (end, end);
                if let Some(piece) = tag.piece() {
                    visit(start, piece);
                }
                if !tag.closing && matches!(tag.name.as_str(), "script" | "style") {
                    let close = close_of(html, end, &tag.name);
                    visit(end, Piece::Script(html.get(end..close).unwrap_or_default()));
                    (at, text_from) = (close, close);
                }
            }
        }
    }
    text(text_from, html.len(), visit);
}

fn find(html: &str, from: usize, what: &str) -> Option<usize> {
    html.get(from..)?.find(what).map(|it| from + it)
}

/// Where `</name` begins, or the end.
fn close_of(html: &str, from: usize, name: &str) -> usize {
    let mut at = from;
    while let Some(start) = find(html, at, "</") {
        let candidate = html.get(start + 2..start + 2 + name.len());
        if candidate.is_some_and(|it| it.eq_ignore_ascii_case(name)) {
            return start;
        }
        at = start + 2;
    }
    html.len()
}

enum Read {
    Tag(Tag),
    NoTag,
    Unfinished,
}

/// A tag with the attributes that point somewhere.
struct Tag {
    name: String,
    closing: bool,
    href: Option<String>,
    src: Option<String>,
    length: usize,
}

impl Tag {
    /// Reads the tag at the beginning of `html`, which begins with `<`.
    fn read(html: &str) -> Read {
        let body = html.strip_prefix('<').unwrap_or(html);
        let (closing, body) = match body.strip_prefix('/') {
            Some(body) => (true, body),
            None => (false, body),
        };
        let name: String = body
            .chars()
            .take(32)
            .take_while(|it| it.is_ascii_alphanumeric() || *it == '-')
            .collect();
        let mut rest = body.get(name.len()..).unwrap_or_default();
        let delimited = rest.is_empty()
            || rest.starts_with(|it: char| it.is_ascii_whitespace() || it == '/' || it == '>');
        if !name.starts_with(|it: char| it.is_ascii_alphabetic()) || !delimited {
            return Read::NoTag;
        }
        let mut tag = Self {
            name: name.to_ascii_lowercase(),
            closing,
            href: None,
            src: None,
            length: 0,
        };
        loop {
            rest = rest.trim_start_matches(|it: char| it.is_ascii_whitespace() || it == '/');
            if let Some(after) = rest.strip_prefix('>') {
                tag.length = html.len() - after.len();
                return Read::Tag(tag);
            }
            let Some(attribute) = Attribute::read(rest) else {
                return Read::Unfinished;
            };
            rest = attribute.rest;
            let value = || Some(entity::decode(attribute.value).trim().to_owned());
            match attribute.name.to_ascii_lowercase().as_str() {
                "href" | "xlink:href" => tag.href = tag.href.or_else(value),
                "src" => tag.src = tag.src.or_else(value),
                "srcset" if tag.src.is_none() => {
                    tag.src = attribute
                        .value
                        .split_whitespace()
                        .next()
                        .map(entity::decode);
                }
                _ => {}
            }
        }
    }

    fn piece<'a>(&self) -> Option<Piece<'a>> {
        let is_anchor = self.name == "a";
        match self.name.as_str() {
            "a" if self.closing => Some(Piece::LinkEnd),
            "a" | "area" => self.href.clone().map(|url| Piece::Link { url, is_anchor }),
            "iframe" | "embed" => self.src.clone().map(|url| Piece::Link { url, is_anchor }),
            "img" | "source" => self.src.clone().map(Piece::Image),
            "image" => self.href.clone().map(Piece::Image),
            _ => None,
        }
    }
}

struct Attribute<'a> {
    name: &'a str,
    value: &'a str,
    rest: &'a str,
}

impl<'a> Attribute<'a> {
    /// Reads one attribute; `None` when the text ends before the attribute does.
    fn read(text: &'a str) -> Option<Self> {
        let ends_name = |it: char| it.is_ascii_whitespace() || matches!(it, '/' | '>' | '=');
        // The first character may be `=`, which is then part of the name.
        let length = text
            .char_indices()
            .skip(1)
            .find(|&(_, it)| ends_name(it))?
            .0;
        let (name, rest) = text.split_at_checked(length)?;
        let Some(value) = rest.trim_ascii_start().strip_prefix('=') else {
            return Some(Self {
                name,
                value: "",
                rest,
            });
        };
        let value = value.trim_ascii_start();
        for quote in ['"', '\''] {
            if let Some(quoted) = value.strip_prefix(quote) {
                let (value, rest) = quoted.split_once(quote)?;
                return Some(Self { name, value, rest });
            }
        }
        let length = value.find(|it: char| it.is_ascii_whitespace() || it == '>')?;
        let (value, rest) = value.split_at_checked(length)?;
        Some(Self { name, value, rest })
    }
}
