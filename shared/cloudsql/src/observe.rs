//! What a connector does, for whoever counts it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::error::Error;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A connection was asked for, and is open or could not be opened.
    #[non_exhaustive]
    Dialed {
        /// As the caller named it.
        instance: &'a str,
        /// From the call to its end.
        took: Duration,
        /// Why there is no connection.
        error: Option<&'a Error>,
    },
    /// Settings and certificate of an instance were fetched, or could not be.
    #[non_exhaustive]
    Refreshed {
        /// `project:region:instance`.
        instance: &'a str,
        /// From the start of the refresh to its end.
        took: Duration,
        /// Why there is nothing new.
        error: Option<&'a Error>,
    },
    /// A connection came to its end.
    #[non_exhaustive]
    Closed {
        /// `project:region:instance`.
        instance: &'a str,
        /// Bytes that came from the server, without TLS.
        received: u64,
        /// Bytes that went to the server, without TLS.
        sent: u64,
    },
}

/// Gets told what happens. It is called on the way of a connection: it must not block.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn event(&self, event: Event<'_>);

    /// So many bytes came from a server, and so many went to one, without TLS. This is called at each
    /// read and write of every connection: it must do next to nothing.
    fn moved(&self, _received: u64, _sent: u64) {}
}

/// Counts what happens; read it with [`Counters::snapshot`].
///
/// ```
/// # fn example() -> Result<(), cloudsql_connector::Error> {
/// use std::sync::Arc;
/// use cloudsql_connector::{Connector, Counters};
///
/// let counters = Arc::new(Counters::default());
/// let connector = Connector::builder().observer(counters.clone()).build()?;
/// println!("{} connections are open", counters.snapshot().open);
/// # drop(connector); Ok(()) }
/// ```
#[derive(Debug, Default)]
pub struct Counters {
    dials: AtomicU64,
    dial_failures: AtomicU64,
    refreshes: AtomicU64,
    refresh_failures: AtomicU64,
    closed: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

/// The counts of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Connections asked for.
    pub dials: u64,
    /// Of those, the ones that could not be opened.
    pub dial_failures: u64,
    /// Refreshes that brought settings and a certificate.
    pub refreshes: u64,
    /// Refreshes that did not.
    pub refresh_failures: u64,
    /// Connections that are open now.
    pub open: u64,
    /// Bytes from servers, those of open connections included.
    pub received: u64,
    /// Bytes to servers, those of open connections included.
    pub sent: u64,
}

impl Counters {
    /// The counts now.
    pub fn snapshot(&self) -> Snapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (dials, dial_failures) = (read(&self.dials), read(&self.dial_failures));
        Snapshot {
            dials,
            dial_failures,
            refreshes: read(&self.refreshes),
            refresh_failures: read(&self.refresh_failures),
            open: dials
                .saturating_sub(dial_failures)
                .saturating_sub(read(&self.closed)),
            received: read(&self.received),
            sent: read(&self.sent),
        }
    }
}

impl Observer for Counters {
    fn event(&self, event: Event<'_>) {
        let add = |counter: &AtomicU64, more: u64| {
            counter.fetch_add(more, Ordering::Relaxed);
        };
        match event {
            Event::Dialed { error, .. } => {
                add(&self.dials, 1);
                add(&self.dial_failures, error.is_some().into());
            }
            Event::Refreshed { error: None, .. } => add(&self.refreshes, 1),
            Event::Refreshed { error: Some(_), .. } => add(&self.refresh_failures, 1),
            Event::Closed { .. } => add(&self.closed, 1),
        }
    }

    fn moved(&self, received: u64, sent: u64) {
        for (counter, more) in [(&self.received, received), (&self.sent, sent)] {
            if more > 0 {
                counter.fetch_add(more, Ordering::Relaxed);
            }
        }
    }
}

/// Nobody watches.
pub(crate) struct Nobody;

impl Observer for Nobody {
    fn event(&self, _: Event<'_>) {}
}

impl<T: Observer + ?Sized> Observer for std::sync::Arc<T> {
    fn event(&self, event: Event<'_>) {
        (**self).event(event);
    }

    fn moved(&self, received: u64, sent: u64) {
        (**self).moved(received, sent);
    }
}
