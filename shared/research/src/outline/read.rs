//! The headings of a guideline and what stands under them, without code, addresses and markup.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::boilerplate;
use crate::guideline::front_matter;

/// What is longer than this many characters in one place is data, and its rest is left out.
const MAX_ITEM_CHARS: usize = 8_000;
/// Emphasis of more words is a sentence, not a name.
const MAX_MARKED_WORDS: usize = 6;

/// A section as it was read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// 1 to 6; 0 for what stands before the first heading.
    pub(super) level: usize,
    /// The heading, without its number.
    pub(super) title: String,
    /// Paragraphs, items of lists, cells of tables.
    pub(super) items: Vec<String>,
    /// What is emphasised, linked or set as code.
    pub(super) marked: Vec<String>,
}

/// All sections, in order; the first is what stands before any heading, if anything does.
pub(super) fn sections(markdown: &str) -> Vec<Draft> {
    let (_, body) = front_matter(markdown);
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut reader = Reader::default();
    for event in Parser::new_ext(markdown.get(body..).unwrap_or_default(), options) {
        reader.event(event);
    }
    reader.finish()
}

/// A guideline without topical sections, as one.
pub(super) fn whole(markdown: &str, title: &str) -> Draft {
    let mut whole = Draft {
        title: clean(title),
        ..Draft::default()
    };
    for draft in sections(markdown) {
        whole.items.extend(draft.items);
        whole.marked.extend(draft.marked);
    }
    whole
}

#[derive(Default)]
struct Reader {
    done: Vec<Draft>,
    open: Draft,
    /// Text since the last border of a block.
    text: String,
    /// Where the emphasised parts that are open begin in it.
    marks: Vec<usize>,
    /// Inside of what is not read: code, HTML, pictures.
    skipped: usize,
}

impl Reader {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(
                Tag::CodeBlock(_) | Tag::HtmlBlock | Tag::Image { .. } | Tag::MetadataBlock(_),
            ) => {
                self.skipped += 1;
            }
            Event::End(
                TagEnd::CodeBlock | TagEnd::HtmlBlock | TagEnd::Image | TagEnd::MetadataBlock(_),
            ) => self.skipped = self.skipped.saturating_sub(1),
            _ if self.skipped > 0 => {}
            Event::Text(text) => self.push(&text),
            Event::Code(code) => {
                self.marks.push(self.text.len());
                self.push(&code);
                self.mark();
            }
            Event::SoftBreak | Event::HardBreak => self.push(" "),
            Event::Start(Tag::Strong | Tag::Emphasis | Tag::Link { .. }) => {
                self.marks.push(self.text.len());
            }
            Event::End(TagEnd::Strong | TagEnd::Emphasis | TagEnd::Link) => self.mark(),
            Event::Start(Tag::Heading { level, .. }) => {
                self.end_item();
                let next = Draft {
                    level: level as usize,
                    ..Draft::default()
                };
                self.done.push(std::mem::replace(&mut self.open, next));
            }
            Event::End(TagEnd::Heading(_)) => {
                self.open.title = clean(&std::mem::take(&mut self.text));
                self.open.marked.clear();
                self.marks.clear();
            }
            Event::Start(_) | Event::End(_) => self.end_item(),
            _ => {}
        }
    }

    fn push(&mut self, text: &str) {
        if self.text.len() < 4 * MAX_ITEM_CHARS {
            self.text.extend(text.chars().take(MAX_ITEM_CHARS));
        }
    }

    fn mark(&mut self) {
        let Some(from) = self.marks.pop() else { return };
        let marked = self.text.get(from..).unwrap_or_default().trim();
        let words = marked.split_whitespace().count();
        if (1..=MAX_MARKED_WORDS).contains(&words) && !marked.contains("://") {
            self.open.marked.push(marked.to_owned());
        }
    }

    fn end_item(&mut self) {
        // A border inside of an emphasis is the end of it.
        self.marks.clear();
        let text = std::mem::take(&mut self.text);
        let words: Vec<&str> = text
            .split_whitespace()
            .filter(|word| !word.contains("://"))
            .collect();
        let item = words.join(" ");
        if item.chars().any(char::is_alphanumeric) && !boilerplate::is_item(&item) {
            self.open.items.push(item);
        }
    }

    fn finish(mut self) -> Vec<Draft> {
        self.end_item();
        self.done.push(self.open);
        self.done
            .retain(|draft| !draft.title.is_empty() || !draft.items.is_empty());
        self.done
    }
}

/// A heading without its number: "Section 3: Introduction: Why" says "Why".
fn clean(heading: &str) -> String {
    let heading = heading.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = heading.as_str();
    if let Some((first, after)) = rest.split_once(' ')
        && is_number(first)
    {
        rest = after;
    }
    while let Some((label, after)) = rest.split_once([':', '-', '–', '—', '：']) {
        let is_label = match label.split_whitespace().collect::<Vec<_>>()[..] {
            [word] => is_number(word) || word.eq_ignore_ascii_case("introduction"),
            [_, number] => is_number(number),
            _ => false,
        };
        if !is_label || after.trim().is_empty() {
            break;
        }
        rest = after.trim_start();
    }
    rest.to_owned()
}

/// `3`, `3.`, `2.1`, `IV)`.
fn is_number(word: &str) -> bool {
    word.chars()
        .all(|it| it.is_numeric() || "IVX.)".contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_loses_its_number() {
        for (heading, expected) in [
            (
                "Section 1: Introduction: Why Agents Need a Memory",
                "Why Agents Need a Memory",
            ),
            ("2.1 The layers", "The layers"),
            ("3. The layers", "The layers"),
            ("Teil II – Gedächtnis", "Gedächtnis"),
            ("Long-term memory", "Long-term memory"),
            ("Memory: a survey", "Memory: a survey"),
            ("Section 4:", "Section 4:"),
        ] {
            assert_eq!(clean(heading), expected);
        }
    }

    #[test]
    fn code_and_addresses_are_not_read_and_emphasis_is_marked() {
        let drafts = sections(
            "---\ntitle: x\n---\nBefore\n# One\n- **Zep**: see https://a.example/b\n- Section length: 3\n\n```py\nprint()\n```\n",
        );
        assert_eq!(drafts.len(), 2);
        assert_eq!(drafts[0].items, ["Before"]);
        assert_eq!(drafts[1].items, ["Zep: see"]);
        assert_eq!(drafts[1].marked, ["Zep"]);
    }
}
