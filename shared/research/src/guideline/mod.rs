//! Article guidelines: what an upload must be, its title, and the sources that it names.
//!
//! A guideline is Markdown that a person wrote. [`Guideline::parse`] accepts an upload or says
//! why not and where; [`extract()`] reads the accepted text as Markdown and lists the sources.

mod bare;

mod extract;
mod extraction;
mod files;
mod html;
mod mentions;
mod title;

use std::fmt;

use crate::plain::{self, Defect};
use crate::url::{CodeHosts, Reach};

pub use self::extract::extract;
pub(crate) use self::extract::front_matter;
pub use self::extraction::{Extraction, Found, LocalFile, SkipReason, Skipped, names_none};

/// The largest guideline that is accepted, in bytes.
pub const MAX_GUIDELINE_BYTES: usize = 1024 * 1024;

/// Why an upload is not a guideline.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GuidelineError {
    /// It is larger than [`MAX_GUIDELINE_BYTES`].
    #[error("the guideline is {size} bytes long; at most {MAX_GUIDELINE_BYTES} are accepted")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// It holds nothing but white space.
    #[error("the guideline is empty")]
    Empty,
    /// It is not UTF-8.
    #[error("the guideline is not UTF-8: byte {offset}, in line {line}, cannot be read")]
    NotUtf8 {
        /// How many bytes come before the first that is wrong.
        offset: usize,
        /// The line it is in; the first is 1.
        line: usize,
    },
    /// It holds a NUL, which no text has and the database refuses.
    #[error("the guideline holds a NUL character: byte {offset}, in line {line}")]
    Nul {
        /// How many bytes come before it.
        offset: usize,
        /// The line it is in; the first is 1.
        line: usize,
    },
}

/// The text of an article guideline.
///
/// ```
/// use nova_research::guideline::{Guideline, GuidelineError};
///
/// # fn main() -> Result<(), GuidelineError> {
/// let guideline = Guideline::parse("\u{feff}# How agents *plan*\n\nSee https://example.com/a.")?;
/// assert_eq!(guideline.title(), "How agents plan");
/// assert_eq!(guideline.extract().other_urls, ["https://example.com/a"]);
///
/// assert_eq!(Guideline::parse(" \n"), Err(GuidelineError::Empty));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Guideline(String);

impl Guideline {
    /// Accepts an upload, without its byte order mark, or says what is wrong with it.
    pub fn parse(upload: impl Into<Vec<u8>>) -> Result<Self, GuidelineError> {
        let bytes = upload.into();
        if bytes.len() > MAX_GUIDELINE_BYTES {
            return Err(GuidelineError::TooLarge { size: bytes.len() });
        }
        let text = plain::text(bytes).map_err(|defect| match defect {
            Defect::NotUtf8 { offset, line } => GuidelineError::NotUtf8 { offset, line },
            Defect::Nul { offset, line } => GuidelineError::Nul { offset, line },
        })?;
        if plain::is_blank(&text) {
            return Err(GuidelineError::Empty);
        }
        Ok(Self(text))
    }

    /// The Markdown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Markdown, without copying.
    pub fn into_string(self) -> String {
        self.0
    }

    /// What the article is to be called: the first heading, else the first line of text.
    pub fn title(&self) -> String {
        title::title(&self.0)
    }

    /// The sources that it names.
    pub fn extract(&self) -> Extraction {
        extract(&self.0)
    }

    /// The addresses of these.
    pub fn cited(&self) -> Vec<String> {
        let sources = self.extract().sources.into_iter();
        sources.map(|it| it.url).collect()
    }

    /// The sources where pages of one's own network are sources as well, and code is on these hosts too.
    pub fn extract_among(&self, reach: Reach, code_hosts: &CodeHosts) -> Extraction {
        extract::extract_among(&self.0, reach, code_hosts)
    }
}

/// Its length, not its text: a guideline is its author's, and logs are read by others.
impl fmt::Debug for Guideline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Guideline({} bytes)", self.0.len())
    }
}
