//! Markdown as numbered blocks, so that somebody can say which to leave out.
//!
//! A language model that cleans a page is asked for numbers and never for text: what it answers
//! can leave out a block, and can neither rewrite nor add one. It is shown each block by its
//! number and beginning ([`Blocks::outline`]), and what it answers is applied by
//! [`Blocks::without`].
//!
//! ```
//! use nova_research::page::blocks::Blocks;
//!
//! let blocks = Blocks::of("# Title\n\nSubscribe now!\n\n```sh\nls\n\npwd\n```");
//! assert_eq!(blocks.len(), 3);
//! assert_eq!(blocks.outline(20), "1: # Title\n2: Subscribe now!\n3: ```sh ls  pwd ```\n");
//! assert_eq!(blocks.without([2, 99]), "# Title\n\n```sh\nls\n\npwd\n```");
//! ```

use std::collections::HashSet;
use std::fmt::Write as _;
use std::ops::Range;

/// The blocks of a Markdown text: paragraphs, headings, tables, whole code blocks, and items of
/// lists with all that is in them.
#[derive(Clone, Debug)]
pub struct Blocks<'a> {
    markdown: &'a str,
    blocks: Vec<Range<usize>>,
}

impl<'a> Blocks<'a> {
    /// Splits a text. A block ends at an empty line, but not in a fence, and not before a line
    /// that is indented and so belongs to what is above.
    pub fn of(markdown: &'a str) -> Self {
        let mut blocks: Vec<Range<usize>> = Vec::new();
        let mut fence: Option<Fence> = None;
        let mut open: Option<Range<usize>> = None;
        let mut at = 0;
        for line in markdown.split_inclusive('\n') {
            let content = line.trim_end_matches(['\n', '\r']);
            let range = at..at + content.len();
            at += line.len();
            let blank = content.trim().is_empty();
            if let Some(block) = &mut open {
                if let Some(inner) = fence {
                    block.end = range.end;
                    if inner.is_closed_by(content) {
                        fence = None;
                    }
                    continue;
                }
                if !blank {
                    block.end = range.end;
                    fence = Fence::opened_by(content);
                    continue;
                }
                blocks.extend(open.take());
            }
            if blank {
                continue;
            }
            fence = Fence::opened_by(content);
            // What is indented belongs to what is above.
            match blocks.pop_if(|_| content.starts_with("  ") || content.starts_with('\t')) {
                Some(above) => open = Some(above.start..range.end),
                None => open = Some(range),
            }
        }
        blocks.extend(open);
        Self { markdown, blocks }
    }

    /// How many there are. They are numbered from 1.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The block with a number.
    pub fn get(&self, number: usize) -> Option<&'a str> {
        let block = self.blocks.get(number.checked_sub(1)?)?;
        self.markdown.get(block.clone())
    }

    /// The blocks, in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.blocks
            .iter()
            .filter_map(|it| self.markdown.get(it.clone()))
    }

    /// A line for each block: its number and its first characters.
    pub fn outline(&self, characters: usize) -> String {
        let mut outline = String::new();
        for (number, block) in self.iter().enumerate() {
            let _ = write!(outline, "{}: ", number + 1);
            let beginning = block.chars().take(characters);
            outline.extend(beginning.map(|it| if it.is_control() { ' ' } else { it }));
            outline.push('\n');
        }
        outline
    }

    /// The text without some of its blocks. Numbers that there are not are ignored.
    #[must_use]
    pub fn without(&self, numbers: impl IntoIterator<Item = usize>) -> String {
        let dropped: HashSet<usize> = numbers.into_iter().collect();
        let mut out = String::with_capacity(self.markdown.len());
        let mut last_end = None;
        for (number, block) in self.blocks.iter().enumerate() {
            if dropped.contains(&(number + 1)) {
                continue;
            }
            if last_end.is_some() {
                out.push_str("\n\n");
            }
            out.push_str(self.markdown.get(block.clone()).unwrap_or_default());
            last_end = Some(block.end);
        }
        out
    }
}

/// A code block that is open.
#[derive(Clone, Copy, Debug)]
struct Fence {
    mark: u8,
    length: usize,
}

impl Fence {
    fn opened_by(line: &str) -> Option<Self> {
        let line = inside_containers(line);
        let mark = line.bytes().next().filter(|it| matches!(it, b'`' | b'~'))?;
        let length = line.bytes().take_while(|it| *it == mark).count();
        let info = line.get(length..).unwrap_or_default();
        (length >= 3 && !(mark == b'`' && info.contains('`'))).then_some(Self { mark, length })
    }

    fn is_closed_by(self, line: &str) -> bool {
        let line = inside_containers(line).trim_end();
        line.len() >= self.length && line.bytes().all(|it| it == self.mark)
    }
}

/// A line without the marks of the quotes and items that it is in.
fn inside_containers(line: &str) -> &str {
    let mut rest = line.trim_start();
    loop {
        let next = rest
            .strip_prefix('>')
            .or_else(|| rest.strip_prefix("- "))
            .or_else(|| rest.strip_prefix("* "))
            .or_else(|| {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                (digits > 0)
                    .then(|| rest.get(digits..)?.strip_prefix(". "))
                    .flatten()
            });
        match next {
            Some(next) => rest = next.trim_start(),
            None => return rest,
        }
    }
}
