//! Service accounts whose key lies in a file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::KeyPair,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::BoxFuture;
use rustls::pki_types::{PrivatePkcs1KeyDer, pem::PemObject as _};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{error::ErrorKind, http::Http, pem};

use super::{
    Token, TokenError, TokenSource,
    endpoint::{self, ENDPOINT, Failure},
    file,
};

/// How long a signed question may be answered; the token lives about as long.
const LIFE: Duration = Duration::from_hours(1);

/// Tokens of a service account whose key lies in a file.
///
/// The file is read for each token, so that the key may be replaced. `gcp_auth` reads and uses the
/// key. Its way of asking is not used: it would ask again what was refused for good, for as long as
/// it takes, and not say why it was refused.
#[derive(Clone, Debug)]
pub struct KeyFile {
    place: Place,
    email: String,
    universe: String,
    http: Http,
}

#[derive(Clone)]
enum Place {
    File(PathBuf),
    Memory(Arc<Zeroizing<String>>),
}

impl std::fmt::Debug for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Memory(_) => formatter.write_str("in memory"),
        }
    }
}

#[derive(Deserialize)]
struct Key {
    client_email: String,
    token_uri: String,
    private_key_id: Option<String>,
    universe_domain: Option<String>,
}

impl Key {
    fn read(text: &str) -> Result<Self, TokenError> {
        serde_json::from_str(text).map_err(|error| file::unfit("a service account", &error))
    }
}

impl KeyFile {
    /// The key in this file, which is read now to see that it is one.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, TokenError> {
        let path = path.into();
        let text = file::read(&path);
        let text = text.map_err(|error| file::cannot_be_read(&path).with_source(error))?;
        Self::checked(&path, &text)
    }

    pub(super) fn checked(path: &Path, text: &str) -> Result<Self, TokenError> {
        Self::at(Place::File(path.to_owned()), text)
    }

    /// A key that is not in a file of its own.
    pub fn from_json(text: &str) -> Result<Self, TokenError> {
        let place = Place::Memory(Arc::new(Zeroizing::new(text.to_owned())));
        Self::at(place, text)
    }

    fn at(place: Place, text: &str) -> Result<Self, TokenError> {
        let key = Key::read(text)?;
        account(text)?;
        Ok(Self {
            place,
            email: key.client_email,
            universe: file::universe(key.universe_domain.as_deref()),
            http: Http::plain(),
        })
    }

    async fn read(&self) -> Result<Arc<Zeroizing<String>>, TokenError> {
        match &self.place {
            Place::Memory(text) => Ok(Arc::clone(text)),
            Place::File(path) => {
                let text = tokio::fs::read_to_string(path).await;
                let text = text.map_err(|error| file::cannot_be_read(path).with_source(error))?;
                Ok(Arc::new(Zeroizing::new(text)))
            }
        }
    }
}

fn account(text: &str) -> Result<gcp_auth::CustomServiceAccount, TokenError> {
    let read = match in_pkcs8(text) {
        Some(text) => gcp_auth::CustomServiceAccount::from_json(&text),
        None => gcp_auth::CustomServiceAccount::from_json(text),
    };
    // Its errors are told without their text, which could be a piece of the key.
    read.map_err(|_error| {
        TokenError::new(
            ErrorKind::Configuration,
            "the private key of the service account cannot be read",
        )
        .with_hint("make a new key: gcloud iam service-accounts keys create")
    })
}

/// The same file with its key in PKCS#8, as Google writes it and `gcp_auth` reads it, when it is in
/// PKCS#1 (`BEGIN RSA PRIVATE KEY`), as other tools do.
fn in_pkcs8(text: &str) -> Option<Zeroizing<String>> {
    let mut file: Value = serde_json::from_str(text).ok()?;
    let key = file.get("private_key")?.as_str()?.as_bytes();
    let key = PrivatePkcs1KeyDer::from_pem_slice(key).ok()?;
    let pair = KeyPair::from_der(key.secret_pkcs1_der()).ok()?;
    let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    *file.get_mut("private_key")? = pem::encode("PRIVATE KEY", der.as_ref()).into();
    Some(Zeroizing::new(file.to_string()))
}

/// A question that only who has the key can ask (RFC 7523).
fn assertion(
    text: &str,
    key: &Key,
    scopes: &[&str],
    now: SystemTime,
) -> Result<String, TokenError> {
    let since = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_secs()
    };
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": key.private_key_id});
    let claims = json!({
        "iss": key.client_email,
        "scope": scopes.join(" "),
        "aud": key.token_uri,
        "iat": since(now),
        "exp": since(now + LIFE),
    });
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let signed = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes())
    );
    let signature = account(text)?.signer().sign(signed.as_bytes());
    let signature = signature.map_err(|error| {
        let text = "the key of the service account cannot sign";
        TokenError::new(ErrorKind::Configuration, text).with_source(error)
    })?;
    Ok(format!("{signed}.{}", encode(&signature)))
}

impl TokenSource for KeyFile {
    fn token<'a>(&'a self, scopes: &'a [&'a str]) -> BoxFuture<'a, Result<Token, TokenError>> {
        Box::pin(async move {
            let text = self.read().await?;
            let key = Key::read(&text)?;
            let asked = SystemTime::now();
            let assertion = assertion(&text, &key, scopes, asked)?;
            let fields = [
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("assertion", &assertion),
            ];
            let request = endpoint::form(&key.token_uri, &fields)?;
            let answer = endpoint::ask(&self.http, &ENDPOINT, &request).await;
            let body =
                answer.map_err(|failure| match failure {
                    Failure::Refused(refusal) => {
                        let remedy = refusal.is_for(&["invalid_grant", "invalid_client"]).then(|| {
                        format!(
                            "check that the key of {} still exists, and this machine's clock",
                            key.client_email
                        )
                    });
                        endpoint::refused(&key.token_uri, &refusal, remedy)
                    }
                    Failure::Other(error) => error,
                })?;
            endpoint::token(&body, asked)
        })
    }

    fn principal(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(std::future::ready(Some(self.email.clone())))
    }

    fn universe_domain(&self) -> Option<String> {
        Some(self.universe.clone())
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::KeySize;

    use super::*;
    use crate::fake::{Answer, Fake};

    /// A key made for this test, as Google writes it.
    fn key_file(token_uri: &str) -> String {
        key_file_with(token_uri, |pkcs8| pem::encode("PRIVATE KEY", pkcs8))
    }

    fn key_file_with(token_uri: &str, write: impl Fn(&[u8]) -> String) -> String {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let pem = write(der.as_ref());
        json!({"type": "service_account", "project_id": "proj", "private_key_id": "k1",
            "private_key": pem, "client_email": "sa@proj.iam.gserviceaccount.com",
            "token_uri": token_uri})
        .to_string()
    }

    #[tokio::test]
    async fn a_key_asks_where_its_file_says_for_the_scopes_that_are_needed() {
        let answer = r#"{"access_token":"one","expires_in":3599,"token_type":"Bearer"}"#;
        let fake = Fake::start([Answer::new(503, ""), Answer::new(200, answer)]).await;
        let source = KeyFile::from_json(&key_file(&fake.url("/token"))).unwrap();
        assert_eq!(source.token(&["a", "b"]).await.unwrap().secret(), "one");
        assert_eq!(fake.asked(), 2);
        let body = fake.question(1).into_body();
        let fields: Vec<(String, String)> =
            url::form_urlencoded::parse(&body).into_owned().collect();
        let assertion = fields.iter().find(|(name, _)| name == "assertion").unwrap();
        let parts: Vec<_> = assertion.1.split('.').collect();
        let decode = |part: &str| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        assert_eq!(decode(parts[0])["kid"], "k1");
        let claims = decode(parts[1]);
        assert_eq!(claims["scope"], "a b");
        assert_eq!(claims["iss"], "sa@proj.iam.gserviceaccount.com");
        assert_eq!(claims["aud"], fake.url("/token"));
        assert_eq!(URL_SAFE_NO_PAD.decode(parts[2]).unwrap().len(), 256);
        let principal = source.principal().await;
        assert_eq!(
            principal.as_deref(),
            Some("sa@proj.iam.gserviceaccount.com")
        );
    }

    #[tokio::test]
    async fn a_key_in_pkcs1_signs_too() {
        let answer = r#"{"access_token":"one","expires_in":3599}"#;
        let fake = Fake::start([Answer::new(200, answer)]).await;
        // In PKCS#8 it follows 26 bytes, which say that it is one of RSA.
        let pkcs1 = |pkcs8: &[u8]| pem::encode("RSA PRIVATE KEY", &pkcs8[26..]);
        let source = KeyFile::from_json(&key_file_with(&fake.url("/"), pkcs1)).unwrap();
        assert_eq!(source.token(&["a"]).await.unwrap().secret(), "one");
    }

    #[tokio::test]
    async fn a_key_that_was_deleted_is_refused_once_with_googles_words() {
        let body = r#"{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}"#;
        let fake = Fake::start([Answer::new(400, body)]).await;
        let source = KeyFile::from_json(&key_file(&fake.url("/token"))).unwrap();
        let error = source.token(&["a"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert_eq!(fake.asked(), 1);
        let text = error.to_string();
        assert!(
            text.starts_with("Invalid JWT Signature. (HTTP 400, invalid_grant)"),
            "{text}"
        );
        assert!(
            text.contains("sa@proj.iam.gserviceaccount.com still exists"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_file_may_be_replaced() {
        let fake =
            Fake::start([Answer::new(200, r#"{"access_token":"one","expires_in":9}"#)]).await;
        let path = std::env::temp_dir().join(format!("key-{}.json", std::process::id()));
        std::fs::write(&path, key_file("http://127.0.0.1:1/")).unwrap();
        let source = file::credentials_file(&path).unwrap();
        std::fs::write(&path, key_file(&fake.url("/token"))).unwrap();
        assert_eq!(source.token(&["a"]).await.unwrap().secret(), "one");
        std::fs::remove_file(&path).unwrap();
        let error = source.token(&["a"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}
