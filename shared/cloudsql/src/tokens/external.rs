//! Identities that somebody else vouches for: workload identity federation.
//!
//! Another cloud, a cluster or a pipeline hands out a subject token, in a file or at an address.
//! Google's security token service exchanges it (RFC 8693) for an access token of its own, with which
//! a service account may be acted as. Subject tokens are short-lived: each is read when it is needed.

mod subject;

use std::{fmt, sync::Arc, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, header::AUTHORIZATION};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use self::subject::Source;
use crate::http::Http;

use super::{
    Token, TokenError, TokenSource,
    endpoint::{self, ENDPOINT, Failure},
    file,
};

/// Tokens of an identity that a workload identity pool or a workforce pool knows.
#[derive(Clone)]
pub(super) struct ExternalAccount {
    credentials: Arc<Credentials>,
    source: Source,
    http: Http,
}

#[derive(Deserialize)]
struct Credentials {
    audience: String,
    subject_token_type: String,
    token_url: String,
    credential_source: Value,
    client_id: Option<String>,
    client_secret: Option<Zeroizing<String>>,
    /// Of people: the project whose quota pays.
    workforce_pool_user_project: Option<String>,
    quota_project_id: Option<String>,
    universe_domain: Option<String>,
}

impl ExternalAccount {
    pub(super) fn from_json(text: &str) -> Result<Self, TokenError> {
        let credentials: Credentials = serde_json::from_str(text).map_err(|error| unfit(&error))?;
        let source = Source::read(&credentials.credential_source)?;
        Ok(Self {
            credentials: Arc::new(credentials),
            source,
            http: Http::plain(),
        })
    }

    fn exchange(&self, subject_token: &str, scopes: &[&str]) -> Result<Request<Bytes>, TokenError> {
        let credentials = &*self.credentials;
        let scope = scopes.join(" ");
        let mut fields = vec![
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            (
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("audience", &credentials.audience),
            ("scope", &scope),
            ("subject_token_type", &credentials.subject_token_type),
            ("subject_token", subject_token),
        ];
        let client = credentials
            .client_id
            .as_ref()
            .zip(credentials.client_secret.as_ref());
        let project = credentials.workforce_pool_user_project.as_ref();
        // Who names a client is known by it.
        let options = project.filter(|_| client.is_none());
        let options = options.map(|it| json!({"userProject": it}).to_string());
        fields.extend(options.as_deref().map(|it| ("options", it)));
        let mut request = endpoint::form(&credentials.token_url, &fields)?;
        if let Some((id, secret)) = client {
            let both = Zeroizing::new(format!("{id}:{}", secret.as_str()));
            let basic = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(&*both)));
            if let Ok(mut basic) = basic {
                basic.set_sensitive(true);
                request.headers_mut().insert(AUTHORIZATION, basic);
            }
        }
        Ok(request)
    }
}

fn unfit(error: &serde_json::Error) -> TokenError {
    file::unfit("an external account", error)
}

impl fmt::Debug for ExternalAccount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "ExternalAccount({:?})",
            self.credentials.audience
        )
    }
}

impl TokenSource for ExternalAccount {
    fn token<'a>(&'a self, scopes: &'a [&'a str]) -> BoxFuture<'a, Result<Token, TokenError>> {
        Box::pin(async move {
            let subject_token = self.source.subject_token(&self.http).await?;
            let asked = SystemTime::now();
            let request = self.exchange(&subject_token, scopes)?;
            let answer = endpoint::ask(&self.http, &ENDPOINT, &request).await;
            let body = answer.map_err(|failure| match failure {
                Failure::Refused(refusal) => {
                    let remedy = "check the provider of the pool: issuer, audiences, attribute \
                                  mapping and condition";
                    let remedy = (refusal.status < 404).then(|| remedy.to_owned());
                    endpoint::refused(&self.credentials.token_url, &refusal, remedy)
                }
                Failure::Other(error) => error,
            })?;
            endpoint::token(&body, asked)
        })
    }

    fn quota_project(&self) -> Option<String> {
        self.credentials.quota_project_id.clone()
    }

    fn universe_domain(&self) -> Option<String> {
        Some(file::universe(self.credentials.universe_domain.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::fake::{Answer, Fake};

    fn account(fake: &Fake, source: &Value) -> Result<ExternalAccount, TokenError> {
        let text = json!({"type": "external_account", "audience": "//iam/pool",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": fake.url("/v1/token"), "credential_source": source,
            "client_id": "me", "client_secret": "shh"});
        ExternalAccount::from_json(&text.to_string())
    }

    #[tokio::test]
    async fn a_subject_token_at_an_address_is_fetched_as_said_and_exchanged() {
        let fake = Fake::start([
            Answer::new(200, r#"{"value": "theirs"}"#),
            Answer::new(200, r#"{"access_token":"ours","expires_in":3599}"#),
        ])
        .await;
        let source = json!({"url": fake.url("/id?aud=x"), "headers": {"X-Key": "k3y"},
            "format": {"type": "json", "subject_token_field_name": "value"}});
        let account = account(&fake, &source).unwrap();
        assert_eq!(account.token(&["a", "b"]).await.unwrap().secret(), "ours");
        assert_eq!(fake.question(0).uri(), "/id?aud=x");
        assert_eq!(fake.question(0).headers()["x-key"], "k3y");
        let exchange = fake.question(1);
        assert_eq!(exchange.headers()[AUTHORIZATION], "Basic bWU6c2ho");
        let form: HashMap<String, String> = url::form_urlencoded::parse(exchange.body())
            .into_owned()
            .collect();
        assert_eq!(
            (&*form["subject_token"], &*form["scope"]),
            ("theirs", "a b")
        );
        assert_eq!(form["audience"], "//iam/pool");
        assert!(!format!("{account:?}").contains("shh"));
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_subject_token_is_told_without_it() {
        let fake = Fake::start([
            Answer::new(200, r#"{"other": "s3cret"}"#),
            Answer::new(403, "s3cret"),
        ])
        .await;
        let format = json!({"type": "json", "subject_token_field_name": "value"});
        for (source, said) in [
            (
                json!({"url": fake.url("/"), "format": format}),
                "credential_source.format",
            ),
            (
                json!({"url": fake.url("/")}),
                "headers in credential_source",
            ),
            (json!({"file": "/nowhere/token"}), "/nowhere/token"),
        ] {
            let error = account(&fake, &source)
                .unwrap()
                .token(&["a"])
                .await
                .unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn sources_that_are_not_spoken_here_are_named_with_those_that_are() {
        let fake = Fake::start([Answer::new(500, "")]).await;
        for (source, name) in [
            (json!({"environment_id": "aws1", "url": "http://x"}), "AWS"),
            (json!({"executable": {"command": "x"}}), "an executable"),
            (json!({"certificate": {}}), "a certificate"),
        ] {
            let error = account(&fake, &source).unwrap_err().to_string();
            assert!(
                error.contains(name) && error.contains("--credential-source-file"),
                "{error}"
            );
        }
        assert!(account(&fake, &json!({})).is_err());
    }
}
