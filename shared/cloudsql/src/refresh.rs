//! One instance's settings and certificate: fetched when a connection needs them, by one caller for
//! all, and used until shortly before they end.
//!
//! - Nothing runs between calls. A refresh is a task of its own, so that a caller who stops waiting
//!   stops nobody else's refresh; it ends with the refresh.
//! - Time is the wall clock's: the monotonic clock stands still while a machine sleeps.
//! - Settings and certificate are two halves. When one of them fails, the other is kept for the next
//!   attempt; when one is refused for good, the other is not waited for.
//! - [`Refresh::Background`] adds the schedule of Google's own connectors, for machines whose
//!   processor never sleeps.

mod background;
mod session;
mod state;

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use futures_util::FutureExt as _;
use rustls::{crypto::CryptoProvider, sign::CertifiedKey};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

pub(crate) use self::session::Session;
use self::{
    session::{Certificate, not_after, renew_from},
    state::{Flight, LONGEST_REFUSAL, State},
};
use crate::{
    admin::AdminApi,
    clock::Clock,
    dns::GoogleNames,
    error::{Error, ErrorKind, Step},
    instance::InstanceName,
    key::PendingKey,
    observe::{Event, Observer},
    pem,
    settings::Settings,
    tls,
    tokens::{LOGIN_SCOPE, TokenSource},
};

/// When settings and certificates are renewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refresh {
    /// When a connection needs them. Nothing runs between calls: right for Cloud Run and functions,
    /// where the processor sleeps between requests, and everywhere else too.
    #[default]
    Lazy,
    /// Ahead of time, by a task for each instance: no connection ever waits for a refresh, as long
    /// as the processor is always there.
    Background,
}

impl std::str::FromStr for Refresh {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.to_ascii_lowercase().as_str() {
            "lazy" => Ok(Self::Lazy),
            "background" => Ok(Self::Background),
            _ => Err(Error::new(
                ErrorKind::Configuration,
                Step::Configuration,
                format!("{text:?} is no way to refresh"),
            )
            .remedy("use lazy or background")),
        }
    }
}

/// How long a refusal is remembered, so that callers who come at once do not all ask again.
const REFUSAL: Duration = Duration::from_secs(5);
/// After a failed refresh the old certificate, while it is valid, is used for this long.
const PAUSE: Duration = Duration::from_secs(10);
/// Who has a valid certificate in hand waits this long for a newer one.
const PATIENCE: Duration = Duration::from_secs(2);
/// Settings that were fetched without a certificate are used within this time.
const KEPT: Duration = Duration::from_mins(5);
/// What refreshes are made with.
pub(crate) struct Means {
    pub(crate) api: AdminApi,
    pub(crate) google: GoogleNames,
    /// For automatic IAM login; `None` where users have passwords.
    pub(crate) login: Option<Arc<dyn TokenSource>>,
    pub(crate) key: PendingKey,
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    /// For a connection, and for all steps of a refresh together.
    pub(crate) timeout: Duration,
    pub(crate) mode: Refresh,
}

/// Keeps one instance's session.
pub(crate) struct Refresher {
    pub(crate) name: Arc<InstanceName>,
    /// The DNS name that the caller gave, which the server must have.
    pub(crate) domain: Option<String>,
    means: Arc<Means>,
    state: Mutex<State>,
}

impl Refresher {
    pub(crate) fn new(name: InstanceName, domain: Option<String>, means: Arc<Means>) -> Arc<Self> {
        Arc::new(Self {
            name: Arc::new(name),
            domain,
            means,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session that is valid now.
    pub(crate) async fn session(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Result<Arc<Session>, Error> {
        let (usable, flight) = {
            let mut state = self.state();
            let now = self.means.clock.now();
            if let Some(current) = state.current.as_ref()
                && now < current.renew_from
            {
                return Ok(Arc::clone(current));
            }
            // One that is only due serves on while Google's side does not answer.
            let usable = state
                .current
                .clone()
                .filter(|current| now + PATIENCE < current.ends && !current.is_distrusted());
            (usable, self.join(&mut state, now, deadline)?)
        };
        match usable {
            Some(usable) => {
                let soon = deadline.min(Instant::now() + PATIENCE);
                Ok(self.land(flight, soon).await.unwrap_or(usable))
            }
            None => self.land(flight, deadline).await,
        }
    }

    /// A session that is not this one, which did not work; or the same one again, when too many
    /// were asked for of late.
    pub(crate) async fn renewed(
        self: &Arc<Self>,
        stale: &Arc<Session>,
        deadline: Instant,
    ) -> Result<Arc<Session>, Error> {
        let flight = {
            let mut state = self.state();
            let now = self.means.clock.now();
            match &state.current {
                Some(current) if !Arc::ptr_eq(current, stale) && now < current.renew_from => {
                    return Ok(Arc::clone(current));
                }
                _ => {}
            }
            // The stream's first read may have said so already.
            let is_distrusted = state.current.as_ref().is_none_or(|it| it.is_distrusted());
            if state.flight_under_way().is_none() && !is_distrusted && !state.may_force(now) {
                return Ok(Arc::clone(stale));
            }
            state.forget(stale);
            self.join(&mut state, now, deadline)?
        };
        self.land(flight, deadline).await
    }

    /// This session did not work: the next connection gets another.
    pub(crate) fn distrust(&self, stale: &Arc<Session>) {
        let mut state = self.state();
        let now = self.means.clock.now();
        let is_current = state
            .current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, stale));
        if is_current && state.may_force(now) {
            state.forget(stale);
            self.means.google.forget(&self.name);
        }
    }

    /// The refresh that is under way, or a new one.
    fn join(
        self: &Arc<Self>,
        state: &mut State,
        now: SystemTime,
        deadline: Instant,
    ) -> Result<Flight, Error> {
        if let Some(flight) = state.flight_under_way() {
            return Ok(flight);
        }
        if let Some(refusal) = state.refusal_of(now) {
            return Err(refusal);
        }
        if state.current.is_some() {
            self.means.google.forget(&self.name);
        }
        // Ends before its first caller stops waiting, so that who waited hears which step hung.
        let margin = Duration::from_millis(50);
        let own = Instant::now() + self.means.timeout;
        let left = deadline.saturating_duration_since(Instant::now());
        let deadline = if left < self.means.timeout / 2 {
            // Others may join who have more time.
            own
        } else {
            own.min(deadline.checked_sub(margin).unwrap_or(deadline))
        };
        let task = tokio::spawn(Arc::clone(self).refresh(deadline).in_current_span());
        let handle = task.abort_handle();
        let landing = async {
            task.await.unwrap_or_else(|stopped| {
                Err(Error::new(
                    ErrorKind::Unavailable,
                    Step::Settings,
                    "the refresh was stopped, with the runtime that it ran on",
                )
                .caused_by(stopped))
            })
        };
        let flight = Flight {
            landing: landing.boxed().shared(),
            task: handle,
            until: deadline + Duration::from_secs(1),
        };
        state.flight = Some(flight.clone());
        let is_kept_fresh = state
            .background
            .as_ref()
            .is_some_and(|it| !it.is_finished());
        if self.means.mode == Refresh::Background && !is_kept_fresh {
            let background = tokio::spawn(background::keep_fresh(Arc::downgrade(self)));
            state.background = Some(background.abort_handle());
        }
        Ok(flight)
    }

    async fn land(&self, flight: Flight, deadline: Instant) -> Result<Arc<Session>, Error> {
        timeout_at(deadline, flight.landing)
            .await
            .unwrap_or_else(|_late| {
                Err(Error::new(
                    ErrorKind::Timeout,
                    Step::Settings,
                    "settings and certificate did not come in time",
                ))
            })
    }

    #[tracing::instrument(name = "refresh", level = "debug", skip_all, fields(instance = %self.name))]
    async fn refresh(self: Arc<Self>, deadline: Instant) -> Result<Arc<Session>, Error> {
        let started = std::time::Instant::now();
        let fetched = self.fetch(deadline).await;
        let (took, now) = (started.elapsed(), self.means.clock.now());
        let fetched = fetched.map_err(|error| error.about(&self.name.to_string(), took));
        self.means.observer.event(Event::Refreshed {
            instance: &self.name.to_string(),
            took,
            error: fetched.as_ref().err(),
        });
        let mut state = self.state();
        state.flight = None;
        match fetched {
            Ok(session) => {
                state.refusal = None;
                state.current = Some(Arc::clone(&session));
                Ok(session)
            }
            Err(error) => {
                tracing::warn!(%error, "settings and certificate could not be renewed");
                self.means.google.forget(&self.name);
                if let Some(current) = state.current.take().filter(|it| now < it.ends) {
                    // In the background mode it may be a long time before it is due.
                    let from = current.renew_from.max(now + PAUSE).min(current.ends);
                    let paused = Arc::new(current.until(from));
                    state.current = Some(Arc::clone(&paused));
                    return Ok(paused);
                }
                // A quota that is used up is a refusal, too, for as long as Google says.
                let pause = match (error.kind(), error.retry_after()) {
                    (ErrorKind::Quota, Some(asked)) => Some(asked.clamp(REFUSAL, LONGEST_REFUSAL)),
                    (ErrorKind::Quota, None) => Some(REFUSAL),
                    _ if error.is_retryable() => None,
                    _ => Some(REFUSAL),
                };
                state.refusal = pause.map(|pause| (now + pause, error.clone()));
                Err(error)
            }
        }
    }

    /// Both halves at once, or the one that is missing.
    async fn fetch(&self, deadline: Instant) -> Result<Arc<Session>, Error> {
        let now = self.means.clock.now();
        let (settings, certificate) = {
            let mut state = self.state();
            let settings = state.settings.take().filter(|(until, _)| now < *until);
            let certificate = state.certificate.take();
            (
                settings.map(|(_, settings)| settings),
                certificate.filter(|it| now < it.renew_from),
            )
        };
        // The second call goes over the connection of the first, which closes when both are done.
        let _open = self.means.api.hold();
        let settings = async {
            match settings {
                Some(settings) => Ok(settings),
                None => self.fetch_settings(deadline).await,
            }
        };
        let certificate = async {
            match certificate {
                Some(certificate) => Ok(certificate),
                None => self.fetch_certificate(deadline).await,
            }
        };
        let (settings, certificate) = both(settings, certificate).await;
        let failure = match (settings, certificate) {
            (Some(Ok(settings)), Some(Ok(certificate))) => {
                return self.session_of(settings, &certificate);
            }
            (settings, certificate) => {
                let mut state = self.state();
                let now = self.means.clock.now();
                let (settings, no_settings) = halves(settings);
                let (certificate, no_certificate) = halves(certificate);
                state.settings = settings.map(|settings| (now + KEPT, settings));
                state.certificate = certificate;
                no_settings.or(no_certificate)
            }
        };
        Err(failure.unwrap_or_else(|| {
            Error::new(ErrorKind::Protocol, Step::Settings, "neither half failed")
        }))
    }

    #[tracing::instrument(name = "settings", level = "debug", skip_all)]
    pub(crate) async fn fetch_settings(&self, deadline: Instant) -> Result<Arc<Settings>, Error> {
        let answer = self
            .means
            .api
            .connect_settings(&self.name, deadline)
            .await?;
        let now = self.means.clock.now();
        let settings = Settings::read(&self.name, self.domain.as_deref(), &answer, now)?;
        if self.means.login.is_some() {
            settings.check_iam_login()?;
        }
        Ok(Arc::new(settings))
    }

    #[tracing::instrument(name = "certificate", level = "debug", skip_all)]
    pub(crate) async fn fetch_certificate(
        &self,
        deadline: Instant,
    ) -> Result<Arc<Certificate>, Error> {
        let key = async {
            let (key, took) =
                timeout_at(deadline, self.means.key.wait())
                    .await
                    .map_err(|_late| {
                        Error::new(
                            ErrorKind::Timeout,
                            Step::Key,
                            "the client key took too long",
                        )
                    })??;
            tracing::debug!(took_ms = took.as_millis(), "the client key is there");
            Ok::<_, Error>(key)
        };
        let login = async {
            let Some(login) = &self.means.login else {
                return Ok(None);
            };
            let token = timeout_at(deadline, login.token(&[LOGIN_SCOPE])).await;
            let token = token.map_err(|_late| {
                Error::new(
                    ErrorKind::Timeout,
                    Step::Token,
                    "the login token did not come in time",
                )
            })?;
            token.map(Some).map_err(Error::from)
        };
        let (key, login) = tokio::try_join!(key, login)?;
        let api = &self.means.api;
        let pem = api
            .ephemeral_certificate(&self.name, &key.public_pem, login.as_ref(), deadline)
            .await?;
        let failed = |what: &str| Error::new(ErrorKind::Protocol, Step::Certificate, what);
        let der = pem::certificates(&pem)
            .map_err(|error| failed("the certificate is not PEM").caused_by(error.to_string()))?
            .into_iter()
            .next()
            .ok_or_else(|| failed("the answer holds no certificate"))?;
        let ends = not_after(&der).ok_or_else(|| failed("the certificate cannot be read"))?;
        let ends = login.map_or(ends, |token| ends.min(token.expires_at()));
        let now = self.means.clock.now();
        if ends <= now {
            return Err(failed("the certificate that was issued has ended already")
                .remedy("check this machine's clock"));
        }
        Ok(Arc::new(Certificate {
            der,
            key,
            ends,
            renew_from: renew_from(now, ends),
        }))
    }

    pub(crate) fn session_of(
        &self,
        settings: Arc<Settings>,
        certificate: &Certificate,
    ) -> Result<Arc<Session>, Error> {
        let own = CertifiedKey::new(
            vec![certificate.der.clone()],
            Arc::clone(&certificate.key) as Arc<dyn rustls::sign::SigningKey>,
        );
        let tls = tls::client_config(&self.means.provider, &settings.identity, Arc::new(own));
        let tls = tls.map_err(|error| {
            Error::new(
                ErrorKind::Configuration,
                Step::Tls,
                "the cryptography provider cannot do TLS 1.3",
            )
            .caused_by(error)
        })?;
        Ok(Arc::new(Session {
            settings,
            tls: Arc::new(tls),
            ends: certificate.ends,
            renew_from: certificate.renew_from,
        }))
    }
}

/// Waits for two, but not for the other when one is refused for good: whoever has to do something
/// about that hears it now. A refresh that nothing can come of any more is not gone on with.
async fn both<A, B>(
    one: impl Future<Output = Result<A, Error>>,
    other: impl Future<Output = Result<B, Error>>,
) -> (Option<Result<A, Error>>, Option<Result<B, Error>>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    // What is there already goes first, so that it is kept.
    tokio::select! {
        biased;
        done = &mut one => match done {
            Err(error) if !error.is_retryable() => {
                let there = other.now_or_never();
                (Some(Err(error)), there)
            }
            done => (Some(done), Some(other.await)),
        },
        done = &mut other => match done {
            Err(error) if !error.is_retryable() => (None, Some(Err(error))),
            done => (Some(one.await), Some(done)),
        },
    }
}

fn halves<T>(done: Option<Result<T, Error>>) -> (Option<T>, Option<Error>) {
    match done {
        Some(Ok(done)) => (Some(done), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    }
}
