//! A fake Cloud SQL: what a connector talks to on its way to a database, on this machine.
//!
//! It speaks what Google's own connectors need: the Admin API, the OAuth token endpoint, the security token
//! service, the metadata server and impersonation (one HTTP port), DNS (one port, UDP and TCP), and for each instance the proxy that stands in
//! front of its database: TLS 1.3 with client certificates on port 3307 of an address of its own in
//! 127.0.0.0/8. Google's connector for Python, unmodified, runs queries through it: that is the test of the fake.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use nova_testkit::cloudsql::{Backend, CaMode, CloudSql, Effect, Fault, Options, Step};
//! use nova_testkit::postgres::Postgres;
//!
//! let database = Postgres::shared().await.empty_database().await;
//! let cloud = CloudSql::start().await?;
//! cloud.principal("nova@proj.iam.gserviceaccount.com")?;
//! let instance = cloud.instance("proj:europe-west1:main", Options {
//!     backend: Backend::Unix(database.socket()),
//!     ca_mode: CaMode::Cas,
//!     iam_users: vec!["nova@proj.iam".to_owned()],
//!     ..Options::default()
//! }).await?;
//! cloud.inject(Fault::new(Step::Certificate, Effect::Status(503)).times(3));
//! // … connect with cloud.url() as the Admin API and cloud.key_file() as the credentials …
//! assert_eq!(cloud.count(Step::Certificate), 4);
//! # Ok(()) }
//! ```
//!
//! What differs from Google on purpose: keys of authorities are ECDSA, because they are made in a moment; the
//! clients' authority is not the server's and does not rotate; a certificate's `expirationTime` is wrong, as it is
//! not to be relied on; and a login token that is good for more than logging in is refused, unless
//! [`Options::broad_login_tokens`] says otherwise.
//!
//! Read on in [`Options`] (what an instance is), [`Fault`] (how it goes wrong) and [`Event`] (what was seen).

mod address;
mod certificates;
mod cloud;
mod dns;
mod fault;
mod http;
mod instance;
mod journal;
mod key_file;
mod name;
mod options;
mod tokens;
mod tunnel;

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use self::certificates::{CaMode, Shape, WrongCertificate};
use self::cloud::{Cloud, Settings};
pub use self::dns::Record;
pub use self::fault::{Effect, Fault, Step};
pub use self::instance::{Instance, OldCa};
pub use self::journal::{Bearer, Event, LoginMethod, Request};
pub use self::key_file::FEDERATED;
use self::key_file::KeyFiles;
pub use self::options::{Backend, Connection, DnsName, Options};
pub use self::tokens::{ADMIN_SCOPE, CLOUD_SCOPE, LOGIN_SCOPE};
use crate::issuer::random_text;

/// As long as Google's tokens and certificates.
const LIFETIME: Duration = Duration::from_hours(1);

/// Whom tokens are for, until somebody else is named.
const PRINCIPAL: &str = "nova@proj.iam.gserviceaccount.com";

/// A running fake. All of it ends with this value: servers, instances, connections and files.
pub struct CloudSql {
    cloud: Arc<Cloud>,
    dns: SocketAddr,
    files: KeyFiles,
    // Aborts the servers when it is dropped.
    _servers: JoinSet<()>,
}

impl CloudSql {
    /// Starts it on free ports, on the runtime of the caller, without instances.
    ///
    /// # Errors
    ///
    /// When no port or no temporary folder can be had.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let sockets = dns::Sockets::bind().await?;
        let dns = sockets.address()?;
        let cloud = Arc::new(Cloud::new(
            listener.local_addr()?,
            Settings {
                principal: String::new(),
                known_principals: HashSet::new(),
                refresh_token: format!("fake-refresh.{}", random_text()),
                subject_token: format!("fake-subject.{}", random_text()),
                token_lifetime: LIFETIME,
                certificate_lifetime: LIFETIME,
                impersonators: HashSet::new(),
                metadata_tokens: HashMap::new(),
            },
        ));
        let files = KeyFiles::create()?;
        let mut servers = JoinSet::new();
        servers.spawn(http::serve(listener, Arc::clone(&cloud)));
        servers.spawn(dns::serve(sockets, Arc::clone(&cloud)));
        let fake = Self {
            cloud,
            dns,
            files,
            _servers: servers,
        };
        fake.principal(PRINCIPAL)?;
        Ok(fake)
    }

    /// The root of the Admin API, of the token endpoint (`/token`) and of `generateAccessToken`, without a
    /// slash at the end.
    pub fn url(&self) -> String {
        self.cloud.url()
    }

    /// What belongs in `GCE_METADATA_HOST`.
    pub fn metadata_host(&self) -> String {
        self.cloud.address.to_string()
    }

    /// Where the DNS server listens, by UDP and TCP.
    pub fn dns(&self) -> SocketAddr {
        self.dns
    }

    /// A service account's key as a JSON file, whose `token_uri` is here.
    pub fn key_file(&self) -> PathBuf {
        self.files.service_account()
    }

    /// A user's credentials as a JSON file (`authorized_user`): a refresh token, whose `token_uri` is here.
    pub fn user_file(&self) -> PathBuf {
        self.files.user()
    }

    /// The credentials of a workload in another cloud as a JSON file (`external_account`): its subject token
    /// lies beside it, is exchanged here for tokens of [`FEDERATED`], and these for tokens of the principal,
    /// once [`CloudSql::allow_impersonation`] says so.
    pub fn external_file(&self) -> PathBuf {
        self.files.external()
    }

    /// Who it is that gets tokens from now on: the account of the metadata server and of the credential files,
    /// which are written anew. Keys that clients have read before keep working, for whom they were.
    ///
    /// # Errors
    ///
    /// When the files cannot be written.
    pub fn principal(&self, email: &str) -> anyhow::Result<()> {
        let (refresh_token, subject_token) = {
            let mut settings = self.cloud.settings();
            email.clone_into(&mut settings.principal);
            settings.known_principals.insert(email.to_owned());
            (
                settings.refresh_token.clone(),
                settings.subject_token.clone(),
            )
        };
        let url = self.url();
        self.files.write(&url, email, &refresh_token)?;
        self.files.write_external(&url, email, &subject_token)
    }

    /// Lets `caller` get tokens of the service account `target`. A chain needs this for each of its links.
    pub fn allow_impersonation(&self, caller: &str, target: &str) {
        let link = (caller.to_owned(), target.to_owned());
        self.cloud.settings().impersonators.insert(link);
    }

    /// How long tokens are good for, from now on.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        let mut settings = self.cloud.settings();
        settings.token_lifetime = lifetime;
        settings.metadata_tokens.clear();
    }

    /// How long client certificates are good for, from now on. They know whole seconds only, and the fraction
    /// is cut off.
    pub fn set_certificate_lifetime(&self, lifetime: Duration) {
        self.cloud.settings().certificate_lifetime = lifetime;
    }

    /// Makes every token that was handed out unknown.
    pub fn revoke_tokens(&self) {
        self.cloud.settings().metadata_tokens.clear();
        self.cloud.tokens.revoke_all();
    }

    /// A token without asking for it, for tests that speak the wire themselves.
    pub fn token(&self, principal: &str, scopes: &[&str]) -> String {
        let lifetime = self.cloud.settings().token_lifetime;
        let scopes = scopes.iter().map(|&it| it.to_owned()).collect();
        self.cloud.tokens.issue(principal, scopes, lifetime).0
    }

    /// Starts an instance under its connection name, `project:region:instance`. It takes the place of one with
    /// the same project and name, in whatever region, and lives as long as the fake.
    ///
    /// # Errors
    ///
    /// When the name is none, no address is free or no certificate can be made.
    pub async fn instance(&self, name: &str, options: Options) -> anyhow::Result<Instance> {
        let instance = Instance::start(&self.cloud, name, options).await?;
        self.cloud.instances.add(Arc::clone(&instance.0));
        Ok(instance)
    }

    /// Makes something go wrong. Faults for one step happen in the order in which they were injected.
    pub fn inject(&self, fault: Fault) {
        self.cloud.faults.add(fault);
    }

    /// Whether every fault has happened as often as it was to.
    pub fn faults_are_used_up(&self) -> bool {
        self.cloud.faults.are_used_up()
    }

    /// Makes the DNS server know a name, with one record in the place of all it had before.
    pub fn answer_dns(&self, name: &str, record: Record) {
        self.answer_dns_with(name, vec![record]);
    }

    /// The same with several records, or with none: then the name exists and says nothing.
    pub fn answer_dns_with(&self, name: &str, records: Vec<Record>) {
        self.cloud.zone.set(name, records);
    }

    /// Makes the DNS server say that a name does not exist.
    pub fn forget_dns(&self, name: &str) {
        self.cloud.zone.forget(name);
    }

    /// All that was seen so far, in order.
    pub fn journal(&self) -> Vec<Event> {
        self.cloud.journal.all()
    }

    /// The requests of one step that arrived so far.
    pub fn requests(&self, step: Step) -> Vec<Request> {
        let requests = self.journal().into_iter().filter_map(|event| match event {
            Event::Request(request) => Some(*request),
            _ => None,
        });
        requests.filter(|it| it.step == Some(step)).collect()
    }

    /// How often a step was taken, faults included. A login is counted when it has ended.
    pub fn count(&self, step: Step) -> usize {
        let journal = self.journal();
        let is_of_step = |event: &&Event| match event {
            Event::Request(request) => request.step == Some(step),
            Event::Dns { .. } => step == Step::Dns,
            Event::Accepted { .. } => step == Step::Tcp,
            Event::Handshake { .. } => step == Step::Tls,
            Event::Login { .. } => step == Step::Login,
            Event::Closed { .. } => false,
        };
        journal.iter().filter(is_of_step).count()
    }
}

impl Drop for CloudSql {
    fn drop(&mut self) {
        self.cloud.instances.stop_all();
    }
}

impl std::fmt::Debug for CloudSql {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("CloudSql")
            .field("url", &self.url())
            .field("dns", &self.dns)
            .finish_non_exhaustive()
    }
}
