//! The document as JSON: the same sections for programs, which need no frame against bodies.

use std::fmt::Write as _;

use super::{Counts, Decoder, OutOfOrder, Section};
use crate::references::Reference;

/// A document of JSON that is being written; as [`Document`](super::Document), in constant memory.
///
/// It is one object, whose fields are the sections: lists of `{"query", "answers"}`, each answer a
/// `{"source", "url", "answer"}`; lists of `{"url", "content"}`; and of `{"name", "content"}` for
/// local files. The last field is `references`. The first ones are `none_passed_selection`, which is true
/// where sources were found and none is kept, and `ranked_because`, where they were ranked without the
/// language model that was asked.
///
/// ```
/// use nova_research::document::{Json, OutOfOrder, Section};
///
/// # fn main() -> Result<(), OutOfOrder> {
/// let mut out = String::new();
/// let mut document = Json::new();
/// document.open(Section::CodeSources, "https://github.com/a/b", &mut out)?;
/// document.body_bytes(b"\"quoted\"", &mut out);
/// document.finish(&[], &mut out);
/// assert_eq!(
///     out,
///     r#"{"research_results":[],"scraped_sources":[],"code_sources":[{"url":"https://github.com/a/b","content":"\"quoted\""}],"youtube_transcripts":[],"additional_sources":[],"local_files":[],"references":[]}"#
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Json {
    section: Option<Section>,
    block: Option<Block>,
    decoder: Decoder,
    counts: Counts,
    none_passed: bool,
    ranked_because: Option<String>,
}

/// The block that is open.
struct Block {
    /// Whether a text is open in it.
    has_text: bool,
    /// Its answers so far; `None` where the text is that of the block itself.
    answers: Option<usize>,
}

impl Json {
    /// A document of which nothing is written.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`Document::none_passed_selection`](super::Document::none_passed_selection).
    pub fn none_passed_selection(&mut self) {
        self.none_passed = true;
    }

    /// As [`Document::ranked_because`](super::Document::ranked_because).
    pub fn ranked_because(&mut self, why: &str) {
        self.ranked_because = Some(why.to_owned());
    }

    /// As [`Document::open`](super::Document::open).
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
            out.push(',');
        }
        *count += 1;
        let holds_answers = section == Section::ResearchResults;
        let name = match section {
            Section::ResearchResults => "query",
            Section::LocalFiles => "name",
            _ => "url",
        };
        let _ = write!(out, "{{\"{name}\":\"");
        push(title, out);
        out.push_str(if holds_answers {
            "\",\"answers\":["
        } else {
            "\",\"content\":\""
        });
        self.block = Some(Block {
            has_text: !holds_answers,
            answers: holds_answers.then_some(0),
        });
        Ok(())
    }

    /// As [`Document::answer`](super::Document::answer); the query is that of the block.
    pub fn answer(&mut self, number: u64, url: &str, out: &mut String) {
        self.end_text(out);
        let Some(block) = &mut self.block else { return };
        let Some(answers) = &mut block.answers else {
            return;
        };
        if *answers > 0 {
            out.push(',');
        }
        *answers += 1;
        let _ = write!(out, "{{\"source\":{number},\"url\":\"");
        push(url, out);
        out.push_str("\",\"answer\":\"");
        block.has_text = true;
    }

    /// As [`Document::body_bytes`](super::Document::body_bytes).
    pub fn body_bytes(&mut self, chunk: &[u8], out: &mut String) {
        if self.block.as_ref().is_some_and(|block| block.has_text) {
            self.decoder.decode(chunk, |text| push(text, out));
        }
    }

    /// Closes the block that is open, writes the sections that are still missing and the
    /// references, and counts.
    pub fn finish(mut self, references: &[Reference], out: &mut String) -> Counts {
        self.close(out);
        self.advance(Section::LocalFiles, out);
        out.push_str("],\"references\":");
        // It holds texts and numbers, which are always written.
        out.push_str(&serde_json::to_string(references).unwrap_or_default());
        out.push('}');
        self.counts
    }

    fn close(&mut self, out: &mut String) {
        self.end_text(out);
        if let Some(block) = self.block.take() {
            out.push_str(if block.answers.is_some() { "]}" } else { "}" });
        }
    }

    fn end_text(&mut self, out: &mut String) {
        let Some(block) = &mut self.block else { return };
        if std::mem::take(&mut block.has_text) {
            self.decoder.finish(|text| push(text, out));
            out.push('"');
            if block.answers.is_some() {
                out.push('}');
            }
        }
    }

    /// Begins the sections up to this one.
    fn advance(&mut self, section: Section, out: &mut String) {
        for next in Section::ALL.into_iter().filter(|it| *it <= section) {
            if self.section >= Some(next) {
                continue;
            }
            out.push_str(if self.section.is_none() { "{" } else { "]," });
            if std::mem::take(&mut self.none_passed) {
                out.push_str("\"none_passed_selection\":true,");
            }
            if let Some(why) = self.ranked_because.take() {
                out.push_str("\"ranked_because\":\"");
                push(&why, out);
                out.push_str("\",");
            }
            let _ = write!(out, "\"{}\":[", next.field());
            self.section = Some(next);
        }
    }
}

/// A text as it stands between the quotes of JSON.
fn push(text: &str, out: &mut String) {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let inner = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    out.push_str(inner.unwrap_or_default());
}
