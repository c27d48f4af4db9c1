//! Client certificates: `generateEphemeralCert`.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::super::certificates::{public_key, rfc3339};
use super::Call;
use super::reply::{self, Reply};

/// The names are in snake case on the wire.
#[derive(Deserialize)]
struct Wanted {
    public_key: String,
    access_token: Option<String>,
    #[serde(rename = "validDuration")]
    valid_duration: Option<String>,
}

pub(super) fn issue(call: &Call, project: &str, instance: &str, body: &[u8]) -> Reply {
    let instance = match call.instance(project, instance) {
        Ok(instance) => instance,
        Err(refusal) => return *refusal,
    };
    let Ok(wanted) = serde_json::from_slice::<Wanted>(body) else {
        return reply::error(400, "invalid", "Missing parameter: public_key.");
    };
    let login_token = wanted.access_token.filter(|it| !it.is_empty());
    if let Some(token) = &login_token {
        let token = call.cloud.tokens.describe(token);
        call.note(|request| request.login_token = token);
    }
    let Some(key) = public_key(&wanted.public_key) else {
        return reply::error(
            400,
            "invalid",
            "Provided public key was in an invalid or unsupported format.",
        );
    };
    let longest = call.cloud.settings().certificate_lifetime;
    let lifetime = wanted.valid_duration.as_deref().and_then(seconds);
    let lifetime = lifetime.map_or(longest, |it| it.min(longest));
    let Ok(certificate) = instance.issued.issue(&key, login_token, lifetime) else {
        return reply::error(500, "internalError", "The certificate cannot be made.");
    };
    // Later than the certificate's own end: it is not to be relied on, so that clients read notAfter.
    let said_to_end = certificate.created + lifetime + Duration::from_hours(24);
    let certificate = json!({
        "kind": "sql#sslCert",
        "certSerialNumber": certificate.serial_number,
        "cert": certificate.pem,
        "commonName": "Fake Cloud SQL Client",
        "sha1Fingerprint": "",
        "instance": instance.name.instance,
        "createTime": rfc3339(certificate.created),
        "expirationTime": rfc3339(said_to_end),
    });
    reply::json(200, &json!({"ephemeralCert": certificate}))
}

/// A duration in protobuf's JSON: `3600s`.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
