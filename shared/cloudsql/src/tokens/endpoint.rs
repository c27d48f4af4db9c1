//! Questions to servers that issue tokens.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header::CONTENT_TYPE};
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    error::ErrorKind,
    http::{Http, Reply},
    refusal::Refusal,
    retry,
};

use super::{Token, TokenError};

/// Google's token endpoint, for credentials that name no other.
pub(super) const GOOGLE: &str = "https://oauth2.googleapis.com/token";

/// How a server is asked.
pub(super) struct Manner {
    /// For one attempt.
    pub(super) limit: Duration,
    /// Before each further attempt, about.
    pub(super) pauses: &'static [Duration],
    /// Whether this is an answer of the server that was meant.
    pub(super) is_genuine: fn(&HeaderMap) -> bool,
}

/// Token endpoints and IAM, over the internet.
pub(super) const ENDPOINT: Manner = Manner {
    limit: Duration::from_secs(5),
    pauses: &[Duration::from_millis(200), Duration::from_millis(600)],
    is_genuine: |_| true,
};

/// A refusal, or an error that is ready.
pub(super) enum Failure {
    Refused(Refusal),
    Other(TokenError),
}

/// Asks, and asks again when the failure may pass.
pub(super) async fn ask(
    http: &Http,
    manner: &Manner,
    request: &Request<Bytes>,
) -> Result<Bytes, Failure> {
    let mut pauses = manner.pauses.iter();
    let host = request.uri().host().unwrap_or_default();
    loop {
        let deadline = Instant::now() + manner.limit;
        let (may_pass, failure) = match http.send(request.clone(), deadline).await {
            Ok(reply) if !(manner.is_genuine)(&reply.headers) => {
                let text = format!("what answers at {host} is not the server that was meant");
                let error = TokenError::new(ErrorKind::Protocol, text);
                (false, Failure::Other(error))
            }
            Ok(Reply { status, body, .. }) if status == StatusCode::OK => return Ok(body),
            Ok(Reply { status, body, .. }) => {
                let refusal = Refusal::read(status, &body);
                (refusal.may_pass(), Failure::Refused(refusal))
            }
            Err(error) => {
                let text = format!("{host} gave no answer to the question for an access token");
                let remedy = format!("check that this network reaches {host}");
                let error = TokenError::new(ErrorKind::Unavailable, text)
                    .with_hint(remedy)
                    .with_source(error);
                (true, Failure::Other(error))
            }
        };
        match pauses.next() {
            Some(pause) if may_pass => tokio::time::sleep(retry::about(*pause)).await,
            _ => return Err(failure),
        }
    }
}

/// A form for a token endpoint.
pub(super) fn form(url: &str, fields: &[(&str, &str)]) -> Result<Request<Bytes>, TokenError> {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    Request::post(url)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(form))
        .map_err(|error| address(url, error))
}

/// An address that cannot be asked.
pub(super) fn address(url: &str, error: http::Error) -> TokenError {
    TokenError::new(
        ErrorKind::Configuration,
        format!("{url:?} is no address of a token server"),
    )
    .with_source(error)
}

/// The error of a refusal, with what to do about it.
pub(super) fn refused(host: &str, refusal: &Refusal, remedy: Option<String>) -> TokenError {
    let kind = match refusal.kind() {
        // Token endpoints say 400 when they do not accept the credentials.
        ErrorKind::Configuration if refusal.status == 400 => ErrorKind::Denied,
        kind => kind,
    };
    let error =
        TokenError::new(kind, refusal.said(host)).with_answer(refusal.status, refusal.reason());
    match remedy {
        Some(remedy) => error.with_hint(remedy),
        None => error,
    }
}

/// What token endpoints and the metadata server answer.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

/// `asked` is when the question was sent: the token lives no longer than counted from there.
pub(super) fn token(body: &[u8], asked: SystemTime) -> Result<Token, TokenError> {
    let answer: Answer = serde_json::from_slice(body).map_err(unreadable)?;
    let life = Duration::from_secs(answer.expires_in);
    let expires_at = asked
        .checked_add(life)
        .unwrap_or_else(super::distant_future);
    Ok(Token::new(answer.access_token, expires_at))
}

pub(super) fn unreadable(error: serde_json::Error) -> TokenError {
    TokenError::new(ErrorKind::Protocol, "the answer holds no access token").with_source(error)
}
