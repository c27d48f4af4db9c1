//! JSON that a schema holds for.

use serde_json::{Map, Value, json};

/// An example of a `responseSchema`, or of a JSON Schema: lists have one entry, numbers are one.
pub(super) fn example(schema: &Value) -> Value {
    if let Some(word) = schema["enum"].as_array().and_then(|words| words.first()) {
        return word.clone();
    }
    let kind = schema["type"].as_str().unwrap_or_default();
    match kind.to_ascii_lowercase().as_str() {
        "object" => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let fields = properties.map(|(name, schema)| (name.clone(), example(schema)));
            fields.collect::<Map<_, _>>().into()
        }
        "array" => json!([example(&schema["items"])]),
        "integer" | "number" => json!(1),
        "boolean" => json!(true),
        _ => json!("Said by a stand-in."),
    }
}
