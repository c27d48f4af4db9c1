//! What is known of one instance between its refreshes, and the refresh that is under way.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::future::{BoxFuture, Shared};
use tokio::time::Instant;

use super::session::{Certificate, Session};
use crate::{error::Error, settings::Settings};

/// Refreshes that connections ask for because the one they have does not work: so many at once,
/// and one more each time this long has passed.
const FORCED: (u32, Duration) = (3, Duration::from_secs(10));

/// A quota that is used up is not asked for again for this long, whatever Google says.
pub(super) const LONGEST_REFUSAL: Duration = Duration::from_mins(1);

type Landing = Shared<BoxFuture<'static, Result<Arc<Session>, Error>>>;

/// A refresh that is under way.
#[derive(Clone)]
pub(super) struct Flight {
    pub(super) landing: Landing,
    pub(super) task: tokio::task::AbortHandle,
    /// Later than this it is lost, with a runtime that nobody drives any more.
    pub(super) until: Instant,
}

/// What a refresher knows.
#[derive(Default)]
pub(super) struct State {
    pub(super) current: Option<Arc<Session>>,
    pub(super) flight: Option<Flight>,
    pub(super) refusal: Option<(SystemTime, Error)>,
    pub(super) settings: Option<(SystemTime, Arc<Settings>)>,
    pub(super) certificate: Option<Arc<Certificate>>,
    forced: Vec<SystemTime>,
    pub(super) background: Option<tokio::task::AbortHandle>,
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(background) = &self.background {
            background.abort();
        }
    }
}

impl State {
    /// A flight whose runtime has ended would never land.
    pub(super) fn flight_under_way(&self) -> Option<Flight> {
        let flight = self.flight.clone()?;
        let is_alive = !flight.task.is_finished() && Instant::now() < flight.until;
        (is_alive && flight.landing.peek().is_none()).then_some(flight)
    }

    /// A refusal that is remembered. A clock that was set back does not prolong it.
    pub(super) fn refusal_of(&self, now: SystemTime) -> Option<Error> {
        let (until, refusal) = self.refusal.as_ref()?;
        let left = until.duration_since(now).unwrap_or_default();
        let stands = !left.is_zero() && left <= LONGEST_REFUSAL;
        stands.then(|| refusal.clone())
    }

    /// So many refreshes, and no more, are made because a connection did not work: an instance that
    /// is down must not use up the quota for all.
    pub(super) fn may_force(&mut self, now: SystemTime) -> bool {
        let (most, every) = FORCED;
        let window = every * most;
        self.forced
            .retain(|at| now.duration_since(*at).is_ok_and(|ago| ago < window));
        let may = self.forced.len() < most as usize;
        if may {
            self.forced.push(now);
        }
        may
    }

    /// Asks for another session from now on. The old one stays for the case that none can be had.
    pub(super) fn forget(&mut self, stale: &Arc<Session>) {
        if let Some(current) = self.current.as_ref().filter(|it| Arc::ptr_eq(it, stale)) {
            self.current = Some(Arc::new(current.distrusted()));
        }
        self.settings = None;
        self.certificate = None;
    }
}
