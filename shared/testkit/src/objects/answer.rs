//! Answers: errors as Google words them, and small JSON documents.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::disk::Disk;
use super::request::Call;
use super::{Body, whole};

/// A request that is not granted.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// Why there is no good answer.
#[derive(Debug)]
pub(super) enum Failed {
    Refused(Refusal),
    /// The request's body broke off; there is nobody to tell.
    Cut,
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::Refused(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "backendError",
            error.to_string(),
        ))
    }
}

impl Refusal {
    fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "required",
            "Anonymous caller does not have storage access.",
        )
    }

    pub(super) fn no_bucket(bucket: &str) -> Self {
        let message = format!("The specified bucket does not exist: {bucket}");
        Self::new(StatusCode::NOT_FOUND, "notFound", message)
    }

    pub(super) fn no_object(bucket: &str, object: &str) -> Self {
        let message = format!("No such object: {bucket}/{object}");
        Self::new(StatusCode::NOT_FOUND, "notFound", message)
    }

    pub(super) fn no_session() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "notFound",
            "No such upload session: it was cancelled or never was.",
        )
    }

    pub(super) fn unknown_route(method: &http::Method, path: &str) -> Self {
        let message = format!("This store does not answer {method} {path}");
        Self::new(StatusCode::NOT_IMPLEMENTED, "notImplemented", message)
    }

    pub(super) fn precondition() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "conditionNotMet",
            "At least one of the pre-conditions you specified did not hold.",
        )
    }

    pub(super) fn not_modified() -> Self {
        Self::new(StatusCode::NOT_MODIFIED, "notModified", "")
    }

    pub(super) fn range(size: u64) -> Self {
        Self::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "requestedRangeNotSatisfiable",
            size.to_string(),
        )
    }

    pub(super) fn injected(status: StatusCode) -> Self {
        let reason = match status.as_u16() {
            408 => "uploadBrokenConnection",
            429 => "rateLimitExceeded",
            500.. => "backendError",
            _ => "injected",
        };
        Self::new(status, reason, "A fault was injected here.")
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = if self.status == StatusCode::NOT_MODIFIED {
            Response::new(whole(""))
        } else {
            json(&json!({
                "error": {
                    "code": self.status.as_u16(),
                    "message": self.message,
                    "errors": [{
                        "message": self.message, "domain": "global", "reason": self.reason,
                    }],
                }
            }))
        };
        *response.status_mut() = self.status;
        if self.status == StatusCode::RANGE_NOT_SATISFIABLE
            && let Ok(range) = format!("bytes */{}", self.message).parse()
        {
            response.headers_mut().insert("content-range", range);
        }
        response
    }
}

pub(super) fn json(value: &Value) -> Response<Body> {
    let mut response = Response::new(whole(value.to_string()));
    response.headers_mut().insert(
        "content-type",
        http::HeaderValue::from_static("application/json; charset=UTF-8"),
    );
    response
}

pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(whole(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A bucket is looked at.
pub(super) fn bucket(disk: &Disk, call: &Call) -> Result<Response<Body>, Failed> {
    disk.check_bucket(&call.bucket)?;
    Ok(json(&json!({
        "kind": "storage#bucket", "id": call.bucket, "name": call.bucket, "location": "LOCAL",
        "storageClass": "STANDARD",
    })))
}
