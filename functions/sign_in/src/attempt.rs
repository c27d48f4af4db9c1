//! One attempt to sign in: what was asked, kept in the browser that asked it.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use nova_runtime::identity::{ReturnTo, session};
use serde::{Deserialize, Serialize};
use url::Url;

/// Where the cookie is sent: to the two addresses of the sign-in and nowhere else.
const PATH: &str = "/sign_in";

/// How long a person may take at the issuer.
const PATIENCE: Duration = Duration::from_mins(10);

/// What must come back from the issuer, or be shown to it, as it was when the attempt began.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Attempt {
    /// Comes back with the code: nobody else's answer can be slipped into this browser.
    pub(crate) state: String,
    /// Shown when the code is exchanged: a stolen code is worth nothing.
    pub(crate) verifier: String,
    /// Comes back inside the ID token: it was made for this attempt.
    pub(crate) nonce: String,
    return_to: String,
}

impl Attempt {
    /// A new attempt that ends at `return_to`.
    pub(crate) fn new(return_to: &ReturnTo) -> Self {
        Self {
            state: random_text(),
            verifier: random_text(),
            nonce: random_text(),
            return_to: return_to.as_str().to_owned(),
        }
    }

    /// The attempt that this browser began. What it holds was in the hands of the browser's
    /// owner, so the place to return to is checked again when it is used.
    pub(crate) fn of(headers: &HeaderMap, server_url: &Url) -> Option<Self> {
        let value = session::cookie_value(headers, cookie_name(server_url))?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value).ok()?).ok()
    }

    /// The `Set-Cookie` value that keeps the attempt.
    pub(crate) fn cookie(&self, server_url: &Url) -> HeaderValue {
        let json = serde_json::json!(self).to_string();
        set_cookie(&URL_SAFE_NO_PAD.encode(json), PATIENCE, server_url)
    }

    /// The `Set-Cookie` value that forgets any attempt.
    pub(crate) fn forget(server_url: &Url) -> HeaderValue {
        set_cookie("", Duration::ZERO, server_url)
    }

    /// Where the person goes in the end.
    pub(crate) fn return_to(&self) -> ReturnTo {
        ReturnTo::parse(&self.return_to).unwrap_or_default()
    }

    /// True when `state` is this attempt's; takes the same time wherever it differs.
    pub(crate) fn has_state(&self, state: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.verifier.as_bytes());
        let own = hmac::sign(&key, self.state.as_bytes());
        hmac::verify(&key, state.as_bytes(), own.as_ref()).is_ok()
    }

    /// What the issuer gets to see of the verifier (RFC 7636, S256).
    pub(crate) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.as_bytes()))
    }
}

fn set_cookie(value: &str, lifetime: Duration, server_url: &Url) -> HeaderValue {
    let cookie = session::cookie(cookie_name(server_url), value, PATH, lifetime, server_url);
    HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""))
}

/// The prefix makes browsers refuse a cookie of this name that did not come over HTTPS.
fn cookie_name(server_url: &Url) -> &'static str {
    if server_url.scheme() == "https" {
        "__Secure-nova-sign-in"
    } else {
        "nova-sign-in"
    }
}

/// 256 random bits, as long as RFC 7636 wants a verifier to be.
fn random_text() -> String {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system has random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}
