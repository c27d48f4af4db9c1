//! How Google's services say no.

use http::StatusCode;
use serde::Deserialize;

use crate::{error::ErrorKind, json::or_default};

/// An answer with a status that is not 2xx.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// All that were given, the most telling first.
    pub(crate) reasons: Vec<String>,
    /// In Google's words; empty when the answer came from something else.
    pub(crate) message: String,
    /// The project whose settings or quota are in the way: `projects/123`.
    pub(crate) consumer: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    error: Said,
    error_description: Option<String>,
}

/// APIs answer with an object, token endpoints with a word.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Word(String),
    Full(Full),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Full {
    #[serde(deserialize_with = "or_default")]
    message: String,
    status: Option<String>,
    #[serde(deserialize_with = "or_default")]
    errors: Vec<Item>,
    #[serde(deserialize_with = "or_default")]
    details: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    reason: Option<String>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    consumer: Option<String>,
}

/// Reasons that say no more than the status.
const VAGUE: [&str; 3] = ["forbidden", "badRequest", "required"];

impl Refusal {
    pub(crate) fn read(status: StatusCode, body: &[u8]) -> Self {
        let mut refusal = Self {
            status: status.as_u16(),
            ..Self::default()
        };
        let Ok(body) = serde_json::from_slice::<Body>(body) else {
            return refusal;
        };
        match body.error {
            Said::Word(word) => {
                refusal.message = one_line(body.error_description.as_deref().unwrap_or(&word));
                refusal.reasons = vec![word];
            }
            Said::Full(full) => {
                refusal.message = one_line(&full.message);
                let items = full.errors.into_iter().chain(full.details);
                for item in items {
                    refusal.reasons.extend(item.reason);
                    let consumer = item.metadata.and_then(|metadata| metadata.consumer);
                    refusal.consumer = refusal.consumer.or(consumer);
                }
                refusal.reasons.extend(full.status);
                refusal
                    .reasons
                    .sort_by_key(|it| VAGUE.contains(&it.as_str()));
            }
        }
        refusal
    }

    /// The most telling reason.
    pub(crate) fn reason(&self) -> Option<String> {
        self.reasons.first().cloned()
    }

    pub(crate) fn is_for(&self, reasons: &[&str]) -> bool {
        self.reasons.iter().any(|it| reasons.contains(&it.as_str()))
    }

    pub(crate) fn is_quota(&self) -> bool {
        self.status == 429
            || self.is_for(&[
                "rateLimitExceeded",
                "userRateLimitExceeded",
                "quotaExceeded",
                "RATE_LIMIT_EXCEEDED",
                "RESOURCE_EXHAUSTED",
            ])
    }

    /// Whether the same call may succeed a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        self.is_quota() || self.status == 408 || self.status >= 500
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        match self.status {
            _ if self.is_quota() => ErrorKind::Quota,
            401 | 403 => ErrorKind::Denied,
            404 => ErrorKind::NotFound,
            408 | 500.. => ErrorKind::Unavailable,
            400..=499 => ErrorKind::Configuration,
            _ => ErrorKind::Protocol,
        }
    }

    /// Google's words, or else who answered what.
    pub(crate) fn said(&self, host: &str) -> String {
        if self.message.is_empty() {
            let status = StatusCode::from_u16(self.status).unwrap_or_default();
            format!("{host} answered {status}")
        } else {
            self.message.clone()
        }
    }
}

/// Google's messages have several lines now and then, and some are long.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(600).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_says_no_with_reasons_in_three_places() {
        let body = br#"{"error": {"code": 403, "message": "Caller does not\n have it.",
            "status": "PERMISSION_DENIED",
            "errors": [{"message": "x", "domain": "global", "reason": "forbidden"}],
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "USER_PROJECT_DENIED", "metadata": {"consumer": "projects/12", "service": "x"}}]}}"#;
        let refusal = Refusal::read(StatusCode::FORBIDDEN, body);
        assert_eq!(refusal.message, "Caller does not have it.");
        assert_eq!(
            refusal.reasons,
            ["USER_PROJECT_DENIED", "PERMISSION_DENIED", "forbidden"]
        );
        assert_eq!(refusal.consumer.as_deref(), Some("projects/12"));
        assert_eq!(refusal.kind(), ErrorKind::Denied);
    }

    #[test]
    fn what_an_api_says_nothing_about_may_be_null() {
        let body = br#"{"error": {"code": 403, "message": "No.", "status": "PERMISSION_DENIED",
            "errors": null, "details": null}, "error_description": null}"#;
        let refusal = Refusal::read(StatusCode::FORBIDDEN, body);
        assert_eq!(refusal.said("it"), "No.");
        assert_eq!(refusal.reason().as_deref(), Some("PERMISSION_DENIED"));
        let body = br#"{"error": {"message": null, "errors": [{"reason": "notAuthorized"}]}}"#;
        let refusal = Refusal::read(StatusCode::FORBIDDEN, body);
        assert_eq!(refusal.reason().as_deref(), Some("notAuthorized"));
    }

    #[test]
    fn a_token_endpoint_says_no_with_a_word() {
        let body = br#"{"error": "invalid_grant", "error_description": "Bad Request"}"#;
        let refusal = Refusal::read(StatusCode::BAD_REQUEST, body);
        assert_eq!(refusal.reason().as_deref(), Some("invalid_grant"));
        assert_eq!(refusal.message, "Bad Request");
    }

    #[test]
    fn what_is_not_googles_is_told_by_its_status() {
        for body in [&b"<html>"[..], b"", b"{}", b"[1]", b"{\"error\": 7}"] {
            let refusal = Refusal::read(StatusCode::BAD_GATEWAY, body);
            assert_eq!(refusal.said("it"), "it answered 502 Bad Gateway");
            assert!(refusal.may_pass() && refusal.reason().is_none());
        }
    }

    #[test]
    fn a_quota_is_told_by_its_reason_too() {
        let body = br#"{"error": {"errors": [{"reason": "rateLimitExceeded"}]}}"#;
        let refusal = Refusal::read(StatusCode::FORBIDDEN, body);
        assert_eq!(refusal.kind(), ErrorKind::Quota);
        assert!(refusal.may_pass());
    }

    #[test]
    fn what_may_pass_and_what_will_not() {
        for (status, kind, passes) in [
            (400, ErrorKind::Configuration, false),
            (401, ErrorKind::Denied, false),
            (403, ErrorKind::Denied, false),
            (404, ErrorKind::NotFound, false),
            (408, ErrorKind::Unavailable, true),
            (412, ErrorKind::Configuration, false),
            (429, ErrorKind::Quota, true),
            (500, ErrorKind::Unavailable, true),
            (503, ErrorKind::Unavailable, true),
            (302, ErrorKind::Protocol, false),
        ] {
            let refusal = Refusal::read(StatusCode::from_u16(status).unwrap(), b"");
            assert_eq!(
                (refusal.kind(), refusal.may_pass()),
                (kind, passes),
                "{status}"
            );
        }
    }
}
