//! Google access tokens: where they come from, and one cache for everything in a process.
//!
//! A [`TokenSource`] asks for a token each time. [`CachedTokens`] wraps one, keeps what it gave
//! until shortly before its end, and lets however many callers share one question. A process that
//! talks to several of Google's services makes one [`CachedTokens`] and hands it to all of them:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use cloudsql_connector::tokens::{self, CachedTokens, TokenSource as _};
//!
//! let tokens = CachedTokens::new(tokens::default_source()?);
//! let token = tokens.token(&["https://www.googleapis.com/auth/devstorage.read_only"]).await?;
//! let header = format!("Bearer {}", token.secret());
//! # drop(header); Ok(()) }
//! ```
//!
//! Which credentials are used is said by configuration, never found by probing the network, which
//! takes seconds to fail.

mod cache;
mod endpoint;
mod external;
mod file;
mod impersonated;
mod key_file;
mod metadata;
mod user;

use std::{
    error::Error as StdError,
    ffi::OsString,
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::future::BoxFuture;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Step};

use self::external::ExternalAccount;
pub(crate) use self::impersonated::bearer;
pub use self::{
    cache::CachedTokens, file::credentials_file, impersonated::Impersonated, key_file::KeyFile,
    metadata::MetadataServer, user::AuthorizedUser,
};

/// What calls of the Admin API need.
pub const ADMIN_SCOPE: &str = "https://www.googleapis.com/auth/sqlservice.admin";
/// What a login to a database needs, and nothing more: such a token goes to the instance.
pub const LOGIN_SCOPE: &str = "https://www.googleapis.com/auth/sqlservice.login";
/// What covers all of Google Cloud's services.
pub const CLOUD_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The domain of Google's own cloud, which credentials are for that name none.
pub(crate) const GOOGLES_UNIVERSE: &str = "googleapis.com";

/// Where access tokens come from.
pub trait TokenSource: Send + Sync + 'static {
    /// A token for these scopes that is valid now.
    fn token<'a>(&'a self, scopes: &'a [&'a str]) -> BoxFuture<'a, Result<Token, TokenError>>;

    /// Whose tokens they are, as IAM writes it (an e-mail address), where that is known. Asked for
    /// in order to say who lacks a role.
    fn principal(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(std::future::ready(None))
    }

    /// The project that the credentials name for quota and billing.
    fn quota_project(&self) -> Option<String> {
        None
    }

    /// The domain of the cloud that the credentials are for, such as `googleapis.com`, where they are
    /// for one only. A connector to another one refuses them.
    fn universe_domain(&self) -> Option<String> {
        None
    }

    /// This token was refused: whoever keeps it gives it to nobody else.
    fn forget(&self, _refused: &Token) {}
}

impl<S: TokenSource + ?Sized> TokenSource for Arc<S> {
    fn token<'a>(&'a self, scopes: &'a [&'a str]) -> BoxFuture<'a, Result<Token, TokenError>> {
        (**self).token(scopes)
    }

    fn principal(&self) -> BoxFuture<'_, Option<String>> {
        (**self).principal()
    }

    fn quota_project(&self) -> Option<String> {
        (**self).quota_project()
    }

    fn universe_domain(&self) -> Option<String> {
        (**self).universe_domain()
    }

    fn forget(&self, refused: &Token) {
        (**self).forget(refused);
    }
}

/// An access token. `Debug` hides it, and its memory is zeroed when the last clone is dropped.
#[derive(Clone)]
pub struct Token {
    secret: Arc<Zeroizing<String>>,
    expires_at: SystemTime,
}

impl Token {
    /// A token, and when it ends.
    pub fn new(secret: impl Into<String>, expires_at: SystemTime) -> Self {
        Self {
            secret: Arc::new(Zeroizing::new(secret.into())),
            expires_at,
        }
    }

    /// The secret itself, for an `Authorization: Bearer` header or a database password.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// When it ends, by the wall clock.
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Token(hidden, until {:?})", self.expires_at)
    }
}

/// Why there is no token. Cloning is cheap: all who waited for one question get the same error.
#[derive(Clone)]
pub struct TokenError(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    remedy: Option<String>,
    answer: Option<(u16, Option<String>)>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl TokenError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            remedy: None,
            answer: None,
            source: None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Says what to do about it: [`TokenError::hint`].
    #[must_use]
    pub fn with_hint(self, remedy: impl Into<String>) -> Self {
        self.with(|inner| inner.remedy = Some(remedy.into()))
    }

    /// Says which error it comes from.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source: Box<dyn StdError + Send + Sync> = source.into();
        self.with(|inner| inner.source = Some(Arc::from(source)))
    }

    fn with_answer(self, status: u16, reason: Option<String>) -> Self {
        self.with(|inner| inner.answer = Some((status, reason)))
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }

    /// Whether the same call may succeed later without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)?;
        match &self.0.answer {
            Some((status, Some(reason))) => write!(formatter, " (HTTP {status}, {reason})")?,
            Some((status, None)) => write!(formatter, " (HTTP {status})")?,
            None => {}
        }
        match &self.0.remedy {
            Some(remedy) => write!(formatter, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for TokenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TokenError({:?}: {self}", self.0.kind)?;
        if let Some(source) = &self.0.source {
            write!(formatter, ": {source:?}")?;
        }
        formatter.write_str(")")
    }
}

impl StdError for TokenError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        let inner = Arc::unwrap_or_clone(error.0);
        let mut found = Self::new(inner.kind, Step::Token, inner.message);
        if let Some(remedy) = inner.remedy {
            found = found.remedy(remedy);
        }
        if let Some((status, reason)) = inner.answer {
            found = found.answer(status, reason);
        }
        match inner.source {
            Some(source) => found.caused_by(source),
            None => found,
        }
    }
}

/// Always the same token, for example one from `gcloud auth print-access-token`.
///
/// When it ends is not known; it is taken to be valid for as long as the process runs.
#[derive(Clone, Debug)]
pub struct Fixed(Token);

impl Fixed {
    /// This token, for all scopes.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Token::new(secret, distant_future()))
    }

    /// This token until it ends, for all scopes.
    pub fn until(secret: impl Into<String>, expires_at: SystemTime) -> Self {
        Self(Token::new(secret, expires_at))
    }
}

/// About 2261; much later, and other representations of time overflow.
fn distant_future() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 292)
}

impl TokenSource for Fixed {
    fn token<'a>(&'a self, _scopes: &'a [&'a str]) -> BoxFuture<'a, Result<Token, TokenError>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

/// The credentials that the environment of this process names, as for Google's own libraries:
///
/// 1. the file in `GOOGLE_APPLICATION_CREDENTIALS` (see [`credentials_file`]),
/// 2. else the file that `gcloud auth application-default login` wrote, if it is there,
/// 3. else the metadata server, at `GCE_METADATA_HOST` or its usual address.
///
/// Nothing is asked for before the first token, and nothing is kept: wrap it in a [`CachedTokens`].
pub fn default_source() -> Result<Arc<dyn TokenSource>, TokenError> {
    default_source_in(|name| std::env::var_os(name))
}

/// [`default_source`] in another environment than that of the process.
pub fn default_source_in(
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Arc<dyn TokenSource>, TokenError> {
    let env = |name| env(name).filter(|value| !value.is_empty());
    if let Some(path) = env("GOOGLE_APPLICATION_CREDENTIALS") {
        return credentials_file(PathBuf::from(path));
    }
    let gcloud = env("CLOUDSDK_CONFIG")
        .map(PathBuf::from)
        .or_else(|| env("APPDATA").map(|it| PathBuf::from(it).join("gcloud")))
        .or_else(|| env("HOME").map(|it| PathBuf::from(it).join(".config/gcloud")));
    let well_known = gcloud.map(|it| it.join("application_default_credentials.json"));
    if let Some(path) = well_known.filter(|path| path.is_file()) {
        return credentials_file(path);
    }
    let host = match env("GCE_METADATA_HOST") {
        Some(host) => Some(host.into_string().map_err(|_text| {
            TokenError::new(ErrorKind::Configuration, "GCE_METADATA_HOST is not text")
        })?),
        None => None,
    };
    Ok(Arc::new(MetadataServer::new(host.as_deref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_in_what_is_printed() {
        let token = Token::new("s3cret", SystemTime::now());
        let fixed = Fixed::new("s3cret");
        assert!(!format!("{token:?} {fixed:?}").contains("s3cret"));
    }

    #[test]
    fn an_error_keeps_kind_answer_remedy_and_cause_on_its_way_to_the_caller() {
        let error = TokenError::new(ErrorKind::Denied, "the key was refused")
            .with_answer(400, Some("invalid_grant".to_owned()))
            .with_hint("make a new key")
            .with_source("why");
        let error = Error::from(error);
        assert_eq!(
            (error.kind(), error.step()),
            (ErrorKind::Denied, Step::Token)
        );
        assert_eq!(
            (error.status(), error.reason()),
            (Some(400), Some("invalid_grant"))
        );
        assert_eq!(error.hint(), Some("make a new key"));
        assert_eq!(error.detail(), "the key was refused: why");
    }

    /// What a source is can be told by how it fails, or whom it names.
    fn environment(pairs: &[(&str, &str)]) -> Result<Arc<dyn TokenSource>, TokenError> {
        default_source_in(|name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn a_file_that_is_named_and_missing_is_an_error_not_a_reason_to_look_elsewhere() {
        let error = environment(&[
            ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json"),
            ("GCE_METADATA_HOST", "127.0.0.1:1"),
        ]);
        let error = error.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("/nowhere/key.json"), "{error}");
    }

    #[tokio::test]
    async fn what_gcloud_left_goes_before_the_metadata_server() {
        let home = std::env::temp_dir().join(format!("tokens-{}", std::process::id()));
        let gcloud = home.join(".config/gcloud");
        std::fs::create_dir_all(&gcloud).unwrap();
        let path = gcloud.join("application_default_credentials.json");
        let text = r#"{"type": "authorized_user", "client_id": "a", "client_secret": "b",
            "refresh_token": "c", "account": "me@example.com", "quota_project_id": "payer"}"#;
        std::fs::write(&path, text).unwrap();
        let home = home.to_str().unwrap();
        let env = [("HOME", home), ("GCE_METADATA_HOST", "127.0.0.1:1")];
        let source = environment(&env).unwrap();
        assert_eq!(source.principal().await.as_deref(), Some("me@example.com"));
        assert_eq!(source.quota_project().as_deref(), Some("payer"));
        std::fs::remove_dir_all(home).unwrap();
        assert_eq!(environment(&env).unwrap().quota_project(), None);
    }
}
