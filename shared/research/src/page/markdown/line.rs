//! A paragraph, heading or cell while it is written.
//!
//! White space is collapsed, and put down only when something follows it; so are emphasis and
//! links, which therefore never hold nothing and never begin or end with a space.

use super::line_start;
use crate::escape;

/// What a piece of text is marked as.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Mark {
    Emphasis,
    Strong,
    Strike,
    /// A link to this.
    Link(String),
}

impl Mark {
    fn opening(&self) -> &str {
        match self {
            Self::Link(_) => "[",
            _ => self.closing(),
        }
    }

    fn closing(&self) -> &'static str {
        match self {
            Self::Emphasis => "*",
            Self::Strong => "**",
            Self::Strike => "~~",
            Self::Link(_) => "]",
        }
    }

    fn same_kind(&self, other: &Self) -> bool {
        self.opening() == other.opening()
    }
}

#[derive(Debug)]
struct Open {
    mark: Mark,
    /// Whether it stands in the text.
    written: bool,
    /// It does nothing here: a mark within the same mark, a link that was closed already.
    idle: bool,
}

/// How a line ends when something follows it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Gap {
    #[default]
    None,
    Space,
    Break,
    Blocks,
}

/// The text of one block.
#[derive(Debug, Default)]
pub(super) struct Line {
    text: String,
    gap: Gap,
    marks: Vec<Open>,
    cell: bool,
}

impl Line {
    /// Adds text that a reader sees.
    pub(super) fn text(&mut self, text: &str) {
        // First: what they stand between would else be judged by them, and be something once they
        // are gone.
        let visible = text
            .contains(escape::is_invisible)
            .then(|| text.replace(escape::is_invisible, ""));
        let mut rest = visible.as_deref().unwrap_or(text);
        while let Some(first) = rest.chars().next() {
            if first.is_whitespace() {
                self.space();
                rest = rest.trim_start();
                continue;
            }
            self.ready();
            rest = escape::run(rest, &mut self.text, self.cell);
        }
    }

    /// Adds Markdown as it is.
    pub(super) fn raw(&mut self, markdown: &str) {
        if !markdown.is_empty() {
            self.ready();
            // Two spans of code side by side: their quotes would be one run, which ends neither.
            if self.text.ends_with('`') && markdown.starts_with('`') {
                self.text.push(' ');
            }
            self.text.push_str(markdown);
        }
    }

    /// Adds a link or picture of its own, which no link may hold.
    pub(super) fn standalone(&mut self, markdown: &str) {
        let open = self
            .marks
            .iter()
            .rposition(|it| !it.idle && matches!(it.mark, Mark::Link(_)));
        let Some(link) = open else {
            return self.raw(markdown);
        };
        self.close_written(link);
        for mark in self.marks.iter_mut().skip(link) {
            mark.idle = true;
        }
        self.raw(markdown);
        for mark in self.marks.iter_mut().skip(link) {
            mark.idle = false;
        }
        self.space();
    }

    /// White space, if something comes before and after it.
    pub(super) fn space(&mut self) {
        if self.gap == Gap::None {
            self.gap = Gap::Space;
        }
    }

    /// The end of a line. Says whether it is the second in a row, which ends a paragraph.
    pub(super) fn line_break(&mut self) -> bool {
        let second = self.gap == Gap::Break && !self.cell;
        if self.gap != Gap::Blocks {
            self.gap = Gap::Break;
        }
        second
    }

    /// The border between two blocks in one cell.
    pub(super) fn block_break(&mut self) {
        self.gap = Gap::Blocks;
    }

    pub(super) fn open(&mut self, mark: Mark) {
        let idle = self
            .marks
            .iter()
            .any(|it| !it.idle && it.mark.same_kind(&mark));
        self.marks.push(Open {
            mark,
            written: false,
            idle,
        });
    }

    /// Opens a mark that marks nothing.
    pub(super) fn open_nothing(&mut self) {
        self.marks.push(Open {
            mark: Mark::Emphasis,
            written: false,
            idle: true,
        });
    }

    /// Closes the mark that was opened last.
    pub(super) fn close(&mut self) {
        let Some(open) = self.marks.pop() else { return };
        if open.written {
            self.write_closing(&open.mark);
        }
    }

    /// Begins a cell of a table: one line, whatever is in it.
    pub(super) fn begin_cell(&mut self) {
        self.take();
        self.cell = true;
    }

    /// Ends it.
    pub(super) fn end_cell(&mut self) -> String {
        self.cell = false;
        self.close_written(0);
        self.gap = Gap::None;
        std::mem::take(&mut self.text)
    }

    /// The block is over: its Markdown, empty if there was nothing to see.
    pub(super) fn take(&mut self) -> String {
        self.close_written(0);
        self.gap = Gap::None;
        if self.text.is_empty() {
            return String::new();
        }
        line_start::escaped(std::mem::take(&mut self.text))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn close_written(&mut self, from: usize) {
        let mut at = self.marks.len();
        while at > from {
            at -= 1;
            let Some(open) = self.marks.get_mut(at).filter(|it| it.written) else {
                continue;
            };
            open.written = false;
            // A link that goes on in the next block would be two.
            if matches!(open.mark, Mark::Link(_)) && from == 0 {
                open.idle = true;
            }
            let mark = open.mark.clone();
            self.write_closing(&mark);
        }
    }

    fn write_closing(&mut self, mark: &Mark) {
        self.text.push_str(mark.closing());
        if let Mark::Link(target) = mark {
            self.text.push('(');
            self.text.push_str(target);
            self.text.push(')');
        }
    }

    /// Puts down what was waiting for something to follow.
    fn ready(&mut self) {
        match std::mem::take(&mut self.gap) {
            Gap::None => {}
            _ if self.text.is_empty() => {}
            Gap::Break | Gap::Blocks if self.cell => self.text.push_str("<br>"),
            Gap::Break => self.text.push_str("  \n"),
            Gap::Space | Gap::Blocks => self.text.push(' '),
        }
        for open in &mut self.marks {
            if open.written || open.idle {
                continue;
            }
            open.written = true;
            if matches!(open.mark, Mark::Link(_)) && self.text.ends_with('!') {
                // Or it would be a picture.
                self.text.pop();
                self.text.push_str("\\!");
            }
            self.text.push_str(open.mark.opening());
        }
    }
}
