//! One body, as it arrives: cleaned at its ends, cut into lines, and guarded.

use super::fence::{Fence, Start};
use super::guard::Guard;
use super::trim::Trim;

/// A longer line is not held as a whole, in bytes.
const MAX_LINE: usize = 64 * 1024;

/// How far from its end a part of a long line may be cut, to keep a tag together, in bytes.
const MAX_TAIL: usize = 8 * 1024;

/// A body that is being written.
pub(super) struct Body {
    trim: Trim,
    lines: Lines,
}

impl Body {
    /// A body whose first line begins with some text of the frame.
    pub(super) fn after(text: &str) -> Self {
        let lines = Lines {
            line: text.to_owned(),
            long: false,
            guard: Guard::new(),
        };
        Self {
            trim: Trim::default(),
            lines,
        }
    }

    pub(super) fn push(&mut self, text: &str, out: &mut String) {
        let lines = &mut self.lines;
        // A NUL is no character to Markdown, nor to a database.
        let mut parts = text.split('\0');
        let first = parts.next().unwrap_or_default();
        self.trim.push(first, &mut |it| lines.push(it, out));
        for part in parts {
            self.trim.push("\u{fffd}", &mut |it| lines.push(it, out));
            self.trim.push(part, &mut |it| lines.push(it, out));
        }
    }

    pub(super) fn finish(mut self, out: &mut String) {
        self.lines.end_line("", out);
        self.lines.guard.finish(out);
    }
}

/// The line that is not complete yet, and what came before it.
struct Lines {
    line: String,
    /// The beginning of the line was written already.
    long: bool,
    guard: Guard,
}

impl Lines {
    fn push(&mut self, text: &str, out: &mut String) {
        let mut rest = text;
        while !rest.is_empty() {
            // A `\r` alone ends a line, and becomes a `\n`: one that is written later to begin an
            // empty line would only join it. Whether it is alone is seen in what follows.
            if self.line.ends_with('\r') && !rest.starts_with('\n') {
                self.line.pop();
                self.end_line("\n", out);
            }
            let end = rest.find(['\n', '\r']).map_or(rest.len(), |it| it + 1);
            let (piece, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            rest = after;
            if let Some(last) = piece.strip_suffix('\n') {
                self.extend(last, out);
                let ending = if self.line.ends_with('\r') {
                    "\r\n"
                } else {
                    "\n"
                };
                self.line.truncate(self.line.len() + 1 - ending.len());
                self.end_line(ending, out);
            } else {
                self.extend(piece, out);
            }
        }
    }

    fn end_line(&mut self, ending: &str, out: &mut String) {
        if std::mem::take(&mut self.long) {
            self.guard.long_line_part(&self.line, out);
        } else {
            self.guard.line(&self.line, out);
        }
        self.line.clear();
        out.push_str(ending);
    }

    /// Appends to the line; what is too long goes on its way in parts, which are cut by the
    /// length of the line alone, so that they do not depend on how the text arrived.
    fn extend(&mut self, text: &str, out: &mut String) {
        let mut rest = text;
        loop {
            let mut room = (MAX_LINE - self.line.len()).min(rest.len());
            while !rest.is_char_boundary(room) {
                room -= 1;
            }
            let (fits, after) = rest.split_at_checked(room).unwrap_or((rest, ""));
            self.line.push_str(fits);
            rest = after;
            if rest.is_empty() {
                return;
            }
            self.write_part(out);
        }
    }

    fn write_part(&mut self, out: &mut String) {
        // What ends here might have no meaning, or another one, without what follows.
        let from = self.line.floor_char_boundary(self.line.len() - MAX_TAIL);
        let tail = self.line.get(from..).unwrap_or_default();
        let cut = from + tail.find(['<', '#', '\\', '\r']).unwrap_or(tail.len());
        let rest = self.line.split_off(cut);
        if self.long {
            self.guard.long_line_part(&self.line, out);
        } else if may_be_fence(&self.line) {
            // What it is would depend on all of it, which cannot be held: so it ends here.
            self.guard.line(&self.line, out);
            out.push('\n');
        } else {
            self.guard.long_line(&self.line, out);
            self.long = true;
        }
        self.line = rest;
    }
}

/// Whether a line of which this is the beginning could be a fence.
fn may_be_fence(line: &str) -> bool {
    line.get(Start::read(line).offset..)
        .and_then(Fence::read)
        .is_some()
}
