//! Text as rows and files can hold it.

use bytes::Bytes;
use nova_runtime::{hex, sha256};
use time::{Date, macros::format_description};

/// Titles and the like are cut here.
const SHORT_CHARACTERS: usize = 500;

/// A page's text as it is kept: no NUL, which no row and no tool of users can hold, and a line end
/// at its end.
pub(crate) fn clean(markdown: &str) -> String {
    let mut text = markdown.replace('\0', "");
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// A piece of a text without NUL.
pub(crate) fn without_nul(piece: Bytes) -> Bytes {
    if piece.contains(&0) {
        piece.iter().copied().filter(|byte| *byte != 0).collect()
    } else {
        piece
    }
}

/// A text's SHA-256 as a word that a row can hold.
pub(crate) fn fingerprint(text: &str) -> String {
    format!("sha256:{}", hex(&sha256(text)))
}

/// One line of reasonable length.
pub(crate) fn short(text: &str) -> String {
    text.chars()
        .map(|it| if it.is_control() { ' ' } else { it })
        .take(SHORT_CHARACTERS)
        .collect()
}

/// A day such as `2026-03-01`.
pub(crate) fn date(text: &str) -> Option<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_row_can_hold_is_left_out() {
        assert_eq!(clean("a\0b \n\n"), "ab\n");
        assert_eq!(short("a\0b\n"), "a b ");
        assert_eq!(short(&"x".repeat(1000)).len(), 500);
    }

    #[test]
    fn a_day_that_there_is_not_is_none() {
        assert!(date("2026-03-01").is_some());
        assert_eq!(date("2026-02-31"), None);
        assert_eq!(date("yesterday"), None);
    }
}
