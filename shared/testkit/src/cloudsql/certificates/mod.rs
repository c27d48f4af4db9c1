//! Who signs what: the certificate authorities of instances, and what they issue.

mod authority;
mod client;
mod server;
mod version_one;

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(super) use authority::{Authority, Regions};
pub(super) use client::{Issued, Origin, public_key};
pub(super) use server::{Names, Trust};
pub use server::{Shape, WrongCertificate};

/// Which kind of certificate authority stands behind an instance's server certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CaMode {
    /// `GOOGLE_MANAGED_INTERNAL_CA`: one for each instance; the subject's common name tells which.
    #[default]
    Internal,
    /// `GOOGLE_MANAGED_CAS_CA`: one for all instances of a region; only the DNS name tells which.
    Cas,
    /// `CUSTOMER_MANAGED_CAS_CA`: as `Cas`, with a root and names of the customer's.
    CustomerCas,
}

impl CaMode {
    /// Its name in the Admin API.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Internal => "GOOGLE_MANAGED_INTERNAL_CA",
            Self::Cas => "GOOGLE_MANAGED_CAS_CA",
            Self::CustomerCas => "CUSTOMER_MANAGED_CAS_CA",
        }
    }
}

/// From when to when something is valid; certificates know no fractions of seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validity {
    pub(super) from: OffsetDateTime,
    pub(super) until: OffsetDateTime,
}

impl Validity {
    /// From a minute ago, for clocks that are behind.
    pub(super) fn of(lifetime: Duration) -> Self {
        let now = SystemTime::now();
        Self {
            from: OffsetDateTime::from(now - Duration::from_mins(1)),
            until: OffsetDateTime::from(now + lifetime),
        }
    }

    /// Over since yesterday.
    pub(super) fn past() -> Self {
        let now = SystemTime::now();
        Self {
            from: OffsetDateTime::from(now - Duration::from_hours(48)),
            until: OffsetDateTime::from(now - Duration::from_hours(24)),
        }
    }

    /// Longer than any test.
    pub(super) fn long() -> Self {
        Self::of(Duration::from_hours(24 * 3650))
    }
}

/// A time as Google's APIs write it.
pub(super) fn rfc3339(time: impl Into<OffsetDateTime>) -> String {
    let whole_second = time.into().replace_nanosecond(0);
    // A year that is not of four digits is the only reason to fail.
    whole_second
        .ok()
        .and_then(|it| it.format(&Rfc3339).ok())
        .unwrap_or_default()
}
