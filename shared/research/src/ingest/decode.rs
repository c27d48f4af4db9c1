//! The bytes of a file as text.

use std::borrow::Cow;

use super::kind::Mark;
use crate::page::charset;

/// How much is looked at to tell text from bytes.
const HEAD: usize = 8 << 10;

/// The text of a file, with lines that end in `\n` and without control characters; or what it is.
pub(super) fn text(bytes: &[u8]) -> Result<String, Mark> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) if is_binary(bytes) => return Err(Mark::Binary),
        Err(_) => charset::decode_undeclared(bytes),
    };
    // Some are in most sources of C; many are not.
    let controls = |text: &str| text.bytes().filter(|it| is_control(*it)).count();
    let found = controls(&text);
    if text.contains('\0') && !is_utf16(bytes) || found > 8 && found * 100 > text.len() {
        return Err(Mark::Binary);
    }
    let text = text.trim_start_matches('\u{feff}');
    if found == 0 && !text.contains('\r') {
        return Ok(text.to_owned());
    }
    let mut out = text.replace("\r\n", "\n").replace('\r', "\n");
    out.retain(|it| !it.is_ascii() || !is_control(it as u8));
    Ok(out)
}

/// Whether bytes that are no UTF-8 are no text at all.
fn is_binary(bytes: &[u8]) -> bool {
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    !is_utf16(bytes) && head.contains(&0)
}

fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff])
}

/// Of those of ASCII, what is neither white space nor the beginning of a colour.
const fn is_control(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r') || byte == 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_in_any_encoding() {
        let long = format!("{}é end\n", "a".repeat(1023));
        assert_eq!(text(long.as_bytes()).unwrap(), long);
        assert_eq!(text(b"caf\xe9 cr\xe8me\n").unwrap(), "café crème\n");
        let utf16: Vec<u8> = "\u{feff}Zoë\r\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(text(&utf16).unwrap(), "Zoë\n");
        assert_eq!(text(b"page\x0cbreak\x1b[1m\n").unwrap(), "pagebreak[1m\n");
    }

    #[test]
    fn bytes_are_none() {
        assert_eq!(text(b"\x7fELF\x02\x01\x00\xff"), Err(Mark::Binary));
        assert_eq!(text(b"a\0b"), Err(Mark::Binary));
        assert_eq!(text(&[1; 100]), Err(Mark::Binary));
    }
}
