//! The connector: from the name of an instance to an open connection.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    builder::ConnectorBuilder,
    dial::closed,
    dns::Resolver,
    error::{Error, ErrorKind, Step},
    instance::InstanceName,
    observe::Event,
    refresh::{Means, Refresher, Session},
    settings::{Engine, IpType},
    stream::{Registry, Stream},
    tokens::TokenSource,
};

/// Opens connections to Cloud SQL instances.
///
/// Make one for the process and clone it where it is needed; clones share everything. Nothing is
/// fetched before the first connection, except that the client key is made on a thread of its own
/// from the moment the connector is built.
///
/// ```no_run
/// # async fn example() -> Result<(), cloudsql_connector::Error> {
/// use cloudsql_connector::{Connector, IpType};
///
/// let connector = Connector::builder()
///     .iam_login(true)
///     .ip_type(IpType::Private)
///     .build()?;
/// let stream = connector.connect("project:europe-west1:main").await?;
/// println!("a tunnel to {}", stream.instance());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Connector(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) means: Arc<Means>,
    pub(crate) tokens: Arc<dyn TokenSource>,
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
    pub(crate) ip_type: IpType,
    pub(crate) failover_period: Option<Duration>,
    pub(crate) refreshers: Mutex<Refreshers>,
    /// Where each DNS name led when it was last asked for, and when that was.
    pub(crate) domains: Mutex<HashMap<String, (InstanceName, Instant)>>,
    pub(crate) registry: Arc<Registry>,
}

/// By instance, and by the DNS name that led there, which the server must have.
pub(crate) type Refreshers = HashMap<(InstanceName, Option<String>), Arc<Refresher>>;

impl Connector {
    /// Settings, with their defaults.
    pub fn builder() -> ConnectorBuilder {
        ConnectorBuilder::default()
    }

    /// Opens a connection to an instance: `project:region:instance`, or a DNS name that leads to one.
    ///
    /// Cancelling it, by dropping the future, cancels nobody else's connection.
    ///
    /// # Errors
    ///
    /// See [`Error`]. What can be tried again has been tried again, with new settings and a new
    /// certificate.
    pub async fn connect(&self, instance: &str) -> Result<Stream, Error> {
        self.dial(instance, None, Instant::now() + self.timeout())
            .await
    }

    /// Fetches what a first connection needs, without opening one.
    ///
    /// # Errors
    ///
    /// As for [`Connector::connect`].
    pub async fn warm_up(&self, instance: &str) -> Result<Engine, Error> {
        let started = Instant::now();
        let deadline = started + self.timeout();
        let session = async {
            if self.0.registry.is_closed() {
                return Err(closed());
            }
            let refresher = self.0.refresher(&instance.parse()?, deadline).await?;
            refresher.session(deadline).await
        };
        let session = session
            .await
            .map_err(|error| error.about(instance, started.elapsed()))?;
        session.settings.engine.ok_or_else(|| {
            Error::new(
                ErrorKind::Protocol,
                Step::Settings,
                format!("unknown database: {:?}", session.settings.version),
            )
        })
    }

    /// Opens a connection with another session than this, which the database refused.
    pub(crate) async fn dial(
        &self,
        instance: &str,
        stale: Option<&Arc<Session>>,
        deadline: Instant,
    ) -> Result<Stream, Error> {
        let started = Instant::now();
        let outcome = self.0.dial(instance, stale, deadline).await;
        let outcome = outcome.map_err(|error| error.about(instance, started.elapsed()));
        self.0.means.observer.event(Event::Dialed {
            instance,
            took: started.elapsed(),
            error: outcome.as_ref().err(),
        });
        outcome
    }

    /// The tokens that the connector uses, kept until shortly before their end.
    pub fn tokens(&self) -> &Arc<dyn TokenSource> {
        &self.0.tokens
    }

    /// Whether users log in with the certificate.
    #[cfg(any(feature = "sqlx-postgres", feature = "sqlx-mysql"))]
    pub(crate) fn iam_login(&self) -> bool {
        self.0.means.login.is_some()
    }

    /// How long a connection may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.0.means.timeout
    }

    /// Opens no more connections, waits until those that are open have ended, at most this long, and
    /// cuts the rest. Gives how many were cut. It can be called again.
    pub async fn close(&self, patience: Duration) -> usize {
        self.0.registry.close();
        // Background refreshes end with their refreshers.
        self.0.refreshers().clear();
        let drained = tokio::time::timeout(patience, self.0.registry.drained()).await;
        if drained.is_ok() {
            return 0;
        }
        self.0.registry.cut(None)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connector")
    }
}

#[cfg(test)]
mod tests {
    use tracing::{
        Event as LogLine, Metadata, Subscriber,
        field::{Field, Visit},
        span::{Attributes, Id, Record},
    };

    use super::*;
    use crate::tokens::Fixed;

    /// Writes down what spans are about.
    #[derive(Clone, Default)]
    struct Spans(Arc<Mutex<Vec<String>>>);

    impl Visit for Spans {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            let mut seen = self.0.lock().unwrap();
            seen.push(format!("{} {value:?}", field.name()));
        }
    }

    impl Subscriber for Spans {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, attributes: &Attributes<'_>) -> Id {
            if attributes.metadata().name() == "dial" {
                attributes.record(&mut self.clone());
            }
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, _: &LogLine<'_>) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[tokio::test]
    async fn the_span_of_a_dial_says_where_it_leads() {
        let spans = Spans::default();
        let _watched = tracing::subscriber::set_default(spans.clone());
        let tokens = Arc::new(Fixed::new("t"));
        let connector = Connector::builder().tokens(tokens).build().unwrap();
        connector.connect("nowhere").await.unwrap_err();
        assert_eq!(*spans.0.lock().unwrap(), [r#"instance "nowhere""#]);
    }
}
