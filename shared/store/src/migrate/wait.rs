//! Waiting with a limit: every wait of the engine ends at a deadline, or at once when the process
//! is asked to stop, and pauses are jittered so that several runners do not knock in step.

use std::time::{Duration, Instant};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use tokio::sync::watch;

/// Says when the process was asked to stop; true means stop.
pub type Stop = watch::Receiver<bool>;

/// One wait with a time limit.
pub(super) struct Wait {
    started: Instant,
    limit: Duration,
    stop: Stop,
}

/// Why a wait ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Expired,
    Stopped,
}

impl Wait {
    pub(super) fn new(limit: Duration, stop: &Stop) -> Self {
        Self {
            started: Instant::now(),
            limit,
            stop: stop.clone(),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.elapsed())
    }

    /// Sleeps half to one and a half times `base`, no longer than the limit allows.
    pub(super) async fn pause(&mut self, base: Duration) -> Result<(), Ended> {
        let remaining = self.remaining();
        if remaining.is_zero() {
            return Err(Ended::Expired);
        }
        let asked_to_stop = async {
            // A sender that is gone can no longer ask.
            if self.stop.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = asked_to_stop => Err(Ended::Stopped),
            () = tokio::time::sleep(jittered(base).min(remaining)) => Ok(()),
        }
    }
}

/// Between half and one and a half times `base`.
fn jittered(base: Duration) -> Duration {
    let mut byte = [128_u8];
    // Without randomness the pause is merely regular.
    if SystemRandom::new().fill(&mut byte).is_err() {
        return base;
    }
    let [byte] = byte;
    base.mul_f64(0.5 + f64::from(byte) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_ends_at_its_limit_or_when_asked_to_stop() {
        let (ask, stop) = watch::channel(false);
        let mut short = Wait::new(Duration::from_millis(20), &stop);
        assert_eq!(short.pause(Duration::from_mins(1)).await, Ok(()));
        assert_eq!(
            short.pause(Duration::from_mins(1)).await,
            Err(Ended::Expired)
        );

        let mut long = Wait::new(Duration::from_mins(1), &stop);
        ask.send(true).unwrap();
        assert_eq!(
            long.pause(Duration::from_mins(1)).await,
            Err(Ended::Stopped)
        );
        assert!(long.elapsed() < Duration::from_secs(10));
    }
}
