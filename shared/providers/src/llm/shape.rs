//! What an answer has to look like: JSON Schema, as much of it as every provider understands.
//!
//! Every field of an object is required, because OpenAI's strict mode knows no other. Limits are
//! told to the model in the descriptions and checked here: as keywords they make Gemini refuse a
//! schema as too complex, and OpenAI as unknown.

use serde_json::{Map, Value, json};

/// The shape of a JSON value.
#[derive(Clone, Debug)]
pub struct Shape {
    kind: Kind,
    about: String,
}

#[derive(Clone, Debug)]
enum Kind {
    Text { longest: usize },
    Integer { from: i64, to: i64 },
    List { of: Box<Shape>, at_most: usize },
    Object(Vec<(&'static str, Shape)>),
}

/// How the providers write the same schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// JSON Schema in OpenAI's strict mode.
    JsonSchema,
    /// Google's `responseSchema`, whose types are in capitals.
    Google,
}

impl Shape {
    const fn new(kind: Kind) -> Self {
        Self {
            kind,
            about: String::new(),
        }
    }

    /// Text of at most so many characters.
    pub const fn text(longest: usize) -> Self {
        Self::new(Kind::Text { longest })
    }

    /// A whole number within these, both included.
    pub const fn integer(from: i64, to: i64) -> Self {
        Self::new(Kind::Integer { from, to })
    }

    /// At most so many of one shape.
    pub fn list(of: Self, at_most: usize) -> Self {
        let of = Box::new(of);
        Self::new(Kind::List { of, at_most })
    }

    /// An object with all of these fields. Models write them in this order: what is to be thought
    /// of first comes first.
    pub fn object<const N: usize>(fields: [(&'static str, Self); N]) -> Self {
        Self::new(Kind::Object(fields.into()))
    }

    /// Says what it means, for the model.
    #[must_use]
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    /// As a schema for the provider.
    pub(crate) fn schema(&self, dialect: Dialect) -> Value {
        let mut schema = Map::new();
        let name = match &self.kind {
            Kind::Text { .. } => "string",
            Kind::Integer { .. } => "integer",
            Kind::List { of, .. } => {
                schema.insert("items".to_owned(), of.schema(dialect));
                "array"
            }
            Kind::Object(fields) => {
                let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
                let properties: Map<String, Value> = fields
                    .iter()
                    .map(|(name, shape)| ((*name).to_owned(), shape.schema(dialect)))
                    .collect();
                schema.insert("properties".to_owned(), properties.into());
                schema.insert("required".to_owned(), json!(names));
                let extra = match dialect {
                    Dialect::JsonSchema => ("additionalProperties", json!(false)),
                    Dialect::Google => ("propertyOrdering", json!(names)),
                };
                schema.insert(extra.0.to_owned(), extra.1);
                "object"
            }
        };
        let name = match dialect {
            Dialect::JsonSchema => name.to_owned(),
            Dialect::Google => name.to_ascii_uppercase(),
        };
        schema.insert("type".to_owned(), name.into());
        let about = self.words();
        if !about.is_empty() {
            schema.insert("description".to_owned(), about.into());
        }
        schema.into()
    }

    /// What it means, and its limits.
    fn words(&self) -> String {
        let limit = match &self.kind {
            Kind::Text { longest } => format!("At most {longest} characters."),
            Kind::Integer { from, to } => format!("From {from} to {to}."),
            Kind::List { at_most, .. } => format!("At most {at_most}."),
            Kind::Object(_) => String::new(),
        };
        format!("{} {limit}", self.about).trim().to_owned()
    }

    /// Reads an answer: JSON alone, or in one Markdown fence, as models without a JSON mode write it.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where, in words for the model.
    pub(crate) fn read(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let fenced = text
            .strip_prefix("```json")
            .or_else(|| text.strip_prefix("```"))
            .and_then(|text| text.strip_suffix("```"));
        let value: Value = serde_json::from_str(fenced.unwrap_or(text))
            .map_err(|error| format!("it is not JSON: {error}"))?;
        self.fit(value, "the answer")
    }

    /// The value, without what nobody asked for.
    fn fit(&self, value: Value, place: &str) -> Result<Value, String> {
        match (&self.kind, value) {
            (Kind::Text { longest }, Value::String(text)) => {
                if text.chars().nth(*longest).is_some() {
                    return Err(format!("{place} is longer than {longest} characters"));
                }
                // No text of the database holds it, and no reader misses it.
                Ok(text.replace('\0', "").into())
            }
            (Kind::Integer { from, to }, value) => match value.as_i64() {
                Some(number) if (*from..=*to).contains(&number) => Ok(number.into()),
                _ => Err(format!("{place} is no whole number from {from} to {to}")),
            },
            (Kind::List { of, at_most }, Value::Array(values)) => {
                if values.len() > *at_most {
                    let length = values.len();
                    return Err(format!("{place} has {length} entries, more than {at_most}"));
                }
                let values = values.into_iter().enumerate();
                values
                    .map(|(index, value)| of.fit(value, &format!("{place}[{index}]")))
                    .collect()
            }
            (Kind::Object(fields), Value::Object(mut values)) => {
                let mut fitting = Map::new();
                for (name, shape) in fields {
                    let value = values
                        .remove(*name)
                        .ok_or_else(|| format!("{place} lacks {name}"))?;
                    let value = shape.fit(value, &format!("{place}.{name}"))?;
                    fitting.insert((*name).to_owned(), value);
                }
                Ok(fitting.into())
            }
            (kind, _) => Err(format!("{place} is not {}", kind.name())),
        }
    }
}

impl Kind {
    const fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Integer { .. } => "a whole number",
            Self::List { .. } => "a list",
            Self::Object(_) => "an object",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection() -> Shape {
        Shape::object([
            ("reason", Shape::text(20).about("Why.")),
            ("keep", Shape::list(Shape::integer(1, 3), 2)),
        ])
    }

    #[test]
    fn both_dialects_say_the_same_and_limits_are_words() {
        let google = selection().schema(Dialect::Google);
        assert_eq!(
            google,
            json!({
                "type": "OBJECT",
                "required": ["reason", "keep"],
                "propertyOrdering": ["reason", "keep"],
                "properties": {
                    "reason": {"type": "STRING", "description": "Why. At most 20 characters."},
                    "keep": {"type": "ARRAY", "description": "At most 2.",
                             "items": {"type": "INTEGER", "description": "From 1 to 3."}},
                },
            })
        );
        let strict = selection().schema(Dialect::JsonSchema);
        assert_eq!(strict["additionalProperties"], json!(false));
        assert_eq!(strict["properties"]["keep"]["items"]["type"], "integer");
        assert_eq!(strict["required"], google["required"]);
    }

    #[test]
    fn an_answer_that_fits_is_read_without_what_nobody_asked_for() {
        let wanted = json!({"reason": "good", "keep": [3, 1]});
        let mut said = wanted.clone();
        said["confidence"] = json!(0.9);
        for text in [
            said.to_string(),
            format!("  ```json\n{said}\n```\n"),
            format!("```\n{said:#}```"),
        ] {
            assert_eq!(selection().read(&text), Ok(wanted.clone()), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        let good = json!({"reason": "", "keep": []});
        for (place, value, complaint) in [
            (
                "/keep",
                json!([1, 9]),
                "the answer.keep[1] is no whole number from 1 to 3",
            ),
            (
                "/keep",
                json!([1, 1.5]),
                "the answer.keep[1] is no whole number from 1 to 3",
            ),
            (
                "/keep",
                json!([1, "2"]),
                "the answer.keep[1] is no whole number from 1 to 3",
            ),
            (
                "/keep",
                json!([1, 2, 3]),
                "the answer.keep has 3 entries, more than 2",
            ),
            ("/keep", json!({}), "the answer.keep is not a list"),
            (
                "/reason",
                json!("ä".repeat(21)),
                "the answer.reason is longer than 20 characters",
            ),
            ("/reason", json!(null), "the answer.reason is not text"),
        ] {
            let mut answer = good.clone();
            *answer.pointer_mut(place).unwrap() = value;
            assert_eq!(
                selection().read(&answer.to_string()),
                Err(complaint.to_owned())
            );
        }
        let prose = selection().read("Here is my selection: {}").unwrap_err();
        assert!(prose.starts_with("it is not JSON: "), "{prose}");
        assert_eq!(
            selection().read("[]"),
            Err("the answer is not an object".to_owned())
        );
        let lacks = selection().read("{}").unwrap_err();
        assert_eq!(lacks, "the answer lacks reason");
    }
}
