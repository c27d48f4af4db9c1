//! Files that authors upload, as Markdown for the research document.
//!
//! A [`FileName`] is checked once; [`read`] makes the Markdown: Markdown stays, notebooks are
//! written cell by cell, everything else is a block of code in its language. [`compare`] puts
//! beside each other what a guideline names and what there is.
//!
//! ```
//! use nova_research::local_file::{FileName, read};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let name = FileName::parse("code/memory.py")?;
//! assert_eq!(read(&name, b"keep = []\n".to_vec())?, "```python\nkeep = []\n```\n");
//!
//! let photo = FileName::parse("photo.png")?;
//! assert!(read(&photo, b"\x89PNG".to_vec()).is_err());
//! # Ok(())
//! # }
//! ```

mod expected;
mod kinds;
mod name;

use crate::fence::fenced;
use crate::notebook::{self, NotebookError};
use crate::plain::{self, Defect};

pub use self::expected::{Expected, compare, position};
pub use self::kinds::{Kind, endings};
pub use self::name::{FileName, MAX_NAME_BYTES, NameError};

/// The largest file that is taken, in bytes as uploaded.
pub const MAX_FILE_BYTES: usize = 8 << 20;

/// The most files of one article.
pub const MAX_FILES: usize = 200;

/// The most that all files of one article may come to, in bytes of Markdown.
pub const MAX_TOTAL_BYTES: u64 = 64 << 20;

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Its name has none of the known endings.
    #[error(
        "this type of file is not taken; upload code, notebooks (.ipynb), Markdown (.md) and other text"
    )]
    UnknownKind,
    /// It is larger than [`MAX_FILE_BYTES`].
    #[error("it is larger than {} MiB", MAX_FILE_BYTES >> 20)]
    TooLarge,
    /// It has nothing to read.
    #[error("it is empty")]
    Empty,
    /// It is neither UTF-8 nor marked as UTF-16.
    #[error(
        "it is not UTF-8: byte {offset}, in line {line}, cannot be read. Save it as UTF-8 and upload it again"
    )]
    NotUtf8 {
        /// How many bytes come before the first that is wrong.
        offset: usize,
        /// The line it is in; the first is 1.
        line: usize,
    },
    /// It is marked as UTF-16, and is not that.
    #[error(
        "it begins as UTF-16 and goes on as something else. Save it as UTF-8 and upload it again"
    )]
    NotUtf16,
    /// It holds a NUL, which no text has.
    #[error("it holds a NUL character in line {line}, which no text has")]
    Nul {
        /// The line it is in; the first is 1.
        line: usize,
    },
    /// It is called a notebook, and is none.
    #[error(transparent)]
    Notebook(#[from] NotebookError),
    /// The article has [`MAX_FILES`] already.
    #[error("there are {MAX_FILES} files already; delete one first")]
    TooMany,
    /// The article's files would come to more than [`MAX_TOTAL_BYTES`].
    #[error("all files together would come to more than {} MiB; delete some first", MAX_TOTAL_BYTES >> 20)]
    TotalTooLarge,
}

/// Writes a file as Markdown, or says why it cannot be taken.
pub fn read(name: &FileName, content: Vec<u8>) -> Result<String, FileError> {
    let kind = name.kind().ok_or(FileError::UnknownKind)?;
    if content.len() > MAX_FILE_BYTES {
        return Err(FileError::TooLarge);
    }
    let text = decode(content)?;
    if plain::is_blank(&text) {
        return Err(FileError::Empty);
    }
    let mut markdown = match kind {
        Kind::Markdown => return Ok(text),
        Kind::Notebook => notebook::read(&text)?,
        Kind::Code(language) => fenced(text.trim_end_matches(['\r', '\n']), language),
    };
    if markdown.is_empty() {
        return Err(FileError::Empty);
    }
    markdown.push('\n');
    Ok(markdown)
}

/// Whether there is room for a file of `size` bytes of Markdown beside those that are there, each
/// with its name and size; one of the same name gives way.
pub fn check_room<'a>(
    there: impl IntoIterator<Item = (&'a str, u64)>,
    name: &FileName,
    size: u64,
) -> Result<(), FileError> {
    let others = there
        .into_iter()
        .filter(|(other, _)| *other != name.as_str());
    let (count, total) = others.fold((1, size), |(count, total), (_, size)| {
        (count + 1, total.saturating_add(size))
    });
    if count > MAX_FILES {
        return Err(FileError::TooMany);
    }
    if total > MAX_TOTAL_BYTES {
        return Err(FileError::TotalTooLarge);
    }
    Ok(())
}

/// Reads bytes as text: UTF-8, or UTF-16 if a byte order mark says so. A guess could be wrong
/// without anybody seeing it, so nothing else is read.
fn decode(content: Vec<u8>) -> Result<String, FileError> {
    let content = match content.get(..2) {
        Some(b"\xff\xfe") => from_utf16(&content, u16::from_le_bytes)?,
        Some(b"\xfe\xff") => from_utf16(&content, u16::from_be_bytes)?,
        _ => content,
    };
    plain::text(content).map_err(|defect| match defect {
        Defect::NotUtf8 { offset, line } => FileError::NotUtf8 { offset, line },
        Defect::Nul { line, .. } => FileError::Nul { line },
    })
}

fn from_utf16(content: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Vec<u8>, FileError> {
    let (pairs, rest) = content.as_chunks::<2>();
    let text: Result<String, _> =
        char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(text.into_bytes()),
        _ => Err(FileError::NotUtf16),
    }
}
