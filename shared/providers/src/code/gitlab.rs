//! GitLab: `gitlab.com`, and one's own.

use bytes::Bytes;
use nova_runtime::fetch::FetchRequest;
use serde::Deserialize;
use url::Url;

use super::{
    CodeError,
    interface::{Answer, Facts, Interface, State},
    rest::{Question, Rest},
};

/// <https://docs.gitlab.com/api/rest/>. A project is named by its path, of which the slashes are
/// encoded; so are those of references and files.
#[derive(Debug)]
pub(super) struct Gitlab(pub(super) Rest);

impl Gitlab {
    fn url(&self, project: &str, parts: &[&str]) -> Result<Url, CodeError> {
        let before = ["api", "v4", "projects", project];
        self.0.url(before.into_iter().chain(parts.iter().copied()))
    }

    /// `None` where it is not shown.
    async fn project(&self, project: &str) -> Result<Option<Project>, CodeError> {
        self.0.shown(self.url(project, &[])?).await
    }
}

impl Interface for Gitlab {
    fn names<'a>(&'a self, project: &'a str, first: &'a str) -> Answer<'a, Vec<String>> {
        Box::pin(async move {
            let mut names = Vec::new();
            for kind in ["branches", "tags"] {
                let mut url = self.url(project, &["repository", kind])?;
                url.query_pairs_mut()
                    .append_pair("search", &format!("^{first}"))
                    .append_pair("per_page", "100");
                let answer = self.0.ask(Question::json(url)).await?;
                // None: also of a project that is not there, which the next question says better.
                if answer.status().is_success() {
                    let found: Vec<Named> = self.0.json(&answer)?;
                    names.extend(found.into_iter().map(|it| it.name));
                }
            }
            Ok(names)
        })
    }

    fn commit<'a>(
        &'a self,
        project: &'a str,
        reference: &'a str,
        known: Option<&'a str>,
    ) -> Answer<'a, State> {
        Box::pin(async move {
            let url = self.url(project, &["repository", "commits", reference])?;
            let answer = self.0.ask(Question::json(url)).await?;
            if !answer.status().is_success() {
                return Err(match self.project(project).await? {
                    Some(shown) if shown.empty_repo => CodeError::EmptyRepository,
                    Some(_) => self.0.missing(project, reference),
                    None => self.0.missing(project, ""),
                });
            }
            let Commit { id } = self.0.json(&answer)?;
            self.0.state(&id, known)
        })
    }

    fn facts<'a>(&'a self, project: &'a str) -> Answer<'a, Facts> {
        Box::pin(async move {
            let shown = self.project(project).await?;
            let shown = shown.ok_or_else(|| self.0.missing(project, ""))?;
            Ok(Facts {
                description: shown.description,
                licence: None,
                // Beside `private` there is `internal`: for everybody who has an account there.
                is_public: shown.visibility.as_deref() == Some("public"),
            })
        })
    }

    fn file<'a>(&'a self, project: &'a str, path: &'a str, commit: &'a str) -> Answer<'a, Bytes> {
        Box::pin(async move {
            let mut url = self.url(project, &["repository", "files", path, "raw"])?;
            url.query_pairs_mut().append_pair("ref", commit);
            self.0.file(Question::file(url), path).await
        })
    }

    fn archive(&self, project: &str, commit: &str) -> Result<FetchRequest, CodeError> {
        let mut url = self.url(project, &["repository", "archive.tar.gz"])?;
        url.query_pairs_mut().append_pair("sha", commit);
        self.0.archive(url, "*/*")
    }
}

/// `GET /projects/{id}`.
#[derive(Deserialize)]
struct Project {
    description: Option<String>,
    #[serde(default)]
    empty_repo: bool,
    visibility: Option<String>,
}

/// `GET /projects/{id}/repository/commits/{sha}`.
#[derive(Deserialize)]
struct Commit {
    id: String,
}

/// One of `GET /projects/{id}/repository/branches`, and of `…/tags`.
#[derive(Deserialize)]
struct Named {
    name: String,
}
