//! A question for a search: one line of text, not too long for anybody who is asked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest question, in characters. Some of those who are asked take no more.
pub const MAX_QUERY_CHARACTERS: usize = 400;

/// A question, without white space around it or more than a space within.
///
/// ```
/// use nova_research::query::Query;
///
/// # fn main() -> Result<(), nova_research::query::InvalidQuery> {
/// let query = Query::parse("  What is\n MCP? ")?;
/// assert_eq!(query.as_str(), "What is MCP?");
/// assert!(query.is_same(&Query::parse("what is mcp?")?));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Query(String);

/// Why a text is no question.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidQuery {
    /// There is nothing in it.
    #[error("a query must not be empty")]
    Empty,
    /// It is longer than [`MAX_QUERY_CHARACTERS`].
    #[error("a query has at most {MAX_QUERY_CHARACTERS} characters; this one has {0}")]
    TooLong(usize),
    /// It holds a character that no text has.
    #[error("a query must not contain control characters, such as NUL")]
    Unreadable,
}

impl Query {
    /// Reads a question as somebody wrote it.
    pub fn parse(written: &str) -> Result<Self, InvalidQuery> {
        let text = written.split_whitespace().collect::<Vec<_>>().join(" ");
        let characters = text.chars().count();
        if text.is_empty() {
            Err(InvalidQuery::Empty)
        } else if characters > MAX_QUERY_CHARACTERS {
            Err(InvalidQuery::TooLong(characters))
        } else if text.chars().any(char::is_control) {
            Err(InvalidQuery::Unreadable)
        } else {
            Ok(Self(text))
        }
    }

    /// The question.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both ask the same, in whatever case they are written.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.to_lowercase() == other.0.to_lowercase()
    }
}

impl TryFrom<String> for Query {
    type Error = InvalidQuery;

    fn try_from(written: String) -> Result<Self, InvalidQuery> {
        Self::parse(&written)
    }
}

impl From<Query> for String {
    fn from(query: Query) -> Self {
        query.0
    }
}

impl fmt::Display for Query {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_question_is_told_why() {
        let long = "ü".repeat(MAX_QUERY_CHARACTERS + 1);
        for (written, reason) in [
            ("", InvalidQuery::Empty),
            (" \n\t", InvalidQuery::Empty),
            (&*long, InvalidQuery::TooLong(401)),
            ("a\0b", InvalidQuery::Unreadable),
        ] {
            assert_eq!(Query::parse(written), Err(reason), "{written:?}");
        }
        assert!(Query::parse(&"ü".repeat(MAX_QUERY_CHARACTERS)).is_ok());
    }
}
