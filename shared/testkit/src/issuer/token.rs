//! Tokens as they are issued.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Issuer;
use super::key::random_text;

/// How long a token of the token endpoint lasts.
pub(super) const LIFETIME: Duration = Duration::from_hours(1);

/// What a token is about.
pub(super) struct About<'a> {
    pub(super) user: &'a str,
    pub(super) client: &'a str,
    pub(super) scope: &'a str,
    pub(super) audience: &'a str,
    pub(super) lifetime: Duration,
}

impl Issuer {
    /// An access token for whoever asks: `make token`, and tests.
    pub fn token(&self, user: &str, scopes: &[&str], audience: &str, lifetime: Duration) -> String {
        self.access_token(&About {
            user,
            client: "local",
            scope: &scopes.join(" "),
            audience,
            lifetime,
        })
    }

    /// The claims that [`Issuer::token`] would sign, for tests that spoil one of them.
    pub fn claims(&self, user: &str, scopes: &[&str], audience: &str, lifetime: Duration) -> Value {
        self.access_claims(&About {
            user,
            client: "local",
            scope: &scopes.join(" "),
            audience,
            lifetime,
        })
    }

    /// The header of access tokens: algorithm, type and the id of the key that signs now.
    pub fn header(&self) -> Value {
        let key = self.signing_key();
        json!({"alg": key.algorithm(), "typ": "at+jwt", "kid": key.id()})
    }

    /// Signs any header and claims with the key that signs now.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.signing_key().sign(header, claims)
    }

    pub(super) fn access_token(&self, about: &About<'_>) -> String {
        self.sign(&self.header(), &self.access_claims(about))
    }

    pub(super) fn id_token(&self, about: &About<'_>, nonce: Option<&str>) -> String {
        let mut header = self.header();
        header["typ"] = json!("JWT");
        let now = self.seconds();
        let mut claims = json!({
            "iss": self.url(),
            "aud": about.client,
            "sub": about.user,
            "iat": now,
            "exp": now + about.lifetime.as_secs(),
            "auth_time": now,
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        self.sign(&header, &claims)
    }

    fn access_claims(&self, about: &About<'_>) -> Value {
        let now = self.seconds();
        json!({
            "iss": self.url(),
            "aud": about.audience,
            "sub": about.user,
            "client_id": about.client,
            "scope": about.scope,
            "iat": now,
            "nbf": now,
            "exp": now + about.lifetime.as_secs(),
            "jti": random_text(),
        })
    }

    fn seconds(&self) -> u64 {
        let since = self.0.state.now().duration_since(UNIX_EPOCH);
        since.unwrap_or_default().as_secs()
    }
}
