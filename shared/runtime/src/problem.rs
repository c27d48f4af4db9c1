//! What a caller reads when something is wrong: a problem document (RFC 9457).
//!
//! Two audiences, two texts. The caller gets `title` and `detail`, written on purpose, naming the
//! field and the remedy. The log gets the cause, once, at the place where the answer is made
//! ([`Problem::log`]); a database or provider error never reaches the caller as text, only as
//! "internal error" with the request id to quote.

use std::{any::Any, borrow::Cow, error::Error, fmt, ops::RangeInclusive, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::{
    body::{Response, full},
    identity::Scope,
    log,
    page::Page,
};

/// The media type of problem documents.
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// An answer other than success.
pub struct Problem(Box<Inner>);

struct Inner {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: Cow<'static, str>,
    members: Map<String, Value>,
    headers: HeaderMap,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem of a status, a stable kind (it becomes `urn:nova:problem:<kind>`), a title that is
    /// the same for all of its kind, and a detail about this occurrence.
    pub fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            status,
            kind,
            title,
            detail: detail.into(),
            members: Map::new(),
            headers: HeaderMap::new(),
            cause: None,
        }))
    }

    /// 400: the request itself is wrong; the detail says what and how to mend it.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "The request is not valid",
            detail,
        )
    }

    /// 400 about one argument, which is named in the member `field`.
    pub fn bad_field(field: &str, detail: impl fmt::Display) -> Self {
        Self::bad_request(format!("{field}: {detail}")).with("field", field)
    }

    /// 400 about an argument that is no whole number of a range, whose ends are both allowed.
    pub fn out_of_range<N: fmt::Display>(field: &str, range: &RangeInclusive<N>) -> Self {
        let (least, most) = (range.start(), range.end());
        Self::bad_field(
            field,
            format!("must be a whole number from {least} to {most}"),
        )
    }

    /// 401: no token, or one that is not accepted. The challenge header is added on dispatch.
    pub fn unauthorized(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Sign in first",
            detail,
        )
    }

    /// 403: the token is good but lacks scopes; all that are needed are named.
    pub fn insufficient_scope(needed: &[Scope]) -> Self {
        let names = needed
            .iter()
            .map(|scope| scope.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        let detail = format!("This needs a token with the scope {names}.");
        Self::new(
            StatusCode::FORBIDDEN,
            "insufficient-scope",
            "The token lacks a scope",
            detail,
        )
        .with("scope", names)
    }

    /// 403 for another reason.
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
    }

    /// 404: it does not exist, or belongs to somebody else; the two look alike.
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// 405 with the methods that the route does answer.
    pub fn method_not_allowed(allow: &str) -> Self {
        let detail = format!("This address answers {allow}.");
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "Wrong method",
            detail,
        )
        .header(header::ALLOW, allow)
    }

    /// 408: the client stopped sending.
    pub fn request_timeout() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "request-timeout",
            "The request took too long to arrive",
            "No part of the request body arrived for a while. Send it again.",
        )
        .header(header::CONNECTION, "close")
    }

    /// 409: the state of things does not allow it.
    pub fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "conflict",
            "Not possible in this state",
            detail,
        )
    }

    /// 413 with the limit in bytes in the member `limit_bytes`.
    pub fn too_large(limit_bytes: u64) -> Self {
        let detail = format!("At most {} are accepted here.", bytes_in_words(limit_bytes));
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "Too large",
            detail,
        )
        .with("limit_bytes", limit_bytes)
    }

    /// 415 with what would be accepted.
    pub fn unsupported_media_type(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "This type of content is not accepted",
            detail,
        )
    }

    /// 500: our fault. The caller reads nothing about the cause.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Internal error",
            "Something went wrong on our side. If it stays, quote the request id.",
        )
        .caused_by(cause)
    }

    /// 500 for a panic that was caught.
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let said = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self::internal(format!("panicked: {}", said.unwrap_or("without a message")))
    }

    /// 503: not now; try again after the given time.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Not available at the moment",
            detail,
        )
        .header(header::RETRY_AFTER, retry_after.as_secs().max(1))
    }

    /// Adds a member to the document.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header to the answer; a value that no header can hold is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.0.headers.insert(name, value);
        }
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What tells problems of this kind from others, whatever they are about.
    pub fn kind(&self) -> &'static str {
        self.0.kind
    }

    /// What this occurrence is about, as the caller reads it.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The title, the same for all problems of a kind.
    pub fn title(&self) -> &'static str {
        self.0.title
    }

    /// When another try is worth it, where that is said.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.0.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        Some(Duration::from_secs(seconds.parse().ok()?))
    }

    /// Whether it is our fault, so that what was charged is given back.
    pub fn is_our_fault(&self) -> bool {
        self.0.status.is_server_error()
    }

    /// Whether another try would end in the same way: the database refuses what was to be saved.
    pub(crate) fn is_final(&self) -> bool {
        let cause = self.0.cause.as_deref();
        let cause = cause.and_then(|it| it.downcast_ref::<nova_store::Error>());
        matches!(cause, Some(nova_store::Error::Refused { .. }))
    }

    /// The chain of causes, for the log.
    pub fn causes(&self) -> Option<String> {
        Some(log::causes(&**self.0.cause.as_ref()?))
    }

    /// A line in the log: once, where the answer is made. `error` means that someone should act.
    pub fn log(&self) {
        let (status, detail) = (self.0.status.as_u16(), self.detail());
        let error = self.causes();
        if self.0.status == StatusCode::SERVICE_UNAVAILABLE {
            tracing::warn!(status, error, "not available: {detail}");
        } else if self.is_our_fault() {
            tracing::error!(status, error, "request failed: {detail}");
        } else {
            tracing::debug!(status, error, "request refused: {detail}");
        }
    }

    /// The document as JSON, with the id to quote.
    pub fn document(&self, request_id: &str) -> Value {
        let mut document = json!({
            "type": format!("urn:nova:problem:{}", self.0.kind),
            "title": self.0.title,
            "status": self.0.status.as_u16(),
            "detail": self.0.detail,
            "request_id": request_id,
        });
        if let Value::Object(fields) = &mut document {
            fields.extend(self.0.members.clone());
        }
        document
    }

    /// The whole answer, for a program.
    pub fn into_response(self, request_id: &str) -> Response {
        let mut response = Response::new(full(self.document(request_id).to_string()));
        *response.status_mut() = self.0.status;
        *response.headers_mut() = self.0.headers;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl Problem {
    /// The whole answer, for a person.
    pub fn into_page(self, request_id: &str) -> Response {
        let page = Page::problem(self.0.status, self.0.title, &self.0.detail, request_id);
        let mut response = page.render().map(full);
        response.headers_mut().extend(self.0.headers);
        response
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {}: {}",
            self.0.status, self.0.kind, self.0.detail
        )?;
        self.causes()
            .map_or(Ok(()), |causes| write!(formatter, " ({causes})"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.detail)
    }
}

impl Error for Problem {}

/// `1 MiB` where that is exact, bytes otherwise.
pub fn bytes_in_words(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    match bytes {
        _ if bytes >= MIB && bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        _ if bytes >= KIB && bytes.is_multiple_of(KIB) => format!("{} KiB", bytes / KIB),
        _ => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_a_fault_stays_out_of_the_document() {
        let cause = std::io::Error::other("password=hunter2");
        let problem = Problem::internal(cause);
        assert_eq!(problem.causes().as_deref(), Some("password=hunter2"));
        let document = problem.document("r-1").to_string();
        assert!(!document.contains("hunter2"), "{document}");
        assert!(document.contains("\"request_id\":\"r-1\""), "{document}");
    }

    #[test]
    fn a_wrong_field_is_named_twice() {
        let document = Problem::bad_field("article_guideline_id", "not a UUID").document("r-1");
        assert_eq!(document["field"], "article_guideline_id");
        assert_eq!(document["detail"], "article_guideline_id: not a UUID");
        assert_eq!(document["status"], 400);
    }

    #[test]
    fn limits_are_told_in_words() {
        assert_eq!(
            Problem::too_large(1 << 20).detail(),
            "At most 1 MiB are accepted here."
        );
        assert_eq!(bytes_in_words(1 << 19), "512 KiB");
        assert_eq!(
            Problem::too_large(1000).detail(),
            "At most 1000 bytes are accepted here."
        );
    }
}
