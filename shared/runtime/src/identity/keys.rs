//! An issuer's public keys (RFC 7517): read with suspicion, used through aws-lc.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::jws::Algorithm;

/// More keys than any issuer publishes; what lies beyond is not read.
const MAX_KEYS: usize = 64;

/// A key as published. Unknown fields are ignored, as the standard asks.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<serde_json::Value>,
}

/// A key that can verify signatures of exactly one algorithm.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key {
    id: Option<String>,
    material: Material,
}

#[derive(Clone, PartialEq, Eq)]
enum Material {
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// An uncompressed point: 4, x, y.
    P256(Vec<u8>),
}

impl Key {
    fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
        }
    }

    /// True when `signature` over `message` was made by the owner of this key.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { n, e } => PublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            Material::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
        }
    }

    /// `None` for keys of other kinds, for other purposes, or too weak: a set may hold such keys
    /// beside ours.
    fn from_jwk(jwk: Jwk) -> Option<Self> {
        if jwk.purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        if jwk
            .key_ops
            .is_some_and(|operations| !operations.iter().any(|name| name == "verify"))
        {
            return None;
        }
        let (material, algorithm) = match jwk.kty.as_str() {
            "RSA" => {
                let n = unsigned(&jwk.n?)?;
                let e = unsigned(&jwk.e?)?;
                let is_strong = (256..=1024).contains(&n.len());
                (is_strong.then_some(Material::Rsa { n, e })?, "RS256")
            }
            "EC" if jwk.crv.as_deref() == Some("P-256") => {
                let (x, y) = (coordinate(&jwk.x?)?, coordinate(&jwk.y?)?);
                (Material::P256([&[4], x.as_slice(), &y].concat()), "ES256")
            }
            _ => return None,
        };
        if jwk.alg.is_some_and(|alg| alg != algorithm) {
            return None;
        }
        Some(Self {
            id: jwk.kid,
            material,
        })
    }
}

/// A big-endian number without its leading zeros, which some issuers write.
fn unsigned(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    bytes.get(start..).map(<[u8]>::to_vec)
}

fn coordinate(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    (bytes.len() == 32).then_some(bytes)
}

/// The usable keys of an issuer.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct KeySet(Vec<Key>);

impl KeySet {
    /// Reads a key set; keys that cannot be used are left out. `None` if nothing is left.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        let published: Published = serde_json::from_slice(json).ok()?;
        let keys: Vec<Key> = published
            .keys
            .into_iter()
            .take(MAX_KEYS)
            .filter_map(|value| serde_json::from_value(value).ok())
            .filter_map(Key::from_jwk)
            .collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The key for a token: by its id, or, if it has none, the only key of that algorithm.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut suitable = self.0.iter().filter(|key| key.algorithm() == algorithm);
        match id {
            Some(id) => suitable.find(|key| key.id.as_deref() == Some(id)),
            None => suitable.next().filter(|_only| suitable.next().is_none()),
        }
    }

    /// True when a key of this id exists for whatever algorithm.
    pub(super) fn has_id(&self, id: Option<&str>) -> bool {
        id.is_some() && self.0.iter().any(|key| key.id.as_deref() == id)
    }
}
