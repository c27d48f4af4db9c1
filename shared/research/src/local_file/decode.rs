//! The bytes of an uploaded file as text.
//!
//! Most are UTF-8. What is not was mostly written on an older Windows, and its author cannot always
//! change that; so it is read as what it looks like, and the author is told as what. A byte order mark
//! is no guess.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};

use super::{FileError, Kind};
use crate::plain::{self, Defect};

/// How much of a file is enough to guess from.
const SAMPLE: usize = 128 << 10;

/// The text, and what it was written in.
pub(super) fn decode(content: Vec<u8>, kind: Kind) -> Result<(String, &'static str), FileError> {
    if let Some((encoding, mark)) = Encoding::for_bom(&content)
        && encoding != UTF_8
    {
        let text = decode_as(encoding, content.get(mark..).unwrap_or_default())?;
        return Ok((without_nul(text)?, encoding.name()));
    }
    let is_nul = content.contains(&0);
    match std::str::from_utf8(&content) {
        Ok(_) => Ok((utf8(content)?, UTF_8.name())),
        // Notebooks are JSON, which is UTF-8; and a NUL is in no text that has no mark.
        Err(_) if kind == Kind::Notebook || is_nul => Ok((utf8(content)?, UTF_8.name())),
        Err(_) if is_binary(&content) => Err(FileError::Binary),
        Err(_) => {
            let encoding = guess(&content);
            Ok((decode_as(encoding, &content)?, encoding.name()))
        }
    }
}

fn utf8(content: Vec<u8>) -> Result<String, FileError> {
    // The NUL is what is wrong with it, wherever else it is no UTF-8.
    if let Some(offset) = content.iter().position(|byte| *byte == 0) {
        let before = content.iter().take(offset);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        return Err(FileError::Nul { line });
    }
    plain::text(content).map_err(|defect| match defect {
        Defect::NotUtf8 { offset, line } => FileError::NotUtf8 { offset, line },
        Defect::Nul { line, .. } => FileError::Nul { line },
    })
}

fn without_nul(text: String) -> Result<String, FileError> {
    match text.find('\0') {
        None => Ok(text),
        Some(_) => utf8(text.into_bytes()),
    }
}

/// Strictly: a text with holes is not what was written.
fn decode_as(encoding: &'static Encoding, content: &[u8]) -> Result<String, FileError> {
    let unreadable = FileError::Unreadable {
        encoding: encoding.name(),
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(content);
    let text = text.ok_or(unreadable)?;
    // Of one byte for each letter, everything can be read; what no text has tells that it is none.
    let is_text = !text.chars().any(|it| matches!(it, '\u{80}'..='\u{9f}'));
    if is_text {
        Ok(text.into_owned())
    } else {
        Err(FileError::Binary)
    }
}

fn guess(content: &[u8]) -> &'static Encoding {
    let sample = content.get(..SAMPLE).unwrap_or(content);
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, sample.len() == content.len());
    detector.guess(None, Utf8Detection::Deny)
}

/// Whether there are more control characters than a text has: page breaks, colours, a stray bell.
fn is_binary(content: &[u8]) -> bool {
    let is_control = |byte: &&u8| {
        **byte < 0x20 && !matches!(**byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b) || **byte == 0x7f
    };
    let controls = content.iter().filter(is_control).count();
    controls > 0 && controls * 200 > content.len()
}
