//! HTML character references, as far as URLs meet them.
//!
//! A URL in Markdown or HTML writes `&` as `&amp;`, and text that was escaped once too often ends
//! one with `&quot;` or `&gt;`. Other names (`&copy;`) are left alone: in a URL `&copy=1` is far
//! more often a parameter.

/// No reference that is decoded here is longer, in bytes, with `&` and `;`.
const LONGEST: usize = 10;

/// The character of a reference at the beginning of the text, and the reference's length.
pub(crate) fn decode_first(text: &str) -> Option<(char, usize)> {
    let body = text.strip_prefix('&')?;
    let end = body.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let name = body.get(..end)?;
    let char = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|&it| it != '\0')?
        }
    };
    Some((char, end + 2))
}

/// A text with its references decoded.
pub(crate) fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, _)) = rest.split_once('&') {
        decoded.push_str(before);
        let from = rest.get(before.len()..).unwrap_or_default();
        let (char, length) = decode_first(from).unwrap_or(('&', 1));
        decoded.push(char);
        rest = from.get(length..).unwrap_or_default();
    }
    decoded.push_str(rest);
    decoded
}
