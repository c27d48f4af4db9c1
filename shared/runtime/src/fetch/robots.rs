//! The robots.txt files of the sites that were asked lately.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nova_web::{MAX_ROBOTS_BYTES, Robots, WebUrl};
use tokio::time::Instant;

use super::{
    client::{Fetcher, PRODUCT},
    error::{FetchError, Wait},
    limits::Limits,
    request::{ContentTypes, FetchRequest, Initiative},
    response::Fetched,
};

/// How long a file is believed; RFC 9309 allows a day.
const KEPT: Duration = Duration::from_hours(1);
/// When a site that could not say is asked again.
const KEPT_WITHOUT: Duration = Duration::from_mins(1);
/// More files are not kept, and none with rules of more bytes: that bounds them all to 16 MiB.
const FILES: usize = 256;
const LARGEST: usize = 64 << 10;

/// What is known of each origin.
#[derive(Debug, Default)]
pub(super) struct RobotsFiles(Mutex<HashMap<String, Arc<Slot>>>);

/// One file; whoever holds the lock fetches it, the others wait for that.
type Slot = tokio::sync::Mutex<Option<Known>>;

#[derive(Clone, Debug)]
struct Known {
    until: Instant,
    /// `None`: it cannot be had at the moment.
    rules: Option<Arc<Robots>>,
}

impl RobotsFiles {
    fn slot(&self, url: &str) -> Arc<Slot> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = files.get(url) {
            return Arc::clone(slot);
        }
        if files.len() >= FILES {
            let now = Instant::now();
            files.retain(|_, slot| is_kept(slot, now));
        }
        if files.len() >= FILES {
            files.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        let slot = Arc::<Slot>::default();
        files.insert(url.to_owned(), Arc::clone(&slot));
        slot
    }
}

fn is_kept(slot: &Arc<Slot>, now: Instant) -> bool {
    slot.try_lock().map_or(true, |known| {
        known.as_ref().is_some_and(|it| it.until > now)
    })
}

impl Fetcher {
    /// The rules for a URL, from the site or from memory.
    pub(super) async fn rules(&self, url: &WebUrl) -> Result<Arc<Robots>, FetchError> {
        let file = url.robots();
        let slot = self.robots().slot(file.as_str());
        let mut known = slot.lock().await;
        let fresh = known.as_ref().filter(|it| it.until > Instant::now());
        let rules = if let Some(known) = fresh {
            known.rules.clone()
        } else {
            let rules = self.read_rules(&file).await?.map(Arc::new);
            let keep = if rules.is_some() { KEPT } else { KEPT_WITHOUT };
            let is_small = rules.as_ref().is_none_or(|it| it.size_bytes() <= LARGEST);
            *known = is_small.then(|| Known {
                until: Instant::now() + keep,
                rules: rules.clone(),
            });
            rules
        };
        rules.ok_or_else(|| FetchError::RobotsUnavailable {
            host: url.host_str().to_owned(),
        })
    }

    /// Asks the site. `None`: it has rules, or may have, and cannot say them.
    async fn read_rules(&self, file: &WebUrl) -> Result<Option<Robots>, FetchError> {
        let request = FetchRequest::new(file.as_str(), Initiative::User)
            .content_types(ContentTypes::Any)
            .limits(Limits {
                // What is behind the part that counts is not read.
                bytes: u64::MAX,
                total: Duration::from_secs(10),
                ..Limits::default()
            });
        match self.fetch(&request).await {
            Ok(Fetched::Document(document)) => {
                let mut body = document.into_body();
                let mut text = Vec::new();
                while text.len() < MAX_ROBOTS_BYTES {
                    match body.chunk().await {
                        Ok(Some(piece)) => text.extend_from_slice(&piece),
                        Ok(None) => break,
                        Err(_cut) => return Ok(None),
                    }
                }
                Ok(Some(Robots::parse(&text, PRODUCT)))
            }
            // RFC 9309, 2.3.1.2 and 2.3.1.3: a site that has none allows everything.
            Err(FetchError::Status { status, .. }) if status.is_client_error() => {
                Ok(Some(Robots::default()))
            }
            Err(FetchError::BlockedBySite { .. } | FetchError::TooManyRedirects { .. }) => {
                Ok(Some(Robots::default()))
            }
            // The page itself would fail by the same, and that says more.
            Err(
                error @ (FetchError::Refused(_)
                | FetchError::Dns { .. }
                | FetchError::Unreachable { .. }
                | FetchError::Tls { .. }
                | FetchError::RateLimited { .. }
                | FetchError::Busy { .. }
                | FetchError::Timeout {
                    wait: Wait::Name | Wait::Connection,
                    ..
                }),
            ) => Err(error),
            Ok(Fetched::NotModified) | Err(_) => Ok(None),
        }
    }
}
