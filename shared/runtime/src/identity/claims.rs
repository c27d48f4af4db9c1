//! The claims of a verified token, and whether they are for us and for now.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::Value;

use super::error::TokenError;
use super::jws::shortened;
use super::scopes::Scopes;

/// How far the issuer's clock and ours may differ.
const SKEW: Duration = Duration::from_mins(1);

/// The last second of the year 9999: a later expiry means "never" and must not overflow a clock.
const LATEST_SECOND: f64 = 253_402_300_799.0;

/// The claims that matter. A claim that is there twice is refused by the parser, so that no two
/// readers of the same token can disagree.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: Option<String>,
    aud: Option<OneOrMany>,
    sub: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    scope: Option<OneOrMany>,
    scp: Option<OneOrMany>,
    permissions: Option<OneOrMany>,
    client_id: Option<String>,
    azp: Option<String>,
    nonce: Option<String>,
    // Of any type in users' tokens, where nobody asks for them.
    #[serde(default)]
    email: Value,
    #[serde(default)]
    email_verified: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl Claims {
    pub(super) fn parse(json: &[u8]) -> Result<Self, TokenError> {
        serde_json::from_slice(json).map_err(|error| TokenError::Claims(error.to_string()))
    }

    /// Who signed, for whom and for when. Returns the time at which the token ends.
    pub(super) fn check(
        &self,
        issuers: &[String],
        audiences: &[String],
        now: SystemTime,
    ) -> Result<SystemTime, TokenError> {
        let issuer = self.iss.as_deref().unwrap_or_default();
        if !issuers.contains(&without_slash(issuer)) {
            return Err(TokenError::Issuer(shortened(issuer)));
        }
        let named = self.aud.as_ref().map_or(&[][..], OneOrMany::as_slice);
        if !named
            .iter()
            .any(|name| audiences.contains(&without_slash(name)))
        {
            let named = named.iter().take(8).map(|name| shortened(name)).collect();
            return Err(TokenError::Audience(named));
        }
        let expires_at = time(
            self.exp
                .ok_or_else(|| TokenError::Claims("no exp".to_owned()))?,
        );
        if let Ok(ago) = now.duration_since(expires_at)
            && ago >= SKEW
        {
            return Err(TokenError::Expired { ago });
        }
        let is_early = |at: f64| time(at).duration_since(now).is_ok_and(|ahead| ahead > SKEW);
        if self.nbf.is_some_and(is_early) || self.iat.is_some_and(is_early) {
            return Err(TokenError::NotYetValid);
        }
        Ok(expires_at)
    }

    pub(super) fn subject(&self) -> &str {
        self.sub.as_deref().unwrap_or_default()
    }

    pub(super) fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// The e-mail by which the issuer knows the subject, if the issuer stands for it.
    pub(super) fn verified_email(&self) -> Option<&str> {
        let stands_for_it = self.email_verified == Value::Bool(true);
        self.email.as_str().filter(|_| stands_for_it)
    }

    /// The client that asked for the token, by either of its two names.
    pub(super) fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref().or(self.azp.as_deref())
    }

    /// What any of the three usual claims grants: `scope` (RFC 9068), `scp` (Microsoft, Okta),
    /// `permissions` (Descope, Auth0).
    pub(super) fn scopes(&self) -> Scopes {
        [&self.scope, &self.scp, &self.permissions]
            .into_iter()
            .flatten()
            .flat_map(OneOrMany::as_slice)
            .flat_map(|names| names.split_ascii_whitespace())
            .collect()
    }
}

/// `https://nova.example` and `https://nova.example/` name the same service or issuer: URL parsers
/// add the slash and people leave it out. Everything else is compared byte by byte.
pub(super) fn without_slash(name: &str) -> String {
    name.strip_suffix('/').unwrap_or(name).to_owned()
}

/// When a token with this end stops to be accepted.
pub(super) fn accepted_until(expires_at: SystemTime) -> SystemTime {
    expires_at + SKEW
}

/// Seconds since 1970 as a time; what lies before 1970 or beyond the year 9999 is put there.
pub(super) fn time(seconds: f64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs_f64(seconds.clamp(0.0, LATEST_SECOND))
}
