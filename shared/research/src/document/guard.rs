//! Follows the blocks of a body, line by line, so that its code stays code and ends with it.
//!
//! The text of a fenced block is left alone, so it must be certain that the block is open, for
//! every reader of Markdown; and after the body it must be certain that none is. Lists make this
//! hard, because a fence in a list item ends with the item, and where an item ends is a question
//! of indentation on which readers differ. Instead of following lists, the guard uses what holds
//! however they are read:
//!
//! - A fence that is not indented stands outside every list. It ends at its closing fence.
//! - A fence indented by up to three columns, or behind the mark of a list item, is a fence in the
//!   item or outside of it. It stays open while lines are indented at least as far. At the first
//!   line that is not, it might be over, so there we close it.
//! - A fence that is indented further is one if it is in a list, else it is text. Nothing is taken
//!   for code because of it, and the next line that is not indented ends it. A fence of the second
//!   kind before that line could be its end; so a comment, `<!-- -->`, is put before it, which
//!   ends all lists.
//! - A fence behind `>` ends with the quotation; its text is treated as text.
//! - In a block of HTML a fence is nothing. Where it is not certain that such a block is open, an
//!   empty line is put before the fence, which ends it.
//!
//! None of these insertions happens in documents that are written with care.

use super::fence::{Fence, Start};
use super::inline::Inline;
use super::tags;

/// A block of code that is certainly open.
struct Open {
    fence: Fence,
    column: usize,
    /// It may be part of a list item.
    listed: bool,
}

/// A fence that is open if it is part of a list item.
struct Loose {
    fence: Fence,
    indent: String,
    open: bool,
}

/// The state of a body behind its last line.
pub(super) struct Guard {
    code: Option<Open>,
    loose: Option<Loose>,
    /// A list item may be open.
    lists: bool,
    /// The line before is empty, or there is none.
    after_blank: bool,
    /// A block of HTML is certainly open.
    html_block: bool,
    inline: Inline,
}

impl Guard {
    pub(super) const fn new() -> Self {
        Self {
            code: None,
            loose: None,
            lists: false,
            after_blank: true,
            html_block: false,
            inline: Inline::new(),
        }
    }

    /// Appends a line, without its end, so that it is harmless.
    pub(super) fn line(&mut self, line: &str, out: &mut String) {
        if is_blank(line) {
            out.push_str(line);
            if self.code.is_none() {
                self.after_blank = true;
                self.html_block = false;
                self.inline = Inline::new();
            }
            return;
        }
        let start = Start::read(line);
        if self.code_line(line, &start, out) {
            return;
        }
        let unindented = start.indent == 0;
        if unindented && !line.starts_with('>') {
            self.loose = None;
        }
        if unindented && !start.lists && !start.others && (self.after_blank || start.quotes) {
            self.lists = false;
        }
        let text = line.get(start.offset..).unwrap_or_default();
        let ignored = start.quotes || start.code || self.html_block;
        if let Some(fence) = Fence::read(text).filter(|_| !ignored) {
            self.fence_line(fence, line, &start, out);
        } else {
            self.inline.write(line, Some(start.offset), out);
            let stands_alone = self.after_blank && !self.lists && !start.has_marks();
            self.html_block |= self.inline.html
                && stands_alone
                && start.indent <= 3
                && tags::surely_begins_html_block(text);
        }
        self.lists |= start.lists || start.others;
        self.after_blank = false;
    }

    /// The beginning of a line that is too long to be held; it is no fence.
    pub(super) fn long_line(&mut self, beginning: &str, out: &mut String) {
        self.inline.spans_certain = false;
        self.line(beginning, out);
    }

    /// A further part of such a line.
    pub(super) fn long_line_part(&mut self, part: &str, out: &mut String) {
        if self.code.is_some() {
            out.push_str(part);
        } else {
            self.inline.spans_certain = false;
            self.inline.write(part, None, out);
        }
    }

    /// Ends the body: closes the code that is open.
    pub(super) fn finish(&mut self, out: &mut String) {
        if let Some(open) = self.code.take() {
            out.push('\n');
            open.fence.write_close(open.column, out);
        }
    }

    /// A line inside code; false when there is none, or it ends before this line.
    fn code_line(&mut self, line: &str, start: &Start, out: &mut String) -> bool {
        let Some(open) = &self.code else { return false };
        let text = line.trim_start_matches([' ', '\t']);
        let closes = Fence::read(text).is_some_and(|it| it.closes(open.fence));
        if !open.listed {
            if closes && start.indent <= 3 {
                out.push_str(without_tabs(line));
                self.end_code();
            } else {
                out.push_str(line);
            }
            return true;
        }
        if closes && start.indent <= open.column + 3 {
            out.extend(std::iter::repeat_n(' ', open.column));
            out.push_str(without_tabs(text));
            self.end_code();
            return true;
        }
        if start.indent >= open.column {
            out.push_str(line);
            return true;
        }
        open.fence.write_close(open.column, out);
        out.push('\n');
        self.end_code();
        false
    }

    fn end_code(&mut self) {
        self.code = None;
        self.after_blank = false;
        self.inline = Inline::new();
    }

    /// A line with a fence, outside of code and quotations.
    fn fence_line(&mut self, fence: Fence, line: &str, start: &Start, out: &mut String) {
        let (marks, text) = line.split_at_checked(start.offset).unwrap_or(("", line));
        if start.others {
            // How far the text of a footnote is indented is a matter of the reader: no fence here.
            out.push_str(marks);
            out.push('\\');
            self.inline.spans_certain = false;
            self.inline.write(text, None, out);
            return;
        }
        if start.indent > 3 {
            self.loose_fence(fence, line, start);
            self.inline.write(line, Some(start.offset), out);
            return;
        }
        if start.indent > 0
            && let Some(loose) = &mut self.loose
        {
            if loose.open && !start.lists && fence.closes(loose.fence) {
                // Its closing fence, less indented by mistake.
                out.push_str(&loose.indent);
                loose.open = false;
                self.inline.write(text, None, out);
                return;
            }
            out.push_str("\n<!-- -->\n\n");
            self.loose = None;
            self.lists = false;
        } else if self.inline.html || start.needs_blank && !self.after_blank {
            out.push('\n');
        }
        let listed = start.lists || self.lists && start.indent > 0;
        self.lists = listed;
        self.code = Some(Open {
            fence,
            column: start.column,
            listed,
        });
        // With a `|` behind the marks, some readers take the line for the head of a table.
        out.push_str(&line.replace('|', "&#124;"));
    }

    fn loose_fence(&mut self, fence: Fence, line: &str, start: &Start) {
        let indent = if start.lists {
            " ".repeat(start.column)
        } else {
            line.get(..start.offset).unwrap_or_default().to_owned()
        };
        match &mut self.loose {
            Some(loose) if loose.open => {
                loose.open = start.lists || loose.indent != indent || !fence.closes(loose.fence);
            }
            _ if self.lists || start.lists => {
                self.loose = Some(Loose {
                    fence,
                    indent,
                    open: true,
                });
            }
            _ => {}
        }
    }
}

/// Whether a line is empty to Markdown: other white space than these two is text.
pub(super) fn is_blank(line: &str) -> bool {
    line.bytes().all(|it| matches!(it, b' ' | b'\t'))
}

/// A closing fence without a tab behind it: for some readers it closes nothing with one.
fn without_tabs(line: &str) -> &str {
    if line.contains('\t') {
        line.trim_end_matches([' ', '\t'])
    } else {
        line
    }
}
