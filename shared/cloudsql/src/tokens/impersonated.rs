//! Service accounts that others act as.

use std::{fmt, sync::Arc, time::SystemTime};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{
    HeaderValue, Request,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde::Deserialize;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{error::ErrorKind, http::Http};

use super::{
    CLOUD_SCOPE, Token, TokenError, TokenSource,
    endpoint::{self, ENDPOINT, Failure},
};

const GOOGLE: &str = "https://iamcredentials.googleapis.com";

/// Tokens of a service account that the owner of other credentials may act as.
#[derive(Clone)]
pub struct Impersonated {
    source: Arc<dyn TokenSource>,
    url: String,
    target: String,
    delegates: Vec<String>,
    quota_project: Option<String>,
    http: Http,
}

impl Impersonated {
    /// Tokens of `target` (an e-mail address), asked for with those of `source`, each of the
    /// `delegates` acting as the next and the last as the target.
    ///
    /// Of `source` a token is asked for at each call: wrap it in a [`CachedTokens`](super::CachedTokens).
    pub fn new(
        source: Arc<dyn TokenSource>,
        target: impl Into<String>,
        delegates: Vec<String>,
    ) -> Self {
        let target = target.into();
        Self {
            source,
            url: url(GOOGLE, &target),
            target,
            delegates,
            quota_project: None,
            http: Http::plain(),
        }
    }

    /// Asks elsewhere than at `https://iamcredentials.googleapis.com`.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: &str) -> Self {
        self.url = url(endpoint, &self.target);
        self
    }

    #[must_use]
    pub(super) fn with_quota_project(mut self, project: Option<String>) -> Self {
        self.quota_project = project;
        self
    }

    /// At the address that a file names, which also says who the target is.
    pub(super) fn at(
        source: Arc<dyn TokenSource>,
        url: &str,
        delegates: Vec<String>,
    ) -> Result<Self, TokenError> {
        let target = url
            .rsplit_once("/serviceAccounts/")
            .and_then(|(_, rest)| rest.strip_suffix(":generateAccessToken"))
            .ok_or_else(|| {
                TokenError::new(
                    ErrorKind::Configuration,
                    format!("service_account_impersonation_url is {url:?}"),
                )
                .with_hint("it must end in /serviceAccounts/EMAIL:generateAccessToken")
            })?;
        Ok(Self {
            url: url.to_owned(),
            ..Self::new(source, target, delegates)
        })
    }

    fn request(&self, scopes: &[&str], token: &Token) -> Result<Request<Bytes>, TokenError> {
        let delegates: Vec<_> = self
            .delegates
            .iter()
            .map(|it| match it.strip_prefix("projects/-/serviceAccounts/") {
                Some(_) => it.clone(),
                None => format!("projects/-/serviceAccounts/{it}"),
            })
            .collect();
        let body = json!({"scope": scopes, "lifetime": "3600s", "delegates": delegates});
        Request::post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, bearer(token)?)
            .body(Bytes::from(body.to_string()))
            .map_err(|error| endpoint::address(&self.url, error))
    }

    async fn remedy(&self, refusal: &crate::refusal::Refusal) -> Option<String> {
        match refusal.status {
            403 if refusal.is_for(&["SERVICE_DISABLED", "accessNotConfigured"]) => Some(
                "enable iamcredentials.googleapis.com: \
                 gcloud services enable iamcredentials.googleapis.com"
                    .to_owned(),
            ),
            403 => {
                let asked = self.source.principal().await;
                let who = asked.as_deref().unwrap_or("the caller");
                Some(format!(
                    "grant roles/iam.serviceAccountTokenCreator on {} to {}",
                    self.delegates.first().unwrap_or(&self.target),
                    who,
                ))
            }
            404 => Some(format!(
                "no such service account: check the name {}",
                self.target
            )),
            _ => None,
        }
    }
}

fn url(endpoint: &str, target: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    format!("{endpoint}/v1/projects/-/serviceAccounts/{target}:generateAccessToken")
}

/// For an `Authorization` header.
pub(crate) fn bearer(token: &Token) -> Result<HeaderValue, TokenError> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.secret()))
        .map_err(|_text| TokenError::new(ErrorKind::Protocol, "the access token is no token"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Impersonated {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Impersonated({:?})", self.target)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    access_token: String,
    expire_time: Option<String>,
}

impl TokenSource for Impersonated {
    fn token<'a>(&'a self, scopes: &'a [&'a str]) -> BoxFuture<'a, Result<Token, TokenError>> {
        Box::pin(async move {
            let own = self.source.token(&[CLOUD_SCOPE]).await?;
            let asked = SystemTime::now();
            let request = self.request(scopes, &own)?;
            let body = match endpoint::ask(&self.http, &ENDPOINT, &request).await {
                Ok(body) => body,
                Err(Failure::Refused(refusal)) => {
                    if refusal.status == 401 {
                        self.source.forget(&own);
                    }
                    let remedy = self.remedy(&refusal).await;
                    return Err(endpoint::refused("iamcredentials", &refusal, remedy));
                }
                Err(Failure::Other(error)) => return Err(error),
            };
            let answer: Answer =
                serde_json::from_slice(&body).map_err(|error| endpoint::unreadable(&error))?;
            let ends = match &answer.expire_time {
                None => endpoint::untold(asked),
                Some(time) => OffsetDateTime::parse(time, &Rfc3339)
                    .map_err(|error| {
                        let text = "the end of the access token is no time";
                        TokenError::new(ErrorKind::Protocol, text).with_source(error)
                    })?
                    .into(),
            };
            Ok(Token::new(answer.access_token, ends))
        })
    }

    fn principal(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(std::future::ready(Some(self.target.clone())))
    }

    fn quota_project(&self) -> Option<String> {
        self.quota_project
            .clone()
            .or_else(|| self.source.quota_project())
    }

    fn universe_domain(&self) -> Option<String> {
        self.source.universe_domain()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        fake::{self, Fake},
        tokens::{Fixed, LOGIN_SCOPE},
    };

    const TARGET: &str = "sa@proj.iam.gserviceaccount.com";

    fn impersonated(fake: &Fake) -> Impersonated {
        let delegates = vec!["one@proj.iam.gserviceaccount.com".to_owned()];
        Impersonated::new(Arc::new(Fixed::new("own")), TARGET, delegates)
            .with_endpoint(&fake.url("/"))
    }

    #[tokio::test]
    async fn the_target_is_asked_for_with_the_sources_token_through_the_delegates() {
        let answer = r#"{"accessToken":"theirs","expireTime":"2100-01-01T00:00:00.5Z"}"#;
        let fake = Fake::start([fake::Answer::new(200, answer)]).await;
        let source = impersonated(&fake);
        let token = source.token(&[LOGIN_SCOPE]).await.unwrap();
        assert_eq!(token.secret(), "theirs");
        let wanted = SystemTime::UNIX_EPOCH + Duration::from_millis(4_102_444_800_500);
        assert_eq!(token.expires_at(), wanted);
        let question = fake.question(0);
        assert_eq!(
            question.uri().path(),
            format!("/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken")
        );
        assert_eq!(question.headers()[AUTHORIZATION], "Bearer own");
        let body: serde_json::Value = serde_json::from_slice(question.body()).unwrap();
        assert_eq!(
            body,
            json!({"scope": [LOGIN_SCOPE], "lifetime": "3600s", "delegates":
                ["projects/-/serviceAccounts/one@proj.iam.gserviceaccount.com"]})
        );
        assert_eq!(source.principal().await.as_deref(), Some(TARGET));
    }

    #[tokio::test]
    async fn a_token_whose_end_is_not_said_is_taken_to_live_for_a_short_time() {
        let fake = Fake::start([fake::Answer::new(200, r#"{"accessToken":"theirs"}"#)]).await;
        let token = impersonated(&fake).token(&[LOGIN_SCOPE]).await.unwrap();
        let left = token.expires_at().duration_since(SystemTime::now());
        let left = left.unwrap();
        assert!(left > Duration::from_mins(4) && left <= Duration::from_mins(5));
    }

    #[tokio::test]
    async fn who_may_not_impersonate_is_told_which_role_is_missing_where() {
        let body = r#"{"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "no"}}"#;
        let fake = Fake::start([fake::Answer::new(403, body)]).await;
        let error = impersonated(&fake).token(&[LOGIN_SCOPE]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert_eq!(
            error.hint(),
            Some(
                "grant roles/iam.serviceAccountTokenCreator on \
                 one@proj.iam.gserviceaccount.com to the caller"
            )
        );
    }
}
