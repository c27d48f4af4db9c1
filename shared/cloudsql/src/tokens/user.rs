//! People who logged in with `gcloud auth application-default login`.

use std::{fmt, sync::Arc, time::SystemTime};

use futures_util::future::BoxFuture;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::http::Http;

use super::{
    LOGIN_SCOPE, Token, TokenError, TokenSource,
    endpoint::{self, ENDPOINT, Failure},
    file,
};

/// Tokens of a person whose refresh token lies in a file.
#[derive(Clone)]
pub struct AuthorizedUser {
    credentials: Arc<Credentials>,
    http: Http,
}

#[derive(Deserialize)]
struct Credentials {
    client_id: String,
    client_secret: Zeroizing<String>,
    refresh_token: Zeroizing<String>,
    token_uri: Option<String>,
    account: Option<String>,
    quota_project_id: Option<String>,
    universe_domain: Option<String>,
}

impl AuthorizedUser {
    /// The contents of the file that `gcloud` writes.
    pub fn from_json(text: &str) -> Result<Self, TokenError> {
        let credentials =
            serde_json::from_str(text).map_err(|error| file::unfit("a person", &error))?;
        Ok(Self {
            credentials: Arc::new(credentials),
            http: Http::plain(),
        })
    }
}

impl fmt::Debug for AuthorizedUser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AuthorizedUser(hidden)")
    }
}

impl TokenSource for AuthorizedUser {
    fn token<'a>(&'a self, scopes: &'a [&'a str]) -> BoxFuture<'a, Result<Token, TokenError>> {
        Box::pin(async move {
            let credentials = &*self.credentials;
            let token_uri = credentials.token_uri.as_deref().unwrap_or(endpoint::GOOGLE);
            let mut fields = vec![
                ("grant_type", "refresh_token"),
                ("client_id", &credentials.client_id),
                ("client_secret", &credentials.client_secret),
                ("refresh_token", &credentials.refresh_token),
            ];
            // A person allowed gcloud a list of scopes, and only these can be asked for by name:
            // that of the login is among them, that of the Admin API is covered by cloud-platform.
            // Without names comes what covers them all.
            if scopes == [LOGIN_SCOPE] {
                fields.push(("scope", LOGIN_SCOPE));
            }
            let asked = SystemTime::now();
            let request = endpoint::form(token_uri, &fields)?;
            let answer = endpoint::ask(&self.http, &ENDPOINT, &request).await;
            let body = answer.map_err(|failure| match failure {
                Failure::Refused(refusal) => {
                    let reasons = ["invalid_grant", "invalid_rapt", "invalid_scope"];
                    let remedy = refusal
                        .is_for(&reasons)
                        .then(|| "run gcloud auth application-default login".to_owned());
                    endpoint::refused(token_uri, &refusal, remedy)
                }
                Failure::Other(error) => error,
            })?;
            endpoint::token(&body, asked)
        })
    }

    fn principal(&self) -> BoxFuture<'_, Option<String>> {
        let account = self.credentials.account.clone();
        Box::pin(std::future::ready(account.filter(|it| !it.is_empty())))
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
    use super::*;
    use crate::{
        error::ErrorKind,
        fake::{Answer, Fake},
        tokens::ADMIN_SCOPE,
    };

    fn user(fake: &Fake) -> AuthorizedUser {
        let text = serde_json::json!({"type": "authorized_user", "client_id": "id",
            "client_secret": "shh", "refresh_token": "refresh", "token_uri": fake.url("/t")});
        AuthorizedUser::from_json(&text.to_string()).unwrap()
    }

    #[tokio::test]
    async fn only_the_login_is_asked_for_by_name() {
        let answer = r#"{"access_token":"one","expires_in":3599}"#;
        let fake = Fake::start([Answer::new(200, answer)]).await;
        let user = user(&fake);
        assert_eq!(user.token(&[ADMIN_SCOPE]).await.unwrap().secret(), "one");
        assert_eq!(user.token(&[LOGIN_SCOPE]).await.unwrap().secret(), "one");
        let body = |number| String::from_utf8(fake.question(number).into_body().to_vec()).unwrap();
        let common =
            "grant_type=refresh_token&client_id=id&client_secret=shh&refresh_token=refresh";
        assert_eq!(body(0), common);
        assert!(body(1).starts_with(common) && body(1).ends_with("sqlservice.login"));
        assert!(!format!("{user:?}").contains("shh"));
    }

    #[tokio::test]
    async fn a_login_that_ended_is_to_be_made_again() {
        let body = r#"{"error": "invalid_grant", "error_subtype": "invalid_rapt"}"#;
        let fake = Fake::start([Answer::new(400, body)]).await;
        let error = user(&fake).token(&[ADMIN_SCOPE]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert_eq!(
            error.hint(),
            Some("run gcloud auth application-default login")
        );
    }
}
