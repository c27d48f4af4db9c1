//! GitLab, as far as code is read from it.
//!
//! Projects are named by their whole path, of which the slashes are encoded, as are those of
//! references and files: what comes as several parts is not found, as on GitLab.

use std::{collections::BTreeMap, io, ops::Deref};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

pub use super::repository::Repository;
use super::{Answer, Received, StandIn, knowing::Knowing};

/// The token that it knows.
pub const TOKEN: &str = "gitlab-token-of-a-test";

/// A GitLab on loopback.
#[derive(Clone)]
pub struct Gitlab(Knowing<BTreeMap<String, Repository>>);

impl Gitlab {
    /// One without projects.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start() -> io::Result<Self> {
        Ok(Self(Knowing::start(answer).await?))
    }

    /// Puts a project there, as `group/group/name`, in place of what was there.
    pub fn put(&self, path: &str, project: Repository) {
        self.0.known().insert(path.to_owned(), project);
    }
}

impl Deref for Gitlab {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.0
    }
}

fn answer(received: &Received, projects: &BTreeMap<String, Repository>) -> Answer {
    let is_known = received.bearer() == Some(TOKEN);
    if received.bearer().is_some() && !is_known {
        return message(401, "401 Unauthorized");
    }
    let parts: Vec<String> = received
        .path()
        .trim_start_matches('/')
        .split('/')
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let ["api", "v4", "projects", path, rest @ ..] = parts.as_slice() else {
        return message(404, "404 Not Found");
    };
    let project = projects.get(*path);
    let Some(project) = project.filter(|it| is_known || !it.is_private) else {
        return message(404, "404 Project Not Found");
    };
    of_project(received, project, path, rest)
}

fn of_project(received: &Received, project: &Repository, path: &str, rest: &[&str]) -> Answer {
    let names_one = |parameter| {
        let reference = received.parameter(parameter);
        reference.is_some_and(|it| project.has(&it))
    };
    let commit = project.commit();
    match rest {
        [] => Answer::json(
            200,
            &json!({
                "id": 1, "path_with_namespace": path, "description": project.description,
                "default_branch": "main", "empty_repo": project.files.is_empty(),
                "visibility": if project.is_private { "private" } else { "public" },
            }),
        ),
        ["repository", "commits", reference]
            if project.has(reference) && !project.files.is_empty() =>
        {
            Answer::json(
                200,
                &json!({"id": commit, "short_id": commit.get(..8), "title": "x"}),
            )
        }
        ["repository", "commits", _] => message(404, "404 Commit Not Found"),
        ["repository", kind @ ("branches" | "tags")] => {
            let names = if *kind == "branches" {
                &project.branches
            } else {
                &project.tags
            };
            let search = received.parameter("search").unwrap_or_default();
            let found: Vec<Value> = names
                .iter()
                .filter(|name| match search.strip_prefix('^') {
                    Some(first) => name.starts_with(first),
                    None => name.contains(&search),
                })
                .map(|name| json!({"name": name, "commit": {"id": commit}}))
                .collect();
            Answer::json(200, &Value::from(found))
        }
        ["repository", "files", path, "raw"] if names_one("ref") => match project.file(path) {
            Some(bytes) => Answer::new(200, "application/octet-stream", bytes.clone()),
            None => message(404, "404 File Not Found"),
        },
        ["repository", "archive.tar.gz"] if names_one("sha") => project.archive(path),
        _ => message(404, "404 Not Found"),
    }
}

fn message(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({"message": message}))
}
