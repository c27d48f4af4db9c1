//! Answers: errors as Google words them, and JSON.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

pub(super) type Reply = Response<Full<Bytes>>;

fn with_body(status: u16, kind: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

pub(super) fn json(status: u16, body: &Value) -> Reply {
    with_body(status, "application/json; charset=UTF-8", body.to_string())
}

pub(super) fn text(status: u16, body: impl Into<String>) -> Reply {
    with_body(status, "text/html", body.into())
}

/// An error of a Google API.
pub(super) fn error(status: u16, reason: &str, message: &str) -> Reply {
    let name = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "UNKNOWN",
    };
    let body = json!({
        "error": {
            "code": status,
            "message": message,
            "status": name,
            "errors": [{"message": message, "domain": "global", "reason": reason}],
        }
    });
    json(status, &body)
}

/// An error of an OAuth endpoint (RFC 6749).
pub(super) fn oauth_error(status: u16, code: &str, description: &str) -> Reply {
    json(
        status,
        &json!({"error": code, "error_description": description}),
    )
}

pub(super) fn retry_after(mut reply: Reply, wait: Duration) -> Reply {
    let seconds = HeaderValue::from(wait.as_secs());
    reply.headers_mut().insert(RETRY_AFTER, seconds);
    reply
}
