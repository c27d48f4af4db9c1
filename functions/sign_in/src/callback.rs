//! `GET /sign_in/callback`: back from the issuer, with a code.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::SET_COOKIE;
use http::{HeaderValue, StatusCode};
use nova_runtime::config::IdentityConfig;
use nova_runtime::http_client::HttpError;
use nova_runtime::identity::{DiscoveryError, Metadata, TokenError, Verifier, session};
use nova_runtime::{App, Call, Identity, Problem, Response, see_other};
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;

use crate::attempt::Attempt;
use crate::page::try_again;
use crate::start::issuer_unavailable;
use crate::{identity, redirect_uri, resource};

/// What the token endpoint answers (RFC 6749, 5.1).
#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    token_type: String,
    id_token: Option<String>,
}

/// Why an attempt ended without a session, through nobody's fault here: the person can try again.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("This sign-in was not begun in this browser, or it took more than ten minutes.")]
    NotBegunHere,
    #[error("The sign-in service did not let you in ({0}).")]
    ByIssuer(String),
    #[error("The answer came from another sign-in service than the one that was asked.")]
    OtherIssuer,
    #[error(
        "The sign-in service does not accept this answer any more; it may have been used already."
    )]
    SpentCode(#[source] HttpError),
}

/// What ends an attempt early.
enum Failure {
    Refused(Refused),
    Problem(Problem),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// What the browser brings back.
struct Returned {
    app: Arc<App>,
    attempt: Attempt,
    issuer: Option<String>,
    error: Option<String>,
    code: Option<String>,
}

impl Returned {
    /// `None` unless it is an answer to what this very browser asked.
    fn of(call: &Call) -> Option<Self> {
        let app = Arc::clone(call.app());
        let attempt = Attempt::of(call.headers(), &app.config().server_url)?;
        let state = call.query("state")?;
        attempt.has_state(&state).then(|| Self {
            app,
            attempt,
            issuer: call.query("iss"),
            error: call.query("error"),
            code: call.query("code"),
        })
    }
}

pub(crate) async fn callback(call: Call) -> Result<Response, Problem> {
    let outcome = match Returned::of(&call) {
        Some(returned) => finish(&returned).await,
        None => Err(Refused::NotBegunHere.into()),
    };
    match outcome {
        Ok(response) => Ok(response),
        Err(Failure::Problem(problem)) => Err(problem),
        Err(Failure::Refused(refused)) => {
            let error = std::error::Error::source(&refused).map(ToString::to_string);
            tracing::info!(error, "a sign-in was refused: {refused}");
            Ok(try_again(StatusCode::BAD_REQUEST, &refused.to_string()))
        }
    }
}

async fn finish(returned: &Returned) -> Result<Response, Failure> {
    let Returned { app, attempt, .. } = returned;
    let (config, verifier) = identity(app)?;
    let metadata = verifier.discovery().metadata().await;
    let metadata = metadata.map_err(issuer_unavailable)?;
    match &returned.issuer {
        Some(issuer) if !verifier.discovery().is_issuer(issuer) => {
            return Err(Refused::OtherIssuer.into());
        }
        None if metadata.names_itself_in_answers => return Err(Refused::OtherIssuer.into()),
        _ => {}
    }
    if let Some(error) = &returned.error {
        return Err(Refused::ByIssuer(error.chars().take(64).collect()).into());
    }
    let code = returned.code.as_deref().ok_or(Refused::NotBegunHere)?;
    let tokens = exchange(app, &metadata, attempt, code).await?;
    let identity = verified(config, verifier, attempt, &tokens).await?;
    let lifetime = identity.expires_at.duration_since(app.clock().now());
    let server_url = &app.config().server_url;
    let cookie = session::set_cookie(
        &tokens.access_token,
        lifetime.unwrap_or_default(),
        server_url,
    );
    let cookie = cookie.map_err(Problem::internal)?;
    let mut response = see_other(attempt.return_to().as_str());
    let headers = response.headers_mut();
    headers.append(SET_COOKIE, cookie);
    headers.append(SET_COOKIE, Attempt::forget(server_url));
    Ok(response)
}

/// The code for tokens.
async fn exchange(
    app: &App,
    metadata: &Metadata,
    attempt: &Attempt,
    code: &str,
) -> Result<Tokens, Failure> {
    let (config, verifier) = identity(app)?;
    let endpoint = metadata.token_endpoint.as_ref();
    let endpoint = endpoint.ok_or(DiscoveryError::MissingEndpoint("token_endpoint"));
    let endpoint = endpoint.map_err(issuer_unavailable)?;
    let redirect_uri = redirect_uri(&app.config().server_url);
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri.as_str()),
        ("client_id", config.client_id.as_str()),
        ("code_verifier", attempt.verifier.as_str()),
    ];
    fields.extend(resource(verifier).map(|resource| ("resource", resource)));
    let mut authorization = None;
    if let Some(secret) = &config.client_secret {
        if wants_secret_in_form(metadata) {
            fields.push(("client_secret", secret.reveal()));
        } else {
            authorization = basic(&config.client_id, secret.reveal());
        }
    }
    match app.http().post_form(endpoint, &fields, authorization).await {
        Ok(tokens) => Ok(tokens),
        Err(error @ HttpError::Status { status, .. }) if status == StatusCode::BAD_REQUEST => {
            Err(Refused::SpentCode(error).into())
        }
        Err(error) if error.is_retryable() => {
            Err(issuer_unavailable(DiscoveryError::Http(error)).into())
        }
        // Among others a wrong client id or secret: for the operator to see, not for the person.
        Err(error) => Err(Problem::internal(error).into()),
    }
}

/// Whose token it is, once it is known to be good for us, and the ID token for this attempt.
async fn verified(
    config: &IdentityConfig,
    verifier: &Verifier,
    attempt: &Attempt,
    tokens: &Tokens,
) -> Result<Identity, Problem> {
    if !tokens.token_type.eq_ignore_ascii_case("bearer") {
        return Err(Problem::internal(
            "the issuer gave a token that is no bearer token",
        ));
    }
    let identity = verifier.verify(&tokens.access_token).await;
    let identity = identity.map_err(unusable)?;
    if let Some(id_token) = &tokens.id_token {
        let user = verifier.verify_id_token(id_token, &config.client_id, &attempt.nonce);
        if user.await.map_err(unusable)? != identity.user {
            return Err(Problem::internal(
                "the two tokens of a sign-in name two users",
            ));
        }
    }
    Ok(identity)
}

/// A token straight from the issuer that we do not accept: a wrong setting, here or there.
fn unusable(error: TokenError) -> Problem {
    if error.is_unavailable() {
        let retry_after = Duration::from_secs(10);
        return Problem::unavailable("The sign-in cannot be checked at the moment.", retry_after)
            .caused_by(error);
    }
    Problem::internal(error)
}

/// `client_secret_basic` is what an issuer accepts when it says nothing else.
fn wants_secret_in_form(metadata: &Metadata) -> bool {
    let methods = &metadata.token_endpoint_auth_methods;
    let has = |wanted: &str| methods.iter().any(|method| method == wanted);
    has("client_secret_post") && !has("client_secret_basic")
}

/// RFC 6749, 2.3.1: both halves are form-encoded before they are put together.
fn basic(client_id: &str, secret: &str) -> Option<HeaderValue> {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(secret));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}
