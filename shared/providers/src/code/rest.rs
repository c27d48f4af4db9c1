//! One small question to a host's REST interface, answered in JSON or as bytes.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use nova_runtime::{
    Clock as _, SystemClock,
    config::{Endpoint, Secret},
    fetch::{ContentTypes, FetchRequest, Initiative, retry_after},
    http_client::{HttpClient, Limits},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::{
    CodeError,
    error::Whom,
    interface::{State, is_hash},
};
use crate::{ProviderError, api::said};

/// How long one question may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// The largest answer in JSON: a gist of 300 files has some megabytes.
const JSON_BYTES: usize = 16 << 20;
/// The largest single file that is read.
pub(super) const MAX_FILE_BYTES: usize = 10 << 20;
/// A repository that was renamed or moved leads to its new address.
const REDIRECTS: usize = 3;

/// What is asked.
pub(super) struct Question<'a> {
    url: Url,
    accept: &'static str,
    /// A header that says which interface is meant.
    version: Option<(&'static str, &'static str)>,
    mark: Option<&'a str>,
    response_bytes: usize,
}

impl<'a> Question<'a> {
    /// One that is answered in JSON.
    pub(super) const fn json(url: Url) -> Self {
        Self {
            url,
            accept: "application/json",
            version: None,
            mark: None,
            response_bytes: JSON_BYTES,
        }
    }

    /// One that is answered with a file.
    pub(super) const fn file(url: Url) -> Self {
        Self {
            url,
            accept: "*/*",
            version: None,
            mark: None,
            response_bytes: MAX_FILE_BYTES,
        }
    }

    /// To GitHub, which answers in forms of its own.
    pub(super) const fn of_github(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self.version = Some(("x-github-api-version", "2022-11-28"));
        self
    }

    /// Only if it is marked with something else than the last time.
    pub(super) const fn unless(mut self, mark: Option<&'a str>) -> Self {
        self.mark = mark;
        self
    }
}

/// The interface of one host.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    http: HttpClient,
    base_url: Url,
    token: Option<Secret>,
    whom: Whom,
}

impl Rest {
    pub(super) fn new(http: &HttpClient, endpoint: &Endpoint, whom: Whom) -> Self {
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
            whom,
        }
    }

    pub(super) const fn base_url(&self) -> &Url {
        &self.base_url
    }

    pub(super) const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// An address below the base, of parts that are encoded here.
    pub(super) fn url<'a>(
        &self,
        parts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Url, CodeError> {
        below(&self.base_url, parts)
    }

    /// A fetch of an archive, with our token.
    pub(super) fn archive(
        &self,
        url: Url,
        accept: &'static str,
    ) -> Result<FetchRequest, CodeError> {
        let request = FetchRequest::new(url, Initiative::User)
            .accept(HeaderValue::from_static(accept))
            .content_types(ContentTypes::Any);
        match self.authorization()? {
            Some(authorization) => Ok(request.authorization(authorization)),
            None => Ok(request),
        }
    }

    /// Asks. What comes back is success, "unchanged", or a status that the question itself gives a
    /// meaning to: 401 without a token, or of what ours may not read, 404, 409, 422.
    pub(super) async fn ask(&self, question: Question<'_>) -> Result<Response<Bytes>, CodeError> {
        let limits = Limits {
            deadline: DEADLINE,
            response_bytes: question.response_bytes,
        };
        let mut url = question.url;
        for _hop in 0..=REDIRECTS {
            let mut request = Request::get(url.as_str()).header(header::ACCEPT, question.accept);
            if let Some((name, value)) = question.version {
                request = request.header(name, value);
            }
            if let Some(mark) = question.mark {
                request = request.header(header::IF_NONE_MATCH, mark);
            }
            if let Some(authorization) = self.authorization()? {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            let request = request.body(Bytes::new());
            let request = request.map_err(|error| self.unusable(error.to_string()))?;
            let answer = self.http.send(request, limits).await;
            let answer = answer.map_err(|source| ProviderError::Unreachable {
                provider: self.whom.provider,
                source,
            })?;
            let status = answer.status();
            if status.is_success() || status == StatusCode::NOT_MODIFIED {
                return Ok(answer);
            }
            if !status.is_redirection() {
                return self.refusal(answer);
            }
            let location = answer.headers().get(header::LOCATION);
            let next = location.and_then(|it| url.join(it.to_str().ok()?).ok());
            // Elsewhere than to itself the token is not taken.
            let next = next.filter(|next| next.origin() == self.base_url.origin());
            url = next.ok_or_else(|| self.unusable("a redirect that leads away from it"))?;
        }
        Err(self.unusable("too many redirects").into())
    }

    /// What an answer in JSON says.
    pub(super) fn json<T: DeserializeOwned>(
        &self,
        answer: &Response<Bytes>,
    ) -> Result<T, CodeError> {
        let read = serde_json::from_slice(answer.body());
        read.map_err(|error| self.unusable(error.to_string()).into())
    }

    /// What is at an address; `None` where it is not shown.
    pub(super) async fn shown<T: DeserializeOwned>(
        &self,
        url: Url,
    ) -> Result<Option<T>, CodeError> {
        let answer = self.ask(Question::json(url)).await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        self.json(&answer).map(Some)
    }

    /// Whether a reference is at the commit at which it was; what the host says must be one.
    pub(super) fn state(&self, commit: &str, known: Option<&str>) -> Result<State, CodeError> {
        if !is_hash(commit) {
            return Err(self.unusable("no hash of a commit").into());
        }
        Ok(match known {
            Some(known) if known == commit => State::Same,
            _ => State::Is(commit.to_owned()),
        })
    }

    /// The file at a path.
    pub(super) async fn file(
        &self,
        question: Question<'_>,
        path: &str,
    ) -> Result<Bytes, CodeError> {
        let answer = self.ask(question).await?;
        if !answer.status().is_success() {
            return Err(CodeError::no_such_file(path));
        }
        Ok(answer.into_body())
    }

    /// That the host has no such thing, or does not show it to us.
    pub(super) fn missing(&self, project: &str, reference: &str) -> CodeError {
        let what = match reference {
            "" | "HEAD" => project.to_owned(),
            reference => format!("{project} at {reference}"),
        };
        self.whom.missing(what, self.has_token())
    }

    pub(super) fn unusable(&self, message: impl Into<String>) -> ProviderError {
        ProviderError::Unusable {
            provider: self.whom.provider,
            message: message.into(),
        }
    }

    fn authorization(&self) -> Result<Option<HeaderValue>, CodeError> {
        let Some(token) = &self.token else {
            return Ok(None);
        };
        let token = token.reveal();
        // Atlassian's tokens of a person go with the address of that person: `who@example.com:TOKEN`.
        let value = if token.contains(':') {
            format!("Basic {}", BASE64_STANDARD.encode(token))
        } else {
            format!("Bearer {token}")
        };
        let mut value = HeaderValue::try_from(value).map_err(|_not_a_header| {
            let setting = self.whom.setting;
            self.unusable(format!("{setting} has a character that no token has"))
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// A status that means the same for every question, as the error that it is.
    fn refusal(&self, answer: Response<Bytes>) -> Result<Response<Bytes>, CodeError> {
        let (provider, setting) = (self.whom.provider, self.whom.setting);
        let (status, has_token) = (answer.status(), self.has_token());
        let message = said(answer.body());
        let error = match status {
            StatusCode::UNAUTHORIZED if has_token && !is_hidden(&answer) => {
                ProviderError::Credentials {
                    provider,
                    setting,
                    status,
                    message,
                }
            }
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS if is_rate_limit(&answer) => {
                let after = again_after(&answer, SystemClock.now());
                return Err(self.whom.rate_limit(message, after, has_token));
            }
            _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                ProviderError::Busy {
                    provider,
                    status,
                    message,
                    after: again_after(&answer, SystemClock.now()),
                }
            }
            StatusCode::UNAUTHORIZED
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::UNPROCESSABLE_ENTITY => return Ok(answer),
            _ => ProviderError::Refused {
                provider,
                status,
                message,
            },
        };
        Err(error.into())
    }
}

/// An address below another, of parts that are encoded here: a slash in one of them too.
pub(super) fn below<'a>(
    base: &Url,
    parts: impl IntoIterator<Item = &'a str>,
) -> Result<Url, CodeError> {
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| CodeError::NotCode)?
        .pop_if_empty()
        .extend(parts);
    Ok(url)
}

/// Of what a good token may not read Bitbucket Data Center says 401 too, as of a bad one; the name of
/// its exception tells them apart.
fn is_hidden(answer: &Response<Bytes>) -> bool {
    let said: Option<Value> = serde_json::from_slice(answer.body()).ok();
    let name = said
        .as_ref()
        .and_then(|it| it.pointer("/errors/0/exceptionName"));
    name.and_then(Value::as_str)
        .is_some_and(|name| name.ends_with(".AuthorisationException"))
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

/// How long to wait: `Retry-After`, or until the second that `x-ratelimit-reset` names, which
/// GitLab calls `RateLimit-Reset`.
fn again_after(answer: &Response<Bytes>, now: SystemTime) -> Option<Duration> {
    let headers = answer.headers();
    if let Some(after) = headers.get(header::RETRY_AFTER).and_then(retry_after) {
        return Some(after);
    }
    let reset = headers.get("x-ratelimit-reset");
    let reset = reset.or_else(|| headers.get("ratelimit-reset"))?;
    let reset = Duration::from_secs(reset.to_str().ok()?.parse().ok()?);
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(reset.saturating_sub(now))
}
