//! Bitbucket Cloud, as far as code is read from it: its interface, and the archives of its site, which
//! here have the same address.

use std::{collections::BTreeMap, io, ops::Deref};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::header;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

pub use super::repository::Repository;
use super::{Answer, Received, StandIn, knowing::Knowing};

/// The token of a person that it knows, with whose it is.
pub const TOKEN: &str = "who@acme.example:bitbucket-token-of-a-test";

/// A Bitbucket on loopback.
#[derive(Clone)]
pub struct Bitbucket(Knowing<BTreeMap<String, Repository>>);

impl Bitbucket {
    /// One without repositories.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start() -> io::Result<Self> {
        Ok(Self(Knowing::start(answer).await?))
    }

    /// Puts a repository there, as `workspace/name`, in place of what was there.
    pub fn put(&self, name: &str, repository: Repository) {
        self.0.known().insert(name.to_owned(), repository);
    }
}

impl Deref for Bitbucket {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.0
    }
}

fn answer(received: &Received, repositories: &BTreeMap<String, Repository>) -> Answer {
    let authorization = received.header(header::AUTHORIZATION);
    let known = format!("Basic {}", BASE64_STANDARD.encode(TOKEN));
    let is_known = authorization == Some(&*known);
    if authorization.is_some() && !is_known {
        let text = "Token is invalid, expired, or not supported for this endpoint.";
        return message(401, text);
    }
    let path = percent_decode_str(received.path()).decode_utf8_lossy();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (workspace, name, rest) = match parts.as_slice() {
        ["2.0", "repositories", workspace, name, rest @ ..] => (*workspace, *name, rest),
        [workspace, name, "get", archive] => {
            let name = format!("{workspace}/{name}");
            let repository = repositories.get(&name);
            let commit = archive.strip_suffix(".tar.gz").unwrap_or_default();
            return match repository.filter(|it| is_known || !it.is_private) {
                Some(repository) if repository.has(commit) => repository.archive(&name),
                Some(_) => message(404, "Not found"),
                // It shows the page where people sign in.
                None => Answer::new(302, "", "")
                    .header("location", "https://id.atlassian.example/login"),
            };
        }
        _ => return message(404, "Resource not found"),
    };
    let name = format!("{workspace}/{name}");
    match repositories.get(&name) {
        None => message(404, &format!("Repository {name} not found")),
        Some(repository) if repository.is_private && !is_known => message(
            403,
            "You may not have access to this repository or it no longer exists in this workspace.",
        ),
        Some(repository) => of_repository(received, repository, &name, rest),
    }
}

fn of_repository(
    received: &Received,
    repository: &Repository,
    name: &str,
    rest: &[&str],
) -> Answer {
    let commit = repository.commit();
    let target = json!({"type": "commit", "hash": commit});
    match rest {
        [] => Answer::json(
            200,
            &json!({
                "type": "repository", "full_name": name, "is_private": repository.is_private,
                "description": repository.description.as_deref().unwrap_or_default(),
                "mainbranch": (!repository.files.is_empty())
                    .then(|| json!({"type": "branch", "name": "main"})),
            }),
        ),
        ["refs"] => {
            let query = received.parameter("q").unwrap_or_default();
            let (is_exact, text) = match query.split_once(" ~ ") {
                Some((_, text)) => (false, text.trim_matches('"')),
                None => (true, query.trim_start_matches("name = ").trim_matches('"')),
            };
            let named = |kind: &'static str, names: &[String]| -> Vec<Value> {
                names
                    .iter()
                    .filter(|has| *has == text || !is_exact && has.contains(text))
                    .map(|has| json!({"type": kind, "name": has, "target": target}))
                    .collect()
            };
            let mut values = named("branch", &repository.branches);
            values.extend(named("tag", &repository.tags));
            Answer::json(200, &json!({"pagelen": 100, "page": 1, "values": values}))
        }
        ["commit", reference] if *reference == commit => Answer::json(200, &target),
        ["commit", ..] => message(404, "Commit not found"),
        ["src", reference, path @ ..] if *reference == commit => {
            match repository.file(&path.join("/")) {
                Some(bytes) => Answer::new(200, "text/plain", bytes.clone()),
                None => message(404, "No such file or directory"),
            }
        }
        _ => message(404, "Resource not found"),
    }
}

fn message(status: u16, message: &str) -> Answer {
    let error = json!({"type": "error", "error": {"message": message}});
    Answer::json(status, &error)
}
