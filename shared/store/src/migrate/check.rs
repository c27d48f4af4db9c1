//! Being built.

use std::fmt;

/// One object that differs between the live schema and the committed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its kind and name, such as `column articles.title`.
    pub object: String,
    /// How the migrations make it; none if they do not.
    pub expected: Option<String>,
    /// How it is; none if it is not there.
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            object,
            expected,
            found,
        } = self;
        match (expected, found) {
            (Some(expected), None) => write!(formatter, "missing: {object}: {expected}"),
            (None, Some(found)) => write!(formatter, "unexpected: {object}: {found}"),
            (expected, found) => {
                let [expected, found] =
                    [expected, found].map(|text| text.as_deref().unwrap_or("nothing"));
                write!(
                    formatter,
                    "changed: {object}: expected {expected}, found {found}"
                )
            }
        }
    }
}
