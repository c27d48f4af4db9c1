//! Trying again: what may pass, and how long to wait for it.

use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Response, StatusCode};
use nova_runtime::http_client::HttpError;
use nova_runtime::log::causes;
use tokio::time::Instant;

use crate::client::{FIRST_BACKOFF, LONGEST_BACKOFF};
use crate::{BoxError, Error};

/// Why an attempt did not bring what was wanted.
pub(crate) struct Failure {
    pub(crate) error: Error,
    retry_after: Option<Duration>,
}

impl Failure {
    pub(crate) fn of_answer(response: &Response<Bytes>, object: &str) -> Self {
        let status = response.status();
        let seconds = response.headers().get(RETRY_AFTER);
        Self {
            error: Error::from_status(object, status.as_u16(), said(status, response.body())),
            // The other form, a date, is not used by Cloud Storage.
            retry_after: seconds
                .and_then(|seconds| seconds.to_str().ok()?.parse().ok())
                .map(Duration::from_secs),
        }
    }

    pub(crate) fn of_exchange(error: HttpError) -> Self {
        Self {
            error: if error.is_retryable() {
                Error::Unavailable(error.into())
            } else {
                Error::Other(error.into())
            },
            retry_after: None,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            retry_after: None,
        }
    }
}

/// Growing pauses between attempts: full jitter, so that a herd that failed together does not come back together.
pub(crate) struct Pauses {
    budget: Duration,
    end: Instant,
    next: Duration,
}

impl Pauses {
    pub(crate) fn within(budget: Duration) -> Self {
        Self {
            budget,
            end: Instant::now() + budget,
            next: FIRST_BACKOFF,
        }
    }

    pub(crate) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Begins anew, because something worked.
    pub(crate) fn reset(&mut self) {
        self.end = Instant::now() + self.budget;
        self.next = FIRST_BACKOFF;
    }

    /// Waits, or gives the failure back when there is no time to wait and try again.
    pub(crate) async fn pause(&mut self, failure: Failure) -> Result<(), Error> {
        let pause = self.next.mul_f64(random_share());
        let pause = failure.retry_after.map_or(pause, |asked| asked + pause);
        self.next = (self.next * 2).min(LONGEST_BACKOFF);
        if pause >= self.left() {
            return Err(failure.error);
        }
        tracing::debug!(
            error = causes(&failure.error),
            ?pause,
            "retrying a storage request"
        );
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// Between 0 and 1.
fn random_share() -> f64 {
    let mut bytes = [0; 4];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        // Without randomness the whole pause.
        Err(_) => 1.0,
    }
}

/// What an error answer says, for the log.
fn said(status: StatusCode, body: &[u8]) -> BoxError {
    let text = String::from_utf8_lossy(body);
    let text: String = text.chars().take(500).collect();
    format!("{status}: {text}").into()
}
