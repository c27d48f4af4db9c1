//! GitHub's REST interface: small questions, each answered in JSON or as bytes.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use nova_runtime::{
    Clock as _, SystemClock,
    config::{Endpoint, Secret},
    fetch::{ContentTypes, FetchRequest, retry_after},
    http_client::{HttpClient, Limits},
};
use serde::de::DeserializeOwned;
use url::Url;

use super::{
    GithubError, MAX_FILE_BYTES, below,
    wire::{Facts, Gist, Message, Reference},
};
use crate::ProviderError;

const PROVIDER: &str = "GitHub";
const JSON: &str = "application/vnd.github+json";
const VERSION: &str = "2022-11-28";
/// How long one question may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// The largest answer in JSON: a gist of 300 files has some megabytes.
const JSON_BYTES: usize = 16 << 20;
/// A repository that was renamed or moved leads to its new address.
const REDIRECTS: usize = 3;
/// What is repeated of an error's text.
const MESSAGE_CHARACTERS: usize = 300;

/// The interface.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    http: HttpClient,
    base_url: Url,
    token: Option<Secret>,
}

/// Whether a reference is at the commit at which it was.
pub(super) enum State {
    Same,
    Is(String),
}

impl Rest {
    pub(super) fn new(http: &HttpClient, endpoint: &Endpoint) -> Self {
        let base_url = endpoint.base_url.clone();
        // A base that is named in the settings is spoken with as it says, on one's own network too.
        let http = match (base_url.scheme(), base_url.host_str()) {
            ("http", Some(host)) => http.clone().with_plain_http_to(host),
            _ => http.clone(),
        };
        Self {
            http,
            base_url,
            token: endpoint.key.clone(),
        }
    }

    /// The commit of a branch, tag or commit. The hash is also the mark of the answer, so that a
    /// reference which has not moved costs nothing of the hourly limit.
    pub(super) async fn commit(
        &self,
        project: &str,
        reference: &str,
        known: Option<&str>,
    ) -> Result<State, GithubError> {
        let mark = known.map(|commit| format!("\"{commit}\""));
        let url = self.url(&["repos", project, "commits", reference])?;
        let accept = "application/vnd.github.sha";
        let answer = self.get(url, accept, mark.as_deref(), JSON_BYTES).await?;
        match answer.status() {
            StatusCode::NOT_MODIFIED => return Ok(State::Same),
            StatusCode::CONFLICT => return Err(GithubError::EmptyRepository),
            status if !status.is_success() => return Err(self.missing(project, reference)),
            _ => {}
        }
        let commit = std::str::from_utf8(answer.body())
            .unwrap_or_default()
            .trim();
        let is_hash =
            matches!(commit.len(), 40 | 64) && commit.bytes().all(|it| it.is_ascii_hexdigit());
        if !is_hash {
            return Err(unusable("no hash of a commit").into());
        }
        Ok(if known == Some(commit) {
            State::Same
        } else {
            State::Is(commit.to_owned())
        })
    }

    /// Branches and tags whose names begin like this.
    pub(super) async fn names(
        &self,
        project: &str,
        first: &str,
    ) -> Result<Vec<String>, GithubError> {
        let mut names = Vec::new();
        for kind in ["heads", "tags"] {
            let mut url = self.url(&["repos", project, "git/matching-refs", kind, first])?;
            url.set_query(Some("per_page=100"));
            let answer = self.get(url, JSON, None, JSON_BYTES).await?;
            // None: also of a repository that is not there, which the next question says better.
            if answer.status().is_success() {
                let found: Vec<Reference> = json(&answer)?;
                let prefix = format!("refs/{kind}/");
                let found = found.iter().filter_map(|it| it.name.strip_prefix(&prefix));
                names.extend(found.map(str::to_owned));
            }
        }
        Ok(names)
    }

    /// What the owner says of the repository.
    pub(super) async fn facts(&self, project: &str) -> Result<Facts, GithubError> {
        let answer = self
            .get(self.url(&["repos", project])?, JSON, None, JSON_BYTES)
            .await?;
        if !answer.status().is_success() {
            return Err(self.missing(project, ""));
        }
        Ok(json(&answer)?)
    }

    /// One file.
    pub(super) async fn file(
        &self,
        project: &str,
        path: &str,
        commit: &str,
    ) -> Result<Bytes, GithubError> {
        let mut url = self.url(&["repos", project, "contents", path])?;
        url.query_pairs_mut().append_pair("ref", commit);
        let accept = "application/vnd.github.raw+json";
        let answer = self.get(url, accept, None, MAX_FILE_BYTES).await?;
        if !answer.status().is_success() {
            return Err(GithubError::NoSuchFile {
                path: path.to_owned(),
            });
        }
        Ok(answer.into_body())
    }

    /// A gist with its mark; `None` when it is what it was.
    pub(super) async fn gist(
        &self,
        id: &str,
        mark: Option<&str>,
    ) -> Result<Option<(Gist, Option<String>)>, GithubError> {
        let url = self.url(&["gists", id])?;
        let answer = self.get(url, JSON, mark, JSON_BYTES).await?;
        match answer.status() {
            StatusCode::NOT_MODIFIED => return Ok(None),
            status if !status.is_success() => return Err(self.missing(&format!("gist {id}"), "")),
            _ => {}
        }
        let mark = answer.headers().get(header::ETAG);
        let mark = mark.and_then(|it| it.to_str().ok()).map(str::to_owned);
        Ok(Some((json(&answer)?, mark)))
    }

    /// Where the archive of a commit is asked for.
    pub(super) fn archive_url(&self, project: &str, commit: &str) -> Result<Url, GithubError> {
        self.url(&["repos", project, "tarball", commit])
    }

    /// A fetch from the interface, with our token.
    pub(super) fn authorized(&self, request: FetchRequest) -> Result<FetchRequest, GithubError> {
        let request = request
            .accept(HeaderValue::from_static(JSON))
            .content_types(ContentTypes::Any);
        match self.authorization()? {
            Some(authorization) => Ok(request.authorization(authorization)),
            None => Ok(request),
        }
    }

    fn url(&self, parts: &[&str]) -> Result<Url, GithubError> {
        below(&self.base_url, parts)
    }

    /// Asks. What comes back is success, "unchanged", or a status that the question itself gives a
    /// meaning to.
    async fn get(
        &self,
        mut url: Url,
        accept: &'static str,
        mark: Option<&str>,
        response_bytes: usize,
    ) -> Result<Response<Bytes>, GithubError> {
        let limits = Limits {
            deadline: DEADLINE,
            response_bytes,
        };
        for _hop in 0..=REDIRECTS {
            let mut request = Request::get(url.as_str())
                .header(header::ACCEPT, accept)
                .header("x-github-api-version", VERSION);
            if let Some(mark) = mark {
                request = request.header(header::IF_NONE_MATCH, mark);
            }
            if let Some(authorization) = self.authorization()? {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            let request = request.body(Bytes::new());
            let request = request.map_err(|error| unusable(error.to_string()))?;
            let answer = self.http.send(request, limits).await;
            let answer = answer.map_err(|source| ProviderError::Unreachable {
                provider: PROVIDER,
                source,
            })?;
            let status = answer.status();
            if status.is_success() || status == StatusCode::NOT_MODIFIED {
                return Ok(answer);
            }
            if !status.is_redirection() {
                return refusal(answer, self.token.is_some());
            }
            let location = answer.headers().get(header::LOCATION);
            let next = location.and_then(|it| url.join(it.to_str().ok()?).ok());
            // Elsewhere than to itself the token is not taken.
            let next = next.filter(|next| next.origin() == self.base_url.origin());
            url = next.ok_or_else(|| unusable("a redirect that leads away from it"))?;
        }
        Err(unusable("too many redirects").into())
    }

    fn authorization(&self) -> Result<Option<HeaderValue>, GithubError> {
        let Some(token) = &self.token else {
            return Ok(None);
        };
        let value = HeaderValue::try_from(format!("Bearer {}", token.reveal()));
        let mut value = value
            .map_err(|_not_a_header| unusable("GITHUB_TOKEN has a character that no token has"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    fn missing(&self, project: &str, reference: &str) -> GithubError {
        let reference = Some(reference).filter(|it| !it.is_empty() && *it != "HEAD");
        GithubError::Missing {
            what: match reference {
                Some(reference) => format!("{project} at {reference}"),
                None => project.to_owned(),
            },
            has_token: self.token.is_some(),
        }
    }
}

/// A status that means the same for every question, as the error that it is.
fn refusal(answer: Response<Bytes>, has_token: bool) -> Result<Response<Bytes>, GithubError> {
    let status = answer.status();
    let said: Message = serde_json::from_slice(answer.body()).unwrap_or_default();
    let message: String = said.message.chars().take(MESSAGE_CHARACTERS).collect();
    let provider = PROVIDER;
    let error = match status {
        StatusCode::UNAUTHORIZED if has_token => ProviderError::Credentials {
            provider,
            setting: "GITHUB_TOKEN",
            status,
            message,
        },
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS if is_rate_limit(&answer) => {
            let after = again_after(&answer, SystemClock.now());
            return Err(GithubError::RateLimit {
                message,
                after,
                has_token,
            });
        }
        _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            ProviderError::Busy {
                provider,
                status,
                message,
                after: again_after(&answer, SystemClock.now()),
            }
        }
        StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => {
            return Ok(answer);
        }
        _ => ProviderError::Refused {
            provider,
            status,
            message,
        },
    };
    Err(error.into())
}

/// GitHub says 403 for many things; of its limits it says so in the header.
fn is_rate_limit(answer: &Response<Bytes>) -> bool {
    let headers = answer.headers();
    answer.status() == StatusCode::TOO_MANY_REQUESTS
        || headers.contains_key(header::RETRY_AFTER)
        || headers
            .get("x-ratelimit-remaining")
            .is_some_and(|it| it == "0")
}

/// How long to wait: `Retry-After`, or until the second that `x-ratelimit-reset` names.
fn again_after(answer: &Response<Bytes>, now: SystemTime) -> Option<Duration> {
    let headers = answer.headers();
    if let Some(after) = headers.get(header::RETRY_AFTER).and_then(retry_after) {
        return Some(after);
    }
    let reset = headers.get("x-ratelimit-reset")?.to_str().ok()?;
    let reset = Duration::from_secs(reset.parse().ok()?);
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(reset.saturating_sub(now))
}

fn json<T: DeserializeOwned>(answer: &Response<Bytes>) -> Result<T, ProviderError> {
    serde_json::from_slice(answer.body()).map_err(|error| unusable(error.to_string()))
}

fn unusable(message: impl Into<String>) -> ProviderError {
    ProviderError::Unusable {
        provider: PROVIDER,
        message: message.into(),
    }
}
