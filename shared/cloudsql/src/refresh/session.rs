//! What a connection is opened with, and for how long it is good.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{ClientConfig, pki_types::CertificateDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::{key::ClientKey, settings::Settings};

/// How long before their end settings and certificate are renewed.
pub(super) const EARLY: Duration = Duration::from_mins(4);

/// What a connection is opened with.
pub(crate) struct Session {
    pub(crate) settings: Arc<Settings>,
    pub(crate) tls: Arc<ClientConfig>,
    /// The earlier of the certificate's end and the login token's.
    pub(crate) ends: SystemTime,
    pub(super) renew_from: SystemTime,
}

impl Session {
    /// The same, to be renewed from another time on.
    pub(super) fn until(&self, renew_from: SystemTime) -> Self {
        Self {
            settings: Arc::clone(&self.settings),
            tls: Arc::clone(&self.tls),
            ends: self.ends,
            renew_from,
        }
    }

    /// The same, to be used only where no other can be had.
    pub(super) fn distrusted(&self) -> Self {
        self.until(SystemTime::UNIX_EPOCH)
    }

    pub(super) fn is_distrusted(&self) -> bool {
        self.renew_from == SystemTime::UNIX_EPOCH
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Session(until {:?})", self.ends)
    }
}

/// The half that proves who we are.
pub(crate) struct Certificate {
    pub(super) der: CertificateDer<'static>,
    pub(super) key: Arc<ClientKey>,
    pub(crate) ends: SystemTime,
    pub(super) renew_from: SystemTime,
}

/// Four minutes before the end; for what was issued for less than eight, at half of its life, so
/// that a short one is used and not asked for again and again.
pub(super) fn renew_from(now: SystemTime, ends: SystemTime) -> SystemTime {
    let life = ends.duration_since(now).unwrap_or_default();
    let early = EARLY.min(life / 2);
    ends.checked_sub(early).unwrap_or(ends)
}

pub(super) fn not_after(der: &CertificateDer<'_>) -> Option<SystemTime> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let seconds = certificate.validity().not_after.timestamp();
    let seconds = u64::try_from(seconds).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
