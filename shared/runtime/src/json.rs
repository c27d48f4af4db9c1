//! JSON that a stranger sent.

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

use crate::problem::Problem;

/// As much memory as the values of a body may take, beside the letters of its strings: some thousand
/// numbers, or a thousand small objects.
const MEMORY_BYTES: usize = 1 << 20;

/// Refuses JSON that is small as a text and large in memory.
///
/// # Errors
///
/// 413.
pub fn check_json(body: &[u8]) -> Result<(), Problem> {
    if nova_web::json::memory_of(body) <= MEMORY_BYTES {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        "Too large",
        "The JSON has too many values: names and short lists are expected here.",
    ))
}

/// Reads arguments, in which whole numbers may be written with a point.
///
/// # Errors
///
/// 400 that names the field which does not fit.
pub(crate) fn read_arguments<T: DeserializeOwned>(arguments: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(whole_numbers(arguments)).map_err(|error| {
        let field = error.path().to_string();
        match field.as_str() {
            // Of all together: one that is missing, or that nobody knows.
            "." => Problem::bad_request(format!("The arguments do not fit: {}.", error.inner())),
            field => Problem::bad_field(field, error.inner()),
        }
    })
}

/// The same with every number that has no fraction written as an integer. To JSON Schema `5.0` is one
/// (since draft 6), and programs whose numbers are all of one kind write it so; to serde it is none.
pub fn whole_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(whole(number)),
        Value::Array(values) => values.into_iter().map(whole_numbers).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            fields.map(|(name, it)| (name, whole_numbers(it))).collect()
        }
        other => other,
    }
}

fn whole(number: Number) -> Number {
    let written = number.as_f64().filter(|_| number.is_f64());
    // Rust writes all digits of a float and no exponent, and no point where there is no fraction.
    let whole = written.and_then(|it| it.to_string().parse::<i64>().ok());
    whole.map_or(number, Number::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_a_fraction_is_an_integer_however_it_is_written() {
        for (given, kept) in [
            (
                r#"{"a":5.0,"b":[{"c":1e3}]}"#,
                r#"{"a":5,"b":[{"c":1000}]}"#,
            ),
            (
                "[-0.0,-2.0,0.5,18446744073709551615]",
                "[0,-2,0.5,18446744073709551615]",
            ),
            ("[1e300]", "[1e300]"),
            (r#"["5.0",null,true]"#, r#"["5.0",null,true]"#),
        ] {
            let value = serde_json::from_str(given).unwrap();
            assert_eq!(whole_numbers(value).to_string().replace("e+", "e"), kept);
        }
    }
}
