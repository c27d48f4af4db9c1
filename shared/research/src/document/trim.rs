//! Takes white space from both ends of a text that is still arriving.
//!
//! Whether white space is at the end is known when something else follows, or nothing. Until then
//! it is held, and what is held must not grow without bound: white space of more than
//! [`MAX_WHITE_SPACE`] bytes at one place is shortened to that.

/// How much white space is kept at one place, in bytes.
const MAX_WHITE_SPACE: usize = 16 * 1024;

/// A text without white space at its ends.
#[derive(Default)]
pub(super) struct Trim {
    started: bool,
    held: String,
    /// White space was dropped; and a line ended in it.
    dropped: bool,
    dropped_line: bool,
}

impl Trim {
    /// Passes on what is certainly not at the end.
    pub(super) fn push(&mut self, text: &str, next: &mut dyn FnMut(&str)) {
        let mut rest = text;
        // Pieces are no longer than what may be held, so the white space inside one may stay.
        while !rest.is_empty() {
            let mut length = rest.len().min(MAX_WHITE_SPACE);
            while !rest.is_char_boundary(length) {
                length -= 1;
            }
            let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            rest = after;

            let inner = piece.trim_start();
            self.hold(piece.strip_suffix(inner).unwrap_or_default());
            if inner.is_empty() {
                continue;
            }
            if self.dropped_line {
                self.held.push('\n');
            }
            if !self.held.is_empty() {
                next(&self.held);
                self.held.clear();
            }
            (self.started, self.dropped, self.dropped_line) = (true, false, false);
            let kept = inner.trim_end();
            next(kept);
            self.hold(inner.strip_prefix(kept).unwrap_or_default());
        }
    }

    fn hold(&mut self, white_space: &str) {
        if !self.started {
            return;
        }
        for char in white_space.chars() {
            if self.dropped || self.held.len() + char.len_utf8() > MAX_WHITE_SPACE {
                self.dropped = true;
                self.dropped_line |= matches!(char, '\n' | '\r');
            } else {
                self.held.push(char);
            }
        }
    }
}
