//! The token endpoint: a code, once, for tokens.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap};
use serde_json::json;
use url::form_urlencoded;

use super::Issuer;
use super::authorize::Parameters;
use super::reply::{self, Reply};
use super::token::{About, LIFETIME};

impl Issuer {
    pub(super) fn exchange(&self, headers: &HeaderMap, body: &[u8]) -> Reply {
        match self.try_exchange(headers, body) {
            Ok(reply) => reply,
            Err((code, description)) => reply::error(code, description),
        }
    }

    fn try_exchange(
        &self,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Reply, (&'static str, &'static str)> {
        let form =
            Parameters::parse(body).ok_or(("invalid_request", "a parameter is there twice"))?;
        if form.get("grant_type") != Some("authorization_code") {
            return Err(("unsupported_grant_type", "only authorization_code"));
        }
        let client = self.authenticated_client(headers, &form)?;
        let code = form.get("code").ok_or(("invalid_request", "no code"))?;
        let grant = self
            .0
            .state
            .take_code(code)
            .ok_or(("invalid_grant", "the code is unknown, used or expired"))?;
        if grant.client_id != client {
            return Err(("invalid_grant", "the code belongs to another client"));
        }
        if form.get("redirect_uri") != Some(&grant.redirect_uri) {
            return Err((
                "invalid_grant",
                "redirect_uri is not the one of the authorization",
            ));
        }
        let verifier = form.get("code_verifier").unwrap_or_default();
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        if !(43..=128).contains(&verifier.len()) || challenge != grant.code_challenge {
            return Err(("invalid_grant", "the code verifier does not fit"));
        }
        if form
            .get("resource")
            .is_some_and(|wanted| Some(wanted) != grant.resource.as_deref())
        {
            return Err((
                "invalid_target",
                "resource is not the one of the authorization",
            ));
        }
        let about = About {
            user: &grant.user,
            client: &grant.client_id,
            scope: &grant.scope,
            audience: grant.resource.as_deref().unwrap_or(&self.0.audience),
            lifetime: LIFETIME,
        };
        let mut answer = json!({
            "access_token": self.access_token(&about),
            "token_type": "Bearer",
            "expires_in": LIFETIME.as_secs(),
            "scope": grant.scope,
        });
        if grant.scope.split(' ').any(|name| name == "openid") {
            answer["id_token"] = json!(self.id_token(&about, grant.nonce.as_deref()));
        }
        Ok(reply::json(StatusCode::OK, &answer))
    }

    /// The client's id, once its secret (if it has one) is right.
    fn authenticated_client(
        &self,
        headers: &HeaderMap,
        form: &Parameters,
    ) -> Result<String, (&'static str, &'static str)> {
        let refused = ("invalid_client", "unknown client or wrong secret");
        let basic = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let (id, secret) = match basic {
            Some(basic) => basic_credentials(basic).ok_or(refused)?,
            None => (
                form.get("client_id").ok_or(refused)?.to_owned(),
                form.get("client_secret").map(str::to_owned),
            ),
        };
        let client = self.client(&id).ok_or(refused)?;
        if client.secret.is_some() && client.secret != secret {
            return Err(refused);
        }
        Ok(client.id)
    }
}

/// RFC 6749, 2.3.1: both halves are form-encoded before they are put together.
fn basic_credentials(header: &str) -> Option<(String, Option<String>)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decoded = |text: &str| {
        let mut pairs = form_urlencoded::parse(text.as_bytes());
        pairs
            .next()
            .map(|(name, _)| name.into_owned())
            .unwrap_or_default()
    };
    Some((decoded(id), Some(decoded(secret))))
}
