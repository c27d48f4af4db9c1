//! A tree of HTML as Markdown.
//!
//! The writer walks the tree once, step by step and never calling itself, and writes each block
//! when it is over. What it writes is CommonMark with GitHub's tables and footnotes:
//!
//! - Code keeps its language, wherever the highlighter put it, and loses its line numbers.
//! - Links and pictures are absolute. A picture is a link, `[image: Alt](url)`: whoever reads this
//!   reads text, and nothing loads a picture because it read a page.
//! - What leads to the page itself is text: permalinks of headings go, notes become `[^1]`.
//! - Text that looks like Markdown or HTML is escaped; no HTML but `<br>` in cells is written.

mod code;
mod frame;
mod line;
mod line_start;
mod link;
mod math;
mod plan;
mod table;
mod writer;

pub(super) use self::link::Base;

use super::dom::{Dom, NodeId};
use super::mask::Mask;

/// A part of a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) roots: &'a [NodeId],
    /// What is left out.
    pub(super) dropped: &'a Mask,
}

/// Writes a part of a page.
pub(super) fn write(dom: &Dom, piece: Piece<'_>, base: &Base) -> String {
    writer::Writer::new(dom, piece, base).write()
}

/// Lines of text as one paragraph that keeps them.
pub(super) fn escaped_lines(lines: &[&str]) -> String {
    let mut paragraph = line::Line::default();
    for (number, text) in lines.iter().enumerate() {
        if number > 0 {
            paragraph.line_break();
        }
        paragraph.text(text);
    }
    paragraph.take()
}
