//! A cloud, an instance, and a connector that knows them.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use cloudsql_connector::{
    Clock, Connector, ConnectorBuilder, Counters, Error, ManualClock, Snapshot, Stream,
    tokens::{self, TokenSource},
};
use nova_testkit::cloudsql::{CaMode, CloudSql, Event, Fault, Instance, Options, Request, Step};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

pub(crate) const INSTANCE: &str = "proj:europe-west1:main";
pub(crate) const PRINCIPAL: &str = "nova@proj.iam.gserviceaccount.com";
pub(crate) const USER: &str = "nova@proj.iam";

/// A cloud with one instance.
pub(crate) struct World {
    pub(crate) cloud: CloudSql,
    pub(crate) instance: Instance,
    pub(crate) counters: Arc<Counters>,
}

impl World {
    /// With an instance that logs an IAM user in and has no database behind it.
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn in_mode(ca_mode: CaMode) -> Self {
        Self::with(Options {
            ca_mode,
            ..Options::default()
        })
        .await
    }

    pub(crate) async fn with(mut options: Options) -> Self {
        let cloud = CloudSql::start().await.unwrap();
        cloud.principal(PRINCIPAL).unwrap();
        if options.iam_users.is_empty() {
            options.iam_users.push(USER.to_owned());
        }
        let instance = cloud.instance(INSTANCE, options).await.unwrap();
        Self {
            cloud,
            instance,
            counters: Arc::default(),
        }
    }

    /// A connector with automatic IAM login, and nothing else than its defaults.
    pub(crate) fn connector(&self) -> Connector {
        self.builder().build().unwrap()
    }

    pub(crate) fn builder(&self) -> ConnectorBuilder {
        Connector::builder()
            .endpoint(self.cloud.url())
            .tokens(self.key_file())
            .iam_login(true)
            .timeout(Duration::from_secs(10))
            .observer(Arc::clone(&self.counters) as Arc<_>)
    }

    /// The same by a clock that stands still until it is moved.
    pub(crate) fn connector_with_clock(&self) -> (Connector, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(SystemTime::now()));
        let builder = self.builder().clock(Arc::clone(&clock) as _);
        (builder.build().unwrap(), clock)
    }

    pub(crate) fn key_file(&self) -> Arc<dyn TokenSource> {
        tokens::credentials_file(self.cloud.key_file()).unwrap()
    }

    pub(crate) fn inject(&self, fault: Fault) {
        self.cloud.inject(fault);
    }

    pub(crate) fn count(&self) -> Snapshot {
        self.counters.snapshot()
    }

    /// The requests of one kind, in order.
    pub(crate) fn requests(&self, step: Step) -> Vec<Request> {
        let events = self.cloud.journal().into_iter();
        let requests = events.filter_map(|event| match event {
            Event::Request(request) if request.step == Some(step) => Some(*request),
            _ => None,
        });
        requests.collect()
    }

    pub(crate) fn asked(&self, step: Step) -> usize {
        self.requests(step).len()
    }
}

/// Says hello as PostgreSQL's clients do, and gives the first byte of the answer.
pub(crate) async fn greet(stream: &mut Stream, user: &str) -> std::io::Result<u8> {
    let mut packet = vec![0, 0, 0, 0, 0, 3, 0, 0];
    for text in ["user", user, "database", "postgres"] {
        packet.extend_from_slice(text.as_bytes());
        packet.push(0);
    }
    packet.push(0);
    let length = u32::try_from(packet.len()).unwrap().to_be_bytes();
    packet[..4].copy_from_slice(&length);
    stream.write_all(&packet).await?;
    stream.flush().await?;
    stream.read_u8().await
}

/// What a failed connection is about.
pub(crate) async fn failure(connector: &Connector, instance: &str) -> Error {
    connector.connect(instance).await.unwrap_err()
}

/// The wall clock as far as tokio's is concerned: when that is paused and moved, this one moves.
#[derive(Debug)]
pub(crate) struct TokioClock {
    began: (SystemTime, tokio::time::Instant),
}

impl TokioClock {
    pub(crate) fn now() -> Arc<Self> {
        let began = (SystemTime::now(), tokio::time::Instant::now());
        Arc::new(Self { began })
    }
}

impl Clock for TokioClock {
    fn now(&self) -> SystemTime {
        self.began.0 + self.began.1.elapsed()
    }
}
