//! How much a site may send, and how long it may take.

use std::time::Duration;

use tokio::time::Instant;

use super::error::{FetchError, Wait};

/// Limits of one fetch, redirects included.
///
/// ```
/// use nova_runtime::fetch::Limits;
///
/// let pdf = Limits::of_bytes(50 << 20);
/// assert_eq!(pdf.total, Limits::default().total);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest body, on the wire and again when unpacked.
    pub bytes: u64,
    /// From the request to the last byte of the header.
    pub first_byte: Duration,
    /// Between two pieces of the body.
    pub idle: Duration,
    /// From the first connection to the last byte, without the time that politeness costs.
    pub total: Duration,
}

impl Limits {
    /// The default limits with a size of one's own.
    #[must_use]
    pub fn of_bytes(bytes: u64) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }
}

impl Default for Limits {
    /// 10 MiB within 30 seconds, for a page. A PDF or an archive deserves more.
    fn default() -> Self {
        Self {
            bytes: 10 << 20,
            first_byte: Duration::from_secs(15),
            idle: Duration::from_secs(10),
            total: Duration::from_secs(30),
        }
    }
}

/// How long a name may take to resolve.
pub(super) const RESOLVE: Duration = Duration::from_secs(5);
/// How long one address may take to accept, and then TLS to be agreed on.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// The largest header of a response. Browsers stop at 256 KiB; cookies fill most of real ones.
pub(super) const HEADER_BYTES: usize = 64 << 10;
/// Chains of more than three are rare, and most longer ones are loops.
pub(super) const REDIRECTS: usize = 5;
/// A body that unpacks to more than this many times its size is made to do so: text reaches 20,
/// a page of equal rows 100, DEFLATE itself 1032.
pub(super) const RATIO: u64 = 200;
/// Below this, unpacked, any ratio is harmless.
pub(super) const RATIO_FREE_BYTES: u64 = 1 << 20;
/// Who is slower than this only wants to keep the connection.
pub(super) const BYTES_PER_SECOND: u64 = 1 << 10;
/// From when on the rate counts.
pub(super) const RATE_FREE: Duration = Duration::from_secs(10);

/// When a fetch is over, whatever it does then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn after(total: Duration) -> Self {
        Self(Instant::now() + total)
    }

    /// Time that was spent on waiting for a turn is not the site's.
    pub(super) fn postpone(&mut self, waited: Duration) {
        self.0 += waited;
    }

    /// Waits for `what`, no longer than `limit` and no longer than there is time at all.
    pub(super) async fn wait<T>(
        self,
        host: &str,
        wait: Wait,
        limit: Duration,
        what: impl Future<Output = T>,
    ) -> Result<T, FetchError> {
        let own = Instant::now() + limit;
        let (until, wait) = if own < self.0 {
            (own, wait)
        } else {
            (self.0, Wait::Total)
        };
        tokio::time::timeout_at(until, what)
            .await
            .map_err(|_elapsed| FetchError::Timeout {
                host: host.to_owned(),
                wait,
            })
    }
}
