//! Bytes as text, whatever they were written in.
//!
//! What decides, in this order: a byte order mark, the `charset` of the response, a declaration in
//! the first 1,024 bytes (where the standard wants it), one anywhere in the head (where many
//! pages have it), UTF-8 if the bytes are that, and at last a guess from the bytes themselves.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How far the standard asks to look for a declaration.
const PRESCAN: usize = 1024;

/// How far the head of a page is looked for. Inlined style sheets make heads long.
const LONGEST_HEAD: usize = 256 << 10;

/// How much of a page is enough to guess from.
const SAMPLE: usize = 128 << 10;

/// Reads bytes as text. What cannot be read becomes `U+FFFD`.
///
/// ```
/// use nova_research::page::decode;
///
/// let latin = b"<meta charset=iso-8859-1><p>caf\xe9";
/// assert!(decode(latin, None).ends_with("café"));
/// assert!(decode("é".as_bytes(), Some("text/plain; charset=UTF-8")).ends_with('é'));
/// ```
pub fn decode<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Cow<'a, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return decode_as(encoding, bytes.get(mark..).unwrap_or_default());
    }
    let declared = content_type
        .and_then(charset_of)
        .and_then(|it| Encoding::for_label(it.as_bytes()))
        .or_else(|| declared(bytes));
    match declared {
        // A page which says UTF-8 and is not was copied from elsewhere; so is one of Windows'
        // Latin, which is what servers say that know nothing, when it is good UTF-8.
        Some(encoding) if encoding == UTF_8 || encoding == WINDOWS_1252 => {
            match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) if encoding == UTF_8 && mostly_utf8(bytes) => decode_as(UTF_8, bytes),
                Err(_) if encoding == UTF_8 => decode_as(guess(bytes), bytes),
                Err(_) => decode_as(encoding, bytes),
            }
        }
        Some(encoding) => decode_as(encoding, bytes),
        None => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => decode_as(guess(bytes), bytes),
        },
    }
}

/// What a page is written in, by its beginning: as for [`decode`], which sees all of it.
pub(super) fn of_beginning(bytes: &[u8], content_type: Option<&str>) -> &'static Encoding {
    if let Some((encoding, _mark)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    // It may end in the middle of a letter.
    let is_utf8 =
        std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true);
    let declared = content_type
        .and_then(charset_of)
        .and_then(|it| Encoding::for_label(it.as_bytes()))
        .or_else(|| declared(bytes));
    match declared {
        Some(encoding) if encoding != UTF_8 && encoding != WINDOWS_1252 => encoding,
        _ if is_utf8 => UTF_8,
        Some(encoding) if encoding == WINDOWS_1252 || mostly_utf8(bytes) => encoding,
        _ => guess(bytes),
    }
}

/// Reads bytes of which nothing is declared as text: code may quote any declaration.
#[cfg(feature = "ingest")]
pub(crate) fn decode_undeclared(bytes: &[u8]) -> Cow<'_, str> {
    match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => decode_as(encoding, bytes.get(mark..).unwrap_or_default()),
        None => decode_as(guess(bytes), bytes),
    }
}

fn decode_as<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Cow<'a, str> {
    encoding.decode_without_bom_handling(bytes).0
}

/// Whether some bytes only are wrong, as in a page that was cut off or pasted together.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let mut wrong = 0_usize;
    let mut right = 0_usize;
    for chunk in bytes.utf8_chunks() {
        right += chunk.valid().bytes().filter(|it| !it.is_ascii()).count();
        wrong += usize::from(!chunk.invalid().is_empty());
    }
    wrong * 10 <= right || wrong <= 2
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    // Two bytes for each character, and no mark: every second one of Latin text is NUL.
    let sample = bytes.get(..SAMPLE).unwrap_or(bytes);
    let zeros = |parity: usize| {
        sample
            .iter()
            .skip(parity)
            .step_by(2)
            .filter(|&&it| it == 0)
            .count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let most = sample.len() / 2 * 7 / 10;
    if sample.len() > 3 && odd > most && even * 20 < odd {
        return UTF_16LE;
    }
    if sample.len() > 3 && even > most && odd * 20 < even {
        return UTF_16BE;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, sample.len() == bytes.len());
    detector.guess(None, Utf8Detection::Allow)
}

/// The `charset` parameter of a content type.
pub(super) fn charset_of(content_type: &str) -> Option<&str> {
    let lower = content_type.to_ascii_lowercase();
    let at = lower.find("charset")? + "charset".len();
    let value = content_type
        .get(at..)?
        .trim_start()
        .strip_prefix('=')?
        .trim_start()
        .trim_start_matches(['"', '\'']);
    let end = value
        .find(|it: char| it.is_whitespace() || matches!(it, ';' | '"' | '\'' | '>' | '/'))
        .unwrap_or(value.len());
    value.get(..end).filter(|it| !it.is_empty())
}

/// What a page says of itself, in `<meta>` or in an XML declaration.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..LONGEST_HEAD).unwrap_or(bytes);
    let head = end_of_head(head)
        .and_then(|end| head.get(..end))
        .unwrap_or(head);
    let first = head.get(..PRESCAN).unwrap_or(head);
    declared_in(first).or_else(|| declared_in(head))
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    find(bytes, 0, b"</head").or_else(|| find(bytes, 0, b"<body"))
}

fn declared_in(head: &[u8]) -> Option<&'static Encoding> {
    if head.starts_with(b"<?xml")
        && let Some(end) = find(head, 0, b"?>")
        && let Ok(declaration) = std::str::from_utf8(head.get(..end).unwrap_or_default())
        && let Some((_, label)) = declaration.split_once("encoding=")
        && let Some(label) = label.get(1..).and_then(|it| it.split(['"', '\'']).next())
        && let Some(encoding) = Encoding::for_label(label.as_bytes())
    {
        return Some(utf8_for_utf16(encoding));
    }
    let mut at = 0;
    while let Some(start) = find(head, at, b"<") {
        let rest = head.get(start..).unwrap_or_default();
        if rest.starts_with(b"<!--") {
            at = find(head, start + 4, b"-->")? + 3;
            continue;
        }
        at = start + 1;
        if !rest
            .get(..5)
            .is_some_and(|it| it.eq_ignore_ascii_case(b"<meta"))
        {
            continue;
        }
        let end = find(head, start, b">").unwrap_or(head.len());
        at = end;
        let tag = String::from_utf8_lossy(head.get(start..end).unwrap_or_default());
        if let Some(encoding) =
            charset_of(&tag).and_then(|label| Encoding::for_label(label.as_bytes()))
        {
            return Some(utf8_for_utf16(encoding));
        }
    }
    None
}

/// The declaration was readable as ASCII, so the page is not what it says.
fn utf8_for_utf16(encoding: &'static Encoding) -> &'static Encoding {
    if encoding == UTF_16LE || encoding == UTF_16BE {
        UTF_8
    } else {
        encoding
    }
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    let first = what.first()?;
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|it| it == first)?;
        let here = bytes.get(at..at + what.len())?;
        if here.eq_ignore_ascii_case(what) {
            return Some(at);
        }
        at += 1;
    }
}
