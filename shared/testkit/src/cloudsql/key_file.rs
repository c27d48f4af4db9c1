//! Credentials as people keep them in files: a service account's key, a user's refresh token, and what a
//! workload of another cloud has.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::Context as _;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::issuer::{SigningKey, TEST_ONLY_RSA_KEY, random_text};

/// A folder of this fake's own, gone with it.
#[derive(Debug)]
pub(super) struct KeyFiles {
    folder: PathBuf,
}

impl KeyFiles {
    pub(super) fn create() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("fake-cloud-sql-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self { folder })
    }

    pub(super) fn service_account(&self) -> PathBuf {
        self.folder.join("service_account.json")
    }

    pub(super) fn user(&self) -> PathBuf {
        self.folder.join("user.json")
    }

    /// Writes both files anew. `url` is where tokens come from.
    pub(super) fn write(&self, url: &str, principal: &str, refresh: &str) -> anyhow::Result<()> {
        let (_, domain) = principal.split_once('@').unwrap_or_default();
        let project = domain.split('.').next().unwrap_or_default();
        let token_uri = format!("{url}/token");
        let key = json!({
            "type": "service_account",
            "project_id": project,
            "private_key_id": KEY_ID,
            "private_key": TEST_ONLY_RSA_KEY,
            "client_email": principal,
            "client_id": "100000000000000000001",
            "auth_uri": format!("{url}/authorize"),
            "token_uri": token_uri,
            "universe_domain": "googleapis.com",
        });
        write_private(&self.service_account(), &key.to_string())?;
        let user = json!({
            "type": "authorized_user",
            "client_id": "fake-client",
            "client_secret": "fake-client-secret",
            "refresh_token": refresh,
            "token_uri": token_uri,
            "universe_domain": "googleapis.com",
        });
        write_private(&self.user(), &user.to_string())
    }
}

/// Whom the security token service knows, as IAM writes it.
pub const FEDERATED: &str = "principal://iam.googleapis.com/projects/1/locations/global/\
    workloadIdentityPools/pool/subject/workload";

/// What its provider is called.
pub(super) const AUDIENCE: &str = "//iam.googleapis.com/projects/1/locations/global/\
    workloadIdentityPools/pool/providers/elsewhere";
pub(super) const SUBJECT_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";

impl KeyFiles {
    pub(super) fn external(&self) -> PathBuf {
        self.folder.join("external.json")
    }

    /// Writes the credentials of a workload elsewhere, and what it got there.
    pub(super) fn write_external(
        &self,
        url: &str,
        principal: &str,
        subject_token: &str,
    ) -> anyhow::Result<()> {
        let subject_file = self.folder.join("subject_token");
        write_private(&subject_file, &format!("{subject_token}\n"))?;
        let external = json!({
            "type": "external_account",
            "audience": AUDIENCE,
            "subject_token_type": SUBJECT_TOKEN_TYPE,
            "token_url": format!("{url}/v1/token"),
            "service_account_impersonation_url":
                format!("{url}/v1/projects/-/serviceAccounts/{principal}:generateAccessToken"),
            "credential_source": {"file": subject_file},
            "universe_domain": "googleapis.com",
        });
        write_private(&self.external(), &external.to_string())
    }
}

impl Drop for KeyFiles {
    fn drop(&mut self) {
        // Nobody can be told, and the system sweeps its temporary files.
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// Replaces a file whole, so that nobody reads half of it.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let draft = path.with_extension(format!("{}.draft", random_text()));
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?
        .write_all(text.as_bytes())?;
    Ok(fs::rename(draft, path)?)
}

/// The name of the key in the file, which clients put into their assertions.
const KEY_ID: &str = "test-only";

/// The public half of the key in the file.
static PUBLIC_KEY: LazyLock<Option<RsaPublicKeyComponents<Vec<u8>>>> = LazyLock::new(|| {
    let jwk = SigningKey::test_only_rs256().ok()?.public_jwk();
    let decode = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str()?).ok();
    Some(RsaPublicKeyComponents {
        n: decode("n")?,
        e: decode("e")?,
    })
});

/// The claims of a JWT, if it was signed with the key of the file by RS256.
pub(super) fn verified_claims(jwt: &str) -> Result<Value, &'static str> {
    let (message, signature) = jwt.rsplit_once('.').ok_or("not a JWT")?;
    let (header, claims) = message.split_once('.').ok_or("not a JWT")?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_bad| "not base64url");
    let parse = |part: &str| {
        serde_json::from_slice::<Value>(&decode(part)?).map_err(|_bad| "not JSON inside")
    };
    if parse(header)?["alg"] != "RS256" {
        return Err("Invalid JWT: Invalid alg");
    }
    let key = PUBLIC_KEY.as_ref().ok_or("no key to verify with")?;
    key.verify(
        &RSA_PKCS1_2048_8192_SHA256,
        message.as_bytes(),
        &decode(signature)?,
    )
    .map_err(|_bad| "Invalid JWT Signature.")?;
    parse(claims)
}
