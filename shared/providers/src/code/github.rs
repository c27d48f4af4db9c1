//! GitHub, and GitHub Enterprise.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{StatusCode, header};
use nova_runtime::fetch::FetchRequest;
use serde::Deserialize;
use url::Url;

use super::{
    CodeError,
    interface::{self, Answer, Interface, State},
    rest::{Question, Rest},
};

const JSON: &str = "application/vnd.github+json";

/// <https://docs.github.com/rest>; GitHub Enterprise has it below `/api/v3`.
#[derive(Debug)]
pub(super) struct Github(pub(super) Rest);

impl Github {
    /// A path of which parts may have slashes, which are none of theirs.
    fn url(&self, parts: &[&str]) -> Result<Url, CodeError> {
        self.0.url(parts.iter().flat_map(|it| it.split('/')))
    }
}

impl Interface for Github {
    fn names<'a>(&'a self, project: &'a str, first: &'a str) -> Answer<'a, Vec<String>> {
        Box::pin(async move {
            let mut names = Vec::new();
            for kind in ["heads", "tags"] {
                let mut url = self.url(&["repos", project, "git/matching-refs", kind, first])?;
                url.set_query(Some("per_page=100"));
                let answer = self.0.ask(Question::json(url).of_github(JSON)).await?;
                // None: also of a repository that is not there, which the next question says better.
                if answer.status().is_success() {
                    let found: Vec<Reference> = self.0.json(&answer)?;
                    let prefix = format!("refs/{kind}/");
                    let found = found.iter().filter_map(|it| it.name.strip_prefix(&prefix));
                    names.extend(found.map(str::to_owned));
                }
            }
            Ok(names)
        })
    }

    /// The hash is also the mark of the answer, so that a reference which has not moved costs nothing
    /// of the hourly limit.
    fn commit<'a>(
        &'a self,
        project: &'a str,
        reference: &'a str,
        known: Option<&'a str>,
    ) -> Answer<'a, State> {
        Box::pin(async move {
            let mark = known.map(|commit| format!("\"{commit}\""));
            let url = self.url(&["repos", project, "commits", reference])?;
            let question = Question::json(url).of_github("application/vnd.github.sha");
            let answer = self.0.ask(question.unless(mark.as_deref())).await?;
            match answer.status() {
                StatusCode::NOT_MODIFIED => return Ok(State::Same),
                StatusCode::CONFLICT => return Err(CodeError::EmptyRepository),
                status if !status.is_success() => return Err(self.0.missing(project, reference)),
                _ => {}
            }
            let commit = std::str::from_utf8(answer.body()).unwrap_or_default();
            self.0.state(commit.trim(), known)
        })
    }

    fn facts<'a>(&'a self, project: &'a str) -> Answer<'a, interface::Facts> {
        Box::pin(async move {
            let url = self.url(&["repos", project])?;
            let answer = self.0.ask(Question::json(url).of_github(JSON)).await?;
            if !answer.status().is_success() {
                return Err(self.0.missing(project, ""));
            }
            let facts: Facts = self.0.json(&answer)?;
            let licence = facts.license.and_then(|it| it.spdx_id);
            Ok(interface::Facts {
                description: facts.description,
                licence: licence.filter(|it| it != "NOASSERTION"),
                is_public: facts.private == Some(false),
            })
        })
    }

    fn file<'a>(&'a self, project: &'a str, path: &'a str, commit: &'a str) -> Answer<'a, Bytes> {
        Box::pin(async move {
            let mut url = self.url(&["repos", project, "contents", path])?;
            url.query_pairs_mut().append_pair("ref", commit);
            let question = Question::file(url).of_github("application/vnd.github.raw+json");
            self.0.file(question, path).await
        })
    }

    fn archive(&self, project: &str, commit: &str) -> Result<FetchRequest, CodeError> {
        let url = self.url(&["repos", project, "tarball", commit])?;
        self.0.archive(url, JSON)
    }

    fn gist<'a>(
        &'a self,
        id: &'a str,
        mark: Option<&'a str>,
    ) -> Answer<'a, Option<(Gist, Option<String>)>> {
        Box::pin(async move {
            let url = self.url(&["gists", id])?;
            let question = Question::json(url).of_github(JSON).unless(mark);
            let answer = self.0.ask(question).await?;
            match answer.status() {
                StatusCode::NOT_MODIFIED => return Ok(None),
                status if !status.is_success() => {
                    return Err(self.0.missing(&format!("gist {id}"), ""));
                }
                _ => {}
            }
            let mark = answer.headers().get(header::ETAG);
            let mark = mark.and_then(|it| it.to_str().ok()).map(str::to_owned);
            Ok(Some((self.0.json(&answer)?, mark)))
        })
    }
}

/// `GET /repos/{owner}/{name}`.
#[derive(Deserialize)]
struct Facts {
    description: Option<String>,
    license: Option<License>,
    private: Option<bool>,
}

#[derive(Deserialize)]
struct License {
    spdx_id: Option<String>,
}

/// One of `GET /repos/{owner}/{name}/git/matching-refs/{ref}`.
#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "ref")]
    name: String,
}

/// `GET /gists/{id}`.
#[derive(Deserialize)]
pub(super) struct Gist {
    pub(super) description: Option<String>,
    pub(super) files: BTreeMap<String, GistFile>,
    #[serde(default)]
    history: Vec<Version>,
}

#[derive(Deserialize)]
pub(super) struct GistFile {
    #[serde(default)]
    pub(super) truncated: bool,
    pub(super) content: Option<String>,
    pub(super) raw_url: Option<String>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

impl Gist {
    /// The newest version.
    pub(super) fn version(&self) -> Option<String> {
        self.history.first().map(|it| it.version.clone())
    }
}
