//! Answers with the headers that an authorization server owes its clients.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW,
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
};
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::{Value, json};
use url::Url;

pub(super) type Reply = Response<Full<Bytes>>;

pub(super) fn new(
    status: StatusCode,
    headers: &[(HeaderName, &'static str)],
    body: impl Into<Bytes>,
) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    for (name, value) in headers {
        reply
            .headers_mut()
            .append(name, HeaderValue::from_static(value));
    }
    reply
}

/// JSON that no cache may keep. Programs in a browser may read it: no cookie has a say in it.
pub(super) fn json(status: StatusCode, value: &Value) -> Reply {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    new(status, &headers, value.to_string())
}

/// An error of RFC 6749, 5.2.
pub(super) fn error(code: &str, description: &str) -> Reply {
    let status = match code {
        "invalid_client" => StatusCode::UNAUTHORIZED,
        _ => StatusCode::BAD_REQUEST,
    };
    json(
        status,
        &json!({"error": code, "error_description": description}),
    )
}

pub(super) fn see_other(location: &Url) -> Reply {
    let mut reply = new(StatusCode::SEE_OTHER, &[(CACHE_CONTROL, "no-store")], "");
    if let Ok(location) = HeaderValue::from_str(location.as_str()) {
        reply.headers_mut().insert(LOCATION, location);
    }
    reply
}

pub(super) fn preflight() -> Reply {
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, mcp-protocol-version",
        ),
    ];
    new(StatusCode::NO_CONTENT, &headers, "")
}

pub(super) fn not_found() -> Reply {
    json(StatusCode::NOT_FOUND, &json!({"error": "not_found"}))
}

pub(super) fn method_not_allowed(allowed: &'static str) -> Reply {
    let mut reply = json(
        StatusCode::METHOD_NOT_ALLOWED,
        &json!({"error": "method_not_allowed"}),
    );
    reply
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}
