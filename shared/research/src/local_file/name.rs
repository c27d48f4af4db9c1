//! Names of uploaded files: kept as they are where that is safe, refused where it is not.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use super::kinds::{self, Kind};

/// Longer paths are not names of files, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// Why a name is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameError {
    /// There is none.
    #[error("it has no name")]
    Empty,
    /// It is longer than [`MAX_NAME_BYTES`].
    #[error("its name is longer than {MAX_NAME_BYTES} bytes")]
    TooLong,
    /// It begins at a root, a drive or somebody's home.
    #[error("its name must be relative: without a leading /, ~ or drive")]
    NotRelative,
    /// It leads out of its folder.
    #[error("its name must not contain `..`")]
    Climbs,
    /// It has a folder or a file without a name.
    #[error("its name has an empty part between slashes")]
    EmptyPart,
    /// It has white space at an end of a part, which nobody sees.
    #[error("its name has white space beside a slash or at an end")]
    Edge,
    /// It uses the other slash, which is part of a name to some and separates names to others.
    #[error("its name contains a backslash; separate folders by /")]
    Backslash,
    /// It has a character that shows nothing or turns the text around it.
    #[error("its name contains the invisible character U+{code:04X}")]
    Invisible {
        /// The character's number.
        code: u32,
    },
}

/// The name of an uploaded file: a relative path, in Unicode's composed form (NFC), under which it
/// is kept and compared.
///
/// ```
/// use nova_research::local_file::FileName;
///
/// # fn main() -> Result<(), nova_research::local_file::NameError> {
/// assert_eq!(FileName::parse("./code/cafe\u{301}.py")?.as_str(), "code/café.py");
/// assert!(FileName::parse("../secret.md").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FileName(String);

impl FileName {
    /// Takes a name as a stranger's machine gave it, or says what is wrong with it.
    pub fn parse(given: &str) -> Result<Self, NameError> {
        // Composing makes no text shorter than a third of what it was.
        if given.len() > 3 * MAX_NAME_BYTES {
            return Err(NameError::TooLong);
        }
        let composed = composed(given);
        if let Some(code) = composed.chars().find(|it| is_invisible(*it)) {
            return Err(NameError::Invisible { code: code.into() });
        }
        if composed.contains('\\') {
            return Err(NameError::Backslash);
        }
        if composed.trim().is_empty() {
            return Err(NameError::Empty);
        }
        let mut start = composed.chars();
        let (first, second) = (start.next(), start.next());
        let is_drive = first.is_some_and(|it| it.is_ascii_alphabetic()) && second == Some(':');
        if is_drive || first == Some('/') || composed.starts_with("~/") {
            return Err(NameError::NotRelative);
        }
        let parts: Vec<&str> = composed.split('/').filter(|part| *part != ".").collect();
        for part in &parts {
            match *part {
                "" => return Err(NameError::EmptyPart),
                ".." => return Err(NameError::Climbs),
                part if part.trim() != part => return Err(NameError::Edge),
                _ => {}
            }
        }
        let name = parts.join("/");
        match name.len() {
            0 => Err(NameError::Empty),
            length if length > MAX_NAME_BYTES => Err(NameError::TooLong),
            _ => Ok(Self(name)),
        }
    }

    /// The whole path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How it is written down; `None` if it is not taken.
    pub fn kind(&self) -> Option<Kind> {
        kinds::kind(last_part(&self.0))
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Unicode's composed form: what two machines write differently and people read as the same.
pub(super) fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// The file without its folders.
pub(super) fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Characters that a name is not seen to have: controls, marks of direction, spaces without
/// width, ends of lines. Joiners stay, without which Persian and emoji are spelled wrongly. What a
/// machine could not read (`U+FFFD`) is no name either.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}'
            | '\u{e0000}'..='\u{e007f}')
}
