//! Tables, as GitHub writes them, without padding: it costs tokens and tells nothing.

use std::fmt::Write as _;

/// A table while it is read.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    row: Vec<String>,
}

impl Table {
    /// Adds a cell. One that spans others leaves them empty.
    pub(super) fn cell(&mut self, text: String, columns: usize) {
        self.row.push(text);
        for _ in 1..columns.min(16) {
            self.row.push(String::new());
        }
    }

    pub(super) fn end_row(&mut self) {
        let row = std::mem::take(&mut self.row);
        if row.iter().any(|it| !it.is_empty()) {
            self.rows.push(row);
        }
    }

    /// The Markdown; the first row is the head, since there must be one. Rows may be shorter than
    /// the head, so only the head is filled up.
    pub(super) fn finish(mut self) -> String {
        self.end_row();
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let mut out = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            if number > 0 {
                out.push('\n');
            }
            out.push('|');
            for cell in row {
                let _ = write!(out, " {cell} |");
            }
            if number == 0 {
                for _ in row.len()..columns {
                    out.push_str("  |");
                }
                out.push_str("\n|");
                for _ in 0..columns {
                    out.push_str(" --- |");
                }
            }
        }
        out
    }
}
