//! Bitbucket Data Center.

use bytes::Bytes;
use nova_runtime::fetch::FetchRequest;
use serde::Deserialize;
use url::Url;

use super::{
    CodeError,
    interface::{Answer, Facts, Interface, State},
    rest::{Question, Rest},
};

/// <https://developer.atlassian.com/server/bitbucket/rest/>. A project of ours, `KEY/name`, is there a
/// repository of the project `KEY`.
#[derive(Debug)]
pub(super) struct BitbucketDataCenter(pub(super) Rest);

impl BitbucketDataCenter {
    fn url(&self, project: &str, parts: &[&str]) -> Result<Url, CodeError> {
        let (key, name) = project.split_once('/').ok_or(CodeError::NotCode)?;
        let before = ["rest", "api", "latest", "projects", key, "repos", name];
        let parts = parts.iter().flat_map(|it| it.split('/'));
        self.0.url(before.into_iter().chain(parts))
    }

    /// `None` where it is not shown.
    async fn repository(&self, project: &str) -> Result<Option<Repository>, CodeError> {
        self.0.shown(self.url(project, &[])?).await
    }
}

impl Interface for BitbucketDataCenter {
    fn commit<'a>(
        &'a self,
        project: &'a str,
        reference: &'a str,
        known: Option<&'a str>,
    ) -> Answer<'a, State> {
        Box::pin(async move {
            let mut url = self.url(project, &["commits"])?;
            // Until what is asked for, the newest first; without it, until the default branch.
            if reference != "HEAD" {
                url.query_pairs_mut().append_pair("until", reference);
            }
            url.query_pairs_mut().append_pair("limit", "1");
            let answer = self.0.ask(Question::json(url)).await?;
            if !answer.status().is_success() {
                return Err(match self.repository(project).await? {
                    Some(_) if reference == "HEAD" => CodeError::EmptyRepository,
                    Some(_) => self.0.missing(project, reference),
                    None => self.0.missing(project, ""),
                });
            }
            let Page { values } = self.0.json(&answer)?;
            let newest = values.first().ok_or(CodeError::EmptyRepository)?;
            self.0.state(&newest.id, known)
        })
    }

    fn facts<'a>(&'a self, project: &'a str) -> Answer<'a, Facts> {
        Box::pin(async move {
            let shown = self.repository(project).await?;
            let shown = shown.ok_or_else(|| self.0.missing(project, ""))?;
            Ok(Facts {
                // All repositories of a public project are public.
                is_public: shown.public || shown.project.public,
                description: shown.description,
                licence: None,
            })
        })
    }

    fn file<'a>(&'a self, project: &'a str, path: &'a str, commit: &'a str) -> Answer<'a, Bytes> {
        Box::pin(async move {
            let mut url = self.url(project, &["raw", path])?;
            url.query_pairs_mut().append_pair("at", commit);
            self.0.file(Question::file(url), path).await
        })
    }

    fn archive(&self, project: &str, commit: &str) -> Result<FetchRequest, CodeError> {
        let mut url = self.url(project, &["archive"])?;
        url.query_pairs_mut()
            .append_pair("at", commit)
            .append_pair("format", "tar.gz")
            // Without it there is no folder in which everything is.
            .append_pair("prefix", "code/");
        self.0.archive(url, "*/*")
    }
}

/// `GET /projects/{key}/repos/{name}`.
#[derive(Deserialize)]
struct Repository {
    description: Option<String>,
    #[serde(default)]
    public: bool,
    project: Project,
}

#[derive(Deserialize)]
struct Project {
    #[serde(default)]
    public: bool,
}

/// `GET …/commits`.
#[derive(Deserialize)]
struct Page {
    values: Vec<Commit>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}
