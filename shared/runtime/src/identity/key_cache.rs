//! The issuer's keys, kept between requests.
//!
//! Nothing runs in the background, because the CPU sleeps between requests: the first request
//! that finds the keys too old fetches them, once, however many wait. What can go wrong, and what
//! is done:
//!
//! * A token names a key that is not in the set. The issuer may have rotated its keys, so they
//!   are fetched again, but at most once per [`FORCED_INTERVAL`]: the name is written by whoever
//!   sends the token.
//! * The issuer is down. The keys at hand are used for up to [`STALE_LIMIT`] beyond their time,
//!   one request per [`RETRY_INTERVAL`] tries again, and nobody else waits for it.
//! * A key was withdrawn. It is gone here when the lifetime of the set ends; the set's
//!   `generation` then changes, which empties the cache of verified tokens too.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderMap, HeaderValue, Request};
use url::Url;

use super::discovery::Discovery;
use super::error::DiscoveryError;
use super::keys::KeySet;
use crate::clock::Clock;
use crate::http_client::{HttpClient, HttpError, Limits};
use crate::log::causes;

/// The shortest time between two fetches that unknown key ids cause.
const FORCED_INTERVAL: Duration = Duration::from_secs(30);
/// How long a failure is remembered before the issuer is asked again.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);
/// How long keys are used beyond their lifetime while the issuer cannot be reached.
const STALE_LIMIT: Duration = Duration::from_hours(24);
/// The lifetime of a set whose answer names none.
const DEFAULT_LIFETIME: Duration = Duration::from_hours(1);
/// Bounds on the lifetime that an answer may name: an issuer without caching must not be asked at
/// every request, and a withdrawn key must not live for ever.
const LIFETIME_BOUNDS: (Duration, Duration) = (Duration::from_mins(5), Duration::from_hours(24));
/// Attempts of one fetch; more would keep a person waiting.
const ATTEMPTS: u32 = 2;
/// How long all attempts of a fetch may take together: the caller is waiting.
const FETCH_DEADLINE: Duration = Duration::from_secs(5);

/// Where the key set is.
#[derive(Debug)]
pub(super) enum KeySource {
    /// At the address that the issuer's metadata names.
    Discovered(Arc<Discovery>),
    /// At this address.
    At(Url),
}

/// The keys with the number of changes seen so far.
#[derive(Clone)]
pub(super) struct CurrentKeys {
    pub(super) keys: Arc<KeySet>,
    /// Grows when the content of the set changes.
    pub(super) generation: u64,
    expires_at: SystemTime,
}

#[derive(Default)]
struct State {
    current: Option<CurrentKeys>,
    attempted_at: Option<SystemTime>,
    failed_at: Option<SystemTime>,
}

pub(super) struct KeyCache {
    source: KeySource,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held by the one request that fetches. Dropped with it, so that a caller who goes away
    /// leaves no one waiting.
    flight: tokio::sync::Mutex<()>,
}

impl KeyCache {
    pub(super) fn new(source: KeySource, http: HttpClient, clock: Arc<dyn Clock>) -> Self {
        Self {
            source,
            http,
            clock,
            state: Mutex::default(),
            flight: tokio::sync::Mutex::new(()),
        }
    }

    /// The keys, fetched if there are none that are young enough.
    pub(super) async fn current(&self) -> Result<CurrentKeys, DiscoveryError> {
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        // Whoever has stale keys does not queue behind the request that is fetching.
        let _flight = match (self.flight.try_lock(), self.stale()) {
            (Ok(flight), _) => flight,
            (Err(_taken), Some(stale)) => return Ok(stale),
            (Err(_taken), None) => self.flight.lock().await,
        };
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        let failed_at = self.state().failed_at;
        if self.is_within(failed_at, RETRY_INTERVAL) {
            return self.stale().ok_or(DiscoveryError::FailedRecently);
        }
        match self.refresh().await {
            Ok(fresh) => Ok(fresh),
            Err(error) => {
                let stale = self.stale();
                tracing::warn!(
                    error = causes(&error),
                    stale_keys_used = stale.is_some(),
                    "the issuer's keys could not be fetched"
                );
                stale.ok_or(error)
            }
        }
    }

    /// Newer keys than those of generation `seen`, because a token names one that is not among
    /// them; `None` if the last fetch was a moment ago or this one fails.
    pub(super) async fn newer_than(&self, seen: u64) -> Option<CurrentKeys> {
        let _flight = self.flight.lock().await;
        // Another request may have fetched while this one waited for its turn.
        if let Some(newer) = self.fresh().filter(|current| current.generation != seen) {
            return Some(newer);
        }
        let attempted_at = self.state().attempted_at;
        if self.is_within(attempted_at, FORCED_INTERVAL) {
            return None;
        }
        match self.refresh().await {
            Ok(current) => Some(current),
            Err(error) => {
                tracing::warn!(
                    error = causes(&error),
                    "the issuer's keys could not be fetched for an unknown key id"
                );
                None
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self) -> Option<CurrentKeys> {
        let now = self.clock.now();
        let current = self.state().current.clone()?;
        (now < current.expires_at).then_some(current)
    }

    fn stale(&self) -> Option<CurrentKeys> {
        let now = self.clock.now();
        let current = self.state().current.clone()?;
        (now < current.expires_at + STALE_LIMIT).then_some(current)
    }

    fn is_within(&self, since: Option<SystemTime>, interval: Duration) -> bool {
        since.is_some_and(|at| self.clock.now().duration_since(at).unwrap_or_default() < interval)
    }

    /// Fetches, with the flight in hand, and remembers how it went.
    async fn refresh(&self) -> Result<CurrentKeys, DiscoveryError> {
        self.state().attempted_at = Some(self.clock.now());
        let fetched = tokio::time::timeout(FETCH_DEADLINE, self.fetch())
            .await
            .unwrap_or_else(|_elapsed| Err(DiscoveryError::TooSlow(FETCH_DEADLINE)));
        let now = self.clock.now();
        let mut state = self.state();
        match fetched {
            Ok((keys, lifetime)) => {
                let (keys, generation) = match &state.current {
                    Some(old) if *old.keys == keys => (Arc::clone(&old.keys), old.generation),
                    Some(old) => (Arc::new(keys), old.generation + 1),
                    None => (Arc::new(keys), 0),
                };
                let current = CurrentKeys {
                    keys,
                    generation,
                    expires_at: now + lifetime,
                };
                state.current = Some(current.clone());
                state.failed_at = None;
                Ok(current)
            }
            Err(error) => {
                state.failed_at = Some(now);
                drop(state);
                if let KeySource::Discovered(discovery) = &self.source {
                    discovery.forget();
                }
                Err(error)
            }
        }
    }

    async fn fetch(&self) -> Result<(KeySet, Duration), DiscoveryError> {
        let mut attempt = 1;
        loop {
            match self.fetch_once().await {
                Err(DiscoveryError::Http(error)) if error.is_retryable() && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn fetch_once(&self) -> Result<(KeySet, Duration), DiscoveryError> {
        let url = match &self.source {
            KeySource::At(url) => url.clone(),
            KeySource::Discovered(discovery) => discovery.metadata().await?.jwks_uri.clone(),
        };
        let request = Request::get(url.as_str())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .body(Bytes::new())
            .map_err(HttpError::from)?;
        let response = self.http.send(request, Limits::default()).await?;
        if !response.status().is_success() {
            return Err(DiscoveryError::Http(HttpError::Status {
                host: url.host_str().unwrap_or_default().to_owned(),
                status: response.status(),
                body: Bytes::new(),
            }));
        }
        let keys = KeySet::parse(response.body()).ok_or(DiscoveryError::NoUsableKey)?;
        Ok((keys, lifetime(response.headers())))
    }
}

/// How long an answer may be kept, within our bounds.
fn lifetime(headers: &HeaderMap) -> Duration {
    let named = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|directive| {
            let (name, seconds) = directive.trim().split_once('=')?;
            let seconds = seconds.trim().trim_matches('"').parse().ok()?;
            name.eq_ignore_ascii_case("max-age")
                .then(|| Duration::from_secs(seconds))
        });
    let (shortest, longest) = LIFETIME_BOUNDS;
    named.map_or(DEFAULT_LIFETIME, |age| age.clamp(shortest, longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime_of(cache_control: &'static str) -> Duration {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
        lifetime(&headers)
    }

    #[test]
    fn the_issuers_cache_control_is_honoured_within_bounds() {
        assert_eq!(lifetime_of("public, max-age=7200"), Duration::from_hours(2));
        assert_eq!(lifetime_of("max-age=1"), LIFETIME_BOUNDS.0);
        assert_eq!(
            lifetime_of("Max-Age=\"999999999\", private"),
            LIFETIME_BOUNDS.1
        );
        assert_eq!(
            lifetime_of("max-age=99999999999999999999999"),
            DEFAULT_LIFETIME
        );
        assert_eq!(lifetime_of("no-cache"), DEFAULT_LIFETIME);
        assert_eq!(lifetime(&HeaderMap::new()), DEFAULT_LIFETIME);
    }
}
