//! What the issuer says about itself.

use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde_json::json;

use super::Issuer;
use super::reply::{self, Reply};

/// The scopes that can be asked for. `admin` is not among those that are told: clients ask for
/// everything they are told of.
const PUBLISHED_SCOPES: [&str; 3] = ["openid", "research:read", "research:run"];

impl Issuer {
    /// One document serves both discovery standards: RFC 8414 took its fields from `OpenID`.
    pub(super) fn metadata(&self) -> Reply {
        let issuer = self.url();
        reply::json(
            StatusCode::OK,
            &json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "registration_endpoint": format!("{issuer}/register"),
                "jwks_uri": format!("{issuer}/jwks.json"),
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported":
                    ["none", "client_secret_basic", "client_secret_post"],
                "scopes_supported": PUBLISHED_SCOPES,
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "authorization_response_iss_parameter_supported": true,
                "client_id_metadata_document_supported": true,
            }),
        )
    }

    /// The public halves of all published keys.
    pub(super) fn key_set(&self) -> Reply {
        let keys = self.0.state.keys();
        let keys: Vec<_> = keys.iter().map(|key| key.public_jwk()).collect();
        let mut reply = reply::json(StatusCode::OK, &json!({ "keys": keys }));
        let max_age = self.0.state.key_set_max_age().as_secs();
        if let Ok(value) = HeaderValue::from_str(&format!("public, max-age={max_age}")) {
            reply.headers_mut().insert(CACHE_CONTROL, value);
        }
        reply
    }
}
