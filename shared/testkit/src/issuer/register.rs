//! Dynamic client registration (RFC 7591): how an agent becomes known without a person's help.

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::client::Client;
use super::reply::{self, Reply};

/// The id carries the registration and travels in URLs.
const MAX_REDIRECT_URIS: usize = 10;
const MAX_TEXT_BYTES: usize = 500;

#[derive(Deserialize)]
struct Wanted {
    redirect_uris: Vec<String>,
    #[serde(default)]
    client_name: Option<String>,
}

pub(super) fn register(headers: &HeaderMap, body: &[u8]) -> Reply {
    // A web page can post JSON to this machine without asking, but not with this content type.
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(|value| value.starts_with("application/json")) {
        return reply::error("invalid_client_metadata", "send application/json");
    }
    let Ok(wanted) = serde_json::from_slice::<Wanted>(body) else {
        return reply::error("invalid_client_metadata", "redirect_uris are missing");
    };
    let count = wanted.redirect_uris.len();
    let are_good = wanted.redirect_uris.iter().all(|uri| is_registrable(uri));
    if !are_good || !(1..=MAX_REDIRECT_URIS).contains(&count) {
        return reply::error("invalid_redirect_uri", "one to ten absolute URIs");
    }
    let name = wanted.client_name.unwrap_or_else(|| "A program".to_owned());
    if name.len() > MAX_TEXT_BYTES {
        return reply::error("invalid_client_metadata", "client_name is too long");
    }
    let Ok(client) = Client::registered(name, wanted.redirect_uris) else {
        return reply::error("invalid_client_metadata", "cannot be stored");
    };
    reply::json(
        StatusCode::CREATED,
        &json!({
            "client_id": client.id,
            "client_name": client.name,
            "redirect_uris": client.redirect_uris,
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
        }),
    )
}

/// `http`, `https` and the private schemes of programs; nothing that a browser would run.
fn is_registrable(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| {
        uri.len() <= MAX_TEXT_BYTES
            && url.fragment().is_none()
            && !matches!(
                url.scheme(),
                "javascript" | "data" | "file" | "blob" | "about"
            )
    })
}
