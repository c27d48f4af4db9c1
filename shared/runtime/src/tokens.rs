//! Google access tokens: one [`TokenSource`] for everything in a process that talks to Google.
//!
//! A token is fetched when a request needs one and the one at hand is missing or near its end, never by a
//! background task: on Cloud Run the CPU sleeps between requests, and a sleeping task refreshes nothing.
//!
//! - However many callers find no usable token, one asks and the others share its answer, good or bad.
//! - The refresh starts [`REFRESH_EARLY`] before the end. Until the old token really ends it keeps being
//!   served: to those who arrive while the refresh is under way, and to all when the refresh failed.
//! - Which credentials are used is said by configuration. Probing for them, as `gcp_auth::provider()` does,
//!   takes seconds to fail and picks up whatever a laptop happens to have lying around.

mod metadata;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
pub use gcp_auth::TokenProvider;
pub use metadata::MetadataServer;

/// How long before its end a token is replaced.
///
/// The metadata server hands out the same token until five minutes before the end, so asking earlier than that
/// brings nothing; four minutes are enough for the longest request that starts with the old one.
pub const REFRESH_EARLY: Duration = Duration::from_mins(4);

/// After a failed early refresh the old token is served for this long before anyone asks again: a metadata
/// server in trouble is not helped by one more question per request.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// What our tokens are for. IAM decides what they may do; the scope only must not be narrower.
const SCOPES: &[&str] = &["https://www.googleapis.com/auth/cloud-platform"];

/// Hands out the process's access token. Cloning is cheap and shares the token.
#[derive(Clone)]
pub struct TokenSource {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Anonymous,
    Fixed(AccessToken),
    Google(Arc<Cache>),
}

/// A bearer token. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(Arc<str>);

impl AccessToken {
    /// The secret itself, for an `Authorization: Bearer` header or a database password.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AccessToken(hidden)")
    }
}

/// No token could be had, and none that is still valid is at hand.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no Google access token could be fetched")]
pub struct TokenError(#[source] Arc<gcp_auth::Error>);

impl TokenSource {
    /// For emulators: requests carry no `Authorization` at all.
    pub fn anonymous() -> Self {
        Self {
            kind: Kind::Anonymous,
        }
    }

    /// Always the same token, for example one from `gcloud auth print-access-token`.
    pub fn fixed(token: impl Into<Arc<str>>) -> Self {
        Self {
            kind: Kind::Fixed(AccessToken(token.into())),
        }
    }

    /// Tokens of the service account this process runs as, from the metadata server at `host`
    /// (`GCE_METADATA_HOST`; `None` is Google's own).
    pub fn metadata_server(host: Option<&str>) -> Self {
        Self::from_provider(Arc::new(MetadataServer::new(host)))
    }

    /// Tokens of a service account whose key lies in a file (`GOOGLE_APPLICATION_CREDENTIALS`).
    pub fn key_file(path: PathBuf) -> Self {
        Self::from_provider(Arc::new(KeyFile(path)))
    }

    /// Tokens from any provider that does not cache on its own.
    ///
    /// A provider that answers with a token it kept is asked again at every call in the last
    /// [`REFRESH_EARLY`] of that token's life.
    pub fn from_provider(provider: Arc<dyn TokenProvider>) -> Self {
        Self {
            kind: Kind::Google(Arc::new(Cache {
                provider,
                current: RwLock::default(),
                attempts: AtomicU64::new(0),
                refresh: tokio::sync::Mutex::default(),
            })),
        }
    }

    /// A token that is valid now, or `None` where none is needed.
    pub fn token(&self) -> BoxFuture<'_, Result<Option<AccessToken>, TokenError>> {
        Box::pin(async move {
            match &self.kind {
                Kind::Anonymous => Ok(None),
                Kind::Fixed(token) => Ok(Some(token.clone())),
                Kind::Google(cache) => cache.token().await.map(Some),
            }
        })
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.kind {
            Kind::Anonymous => "TokenSource(anonymous)",
            Kind::Fixed(_) => "TokenSource(fixed)",
            Kind::Google(_) => "TokenSource(google)",
        })
    }
}

struct Cache {
    provider: Arc<dyn TokenProvider>,
    current: RwLock<Option<Held>>,
    /// How many refreshes have ended; tells a caller that waited whether its question was answered meanwhile.
    attempts: AtomicU64,
    /// Held by the one caller that asks. What it guards is how the last attempt failed.
    refresh: tokio::sync::Mutex<Option<TokenError>>,
}

#[derive(Clone)]
struct Held {
    token: AccessToken,
    /// By the wall clock: the monotonic one stands still while the machine is suspended.
    ends: SystemTime,
    refresh_from: SystemTime,
}

impl Cache {
    async fn token(&self) -> Result<AccessToken, TokenError> {
        let held = self.held();
        let now = SystemTime::now();
        if let Some(held) = held.as_ref().filter(|held| now < held.refresh_from) {
            return Ok(held.token.clone());
        }
        let seen = self.attempts.load(Ordering::Acquire);
        let mut last_failure = match (self.refresh.try_lock(), held) {
            (Ok(guard), _) => guard,
            // Someone is asking already, and what we hold still works.
            (Err(_), Some(held)) if now < held.ends => return Ok(held.token),
            (Err(_), _) => self.refresh.lock().await,
        };
        if self.attempts.load(Ordering::Acquire) != seen {
            return match (self.still_valid(), &*last_failure) {
                (Some(token), _) => Ok(token),
                (None, Some(failure)) => Err(failure.clone()),
                // The attempt that ended meanwhile brought a token that is over already.
                (None, None) => self.fetch(&mut last_failure).await,
            };
        }
        self.fetch(&mut last_failure).await
    }

    async fn fetch(
        &self,
        last_failure: &mut Option<TokenError>,
    ) -> Result<AccessToken, TokenError> {
        let answer = self.provider.token(SCOPES).await;
        let outcome = match answer {
            Ok(token) => {
                let ends = SystemTime::from(token.expires_at());
                let held = Held {
                    token: AccessToken(token.as_str().into()),
                    ends,
                    refresh_from: ends.checked_sub(REFRESH_EARLY).unwrap_or(ends),
                };
                let token = held.token.clone();
                self.hold(Some(held));
                *last_failure = None;
                Ok(token)
            }
            Err(cause) => {
                let failure = TokenError(Arc::new(cause));
                *last_failure = Some(failure.clone());
                match self.still_valid() {
                    Some(token) => {
                        tracing::warn!(
                            error = &failure.0 as &dyn std::error::Error,
                            "refreshing the access token failed; the old one is still valid"
                        );
                        self.pause();
                        Ok(token)
                    }
                    None => Err(failure),
                }
            }
        };
        self.attempts.fetch_add(1, Ordering::AcqRel);
        outcome
    }

    fn held(&self) -> Option<Held> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn still_valid(&self) -> Option<AccessToken> {
        self.held()
            .filter(|held| SystemTime::now() < held.ends)
            .map(|held| held.token)
    }

    fn hold(&self, held: Option<Held>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = held;
    }

    fn pause(&self) {
        let until = SystemTime::now() + PAUSE_AFTER_FAILURE;
        self.hold(self.held().map(|held| Held {
            refresh_from: until.min(held.ends),
            ..held
        }));
    }
}

/// Reads the key and asks anew each time: `gcp_auth`'s own providers keep a token until 20 seconds before its end,
/// which would turn our early refresh into a question that is answered with the old token.
struct KeyFile(PathBuf);

#[async_trait]
impl TokenProvider for KeyFile {
    async fn token(&self, scopes: &[&str]) -> Result<Arc<gcp_auth::Token>, gcp_auth::Error> {
        gcp_auth::CustomServiceAccount::from_file(&self.0)?
            .token(scopes)
            .await
    }

    async fn project_id(&self) -> Result<Arc<str>, gcp_auth::Error> {
        let account = gcp_auth::CustomServiceAccount::from_file(&self.0)?;
        TokenProvider::project_id(&account).await
    }
}
