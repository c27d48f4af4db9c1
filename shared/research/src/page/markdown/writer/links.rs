//! Links, pictures, and what is played in a page.

use super::super::line::{Line, Mark};
use super::super::link;
use super::Writer;
use crate::page::dom::{Attr, NodeId, Tag};

impl Writer<'_> {
    pub(super) fn link(&mut self, id: NodeId) -> bool {
        if let Some(label) = self.plan.references.get(&id) {
            let label = format!("[^{label}]");
            self.line.raw(&label);
            return false;
        }
        let href = self.dom.attr(id, Attr::Href).unwrap_or_default().trim();
        if href.starts_with('#') && self.is_permalink(id) {
            return false;
        }
        let target = self.base.link(href);
        // Without a target the mark is opened and never written, so that leaving is one thing.
        match target {
            Some(target) => self.line.open(Mark::Link(target)),
            None => self.line.open_nothing(),
        }
        true
    }

    /// Links to the place where they are: ¶ at headings, arrows at notes.
    fn is_permalink(&self, id: NodeId) -> bool {
        let classes = self.dom.attr(id, Attr::Class).unwrap_or_default();
        let marked = classes.split_ascii_whitespace().any(|it| {
            matches!(
                it,
                "headerlink"
                    | "hash-link"
                    | "permalink"
                    | "header-anchor"
                    | "heading-anchor"
                    | "anchorjs-link"
                    | "anchor-link"
                    | "footnote-backref"
                    | "footnote-back"
                    | "fn-backref"
                    | "reversefootnote"
                    | "doc-anchor"
            )
        }) || self.dom.attr(id, Attr::Role) == Some("doc-backlink");
        let mut letters = 0_usize;
        for piece in self.dom.entered(id).filter_map(|it| self.dom.text(it)) {
            letters += piece.chars().filter(|it| it.is_alphanumeric()).count();
            if letters > 40 {
                return false;
            }
        }
        if letters == 0 {
            return marked || self.heading || self.notes > 0;
        }
        marked && (!self.heading || letters < 12 && !self.is_whole_heading(id, letters))
    }

    /// Whether a link of so many letters is all that its heading holds.
    fn is_whole_heading(&self, id: NodeId, letters: usize) -> bool {
        let heading = self
            .dom
            .ancestors(id)
            .take(4)
            .find(|&it| self.dom.tag(it).heading().is_some());
        heading.is_some_and(|heading| {
            let pieces = self.dom.entered(heading).take(64);
            let all: usize = pieces
                .filter_map(|it| self.dom.text(it))
                .map(|it| {
                    it.chars()
                        .take(16)
                        .filter(|it| it.is_alphanumeric())
                        .count()
                })
                .sum();
            all == letters
        })
    }

    pub(super) fn image(&mut self, id: NodeId) {
        let attr = |name| self.dom.attr(id, name).unwrap_or_default().trim();
        let small = |name| {
            attr(name)
                .trim_end_matches("px")
                .parse()
                .is_ok_and(|it: u32| it <= 3)
        };
        if small(Attr::Width) || small(Attr::Height) {
            return;
        }
        let alt = attr(Attr::Alt);
        let is_emoji = attr(Attr::Class).contains("emoji") || alt.chars().count() == 1;
        if is_emoji && !alt.is_empty() {
            return self.line.text(alt);
        }
        let Some(url) = link::source_of(self.dom, id).and_then(|it| self.base.image(it)) else {
            return;
        };
        let mut text = Line::default();
        text.text("image");
        if !alt.is_empty() {
            text.text(": ");
            text.text(alt);
        }
        let text = text.take();
        let text = if self.in_cell {
            text.replace('|', "\\|")
        } else {
            text
        };
        self.line.standalone(&format!("[{text}]({url})"));
    }

    /// Something played or shown in the page: where it is.
    pub(super) fn embedded(&mut self, id: NodeId) {
        let kind = match self.dom.tag(id) {
            Tag::Audio => "audio",
            Tag::Video => "video",
            _ => "embedded",
        };
        let source = self.dom.attr(id, Attr::Src).or_else(|| {
            self.dom
                .children(id)
                .find(|&it| self.dom.tag(it) == Tag::Source)
                .and_then(|it| self.dom.attr(it, Attr::Src))
        });
        let Some(url) = source.and_then(|it| self.base.image(it)) else {
            return;
        };
        let is_video = kind != "embedded" || is_video_host(&url);
        if !is_video {
            return;
        }
        let mut text = Line::default();
        text.text(if kind == "audio" { "audio" } else { "video" });
        if let Some(title) = self
            .dom
            .attr(id, Attr::Title)
            .filter(|it| !it.trim().is_empty())
        {
            text.text(": ");
            text.text(title);
        }
        let text = text.take();
        self.line.standalone(&format!("[{text}]({url})"));
    }
}

fn is_video_host(url: &str) -> bool {
    let host = url.split('/').nth(2).unwrap_or_default();
    [
        "youtube.com",
        "youtube-nocookie.com",
        "youtu.be",
        "vimeo.com",
        "dailymotion.com",
    ]
    .iter()
    .any(|it| host == *it || host.strip_suffix(it).is_some_and(|it| it.ends_with('.')))
}
