//! One provider's HTTP interface: where it is, how it knows us, and what its statuses mean.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use nova_research::questions::sentence;
use nova_runtime::{
    config::Secret,
    fetch::retry_after,
    http_client::{HttpClient, Limits},
    receipts::{CallUsage, OpenCall, Receipts},
    tokens::TokenSource,
};
use nova_web::json::memory_of;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;

use crate::ProviderError;

/// How long a provider may take: a language model that thinks needs minutes. The heartbeat of the job
/// that waits goes on meanwhile.
const DEADLINE: Duration = Duration::from_mins(5);
/// The largest answer that is read.
const RESPONSE_BYTES: usize = 32 << 20;
/// As much memory as the values of an answer may take, beside the letters of its strings.
const MAX_MEMORY_BYTES: usize = 32 << 20;
/// What is repeated of an error's text.
const MESSAGE_CHARACTERS: usize = 300;

/// How a provider knows us.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Not at all: one's own instance.
    None,
    /// `Authorization: Bearer KEY`.
    Bearer(Secret),
    /// The key in a header of its own.
    Header(HeaderName, Secret),
    /// A Google access token of this process (IAM, no key).
    Google(TokenSource),
}

/// One provider's HTTP interface.
#[derive(Clone, Debug)]
pub struct Api {
    provider: &'static str,
    http: HttpClient,
    base_url: Url,
    credentials: Credentials,
    setting: &'static str,
    limits: Limits,
    turns: Option<Arc<Semaphore>>,
}

impl Api {
    /// The interface at `base_url`, of which a path is kept: `https://proxy.example/openai`.
    pub fn new(
        provider: &'static str,
        http: HttpClient,
        base_url: &Url,
        credentials: Credentials,
    ) -> Self {
        // A base that is named in the settings is spoken with as it says, on one's own network too.
        let http = match (base_url.scheme(), base_url.host_str()) {
            ("http", Some(host)) => http.with_plain_http_to(host),
            _ => http,
        };
        let mut base_url = base_url.clone();
        if !base_url.path().ends_with('/') {
            base_url.set_path(&format!("{}/", base_url.path()));
        }
        Self {
            provider,
            http,
            base_url,
            credentials,
            setting: "its key",
            limits: Limits {
                deadline: DEADLINE,
                response_bytes: RESPONSE_BYTES,
            },
            turns: None,
        }
    }

    /// With at most so many calls at once, of this and its clones; the others wait for their turn.
    #[must_use]
    pub fn at_once(mut self, calls: usize) -> Self {
        self.turns = Some(Arc::new(Semaphore::new(calls)));
        self
    }

    /// With the setting that is to be mended when it refuses our credentials.
    #[must_use]
    pub const fn known_by(mut self, setting: &'static str) -> Self {
        self.setting = setting;
        self
    }

    /// With another deadline.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.limits.deadline = deadline;
        self
    }

    /// Who is asked, as messages name it.
    pub const fn provider(&self) -> &'static str {
        self.provider
    }

    /// Posts JSON to a path below the base and reads the JSON answer.
    ///
    /// # Errors
    ///
    /// Any status but 2xx, by what it means for a further try.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ProviderError> {
        self.json(&self.send(self.request(path, body)?).await?)
    }

    /// Posts as [`Api::post`] does, as a call that leaves a receipt. It is still open when there is
    /// an answer: whoever can tell what that is worth ends it.
    pub(crate) async fn call<'a, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
        model: Option<&str>,
        receipts: &'a Receipts,
    ) -> Result<(T, OpenCall<'a>), ProviderError> {
        let call = receipts.begin(self.provider, model);
        match self.post(path, body).await {
            Ok(answer) => Ok((answer, call)),
            Err(error) => {
                call.end(error.outcome(), CallUsage::default());
                Err(error)
            }
        }
    }

    /// A request that posts JSON to a path below the base.
    pub(crate) fn request(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Request<Bytes>, ProviderError> {
        let body = serde_json::to_vec(body).map_err(|error| self.unusable(error.to_string()))?;
        Request::post(self.url(path)?.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Bytes::from(body))
            .map_err(|error| self.unusable(error.to_string()))
    }

    /// Sends a request to this provider, with our credentials; any status but 2xx is an error.
    ///
    /// # Errors
    ///
    /// As for [`Api::post`].
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ProviderError> {
        let response = self.exchange(request).await?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(self.refusal(&response))
        }
    }

    /// As [`Api::send`], for whoever reads answers of any status.
    pub(crate) async fn exchange(
        &self,
        mut request: Request<Bytes>,
    ) -> Result<Response<Bytes>, ProviderError> {
        let _turn = match &self.turns {
            // It is never closed.
            Some(turns) => turns.acquire().await.ok(),
            None => None,
        };
        if let Some((name, value)) = self.authorization().await? {
            request.headers_mut().insert(name, value);
        }
        let response = self.http.send(request, self.limits).await;
        response.map_err(|source| ProviderError::Unreachable {
            provider: self.provider,
            source,
        })
    }

    /// A path below the base; the caller encodes what is not its own.
    ///
    /// # Errors
    ///
    /// When it is not one.
    pub fn url(&self, path: &str) -> Result<Url, ProviderError> {
        self.base_url
            .join(path.trim_start_matches('/'))
            .map_err(|error| self.unusable(error.to_string()))
    }

    /// An answer that cannot be used, in words.
    pub fn unusable(&self, what: impl Into<String>) -> ProviderError {
        ProviderError::Unusable {
            provider: self.provider,
            message: sentence(&what.into()),
        }
    }

    pub(crate) fn json<T: DeserializeOwned>(
        &self,
        response: &Response<Bytes>,
    ) -> Result<T, ProviderError> {
        if memory_of(response.body()) > MAX_MEMORY_BYTES {
            return Err(self.unusable("an answer with too many values"));
        }
        serde_json::from_slice(response.body()).map_err(|error| self.unusable(error.to_string()))
    }

    async fn authorization(&self) -> Result<Option<(HeaderName, HeaderValue)>, ProviderError> {
        let (name, value) = match &self.credentials {
            Credentials::None => return Ok(None),
            Credentials::Bearer(key) => (header::AUTHORIZATION, format!("Bearer {}", key.reveal())),
            Credentials::Header(name, key) => (name.clone(), key.reveal().to_owned()),
            Credentials::Google(tokens) => {
                let token = tokens.token().await.map_err(|error| ProviderError::Busy {
                    provider: self.provider,
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    message: format!("no Google access token: {error}"),
                    after: None,
                })?;
                let Some(token) = token else { return Ok(None) };
                (header::AUTHORIZATION, format!("Bearer {}", token.secret()))
            }
        };
        let mut value = HeaderValue::try_from(value)
            .map_err(|_not_a_header| self.unusable("its key has a character that no key has"))?;
        value.set_sensitive(true);
        Ok(Some((name, value)))
    }

    /// What a status that is not success means.
    pub(crate) fn refusal(&self, response: &Response<Bytes>) -> ProviderError {
        let (provider, status) = (self.provider, response.status());
        let message = said(response.body());
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => ProviderError::Busy {
                provider,
                status,
                message,
                after: wait(response),
            },
            _ if status.is_server_error() => ProviderError::Busy {
                provider,
                status,
                message,
                after: wait(response),
            },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PAYMENT_REQUIRED => {
                ProviderError::Credentials {
                    provider,
                    setting: self.setting,
                    status,
                    message,
                }
            }
            _ if key_is_invalid(response.body()) => ProviderError::Credentials {
                provider,
                setting: self.setting,
                status,
                message,
            },
            _ => ProviderError::Refused {
                provider,
                status,
                message,
            },
        }
    }
}

/// How long the provider asks to be left alone: by header, or as Google says it in the body
/// (`google.rpc.RetryInfo`, `"retryDelay": "7s"`).
fn wait(response: &Response<Bytes>) -> Option<Duration> {
    let header = response.headers().get(header::RETRY_AFTER);
    if let Some(after) = header.and_then(retry_after) {
        return Some(after);
    }
    let body: Value = serde_json::from_slice(response.body()).ok()?;
    let details = body.pointer("/error/details")?.as_array()?;
    let delay = details.iter().find_map(|one| one["retryDelay"].as_str())?;
    let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The Gemini API says of a wrong key that an argument is (400), and why only in the details.
fn key_is_invalid(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let details = body.pointer("/error/details").and_then(Value::as_array);
    details.is_some_and(|all| all.iter().any(|one| one["reason"] == "API_KEY_INVALID"))
}

/// What an error's body says, in whichever of the usual places.
pub(crate) fn said(body: &[u8]) -> String {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let said = json.as_ref().and_then(|json| {
        [
            "/error/message",
            "/error",
            "/message",
            "/detail",
            "/errors/0/message",
        ]
        .iter()
        .find_map(|place| json.pointer(place)?.as_str())
    });
    // A page of HTML says nothing to anybody, and what no text has would be kept nowhere.
    let text = said.map(sentence).unwrap_or_default();
    let text = match &*text {
        "" => "no reason given",
        text => text,
    };
    text.chars().take(MESSAGE_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> Api {
        let base = "https://api.example/v2".parse().unwrap();
        Api::new("Example", HttpClient::new(), &base, Credentials::None)
    }

    fn refusal(status: u16, headers: &[(&str, &str)], body: &str) -> ProviderError {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        api().refusal(&response.body(Bytes::from(body.to_owned())).unwrap())
    }

    #[test]
    fn paths_are_below_the_base() {
        assert_eq!(
            api().url("/scrape").unwrap().as_str(),
            "https://api.example/v2/scrape"
        );
    }

    #[test]
    fn a_busy_provider_is_asked_again_when_it_says() {
        let by_header = refusal(429, &[("retry-after", "7")], "");
        let google = r#"{"error": {"message": "quota", "details": [{"retryDelay": "1.5s"}]}}"#;
        let by_body = refusal(429, &[], google);
        let waits = [by_header, by_body].map(|error| match error {
            ProviderError::Busy { after, .. } => after,
            other => panic!("{other}"),
        });
        assert_eq!(
            waits,
            [
                Some(Duration::from_secs(7)),
                Some(Duration::from_millis(1500))
            ]
        );
    }

    #[test]
    fn what_a_further_try_cannot_change_is_told_from_what_it_can() {
        for (status, retryable) in [
            (400, false),
            (401, false),
            (402, false),
            (404, false),
            (408, true),
            (429, true),
            (500, true),
            (503, true),
        ] {
            assert_eq!(
                refusal(status, &[], "").is_retryable(),
                retryable,
                "{status}"
            );
        }
    }

    #[test]
    fn the_reason_is_the_providers_own_and_never_a_page() {
        let said = refusal(400, &[], r#"{"success": false, "error": "Bad URL"}"#);
        assert_eq!(
            said.to_string(),
            "Example refuses (400 Bad Request): Bad URL"
        );
        let odd = refusal(400, &[], r#"{"error": "Bad\u0000\u001b[31m\nURL"}"#);
        assert!(odd.to_string().ends_with(": Bad[31m URL"), "{odd}");
        let page = refusal(400, &[], "<html>nginx</html>");
        assert!(page.to_string().ends_with("no reason given"), "{page}");
    }
}
