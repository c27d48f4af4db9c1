//! How many requests a site gets, and how fast.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::StatusCode;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::error::FetchError;

/// How a site is treated, by all users of this process together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Politeness {
    /// How many requests of one site are open at once.
    pub at_once: usize,
    /// From one request to the next; a `Crawl-delay` that is longer counts instead.
    pub pause: Duration,
    /// How long a fetch waits for its turn.
    pub patience: Duration,
}

impl Default for Politeness {
    /// Two at once and four a second, as a browser with two tabs.
    fn default() -> Self {
        Self {
            at_once: 2,
            pause: Duration::from_millis(250),
            patience: Duration::from_mins(1),
        }
    }
}

/// A `Retry-After` is kept no longer than this: the site, or somebody in its name, may say a year.
const LONGEST_REST: Duration = Duration::from_mins(5);

/// More sites than these are not remembered, but for those that are being asked.
const REMEMBERED: usize = 1024;

/// What is known of the sites that were asked lately.
#[derive(Debug)]
pub(super) struct Sites {
    politeness: Politeness,
    sites: Mutex<HashMap<String, Arc<Site>>>,
}

/// One host.
#[derive(Debug)]
pub(super) struct Site {
    host: String,
    politeness: Politeness,
    slots: Arc<Semaphore>,
    times: Mutex<Times>,
}

#[derive(Debug)]
struct Times {
    /// When the next request may be sent.
    next: Instant,
    /// Until when it wants to be left alone, and what it said.
    rests: Option<(Instant, StatusCode)>,
}

/// The right to ask a site; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn(#[expect(dead_code, reason = "dropped with the turn")] OwnedSemaphorePermit);

impl Sites {
    pub(super) fn new(politeness: Politeness) -> Self {
        Self {
            politeness,
            sites: Mutex::default(),
        }
    }

    pub(super) fn site(&self, host: &str) -> Arc<Site> {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(site) = sites.get(host) {
            return Arc::clone(site);
        }
        if sites.len() >= REMEMBERED {
            let now = Instant::now();
            sites.retain(|_, site| Arc::strong_count(site) > 1 || site.is_waited_for(now));
        }
        let site = Arc::new(Site {
            host: host.to_owned(),
            politeness: self.politeness,
            slots: Arc::new(Semaphore::new(self.politeness.at_once.max(1))),
            times: Mutex::new(Times {
                next: Instant::now(),
                rests: None,
            }),
        });
        sites.insert(host.to_owned(), Arc::clone(&site));
        site
    }
}

impl Site {
    /// Waits until the site may be asked again.
    pub(super) async fn turn(&self, crawl_delay: Option<Duration>) -> Result<Turn, FetchError> {
        self.is_open()?;
        let busy = || FetchError::Busy {
            host: self.host.clone(),
        };
        let until = Instant::now() + self.politeness.patience;
        let slot = tokio::time::timeout_at(until, Arc::clone(&self.slots).acquire_owned())
            .await
            .map_err(|_elapsed| busy())?
            .map_err(|_never_closed| busy())?;
        let pause = self.politeness.pause.max(crawl_delay.unwrap_or_default());
        let start = {
            let mut times = self.times();
            let start = times.next.max(Instant::now());
            if start > until {
                return Err(busy());
            }
            times.next = start + pause;
            start
        };
        tokio::time::sleep_until(start).await;
        // Whoever was before us may have been told to stop.
        self.is_open()?;
        Ok(Turn(slot))
    }

    /// The site asks to be left alone.
    pub(super) fn rest(&self, status: StatusCode, retry_after: Duration) {
        let until = Instant::now() + retry_after.min(LONGEST_REST);
        let mut times = self.times();
        if times.rests.is_none_or(|(before, _)| before < until) {
            times.rests = Some((until, status));
        }
    }

    fn is_open(&self) -> Result<(), FetchError> {
        match self.times().rests {
            Some((until, status)) if until > Instant::now() => Err(FetchError::RateLimited {
                host: self.host.clone(),
                status,
                retry_after: Some(until - Instant::now()),
            }),
            _ => Ok(()),
        }
    }

    fn is_waited_for(&self, now: Instant) -> bool {
        let times = self.times();
        times.next > now || times.rests.is_some_and(|(until, _)| until > now)
    }

    fn times(&self) -> std::sync::MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
