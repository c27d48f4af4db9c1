//! The three parts of a token, taken apart with nothing believed yet (RFC 7515).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::error::TokenError;

/// No token of ours comes near this; nothing larger is looked at.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The signature algorithms that are accepted. There is no other, so that neither `none` nor a
/// secret-key algorithm can be reached by any path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
}

/// The fields of the header that matter. `jwk`, `jku` and `x5u` are ignored: a key comes from the
/// issuer, never from the token that it is to prove.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    /// True when the field is there at all, even as null.
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

fn present<'de, D: serde::Deserializer<'de>>(field: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(field).map(|_ignored| true)
}

/// A token in parts: decoded, within the limits, not verified.
pub(super) struct Jws<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    /// What the signature is about: the first two parts and the dot between them.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
    /// Read it only after the signature was verified.
    pub(super) payload: &'a str,
}

impl<'a> Jws<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge(token.len()));
        }
        let parts = TokenError::Malformed("not three parts");
        let Some((signed, signature)) = token.rsplit_once('.') else {
            return Err(parts);
        };
        let Some((header, payload)) = signed.split_once('.') else {
            return Err(parts);
        };
        if header.is_empty() || payload.is_empty() || payload.contains('.') {
            return Err(parts);
        }
        let header: Header = serde_json::from_slice(&decode(header, "header")?)
            .map_err(|_not_shown| TokenError::Malformed("the header is not the expected JSON"))?;
        let algorithm = match header.alg.as_str() {
            "RS256" => Algorithm::Rs256,
            "ES256" => Algorithm::Es256,
            _ => return Err(TokenError::Algorithm(shortened(&header.alg))),
        };
        if header.crit {
            return Err(TokenError::Header("crit"));
        }
        if !header.typ.as_deref().is_none_or(is_access_token_type) {
            return Err(TokenError::Header("typ"));
        }
        Ok(Self {
            algorithm,
            key_id: header.kid,
            signed,
            signature: decode(signature, "signature")?,
            payload,
        })
    }

    /// The claims' JSON.
    pub(super) fn claims(&self) -> Result<Vec<u8>, TokenError> {
        decode(self.payload, "claims")
    }
}

/// `JWT` is what most issuers write, `at+jwt` what RFC 9068 asks for. Other types (a logout
/// token, a proof of possession, a message between services) are signed by the same keys and are
/// no credentials.
fn is_access_token_type(name: &str) -> bool {
    ["JWT", "at+jwt", "application/at+jwt"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

fn decode(part: &str, name: &'static str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_not_shown| TokenError::Malformed(name))
}

/// What a stranger wrote, cut to a length that is fit for a log.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}
