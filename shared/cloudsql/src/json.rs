//! What others write as JSON: read with lenience, and never quoted.

use serde::{Deserialize, Deserializer};

/// For a field that may be left out or be `null`: both say that there is nothing.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The place of a fault only; the text around it could be a secret.
pub(crate) fn without_text(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "not what was expected",
        serde_json::error::Category::Eof => "cut off",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "not JSON",
    };
    format!("{what} at line {}, column {}", error.line(), error.column())
}
