//! Uploads as text: UTF-8 without byte order mark and without NUL, or where that ends.

/// What no text has, and where: how many bytes come before it, and the line it is in, from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Defect {
    NotUtf8 { offset: usize, line: usize },
    Nul { offset: usize, line: usize },
}

/// Reads bytes as text, without copying them.
pub(crate) fn text(bytes: Vec<u8>) -> Result<String, Defect> {
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let line = line_at(error.as_bytes(), offset);
        Defect::NotUtf8 { offset, line }
    })?;
    if let Some(offset) = text.find('\0') {
        let line = line_at(text.as_bytes(), offset);
        return Err(Defect::Nul { offset, line });
    }
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// Whether there is nothing to read.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars()
        .all(|it| it.is_whitespace() || matches!(it, '\u{feff}' | '\u{200b}'))
}

fn line_at(bytes: &[u8], offset: usize) -> usize {
    1 + bytes
        .iter()
        .take(offset)
        .filter(|&&byte| byte == b'\n')
        .count()
}
