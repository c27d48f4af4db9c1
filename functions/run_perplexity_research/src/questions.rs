//! The arguments: a list of questions.

use nova_research::query::Query;
use nova_runtime::Problem;
use serde::{Deserialize, Serialize};

/// Questions of one call; each is paid for.
const MOST: usize = 20;

/// Questions, each once.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Questions {
    #[serde(deserialize_with = "each_once")]
    queries: Vec<Query>,
}

impl Questions {
    /// Refuses too few and too many.
    pub(super) fn check(&self) -> Result<(), Problem> {
        match self.queries.len() {
            0 => Err(Problem::bad_field(
                "queries",
                "must hold at least one query",
            )),
            1..=MOST => Ok(()),
            more => Err(Problem::bad_field(
                "queries",
                format!("at most {MOST} queries are taken at once; these are {more}"),
            )),
        }
    }

    pub(super) fn texts(&self) -> Vec<String> {
        let queries = self.queries.iter();
        queries.map(|query| query.as_str().to_owned()).collect()
    }
}

/// The same question in another case, or with other white space, is asked once.
fn each_once<'de, D: serde::Deserializer<'de>>(list: D) -> Result<Vec<Query>, D::Error> {
    let mut queries: Vec<Query> = Vec::new();
    for query in Vec::<Query>::deserialize(list)? {
        if !queries.iter().any(|known| known.is_same(&query)) {
            queries.push(query);
        }
    }
    Ok(queries)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn read(queries: &Value) -> Result<Vec<String>, String> {
        let questions: Questions =
            from_value(json!({ "queries": queries })).map_err(|error| error.to_string())?;
        let checked = questions.check();
        checked.map_err(|problem| problem.detail().to_owned())?;
        Ok(questions.texts())
    }

    #[test]
    fn the_same_question_is_asked_once() {
        let read = read(&json!(["  What is MCP? ", "what is\nmcp?", "Why?"]));
        assert_eq!(read.unwrap(), ["What is MCP?", "Why?"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let many: Vec<String> = (0..21).map(|nth| format!("Question {nth}?")).collect();
        for (queries, reason) in [
            (json!([]), "queries: must hold at least one query"),
            (
                json!(many),
                "queries: at most 20 queries are taken at once; these are 21",
            ),
            // Whoever reads the arguments says which.
            (json!(["ok", " "]), "a query must not be empty"),
            (
                json!(["x".repeat(401)]),
                "a query has at most 400 characters; this one has 401",
            ),
            (
                json!(["a\0"]),
                "a query must not contain control characters, such as NUL",
            ),
        ] {
            assert_eq!(read(&queries).unwrap_err(), reason);
        }
    }
}
