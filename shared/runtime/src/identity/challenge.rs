//! The credential of a request, and the answer to a request without a good one
//! (RFC 6750, RFC 9728).

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::error::TokenError;
use super::scopes::Scope;

/// The bearer token of a request: `None` without one. Tokens are taken from the header alone,
/// never from the query or a form.
pub fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, TokenError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(TokenError::Malformed("more than one Authorization header"));
    }
    let text = value
        .to_str()
        .map_err(|_not_shown| TokenError::Malformed("the Authorization header is not text"))?;
    match text.trim().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(TokenError::Malformed("the scheme is not Bearer")),
    }
}

/// The value of `WWW-Authenticate`. `resource_metadata` is the URL of our RFC 9728 document, from
/// which a client learns where to sign in; `error` is `invalid_token` (with 401) or
/// `insufficient_scope` (with 403), or nothing when no token was sent; `scopes` are all that this
/// request needs at once.
pub fn challenge(resource_metadata: &str, error: Option<&str>, scopes: &[Scope]) -> HeaderValue {
    let mut fields = vec![("resource_metadata", resource_metadata.to_owned())];
    if let Some(error) = error {
        fields.push(("error", error.to_owned()));
    }
    if !scopes.is_empty() {
        let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        fields.push(("scope", names.join(" ")));
    }
    let fields: Vec<String> = fields
        .into_iter()
        .map(|(name, value)| format!("{name}=\"{}\"", quotable(&value)))
        .collect();
    HeaderValue::from_str(&format!("Bearer {}", fields.join(", ")))
        .unwrap_or(HeaderValue::from_static("Bearer"))
}

/// Only what may stand between quotes as it is.
fn quotable(value: &str) -> String {
    value
        .chars()
        .filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = "https://nova.example/.well-known/oauth-protected-resource";

    #[test]
    fn a_challenge_says_where_to_sign_in_and_which_scopes_are_needed() {
        let scopes = [Scope::ResearchRead, Scope::ResearchRun];
        assert_eq!(
            challenge(METADATA, None, &scopes),
            "Bearer resource_metadata=\"https://nova.example/.well-known/oauth-protected-resource\", \
             scope=\"research:read research:run\""
        );
        assert_eq!(
            challenge(METADATA, Some("insufficient_scope"), &[Scope::Admin]),
            "Bearer resource_metadata=\"https://nova.example/.well-known/oauth-protected-resource\", \
             error=\"insufficient_scope\", scope=\"admin\""
        );
    }

    #[test]
    fn a_challenge_cannot_be_broken_out_of() {
        let value = challenge("https://nova.example/\"\r\nSet-Cookie: x=\\", None, &[]);
        assert_eq!(
            value,
            "Bearer resource_metadata=\"https://nova.example/Set-Cookie: x=\""
        );
    }

    #[test]
    fn the_bearer_token_is_taken_from_exactly_one_header() {
        let mut headers = HeaderMap::new();
        assert!(matches!(bearer_token(&headers), Ok(None)));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("bEARER  abc "));
        assert!(matches!(bearer_token(&headers), Ok(Some("abc"))));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer def"));
        assert!(bearer_token(&headers).is_err());
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
        assert!(bearer_token(&headers).is_err());
    }
}
