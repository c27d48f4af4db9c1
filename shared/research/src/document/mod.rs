//! `research.md`: the frame that all sources of an article are bound in.
//!
//! A [`Document`] is written from beginning to end into a `String` that the caller empties as
//! often as it likes: sources of any size pass through in constant memory, and the text does not
//! depend on how they were cut into chunks.
//!
//! ```
//! use nova_research::document::{Document, OutOfOrder, Section};
//!
//! # fn main() -> Result<(), OutOfOrder> {
//! let mut out = String::new();
//! let mut document = Document::new();
//! document.open(Section::ResearchResults, "What is MCP?", &mut out)?;
//! document.answer(1, "https://a.example", "What is MCP?", &mut out);
//! document.body("A protocol.", &mut out);
//! document.open(Section::LocalFiles, "notes.md", &mut out)?;
//! document.body("First ", &mut out);
//! document.body("notes.", &mut out);
//! let counts = document.finish(&mut out);
//!
//! assert!(out.starts_with("# Research\n\n## Research Results\n\n<details>\n<summary>What is MCP?"));
//! assert!(out.ends_with("<summary>notes.md</summary>\n\nFirst notes.\n\n</details>\n"));
//! assert_eq!(counts.local_files, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What a body may do
//!
//! Bodies come from anywhere, and none may close its block, open another, or hide what follows.
//! They are kept byte for byte but for what really endangers the frame:
//!
//! - White space at both ends is taken off, and more than 16 KiB of it at one place shortened.
//! - A tag that could close, open or swallow the frame loses its `<` to `&lt;` outside of code;
//!   which those are, `tags.rs` says. Other tags stay: `<br>`, `<img …>`, `<user_query>` are common
//!   in pages, and do nothing. So does `<summary>` inside a line, which real documents hold: the
//!   summary of a block is the first one in it, and that is ours.
//! - A code block that is open at the end is closed; `guard.rs` says how that is known.
//! - `### Source [` and the headings of our sections get a backslash outside of code, so that no
//!   page can add a source of its own. Other headings stay, at their level.
//! - Lines of dashes stay: nothing reads the document back by them.
//!
//! Titles, queries and URLs are made one line without tags.

mod body;
mod counts;
mod decoder;
mod fence;
mod guard;
mod inline;
#[cfg(feature = "json")]
mod json;
mod queries;
mod section;
mod summary;
mod tags;
mod trim;

use std::fmt::Write as _;

use self::body::Body;
use self::summary::one_line;

pub use self::counts::Counts;
pub use self::decoder::Decoder;
#[cfg(feature = "json")]
pub use self::json::Json;
pub use self::queries::by_query;
pub use self::section::Section;

/// A block was opened in a section that is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the section {wanted:?} comes before {open:?}, which is open")]
pub struct OutOfOrder {
    /// The section that the block belongs to.
    pub wanted: Section,
    /// The section that the document has come to.
    pub open: Section,
}

/// A `research.md` that is being written.
#[derive(Default)]
pub struct Document {
    section: Option<Section>,
    block: Option<Block>,
    decoder: Decoder,
    counts: Counts,
    none_passed: bool,
    ranked_because: Option<String>,
}

/// The block that is open.
#[derive(Default)]
struct Block {
    body: Option<Body>,
    answers: usize,
}

impl Document {
    /// A document of which nothing is written.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sources were found and judged, and none of them is kept: an empty section of research
    /// results says so, since it is not the same as that nothing was looked for.
    pub fn none_passed_selection(&mut self) {
        self.none_passed = true;
    }

    /// The sources were ranked without the language model that was asked, for this reason, which the
    /// section of research results begins with: a judgement that is missing is told and not hidden.
    pub fn ranked_because(&mut self, why: &str) {
        self.ranked_because = Some(one_line(why));
    }

    /// Opens a block with the given title, in the section or one that follows; closes the block
    /// that is open. Sections that are passed over are written as empty.
    ///
    /// In [`Section::ResearchResults`] the title is the query.
    pub fn open(
        &mut self,
        section: Section,
        title: &str,
        out: &mut String,
    ) -> Result<(), OutOfOrder> {
        if let Some(open) = self.section.filter(|it| *it > section) {
            return Err(OutOfOrder {
                wanted: section,
                open,
            });
        }
        self.close(out);
        self.advance(section, out);
        let count = self.counts.of(section);
        if *count > 0 {
            out.push('\n');
        }
        *count += 1;
        let _ = write!(out, "<details>\n<summary>{}</summary>\n\n", one_line(title));
        self.block = Some(Block {
            body: Some(Body::after("")),
            answers: 0,
        });
        Ok(())
    }

    /// Begins an answer in the block of its query; what follows by [`Document::body`] is its text.
    ///
    /// Without an open block nothing is written.
    pub fn answer(&mut self, number: u64, url: &str, query: &str, out: &mut String) {
        self.end_text(out);
        let Some(block) = &mut self.block else { return };
        if let Some(body) = block.body.take() {
            body.finish(out);
        }
        if block.answers > 0 {
            out.push_str("\n\n-----\n\n-----\n\n");
        }
        block.answers += 1;
        let (url, query) = (one_line(url), one_line(query));
        let _ = write!(out, "### Source [{number}]: {url}\n\nQuery: {query}\n\n");
        block.body = Some(Body::after("Answer: "));
    }

    /// Continues the text of the open block; without one nothing is written.
    pub fn body(&mut self, chunk: &str, out: &mut String) {
        self.end_text(out);
        if let Some(body) = self.block.as_mut().and_then(|it| it.body.as_mut()) {
            body.push(chunk, out);
        }
    }

    /// The same for bytes: a character may be split between chunks, and what is not UTF-8 becomes
    /// `U+FFFD`.
    pub fn body_bytes(&mut self, chunk: &[u8], out: &mut String) {
        if let Some(body) = self.block.as_mut().and_then(|it| it.body.as_mut()) {
            self.decoder.decode(chunk, |text| body.push(text, out));
        }
    }

    /// Closes the block that is open, if any.
    pub fn close(&mut self, out: &mut String) {
        self.end_text(out);
        let Some(block) = self.block.take() else {
            return;
        };
        if let Some(body) = block.body {
            body.finish(out);
        }
        if block.answers > 0 {
            out.push_str("\n\n-----");
        }
        out.push_str("\n\n</details>\n");
    }

    /// Closes the block that is open, writes the sections that are still missing, and counts.
    pub fn finish(mut self, out: &mut String) -> Counts {
        self.close(out);
        self.advance(Section::AdditionalSources, out);
        if self.section == Some(Section::AdditionalSources) {
            self.when_empty(Section::AdditionalSources, out);
        }
        self.counts
    }

    /// What a section says that has no block.
    fn when_empty(&mut self, section: Section, out: &mut String) {
        if *self.counts.of(section) > 0 {
            return;
        }
        out.push_str(section.when_empty());
        if section == Section::ResearchResults && self.none_passed {
            out.push_str("\n_No source passed selection._\n");
        }
    }

    /// Ends the text that came in bytes.
    fn end_text(&mut self, out: &mut String) {
        if let Some(body) = self.block.as_mut().and_then(|it| it.body.as_mut()) {
            self.decoder.finish(|text| body.push(text, out));
        }
    }

    /// Writes the headings up to a section, with what empty sections say.
    fn advance(&mut self, section: Section, out: &mut String) {
        if self.section.is_none() {
            out.push_str("# Research");
        }
        for next in Section::ALL.into_iter().filter(|it| *it <= section) {
            if self.section >= Some(next) {
                continue;
            }
            if let Some(before) = self.section {
                self.when_empty(before, out);
            }
            let _ = write!(out, "\n\n## {}\n\n", next.heading());
            if let (Section::ResearchResults, Some(why)) = (next, &self.ranked_because) {
                let _ = write!(
                    out,
                    "_These sources were ranked without a language model, because {why}._\n\n"
                );
            }
            self.section = Some(next);
        }
    }
}
