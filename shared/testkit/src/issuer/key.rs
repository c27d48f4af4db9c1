//! Keys that sign: ES256 from a file or new, RS256 for tests.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

const PEM_HEADER: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_FOOTER: &str = "-----END PRIVATE KEY-----";

/// Published with this source, so it protects nothing: tests only.
pub(crate) const TEST_ONLY_RSA_KEY: &str = include_str!("test_only_rsa_key.pem");

/// A private key with its public name.
pub struct SigningKey {
    pair: Pair,
    id: String,
}

enum Pair {
    Es256(Box<EcdsaKeyPair>),
    Rs256(Box<RsaKeyPair>),
}

impl SigningKey {
    /// A new ES256 key that is kept nowhere.
    pub fn generate() -> anyhow::Result<Self> {
        Self::from_es256(&new_es256()?)
    }

    /// The RS256 key that is the same in all tests: making one takes seconds.
    pub fn test_only_rs256() -> anyhow::Result<Self> {
        let key =
            RsaKeyPair::from_pkcs8(&from_pem(TEST_ONLY_RSA_KEY)?).map_err(anyhow::Error::msg)?;
        Ok(Self::named(Pair::Rs256(Box::new(key))))
    }

    /// The ES256 key of a file (PKCS#8 in PEM), which is made with mode 0600 if it is not there.
    pub fn load_or_create(path: &Path) -> anyhow::Result<Self> {
        if !path.exists() {
            write_once(path, &to_pem(&new_es256()?))?;
        }
        Self::from_es256(&from_pem(&fs::read_to_string(path)?)?)
    }

    fn from_es256(pkcs8: &[u8]) -> anyhow::Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
            .map_err(anyhow::Error::msg)?;
        Ok(Self::named(Pair::Es256(Box::new(pair))))
    }

    fn named(pair: Pair) -> Self {
        let mut key = Self {
            pair,
            id: String::new(),
        };
        // RFC 7638: the required members only, in alphabetical order, which is serde_json's own.
        let thumbprint = digest(&SHA256, key.material().to_string().as_bytes());
        key.id = URL_SAFE_NO_PAD.encode(thumbprint);
        key
    }

    /// The key's id: its thumbprint (RFC 7638).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name of its algorithm.
    pub const fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::Rs256(_) => "RS256",
        }
    }

    /// The public half, as it stands in the key set.
    pub fn public_jwk(&self) -> Value {
        let mut jwk = self.material();
        jwk["kid"] = json!(self.id);
        jwk["alg"] = json!(self.algorithm());
        jwk["use"] = json!("sig");
        jwk
    }

    fn material(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.pair {
            Pair::Es256(pair) => {
                // An uncompressed point: 4, x, y.
                let point = pair.public_key().as_ref();
                let (x, y) = point.split_at(1).1.split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
            }
            Pair::Rs256(pair) => {
                let public: PublicKeyComponents<Vec<u8>> = pair.public_key().into();
                json!({"kty": "RSA", "n": encode(&public.n), "e": encode(&public.e)})
            }
        }
    }

    /// A token with exactly this header and these claims, however wrong they are.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        self.sign_parts(&format!("{}.{}", part(header), part(claims)))
    }

    /// Appends the signature to two parts that are encoded already.
    pub fn sign_parts(&self, message: &str) -> String {
        let signature = self.signature(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Es256(pair) => {
                let signature = pair.sign(&random, message).expect("random numbers");
                signature.as_ref().to_vec()
            }
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("random numbers, and a buffer of the right size");
                signature
            }
        }
    }
}

fn new_es256() -> anyhow::Result<Vec<u8>> {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
        .map_err(anyhow::Error::msg)?;
    Ok(pkcs8.as_ref().to_vec())
}

/// A text that nobody can guess: 32 random bytes.
pub(crate) fn random_text() -> String {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}

fn to_pem(pkcs8: &[u8]) -> String {
    let text = STANDARD.encode(pkcs8);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    format!("{PEM_HEADER}\n{}\n{PEM_FOOTER}\n", lines.join("\n"))
}

fn from_pem(text: &str) -> anyhow::Result<Vec<u8>> {
    let body = text
        .trim()
        .strip_prefix(PEM_HEADER)
        .and_then(|rest| rest.strip_suffix(PEM_FOOTER))
        .context("not a private key in PEM (PKCS#8)")?;
    let body: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(body).context("not base64")
}

/// Writes a whole file or nothing, and leaves alone what another process wrote first.
fn write_once(path: &Path, text: &str) -> anyhow::Result<()> {
    let draft = path.with_extension(format!("{}.draft", random_text()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}
