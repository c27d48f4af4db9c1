//! Which instance a target leads to, and what happens when a DNS name comes to lead elsewhere.

use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

use crate::{
    connector::{Inner, Refreshers},
    dns::{self, Resolver},
    error::{Error, ErrorKind, Step},
    instance::{InstanceName, Target},
    refresh::Refresher,
    stream::Stream,
};

impl Inner {
    /// A tunnel that was being opened while its DNS name came to lead elsewhere was not cut.
    pub(crate) fn still_there(&self, target: &Target, stream: Stream) -> Result<Stream, Error> {
        match target {
            Target::Domain(domain) if self.domain(domain).as_ref() != Some(stream.instance()) => {
                stream.discard();
                Err(Error::new(
                    ErrorKind::Unavailable,
                    Step::Dns,
                    format!("{domain} came to lead to another instance meanwhile"),
                ))
            }
            _ => Ok(stream),
        }
    }

    /// Who keeps the session of the instance that a target leads to now.
    pub(crate) async fn refresher(
        self: &Arc<Self>,
        target: &Target,
        deadline: Instant,
    ) -> Result<Arc<Refresher>, Error> {
        let (name, domain) = match target {
            Target::Instance(name) => (name.clone(), None),
            Target::Domain(domain) => (self.resolve(domain, deadline).await?, Some(domain.clone())),
        };
        let mut refreshers = self.refreshers();
        let key = (name.clone(), domain.clone());
        let refresher = refreshers
            .entry(key)
            .or_insert_with(|| Refresher::new(name, domain, Arc::clone(&self.means)));
        Ok(Arc::clone(refresher))
    }

    /// Asks where a DNS name leads, and cuts what is open when it leads elsewhere than before. When
    /// it cannot be asked, the last answer holds.
    pub(crate) async fn resolve(
        self: &Arc<Self>,
        domain: &str,
        deadline: Instant,
    ) -> Result<InstanceName, Error> {
        let known = self.domain(domain);
        let resolver = self.resolver()?;
        let began = Instant::now();
        // Where there is an answer to fall back on, time is left to use it.
        let deadline = match &known {
            Some(_) => deadline.min(began + Duration::from_secs(5)),
            None => deadline,
        };
        let asked = timeout_at(
            deadline,
            dns::instance_behind(domain, &*resolver, &self.means.google, deadline),
        );
        let answer = asked.await.unwrap_or_else(|_late| {
            Err(Error::new(
                ErrorKind::Timeout,
                Step::Dns,
                format!("where {domain} leads was not answered in time"),
            ))
        });
        match (answer, known) {
            (Ok(name), _) => Ok(self.learned(domain, name, began)),
            (Err(error), Some(known)) if error.is_retryable() => {
                tracing::warn!(%error, "the instance that {domain} led to is used");
                Ok(known)
            }
            (Err(error), _) => Err(error),
        }
    }

    pub(crate) fn resolver(&self) -> Result<Arc<dyn Resolver>, Error> {
        match &self.resolver {
            Some(resolver) => Ok(Arc::clone(resolver)),
            None => dns::system_resolver(),
        }
    }

    fn domain(&self, domain: &str) -> Option<InstanceName> {
        let domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        domains.get(domain).map(|(name, _asked)| name.clone())
    }

    /// Notes where a DNS name leads, as it was answered to a question of this time; gives where it
    /// leads by the latest question. What is open to another instance by this name is cut.
    fn learned(self: &Arc<Self>, domain: &str, name: InstanceName, asked: Instant) -> InstanceName {
        let former = {
            let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
            match domains.get(domain) {
                Some((newer, at)) if asked < *at => return newer.clone(),
                _ => domains.insert(domain.to_owned(), (name.clone(), asked)),
            }
        };
        match former {
            None => self.watch(domain),
            Some((former, _)) if former != name => {
                let mut refreshers = self.refreshers();
                refreshers.remove(&(former.clone(), Some(domain.to_owned())));
                let cut = self.registry.cut(Some((domain, &name)));
                tracing::info!(from = %former, to = %name, cut, "{domain} leads to another instance");
            }
            Some(_) => {}
        }
        name
    }

    pub(crate) fn refreshers(&self) -> MutexGuard<'_, Refreshers> {
        self.refreshers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks from time to time where a DNS name leads, if that was asked for.
    fn watch(self: &Arc<Self>, domain: &str) {
        let Some(period) = self.failover_period.filter(|period| !period.is_zero()) else {
            return;
        };
        let (weak, domain) = (Arc::downgrade(self), domain.to_owned());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(period).await;
                let Some(connector) = weak.upgrade() else {
                    return;
                };
                if connector.registry.is_closed() {
                    return;
                }
                let deadline = Instant::now() + connector.means.timeout;
                if let Err(error) = connector.resolve(&domain, deadline).await {
                    tracing::warn!(%error, "where {domain} leads could not be asked");
                }
            }
        });
    }
}
