//! An instance: an identity, addresses, users, and a database behind.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::certificates::{Authority, CaMode, Issued, Names, Trust, WrongCertificate};
use super::cloud::Cloud;
use super::name::ConnectionName;
use super::options::{Connection, DnsName, Options};
use super::{address, tunnel};

/// What becomes of the old server CA when an instance gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldCa {
    /// Both are in `serverCaCert`, as in the middle of a rotation.
    Kept,
    /// Only the new one is, as at the end of it.
    Dropped,
}

/// An instance of a [`CloudSql`](super::CloudSql). It ends with that, not with this handle.
#[derive(Clone)]
pub struct Instance(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) cloud: Arc<Cloud>,
    pub(super) name: ConnectionName,
    pub(super) options: Options,
    pub(super) addresses: BTreeMap<Kind, SocketAddr>,
    pub(super) trust: Mutex<Trust>,
    pub(super) issued: Issued,
    /// How often all connections were cut.
    pub(super) cuts: watch::Sender<u64>,
    pub(super) open: AtomicUsize,
    /// The listeners, and with them the connections.
    tasks: Mutex<JoinSet<()>>,
}

/// The kinds of address that clients choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Public,
    Private,
    Psc,
}

impl Instance {
    pub(super) async fn start(
        cloud: &Arc<Cloud>,
        name: &str,
        mut options: Options,
    ) -> anyhow::Result<Self> {
        let name = ConnectionName::parse(name)?;
        complete(&mut options, &name);
        let kinds = [
            (Kind::Public, options.public),
            (Kind::Private, options.private),
            (Kind::Psc, options.psc),
        ];
        let mut listeners = Vec::new();
        let mut addresses = BTreeMap::new();
        for (kind, _) in kinds.into_iter().filter(|(_, wanted)| *wanted) {
            let listener = address::listen().await?;
            addresses.insert(kind, listener.local_addr()?);
            listeners.push(listener);
        }
        let names = Names {
            common: name.common(),
            alternative: options.alternative_names(),
        };
        let authority = authority_for(cloud, &name, options.ca_mode)?;
        let trust = Trust::new(names, authority, options.shape)?;
        let inner = Arc::new(Inner {
            cloud: Arc::clone(cloud),
            issued: Issued::new(&name.common())?,
            name,
            options,
            addresses,
            trust: Mutex::new(trust),
            cuts: watch::Sender::new(0),
            open: AtomicUsize::new(0),
            tasks: Mutex::default(),
        });
        for listener in listeners {
            inner
                .tasks()
                .spawn(tunnel::accept(listener, Arc::clone(&inner)));
        }
        inner.announce();
        Ok(Self(inner))
    }

    /// Its connection name: `project:region:instance`.
    pub fn name(&self) -> String {
        self.0.name.to_string()
    }

    /// Where its proxy listens: the public address, or else the private one, or else that of Private
    /// Service Connect. The port is 3307.
    ///
    /// # Panics
    ///
    /// When it was set up without any.
    pub fn address(&self) -> SocketAddr {
        let first = self.0.addresses.values().next();
        *first.expect("an instance that is asked for its address has one")
    }

    /// The private address.
    pub fn private_address(&self) -> Option<SocketAddr> {
        self.0.addresses.get(&Kind::Private).copied()
    }

    /// The address behind the names of Private Service Connect.
    pub fn psc_address(&self) -> Option<SocketAddr> {
        self.0.addresses.get(&Kind::Psc).copied()
    }

    /// The DNS names that it announces, made-up ones included.
    pub fn dns_names(&self) -> Vec<String> {
        let names = self.0.options.dns_names.iter();
        names.map(|it| it.name.clone()).collect()
    }

    /// What clients are told to trust now: the PEM blocks of `serverCaCert`.
    pub fn server_ca(&self) -> String {
        self.0.trust().pem()
    }

    /// Signs the server's certificate by a new CA from now on.
    ///
    /// # Errors
    ///
    /// When no certificate can be made.
    pub fn rotate_server_ca(&self, old: OldCa) -> anyhow::Result<()> {
        let authority = new_authority(&self.0.name, self.0.options.ca_mode)?;
        let mut trust = self.0.trust();
        let shape = self.0.options.shape;
        let mut next = Trust::new(trust.names.clone(), Arc::new(authority), shape)?;
        if old == OldCa::Kept {
            next.former.clone_from(&trust.former);
            next.former.push(Arc::clone(&trust.authority));
        }
        *trust = next;
        Ok(())
    }

    /// Shows another server certificate to new connections; [`WrongCertificate::None`] ends it.
    ///
    /// # Errors
    ///
    /// When no certificate can be made.
    pub fn serve_wrong(&self, wrong: WrongCertificate) -> anyhow::Result<()> {
        let mut trust = self.0.trust();
        let sibling = match self.0.options.ca_mode {
            CaMode::Internal => Arc::new(new_authority(&self.0.name, CaMode::Internal)?),
            CaMode::Cas | CaMode::CustomerCas => Arc::clone(&trust.authority),
        };
        trust.show(wrong, &sibling)
    }

    /// Refuses every client certificate that was issued so far, as after `gcloud sql instances
    /// reset-ssl-config`: by an alert, which in TLS 1.3 a client reads after its handshake.
    ///
    /// # Errors
    ///
    /// When no authority can be made.
    pub fn take_back_client_certificates(&self) -> anyhow::Result<()> {
        self.0.issued.take_back()
    }

    /// Cuts every connection, as a failover does.
    pub fn disconnect_all(&self) {
        self.0.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// How many connections are open, logged in or not.
    pub fn open_connections(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Takes the instance away: it is unknown to the Admin API, and its addresses are closed.
    pub fn delete(&self) {
        self.0.cloud.instances.remove(&self.0);
        self.0.stop();
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Instance")
            .field("name", &self.name())
            .field("addresses", &self.0.addresses)
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}

impl Inner {
    pub(super) fn trust(&self) -> MutexGuard<'_, Trust> {
        self.trust.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes its listeners and connections.
    pub(super) fn stop(&self) {
        // Taken out first: a task that ends drops what it holds, which may be this.
        let tasks = std::mem::take(&mut *self.tasks());
        drop(tasks);
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the DNS server lead its names to its addresses.
    fn announce(&self) {
        for name in &self.options.dns_names {
            let kind = match name.connection {
                Connection::Public => Kind::Public,
                Connection::Private => Kind::Private,
                Connection::Psc => Kind::Psc,
            };
            if let Some(SocketAddr::V4(address)) = self.addresses.get(&kind) {
                self.cloud.zone.set_address(&name.name, *address.ip());
            }
        }
        let legacy = self.options.dns_name.as_ref();
        let first = [Kind::Psc, Kind::Public, Kind::Private]
            .iter()
            .find_map(|kind| self.addresses.get(kind));
        if let (Some(name), Some(SocketAddr::V4(address))) = (legacy, first) {
            self.cloud.zone.set_address(name, *address.ip());
        }
    }

    /// The addresses that the Admin API lists.
    pub(super) fn ip_addresses(&self) -> impl Iterator<Item = (&'static str, Ipv4Addr)> {
        self.addresses.iter().filter_map(|(kind, address)| {
            let kind = match kind {
                Kind::Public => "PRIMARY",
                Kind::Private => "PRIVATE",
                Kind::Psc => return None,
            };
            match address {
                SocketAddr::V4(address) => Some((kind, *address.ip())),
                SocketAddr::V6(_) => None,
            }
        })
    }
}

/// An instance under a shared authority has a DNS name, or nothing would tell it from its siblings.
fn complete(options: &mut Options, name: &ConnectionName) {
    let needs_name = options.ca_mode != CaMode::Internal || options.psc;
    if !needs_name || !options.dns_names.is_empty() || options.dns_name.is_some() {
        return;
    }
    let random = uuid::Uuid::now_v7().simple();
    let region = &name.region;
    if options.public || options.private {
        let (connection, zone) = if options.public {
            (Connection::Public, "sql")
        } else {
            (Connection::Private, "sql-psa")
        };
        let made_up = format!("{random}.global.{region}.{zone}.goog.");
        options.dns_names.push(DnsName::new(connection, made_up));
    }
    if options.psc {
        let made_up = format!("{random}.global.{region}.sql-psc.goog.");
        options
            .dns_names
            .push(DnsName::new(Connection::Psc, made_up));
    }
}

fn authority_for(
    cloud: &Cloud,
    name: &ConnectionName,
    mode: CaMode,
) -> anyhow::Result<Arc<Authority>> {
    match mode {
        CaMode::Cas => cloud.regions.authority(&name.region),
        CaMode::Internal | CaMode::CustomerCas => Ok(Arc::new(new_authority(name, mode)?)),
    }
}

/// One that nothing else uses.
fn new_authority(name: &ConnectionName, mode: CaMode) -> anyhow::Result<Authority> {
    let tag = uuid::Uuid::now_v7().simple();
    let instance = &name.instance;
    match mode {
        CaMode::Internal => Authority::root(&format!("Fake Cloud SQL Server CA {instance} {tag}")),
        CaMode::Cas | CaMode::CustomerCas => {
            let root = Arc::new(Authority::root(&format!("Fake Root CA {tag}"))?);
            root.intermediate(&format!("Fake CA {instance} {tag}"))
        }
    }
    .context("cannot make a certificate authority")
}
