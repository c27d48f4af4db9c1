use std::fmt;

/// The subject of a verified token: not empty, at most 255 bytes, no control characters.
///
/// It is checked once, here. Whoever holds one may put it into a log line, a header or a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(String);

/// Why a text is not a [`UserId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a user id has 1 to {} bytes and no control characters",
    UserId::MAX_BYTES
)]
pub struct InvalidUserId;

impl UserId {
    /// Longest user id, in bytes: what `OpenID` Connect allows for a subject.
    pub const MAX_BYTES: usize = 255;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = InvalidUserId;

    fn try_from(text: String) -> Result<Self, InvalidUserId> {
        if text.is_empty() || text.len() > Self::MAX_BYTES || text.chars().any(char::is_control) {
            return Err(InvalidUserId);
        }
        Ok(Self(text))
    }
}

impl std::str::FromStr for UserId {
    type Err = InvalidUserId;

    fn from_str(text: &str) -> Result<Self, InvalidUserId> {
        Self::try_from(text.to_owned())
    }
}

impl AsRef<str> for UserId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_checked_text_becomes_a_user_id() {
        for accepted in [
            "alice",
            "auth0|5f7c8ec7c33c6c004bbafe82",
            "Zoë O'Neil",
            "a\\b",
            &"x".repeat(255),
        ] {
            assert_eq!(accepted.parse::<UserId>().unwrap().as_str(), accepted);
        }
        for refused in ["", "a\nb", "a\0", "\u{85}", &"x".repeat(256)] {
            assert_eq!(refused.parse::<UserId>(), Err(InvalidUserId), "{refused:?}");
        }
    }
}
