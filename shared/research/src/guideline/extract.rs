//! Reads a guideline as Markdown and collects what it names.
//!
//! A CommonMark parser says what is a link, a picture, code or HTML; the text between is scanned
//! for URLs that stand alone. It is the source text that is scanned, not the parser's: emphasis
//! marks inside a URL (`__init__.py`) would tear it apart.
//!
//! Counted as sources: links of all kinds, `<…>`, definitions of references (once, where they are
//! used first), `href` of HTML links and `src` of embedded pages, and URLs that stand alone in
//! text, tables, inline code, and code blocks without a language. Left out and told: pictures,
//! comments and code blocks in a programming language. The text of a link is its title and is not
//! searched.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

use super::bare::Dialect;
use super::extraction::Extraction;
use super::html::{self, Piece};
use super::mentions::{Mentions, Place};
use super::title::Plain;
use crate::url::{CodeHosts, Reach};

/// Languages of code blocks that hold text: they are read like blocks without a language.
const TEXT: [&str; 5] = ["text", "txt", "plain", "plaintext", "none"];

/// Lists the sources that a guideline names.
///
/// Any text is accepted, and the time is linear in its length.
pub fn extract(markdown: &str) -> Extraction {
    extract_among(markdown, Reach::Public, &CodeHosts::default())
}

pub(super) fn extract_among(markdown: &str, reach: Reach, code_hosts: &CodeHosts) -> Extraction {
    let mut walk = Walk::new(markdown);
    let (front_matter, body) = front_matter(markdown);
    walk.mentions.scan(
        markdown.get(front_matter).unwrap_or_default(),
        0,
        0,
        Dialect::Code,
        Place::Text,
    );

    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS;
    walk.base = body;
    let parser = Parser::new_ext(markdown.get(body..).unwrap_or_default(), options);
    let mut definitions: Vec<_> = parser
        .reference_definitions()
        .iter()
        .map(|(_, definition)| (definition.span.start + body, definition.dest.to_string()))
        .collect();
    for (event, range) in parser.into_offset_iter() {
        walk.event(event, range.start + body..range.end + body);
    }
    walk.flush();
    definitions.retain(|(_, target)| !walk.used.contains(target.as_str()));
    for (offset, target) in definitions {
        walk.mentions.target(offset, &target, None, Place::Text);
    }
    walk.mentions.judge(reach, code_hosts)
}

/// The YAML between two `---` at the very beginning, and where the Markdown begins.
pub(crate) fn front_matter(markdown: &str) -> (Range<usize>, usize) {
    let Some(first) = markdown
        .split_inclusive('\n')
        .next()
        .filter(|it| it.trim_end() == "---")
    else {
        return (0..0, 0);
    };
    let mut at = first.len();
    for line in markdown.get(at..).unwrap_or_default().split_inclusive('\n') {
        at += line.len();
        if matches!(line.trim_end(), "---" | "...") {
            return (0..at, at);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    (0..0, 0)
}

/// A link that is open.
struct Open {
    offset: usize,
    target: String,
    is_email: bool,
    title: Plain,
}

/// The state of one walk over the parser's events.
struct Walk<'a> {
    source: &'a str,
    mentions: Mentions<'a>,
    /// Where the parser's text begins in the source.
    base: usize,
    /// Running text that has not been scanned yet, as a range of the source.
    text: Option<Range<usize>>,
    heading: Option<(usize, Plain)>,
    links: Vec<Open>,
    /// An HTML link that is open; it ends with its block at the latest.
    anchor: Option<Open>,
    /// How many pictures are open: their text is not shown.
    images: usize,
    code: Option<Place>,
    html: Option<(usize, String)>,
    in_table: bool,
    /// Targets of links by reference: their definitions are not further sources.
    used: std::collections::HashSet<String>,
}

impl<'a> Walk<'a> {
    fn new(source: &'a str) -> Self {
        Self {
            source,
            mentions: Mentions::new(source),
            base: 0,
            text: None,
            heading: None,
            links: Vec::new(),
            anchor: None,
            images: 0,
            code: None,
            html: None,
            in_table: false,
            used: std::collections::HashSet::new(),
        }
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Text(text) => self.text(&text, range),
            Event::Code(code) => {
                self.flush();
                if !self.is_title(&code) {
                    self.mentions
                        .scan(&code, 0, range.start, Dialect::Code, Place::Text);
                }
            }
            Event::InlineHtml(html) => {
                self.flush();
                self.raw_html(&html, range.start);
            }
            Event::Html(html) => {
                if let Some((_, block)) = &mut self.html {
                    block.push_str(&html);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                self.flush();
                let _ = self.is_title(" ");
            }
            Event::Start(tag) => self.start(tag, range.start),
            Event::End(tag) => self.end(tag),
            _ => self.flush(),
        }
    }

    fn text(&mut self, text: &str, range: Range<usize>) {
        if let Some(place) = self.code {
            self.mentions
                .scan(text, 0, range.start, Dialect::Code, place);
        } else if !self.is_title(text) {
            match &mut self.text {
                Some(open) => open.end = range.end,
                None => self.text = Some(range),
            }
        }
    }

    /// Gives text to the heading and the link that are open; true when it belongs to a link or a
    /// picture, and so is not searched.
    fn is_title(&mut self, text: &str) -> bool {
        if let Some((_, heading)) = &mut self.heading {
            heading.push_str(text);
        }
        if self.images > 0 {
            return true;
        }
        if let Some(open) = self.links.last_mut().or(self.anchor.as_mut()) {
            open.title.push_str(text);
            return true;
        }
        false
    }

    fn start(&mut self, tag: Tag<'_>, offset: usize) {
        match tag {
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough => {}
            Tag::Link {
                link_type,
                dest_url,
                ..
            } => {
                self.flush();
                if matches!(
                    link_type,
                    LinkType::Reference | LinkType::Collapsed | LinkType::Shortcut
                ) {
                    self.used.insert(dest_url.to_string());
                }
                let is_email = link_type == LinkType::Email;
                self.links.push(Open {
                    offset,
                    target: dest_url.into_string(),
                    is_email,
                    title: Plain::default(),
                });
            }
            Tag::Image {
                dest_url,
                link_type,
                ..
            } => {
                self.flush();
                if matches!(
                    link_type,
                    LinkType::Reference | LinkType::Collapsed | LinkType::Shortcut
                ) {
                    self.used.insert(dest_url.to_string());
                }
                self.mentions.target(offset, &dest_url, None, Place::Image);
                self.images += 1;
            }
            Tag::Heading { .. } => {
                self.end_block();
                self.heading = Some((offset, Plain::default()));
            }
            Tag::CodeBlock(kind) => {
                self.end_block();
                self.code = Some(if holds_text(&kind) {
                    Place::Text
                } else {
                    Place::Code
                });
            }
            Tag::HtmlBlock => {
                self.end_block();
                self.html = Some((offset, String::new()));
            }
            Tag::Table(_) => {
                self.end_block();
                self.in_table = true;
            }
            _ => self.end_block(),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {}
            TagEnd::Link => {
                if let Some(open) = self.links.pop().filter(|it| !it.is_email) {
                    self.mentions.target(
                        open.offset,
                        &open.target,
                        open.title.finish(),
                        Place::Text,
                    );
                }
            }
            TagEnd::Image => self.images = self.images.saturating_sub(1),
            TagEnd::Heading(_) => {
                self.end_block();
                if let Some((offset, title)) = self.heading.take() {
                    self.mentions
                        .heading(offset, title.finish().unwrap_or_default());
                }
            }
            TagEnd::CodeBlock => self.code = None,
            TagEnd::HtmlBlock => {
                if let Some((offset, html)) = self.html.take() {
                    self.raw_html(&html, offset);
                    self.end_block();
                }
            }
            TagEnd::Table => {
                self.end_block();
                self.in_table = false;
            }
            _ => self.end_block(),
        }
    }

    fn raw_html(&mut self, html: &str, base: usize) {
        html::pieces(html, &mut |offset, piece| {
            let offset = base + offset;
            match piece {
                Piece::Link {
                    url,
                    is_anchor: true,
                } => {
                    self.end_anchor();
                    self.anchor = Some(Open {
                        offset,
                        target: url,
                        is_email: false,
                        title: Plain::default(),
                    });
                }
                Piece::Link { url, .. } => self.mentions.target(offset, &url, None, Place::Text),
                Piece::LinkEnd => self.end_anchor(),
                Piece::Image(url) => self.mentions.target(offset, &url, None, Place::Image),
                Piece::Text(text) => {
                    if !self.is_title(text) {
                        self.mentions
                            .scan(text, 0, offset, Dialect::Html, Place::Text);
                    }
                }
                Piece::Comment(text) => {
                    self.mentions
                        .scan(text, 0, offset, Dialect::Code, Place::Comment);
                }
                Piece::Script(text) => {
                    self.mentions
                        .scan(text, 0, offset, Dialect::Code, Place::Code);
                }
            }
        });
    }

    fn end_anchor(&mut self) {
        if let Some(open) = self.anchor.take() {
            self.mentions
                .target(open.offset, &open.target, open.title.finish(), Place::Text);
        }
    }

    fn end_block(&mut self) {
        self.flush();
        self.end_anchor();
    }

    /// Scans the running text that was collected.
    fn flush(&mut self) {
        let Some(range) = self.text.take() else {
            return;
        };
        let dialect = if self.in_table {
            Dialect::TableCell
        } else {
            Dialect::Markdown
        };
        // What stands before the text decides whether a URL begins there, so it is passed along.
        let text = self.source.get(..range.end).unwrap_or_default();
        self.mentions
            .scan(text, range.start, 0, dialect, Place::Text);
    }
}

/// Whether a code block may be a list of sources rather than a program.
fn holds_text(kind: &CodeBlockKind<'_>) -> bool {
    match kind {
        CodeBlockKind::Indented => true,
        CodeBlockKind::Fenced(info) => {
            let language = info.split_whitespace().next().unwrap_or_default();
            language.is_empty() || TEXT.iter().any(|it| it.eq_ignore_ascii_case(language))
        }
    }
}
