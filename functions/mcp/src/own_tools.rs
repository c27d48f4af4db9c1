//! Tools that are no step of the workflow: which request of which function each of them is.

use nova_runtime::{Problem, parse_id, whole_numbers};
use serde_json::{Map, Value, json};
use url::form_urlencoded::Serializer;

use crate::nova::Ask;

type Arguments = Map<String, Value>;

/// All of them.
pub(crate) const NAMES: [&str; 6] = [
    "upload_article_guideline",
    "request_upload",
    "list_articles",
    "get_article",
    "delete_article",
    "get_usage",
];

/// The request that a tool stands for; `None` for the steps of the workflow.
pub(crate) fn request(tool: &str, arguments: &Arguments) -> Option<Result<Ask, Problem>> {
    Some(match tool {
        "upload_article_guideline" => upload(arguments),
        "request_upload" => Ok(Ask::post(
            "/request_upload",
            &Value::Object(arguments.clone()),
        )),
        "list_articles" => list(arguments),
        "get_article" => article(arguments).map(Ask::get),
        "delete_article" => article(arguments).map(Ask::delete),
        "get_usage" => known(arguments, &[]).map(|()| Ask::get("/usage")),
        _ => return None,
    })
}

/// What the agent reads of the answer.
pub(crate) fn result(tool: &str, arguments: &Arguments, mut answer: Value) -> Value {
    match tool {
        "upload_article_guideline" => {
            // One name for one thing, in all tools.
            let id = answer["article_id"].take();
            json!({"article_guideline_id": id, "title": answer["title"], "message": answer["message"]})
        }
        "delete_article" => {
            json!({"status": "deleted", "article_guideline_id": arguments.get("article_guideline_id")})
        }
        _ => answer,
    }
}

fn upload(arguments: &Arguments) -> Result<Ask, Problem> {
    known(arguments, &["content"])?;
    let content = text(arguments, "content")?;
    Ok(Ask {
        content_type: "text/markdown",
        body: content.to_owned(),
        ..Ask::post("/upload_article_guideline", &Value::Null)
    })
}

fn list(arguments: &Arguments) -> Result<Ask, Problem> {
    known(arguments, &["limit", "cursor"])?;
    let mut query = Serializer::new(String::new());
    for name in ["limit", "cursor"] {
        match arguments.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(value)) => {
                query.append_pair(name, value);
            }
            Some(value) => {
                query.append_pair(name, &whole_numbers(value.clone()).to_string());
            }
        }
    }
    Ok(Ask::get(format!("/articles?{}", query.finish())))
}

fn article(arguments: &Arguments) -> Result<String, Problem> {
    known(arguments, &["article_guideline_id"])?;
    let id = text(arguments, "article_guideline_id")?;
    Ok(format!(
        "/articles/{}",
        parse_id("article_guideline_id", id)?
    ))
}

fn text<'a>(arguments: &'a Arguments, name: &str) -> Result<&'a str, Problem> {
    match arguments.get(name) {
        Some(Value::String(value)) => Ok(value),
        Some(_) => Err(Problem::bad_field(name, "must be a string")),
        None => Err(Problem::bad_field(name, "missing")),
    }
}

/// A typing error is told and not ignored.
fn known(arguments: &Arguments, names: &[&str]) -> Result<(), Problem> {
    match arguments
        .keys()
        .find(|name| !names.contains(&name.as_str()))
    {
        Some(name) => Err(Problem::bad_field(name, "not an argument of this tool")),
        None => Ok(()),
    }
}
