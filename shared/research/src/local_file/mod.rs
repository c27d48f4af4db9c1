//! Files that authors upload, as Markdown for the research document.
//!
//! A [`FileName`] is checked once; [`read`] makes the Markdown: Markdown stays, notebooks are
//! written cell by cell, subtitles as a transcript, everything else is a block of code in its
//! language. [`compare`] puts beside each other what a guideline names and what there is.
//!
//! ```
//! use nova_research::local_file::{FileName, read};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let name = FileName::parse("code/memory.py")?;
//! let file = read(&name, b"keep = []\n".to_vec())?;
//! assert_eq!(file.markdown, "```python\nkeep = []\n```\n");
//!
//! let photo = FileName::parse("photo.png")?;
//! assert!(read(&photo, b"\x89PNG".to_vec()).is_err());
//! # Ok(())
//! # }
//! ```

mod decode;
mod expected;
mod kinds;
mod name;

use crate::captions::subtitles;
use crate::fence::fenced;
use crate::notebook::{self, NotebookError};
use crate::plain;

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
    /// It is a notebook and not UTF-8, which notebooks are.
    #[error(
        "it is not UTF-8: byte {offset}, in line {line}, cannot be read. Save it as UTF-8 and upload it again"
    )]
    NotUtf8 {
        /// How many bytes come before the first that is wrong.
        offset: usize,
        /// The line it is in; the first is 1.
        line: usize,
    },
    /// It begins as one encoding and goes on as something else, or is no text.
    #[error(
        "it cannot be read as {encoding}, which it looks like. Save it as UTF-8 and upload it again"
    )]
    Unreadable {
        /// By its name in the Encoding Standard.
        encoding: &'static str,
    },
    /// It has characters that no text has.
    #[error("it is no text, but bytes")]
    Binary,
    /// It holds a NUL, which no text has.
    #[error("it holds a NUL character in line {line}, which no text has")]
    Nul {
        /// The line it is in; the first is 1.
        line: usize,
    },
    /// It is called a notebook, and is none.
    #[error(transparent)]
    Notebook(#[from] NotebookError),
    /// It is called a file of subtitles, and has none.
    #[error(
        "it has no subtitles: a line such as 00:00:01,000 --> 00:00:02,500 and below it what is said. \
         Where it is another text, call it .txt"
    )]
    NoSubtitles,
    /// The article has [`MAX_FILES`] already.
    #[error("there are {MAX_FILES} files already; delete one first")]
    TooMany,
    /// The article's files would come to more than [`MAX_TOTAL_BYTES`].
    #[error("all files together would come to more than {} MiB; delete some first", MAX_TOTAL_BYTES >> 20)]
    TotalTooLarge,
}

/// A file that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalFile {
    /// Its text as Markdown.
    pub markdown: String,
    /// What it was written in, by its name in the Encoding Standard: `UTF-8`, `windows-1252`. Where it
    /// is neither UTF-8 nor marked, that is a guess which its author has to hear of.
    pub encoding: &'static str,
}

/// Writes a file as Markdown, or says why it cannot be taken.
pub fn read(name: &FileName, content: Vec<u8>) -> Result<LocalFile, FileError> {
    let kind = name.kind().ok_or(FileError::UnknownKind)?;
    if content.len() > MAX_FILE_BYTES {
        return Err(FileError::TooLarge);
    }
    let (text, encoding) = decode::decode(content, kind)?;
    if plain::is_blank(&text) {
        return Err(FileError::Empty);
    }
    let markdown = match kind {
        Kind::Markdown => text,
        Kind::Notebook => ended(notebook::read(&text)?)?,
        Kind::Subtitles => {
            let said = subtitles::read(&text).ok_or(FileError::NoSubtitles)?;
            said.markdown(&[])
        }
        Kind::Code(language) => ended(fenced(text.trim_end_matches(['\r', '\n']), language))?,
    };
    Ok(LocalFile { markdown, encoding })
}

fn ended(mut markdown: String) -> Result<String, FileError> {
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
