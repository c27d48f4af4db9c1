//! What an instance is made of.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::{CaMode, Shape};

/// The database behind an instance.
#[derive(Clone, Debug, Default)]
pub enum Backend {
    /// None: whoever logs in is told that the database is down.
    #[default]
    Nothing,
    /// A unix socket, such as that of a throw-away PostgreSQL. It has to trust whoever comes.
    Unix(PathBuf),
    /// A TCP server.
    Tcp(SocketAddr),
}

/// How a DNS name leads to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// `PUBLIC`
    Public,
    /// `PRIVATE_SERVICES_ACCESS`
    Private,
    /// `PRIVATE_SERVICE_CONNECT`
    Psc,
}

/// A DNS name as an instance announces it: with the trailing dot, if the test wants what Google does.
#[derive(Clone, Debug)]
pub struct DnsName {
    /// The name.
    pub name: String,
    /// What it leads to.
    pub connection: Connection,
    /// `INSTANCE`, or `CLUSTER` for that of a read pool.
    pub scope: String,
}

impl DnsName {
    /// A name of one instance.
    pub fn new(connection: Connection, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            connection,
            scope: "INSTANCE".to_owned(),
        }
    }
}

/// How an instance is set up. The default is an empty PostgreSQL instance with a public address and a
/// certificate authority of its own.
#[derive(Clone)]
pub struct Options {
    /// The database behind it.
    pub backend: Backend,
    /// `POSTGRES_…` makes the proxy log users in; what is sent to another database is passed on unread.
    pub database_version: String,
    /// Who signs the server's certificate.
    pub ca_mode: CaMode,
    /// What that certificate looks like.
    pub shape: Shape,
    /// Has a public address (`PRIMARY`).
    pub public: bool,
    /// Has an address in a private network (`PRIVATE`).
    pub private: bool,
    /// Announces Private Service Connect. Its names are those of `dns_names`, or else `dns_name`.
    pub psc: bool,
    /// The names in `dnsNames`. Where the mode needs one and there is none, it is made up.
    pub dns_names: Vec<DnsName>,
    /// The older `dnsName`.
    pub dns_name: Option<String>,
    /// `customSubjectAlternativeNames`, which stand in the certificate too.
    pub custom_names: Vec<String>,
    /// The DNS names in the server certificate, word for word. `None`: all of the above, or none where
    /// the authority is the instance's own.
    pub certificate_names: Option<Vec<String>>,
    /// Database users who log in by IAM, as the database knows them: `nova@project.iam`.
    pub iam_users: Vec<String>,
    /// Database users with a password.
    pub password_users: HashMap<String, String>,
    /// Lets login tokens pass that are good for more than logging in. The real thing does; it is off
    /// here so that a connector which forgets to narrow its token is found out.
    pub broad_login_tokens: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            backend: Backend::default(),
            database_version: "POSTGRES_16".to_owned(),
            ca_mode: CaMode::default(),
            shape: Shape::default(),
            public: true,
            private: false,
            psc: false,
            dns_names: Vec::new(),
            dns_name: None,
            custom_names: Vec::new(),
            certificate_names: None,
            iam_users: Vec::new(),
            password_users: HashMap::new(),
            broad_login_tokens: false,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Options")
            .field("backend", &self.backend)
            .field("database_version", &self.database_version)
            .field("ca_mode", &self.ca_mode)
            .field("iam_users", &self.iam_users)
            .finish_non_exhaustive()
    }
}

impl Options {
    pub(super) fn is_postgres(&self) -> bool {
        self.database_version.starts_with("POSTGRES")
    }

    /// What stands in the server's certificate.
    pub(super) fn alternative_names(&self) -> Vec<String> {
        if let Some(names) = &self.certificate_names {
            return names.clone();
        }
        if self.ca_mode == CaMode::Internal {
            return Vec::new();
        }
        let announced = self.dns_names.iter().map(|it| &it.name);
        let mut names: Vec<String> = announced
            .chain(&self.dns_name)
            .chain(&self.custom_names)
            .cloned()
            .collect();
        names.dedup();
        names
    }
}
