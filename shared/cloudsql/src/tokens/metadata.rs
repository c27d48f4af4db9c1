//! The metadata server of Google's machines.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Request;

use crate::{error::ErrorKind, http::Http};

use super::{
    Token, TokenError, TokenSource,
    endpoint::{self, Failure, Manner},
};

/// Its address; its name, `metadata.google.internal`, would have to be looked up.
const GOOGLE: &str = "169.254.169.254";

/// It is on the same machine, so what has not been answered by now will not be. It is known to
/// answer 5xx or nothing for a moment while an instance starts. A proxy or a captive portal that
/// answers everything with 200 must not be taken for it.
const MANNER: Manner = Manner {
    limit: Duration::from_secs(3),
    pauses: &[Duration::from_millis(100), Duration::from_millis(400)],
    is_genuine: |headers| headers.get(FLAVOR).is_some_and(|flavor| flavor == "Google"),
};

const FLAVOR: &str = "metadata-flavor";

/// Tokens of the service account that this machine, service or function runs as.
#[derive(Clone, Debug)]
pub struct MetadataServer {
    host: String,
    http: Http,
}

impl MetadataServer {
    /// `host` is a name or address, with a port if it is not 80: the form of `GCE_METADATA_HOST`.
    /// `None` is Google's own.
    pub fn new(host: Option<&str>) -> Self {
        Self {
            host: host.unwrap_or(GOOGLE).to_owned(),
            http: Http::plain(),
        }
    }

    async fn get(&self, path: &str) -> Result<Bytes, TokenError> {
        let account = "computeMetadata/v1/instance/service-accounts/default";
        let url = format!("http://{}/{account}/{path}", self.host);
        let request = Request::get(&url)
            .header(FLAVOR, "Google")
            .body(Bytes::new())
            .map_err(|error| endpoint::address(&url, error))?;
        endpoint::ask(&self.http, &MANNER, &request)
            .await
            .map_err(|failure| match failure {
                Failure::Refused(refusal) => {
                    let remedy = (refusal.status == 404)
                        .then(|| "attach a service account to this machine or service".to_owned());
                    endpoint::refused("the metadata server", &refusal, remedy)
                }
                Failure::Other(error) if error.kind() == ErrorKind::Unavailable => error.with_hint(
                    "outside Google Cloud, set GOOGLE_APPLICATION_CREDENTIALS or run \
                     gcloud auth application-default login",
                ),
                Failure::Other(error) => error,
            })
    }
}

impl TokenSource for MetadataServer {
    fn token<'a>(&'a self, scopes: &'a [&'a str]) -> BoxFuture<'a, Result<Token, TokenError>> {
        Box::pin(async move {
            let asked = SystemTime::now();
            let path = match scopes {
                [] => "token".to_owned(),
                scopes => format!("token?scopes={}", scopes.join(",")),
            };
            endpoint::token(&self.get(&path).await?, asked)
        })
    }

    fn principal(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(async move {
            let body = self.get("email").await.ok()?;
            let email = std::str::from_utf8(&body).ok()?.trim();
            (!email.is_empty()).then(|| email.to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fake::{Answer, Fake},
        tokens::LOGIN_SCOPE,
    };

    fn genuine(status: u16, body: &str) -> Answer {
        Answer::new(status, body).header(FLAVOR, "Google")
    }

    const TOKEN: &str = r#"{"access_token":"one","expires_in":1800,"token_type":"Bearer"}"#;

    #[tokio::test]
    async fn the_scopes_are_passed_on_and_the_flavor_is_said() {
        let fake = Fake::start([genuine(200, TOKEN)]).await;
        let source = MetadataServer::new(Some(&fake.host));
        let before = SystemTime::now();
        let token = source.token(&["a", LOGIN_SCOPE]).await.unwrap();
        assert_eq!(token.secret(), "one");
        let life = token.expires_at().duration_since(before).unwrap();
        assert!(life >= Duration::from_mins(30) && life < Duration::from_mins(31));
        let question = fake.question(0);
        assert_eq!(
            question.uri().to_string(),
            "/computeMetadata/v1/instance/service-accounts/default/token\
             ?scopes=a,https://www.googleapis.com/auth/sqlservice.login"
        );
        assert_eq!(question.headers()[FLAVOR], "Google");
    }

    #[tokio::test]
    async fn what_does_not_call_itself_the_metadata_server_is_not_it() {
        let fake = Fake::start([Answer::new(200, TOKEN)]).await;
        let source = MetadataServer::new(Some(&fake.host));
        let error = source.token(&["a"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert_eq!(fake.asked(), 1);
    }

    #[tokio::test]
    async fn a_server_that_is_not_ready_is_asked_again() {
        let fake = Fake::start([genuine(503, ""), Answer::hang_up(), genuine(200, TOKEN)]).await;
        let source = MetadataServer::new(Some(&fake.host));
        assert_eq!(source.token(&["a"]).await.unwrap().secret(), "one");
        assert_eq!(fake.asked(), 3);
    }

    #[tokio::test]
    async fn a_machine_without_a_service_account_is_told_to_get_one() {
        let fake = Fake::start([genuine(404, "")]).await;
        let source = MetadataServer::new(Some(&fake.host));
        let error = source.token(&["a"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(
            error.to_string().contains("attach a service account"),
            "{error}"
        );
        assert_eq!(fake.asked(), 1);
    }

    #[tokio::test]
    async fn where_there_is_no_metadata_server_the_other_ways_are_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        drop(listener);
        let source = MetadataServer::new(Some(&host));
        let error = source.token(&["a"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(
            error.to_string().contains("GOOGLE_APPLICATION_CREDENTIALS"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn the_principal_is_the_service_account() {
        let fake = Fake::start([genuine(200, "sa@proj.iam.gserviceaccount.com\n")]).await;
        let source = MetadataServer::new(Some(&fake.host));
        let principal = source.principal().await;
        assert_eq!(
            principal.as_deref(),
            Some("sa@proj.iam.gserviceaccount.com")
        );
        assert!(fake.question(0).uri().path().ends_with("/default/email"));
    }
}
