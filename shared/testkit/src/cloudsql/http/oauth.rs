//! The token endpoint: for the service account's key (RFC 7523), and for a user's refresh token.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::super::key_file::verified_claims;
use super::super::tokens::{ADMIN_SCOPE, CLOUD_SCOPE};
use super::Call;
use super::reply::{self, Reply};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// What google-auth for Python names as the audience, whatever the key file says.
const GOOGLE: &str = "https://oauth2.googleapis.com/token";
/// Google accepts no assertion for longer.
const LONGEST_ASSERTION: u64 = 3_600;
/// For clocks that differ.
const SLACK: u64 = 60;

type Form = HashMap<String, String>;
type Refusal = (&'static str, &'static str);

/// Whom a token is for, and for what.
type Grant = (String, Vec<String>);

pub(super) fn exchange(call: &Call, body: &[u8]) -> Reply {
    let form: Form = url::form_urlencoded::parse(body).into_owned().collect();
    let granted = match form.get("grant_type").map(String::as_str) {
        Some(JWT_BEARER) => for_assertion(call, &form),
        Some("refresh_token") => for_refresh_token(call, &form),
        _ => Err(("unsupported_grant_type", "Invalid grant_type")),
    };
    match granted {
        Ok((principal, scopes)) => {
            call.note(|request| request.scopes.clone_from(&scopes));
            let lifetime = call.cloud.settings().token_lifetime;
            let scope = scopes.join(" ");
            let (token, _) = call.cloud.tokens.issue(&principal, scopes, lifetime);
            let answer = json!({
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": lifetime.as_secs(),
                "scope": scope,
            });
            reply::json(200, &answer)
        }
        Err((code, description)) => reply::oauth_error(400, code, description),
    }
}

fn for_assertion(call: &Call, form: &Form) -> Result<Grant, Refusal> {
    let invalid = |why| ("invalid_grant", why);
    let assertion = form.get("assertion").map_or("", String::as_str);
    let claims = verified_claims(assertion).map_err(invalid)?;
    let text = |name: &str| claims[name].as_str().unwrap_or_default();
    let here = format!("{}/token", call.cloud.url());
    if ![here.as_str(), GOOGLE].contains(&text("aud")) {
        return Err(invalid("Invalid JWT: the audience is not this endpoint"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    let issued = claims["iat"].as_u64().unwrap_or(u64::MAX);
    let expires = claims["exp"].as_u64().unwrap_or_default();
    let is_timely = issued <= now + SLACK
        && now <= expires + SLACK
        && expires.saturating_sub(issued) <= LONGEST_ASSERTION;
    if !is_timely {
        return Err(invalid(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable \
             timeframe. Check your iat and exp values in the JWT claim.",
        ));
    }
    let principal = text("iss").to_owned();
    if !call.cloud.settings().known_principals.contains(&principal) {
        return Err(invalid("Invalid grant: account not found"));
    }
    let scopes: Vec<String> = text("scope")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if scopes.is_empty() {
        return Err(("invalid_scope", "Empty or missing scope not allowed."));
    }
    Ok((principal, scopes))
}

fn for_refresh_token(call: &Call, form: &Form) -> Result<Grant, Refusal> {
    let settings = call.cloud.settings();
    if form.get("refresh_token") != Some(&settings.refresh_token) {
        return Err(("invalid_grant", "Token has been expired or revoked."));
    }
    let scopes = form.get("scope").map_or_else(
        // What people consented to when they logged in.
        || vec![CLOUD_SCOPE.to_owned(), ADMIN_SCOPE.to_owned()],
        |scope| scope.split_whitespace().map(str::to_owned).collect(),
    );
    Ok((settings.principal.clone(), scopes))
}
