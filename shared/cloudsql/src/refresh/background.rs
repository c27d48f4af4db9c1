//! Renewal ahead of time, by the schedule of Google's own connectors.

use std::{sync::Weak, time::Duration};

use tokio::time::Instant;

use super::{Refresher, session::EARLY};

/// Renews ahead of time until the refresher is gone.
pub(super) async fn keep_fresh(refresher: Weak<Refresher>) {
    // As Google's connectors: two at once, then one each half minute.
    let every = Duration::from_secs(30);
    let mut last = None::<Instant>;
    let mut spare = 2_u32;
    loop {
        let Some(pause) = refresher.upgrade().map(|it| it.until_next_refresh()) else {
            return;
        };
        let pause = match last {
            Some(last) if spare == 0 => {
                pause.max((last + every).saturating_duration_since(Instant::now()))
            }
            _ => pause,
        };
        tokio::time::sleep(pause).await;
        let Some(refresher) = refresher.upgrade() else {
            return;
        };
        let since = last.map_or(every, |last| last.elapsed());
        let earned = u32::try_from(since.as_secs() / every.as_secs()).unwrap_or(2);
        spare = (spare + earned).min(2).saturating_sub(1);
        last = Some(Instant::now());
        let deadline = Instant::now() + refresher.means.timeout;
        let flight = {
            let mut state = refresher.state();
            let now = refresher.means.clock.now();
            refresher.join(&mut state, now, deadline)
        };
        let outcome = match flight {
            Ok(flight) => refresher.land(flight, deadline).await,
            Err(refused) => Err(refused),
        };
        if outcome.is_err_and(|error| !error.is_retryable()) {
            // Asking on does not help; the next connection asks again, and starts this task again.
            refresher.state().background = None;
            return;
        }
    }
}

impl Refresher {
    /// The schedule of Google's connectors: half of what is left; four minutes before the end when
    /// that is less than an hour away; now when it is less than those four minutes.
    fn until_next_refresh(&self) -> Duration {
        let now = self.means.clock.now();
        let state = self.state();
        if state.flight_under_way().is_some() {
            return Duration::from_millis(500);
        }
        let left = state
            .current
            .as_ref()
            .and_then(|current| current.ends.duration_since(now).ok())
            .unwrap_or_default();
        match left {
            left if left >= Duration::from_hours(1) => left / 2,
            left => left.saturating_sub(EARLY),
        }
    }
}
