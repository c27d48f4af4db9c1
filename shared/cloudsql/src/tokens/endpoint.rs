//! Questions to servers that issue tokens.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    error::ErrorKind,
    http::{Http, Reply},
    json::without_text,
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

/// How long a token is taken to live whose end was not said: about the least that the metadata server
/// hands out.
const UNTOLD: Duration = Duration::from_mins(5);

/// What token endpoints and the metadata server answer.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    /// A number of seconds; some stand-ins and proxies write it as a text.
    #[serde(default)]
    expires_in: Value,
}

/// `asked` is when the question was sent: the token lives no longer than counted from there.
pub(super) fn token(body: &[u8], asked: SystemTime) -> Result<Token, TokenError> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let seconds = match &answer.expires_in {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    // Less than nothing is nothing, and what is too long for a duration is for ever.
    let life = seconds.map(|it: f64| Duration::try_from_secs_f64(it.max(0.0)));
    let life = life.map_or(UNTOLD, |it| it.unwrap_or(Duration::MAX));
    Ok(Token::new(answer.access_token, after(asked, life)))
}

/// A token whose end was not said.
pub(super) fn untold(asked: SystemTime) -> SystemTime {
    after(asked, UNTOLD)
}

fn after(asked: SystemTime, life: Duration) -> SystemTime {
    asked
        .checked_add(life)
        .unwrap_or_else(super::distant_future)
}

/// Without the text around the fault, which may be the token.
pub(super) fn unreadable(error: &serde_json::Error) -> TokenError {
    TokenError::new(ErrorKind::Protocol, "the answer holds no access token")
        .with_source(without_text(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_life_of_a_token_is_read_however_it_is_written() {
        let asked = SystemTime::UNIX_EPOCH + Duration::from_hours(1);
        for (written, seconds) in [
            (r#","expires_in":3599"#, 3599),
            (r#","expires_in":3599.0"#, 3599),
            (r#","expires_in":"3599""#, 3599),
            (r#","expires_in":" 3599.5 ""#, 3599),
            (r#","expires_in":-1"#, 0),
            // Not said: for a short time.
            ("", 300),
            (r#","expires_in":null"#, 300),
            (r#","expires_in":"soon""#, 300),
        ] {
            let body = format!(r#"{{"access_token":"one"{written}}}"#);
            let token = token(body.as_bytes(), asked).unwrap();
            let life = token.expires_at().duration_since(asked).unwrap();
            assert_eq!((token.secret(), life.as_secs()), ("one", seconds), "{body}");
        }
        let body = br#"{"access_token":"one","expires_in":1e300}"#;
        let token = token(body, asked).unwrap();
        assert_eq!(token.expires_at(), super::super::distant_future());
    }

    /// All that somebody could print of an error.
    fn shown(error: &TokenError) -> String {
        let mut all = vec![format!("{error} {error:?}")];
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            all.push(format!("{error} {error:?}"));
            cause = error.source();
        }
        all.join(" ")
    }

    #[tokio::test]
    async fn no_piece_of_an_answer_is_in_an_error() {
        use crate::{
            fake::{Answer, Fake},
            tokens::{Fixed, Impersonated, MetadataServer, TokenSource as _},
        };
        for body in [
            r#""s3cret""#,
            r#"[7, "s3cret"]"#,
            r#"{"access_token": ["s3cret"], "accessToken": ["s3cret"]}"#,
            r#"{"access_token": {"s3cret": 1}, "accessToken": {"s3cret": 1}}"#,
            r#"{"s3cret": 1}"#,
            r#"{"access_token": "s3cret"#,
            "s3cret",
            r#"{"accessToken": "t", "expireTime": "s3cret"}"#,
            r#"{"accessToken": "t", "expireTime": {"s3cret": 1}}"#,
        ] {
            let answer = Answer::new(200, body).header("metadata-flavor", "Google");
            let fake = Fake::start([answer]).await;
            let metadata = MetadataServer::new(Some(&fake.host));
            let own = std::sync::Arc::new(Fixed::new("own"));
            let impersonated = Impersonated::new(own, "a@b", Vec::new());
            let impersonated = impersonated.with_endpoint(&fake.url(""));
            for error in [
                metadata.token(&["a"]).await.unwrap_err(),
                impersonated.token(&["a"]).await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::Protocol, "{body}");
                let shown = shown(&error);
                assert!(!shown.contains("s3cret"), "{body}: {shown}");
            }
        }
    }
}
