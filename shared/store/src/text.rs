//! Texts as the database takes them: PostgreSQL holds no NUL, neither in `text` nor in `jsonb`, and
//! pages, models and providers write what they like.

use std::borrow::Cow;

use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

/// The text without NUL.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', ""))
    } else {
        Cow::Borrowed(text)
    }
}

/// JSON of which no text has a NUL.
pub(crate) fn json(json: &RawValue) -> Cow<'_, RawValue> {
    // In JSON it is always written so; a backslash before it makes it something else.
    if !json.get().contains("\\u0000") {
        return Cow::Borrowed(json);
    }
    let cleaned = serde_json::from_str(json.get()).map(without_nul);
    match cleaned.and_then(|value| to_raw_value(&value)) {
        Ok(cleaned) => Cow::Owned(cleaned),
        // Then the database says what it is.
        Err(_no_value) => Cow::Borrowed(json),
    }
}

fn without_nul(value: Value) -> Value {
    match value {
        Value::String(string) => Value::String(text(&string).into_owned()),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            let fields = fields.map(|(name, it)| (text(&name).into_owned(), without_nul(it)));
            fields.collect()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_taken_out_and_what_only_looks_like_one_stays() {
        assert_eq!(text("a\0b"), "ab");
        for (given, kept) in [
            (r#"{"a\u0000":["\u0000b",1]}"#, r#"{"a":["b",1]}"#),
            (r#""\\u0000""#, r#""\\u0000""#),
            (r#"{"z":1,"a":"\u0001"}"#, r#"{"z":1,"a":"\u0001"}"#),
        ] {
            let given = RawValue::from_string(given.to_owned()).unwrap();
            assert_eq!(json(&given).get(), kept);
        }
    }
}
