//! Bitbucket Data Center, as far as code is read from it.
//!
//! What may not be read is 401, also with a good token; the exception's name tells that from a bad one.
//! An archive is a zip unless another format is asked for, and without a prefix in no folder.

use std::{collections::BTreeMap, io, ops::Deref};

use percent_encoding::percent_decode_str;
use serde_json::json;

pub use super::repository::Repository;
use super::{Answer, Received, StandIn, knowing::Knowing};

/// The token that it knows.
pub const TOKEN: &str = "bitbucket-http-token-of-a-test";
/// One of somebody who may read what is public, and no more.
pub const STRANGER: &str = "bitbucket-http-token-of-a-stranger";

/// A Bitbucket Data Center on loopback.
#[derive(Clone)]
pub struct BitbucketDataCenter(Knowing<BTreeMap<String, Repository>>);

impl BitbucketDataCenter {
    /// One without repositories.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start() -> io::Result<Self> {
        Ok(Self(Knowing::start(answer).await?))
    }

    /// Puts a repository there, as `KEY/name`, in place of what was there.
    pub fn put(&self, name: &str, repository: Repository) {
        self.0.known().insert(name.to_ascii_lowercase(), repository);
    }
}

impl Deref for BitbucketDataCenter {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.0
    }
}

fn answer(received: &Received, repositories: &BTreeMap<String, Repository>) -> Answer {
    let bearer = received.bearer();
    if bearer.is_some_and(|token| ![TOKEN, STRANGER].contains(&token)) {
        let text = "Authentication failed. Please check your credentials and try again.";
        let exception = "com.atlassian.bitbucket.auth.IncorrectPasswordAuthenticationException";
        return error(401, text, exception);
    }
    let path = percent_decode_str(received.path()).decode_utf8_lossy();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let [
        "rest",
        "api",
        "latest",
        "projects",
        key,
        "repos",
        name,
        rest @ ..,
    ] = &*parts
    else {
        return Answer::new(404, "text/html", "<title>Page not found</title>");
    };
    let found = repositories.get(&format!("{key}/{name}").to_ascii_lowercase());
    match found {
        None => error(
            404,
            &format!("Repository {key}/{name} does not exist."),
            "com.atlassian.bitbucket.repository.NoSuchRepositoryException",
        ),
        Some(repository) if repository.is_private && bearer != Some(TOKEN) => error(
            401,
            "You are not permitted to access this resource",
            "com.atlassian.bitbucket.AuthorisationException",
        ),
        Some(repository) => of_repository(received, repository, [key, name], rest),
    }
}

fn of_repository(
    received: &Received,
    repository: &Repository,
    [key, name]: [&str; 2],
    rest: &[&str],
) -> Answer {
    let has = |reference: &str| {
        let name = ["refs/heads/", "refs/tags/"]
            .iter()
            .find_map(|kind| reference.strip_prefix(kind));
        repository.has(name.unwrap_or(reference))
    };
    match rest {
        [] => Answer::json(
            200,
            &json!({
                "slug": name, "id": 1, "name": name, "description": repository.description,
                "hierarchyId": "e3c939f9ef4a7fae272e", "scmId": "git", "state": "AVAILABLE",
                "forkable": true, "public": !repository.is_private, "archived": false,
                "project": {"key": key, "id": 1, "name": key, "public": false, "type": "NORMAL"},
            }),
        ),
        ["commits"] if repository.files.is_empty() => error(
            404,
            "The default branch 'refs/heads/main' does not exist.",
            "com.atlassian.bitbucket.repository.NoDefaultBranchException",
        ),
        ["commits"] => {
            let until = received
                .parameter("until")
                .unwrap_or_else(|| "HEAD".to_owned());
            if !has(&until) {
                return no_such_commit(&until, name);
            }
            let commit = repository.commit();
            let value = json!({"id": commit, "displayId": commit.get(..11), "message": "x"});
            let page = json!({"values": [value], "size": 1, "isLastPage": true, "start": 0,
                "limit": 1, "nextPageStart": null});
            Answer::json(200, &page)
        }
        ["raw", path @ ..] => {
            let at = received
                .parameter("at")
                .unwrap_or_else(|| "HEAD".to_owned());
            if !has(&at) {
                return no_such_commit(&at, name);
            }
            let path = path.join("/");
            match repository.file(&path) {
                Some(bytes) => Answer::new(200, "text/plain;charset=UTF-8", bytes.clone()),
                None => error(
                    404,
                    &format!("The path \"{path}\" does not exist at revision \"{at}\""),
                    "com.atlassian.bitbucket.content.NoSuchPathException",
                ),
            }
        }
        ["archive"] => {
            let at = received
                .parameter("at")
                .unwrap_or_else(|| "HEAD".to_owned());
            let format = received.parameter("format");
            if !has(&at) {
                return no_such_commit(&at, name);
            }
            if !matches!(format.as_deref(), Some("tar.gz" | "tgz")) {
                return Answer::new(200, "application/zip", "PK\u{3}\u{4}");
            }
            let prefix = received.parameter("prefix").filter(|it| !it.is_empty());
            let prefix = prefix.map(|it| format!("{}/", it.trim_end_matches('/')));
            repository.archive_in(&format!("{key}/{name}"), &prefix.unwrap_or_default())
        }
        _ => Answer::new(404, "text/html", "<title>Page not found</title>"),
    }
}

fn no_such_commit(reference: &str, name: &str) -> Answer {
    error(
        404,
        &format!("Commit '{reference}' does not exist in repository '{name}'."),
        "com.atlassian.bitbucket.commit.NoSuchCommitException",
    )
}

fn error(status: u16, message: &str, exception: &str) -> Answer {
    let error = json!({"context": null, "message": message, "exceptionName": exception});
    Answer::json(status, &json!({"errors": [error]}))
}
