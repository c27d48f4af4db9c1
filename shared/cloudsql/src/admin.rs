//! The three calls of the Cloud SQL Admin API that a connection needs.

mod answers;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use rustls::crypto::CryptoProvider;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

pub(crate) use self::answers::ConnectSettings;
use self::answers::{Answer, Issued, Resolved};
use crate::{
    error::{Error, ErrorKind, Step},
    http::{Held, Http, HttpError, OWN_USER_AGENT, Reply},
    instance::InstanceName,
    json::without_text,
    refusal::Refusal,
    remedy::{Asked, remedy},
    retry::{self, Backoff},
    tokens::{ADMIN_SCOPE, Token, TokenSource, bearer},
};

const VERSION: &str = "v1beta4";
const API_CLIENT: HeaderName = HeaderName::from_static("x-goog-api-client");
const USER_PROJECT: HeaderName = HeaderName::from_static("x-goog-user-project");

/// Calls the Admin API, again and again where that may help.
#[derive(Clone)]
pub(crate) struct AdminApi {
    http: Http,
    /// Without the last slash.
    endpoint: String,
    tokens: Arc<dyn TokenSource>,
    quota_project: Option<(String, HeaderValue)>,
}

/// One call, for as many attempts as it takes.
struct Call<'a> {
    step: Step,
    path: String,
    /// Of a POST; a GET has none.
    body: Option<Bytes>,
    asked: Asked<'a>,
    deadline: Instant,
}

/// How an attempt failed.
struct Failure {
    error: Error,
    refusal: Option<Refusal>,
    then: Then,
}

enum Then {
    GiveUp,
    /// After a pause; with what the other side asked to wait.
    Again(Option<Duration>),
    /// Once, after a pause: it is more likely a fault that stays than one that passes.
    OnceMore,
    /// Once, with another token.
    NewToken,
}

impl AdminApi {
    /// The default `endpoint` is `https://sqladmin.` and the universe's domain. `user_agent` is added to this crate's own.
    pub(crate) fn new(
        endpoint: Option<&str>,
        universe_domain: &str,
        tokens: Arc<dyn TokenSource>,
        quota_project: Option<String>,
        user_agent: Option<&str>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let refused = |message| Error::new(ErrorKind::Configuration, Step::Configuration, message);
        let endpoint = endpoint.map_or_else(
            || format!("https://sqladmin.{universe_domain}"),
            |endpoint| endpoint.trim_end_matches('/').to_owned(),
        );
        let uri = endpoint.parse::<Uri>().ok();
        let is_usable = uri.is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
                && uri.query().is_none()
        });
        if !is_usable {
            let message = format!("{endpoint:?} is not the address of an API");
            return Err(
                refused(message).remedy("use an address such as https://sqladmin.googleapis.com")
            );
        }
        let user_agent = match user_agent {
            Some(more) => format!("{OWN_USER_AGENT} {more}"),
            None => OWN_USER_AGENT.to_owned(),
        };
        let user_agent = HeaderValue::try_from(user_agent).map_err(|error| {
            refused("the user agent does not fit into a header".to_owned()).caused_by(error)
        })?;
        let quota_project = match quota_project.or_else(|| tokens.quota_project()) {
            Some(project) => {
                let value = HeaderValue::try_from(&project).map_err(|error| {
                    refused(format!("{project:?} is not a quota project")).caused_by(error)
                })?;
                Some((project, value))
            }
            None => None,
        };
        Ok(Self {
            http: Http::new(user_agent, provider),
            endpoint,
            tokens,
            quota_project,
        })
    }

    /// While it lives, calls share a connection although they are made one after the other.
    pub(crate) fn hold(&self) -> Held {
        self.http.hold()
    }

    /// Addresses of the instance, and the CA of its certificate.
    pub(crate) async fn connect_settings(
        &self,
        instance: &InstanceName,
        deadline: Instant,
    ) -> Result<ConnectSettings, Error> {
        let name = instance.common_name();
        let call = Call {
            step: Step::Settings,
            path: format!(
                "projects/{}/instances/{}/connectSettings",
                instance.project(),
                instance.name()
            ),
            body: None,
            asked: self.asked(Some(instance.project()), &name),
            deadline,
        };
        self.call(&call).await
    }

    /// A client certificate for this public key, as PEM; with a login token, it logs its owner in.
    pub(crate) async fn ephemeral_certificate(
        &self,
        instance: &InstanceName,
        public_key_pem: &str,
        login_token: Option<&Token>,
        deadline: Instant,
    ) -> Result<String, Error> {
        let body = match login_token {
            Some(token) => json!({"public_key": public_key_pem, "access_token": token.secret()}),
            None => json!({"public_key": public_key_pem}),
        };
        let name = instance.common_name();
        let call = Call {
            step: Step::Certificate,
            path: format!(
                "projects/{}/instances/{}:generateEphemeralCert",
                instance.project(),
                instance.name()
            ),
            body: Some(Bytes::from(body.to_string())),
            asked: self.asked(Some(instance.project()), &name),
            deadline,
        };
        let issued: Issued = self.call(&call).await?;
        Ok(issued.ephemeral_cert.cert)
    }

    /// The instance that has this DNS name of Google's.
    pub(crate) async fn instance_of_dns_name(
        &self,
        region: &str,
        dns_name: &str,
        deadline: Instant,
    ) -> Result<InstanceName, Error> {
        let dns_name = dns_name.trim_end_matches('.');
        // It may have come from anybody's DNS server, and goes into an address.
        let fits = |text: &str, also: &str| {
            let mut chars = text.chars();
            !text.is_empty() && chars.all(|it| it.is_ascii_alphanumeric() || also.contains(it))
        };
        if !fits(region, "-") || !fits(dns_name, ".-") {
            let message = format!("{dns_name:?} is not the DNS name of an instance");
            return Err(Error::new(ErrorKind::Configuration, Step::Dns, message));
        }
        let call = Call {
            step: Step::Dns,
            path: format!("locations/{region}/dns/{dns_name}.:resolveConnectSettings"),
            body: None,
            asked: self.asked(None, dns_name),
            deadline,
        };
        let resolved: Resolved = self.call(&call).await?;
        resolved.connection_name.parse().map_err(|error: Error| {
            let message = format!("{dns_name} leads to {:?}", resolved.connection_name);
            Error::new(ErrorKind::Protocol, Step::Dns, message).caused_by(error)
        })
    }

    fn asked<'a>(&'a self, project: Option<&'a str>, name: &'a str) -> Asked<'a> {
        Asked {
            project,
            name,
            quota_project: self
                .quota_project
                .as_ref()
                .map(|(project, _)| project.as_str()),
        }
    }

    async fn call<T: Answer>(&self, call: &Call<'_>) -> Result<T, Error> {
        // Attempts share a connection, if it is not the connection that failed.
        let _open = self.hold();
        let mut backoff = Backoff::default();
        let mut refused: Option<(Token, Failure)> = None;
        let mut was_unreadable = false;
        let mut last: Option<Error> = None;
        loop {
            let token = self.token(call.deadline).await?;
            let same = refused.take_if(|(old, _)| old.secret() == token.secret());
            if let Some((_, failure)) = same {
                return Err(self.explained(call, failure).await);
            }
            let is_second_token = refused.is_some();
            let failure = match self.attempt(call, &token).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let asked = match failure.then {
                Then::GiveUp => {
                    let failure = failure.after(last);
                    return Err(self.explained(call, failure).await);
                }
                Then::NewToken if is_second_token => {
                    return Err(self.explained(call, failure).await);
                }
                Then::NewToken => {
                    self.tokens.forget(&token);
                    refused = Some((token, failure));
                    continue;
                }
                Then::OnceMore if was_unreadable => return Err(failure.error),
                Then::OnceMore => {
                    was_unreadable = true;
                    None
                }
                Then::Again(asked) => asked,
            };
            let pause = backoff.pause(asked);
            let Some(pause) = pause.filter(|pause| Instant::now() + *pause < call.deadline) else {
                return Err(self.explained(call, failure).await);
            };
            tracing::debug!(error = %failure.error, pause_ms = pause.as_millis(), "asking again");
            last = Some(failure.error);
            tokio::time::sleep(pause).await;
        }
    }

    async fn token(&self, deadline: Instant) -> Result<Token, Error> {
        match timeout_at(deadline, self.tokens.token(&[ADMIN_SCOPE])).await {
            Ok(token) => token.map_err(Error::from),
            Err(_elapsed) => Err(Error::new(
                ErrorKind::Timeout,
                Step::Token,
                "the access token did not come in time",
            )),
        }
    }

    fn request(&self, call: &Call<'_>, token: &Token) -> Result<Request<Bytes>, Error> {
        let (method, body) = match &call.body {
            Some(body) => (Method::POST, body.clone()),
            None => (Method::GET, Bytes::new()),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/sql/{VERSION}/{}", self.endpoint, call.path))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .header(API_CLIENT, self.http.user_agent())
            .header(AUTHORIZATION, bearer(token)?)
            .body(body)
            .map_err(|error| {
                let message = "the request cannot be written";
                Error::new(ErrorKind::Configuration, call.step, message).caused_by(error)
            })?;
        if let Some((_, project)) = &self.quota_project {
            request.headers_mut().insert(USER_PROJECT, project.clone());
        }
        Ok(request)
    }

    async fn attempt<T: Answer>(&self, call: &Call<'_>, token: &Token) -> Result<T, Failure> {
        let request = self.request(call, token).map_err(|error| Failure {
            error,
            refusal: None,
            then: Then::GiveUp,
        })?;
        let host = request.uri().host().unwrap_or_default().to_owned();
        let reply = self.http.send(request, call.deadline).await;
        let reply = reply.map_err(|error| Failure::of_exchange(call.step, error))?;
        if reply.status.is_success() {
            let answer = serde_json::from_slice::<T>(&reply.body);
            let answer = answer.map_err(|error| without_text(&error));
            let missing = "what was asked for is not in it";
            let answer = answer.and_then(|it| it.is_whole().then_some(it).ok_or(missing.into()));
            return answer.map_err(|why| Failure {
                error: Error::new(
                    ErrorKind::Protocol,
                    call.step,
                    format!("the answer of {host} cannot be read"),
                )
                .answer(reply.status.as_u16(), None)
                .caused_by(why),
                refusal: None,
                then: Then::OnceMore,
            });
        }
        Err(Failure::of_refusal(call.step, &host, &reply))
    }

    /// The error with what to do about it. Who it was that was refused is asked for only now.
    async fn explained(&self, call: &Call<'_>, failure: Failure) -> Error {
        let Some(refusal) = failure.refusal else {
            return failure.error;
        };
        let principal = if refusal.status == 403 && !refusal.is_quota() {
            let patience = call.deadline.min(Instant::now() + Duration::from_secs(1));
            timeout_at(patience, self.tokens.principal())
                .await
                .ok()
                .flatten()
        } else {
            None
        };
        match remedy(&refusal, call.asked, principal.as_deref()) {
            Some(remedy) => failure.error.remedy(remedy),
            None => failure.error,
        }
    }
}

impl Failure {
    fn of_exchange(step: Step, error: HttpError) -> Self {
        let kind = match error {
            HttpError::Timeout { .. } => ErrorKind::Timeout,
            HttpError::TooLarge { .. } => ErrorKind::Protocol,
            HttpError::Connect { .. } | HttpError::Broken { .. } => ErrorKind::Unavailable,
        };
        let then = if error.may_pass() {
            Then::Again(None)
        } else {
            Then::GiveUp
        };
        let mut found = Error::new(kind, step, error.to_string());
        if kind != ErrorKind::Protocol {
            let host = error.host();
            found = found.remedy(format!(
                "check that this network reaches {host} (firewall, egress, Private Google Access)"
            ));
        }
        let found = match error {
            HttpError::Connect { source, .. } | HttpError::Broken { source, .. } => {
                found.caused_by(source)
            }
            HttpError::Timeout { .. } | HttpError::TooLarge { .. } => found,
        };
        Self {
            error: found,
            refusal: None,
            then,
        }
    }

    fn of_refusal(step: Step, host: &str, reply: &Reply) -> Self {
        let refusal = Refusal::read(reply.status, &reply.body);
        let asked = retry::retry_after(&reply.headers, SystemTime::now());
        let then = match refusal.status {
            401 => Then::NewToken,
            _ if refusal.may_pass() => Then::Again(asked),
            _ => Then::GiveUp,
        };
        let error = Error::new(refusal.kind(), step, refusal.said(host))
            .answer(refusal.status, refusal.reason())
            .asked_to_wait(asked);
        Self {
            error,
            refusal: Some(refusal),
            then,
        }
    }

    /// Who waited in vain hears what was wrong before.
    fn after(mut self, last: Option<Error>) -> Self {
        if let Some(last) = last.filter(|_| self.error.kind() == ErrorKind::Timeout) {
            self.error = self.error.caused_by(last);
        }
        self
    }
}

impl fmt::Debug for AdminApi {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AdminApi({})", self.endpoint)
    }
}

#[cfg(test)]
mod tests;
