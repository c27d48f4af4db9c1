//! The metadata server, which programs on Google's machines ask for tokens.

use std::collections::HashMap;
use std::time::Duration;

use http::header::HeaderValue;
use serde_json::json;

use super::super::tokens::CLOUD_SCOPE;
use super::Call;
use super::reply::{self, Reply};

/// It hands out the same token until its last minutes, so that a "new" token may be nearly over.
const RENEWED_BEFORE_END: Duration = Duration::from_mins(5);

pub(super) fn answer(call: &Call, path: &str) -> Reply {
    let mut reply = unflavored(call, path);
    let headers = reply.headers_mut();
    headers.insert("metadata-flavor", HeaderValue::from_static("Google"));
    headers.insert("server", HeaderValue::from_static("Metadata Server for VM"));
    reply
}

fn unflavored(call: &Call, path: &str) -> Reply {
    let flavor = call.parts.headers.get("metadata-flavor");
    if flavor.is_none_or(|it| it != "Google") {
        return reply::text(
            403,
            "Missing required header \"Metadata-Flavor\": \"Google\"",
        );
    }
    let query = call.parts.uri.query().unwrap_or_default();
    let query: HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let principal = call.cloud.settings().principal.clone();
    let (_, domain) = principal.split_once('@').unwrap_or_default();
    let below_account = || {
        let (account, rest) = path
            .strip_prefix("instance/service-accounts/")
            .map(|rest| rest.split_once('/').unwrap_or((rest, "")))?;
        (account == "default" || account == principal).then_some(rest)
    };
    match path {
        "" => reply::text(200, "computeMetadata/\n"),
        "project/project-id" => reply::text(200, domain.split('.').next().unwrap_or_default()),
        "universe/universe-domain" => reply::text(200, "googleapis.com"),
        "instance/service-accounts" => reply::text(200, format!("default/\n{principal}/\n")),
        _ => match below_account() {
            Some("email") => reply::text(200, principal),
            Some("scopes") => reply::text(200, format!("{CLOUD_SCOPE}\n")),
            Some("token") => {
                let scopes = query.get("scopes").map_or(CLOUD_SCOPE, AsRef::as_ref);
                let scopes = scopes.split([',', ' ']).filter(|it| !it.is_empty());
                token(call, &principal, scopes.map(str::to_owned).collect())
            }
            Some("") => reply::json(
                200,
                &json!({"aliases": ["default"], "email": principal, "scopes": [CLOUD_SCOPE]}),
            ),
            _ => reply::text(404, "Not found"),
        },
    }
}

fn token(call: &Call, principal: &str, scopes: Vec<String>) -> Reply {
    call.note(|request| request.scopes.clone_from(&scopes));
    let key = (principal.to_owned(), scopes.clone());
    let mut settings = call.cloud.settings();
    let kept = settings.metadata_tokens.get(&key).and_then(|text| {
        let token = call.cloud.tokens.find(text)?;
        (token.remaining() > RENEWED_BEFORE_END).then(|| (text.clone(), token))
    });
    let (text, token) = kept.unwrap_or_else(|| {
        let lifetime = settings.token_lifetime;
        let (text, token) = call.cloud.tokens.issue(principal, scopes, lifetime);
        settings.metadata_tokens.insert(key, text.clone());
        (text, token)
    });
    let answer = json!({
        "access_token": text,
        // A token that was just made has all its seconds left.
        "expires_in": (token.remaining() + Duration::from_millis(500)).as_secs(),
        "token_type": "Bearer",
    });
    reply::json(200, &answer)
}
