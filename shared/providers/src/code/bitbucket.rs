//! Bitbucket Cloud.

use bytes::Bytes;
use http::StatusCode;
use nova_runtime::fetch::FetchRequest;
use serde::Deserialize;
use url::Url;

use super::{
    CodeError,
    interface::{Answer, Facts, Interface, State},
    rest::{Question, Rest, below},
};

/// Where Bitbucket offers its interface.
const PUBLIC_HOST: &str = "api.bitbucket.org";

/// <https://developer.atlassian.com/cloud/bitbucket/rest/>. Archives are no part of the interface:
/// the site itself has them, and takes the same credentials there.
#[derive(Debug)]
pub(super) struct Bitbucket {
    rest: Rest,
    site: Url,
}

impl Bitbucket {
    pub(super) fn new(rest: Rest) -> Self {
        let mut site = rest.base_url().clone();
        if site.host_str() == Some(PUBLIC_HOST) && site.set_host(Some("bitbucket.org")).is_err() {
            // It is a name, and such an address has one.
            site = rest.base_url().clone();
        }
        Self { rest, site }
    }

    fn url(&self, project: &str, parts: &[&str]) -> Result<Url, CodeError> {
        let parts = parts.iter().flat_map(|it| it.split('/'));
        let project = project.split('/');
        let before = ["2.0", "repositories"];
        self.rest
            .url(before.into_iter().chain(project).chain(parts))
    }

    /// Branches and tags of which this is true, with their commits.
    async fn references(&self, project: &str, query: &str) -> Result<Vec<Reference>, CodeError> {
        let mut url = self.url(project, &["refs"])?;
        url.query_pairs_mut()
            .append_pair("q", query)
            .append_pair("pagelen", "100");
        let answer = self.rest.ask(Question::json(url)).await?;
        // None: also of a repository that is not there, which the next question says better.
        if !answer.status().is_success() {
            return Ok(Vec::new());
        }
        let found: Page = self.rest.json(&answer)?;
        Ok(found.values)
    }

    async fn repository(&self, project: &str) -> Result<Repository, CodeError> {
        let shown = self.rest.shown(self.url(project, &[])?).await;
        let shown = shown.map_err(|error| self.hidden(error, project))?;
        shown.ok_or_else(|| self.rest.missing(project, ""))
    }

    /// Bitbucket says 403 of what is private, also to nobody.
    fn hidden(&self, error: CodeError, project: &str) -> CodeError {
        if !self.rest.has_token() && error.is_refused_with(StatusCode::FORBIDDEN) {
            return self.rest.missing(project, "");
        }
        error
    }
}

impl Interface for Bitbucket {
    fn names<'a>(&'a self, project: &'a str, first: &'a str) -> Answer<'a, Vec<String>> {
        Box::pin(async move {
            // `~` is "contains"; who asks looks whether it begins so.
            let query = format!("name ~ {}", quoted(&format!("{first}/")));
            let found = self.references(project, &query).await;
            let found = found.map_err(|error| self.hidden(error, project))?;
            Ok(found.into_iter().map(|it| it.name).collect())
        })
    }

    fn commit<'a>(
        &'a self,
        project: &'a str,
        reference: &'a str,
        known: Option<&'a str>,
    ) -> Answer<'a, State> {
        Box::pin(async move {
            let main;
            let reference = if reference == "HEAD" {
                let shown = self.repository(project).await?;
                main = shown.mainbranch.ok_or(CodeError::EmptyRepository)?.name;
                &main
            } else {
                reference
            };
            let query = format!("name = {}", quoted(reference));
            let found = self.references(project, &query).await;
            let found = found.map_err(|error| self.hidden(error, project))?;
            let commit = if let Some(found) = found.into_iter().next() {
                found.target.hash
            } else {
                let url = self.url(project, &["commit", reference])?;
                let answer = self.rest.ask(Question::json(url)).await;
                let answer = answer.map_err(|error| self.hidden(error, project))?;
                if !answer.status().is_success() {
                    return Err(self.rest.missing(project, reference));
                }
                let Target { hash } = self.rest.json(&answer)?;
                hash
            };
            self.rest.state(&commit, known)
        })
    }

    fn facts<'a>(&'a self, project: &'a str) -> Answer<'a, Facts> {
        Box::pin(async move {
            let shown = self.repository(project).await?;
            Ok(Facts {
                description: shown.description,
                licence: None,
                is_public: shown.is_private == Some(false),
            })
        })
    }

    fn file<'a>(&'a self, project: &'a str, path: &'a str, commit: &'a str) -> Answer<'a, Bytes> {
        Box::pin(async move {
            let url = self.url(project, &["src", commit, path])?;
            self.rest.file(Question::file(url), path).await
        })
    }

    fn archive(&self, project: &str, commit: &str) -> Result<FetchRequest, CodeError> {
        let archive = format!("{commit}.tar.gz");
        let parts = project.split('/').chain(["get", &archive]);
        self.rest.archive(below(&self.site, parts)?, "*/*")
    }
}

/// A text in a query.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `GET /2.0/repositories/{workspace}/{name}`.
#[derive(Deserialize)]
struct Repository {
    description: Option<String>,
    is_private: Option<bool>,
    mainbranch: Option<Branch>,
}

#[derive(Deserialize)]
struct Branch {
    name: String,
}

/// `GET …/refs`.
#[derive(Deserialize)]
struct Page {
    values: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    name: String,
    target: Target,
}

/// `GET …/commit/{commit}`, and where a reference points.
#[derive(Deserialize)]
struct Target {
    hash: String,
}
